with

source as (

    select * from {{ source('raw', 'altares__procedure') }}

),

renamed as (

    select
        ----------  ids
        left(siret, 9) as siren,
        siret,

        ----------  labels
        code_journal,
        code_evenement,

        ----------  dates
        date_effet,
        date_parution,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
