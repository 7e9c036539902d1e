{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

spine as (

    select siren, month_index from {{ ref('int_spine') }}
    where effectif_suffisant

),

last_known_value as (

    {{ latest_known('spine', ref('int_effectif__version'), 'periode_index', ['periode_index', 'effectif']) }}

)

select * from last_known_value
