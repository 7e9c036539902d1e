"""Gates 2 and 3 on hand-made tables in a real PostgreSQL: open on clean months, closed for each seeded fault."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
import pytest
from gate_faults import assert_closed, assert_each_measure_is_read, mutate

from expectations.checks import Suite, not_null
from expectations.gates import _validate, gate_mart, gate_scores
from expectations.mart_suite import mart_suites
from expectations.score_suite import score_suites

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
"""
SCORES = """
create table ml.model (model_id text primary key, profil jsonb not null default '{"p18": {}}');
create table ml.run_month (month date primary key, model_id text not null);
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


@pytest.fixture
def mart_url(database_url: str) -> str:
    """Database with five clean months of mart and scores."""
    with psycopg.connect(database_url) as connection:
        connection.execute(MART)
        connection.execute(SCORES)
    return database_url


def test_clean_months_pass_the_mart_gate(mart_url: str) -> None:
    """A gate that refuses clean months would be switched off."""
    result = gate_mart(mart_url, date(2025, 2, 1), MAY)
    assert result.passed, result.summary_fr()
    assert result.failures == ()
    assert result.n_expectations > 25


def test_the_first_month_of_an_instance_passes_without_a_past(mart_url: str) -> None:
    """Comparison with a month that does not exist must neither refuse nor crash."""
    mutate(mart_url, "delete from marts.mart_company_month where month <> date '2025-05-01'")
    result = gate_mart(mart_url, MAY, MAY)
    assert result.passed, result.summary_fr()


MART_FAULTS = {
    "euros read as cents": (
        """update marts.mart_company_month set dette_eur = dette_eur * 100,
        dette_part_ouvriere_eur = dette_part_ouvriere_eur * 100,
        dette_part_patronale_eur = dette_part_patronale_eur * 100 where month = '2025-05-01'""",
        ("dette_eur 2025-05", "échelle"),
    ),
    "contributions of all months in cents": (
        "update marts.mart_company_month set cotisation_moyenne_12m_eur = cotisation_moyenne_12m_eur * 100",
        ("cotisation mensuelle par salarié",),
    ),
    "debt of all months in cents against contributions in euros": (
        "update marts.mart_company_month set dette_sur_cotisation = dette_sur_cotisation * 1000",
        ("dette en mois de cotisation",),
    ),
    "half of the companies": (
        "delete from marts.mart_company_month where month = '2025-05-01' and cast(siren as integer) % 2 = 0",
        ("le nombre d'entreprises doit", "Observé : 300"),
    ),
    "a month without any company": (
        "delete from marts.mart_company_month where month = '2025-05-01'",
        ("chaque mois demandé", "2025-05"),
    ),
    "companies doubled": (
        """insert into marts.mart_company_month select * from marts.mart_company_month
        where month = '2025-05-01'""",
        ("une seule ligne par siren et par mois",),
    ),
    "one company twice": (
        """insert into marts.mart_company_month select * from marts.mart_company_month
        where month = '2025-05-01' and siren = '000000007'""",
        ("2 lignes en défaut",),
    ),
    "a département missing": (
        "delete from marts.mart_company_month where month = '2025-05-01' and departement = '90'",
        ("département", "90 2025-05"),
    ),
    "a département renamed": (
        "update marts.mart_company_month set departement = '2B' where month = '2025-05-01' and departement = '21'",
        ("21 2025-05",),
    ),
    "départements lost": (
        "update marts.mart_company_month set departement = null where month = '2025-05-01'",
        ("departement doit être renseigné",),
    ),
    "a burst of nulls in the debts": (
        """update marts.mart_company_month set dette_sur_cotisation = null
        where month = '2025-05-01' and cast(siren as integer) % 4 = 0""",
        ("valeurs absentes", "dette_sur_cotisation 2025-05"),
    ),
    "a burst of nulls in the accounts": (
        "update marts.mart_company_month set marge_ebe = null where month = '2025-05-01'",
        ("marge_ebe 2025-05",),
    ),
    "debts all at zero": (
        """update marts.mart_company_month set dette_eur = 0, dette_part_ouvriere_eur = 0,
        dette_part_patronale_eur = 0, dette_sur_cotisation = 0 where month = '2025-05-01'""",
        ("concernées", "dette_eur 2025-05"),
    ),
    "everyone in debt": (
        """update marts.mart_company_month set dette_eur = 500, dette_part_ouvriere_eur = 150,
        dette_part_patronale_eur = 350 where month = '2025-05-01'""",
        ("concernées", "dette_eur 2025-05"),
    ),
    "a negative debt": (
        """update marts.mart_company_month set dette_eur = -1, dette_part_ouvriere_eur = -1,
        dette_part_patronale_eur = 0 where month = '2025-05-01' and siren = '000000010'""",
        ("dette_eur doit rester dans ses bornes",),
    ),
    "parts that do not add up": (
        "update marts.mart_company_month set dette_eur = dette_eur + 1 where month = '2025-05-01' and dette_eur > 0",
        ("part ouvrière + part patronale",),
    ),
    "headcounts ten times too high": (
        "update marts.mart_company_month set effectif = effectif * 10 where month = '2025-05-01'",
        ("effectif 2025-05",),
    ),
    "an impossible headcount": (
        "update marts.mart_company_month set effectif = -3 where month = '2025-05-01' and siren = '000000010'",
        ("effectif doit rester dans ses bornes", "siren 000000010"),
    ),
    "thirteen months of debt in twelve": (
        "update marts.mart_company_month set nb_mois_dette_12m = 13 where month = '2025-05-01' and siren = '000000010'",
        ("nb_mois_dette_12m",),
    ),
    "an unknown state of procedure": (
        """update marts.mart_company_month set procedure_statut = 'RJ' where month = '2025-05-01'
        and en_procedure""",
        ("procedure_statut", "par exemple"),
    ),
    "companies in procedure followed": (
        "update marts.mart_company_month set a_risque = true where month = '2025-05-01' and en_procedure",
        ("hors procédure collective",),
    ),
    "nobody followed": (
        "update marts.mart_company_month set a_risque = false where month = '2025-05-01'",
        ("entreprises à suivre",),
    ),
    "siren that lost its leading zeros": (
        "update marts.mart_company_month set siren = ltrim(siren, '0') where month = '2025-05-01'",
        ("siren doit avoir la forme attendue",),
    ),
    "another mix of sectors": (
        "update marts.mart_company_month set naf_section = 'G' where month = '2025-05-01' and naf_section = 'C'",
        ("section d'activité",),
    ),
    "a month that is not a first day": (
        """insert into marts.mart_company_month select siren, date '2025-04-15', departement, naf_section, naf,
        siret_siege, effectif, effectif_evolution_12m, cotisation_moyenne_12m_eur, dette_part_ouvriere_eur,
        dette_part_patronale_eur, dette_eur, dette_sur_cotisation, dette_par_salarie_eur, dette_variation_3m,
        nb_mois_dette_12m, nb_mois_dette_24m, delai_en_cours, ap_etp_consomme_12m, paydex_jours, marge_ebe,
        autonomie_financiere, bilans_manquants, age_mois, nb_etablissements, secteur_taux_defaillance_24m, est_actif,
        en_procedure, a_risque, procedure_statut from marts.mart_company_month where month = '2025-05-01'""",
        ("premier jour d'un mois",),
    ),
    "an evolution below minus one": (
        "update marts.mart_company_month set effectif_evolution_12m = -1.5 where month = '2025-05-01' and dette_eur > 0",
        ("effectif_evolution_12m",),
    ),
}


@pytest.mark.parametrize("fault", MART_FAULTS)
def test_a_faulty_mart_is_stopped(mart_url: str, fault: str) -> None:
    """Each fault was seen in files or marts of this kind; one that passes reaches readers as news about companies."""
    statement, fragments = MART_FAULTS[fault]
    mutate(mart_url, statement)
    assert_closed(gate_mart(mart_url, APRIL, MAY), *fragments)


def test_a_missing_column_closes_the_gate(mart_url: str) -> None:
    """Great Expectations turns a missing column into a result of its own: it must not read as a success."""
    with psycopg.connect(mart_url) as connection:
        connection.execute("alter table marts.mart_company_month drop column nb_mois_dette_12m")
    result = gate_mart(mart_url, MAY, MAY)
    assert not result.passed
    assert "contrôle impossible" in result.summary_fr()
    assert "nb_mois_dette_12m" in result.summary_fr()


def test_a_missing_table_closes_the_gate(database_url: str) -> None:
    """No mart at all: the gate fails with the reason, it does not raise."""
    result = gate_mart(database_url, MAY, MAY)
    assert not result.passed
    assert "mart_company_month" in result.summary_fr()


def test_an_unreachable_server_closes_the_gate_without_showing_the_password() -> None:
    """The reason of a refusal is shown in the UI: it must not carry the password of the connection."""
    result = gate_mart("postgresql://personne:motdepasse$x@127.0.0.1:1/rien", MAY, MAY)
    assert not result.passed
    assert "contrôle impossible" in result.summary_fr()
    assert "motdepasse" not in result.summary_fr()


def test_a_gate_that_takes_too_long_is_closed(mart_url: str) -> None:
    """A lock held on the table must not hold the run for ever, nor open the gate."""
    with psycopg.connect(mart_url) as blocker:
        blocker.execute("lock table marts.mart_company_month in access exclusive mode")
        result = gate_mart(mart_url, MAY, MAY, timeout_seconds=0.3)
    assert not result.passed
    assert "durée maximale dépassée" in result.summary_fr()


def test_a_gate_leaves_nothing_behind(mart_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations keeps connections, hence temporary tables, until a garbage collection; and it can write files."""
    monkeypatch.chdir(tmp_path)
    gate_mart(mart_url, MAY, MAY)
    assert list(tmp_path.iterdir()) == []
    with psycopg.connect(mart_url, autocommit=True) as connection:
        for _ in range(500):  # the server ends a closed session a moment after its client left
            left = connection.execute(
                """select (select count(*) from pg_class where relname like 'gx\\_%')
                + (select count(*) from pg_stat_activity
                    where application_name = 'vigie_gate' and datname = current_database())"""
            ).fetchone()
            if left == (0,):
                break
    assert left == (0,)


