with

source as (

    select * from {{ source('raw', 'urssaf__delai') }}

),

renamed as (

    select
        ----------  ids
        siret,
        compte,
        numero_structure,

        ----------  labels
        stade,
        action,

        ----------  dates
        date_creation,
        date_echeance,

        ----------  quantities
        duree_jours,

        ----------  amounts
        montant_echeancier_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
