{{
    config(
        schema='intermediate',
        access='private',
        unlogged=true,
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

run_month as (

    select * from {{ source('ml', 'run_month') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

published_month as (

    select
        month,
        max(publication_id) as publication_id
    from {{ source('publication', 'month') }}
    where status = 'published' and month < {{ range_start_date() }}
    group by month

),

published_detection as (

    select * from {{ source('publication', 'detection') }}

),

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

-- A list without any alert is still a list: it counts for absences.
liste as (

    select
        month,
        row_number() over (order by month) as rang_liste
    from (
        select published_month.month from published_month
        union
        select run_month.month from run_month
    ) as months

),

alerte as (

    select
        published_detection.month,
        published_detection.siren,
        published_detection.alerte,
        published_detection.departement,
        published_detection.region
    from published_detection
    inner join published_month using (publication_id, month)
    union all
    select
        month,
        siren,
        alerte,
        departement,
        region
    from candidate_score
    where alerte is not null

),

alerte_in_its_list as (

    select
        alerte.*,
        liste.rang_liste
    from alerte
    inner join liste using (month)

)

select * from alerte_in_its_list
