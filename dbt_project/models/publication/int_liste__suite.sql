{{
    config(
        schema='intermediate',
        access='private',
        unlogged=true,
        indexes=[{'columns': ['month'], 'unique': true}],
    )
}}

with

run_month as (

    select * from {{ source('ml', 'run_month') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

published_month as (

    select * from {{ source('publication', 'month') }}
    where status = 'published' and month < {{ range_start_date() }}

),

-- A list without any alert is still a list: it counts for absences. One that was refused or withdrawn is none: nobody saw it.
liste as (

    select
        month,
        publication_id,
        null::date as liste_comparee
    from published_month
    union all
    select
        month,
        null as publication_id,
        liste_comparee
    from run_month

),

liste_in_order as (

    select
        month,
        publication_id,
        row_number() over (order by month) as rang_liste,
        lag(month) over (order by month) as liste_precedente,
        least(liste_comparee, lag(month) over (order by month)) as liste_comparee
    from liste

)

select * from liste_in_order
