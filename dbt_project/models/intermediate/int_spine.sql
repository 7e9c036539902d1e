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

-- The window of 36 months ends on the last period that the file held, so that its delay does not shorten it.
month_a_period_leaves_the_window as (

    select
        period.periode_index,
        coalesce(min(last_period_known.month_index), 999999) as leaves_at
    from period
    left join last_period_known on period.periode_index < last_period_known.last_period - {{ perimeter_months() }} + 1
    group by period.periode_index

),

ten_or_more as (

    select
        version.siren,
        version.valid_from as start_month,
        least(version.valid_to, leaving.leaves_at) as end_month,
        1 as n
    from version
    inner join month_a_period_leaves_the_window as leaving using (periode_index)
    where version.effectif >= 10

),

delta as (

    {{ month_deltas('ten_or_more', ['n']) }}

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
