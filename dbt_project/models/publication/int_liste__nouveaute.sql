{{
    config(
        schema='intermediate',
        access='private',
        unlogged=true,
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

with

suite as (

    select * from {{ ref('int_liste__suite') }}

),

alerte as (

    select * from {{ ref('int_liste__alerte') }}

),

candidate_score as (

    select * from {{ ref('int_liste__score') }}

),

score as (

    select * from {{ source('ml', 'score') }}

),

model as (

    select * from {{ source('ml', 'model') }}

),

company_month as (

    select * from {{ ref('mart_company_month') }}
    where a_risque

),

alerte_and_its_past as (

    select
        month,
        siren,
        alerte,
        rang_liste,
        lag(alerte) over by_company as alerte_d_avant,
        lag(rang_liste) over by_company as rang_d_avant,
        min(month) over by_company as premiere_alerte_le,
        count(*) over (by_company range between 3 preceding and current row) as nb_alertes_4_listes,
        coalesce(
            bool_or(alerte = 'Alerte seuil F1') over (by_company rows between unbounded preceding and 1 preceding), false
        ) as deja_f1
    from alerte
    window by_company as (partition by siren order by rang_liste)

),

-- The level that the model of the month gives to the company in the month of a list before: the only fair "before". The month before
-- may have no list: what changed in it, nobody was told. The previous list may lack a source that is back: the level is then that
-- of the last list which had it; of the previous one, for those not followed yet.
level_before as (

    select
        candidate_score.month,
        candidate_score.siren,
        company_month.siren is not null as etait_suivie,
        {{ alert_rank(alert_level('coalesce(compared.p18, previous.p18)', 'model.seuil_f1', 'model.seuil_f2')) }} as rang_alerte,
        coalesce(compared.p18, previous.p18) is not null as est_comparable
    from candidate_score
    inner join suite on candidate_score.month = suite.month
    inner join model on candidate_score.model_id = model.model_id
    left join company_month
        on
            candidate_score.siren = company_month.siren
            and suite.liste_precedente = company_month.month
    left join score as compared
        on
            candidate_score.siren = compared.siren
            and candidate_score.model_id = compared.model_id
            and suite.liste_comparee = compared.month
    left join score as previous
        on
            candidate_score.siren = previous.siren
            and candidate_score.model_id = previous.model_id
            and suite.liste_precedente = previous.month
    where candidate_score.alerte is not null

),

first_time as (

    select
        past.month,
        past.siren,
        past.alerte,
        past.premiere_alerte_le,
        past.nb_alertes_4_listes::integer as nb_alertes_4_listes,
        case when past.rang_d_avant = past.rang_liste - 1 then past.alerte_d_avant end as alerte_precedente,
        past.rang_d_avant is null as est_premiere_alerte,
        past.rang_d_avant is not null and past.alerte = 'Alerte seuil F1' and not past.deja_f1 as est_aggravation,
        past.rang_d_avant is not null and past.rang_d_avant < past.rang_liste - 1 as est_retour,
        past.rang_liste = 1 as est_premiere_liste,
        before.etait_suivie,
        before.est_comparable and before.rang_alerte < {{ alert_rank('past.alerte') }} as etait_plus_bas
    from alerte_and_its_past as past
    inner join level_before as before
        on past.month = before.month and past.siren = before.siren

),

-- "New" means that the company changed, under one model. The first list of all is a baseline: nothing in it is new.
novelty as (

    select
        month,
        siren,
        alerte,
        alerte_precedente,
        est_premiere_alerte,
        est_aggravation,
        est_retour,
        (est_premiere_alerte or est_aggravation)
        and not est_premiere_liste
        and etait_suivie
        and etait_plus_bas as est_nouvelle_detection,
        case
            when est_premiere_alerte and est_premiere_liste then 'premiere_alerte'
            when (est_premiere_alerte or est_aggravation) and not etait_suivie then 'entree_perimetre'
            when (est_premiere_alerte or est_aggravation) and not etait_plus_bas then 'changement_modele'
            when est_aggravation then 'aggravation'
            when est_premiere_alerte then 'premiere_alerte'
            when est_retour then 'retour'
            else 'deja_en_alerte'
        end as motif_nouveaute,
        premiere_alerte_le,
        nb_alertes_4_listes
    from first_time

)

select * from novelty
