with

source as (

    select * from {{ source('raw', 'urssaf__ccsf') }}

),

renamed as (

    select
        ----------  ids
        siret,
        compte,

        ----------  labels
        stade,
        action,

        ----------  dates
        date_traitement,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
