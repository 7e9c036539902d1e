with

effectif_ent as (

    select * from {{ ref('stg_urssaf__effectif_ent') }}

),

effectif as (

    select * from {{ ref('stg_urssaf__effectif') }}

),

months as (

    select * from {{ ref('int_month') }}

),

-- A delivery has one day of knowledge for a whole file: few days to turn into months, whatever the number of rows.
period_by_day_of_knowledge as (

    select
        known_from,
        max(periode) as last_period
    from effectif_ent
    where known_from < {{ range_end_date() }}
    group by known_from
    union all
    select
        known_from,
        max(periode) as last_period
    from effectif
    where not exists (select 1 from effectif_ent) and known_from < {{ range_end_date() }}
    group by known_from

),

period_by_month_of_knowledge as (

    select
        greatest({{ month_index('known_from') }}, {{ range_first() }}) as month_index,
        max({{ month_index('last_period') }}) as last_period
    from period_by_day_of_knowledge
    group by 1

),

last_period_known as (

    select
        months.month_index,
        max(max(by_month.last_period)) over (order by months.month_index) as last_period
    from months
    left join period_by_month_of_knowledge as by_month using (month_index)
    group by months.month_index

)

select * from last_period_known
