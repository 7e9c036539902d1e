{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

version as (

    select * from {{ ref('int_effectif__version') }}

),

months as (

    select * from {{ ref('int_month') }}

),

last_period_known as (

    select * from {{ ref('int_effectif__last_period') }}

),

period as (

    select distinct periode_index from version

),

-- Months in which a version of the perimeter applies.
rule as (

    select
        version,
        effectif_minimum,
        fenetre_mois,
        min(month_index) as first_month,
        max(month_index) + 1 as end_month
    from {{ ref('int_perimetre__month') }}
    group by version, effectif_minimum, fenetre_mois

),

-- The window ends on the last period that the file held, so that its delay does not shorten it.
month_a_period_leaves_the_window as (

    select
        rule.effectif_minimum,
        rule.first_month,
        rule.end_month,
        period.periode_index,
        coalesce(min(last_period_known.month_index), 999999) as leaves_at
    from rule
    cross join period
    left join last_period_known on period.periode_index < last_period_known.last_period - rule.fenetre_mois + 1
    group by 1, 2, 3, 4

),

minimum_reached as (

    select
        version.siren,
        greatest(version.valid_from, version.periode_index, leaving.first_month) as start_month,
        least(version.valid_to, leaving.leaves_at, leaving.end_month) as end_month,
        1 as n
    from version
    inner join month_a_period_leaves_the_window as leaving
        on version.periode_index = leaving.periode_index and version.effectif >= leaving.effectif_minimum

),

delta as (

    {{ month_deltas('minimum_reached', ['n']) }}

),

company as (

    select distinct siren from delta

),

every_month_of_a_company as (

    select
        company.siren,
        months.month_index,
        sum(delta.n) over (partition by company.siren order by months.month_index) as n
    from company
    cross join months
    left join delta on company.siren = delta.siren and months.month_index = delta.month_index

),

spine as (

    select
        siren,
        month_index,
        coalesce(n, 0) > 0 as effectif_suffisant
    from every_month_of_a_company

)

select * from spine
