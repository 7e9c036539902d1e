with

source as (

    select * from {{ source('raw', 'dgefp__demande_ap') }}

),

renamed as (

    select
        ----------  ids
        id_demande,
        siret,

        ----------  labels
        motif_recours,
        perimetre,
        recours_anterieur,

        ----------  dates
        date_statut,
        periode_debut,
        periode_fin,

        ----------  quantities
        effectif_entreprise,
        effectif_etablissement,
        effectif_autorise,
        effectif_consomme,
        heures_autorisees,
        heures_consommees,

        ----------  amounts
        montant_autorise_eur,
        montant_consomme_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
