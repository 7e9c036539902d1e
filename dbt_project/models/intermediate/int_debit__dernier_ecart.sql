{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

segment as (

    select * from {{ ref('int_debit__segment') }}

),

spine as (

    select
        siren,
        month_index
    from {{ ref('int_spine') }}
    where effectif_suffisant and siren in (select segment.siren from segment)

),

last_ecart as (

    {{ latest_known('spine', ref('int_debit__segment'), 'premier_mois', ['premier_mois']) }}

)

select * from last_ecart