def test_clean_scores_pass(mart_url: str) -> None:
    """With a past and without one."""
    for month in (date(2025, 1, 1), MAY):
        result = gate_scores(mart_url, month, month)
        assert result.passed, result.summary_fr()


SCORE_FAULTS = {
    "p18 below p12": (
        "update ml.score set p18 = p12 / 2 where month = '2025-05-01' and siren = '000000007'",
        ("p18 doit être supérieur ou égal à p12",),
    ),
    "p24 below p18": (
        "update ml.score set p24 = p18 / 2 where month = '2025-05-01' and siren = '000000007'",
        ("p24 doit être supérieur ou égal à p18",),
    ),
    "a probability of one": (
        "update ml.score set p24 = 1 where month = '2025-05-01' and siren = '000000007'",
        ("p24 doit rester dans ses bornes",),
    ),
    "a probability of zero": (
        "update ml.score set p12 = 0 where month = '2025-05-01' and siren = '000000007'",
        ("p12 doit rester dans ses bornes", "siren 000000007"),
    ),
    "not a number": (
        "update ml.score set p24 = 'NaN' where month = '2025-05-01' and siren = '000000007'",
        ("p24 doit rester dans ses bornes",),
    ),
    "a null score": (
        "update ml.score set p18 = null where month = '2025-05-01' and siren = '000000007'",
        ("p18 doit être renseigné",),
    ),
    "a company without score": (
        "delete from ml.score where month = '2025-05-01' and siren = '000000007'",
        ("chaque entreprise à suivre",),
    ),
    "a month without scores": (
        "delete from ml.score where month = '2025-05-01'",
        ("chaque entreprise à suivre", "588"),
    ),
    "a company in procedure scored": (
        """insert into ml.score select '000000050', month, model_id, p12, p18, p24, logit from ml.score
        where month = '2025-05-01' and siren = '000000007'""",
        ("n'est pas à suivre",),
    ),
    "a company scored twice": (
        "insert into ml.score select * from ml.score where month = '2025-05-01' and siren = '000000007'",
        ("un seul score",),
    ),
    "scores three times as high": (
        """update ml.score set p12 = p12 * 2.1, p18 = p18 * 2.1, p24 = 0.99 where month = '2025-05-01'""",
        ("probabilité moyenne",),
    ),
    "drifted scores of the same mean": (
        """update ml.score as s set p12 = m.moyenne * (0.8 + s.p12) * 0.7, p18 = m.moyenne * (0.8 + s.p18),
        p24 = m.moyenne * (0.8 + s.p24) * 1.5
        from (select avg(p18) as moyenne from ml.score where month = '2025-05-01') as m
        where s.month = '2025-05-01'""",
        ("PSI",),
    ),
    "the same score for everyone": (
        "update ml.score set p12 = 0.06, p18 = 0.08, p24 = 0.1 where month = '2025-05-01'",
        ("distinguer les entreprises",),
    ),
    "no model for the month": (
        "delete from ml.run_month where month = '2025-05-01'",
        ("doit avoir un modèle",),
    ),
    "a model nobody registered": (
        "delete from ml.model where model_id = 'modele-a'",
        ("doit avoir un modèle",),
    ),
    "another model, the month before not scored with it": (
        """update ml.run_month set model_id = 'modele-b' where month = '2025-05-01';
        update ml.score set model_id = 'modele-b' where month = '2025-05-01'""",
        ("renoté",),
    ),
    "a month that was not monitored": (
        "delete from ml.monitoring where month = '2025-05-01'",
        ("chaque mois doit avoir son suivi",),
    ),
    "a variable that is another one": (
        "update ml.monitoring set valeur = 3.1 where month = '2025-05-01' and mesure = 'psi_variable'",
        ("répartition d'une variable", "effectif 2025-05"),
    ),
    "a population of scores that is another one": (
        "update ml.monitoring set valeur = 1.1 where month = '2025-05-01' and mesure = 'psi_score'",
        ("apprentissage du modèle (PSI)", "p18 2025-05"),
    ),
    "five times the failures announced": (
        "update ml.monitoring set valeur = 5, bas = 4.1, haut = 6 where month = '2024-02-01'",
        ("les défaillances venues", "12 2024-02"),
    ),
    "a list that is another one": (
        "update ml.monitoring set valeur = 1.6 where month = '2025-05-01' and mesure = 'renouvellement'",
        ("se renouveler", "F1 et F2 2025-05"),
    ),
}


