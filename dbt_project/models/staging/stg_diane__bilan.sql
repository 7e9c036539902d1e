with

source as (

    select * from {{ source('raw', 'diane__bilan') }}

),

renamed as (

    select
        ----------  ids
        siren,

        ----------  labels
        statut_juridique,
        procedure_collective,

        ----------  dates
        exercice,
        date_cloture,

        ----------  quantities
        nombre_etablissements_secondaires,
        nombre_filiales,
        taille_groupe,
        nombre_mois,
        effectif_consolide,
        independance_financiere,
        endettement,
        autonomie_financiere,
        liquidite_generale,
        liquidite_reduite,
        rotation_stocks_jours,
        credit_clients_jours,
        credit_fournisseurs_jours,
        taux_endettement,
        capacite_remboursement,
        capacite_autofinancement,
        poids_bfr_exploitation,
        rentabilite_economique,
        rentabilite_nette,
        taux_valeur_ajoutee,

        ----------  amounts
        chiffre_affaires_keur,
        chiffre_affaires_export_keur,
        production_keur,
        consommation_keur,
        valeur_ajoutee_keur,
        charges_personnel_keur,
        ebe_keur,
        dotations_amortissements_keur,
        resultat_exploitation_keur,
        produits_financiers_keur,
        charges_financieres_keur,
        resultat_courant_keur,
        resultat_net_keur,
        dettes_fiscales_sociales_keur,
        concours_bancaires_keur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
