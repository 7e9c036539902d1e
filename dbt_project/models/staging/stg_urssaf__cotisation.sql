with

source as (

    select * from {{ source('raw', 'urssaf__cotisation') }}

),

renamed as (

    select
        ----------  ids
        siret,
        compte,
        mise_en_recouvrement,

        ----------  dates
        periode_debut,
        periode_fin,

        ----------  amounts
        encaissement_direct_eur,
        cotisation_due_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