@pytest.mark.parametrize("fault", SCORE_FAULTS)
def test_faulty_scores_are_stopped(mart_url: str, fault: str) -> None:
    """Promise 7: a probability is a probability, ordered by horizon, for every company followed."""
    statement, fragments = SCORE_FAULTS[fault]
    mutate(mart_url, statement)
    assert_closed(gate_scores(mart_url, MAY, MAY), *fragments)


def test_a_doubt_on_the_model_in_operation_is_told_and_refuses_nothing(mart_url: str) -> None:
    """A cycle that turns moves the level of every model: closing the gate each time would have it switched off."""
    mutate(
        mart_url,
        """update ml.monitoring set valeur = 1.6, bas = 1.3, haut = 1.9 where month = '2024-02-01';
        update ml.monitoring set valeur = 0.6 where month = '2025-05-01' and mesure = 'psi_variable'""",
    )
    result = gate_scores(mart_url, MAY, MAY)
    assert result.passed, result.summary_fr()
    assert {failure.column for failure in result.failures} == {
        "observe_sur_attendu_a_surveiller",
        "psi_variable_a_surveiller",
    }


def test_a_new_model_is_compared_with_its_own_scores_of_the_month_before(mart_url: str) -> None:
    """Promise 8: a change of model must not read as a drift of the companies, so each model is compared with itself."""
    mutate(
        mart_url,
        """insert into ml.score select siren, month, 'modele-b', p12 * 3, p18 * 3, 0.99, logit from ml.score
        where month = '2025-04-01';
        update ml.run_month set model_id = 'modele-b' where month = '2025-05-01';
        update ml.score set model_id = 'modele-b', p12 = p12 * 3, p18 = p18 * 3, p24 = 0.99
        where month = '2025-05-01'""",
    )
    result = gate_scores(mart_url, MAY, MAY)
    assert result.passed, result.summary_fr()


