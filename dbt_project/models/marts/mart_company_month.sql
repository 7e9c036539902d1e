{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}", "set local enable_mergejoin = off"],
        post_hook=["{{ analyze_months(['siren', 'month', 'a_risque', 'departement']) }}"],
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

{#- The planner would sort the wide rows on disk to merge them: hashed, they are read and written once less. -#}

{#- Weight of the whole economy in a division's failure rate, in company-months (50 companies over 24 months). -#}
{%- set prior_weight = 1200 -%}

with

company_month as (

    select * from {{ ref('int_company_month') }}

),

{% set remembered = [
    'effectif', 'cotisation_moyenne_12m_eur', 'dette_eur', 'dette_sur_cotisation', 'paydex_jours', 'marge_ebe',
    'naf_division', 'naf_section', 'tranche_effectif', 'a_risque', 'en_procedure',
] %}

{#- Narrow rows are windowed, sorted and kept; the wide ones are read once, by the last join. The order is that of all windows. -#}
month_seen as (

    select
        siren,
        month_index,
        {{ remembered | join(', ') }},
        true as is_in_range
    from {{ ref('int_company_month') }}
    {% if has_frozen_months() %}
    -- The months before the range were computed with what was known then: they are read back, never computed again.
    union all
    select
        siren,
        {{ month_index('month') }} as month_index,
        {{ remembered | join(', ') }},
        false as is_in_range
    from {{ this }}
    where
        month < {{ range_start_date() }}
        and month >= {{ range_start_date() }} - interval '25 months'
    {% endif %}
    order by siren, month_index

),

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
    'nb_mois_dette_elevee_3m': over_last_months('sum', '(dette_eur > cotisation_moyenne_12m_eur)::integer', 3),
    'nb_mois_dette_elevee_12m': over_last_months('sum', '(dette_eur > cotisation_moyenne_12m_eur)::integer', 12),
    'nb_mois_dette_12m': over_last_months('sum', '(dette_eur > 0)::integer', 12),
    'nb_mois_dette_24m': over_last_months('sum', '(dette_eur > 0)::integer', 24),
    'paydex_moyenne_6m': over_last_months('avg', 'paydex_jours', 6),
    'paydex_lag_12m': months_before('paydex_jours', 12),
} %}
{% set compared_to_peers = [
    'naf_division', 'naf_section', 'tranche_effectif', 'effectif', 'dette_sur_cotisation', 'marge_ebe', 'paydex_jours',
] %}

past_of_a_month as (

    select
        siren,
        {% for name, expression in past.items() %}
        {{ expression }} as {{ name }},
        {% endfor %}
        {% for name in compared_to_peers %}
        {{ months_before(name, 0) if is_one_month() else name }} as {{ name }},
        {% endfor %}
        {% if is_one_month() %}
        {{ range_last() }} as month_index,
        bool_or(is_in_range) as is_in_range
    from month_seen
    group by siren
        {% else %}
        month_index,
        is_in_range
    from month_seen
    window by_company as (partition by siren order by month_index)
        {% endif %}

),

month_and_the_one_before as (

    select
        month_index,
        naf_division,
        en_procedure,
        lag(a_risque) over by_company and lag(month_index) over by_company = month_index - 1 as was_followed
    from month_seen
    window by_company as (partition by siren order by month_index)

),

-- Entries in procedure of the last 24 months, from the frozen statuses: nothing later can change them.
entries_in_procedure as (

    select
        coalesce(naf_division, '') as naf_division,
        month_index,
        sum((was_followed)::integer) as nb_suivies,
        sum((was_followed and en_procedure)::integer) as nb_entrees
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

month_and_its_past as (

    select
        *,
        effectif / nullif(effectif_lag_12m, 0) - 1 as effectif_evolution_12m
    from past_of_a_month
    where is_in_range

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
    from month_and_its_past
    group by month_index, naf_section, tranche_effectif

),

-- The sector and the peers are joined to narrow rows: the wide ones go through one join only.
past_and_peers as (

    select
        past.*,
        sector.taux as secteur_taux,
        peers.dette_sur_cotisation as dette_sur_cotisation_mediane,
        peers.marge_ebe as marge_ebe_mediane,
        peers.effectif_evolution_12m as effectif_evolution_12m_mediane,
        peers.paydex_jours as paydex_jours_mediane
    from month_and_its_past as past
    left join failure_rate_of_the_sector as sector
        on coalesce(past.naf_division, '') = sector.naf_division and past.month_index = sector.month_index
    left join median_of_the_peers as peers
        on
            past.month_index = peers.month_index
            and past.naf_section = peers.naf_section
            and past.tranche_effectif = peers.tranche_effectif

),

month_against_its_past_and_its_peers as (

    select
        level.*,
        level.effectif / nullif(past.effectif_lag_6m, 0) - 1 as effectif_evolution_6m,
        past.effectif_evolution_12m,
        level.effectif / nullif(past.effectif_lag_24m, 0) - 1 as effectif_evolution_24m,
        case
            when past.cotisation_lag_12m > 0
                then (level.cotisation_moyenne_12m_eur / past.cotisation_lag_12m)::double precision - 1
        end as cotisation_evolution_12m,
        past.dette_lag_1m as dette_sur_cotisation_lag_1m,
        past.dette_lag_3m as dette_sur_cotisation_lag_3m,
        past.dette_lag_6m as dette_sur_cotisation_lag_6m,
        past.dette_lag_12m as dette_sur_cotisation_lag_12m,
        past.dette_lag_24m as dette_sur_cotisation_lag_24m,
        case when level.dette_sur_cotisation is not null then past.dette_moyenne_3m end as dette_sur_cotisation_moyenne_3m,
        case when level.dette_sur_cotisation is not null then past.dette_moyenne_12m end as dette_sur_cotisation_moyenne_12m,
        case when level.dette_sur_cotisation is not null then past.dette_tendance_12m end as dette_tendance_12m,
        past.nb_mois_dette_elevee_12m::double precision as nb_mois_dette_elevee_12m,
        -- A month that is unknown, or no more than one contribution, breaks the row of three.
        case
            when level.dette_eur is not null and level.cotisation_moyenne_12m_eur is not null
                then coalesce(past.nb_mois_dette_elevee_3m, 0) = 3
        end as en_defaut_urssaf,
        level.dette_sur_cotisation - past.dette_lag_3m as dette_variation_3m,
        level.dette_sur_cotisation - past.dette_lag_6m as dette_variation_6m,
        level.dette_sur_cotisation - past.dette_lag_12m as dette_variation_12m,
        past.nb_mois_dette_12m::double precision as nb_mois_dette_12m,
        past.nb_mois_dette_24m::double precision as nb_mois_dette_24m,
        case when level.paydex_jours is not null then past.paydex_moyenne_6m end as paydex_moyenne_6m,
        level.paydex_jours - past.paydex_lag_12m as paydex_variation_12m,
        past.secteur_taux::double precision as secteur_taux_defaillance_24m,
        level.dette_sur_cotisation - past.dette_sur_cotisation_mediane as dette_sur_cotisation_ecart_secteur,
        level.marge_ebe - past.marge_ebe_mediane as marge_ebe_ecart_secteur,
        past.effectif_evolution_12m - past.effectif_evolution_12m_mediane as effectif_evolution_12m_ecart_secteur,
        level.paydex_jours - past.paydex_jours_mediane as paydex_jours_ecart_secteur
    from company_month as level
    inner join past_and_peers as past on level.siren = past.siren and level.month_index = past.month_index

),

company_month_features as (

    select
        ----------  ids
        siren,
        month,

        ----------  identity
        siret_siege,
        denomination,
        departement,
        region,
        code_commune,
        libelle_commune,
        naf,
        naf_division,
        naf_section,
        categorie_juridique,
        date_creation,
        tranche_effectif,
        version_perimetre,

        ----------  status
        est_actif,
        procedure_statut,
        procedure_date,
        en_procedure,
        a_risque,

        ----------  effectif
        effectif,
        effectif_anciennete_mois,
        effectif_lacune,
        effectif_evolution_6m,
        effectif_evolution_12m,
        effectif_evolution_24m,
        effectif_evolution_12m_ecart_secteur,

        ----------  dettes sociales
        cotisation_moyenne_12m_eur::numeric(18, 2) as cotisation_moyenne_12m_eur,
        cotisation_evolution_12m,
        cotisation_mois_manquants_12m,
        dette_part_ouvriere_eur::numeric(18, 2) as dette_part_ouvriere_eur,
        dette_part_patronale_eur::numeric(18, 2) as dette_part_patronale_eur,
        dette_eur::numeric(18, 2) as dette_eur,
        dette_sur_cotisation,
        dette_ouvriere_sur_cotisation,
        dette_par_salarie_eur,
        dette_sur_cotisation_lag_1m,
        dette_sur_cotisation_lag_3m,
        dette_sur_cotisation_lag_6m,
        dette_sur_cotisation_lag_12m,
        dette_sur_cotisation_lag_24m,
        dette_sur_cotisation_moyenne_3m,
        dette_sur_cotisation_moyenne_12m,
        dette_tendance_12m,
        dette_variation_3m,
        dette_variation_6m,
        dette_variation_12m,
        dette_sur_cotisation_ecart_secteur,
        nb_mois_dette_12m,
        nb_mois_dette_24m,
        nb_mois_dette_elevee_12m,
        en_defaut_urssaf,
        nb_ecarts_12m,
        mois_depuis_dernier_ecart,
        delai_en_cours,
        delai_reste_eur::numeric(18, 2) as delai_reste_eur,
        delai_echeances_restantes,
        delai_reste_sur_cotisation,
        nb_delais_24m,
        ccsf_24m,
        ccsf_en_cours,

        ----------  activite partielle
        ap_etp_consomme,
        ap_etp_consomme_12m,
        ap_etp_autorise,
        ap_part_effectif_3m,
        ap_mois_depuis_derniere,

        ----------  retards de paiement
        paydex_jours,
        paydex_anciennete_mois,
        paydex_moyenne_6m,
        paydex_variation_12m,
        paydex_jours_ecart_secteur,

        ----------  comptes
        bilan_anciennete_mois,
        ca_evolution,
        marge_ebe,
        marge_ebe_ecart_secteur,
        resultat_net_sur_ca,
        autonomie_financiere,
        taux_d_endettement,
        ratio_de_liquidite,
        caf_sur_ca,
        couverture_des_interets,
        credit_fournisseurs_jours,
        poids_bfr_exploitation_sur_ca,
        bilans_manquants,
        bdf_poids_frng,
        bdf_poids_dettes_fiscales_sociales,

        ----------  contexte
        age_mois,
        nb_etablissements,
        etablissements_ouverts_12m,
        etablissements_fermes_12m,
        dans_un_groupe,
        groupe_siren_tete,
        groupe_part_financiere,
        groupe_nb_filiales,
        secteur_taux_defaillance_24m

    from month_against_its_past_and_its_peers

)

-- In the order of the index, that then grows at its end; a month lies together.
select * from company_month_features
order by month, siren
