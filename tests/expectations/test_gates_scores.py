"""Gate 3 on hand-made tables in a real PostgreSQL: open on clean scores, closed for each seeded fault."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from gate_faults import assert_closed, assert_each_measure_is_read, mutate
from gate_months import APRIL, MAY

from expectations.gates import gate_mart, gate_scores
from expectations.mart_suite import mart_suites
from expectations.score_suite import score_suites


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
    "the same score for everyone at one horizon": (
        "update ml.score set p24 = 0.9999 where month = '2025-05-01'",
        ("distinguer les entreprises", "valeurs distinctes de p24", "moyenne de p24"),
    ),
    "a logit that is not a number": (
        "update ml.score set logit = 'NaN' where month = '2025-05-01' and siren = '000000007'",
        ("logit doit rester dans ses bornes",),
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
        """insert into ml.score select siren, month, 'modele-b', p12 * 3, p18 * 3, (1 + p18 * 3) / 2, logit from ml.score
        where month = '2025-04-01';
        update ml.run_month set model_id = 'modele-b' where month = '2025-05-01';
        update ml.score set model_id = 'modele-b', p12 = p12 * 3, p18 = p18 * 3, p24 = (1 + p18 * 3) / 2
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
        """insert into ml.score select siren, month, 'modele-b', p12 * 3, p18 * 3, (1 + p18 * 3) / 2, logit from ml.score
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


def test_the_list_that_a_month_is_compared_with_is_scored_by_its_model_too(mart_url: str) -> None:
    """April lacked a source that May has again: May is compared with March, and without its scores nobody in May would be new."""
    mutate(
        mart_url,
        """insert into ml.score select siren, month, 'modele-b', p12, p18, p24, logit from ml.score where month >= '2025-04-01';
        delete from ml.score where month = '2025-05-01' and model_id = 'modele-a';
        update ml.run_month set model_id = 'modele-b', liste_comparee = '2025-03-01' where month = '2025-05-01'""",
    )
    assert_closed(gate_scores(mart_url, MAY, MAY), "renoté", "588 (", "en 2025-03, sans score du modèle de 2025-05")


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


@pytest.mark.parametrize("months", [(MAY, MAY), (date(2025, 1, 1), MAY)])
def test_every_measure_has_its_check_and_every_rule_its_measure(mart_url: str, months: tuple[date, date]) -> None:
    assert_each_measure_is_read(mart_url, (*mart_suites(*months), *score_suites(*months)))
