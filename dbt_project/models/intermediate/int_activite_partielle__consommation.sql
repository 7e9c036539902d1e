{{ config(indexes=[{'columns': ['siren', 'periode_index']}]) }}

with

consommation as (

    select * from {{ ref('stg_dgefp__consommation_ap') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

month_with_hours as (

    select
        left(consommation.siret, 9) as siren,
        {{ month_index('consommation.mois') }} as periode_index,
        {{ known_months('consommation') }}
    from consommation
    inner join eligible on left(consommation.siret, 9) = eligible.siren
    where {{ known_in_range('consommation') }} and consommation.heures > 0

)

select * from month_with_hours
order by siren, periode_index
