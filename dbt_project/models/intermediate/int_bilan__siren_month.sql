{{ config(indexes=[{'columns': ['siren', 'month_index'], 'unique': true}]) }}

with

ratio as (

    select * from {{ ref('stg_inpi__ratio') }}

),

eligible as (

    select * from {{ ref('int_eligible_siren') }}

),

known_ratio as (

    select
        ratio.*,
        {{ known_months('ratio') }}
    from ratio
    inner join eligible using (siren)
    -- Accounts speak for 24 months, those before them when they closed 550 days before at most.
    where
        {{ known_in_range('ratio') }}
        and ratio.date_cloture_exercice >= {{ range_start_date() }} - interval '24 months 550 days'

),

-- A closing date to come is a typing error: it must not hide the real accounts, and counts from its month only.
version as (

    select
        ratio.siren,
        ratio.date_cloture_exercice,
        case ratio.type_bilan when 'C' then 3 when 'K' then 2 when 'S' then 1 else 0 end as type_preference,
        ratio.type_bilan,
        ratio.type_bilan = 'K' as is_consolidated,
        ratio.chiffre_affaires_eur::double precision as chiffre_affaires,
        ratio.resultat_net_eur::double precision as resultat_net,
        ratio.taux_d_endettement::double precision as taux_d_endettement,
        ratio.ratio_de_liquidite::double precision as ratio_de_liquidite,
        ratio.autonomie_financiere::double precision as autonomie_financiere,
        ratio.poids_bfr_exploitation_sur_ca::double precision as poids_bfr_exploitation_sur_ca,
        ratio.couverture_des_interets::double precision as couverture_des_interets,
        ratio.caf_sur_ca::double precision as caf_sur_ca,
        ratio.marge_ebe::double precision as marge_ebe,
        ratio.credit_fournisseurs_jours::double precision as credit_fournisseurs_jours,
        greatest(ratio.valid_from, {{ month_index('ratio.date_cloture_exercice') }}) as valid_from,
        ratio.valid_to
    from known_ratio as ratio

),

segment as (

    {{ knowledge_segments('version', ['siren']) }}

),

-- Several accounts for one closing date: complete (C) over consolidated (K) over simplified (S). Those of a group (K) are kept
-- beside those of the company: each kind has its own accounts before.
accounts_known_in_a_segment as (

    select
        segment.segment_from,
        segment.segment_to,
        version.*,
        row_number() over (
            partition by segment.siren, segment.segment_from, version.is_consolidated, version.date_cloture_exercice
            order by version.type_preference desc, version.type_bilan
        ) as preference
    from segment
    inner join version
        on
            segment.siren = version.siren
            and segment.segment_from >= version.valid_from
            and segment.segment_from < version.valid_to

),

accounts_and_the_previous as (

    select
        *,
        row_number() over (
            partition by siren, segment_from
            order by date_cloture_exercice desc, type_preference desc, type_bilan
        ) as recency,
        lead(chiffre_affaires) over newest_first as chiffre_affaires_precedent,
        lead(resultat_net) over newest_first as resultat_net_precedent,
        date_cloture_exercice - lead(date_cloture_exercice) over newest_first as jours_depuis_precedente
    from accounts_known_in_a_segment
    where preference = 1
    window newest_first as (partition by siren, segment_from, is_consolidated order by date_cloture_exercice desc)

),

-- Accounts speak for 24 months after their closing date, not more. A turnover is compared with that of a year before: that of half
-- a year would be half of it.
accounts_by_month as (

    select
        accounts.siren,
        series.month_index,
        series.month_index - {{ month_index('accounts.date_cloture_exercice') }} as bilan_anciennete_mois,
        case
            when
                accounts.chiffre_affaires_precedent > 0
                and accounts.jours_depuis_precedente between 330 and 400
                then accounts.chiffre_affaires / accounts.chiffre_affaires_precedent - 1
        end as ca_evolution,
        case
            when accounts.resultat_net >= 0 then false
            when accounts.jours_depuis_precedente <= 550
                then accounts.resultat_net < 0 and accounts.resultat_net_precedent < 0
        end as deux_exercices_deficitaires,
        accounts.marge_ebe,
        case
            when accounts.chiffre_affaires > 0 then accounts.resultat_net / accounts.chiffre_affaires
        end as resultat_net_sur_ca,
        accounts.autonomie_financiere,
        accounts.taux_d_endettement,
        accounts.ratio_de_liquidite,
        accounts.caf_sur_ca,
        accounts.couverture_des_interets,
        accounts.credit_fournisseurs_jours,
        accounts.poids_bfr_exploitation_sur_ca
    from accounts_and_the_previous as accounts
    {{ each_month(
        'greatest(accounts.segment_from, ' ~ range_first() ~ ')',
        'least(accounts.segment_to - 1, ' ~ month_index('accounts.date_cloture_exercice') ~ ' + 24, '
            ~ range_last() ~ ')',
    ) }}
    where accounts.recency = 1

)

select * from accounts_by_month
