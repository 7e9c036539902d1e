with

source as (

    select * from {{ source('raw', 'altares__paydex') }}

),

renamed as (

    select
        ----------  ids
        siren,

        ----------  dates
        date_valeur,

        ----------  quantities
        nb_jours,
        nb_fournisseurs,
        note_fpi_30,
        note_fpi_90,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