def test_a_range_of_months_is_scored_in_one_validation(mart_url: str) -> None:
    """A history run validated 36 months one by one: 13 seconds, for checks that PostgreSQL groups by month."""
    result = gate_scores(mart_url, date(2025, 1, 1), MAY)
    assert result.passed, result.summary_fr()
    assert result.failures == ()
    assert result.n_expectations == gate_scores(mart_url, MAY, MAY).n_expectations


RANGE_FAULTS = {
    "a month three times as high as the one before and the one after": (
        "update ml.score set p12 = p12 * 2.1, p18 = p18 * 2.1, p24 = 0.99 where month = '2025-03-01'",
        ("moyenne de p18 2025-03", "moyenne de p18 2025-04"),
        ("2025-02", "2025-05)"),
    ),
    "a month without scores in the middle": (
        "delete from ml.score where month = '2025-03-01'",
        ("entreprises sans score 2025-03",),
        ("2025-02", "2025-04"),
    ),
    "a company without score in two of the months": (
        "delete from ml.score where month in ('2025-02-01', '2025-04-01') and siren = '000000007'",
        ("1 (entreprises sans score 2025-02), 1 (entreprises sans score 2025-04)",),
        ("2025-03",),
    ),
    "unordered probabilities in one month": (
        "update ml.score set p18 = p12 / 2 where month = '2025-02-01' and siren in ('000000007', '000000008')",
        ("2 lignes en défaut sur 588 (2025-02)", "siren 000000007, month 2025-02-01, p18"),
        ("2025-03", "2025-04"),
    ),
    "a month without model": (
        "delete from ml.run_month where month = '2025-03-01'",
        ("modèle du mois 2025-03",),
        ("modèle du mois 2025-02", "modèle du mois 2025-04"),
    ),
}


