"""Five months of mart and scores, hand-made, that gates 2 and 3 find clean."""

from __future__ import annotations

from datetime import date

# 600 companies x 5 months, all from arithmetic: the same rows everywhere. Months 2025-01 to 2025-05.
MART = """
create schema marts;
create schema ml;
create table marts.mart_company_month as
select
    lpad(cast(g as text), 9, '0') as siren,
    cast(m as date) as month,
    (array['21', '25', '39', '58', '70', '71', '89', '90'])[1 + g % 8] as departement,
    (array['C', 'F', 'G', 'H', 'I', 'M'])[1 + g % 6] as naf_section,
    '4711F' as naf,
    lpad(cast(g as text), 9, '0') || '00011' as siret_siege,
    10 + g % 90 as effectif,
    0.01 * (g % 21 - 10) as effectif_evolution_12m,
    cast((10 + g % 90) * 400 as numeric(18, 2)) as cotisation_moyenne_12m_eur,
    cast(case when g % 5 = 0 then (g % 7 + 1) * 150 else 0 end as numeric(18, 2)) as dette_part_ouvriere_eur,
    cast(case when g % 5 = 0 then (g % 7 + 1) * 350 else 0 end as numeric(18, 2)) as dette_part_patronale_eur,
    cast(case when g % 5 = 0 then (g % 7 + 1) * 500 else 0 end as numeric(18, 2)) as dette_eur,
    case when g % 5 = 0 then (g % 7 + 1) * 500.0 / ((10 + g % 90) * 400) else 0 end as dette_sur_cotisation,
    case when g % 5 = 0 then (g % 7 + 1) * 500.0 / (10 + g % 90) else 0 end as dette_par_salarie_eur,
    0.0 as dette_variation_3m,
    case when g % 5 = 0 then 2 else 0 end as nb_mois_dette_12m,
    case when g % 5 = 0 then 3 else 0 end as nb_mois_dette_24m,
    0 as delai_en_cours,
    0.0 as ap_etp_consomme_12m,
    case when g % 3 > 0 then g % 60 end as paydex_jours,
    case when g % 2 = 0 then 0.1 end as marge_ebe,
    case when g % 2 = 0 then 0.4 end as autonomie_financiere,
    1 - g % 2 as bilans_manquants,
    60 + g % 300 as age_mois,
    1 + g % 3 as nb_etablissements,
    0.03 as secteur_taux_defaillance_24m,
    true as est_actif,
    g % 50 = 0 as en_procedure,
    g % 50 <> 0 as a_risque,
    case when g % 50 = 0 then 'redressement' else 'in_bonis' end as procedure_statut
from generate_series(1, 600) as g
cross join generate_series(date '2025-01-01', date '2025-05-01', interval '1 month') as m;
create table marts.mart_source_freshness as
select cast(m as date) as month, s.source, false as en_retard
from generate_series(date '2025-01-01', date '2025-05-01', interval '1 month') as m,
    (values ('urssaf__debit'), ('altares__paydex')) as s (source);
"""
SCORES = """
create table ml.model (model_id text primary key, profil jsonb not null default '{"p18": {}}');
create table ml.run_month (month date primary key, model_id text not null, liste_comparee date);
create table ml.score (siren text, month date, model_id text, p12 float8, p18 float8, p24 float8, logit float8);
insert into ml.model values ('modele-a'), ('modele-b');
insert into ml.run_month select cast(m as date), 'modele-a'
from generate_series(date '2025-01-01', date '2025-05-01', interval '1 month') as m;
insert into ml.score
select siren, month, 'modele-a', p * 0.7, p, p * 1.3, ln(p / (1 - p))
from (
    select siren, month, 0.005 + 0.3 * power(((cast(siren as integer) * 37) % 601) / 601.0, 3) as p
    from marts.mart_company_month where a_risque
) as s;
create schema publication;
create table publication.month (month date, status text);
insert into publication.month select month, 'published' from ml.run_month where month < '2025-05-01';
create table ml.monitoring (
    month date, mesure text, objet text, effectif bigint, valeur float8, bas float8, haut float8, mesure_en date
);
insert into ml.monitoring
select r.month, t.mesure, t.objet, 588, t.valeur, null, null, r.month from ml.run_month as r, (values
    ('psi_score', 'p18', 0.02), ('psi_variable', 'effectif', 0.1), ('renouvellement', 'F1 et F2', 0.2)
) as t (mesure, objet, valeur);
insert into ml.monitoring select cast(m as date), 'observe_sur_attendu', '12', 10, 1.1, 0.6, 1.7, date '2025-05-01'
from generate_series(date '2023-01-01', date '2024-02-01', interval '1 month') as m;
"""
APRIL, MAY = date(2025, 4, 1), date(2025, 5, 1)
