with

source as (

    select * from {{ source('raw', 'bodacc__annonce') }}

),

renamed as (

    select
        ----------  ids
        numero_annonce,
        siren,
        numero_annonce_precedente,

        ----------  labels
        type_annonce,
        famille_avis,
        tribunal,
        code_postal,
        jugement_type,
        jugement_famille,
        jugement_nature,

        ----------  dates
        date_parution,
        jugement_date,
        date_parution_precedente,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
