{{ config(indexes=[{'columns': ['month', 'siren'], 'unique': true}]) }}

with

novelty as (

    select * from {{ ref('int_liste__nouveaute') }}

),

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

company_month as (

    select * from {{ ref('mart_company_month') }}

),

territoire as (

    select * from {{ ref('territoire') }}

),

-- Within a territory the new detections of a month are ranked by risk; the siren breaks ties.
ranked_new_detection as (

    select
        novelty.month,
        novelty.siren,
        case
            when candidate_score.region is not null
                then row_number() over (
                    partition by novelty.month, candidate_score.region
                    order by candidate_score.p18 desc, novelty.siren
                )
        end as rang_region,
        case
            when candidate_score.departement is not null
                then row_number() over (
                    partition by novelty.month, candidate_score.departement
                    order by candidate_score.p18 desc, novelty.siren
                )
        end as rang_departement
    from novelty
    inner join candidate_score on novelty.month = candidate_score.month and novelty.siren = candidate_score.siren
    where novelty.est_nouvelle_detection

),

detection as (

    select
        novelty.month,
        novelty.siren,
        company_month.denomination,
        company_month.siret_siege,
        company_month.departement,
        company_month.region,
        company_month.libelle_commune,
        company_month.naf,
        company_month.naf_section,
        company_month.categorie_juridique,
        company_month.tranche_effectif,
        company_month.effectif,
        novelty.alerte,
        candidate_score.p12,
        candidate_score.p18,
        candidate_score.p24,
        novelty.alerte_precedente,
        novelty.est_premiere_alerte,
        novelty.est_aggravation,
        novelty.est_retour,
        novelty.est_nouvelle_detection,
        novelty.motif_nouveaute,
        novelty.premiere_alerte_le,
        novelty.nb_alertes_4_listes,
        ranked.rang_region::integer as rang_region,
        ranked.rang_departement::integer as rang_departement,
        coalesce(ranked.rang_region <= region.capacite, false) as retenue_region,
        coalesce(ranked.rang_departement <= departement.capacite, false) as retenue_departement,
        company_month.dette_eur,
        company_month.dette_part_ouvriere_eur,
        company_month.dette_part_patronale_eur,
        company_month.delai_en_cours = 1 as a_delai,
        company_month.ap_etp_consomme_12m
    from novelty
    inner join candidate_score on novelty.month = candidate_score.month and novelty.siren = candidate_score.siren
    inner join company_month on novelty.month = company_month.month and novelty.siren = company_month.siren
    left join ranked_new_detection as ranked on novelty.month = ranked.month and novelty.siren = ranked.siren
    left join territoire as region on company_month.region = region.code and region.type = 'region'
    left join territoire as departement
        on company_month.departement = departement.code and departement.type = 'departement'

)

select * from detection