@pytest.mark.parametrize("fault", RANGE_FAULTS)
def test_the_months_at_fault_are_named_and_no_other(mart_url: str, fault: str) -> None:
    """Each month is compared with its own month before: a fault of one month is not averaged over the range."""
    statement, fragments, absent = RANGE_FAULTS[fault]
    mutate(mart_url, statement)
    result = gate_scores(mart_url, date(2025, 1, 1), MAY)
    assert_closed(result, *fragments)
    told = "\n".join(failure.observed for failure in result.failures)
    assert not [month for month in absent if month in told], told


def test_a_model_that_changes_within_the_range_is_compared_with_itself(mart_url: str) -> None:
    """March to May by another model, on another scale, with February scored again: no month drifts."""
    mutate(
        mart_url,
        """insert into ml.score select siren, month, 'modele-b', p12 * 3, p18 * 3, 0.99, logit from ml.score
        where month >= '2025-02-01';
        delete from ml.score where month >= '2025-03-01' and model_id = 'modele-a';
        update ml.run_month set model_id = 'modele-b' where month >= '2025-03-01'""",
    )
    result = gate_scores(mart_url, date(2025, 1, 1), MAY)
    assert result.passed, result.summary_fr()
    mutate(
        mart_url, "delete from ml.score where month = '2025-02-01' and model_id = 'modele-b' and siren < '000000100'"
    )
    assert_closed(
        gate_scores(mart_url, date(2025, 1, 1), MAY), "renoté", "98 (", "en 2025-02, sans score du modèle de 2025-03"
    )


