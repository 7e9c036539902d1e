{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

consommation as (

    select * from {{ ref('int_activite_partielle__consommation') }}

),

spine as (

    select
        siren,
        month_index
    from {{ ref('int_spine') }}
    where effectif_suffisant and siren in (select consommation.siren from consommation)

),

last_month_with_hours as (

    {{ latest_known('spine', ref('int_activite_partielle__consommation'), 'periode_index', ['periode_index']) }}

)

select * from last_month_with_hours
