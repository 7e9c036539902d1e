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

    select
        *,
        valid_from <= {{ range_first() }}
        and valid_to > {{ range_last() }}
        and valeur_index <= {{ range_first() }} as holds_throughout
    from version
    where {{ touches_range() }}

),

-- Of what holds in the whole range, the last value stands for the older ones.
last_value_that_holds as (

    select
        siren,
        max(date_valeur) as date_valeur
    from version_in_the_range
    where holds_throughout
    group by siren

),

version_that_speaks as (

    select
        version.siren,
        version.valeur_index,
        version.date_valeur,
        version.nb_jours,
        version.valid_from,
        version.valid_to
    from version_in_the_range as version
    left join last_value_that_holds as last_value on version.siren = last_value.siren
    where not version.holds_throughout or version.date_valeur = last_value.date_valeur

)

select * from version_that_speaks
order by siren, valeur_index, date_valeur
