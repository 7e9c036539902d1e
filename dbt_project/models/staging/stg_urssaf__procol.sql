with

source as (

    select * from {{ source('raw', 'urssaf__procol') }}

),

renamed as (

    select
        ----------  ids
        siret,
        siren,

        ----------  labels
        categorie,
        libelle,
        action_procol,
        stade_procol,

        ----------  dates
        date_effet,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
