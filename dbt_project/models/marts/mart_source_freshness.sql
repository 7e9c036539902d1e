{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}"],
        indexes=[{'columns': ['month', 'source'], 'unique': true}],
    )
}}

with

freshness as (

    select * from {{ ref('int_source_freshness') }}

),

freshness_of_the_month as (

    select
        month,
        source,
        producteur,
        libelle,
        derniere_livraison,
        derniere_periode,
        lignes::bigint as lignes,
        rejets::bigint as rejets,
        age_jours::integer as age_jours,
        en_retard
    from freshness

)

select * from freshness_of_the_month
