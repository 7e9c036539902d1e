{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}"],
        post_hook=["{{ analyze_months(['siren', 'month']) }}"],
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

level as (

    select * from {{ ref('int_level__siren_month') }}

),

spine as (

    select * from {{ ref('int_spine') }}

),

echue as (

    select * from {{ ref('int_debit__echue_delta') }}

),

bilan as (

    select * from {{ ref('int_bilan__siren_month') }}

),

dette_echue as (

    select
        spine.siren,
        spine.month_index,
        coalesce(sum(echue.echue_90_jours) over so_far, 0) as echue_90_jours,
        coalesce(sum(echue.echue_deux_trimestres) over so_far, 0) as echue_deux_trimestres
    from spine
    left join echue on spine.siren = echue.siren and spine.month_index = echue.month_index
    window so_far as (partition by spine.siren order by spine.month_index)

),

-- One line a rule; its text is in the seed `clignotant`. Unknown is null: a source that says nothing switches nothing off.
regle as (

    select
        level.siren,
        {{ month_date('level.month_index') }} as month,
        case
            when level.dette_eur is not null
                then
                    dette_echue.echue_90_jours > 15000
                    and dette_echue.echue_90_jours > 0.3 * 12 * level.cotisation_moyenne_12m_eur
        end as creanciers_publics,
        case
            when level.dette_eur is not null then dette_echue.echue_deux_trimestres > 0
        end as cotisations_deux_trimestres,
        bilan.autonomie_financiere < 0 as dettes_superieures_actif,
        bilan.deux_exercices_deficitaires,
        -- SARL, SA, SAS and SE file their accounts (code de commerce, L. 232-22 and L. 232-23); others need not.
        -- One younger than three years may not have had any to file yet.
        case
            when level.bilan_frais and left(level.categorie_juridique, 2) in ('54', '55', '56', '57', '58')
                then level.bilans_manquants = 1 and level.age_mois >= 36
        end as comptes_non_publies,
        bilan.ratio_de_liquidite < 50 as liquidite_insuffisante
    from level
    inner join dette_echue on level.siren = dette_echue.siren and level.month_index = dette_echue.month_index
    left join bilan on level.siren = bilan.siren and level.month_index = bilan.month_index

),

clignotant as (

    select
        siren,
        month,
        {% for name in clignotants() %}
        {{ name }},
        {% endfor %}
        {% for name in clignotants() %}
        coalesce({{ name }}, false)::integer{{ ' + ' if not loop.last }}
        {%- endfor %} as nb_allumes,
        {% for name in clignotants() %}
        ({{ name }} is not null)::integer{{ ' + ' if not loop.last }}
        {%- endfor %} as nb_connus
    from regle

)

-- In the order of the index, that then grows at its end.
select * from clignotant
order by month, siren
