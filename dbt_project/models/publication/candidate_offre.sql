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

    select company_month.*
    from detection
    inner join company_month on detection.month = company_month.month and detection.siren = company_month.siren

),

dette_sociale_en_hausse as (

    select
        month,
        siren,
        'delai_urssaf' as code,
        'La dette sociale augmente depuis trois mois et aucun délai de paiement n''est en cours.' as motif
    from new_detection
    where
        procedure_statut = 'in_bonis'
        and dette_eur > 0
        and dette_variation_3m > 0
        and coalesce(delai_en_cours, 0) = 0

),

-- Tax debts are not delivered: a second public creditor shows in a CCSF file, or in the weight of tax and social debts
-- in the accounts (15 % of the balance sheet or more).
plusieurs_creanciers_publics as (

    select
        month,
        siren,
        'ccsf' as code,
        'Dette ou délai Urssaf, et d''autres dettes publiques : un plan unique évite des échéances qui s''ajoutent.' as motif
    from new_detection
    where
        (dette_eur > 0 or delai_en_cours = 1)
        and (ccsf_24m = 1 or bdf_poids_dettes_fiscales_sociales >= 15)

),

industrie_cinquante_salaries as (

    select
        month,
        siren,
        'crp' as code,
        'Entreprise industrielle d''au moins 50 salariés.' as motif
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
            when effectif >= 50 then 'Entreprise non industrielle d''au moins 50 salariés.'
            else 'Entreprise de moins de 50 salariés.'
        end as motif
    from new_detection
    where not coalesce(naf_section = 'C' and effectif >= 50, false)

),

activite_partielle_en_hausse as (

    select
        month,
        siren,
        'activite_partielle' as code,
        'L''activité partielle augmente.' as motif
    from new_detection
    where ap_etp_consomme > ap_etp_consomme_12m or ap_etp_autorise > greatest(ap_etp_consomme, 0)

),

financement_degrade as (

    select
        month,
        siren,
        'mediation_credit' as code,
        'Les comptes montrent une structure financière dégradée (fonds propres, liquidité ou autofinancement).' as motif
    from new_detection
    where autonomie_financiere < 10 or ratio_de_liquidite < 80 or caf_sur_ca < 0 or bdf_poids_frng < 0

),

proposition as (

    select * from dette_sociale_en_hausse
    union all
    select * from plusieurs_creanciers_publics
    union all
    select * from industrie_cinquante_salaries
    union all
    select * from autre_entreprise
    union all
    select * from activite_partielle_en_hausse
    union all
    select * from financement_degrade

),

-- Several offers may fit: the first in the order of the seed is the first contact (priority 1), the others follow.
offre_by_priority as (

    select
        detection.month,
        detection.siren,
        detection.departement,
        offre.administration,
        offre.offre,
        proposition.motif,
        row_number() over (
            partition by proposition.month, proposition.siren order by offre.priorite
        )::integer as priorite
    from proposition
    inner join detection on proposition.month = detection.month and proposition.siren = detection.siren
    inner join offre on proposition.code = offre.code

)

select * from offre_by_priority
