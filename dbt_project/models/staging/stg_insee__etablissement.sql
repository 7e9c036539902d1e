with

source as (

    select * from {{ source('raw', 'insee__etablissement') }}

),

renamed as (

    select
        ----------  ids
        siren,
        nic,
        siret,

        ----------  labels
        est_siege,
        etat_administratif,
        departement,
        code_commune,
        libelle_commune,
        libelle_commune_etranger,
        code_postal,
        complement_adresse,
        numero_voie,
        indice_repetition,
        type_voie,
        libelle_voie,
        code_pays_etranger,
        libelle_pays_etranger,
        activite_principale,
        nomenclature_activite,
        activite_principale_naf25,
        statut_diffusion,

        ----------  dates
        date_creation,

        ----------  quantities
        longitude,
        latitude,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to,
        _delivery_id as delivery_id

    from source

)

select * from renamed
