{{ config(indexes=[{'columns': ['siren', 'valeur_index', 'date_valeur']}]) }}

with

paydex as (

    select * from {{ ref('stg_altares__paydex') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

-- Several values in a month: the last date speaks (rank kept in the row for the tie).
version as (

    select
        paydex.siren,
        {{ month_index('paydex.date_valeur') }} as valeur_index,
        paydex.date_valeur,
        paydex.nb_jours,
        {{ known_months('paydex') }}
    from paydex
    inner join eligible using (siren)
    where
        paydex.nb_jours is not null
        and {{ known_in_range('paydex') }}
        and paydex.date_valeur >= {{ range_start_date() }} - interval '13 months'

),

version_in_the_range as (

    select * from version
    where {{ touches_range() }}

)

select * from version_in_the_range
order by siren, valeur_index, date_valeur
