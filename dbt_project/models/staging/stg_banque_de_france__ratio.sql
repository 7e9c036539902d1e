with

source as (

    select * from {{ source('raw', 'banque_de_france__ratio') }}

),

renamed as (

    select
        ----------  ids
        siren,

        ----------  labels
        secteur,

        ----------  dates
        annee,
        arrete_bilan,

        ----------  quantities
        poids_frng,
        taux_marge,
        delai_fournisseurs,
        poids_dettes_fiscales_sociales,
        poids_financement_court_terme,
        poids_frais_financiers,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
