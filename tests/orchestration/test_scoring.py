"""The model in operation on a real PostgreSQL: choice of the models, challenger, missing sources, monitoring, promotion."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import mart_samples
import psycopg
import pytest
from psycopg import sql

from models_ml.artefact import ArtefactRefused
from models_ml.features import feature_hash, load_features
from orchestration import backtest, cards, promotion, registry, schema, scoring
from orchestration.instance import HOME_VARIABLE, URL_VARIABLE, Instance
from orchestration.promotion import PromotionRefused

NOVEMBER, DECEMBER = date(2023, 11, 1), date(2023, 12, 1)


@pytest.fixture(scope="module")
def instance(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance whose December 2023 comes without Altares; November and December are scored."""
    name = f"vigie_scoring_{uuid.uuid4().hex[:12]}"
    url = f"{server_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    before = {variable: os.environ.get(variable) for variable in (HOME_VARIABLE, URL_VARIABLE)}
    made = Instance(tmp_path_factory.mktemp("home"))
    try:
        os.environ |= {HOME_VARIABLE: str(made.home), URL_VARIABLE: url}
        schema.create(url)
        mart_samples.write(url)
        change(
            url,
            "update marts.mart_source_freshness set en_retard = true where source = 'altares__paydex' and month = '2023-12-01'",
            # Before its first delivery a source is known by its own dates: a silence there is no delay.
            "update marts.mart_source_freshness set en_retard = true, lignes = null where source = 'urssaf__ccsf' and month = '2023-11-01'",
        )
        scoring.choose_models(made, [NOVEMBER, DECEMBER], run_id="essai")
        scoring.score_months(made, [NOVEMBER, DECEMBER])
        yield made
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None) if value is None else os.environ.__setitem__(variable, value)
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def change(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount > 0, statement


def rows(instance: Instance, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(instance.database_url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_month_without_a_source_is_scored_by_a_model_learned_without_it(instance: Instance) -> None:
    """With the whole model, stale delays of payment would go on deciding for months."""
    used = registry.of_months(instance, [NOVEMBER, DECEMBER])
    assert used[NOVEMBER].sources_ecartees == ()
    assert used[DECEMBER].sources_ecartees == ("altares__paydex",)
    names = {feature.name for feature in registry.load(instance, used[DECEMBER]).features}
    assert {feature.name for feature in load_features()} - names == {
        "paydex_jours", "paydex_moyenne_6m", "paydex_variation_12m"
    }  # fmt: skip
    assert rows(instance, "select sources_ecartees from ml.run_month where month = '2023-12-01'") == [
        (["altares__paydex"],)
    ]
    query = "select siren, p18 from ml.score where month = '2023-12-01' order by siren, model_id"
    before = rows(instance, query)
    change(instance.database_url, "update marts.mart_company_month set paydex_jours = 999 where month = '2023-12-01'")
    scoring.score_months(instance, [DECEMBER])
    assert rows(instance, query) == before


def test_the_month_before_is_scored_again_by_the_model_without_the_source(instance: Instance) -> None:
    """Else every company would look new because the model changed."""
    model = registry.of_months(instance, [DECEMBER])[DECEMBER]
    counted = (
        f"select month, count(*) > 30 from ml.score where model_id = '{model.model_id}' group by month order by month"
    )
    assert rows(instance, counted) == [(NOVEMBER, True), (DECEMBER, True)]


def test_the_month_of_the_list_before_is_scored_by_the_model_of_the_month(instance: Instance) -> None:
    """November was refused: December is compared with October, the last list that anybody saw."""
    model = registry.of_months(instance, [DECEMBER])[DECEMBER]
    october = f"select count(*) > 30 from ml.score where model_id = '{model.model_id}' and month = '2023-10-01'"
    assert rows(instance, october) == [(False,)]
    change(
        instance.database_url,
        "insert into publication.month (month, status, model_id, seuil_f1, seuil_f2, simulation, content_sha256) values "
        "('2023-09-01', 'published', 'm', 0.2, 0.05, true, ''), ('2023-10-01', 'published', 'm', 0.2, 0.05, true, ''), "
        "('2023-11-01', 'withdrawn', 'm', 0.2, 0.05, true, '')",
    )
    try:
        scoring.score_months(instance, [DECEMBER])
        assert rows(instance, october) == [(True,)]
        months = f"select distinct month from ml.score where model_id = '{model.model_id}' order by month"
        assert rows(instance, months) == [(date(2023, 10, 1),), (NOVEMBER,), (DECEMBER,)]
    finally:
        change(instance.database_url, "delete from publication.month")


def test_a_month_is_compared_with_the_last_list_that_knew_as_much(instance: Instance) -> None:
    """October came without Altares, November has it again: on October's holes, the model of November would make companies new."""
    used = registry.of_months(instance, [NOVEMBER, DECEMBER])
    compared = (
        "select month, liste_comparee from ml.run_month where month in ('2023-11-01', '2023-12-01') order by month"
    )
    change(
        instance.database_url,
        "insert into publication.month (month, status, model_id, seuil_f1, seuil_f2, simulation, content_sha256) "
        "select jour, 'published', 'm', 0.2, 0.05, true, '' "
        "from generate_series(date '2023-08-01', '2023-10-01', interval '1 month') as jour",
        f"insert into ml.run_month (month, model_id) values ('2023-08-01', '{used[NOVEMBER].model_id}'), "
        f"('2023-09-01', '{used[NOVEMBER].model_id}'), ('2023-10-01', '{used[DECEMBER].model_id}')",
    )
    try:
        scoring.score_months(instance, [NOVEMBER, DECEMBER])
        # December, that lacks Altares again, needs nothing that November did not know.
        assert rows(instance, compared) == [(NOVEMBER, date(2023, 9, 1)), (DECEMBER, NOVEMBER)]
        # When September had the model of another year, that of November scores it too.
        change(
            instance.database_url,
            "insert into ml.model select 'autre', as_of, fitted_rows, fitted_events, seuil_f1, seuil_f2, metrics, feature_hash, "
            "artefact, artefact_sha256 from ml.model where model_id = (select model_id from ml.run_month where month = '2023-09-01')",
            "update ml.run_month set model_id = 'autre' where month = '2023-09-01'",
        )
        scored = (
            f"select count(*) > 30 from ml.score where model_id = '{used[NOVEMBER].model_id}' and month = '2023-09-01'"
        )
        assert rows(instance, scored) == [(False,)]
        scoring.score_months(instance, [NOVEMBER])
        assert rows(instance, scored) == [(True,)]
    finally:
        change(
            instance.database_url,
            "delete from publication.month",
            "delete from ml.run_month where month < '2023-11-01'",
            "delete from ml.model where model_id = 'autre'",
        )


def test_the_challenger_scores_the_last_month_and_is_not_explained(instance: Instance) -> None:
    challengers = registry.challengers_of_months(instance, [NOVEMBER, DECEMBER])
    assert list(challengers) == [DECEMBER]
    challenger = challengers[DECEMBER]
    assert challenger.famille == registry.CHALLENGER
    followed = rows(instance, "select count(*) from marts.mart_company_month where month = '2023-12-01'")
    assert rows(instance, f"select count(*) from ml.score where model_id = '{challenger.model_id}'") == followed
    assert rows(instance, f"select count(*) from ml.explanation where model_id = '{challenger.model_id}'") == [(0,)]


def test_each_run_writes_what_it_saw_of_the_model(instance: Instance) -> None:
    seen = dict(rows(instance, "select mesure, count(*) from ml.monitoring where month = '2023-11-01' group by mesure"))
    assert seen["psi_variable"] == len(load_features())
    assert seen["psi_score"] == 1
    assert seen["part_alertes"] == 2
    assert rows(
        instance, "select valeur < 0.5 from ml.monitoring where mesure = 'psi_score' and month = '2023-11-01'"
    ) == [(True,)]


@pytest.mark.long
def test_failures_are_counted_against_the_month_that_announced_them(instance: Instance) -> None:
    """As the windows close: the scores of a month of 2022 meet the judgments of the months after it."""
    past = date(2022, 3, 1)
    scoring.choose_models(instance, [past], run_id="passe")
    scoring.score_months(instance, [past])
    scoring.score_months(instance, [date(2023, 11, 1)])
    ((observed, value, low, high),) = rows(
        instance, "select effectif, valeur, bas, haut from ml.monitoring where month = '2022-03-01' and objet = '18'"
    )
    ((failed, announced),) = rows(
        instance,
        "select sum(defaillance_18m::int), sum(p18) from ml.score natural join ml.run_month natural join marts.mart_outcome "
        "where month = '2022-03-01'",
    )
    assert observed == failed
    assert value == pytest.approx(failed / announced)
    assert low < value < high


def test_an_artefact_that_was_changed_is_not_used(instance: Instance) -> None:
    model = registry.of_months(instance, [NOVEMBER])[NOVEMBER]
    path: Path = instance.models / model.artefact
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ArtefactRefused, match="empreinte"):
            scoring.score_months(instance, [NOVEMBER])
    finally:
        path.write_bytes(content)


def test_the_card_tells_the_month_the_missing_source_and_whom_to_ask(instance: Instance) -> None:
    text = cards.write(instance, DECEMBER)
    assert "En service en décembre 2023" in text
    assert "absentes ou trop anciennes : altares__paydex." in text
    assert "Une règle" in text
    assert instance.settings.contact in text


@pytest.mark.long
def test_the_past_is_scored_by_the_models_of_its_time_and_compared_on_the_same_rows(instance: Instance) -> None:
    result = backtest.run(instance, date(2021, 1, 1), date(2022, 4, 1), ["scorecard"])
    ((models,),) = rows(
        instance, "select array_agg(distinct as_of order by as_of) from ml.model where famille = 'scorecard'"
    )
    assert models == [date(2021, 12, 31)], (
        "what was known at the end of 2020 cannot carry a model: its year is left out"
    )
    assert (result["premier_mois"], result["dernier_mois"]) == ("2022-01-01", "2022-04-01")
    held = result["familles"]["additive"]
    assert held["horizons"]["18"]["auc"]["valeur"] > 0.6, "debt announces failure in this sample"
    assert sum(tenth["lignes"] for tenth in held["calibration"]) == held["horizons"]["18"]["lignes"]
    assert set(result["ecarts"]) == {"scorecard"}
    assert result["clignotants"]["ecart_du_modele"]["ap"]["bas"] is not None
    assert rows(instance, "select familles from ml.backtest") == [(["additive", "scorecard"],)]


def test_a_new_instance_says_that_no_month_was_computed(
    vigie_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`vigie model backtest` there was a fault of ours: the mart is not made yet."""
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    with pytest.raises(backtest.NothingToTest, match="Aucun mois calculé"):
        backtest.default_months(Instance(tmp_path))


def test_months_that_nobody_could_have_scored_are_said(instance: Instance) -> None:
    with pytest.raises(backtest.NothingToTest, match="historique"):
        backtest.run(instance, mart_samples.FIRST, date(2018, 3, 1), [])


def test_a_family_without_evidence_is_not_promoted(instance: Instance) -> None:
    with pytest.raises(PromotionRefused, match="Aucune preuve"):
        promotion.promote(instance, "ensemble")
    with pytest.raises(PromotionRefused, match="déjà la championne"):
        promotion.promote(instance, "additive")
    with pytest.raises(PromotionRefused, match="ni un modèle ni une famille"):
        promotion.promote(instance, "oracle")


def _evidence(gain: float, level: float, months: int = 14) -> dict[str, Any]:
    horizons = {
        h: {"entreprises_defaillantes": 80, "observe_sur_attendu": {"valeur": value}}
        for h, value in (("12", 1.0), ("18", level), ("24", 1.0))
    }
    held = {"12": {"observe_sur_attendu": {"valeur": 1.2}}, "18": {"observe_sur_attendu": {"valeur": 1.2}}}
    return {
        "familles": {
            "scorecard": {"horizons": horizons, "mois": {str(n): {"auc": {}} for n in range(months)}},
            "additive": {"horizons": held | {"24": held["12"]}, "mois": {}},
            "interactions": {"horizons": horizons, "mois": {str(n): {"auc": {}} for n in range(months)}},
        },
        "ecarts": {
            name: {"ap": {"valeur": gain, "bas": gain - 0.01, "haut": gain + 0.01}}
            for name in ("scorecard", "interactions")
        },
    }


@pytest.mark.parametrize(
    ("family", "evidence", "reason"),
    [
        ("scorecard", _evidence(0.005, 1.0), "au-dessus de zéro"),
        ("scorecard", _evidence(0.02, 1.3), "observé sur attendu"),
        ("scorecard", _evidence(0.02, 1.0, months=11), "Preuve trop courte"),
        ("interactions", _evidence(0.02, 1.0), "ne s’additionnent pas"),
    ],
)
def test_the_rule_refuses_and_says_why(family: str, evidence: dict[str, Any], reason: str) -> None:
    (told,) = promotion.refusals(family, "additive", evidence)
    assert reason in told


def test_a_better_family_passes_the_rule_even_off_level_when_the_champion_is_farther() -> None:
    assert promotion.refusals("scorecard", "additive", _evidence(0.02, 1.0)) == []
    assert promotion.refusals("scorecard", "additive", _evidence(0.02, 1.15)) == []


def test_a_promoted_family_scores_the_months_to_come_and_no_month_of_before(instance: Instance) -> None:
    """A champion written down and not obeyed would be worse than none."""
    october = date(2023, 10, 1)
    evidence = _evidence(0.02, 1.0) | {"championne": "additive"}
    with psycopg.connect(instance.database_url) as connection:
        connection.execute(
            "insert into ml.backtest (premier_mois, dernier_mois, familles, feature_hash, code_version, resultat) "
            "values ('2022-01-01', '2022-12-01', '{additive,scorecard}', %s, '0', %s)",
            [feature_hash(load_features()), json.dumps(evidence)],
        )
    try:
        promoted = promotion.promote(instance, "scorecard")
        assert (promoted["remplace"], promoted["famille"]) == ("additive", "scorecard")
        assert registry.champion_family(instance) == "scorecard"
        scoring.choose_models(instance, [october], run_id="promue")
        assert registry.of_months(instance, [october])[october].famille == "scorecard"
        assert registry.challengers_of_months(instance, [october])[october].famille == registry.CHALLENGER
        # What was published stays as it was published.
        assert registry.of_months(instance, [NOVEMBER])[NOVEMBER].famille == "additive"
    finally:
        change(
            instance.database_url,
            "delete from ml.promotion where famille = 'scorecard'",
            "delete from ml.backtest where code_version = '0'",
            "delete from ml.run_month where month = '2023-10-01'",
        )
