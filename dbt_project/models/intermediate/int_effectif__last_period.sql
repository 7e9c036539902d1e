with

freshness as (

    select * from {{ ref('int_source_freshness') }}

),

-- The file of establishments speaks until that of companies is known.
last_period_known as (

    select
        month_index,
        coalesce(
            max(derniere_periode) filter (where source = 'urssaf__effectif_ent'),
            max(derniere_periode) filter (where source = 'urssaf__effectif')
        ) as last_period
    from freshness
    group by month_index

),

last_period_index as (

    select
        month_index,
        {{ month_index('last_period') }} as last_period
    from last_period_known

)

select * from last_period_index
