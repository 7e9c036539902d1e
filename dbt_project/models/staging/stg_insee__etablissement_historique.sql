with

source as (

    select * from {{ source('raw', 'insee__etablissement_historique') }}

),

renamed as (

    select
        ----------  ids
        siret,

        ----------  labels
        etat_administratif,
        changement_etat,

        ----------  dates
        date_debut,
        date_fin,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
