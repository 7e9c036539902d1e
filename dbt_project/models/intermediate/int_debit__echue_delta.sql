{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

segment as (

    select * from {{ ref('int_debit__segment') }}

),

{#- Contributions are due on the 15th of the month after their period (periode_fin is its first day): they are 90 days late
    on the last day of the third month after it, two quarters late on that of the sixth. -#}
balance_by_lateness as (

    {% for measure, months in {'echue_90_jours': 3, 'echue_deux_trimestres': 6}.items() %}
    select
        siren,
        greatest(valid_from, {{ month_index('periode_fin') }} + {{ months }}) as start_month,
        valid_to as end_month,
        {% for each in ['echue_90_jours', 'echue_deux_trimestres'] %}
        {{ 'coalesce(part_ouvriere_eur, 0) + coalesce(part_patronale_eur, 0)' if each == measure else '0' }} as {{ each }}{{ ',' if not loop.last }}
        {% endfor %}
    from segment
    where part_ouvriere_eur <> 0 or part_patronale_eur <> 0
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

delta as (

    {{ month_deltas('balance_by_lateness', ['echue_90_jours', 'echue_deux_trimestres']) }}

)

select * from delta
