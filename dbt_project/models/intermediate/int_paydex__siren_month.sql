{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

version as (

    select * from {{ ref('int_paydex__version') }}

),

spine as (

    select
        siren,
        month_index
    from {{ ref('int_spine') }}
    where effectif_suffisant and siren in (select version.siren from version)

),

latest as (

    {{ latest_known('spine', ref('int_paydex__version'), 'valeur_index', ['valeur_index', 'nb_jours'], tie='date_valeur') }}

),

-- A payment delay speaks for a year: beyond, the supplier data has stopped.
recent as (

    select * from latest
    where month_index - valeur_index <= 12

)

select * from recent
