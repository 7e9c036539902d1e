{{
    config(
        materialized='frozen_months',
        pre_hook=["{{ delete_range() }}", "set local work_mem = '16MB'"],
        post_hook=["{{ analyze_months(['siren', 'month', 'a_risque', 'departement']) }}"],
        indexes=[{'columns': ['month', 'siren'], 'unique': true}],
    )
}}

{#- As in the levels, what is joined comes in the order of companies and months: with little memory for hashes, it is merged. -#}

with

level as (

    select * from {{ ref('int_level__siren_month') }}

),

past as (

    select * from {{ ref('int_past__siren_month') }}

),

identite as (

    select * from {{ ref('int_identite__siren_month') }}

),

dernier_ecart as (

    select * from {{ ref('int_debit__dernier_ecart') }}

),

delai as (

    select * from {{ ref('int_delai__siren_month') }}

),

derniere_ap as (

    select * from {{ ref('int_activite_partielle__derniere') }}

),

bilan as (

    select * from {{ ref('int_bilan__siren_month') }}

),

banque_de_france as (

    select * from {{ ref('int_banque_de_france__siren_month') }}

),

groupe as (

    select * from {{ ref('int_groupe__siren_month') }}

),

company_month as (

    select
        ----------  ids
        level.siren,
        {{ month_date('level.month_index') }} as month,

        ----------  identity
        identite.siret_siege,
        identite.denomination,
        identite.departement,
        identite.region,
        identite.code_commune,
        identite.libelle_commune,
        identite.naf,
        identite.naf_division,
        identite.naf_section,
        identite.categorie_juridique,
        identite.date_creation,
        level.tranche_effectif,
        identite.version_perimetre,

        ----------  status
        level.est_actif,
        level.procedure_statut,
        level.procedure_date,
        level.en_procedure,
        level.a_risque,

        ----------  effectif
        level.effectif,
        level.effectif_anciennete_mois,
        level.effectif_lacune,
        past.effectif_evolution_6m,
        past.effectif_evolution_12m,
        past.effectif_evolution_24m,
        past.effectif_evolution_12m_ecart_secteur,

        ----------  dettes sociales
        level.cotisation_moyenne_12m_eur::numeric(18, 2) as cotisation_moyenne_12m_eur,
        past.cotisation_evolution_12m,
        level.cotisation_mois_manquants_12m,
        level.dette_part_ouvriere_eur::numeric(18, 2) as dette_part_ouvriere_eur,
        level.dette_part_patronale_eur::numeric(18, 2) as dette_part_patronale_eur,
        level.dette_eur::numeric(18, 2) as dette_eur,
        level.dette_sur_cotisation,
        level.dette_ouvriere_sur_cotisation,
        level.dette_par_salarie_eur,
        past.dette_sur_cotisation_lag_1m,
        past.dette_sur_cotisation_lag_3m,
        past.dette_sur_cotisation_lag_6m,
        past.dette_sur_cotisation_lag_12m,
        past.dette_sur_cotisation_lag_24m,
        past.dette_sur_cotisation_moyenne_3m,
        past.dette_sur_cotisation_moyenne_12m,
        past.dette_tendance_12m,
        past.dette_variation_3m,
        past.dette_variation_6m,
        past.dette_variation_12m,
        past.dette_sur_cotisation_ecart_secteur,
        past.nb_mois_dette_12m,
        past.nb_mois_dette_24m,
        past.nb_mois_dette_elevee_12m,
        past.en_defaut_urssaf,
        level.nb_ecarts_12m,
        (level.month_index - dernier_ecart.premier_mois)::double precision as mois_depuis_dernier_ecart,
        case when level.delai_connu then coalesce(delai.en_cours, 0)::double precision end as delai_en_cours,
        case
            when level.delai_connu then (case when delai.siren is null then 0 else delai.reste_eur end)::numeric(18, 2)
        end as delai_reste_eur,
        case
            when level.delai_connu then coalesce(delai.echeances_restantes, 0)::double precision
        end as delai_echeances_restantes,
        case
            when level.delai_connu and level.cotisation_moyenne_12m_eur > 0
                then
                    (case when delai.siren is null then 0 else delai.reste_eur end / level.cotisation_moyenne_12m_eur)::double precision
        end as delai_reste_sur_cotisation,
        case when level.delai_connu then coalesce(delai.nb_24m, 0)::double precision end as nb_delais_24m,
        case when level.ccsf_connu then coalesce(delai.ccsf_24m, 0)::double precision end as ccsf_24m,
        case when level.ccsf_connu then coalesce(delai.ccsf_en_cours, 0)::double precision end as ccsf_en_cours,

        ----------  activite partielle
        level.ap_etp_consomme,
        level.ap_etp_consomme_12m,
        level.ap_etp_autorise,
        level.ap_part_effectif_3m,
        (level.month_index - derniere_ap.periode_index)::double precision as ap_mois_depuis_derniere,

        ----------  retards de paiement
        level.paydex_jours,
        level.paydex_anciennete_mois,
        past.paydex_moyenne_6m,
        past.paydex_variation_12m,
        past.paydex_jours_ecart_secteur,

        ----------  comptes
        bilan.bilan_anciennete_mois::double precision as bilan_anciennete_mois,
        bilan.ca_evolution,
        level.marge_ebe,
        past.marge_ebe_ecart_secteur,
        bilan.resultat_net_sur_ca,
        bilan.autonomie_financiere,
        bilan.taux_d_endettement,
        bilan.ratio_de_liquidite,
        bilan.caf_sur_ca,
        bilan.couverture_des_interets,
        bilan.credit_fournisseurs_jours,
        bilan.poids_bfr_exploitation_sur_ca,
        level.bilans_manquants,
        banque_de_france.poids_frng as bdf_poids_frng,
        banque_de_france.poids_dettes_fiscales_sociales as bdf_poids_dettes_fiscales_sociales,

        ----------  contexte
        level.age_mois,
        level.nb_etablissements,
        level.etablissements_ouverts_12m,
        level.etablissements_fermes_12m,
        case when level.groupe_connu then groupe.siren is not null end as dans_un_groupe,
        groupe.siren_tete as groupe_siren_tete,
        groupe.part_financiere::double precision as groupe_part_financiere,
        case when level.groupe_connu then coalesce(groupe.nb_filiales, 0)::double precision end as groupe_nb_filiales,
        past.secteur_taux_defaillance_24m
    from level
    inner join past on level.siren = past.siren and level.month_index = past.month_index
    inner join identite on level.siren = identite.siren and level.month_index = identite.month_index
    left join dernier_ecart on level.siren = dernier_ecart.siren and level.month_index = dernier_ecart.month_index
    left join delai on level.siren = delai.siren and level.month_index = delai.month_index
    left join derniere_ap on level.siren = derniere_ap.siren and level.month_index = derniere_ap.month_index
    left join bilan on level.siren = bilan.siren and level.month_index = bilan.month_index
    left join banque_de_france
        on level.siren = banque_de_france.siren and level.month_index = banque_de_france.month_index
    left join groupe on level.siren = groupe.siren and level.month_index = groupe.month_index

)

-- In the order of the index, that then grows at its end; a month lies together.
select * from company_month
order by month, siren
