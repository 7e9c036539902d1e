{{ config(indexes=[{'columns': ['month', 'source'], 'unique': true}]) }}

with

freshness as (

    select * from {{ ref('mart_source_freshness') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

run_month as (

    select * from {{ source('ml', 'run_month') }}

),

fraicheur as (

    select
        freshness.month,
        freshness.source,
        freshness.producteur,
        freshness.libelle,
        freshness.derniere_livraison,
        freshness.derniere_periode,
        freshness.lignes,
        freshness.rejets,
        freshness.age_jours,
        freshness.en_retard,
        coalesce(freshness.source = any(run_month.sources_ecartees), false) as est_ecartee
    from freshness
    left join run_month on freshness.month = run_month.month

)

select * from fraicheur
