{{ config(indexes=[{'columns': ['siren'], 'unique': true}]) }}

with

spine as (

    select * from {{ ref('int_spine') }}

),

company as (

    select distinct siren from spine

)

select * from company
