with

source as (

    select * from {{ source('raw', 'inpi__ratio') }}

),

renamed as (

    select
        ----------  ids
        siren,

        ----------  labels
        type_bilan,
        confidentialite,

        ----------  dates
        date_cloture_exercice,

        ----------  quantities
        taux_d_endettement,
        ratio_de_liquidite,
        ratio_de_vetuste,
        autonomie_financiere,
        poids_bfr_exploitation_sur_ca,
        couverture_des_interets,
        caf_sur_ca,
        capacite_de_remboursement,
        marge_ebe,
        resultat_courant_avant_impots_sur_ca,
        credit_clients_jours,
        credit_fournisseurs_jours,
        rotation_des_stocks_jours,

        ----------  amounts
        chiffre_affaires_eur,
        marge_brute_eur,
        ebe_eur,
        ebit_eur,
        resultat_net_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
