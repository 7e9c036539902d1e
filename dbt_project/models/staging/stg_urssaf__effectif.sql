with

source as (

    select * from {{ source('raw', 'urssaf__effectif') }}

),

renamed as (

    select
        ----------  ids
        compte,
        siret,

        ----------  labels
        ape,
        departement,

        ----------  dates
        periode,

        ----------  quantities
        effectif,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
