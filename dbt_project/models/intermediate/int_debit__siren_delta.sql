{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

segment as (

    select * from {{ ref('int_debit__segment') }}

),

balance as (

    select
        siren,
        valid_from as start_month,
        valid_to as end_month,
        coalesce(part_ouvriere_eur, 0) as part_ouvriere,
        coalesce(part_patronale_eur, 0) as part_patronale,
        0 as nb_ecarts
    from segment
    where part_ouvriere_eur <> 0 or part_patronale_eur <> 0

),

-- An ecart is new during the twelve months from its first event.
new_ecart as (

    select
        siren,
        greatest(valid_from, premier_mois) as start_month,
        least(valid_to, premier_mois + 12) as end_month,
        0 as part_ouvriere,
        0 as part_patronale,
        1 as nb_ecarts
    from segment

),

contribution as (

    select * from balance
    union all
    select * from new_ecart

),

delta as (

    {{ month_deltas('contribution', ['part_ouvriere', 'part_patronale', 'nb_ecarts']) }}

)

select * from delta
