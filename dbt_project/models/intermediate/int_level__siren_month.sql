{#- What is joined here comes in the order of the spine: with little memory for hashes, the planner merges it. -#}
{{
    config(
        sql_header="set local work_mem = '16MB';",
        indexes=[{'columns': ['siren', 'month_index'], 'unique': true}],
    )
}}

with

spine as (

    select * from {{ ref('int_spine') }}

),

freshness as (

    select * from {{ ref('int_source_freshness') }}

),

cotisation as (

    select * from {{ ref('int_cotisation__siren_delta') }}

),

debit as (

    select * from {{ ref('int_debit__siren_delta') }}

),

activite_partielle as (

    select * from {{ ref('int_activite_partielle__siren_delta') }}

),

etablissement as (

    select * from {{ ref('int_etablissement__siren_delta') }}

),

identite as (

    select * from {{ ref('int_identite__siren_month') }}

),

effectif as (

    select * from {{ ref('int_effectif__siren_month') }}

),

effectif_file as (

    select * from {{ ref('int_effectif__last_period') }}

),

procedure_collective as (

    select * from {{ ref('int_procedure__siren_month') }}

),

bilan as (

    select * from {{ ref('int_bilan__siren_month') }}

),

paydex as (

    select * from {{ ref('int_paydex__siren_month') }}

),

-- What a source that was never delivered, or is too old, cannot say is null, never zero.
source_state as (

    select
        month_index,
        bool_or(source = 'urssaf__debit' and not en_retard) as debit_frais,
        bool_or(source = 'urssaf__delai' and derniere_livraison is not null) as delai_connu,
        bool_or(source = 'urssaf__ccsf' and derniere_livraison is not null) as ccsf_connu,
        bool_or(source = 'dgefp__consommation_ap' and derniere_livraison is not null) as consommation_connue,
        bool_or(source = 'dgefp__demande_ap' and derniere_livraison is not null) as demande_connue,
        bool_or(source = 'inpi__ratio' and derniere_livraison is not null) as bilan_connu,
        bool_or(source = 'inpi__ratio' and not en_retard) as bilan_frais,
        bool_or(source = 'ellisphere__groupe' and derniere_livraison is not null) as groupe_connu,
        bool_or(source = 'insee__etablissement' and derniere_livraison is not null) as etablissement_connu,
        bool_or(source = 'insee__etablissement_historique' and derniere_livraison is not null) as historique_connu
    from freshness
    group by month_index

),

-- Deltas add up along the spine: one pass, whatever the number of raw rows.
cumulated as (

    select
        spine.siren,
        spine.month_index,
        spine.effectif_suffisant,
        sum(cotisation.due) over so_far as cotisation_12m,
        sum(cotisation.nb_mois) over so_far as cotisation_nb_mois,
        sum(debit.part_ouvriere) over so_far as part_ouvriere,
        sum(debit.part_patronale) over so_far as part_patronale,
        sum(debit.nb_ecarts) over so_far as nb_ecarts,
        sum(activite_partielle.heures_consommees) over so_far as heures_consommees,
        sum(activite_partielle.heures_consommees_3m) over so_far as heures_consommees_3m,
        sum(activite_partielle.heures_consommees_12m) over so_far as heures_consommees_12m,
        sum(activite_partielle.heures_autorisees) over so_far as heures_autorisees,
        sum(etablissement.nb_etablissements) over so_far as nb_etablissements,
        sum(etablissement.nb_ouvertures) over so_far as nb_ouvertures,
        sum(etablissement.nb_fermetures) over so_far as nb_fermetures,
        sum(etablissement.nb_connus) over so_far as nb_connus
    from spine
    left join cotisation on spine.siren = cotisation.siren and spine.month_index = cotisation.month_index
    left join debit on spine.siren = debit.siren and spine.month_index = debit.month_index
    left join activite_partielle
        on spine.siren = activite_partielle.siren and spine.month_index = activite_partielle.month_index
    left join etablissement on spine.siren = etablissement.siren and spine.month_index = etablissement.month_index
    window so_far as (partition by spine.siren order by spine.month_index)

),

measure_of_the_month as (

    select
        cumulated.siren,
        cumulated.month_index,
        -- The shares of a period are rounded at the sixth decimal; at the fourth their sum is exact again, half-cents included.
        case
            when cumulated.cotisation_nb_mois > 0 then round(round(cumulated.cotisation_12m, 4) / cumulated.cotisation_nb_mois, 2)
        end as cotisation_moyenne,
        cumulated.cotisation_nb_mois,
        case when source_state.debit_frais then round(coalesce(cumulated.part_ouvriere, 0), 2) end as part_ouvriere,
        case when source_state.debit_frais then round(coalesce(cumulated.part_patronale, 0), 2) end as part_patronale,
        case when source_state.debit_frais then coalesce(cumulated.nb_ecarts, 0) end as nb_ecarts_12m,
        case
            when source_state.consommation_connue then coalesce(cumulated.heures_consommees, 0) / {{ heures_etp() }}
        end as etp_consomme,
        case
            when source_state.consommation_connue then coalesce(cumulated.heures_consommees_3m, 0) / 3 / {{ heures_etp() }}
        end as etp_consomme_3m,
        case
            when source_state.consommation_connue then coalesce(cumulated.heures_consommees_12m, 0) / 12 / {{ heures_etp() }}
        end as etp_consomme_12m,
        case
            when source_state.demande_connue then coalesce(cumulated.heures_autorisees, 0) / {{ heures_etp() }}
        end as etp_autorise,
        case when cumulated.nb_connus > 0 then coalesce(cumulated.nb_etablissements, 0) end as nb_etablissements,
        case when source_state.etablissement_connu then coalesce(cumulated.nb_ouvertures, 0) end as nb_ouvertures,
        case when source_state.historique_connu then coalesce(cumulated.nb_fermetures, 0) end as nb_fermetures,
        source_state.delai_connu,
        source_state.ccsf_connu,
        source_state.bilan_connu,
        source_state.bilan_frais,
        source_state.groupe_connu
    from cumulated
    inner join source_state using (month_index)
    where cumulated.effectif_suffisant
    -- Measures are used several times below: this keeps the planner from computing them as many times.
    offset 0  -- noqa: AM09

),

level as (

    select
        ----------  ids
        measure.siren,
        measure.month_index,

        ----------  identity
        identite.naf_division,
        identite.naf_section,
        identite.categorie_juridique,

        ----------  status
        coalesce(procedure_collective.procedure_statut, 'in_bonis') as procedure_statut,
        procedure_collective.procedure_date,
        procedure_collective.siren is not null as en_procedure,
        -- Without any news of its establishments, a company is taken as active.
        coalesce(measure.nb_etablissements > 0, true) as est_actif,
        coalesce(measure.nb_etablissements > 0, true) and procedure_collective.siren is null as a_risque,

        ----------  effectif
        effectif.effectif::double precision as effectif,
        case
            when effectif.effectif < 10 then '0-9'
            when effectif.effectif < 20 then '10-19'
            when effectif.effectif < 50 then '20-49'
            when effectif.effectif < 100 then '50-99'
            when effectif.effectif < 250 then '100-249'
            when effectif.effectif >= 250 then '250+'
        end as tranche_effectif,
        (measure.month_index - effectif.periode_index)::double precision as effectif_anciennete_mois,
        -- A gap is a month that the file gives for others and not for the company: the file's own delay is none.
        (effectif.periode_index < effectif_file.last_period)::integer::double precision as effectif_lacune,

        ----------  dettes sociales
        measure.cotisation_moyenne as cotisation_moyenne_12m_eur,
        (12 - coalesce(measure.cotisation_nb_mois, 0))::double precision as cotisation_mois_manquants_12m,
        measure.part_ouvriere as dette_part_ouvriere_eur,
        measure.part_patronale as dette_part_patronale_eur,
        measure.part_ouvriere + measure.part_patronale as dette_eur,
        case
            when measure.cotisation_moyenne > 0
                then ((measure.part_ouvriere + measure.part_patronale) / measure.cotisation_moyenne)::double precision
        end as dette_sur_cotisation,
        case
            when measure.cotisation_moyenne > 0
                then (measure.part_ouvriere / measure.cotisation_moyenne)::double precision
        end as dette_ouvriere_sur_cotisation,
        case
            when effectif.effectif > 0
                then ((measure.part_ouvriere + measure.part_patronale) / effectif.effectif)::double precision
        end as dette_par_salarie_eur,
        measure.nb_ecarts_12m::double precision as nb_ecarts_12m,
        measure.delai_connu,
        measure.ccsf_connu,

        ----------  activite partielle
        measure.etp_consomme::double precision as ap_etp_consomme,
        measure.etp_consomme_12m::double precision as ap_etp_consomme_12m,
        measure.etp_autorise::double precision as ap_etp_autorise,
        case
            when effectif.effectif > 0 then (measure.etp_consomme_3m / effectif.effectif)::double precision
        end as ap_part_effectif_3m,

        ----------  retards de paiement
        paydex.nb_jours::double precision as paydex_jours,
        (measure.month_index - paydex.valeur_index)::double precision as paydex_anciennete_mois,

        ----------  comptes
        bilan.marge_ebe,
        case when measure.bilan_connu then (bilan.siren is null)::integer::double precision end as bilans_manquants,
        measure.bilan_frais,

        ----------  contexte
        (measure.month_index - {{ month_index('identite.date_creation') }})::double precision as age_mois,
        measure.nb_etablissements::double precision as nb_etablissements,
        measure.nb_ouvertures::double precision as etablissements_ouverts_12m,
        measure.nb_fermetures::double precision as etablissements_fermes_12m,
        measure.groupe_connu
    from measure_of_the_month as measure
    inner join identite on measure.siren = identite.siren and measure.month_index = identite.month_index
    inner join effectif_file on measure.month_index = effectif_file.month_index
    left join effectif on measure.siren = effectif.siren and measure.month_index = effectif.month_index
    left join procedure_collective
        on measure.siren = procedure_collective.siren and measure.month_index = procedure_collective.month_index
    left join bilan on measure.siren = bilan.siren and measure.month_index = bilan.month_index
    left join paydex on measure.siren = paydex.siren and measure.month_index = paydex.month_index
    where identite.motif_exclusion is null

)

select * from level