def test_the_month_of_the_list_before_is_scored_by_a_new_model_too(mart_url: str) -> None:
    """April was refused: May is compared with March, and without its scores nobody in May would be new."""
    mutate(
        mart_url,
        """delete from publication.month where month = '2025-04-01';
        insert into ml.score select siren, month, 'modele-b', p12, p18, p24, logit from ml.score where month >= '2025-04-01';
        delete from ml.score where month = '2025-05-01' and model_id = 'modele-a';
        update ml.run_month set model_id = 'modele-b' where month = '2025-05-01'""",
    )
    assert_closed(gate_scores(mart_url, MAY, MAY), "renoté", "588 (", "en 2025-03, sans score du modèle de 2025-05")
    mutate(
        mart_url,
        "insert into ml.score select siren, month, 'modele-b', p12, p18, p24, logit from ml.score where month = '2025-03-01'",
    )
    result = gate_scores(mart_url, MAY, MAY)
    assert result.passed, result.summary_fr()


def test_only_a_unique_index_on_the_key_itself_replaces_the_count(mart_url: str) -> None:
    """An index on more columns than the key lets duplicates of the key through."""
    mutate(mart_url, "insert into ml.score select siren, month, model_id, 0.1, 0.2, 0.3, 9 from ml.score limit 1")
    with psycopg.connect(mart_url) as connection:
        connection.execute("create unique index on ml.score (siren, month, model_id, logit)")
        connection.execute("create index on ml.score (siren, month, model_id)")
    assert_closed(gate_scores(mart_url, date(2025, 1, 1), MAY), "un seul score", "2 lignes en défaut")


def test_a_unique_index_on_the_key_is_trusted(mart_url: str) -> None:
    """With the indexes that the mart and the scores really have."""
    with psycopg.connect(mart_url) as connection:
        connection.execute("create unique index on ml.score (model_id, month, siren)")
        connection.execute("create unique index on marts.mart_company_month (siren, month)")
    assert gate_scores(mart_url, APRIL, MAY).passed
    assert gate_mart(mart_url, APRIL, MAY).passed


def test_a_rule_that_was_not_measured_closes_the_gate(database_url: str) -> None:
    """A suite whose query forgets a rule would pass for ever: the rule is then said not to have been measured."""
    rule = not_null("siren")
    forgotten = """select 'autre' as controle, '' as ou, cast(0 as double precision) as observe,
    cast(null as double precision) as minimum, cast(0 as double precision) as maximum, cast(1 as bigint) as parmi"""
    suite = Suite("essai", forgotten, (rule,), rows="select 1 as siren", identifiers=("siren",))
    (failure,) = _validate(suite, database_url, 10.0)
    assert failure.severity == "critical"
    assert "siren doit être renseigné. Observé : aucune valeur (non mesuré)" in failure.message


@pytest.mark.parametrize("months", [(MAY, MAY), (date(2025, 1, 1), MAY)])
def test_every_measure_has_its_check_and_every_rule_its_measure(mart_url: str, months: tuple[date, date]) -> None:
    assert_each_measure_is_read(mart_url, (*mart_suites(*months), *score_suites(*months)))


def test_faults_of_many_measures_are_counted_and_told_by_a_few(mart_url: str) -> None:
    """Seven features lost at once: five told, the others counted, in a message that stays readable."""
    lost = ("marge_ebe", "autonomie_financiere", "naf", "siret_siege", "age_mois", "effectif", "dette_variation_3m")
    mutate(
        mart_url,
        f"update marts.mart_company_month set {', '.join(f'{name} = null' for name in lost)} where month = '2025-05-01'",
    )
    result = gate_mart(mart_url, MAY, MAY)
    (nulls,) = [failure for failure in result.failures if failure.column == "nuls"]
    assert nulls.observed.count("2025-05") == 5
    assert nulls.observed.endswith(" et 2 autres")
