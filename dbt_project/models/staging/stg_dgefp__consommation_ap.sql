with

source as (

    select * from {{ source('raw', 'dgefp__consommation_ap') }}

),

renamed as (

    select
        ----------  ids
        id_demande,
        siret,

        ----------  dates
        periode,
        {{ month_start_of('periode') }} as mois,

        ----------  quantities
        heures,
        effectif,

        ----------  amounts
        montant_eur,

        ----------  knowledge
        _known_from as known_from,
        _known_to as known_to

    from source

)

select * from renamed
