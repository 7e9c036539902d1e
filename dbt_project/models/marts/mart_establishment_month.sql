{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}"],
        post_hook=["{{ analyze_months(['siret', 'month']) }}"],
        indexes=[{'columns': ['month', 'siren', 'siret'], 'unique': true}],
    )
}}

{#- Of a range, the last month only: sheets show establishments of the month they are asked for, not of ten years. -#}
{%- set month = range_last() -%}
{%- set known = 'known_from < ' ~ range_end_date() ~ ' and known_to >= ' ~ range_end_date() -%}

with

company as (

    select
        siren,
        dette_eur is not null as debit_frais,
        delai_en_cours is not null as delai_connu,
        ap_etp_consomme is not null as consommation_connue,
        ap_etp_autorise is not null as demande_connue
    from {{ ref('mart_company_month') }}
    where month = '{{ var('month_end') }}'::date

),

etablissement as (

    select
        siret,
        est_siege,
        departement,
        code_commune,
        libelle_commune,
        case when replace(lower(nomenclature_activite), '_', '') = 'nafrev2' then activite_principale end as naf
    from {{ ref('stg_insee__etablissement') }}
    where {{ known }}

),

-- Open or closed as the company counts it.
etat as (

    select
        siret,
        etat_administratif
    from {{ ref('int_etablissement__etat') }}
    where is_known and change_month <= {{ month }} and segment_to > {{ month }}

),

effectif as (

    select
        siret,
        periode,
        sum(effectif) as effectif,
        row_number() over (partition by siret order by periode desc) as recency
    from {{ ref('stg_urssaf__effectif') }}
    where {{ known }} and periode < {{ range_end_date() }}
    group by siret, periode

),

dette as (

    select
        siret,
        count(distinct compte) as nb_comptes_en_dette,
        sum(part_ouvriere_eur) as part_ouvriere,
        sum(part_patronale_eur) as part_patronale
    from {{ ref('int_debit__segment') }}
    where
        valid_from <= {{ month }}
        and valid_to > {{ month }}
        and siret is not null
        and (part_ouvriere_eur <> 0 or part_patronale_eur <> 0)
    group by siret

),

delai_at_an_establishment as (

    select
        siret,
        compte,
        numero_structure,
        date_creation,
        date_echeance,
        max(montant_echeancier_eur) as montant
    from {{ ref('int_delai__version') }}
    where
        valid_from <= {{ month }}
        and valid_to > {{ month }}
        and date_creation < {{ range_end_date() }}
        and date_echeance >= {{ range_end_date() }}
    group by 1, 2, 3, 4, 5

),

delai as (

    select
        siret,
        max(date_echeance) as date_fin,
        case
            when bool_and(montant is not null)
                then sum({{ remaining_instalments('montant', '(' ~ range_end_date() ~ ' - 1)') }})
        end as reste
    from delai_at_an_establishment
    where siret is not null
    group by siret

),

cotisation_version as (

    select
        compte,
        siret,
        periode_debut,
        periode_fin,
        cotisation_due_eur,
        {{ known_months() }}
    from {{ ref('stg_urssaf__cotisation') }}
    where
        {{ known }}
        and periode_debut < {{ range_end_date() }}
        and periode_fin > {{ range_end_date() }} - interval '13 months'
        and cotisation_due_eur is not null

),

cotisation_with_siret as (

    {{ rows_with_siren('cotisation_version', 'left(siret, 9)', 'periode_debut', ['periode_debut', 'periode_fin', 'cotisation_due_eur']) }}

),

-- As for companies: the twelve periods before the month, a longer period spread evenly over its months.
cotisation as (

    select
        version.siret,
        sum(
            version.cotisation_due_eur
            / ({{ month_index('version.periode_fin') }} - {{ month_index('version.periode_debut') }})
        ) as due_12m
    from cotisation_with_siret as version
    {{ each_month(
        'greatest(' ~ month_index('version.periode_debut') ~ ', ' ~ month ~ ' - 12)',
        'least(' ~ month_index('version.periode_fin') ~ ', ' ~ month ~ ') - 1',
    ) }}
    where version.periode_fin > version.periode_debut and version.valid_from <= {{ month }} and version.valid_to > {{ month }}
    group by version.siret

),

consommation as (

    select
        siret,
        sum(heures) as heures
    from {{ ref('stg_dgefp__consommation_ap') }}
    where {{ known }} and mois = ({{ range_end_date() }} - interval '3 months')::date
    group by siret

),

demande as (

    select
        siret,
        sum(
            round(
                heures_autorisees
                * (
                    least(periode_fin, {{ range_end_date() }} - 1)
                    - greatest(periode_debut, '{{ var('month_end') }}'::date) + 1
                )
                / (periode_fin - periode_debut + 1),
                6
            )
        ) as heures
    from {{ ref('stg_dgefp__demande_ap') }}
    where
        {{ known }}
        and periode_debut <= periode_fin
        and periode_debut < {{ range_end_date() }}
        and periode_fin >= '{{ var('month_end') }}'::date
    group by siret

),

place as (

    {% for fact in ['etablissement', 'dette', 'delai', 'cotisation', 'consommation', 'demande'] %}
    select siret from {{ fact }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}

),

establishment_month as (

    select
        ----------  ids
        place.siret,
        company.siren,
        '{{ var('month_end') }}'::date as month,

        ----------  identity
        etablissement.est_siege,
        etat.etat_administratif = 'A' as est_actif,
        etablissement.departement,
        etablissement.code_commune,
        etablissement.libelle_commune,
        etablissement.naf,

        ----------  effectif
        effectif.effectif::double precision as effectif,
        effectif.periode as effectif_periode,

        ----------  dettes sociales
        round(cotisation.due_12m, 2)::numeric(18, 2) as cotisation_12m_eur,
        case when company.debit_frais then coalesce(dette.nb_comptes_en_dette, 0)::integer end as nb_comptes_en_dette,
        case when company.debit_frais then coalesce(dette.part_ouvriere, 0)::numeric(18, 2) end as dette_part_ouvriere_eur,
        case when company.debit_frais then coalesce(dette.part_patronale, 0)::numeric(18, 2) end as dette_part_patronale_eur,
        case when company.delai_connu then delai.siret is not null end as delai_en_cours,
        case
            when company.delai_connu then (case when delai.siret is null then 0 else delai.reste end)::numeric(18, 2)
        end as delai_reste_eur,
        delai.date_fin as delai_date_fin,

        ----------  activite partielle
        case
            when company.consommation_connue then (coalesce(consommation.heures, 0) / {{ heures_etp() }})::double precision
        end as ap_etp_consomme,
        case
            when company.demande_connue then (coalesce(demande.heures, 0) / {{ heures_etp() }})::double precision
        end as ap_etp_autorise
    from place
    inner join company on left(place.siret, 9) = company.siren
    left join etablissement on place.siret = etablissement.siret
    left join etat on place.siret = etat.siret
    left join effectif on place.siret = effectif.siret and effectif.recency = 1
    left join dette on place.siret = dette.siret
    left join delai on place.siret = delai.siret
    left join cotisation on place.siret = cotisation.siret
    left join consommation on place.siret = consommation.siret
    left join demande on place.siret = demande.siret

)

select * from establishment_month
