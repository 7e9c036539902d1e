with

source as (

    select * from {{ source('raw', 'urssaf__compte') }}

),

renamed as (

    select
        ----------  ids
        compte,
        -- Of the two, only the SIRET is always written.
        left(siret, 9) as siren,
        siret,

        ----------  labels
        etat_compte,
        departement,

        ----------  dates
        date_creation,
        date_disparition,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
