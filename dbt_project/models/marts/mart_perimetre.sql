{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}"],
        post_hook=["{{ analyze_months(['siren', 'month']) }}"],
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

identite as (

    select * from {{ ref('int_identite__siren_month') }}

),

effectif as (

    select * from {{ ref('int_effectif__siren_month') }}

),

months as (

    select * from {{ ref('int_month') }}

),

company as (

    select
        identite.siren,
        identite.month_index,
        months.month,
        identite.version_perimetre,
        identite.effectif_minimum,
        identite.motif_exclusion,
        case when effectif.effectif >= identite.effectif_minimum then effectif.periode_index end as periode_index
    from identite
    inner join months on identite.month_index = months.month_index
    left join effectif on identite.siren = effectif.siren and identite.month_index = effectif.month_index

),

-- Whose last headcount is below the minimum reached it earlier in the window.
below_the_minimum as (

    select * from company
    where periode_index is null

),

last_time_reached as (

    {{ latest_known(
        'below_the_minimum',
        ref('int_effectif__version'),
        'periode_index',
        ['periode_index'],
        condition='candidate.effectif >= below_the_minimum.effectif_minimum',
    ) }}

),

inclusion as (

    select
        company.siren,
        company.month,
        company.version_perimetre,
        company.motif_exclusion is null as est_inclus,
        coalesce(company.motif_exclusion, 'effectif_atteint') as motif,
        {{ month_date('coalesce(company.periode_index, reached.periode_index)') }} as effectif_atteint_le
    from company
    left join last_time_reached as reached
        on company.siren = reached.siren and company.month_index = reached.month_index

)

-- In the order of the index, that then grows at its end.
select * from inclusion
order by month, siren
