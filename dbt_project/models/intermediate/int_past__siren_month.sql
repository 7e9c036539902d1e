{#- Rows stay in the order of companies: the few rows of the sectors and of the peers are hashed, not merged. -#}
{{
    config(
        sql_header="set local enable_mergejoin = off;",
        indexes=[{'columns': ['siren', 'month_index'], 'unique': true}],
    )
}}

{#- Weight of the whole economy in a division's failure rate, in company-months (50 companies over 24 months). -#}
{%- set prior_weight = 1200 -%}

{%- set remembered = [
    'effectif', 'cotisation_moyenne_12m_eur', 'dette_eur', 'dette_sur_cotisation', 'paydex_jours', 'marge_ebe',
    'naf_division', 'naf_section', 'tranche_effectif', 'a_risque', 'en_procedure',
] -%}
{#- The months before the range were computed with what was known then: they are read back from the mart, never computed again. -#}
{%- set mart = frozen_mart('mart_company_month') -%}

with

-- In the order of all windows below.
month_seen as (

    select
        siren,
        month_index,
        {{ remembered | join(', ') }},
        true as is_in_range
    from {{ ref('int_level__siren_month') }}
    {% if mart %}
    union all
    select
        siren,
        {{ month_index('month') }} as month_index,
        {{ remembered | join(', ') }},
        false as is_in_range
    from {{ mart }}
    where
        month < {{ range_start_date() }}
        and month >= {{ range_start_date() }} - interval '25 months'
    {% endif %}
    order by siren, month_index

),

month_and_the_one_before as (

    select
        *,
        lag(month_index) over by_company as month_before,
        lag(a_risque) over by_company as a_risque_before
    from month_seen
    window by_company as (partition by siren order by month_index)

),

{% if not is_one_month() %}

-- A month out of the perimeter is a row that knows nothing: so many rows before are so many months before.
every_month as (

    select
        siren,
        month_index,
        {{ remembered | join(', ') }},
        is_in_range
    from month_and_the_one_before
    union all
    select
        hole.siren,
        series.month_index,
        {% for name in remembered %}
        null as {{ name }},
        {% endfor %}
        false as is_in_range
    from month_and_the_one_before as hole
    {{ each_month('hole.month_before + 1', 'hole.month_index - 1') }}
    where hole.month_before < hole.month_index - 1
    order by siren, month_index

),

{% endif %}

{#- Contributions may be negative (regularisations): who owes nothing is not above them. -#}
{%- set dette_elevee = '(dette_eur > cotisation_moyenne_12m_eur and (dette_eur > 0 or cotisation_moyenne_12m_eur >= 0))::integer' -%}

{% set past = {
    'effectif_lag_6m': months_before('effectif', 6),
    'effectif_lag_12m': months_before('effectif', 12),
    'effectif_lag_24m': months_before('effectif', 24),
    'cotisation_lag_12m': months_before('cotisation_moyenne_12m_eur', 12),
    'dette_lag_1m': months_before('dette_sur_cotisation', 1),
    'dette_lag_3m': months_before('dette_sur_cotisation', 3),
    'dette_lag_6m': months_before('dette_sur_cotisation', 6),
    'dette_lag_12m': months_before('dette_sur_cotisation', 12),
    'dette_lag_24m': months_before('dette_sur_cotisation', 24),
    'dette_moyenne_3m': over_last_months('avg', 'dette_sur_cotisation', 3),
    'dette_moyenne_12m': over_last_months('avg', 'dette_sur_cotisation', 12),
    'dette_tendance_12m': over_last_months('regr_slope', 'dette_sur_cotisation, month_index', 12),
    'nb_mois_dette_elevee_3m': over_last_months('sum', dette_elevee, 3),
    'nb_mois_dette_elevee_12m': over_last_months('sum', dette_elevee, 12),
    'nb_mois_dette_12m': over_last_months('sum', '(dette_eur > 0)::integer', 12),
    'nb_mois_dette_24m': over_last_months('sum', '(dette_eur > 0)::integer', 24),
    'paydex_moyenne_6m': over_last_months('avg', 'paydex_jours', 6),
    'paydex_lag_12m': months_before('paydex_jours', 12),
} %}
{% set of_the_month = [
    'naf_division', 'naf_section', 'tranche_effectif', 'effectif', 'cotisation_moyenne_12m_eur', 'dette_eur',
    'dette_sur_cotisation', 'paydex_jours', 'marge_ebe',
] %}

month_and_its_past as (

    select
        siren,
        {% for name, expression in past.items() %}
        {{ expression }} as {{ name }},
        {% endfor %}
        {% if is_one_month() %}
        {% for name in of_the_month %}
        {{ months_before(name, 0) }} as {{ name }},
        {% endfor %}
        {{ range_last() }} as month_index,
        bool_or(is_in_range) as is_in_range
    from month_seen
    group by siren
        {% else %}
        {% for name in of_the_month %}
        {{ name }},
        {% endfor %}
        month_index,
        is_in_range
    from every_month
    window by_company as (partition by siren order by month_index)
        {% endif %}

),

month_in_range as (

    select
        *,
        effectif / nullif(effectif_lag_12m, 0) - 1 as effectif_evolution_12m
    from month_and_its_past
    where is_in_range

),

-- Entries in procedure of the last 24 months, from the frozen statuses: nothing later can change them.
entries_in_procedure as (

    select
        coalesce(naf_division, '') as naf_division,
        month_index,
        sum((a_risque_before and month_before = month_index - 1)::integer) as nb_suivies,
        sum((a_risque_before and month_before = month_index - 1 and en_procedure)::integer) as nb_entrees
    from month_and_the_one_before
    group by 1, 2

),

entries_over_24_months as (

    select
        naf_division,
        month_index,
        sum(nb_suivies) over by_division as nb_suivies,
        sum(nb_entrees) over by_division as nb_entrees,
        sum(nb_suivies) over all_divisions as nb_suivies_toutes,
        sum(nb_entrees) over all_divisions as nb_entrees_toutes
    from entries_in_procedure
    window
        by_division as (partition by naf_division order by month_index range between 23 preceding and current row),
        all_divisions as (order by month_index range between 23 preceding and current row)

),

failure_rate_of_the_sector as (

    select
        naf_division,
        month_index,
        case
            when nb_suivies_toutes > 0
                then
                    12.0
                    * (coalesce(nb_entrees, 0) + {{ prior_weight }}.0 * nb_entrees_toutes / nb_suivies_toutes)
                    / (coalesce(nb_suivies, 0) + {{ prior_weight }})
        end as taux
    from entries_over_24_months

),

median_of_the_peers as (

    select
        month_index,
        naf_section,
        tranche_effectif,
        percentile_cont(0.5) within group (order by dette_sur_cotisation) as dette_sur_cotisation,
        percentile_cont(0.5) within group (order by marge_ebe) as marge_ebe,
        percentile_cont(0.5) within group (order by effectif_evolution_12m) as effectif_evolution_12m,
        percentile_cont(0.5) within group (order by paydex_jours) as paydex_jours
    from month_in_range
    group by month_index, naf_section, tranche_effectif

),

past_and_peers as (

    select
        ----------  ids
        past.siren,
        past.month_index,

        ----------  effectif
        past.effectif / nullif(past.effectif_lag_6m, 0) - 1 as effectif_evolution_6m,
        past.effectif_evolution_12m,
        past.effectif / nullif(past.effectif_lag_24m, 0) - 1 as effectif_evolution_24m,
        past.effectif_evolution_12m - peers.effectif_evolution_12m as effectif_evolution_12m_ecart_secteur,

        ----------  dettes sociales
        case
            when past.cotisation_lag_12m > 0
                then (past.cotisation_moyenne_12m_eur / past.cotisation_lag_12m)::double precision - 1
        end as cotisation_evolution_12m,
        past.dette_lag_1m as dette_sur_cotisation_lag_1m,
        past.dette_lag_3m as dette_sur_cotisation_lag_3m,
        past.dette_lag_6m as dette_sur_cotisation_lag_6m,
        past.dette_lag_12m as dette_sur_cotisation_lag_12m,
        past.dette_lag_24m as dette_sur_cotisation_lag_24m,
        case when past.dette_sur_cotisation is not null then past.dette_moyenne_3m end as dette_sur_cotisation_moyenne_3m,
        case when past.dette_sur_cotisation is not null then past.dette_moyenne_12m end as dette_sur_cotisation_moyenne_12m,
        case when past.dette_sur_cotisation is not null then past.dette_tendance_12m end as dette_tendance_12m,
        past.dette_sur_cotisation - past.dette_lag_3m as dette_variation_3m,
        past.dette_sur_cotisation - past.dette_lag_6m as dette_variation_6m,
        past.dette_sur_cotisation - past.dette_lag_12m as dette_variation_12m,
        past.dette_sur_cotisation - peers.dette_sur_cotisation as dette_sur_cotisation_ecart_secteur,
        past.nb_mois_dette_12m::double precision as nb_mois_dette_12m,
        past.nb_mois_dette_24m::double precision as nb_mois_dette_24m,
        past.nb_mois_dette_elevee_12m::double precision as nb_mois_dette_elevee_12m,
        -- A month that is unknown, or no more than one contribution, breaks the row of three.
        case
            when past.dette_eur is not null and past.cotisation_moyenne_12m_eur is not null
                then coalesce(past.nb_mois_dette_elevee_3m, 0) = 3
        end as en_defaut_urssaf,

        ----------  retards de paiement
        case when past.paydex_jours is not null then past.paydex_moyenne_6m end as paydex_moyenne_6m,
        past.paydex_jours - past.paydex_lag_12m as paydex_variation_12m,
        past.paydex_jours - peers.paydex_jours as paydex_jours_ecart_secteur,

        ----------  comptes
        past.marge_ebe - peers.marge_ebe as marge_ebe_ecart_secteur,

        ----------  contexte
        sector.taux::double precision as secteur_taux_defaillance_24m
    from month_in_range as past
    left join failure_rate_of_the_sector as sector
        on coalesce(past.naf_division, '') = sector.naf_division and past.month_index = sector.month_index
    left join median_of_the_peers as peers
        on
            past.month_index = peers.month_index
            and past.naf_section = peers.naf_section
            and past.tranche_effectif = peers.tranche_effectif

)

select * from past_and_peers
