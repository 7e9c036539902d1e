with

source as (

    select * from {{ source('raw', 'insee__unite_legale') }}

),

renamed as (

    select
        ----------  ids
        siren,
        nic_siege,

        ----------  labels
        denomination,
        nom,
        prenom,
        categorie_juridique,
        activite_principale,
        nomenclature_activite,
        activite_principale_naf25,
        etat_administratif,
        statut_diffusion,

        ----------  dates
        date_creation,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
