{{ config(indexes=[{'columns': ['month', 'source'], 'unique': true}]) }}

with

freshness as (

    select * from {{ ref('mart_source_freshness') }}
    where month between {{ range_start_date() }} and '{{ var('month_end') }}'::date

),

fraicheur as (

    select
        month,
        source,
        producteur,
        libelle,
        derniere_livraison,
        derniere_periode,
        lignes,
        rejets,
        age_jours,
        en_retard
    from freshness

)

select * from fraicheur
