{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_last_closed_year() }}"],
        indexes=[{'columns': ['month', 'clignotant'], 'unique': true}],
    )
}}

{#- Measured again for a year after the 18 months are over and observed: a later correction of an old judgment moves nothing. -#}
{%- set to_measure -%}
    month <= {{ computed_end_date() }} - interval '21 months'
    {%- if has_frozen_months() %}
    and month > coalesce((select max(measured.month) from {{ this }} as measured), '-infinity')
    {%- endif -%}
{%- endset -%}

with

clignotant as (

    select * from {{ ref('mart_clignotant') }}
    where {{ to_measure }}

),

outcome as (

    select
        siren,
        month,
        defaillance_18m,
        {{ month_index('date_defaillance') }} - {{ month_index('month') }} as mois_avant
    from {{ ref('mart_outcome') }}
    where a_risque and defaillance_18m is not null and {{ to_measure }}

),

-- Companies followed whose 18 months are over: what each rule said then, and what came.
closed as (

    select
        clignotant.*,
        outcome.defaillance_18m,
        outcome.mois_avant
    from clignotant
    inner join outcome on clignotant.siren = outcome.siren and clignotant.month = outcome.month

),

counted as (

    select
        month,
        {% for name in clignotants() %}
        count({{ name }}) as {{ name }}_connus,
        count(*) filter (where {{ name }}) as {{ name }}_allumes,
        count({{ name }}) filter (where defaillance_18m) as {{ name }}_defaillances,
        count(*) filter (where {{ name }} and defaillance_18m) as {{ name }}_touchees,
        percentile_cont(0.5) within group (order by mois_avant)
            filter (where {{ name }} and defaillance_18m) as {{ name }}_avance{{ ',' if not loop.last }}
        {% endfor %}
    from closed
    group by month

),

by_clignotant as (

    {% for name in clignotants() %}
    select
        month,
        '{{ name }}' as clignotant,
        {{ name }}_connus as nb_connus,
        {{ name }}_allumes as nb_allumes,
        {{ name }}_defaillances as nb_defaillances,
        {{ name }}_touchees as nb_touchees,
        {{ name }}_avance as avance_mediane_mois
    from counted
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

valeur as (

    select
        month,
        clignotant,
        nb_connus,
        nb_allumes,
        nb_defaillances,
        nb_touchees,
        nb_touchees::double precision / nullif(nb_allumes, 0) as precision_18m,
        nb_touchees::double precision / nullif(nb_defaillances, 0) as rappel_18m,
        nb_defaillances::double precision / nullif(nb_connus, 0) as taux_de_base_18m,
        nb_touchees::double precision * nb_connus / nullif(nb_allumes * nb_defaillances, 0) as lift_18m,
        avance_mediane_mois
    from by_clignotant

)

select * from valeur
