{{ config(indexes=[{'columns': ['month', 'siren', 'priorite'], 'unique': true}]) }}

with

detection as (

    select * from {{ ref('candidate_detection') }}
    where est_nouvelle_detection

),

company_month as (

    select * from {{ ref('mart_company_month') }}

),

offre as (

    select * from {{ ref('offre') }}

),

new_detection as (

    select
        company_month.*,
        three_months_earlier.dette_eur as dette_trois_mois_avant_eur,
        coalesce(
            company_month.autonomie_financiere < 10
            or company_month.ratio_de_liquidite < 80
            or company_month.caf_sur_ca < 0,
            false
        ) as comptes_degrades
    from detection
    inner join company_month on detection.month = company_month.month and detection.siren = company_month.siren
    left join company_month as three_months_earlier
        on
            detection.siren = three_months_earlier.siren
            and (detection.month - interval '3 months')::date = three_months_earlier.month

),

-- In euros: the debt in months of contributions also rises when contributions fall. A company that was not followed
-- three months earlier has no such motive, and délais that were never delivered are not said to be none.
dette_sociale_en_hausse as (

    select
        month,
        siren,
        'delai_urssaf' as code,
        case
            when delai_en_cours = 0
                then 'La dette sociale a augmenté en trois mois et aucun délai de paiement n''est en cours.'
            else 'La dette sociale a augmenté en trois mois.'
        end as motif,
        'A' as niveau
    from new_detection
    where
        procedure_statut = 'in_bonis'
        and dette_eur > 0
        and dette_eur > dette_trois_mois_avant_eur
        and coalesce(delai_en_cours, 0) = 0

),

-- Tax debts are not delivered: other public creditors show in a CCSF file only. One that is open, or whose plan is in
-- force, has its commission already.
plusieurs_creanciers_publics as (

    select
        month,
        siren,
        'ccsf' as code,
        'La CCSF a été saisie, ou a approuvé un plan, au cours des 24 derniers mois, et aucun dossier n''y est en cours : '
        || 'd''autres créanciers publics que l''Urssaf sont probablement concernés.' as motif,
        'A' as niveau
    from new_detection
    where
        (dette_eur > 0 or delai_en_cours = 1)
        and ccsf_24m = 1
        and coalesce(ccsf_en_cours, 0) = 0

),

industrie_cinquante_salaries as (

    select
        month,
        siren,
        'crp' as code,
        'Entreprise industrielle d''au moins 50 salariés.' as motif,
        'B' as niveau
    from new_detection
    where naf_section = 'C' and effectif >= 50

),

-- Whoever the CRP does not take has the CDED as its door: no new detection is left without a contact.
autre_entreprise as (

    select
        month,
        siren,
        'cded' as code,
        case
            when effectif is null then 'Effectif non connu.'
            when effectif < 50 then 'Entreprise de moins de 50 salariés.'
            when naf_section is null then 'Entreprise d''au moins 50 salariés, activité non connue.'
            else 'Entreprise non industrielle d''au moins 50 salariés.'
        end as motif,
        'B' as niveau
    from new_detection
    where not coalesce(naf_section = 'C' and effectif >= 50, false)

),

-- An authorisation is a ceiling, above what is used: it tells of no increase. In force, it is still a reason to call the
-- DREETS, which gave it, knows why it was asked for, and supports the changes that follow.
activite_partielle as (

    select
        month,
        siren,
        'activite_partielle' as code,
        case
            when ap_etp_consomme > ap_etp_consomme_12m then 'L''activité partielle augmente.'
            else 'De l''activité partielle est autorisée ce mois-ci.'
        end as motif,
        'A' as niveau
    from new_detection
    where ap_etp_consomme > ap_etp_consomme_12m or ap_etp_autorise > 0

),

financement_degrade as (

    select
        month,
        siren,
        'mediation_credit' as code,
        case
            when comptes_degrades
                then 'Les comptes montrent une structure financière dégradée (fonds propres, liquidité ou autofinancement).'
            else 'Le fonds de roulement net global est négatif.'
        end as motif,
        case when comptes_degrades then 'B' else 'A' end as niveau
    from new_detection
    where comptes_degrades or bdf_poids_frng < 0

),

-- Level A: the offer alone, even without its motive, tells of a debt, of partial activity or of a figure of the Banque de France.
proposition as (

    select * from dette_sociale_en_hausse
    union all
    select * from plusieurs_creanciers_publics
    union all
    select * from industrie_cinquante_salaries
    union all
    select * from autre_entreprise
    union all
    select * from activite_partielle
    union all
    select * from financement_degrade

),

-- Several offers may fit: the first in the order of the seed is the first contact, the others follow. The rank is that of
-- the seed: counted among the offers of the company, it would tell who sees a part of them that there are others.
offre_by_priority as (

    select
        detection.month,
        detection.siren,
        detection.departement,
        offre.administration,
        offre.offre,
        proposition.motif,
        offre.priorite,
        proposition.niveau
    from proposition
    inner join detection on proposition.month = detection.month and proposition.siren = detection.siren
    inner join offre on proposition.code = offre.code

)

select * from offre_by_priority
