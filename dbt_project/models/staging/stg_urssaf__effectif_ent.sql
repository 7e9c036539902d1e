with

source as (

    select * from {{ source('raw', 'urssaf__effectif_ent') }}

),

renamed as (

    select
        ----------  ids
        siren,

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
