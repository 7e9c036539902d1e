with

source as (

    select * from {{ source('raw', 'ellisphere__groupe') }}

),

renamed as (

    select
        ----------  ids
        code_groupe,
        siren_groupe,
        reference_groupe,
        code_filiale,
        siren_filiale,
        reference_filiale,

        ----------  labels
        type_personne_groupe,
        pays_groupe,
        type_personne_filiale,
        pays_filiale,

        ----------  quantities
        niveau_detention,
        part_financiere,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
