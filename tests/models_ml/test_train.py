from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from models_ml import train as training
from models_ml.features import Feature
from models_ml.panel import month_index
from models_ml.train import NotEnoughHistory, TrainedModel, TrainParams, train

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_later_than_as_of_changes_nothing(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], quick: TrainParams
) -> None:
    """Promise 3 for the model: the panel of today and the panel cut at `as_of` must give the same model."""
    cut = date(2020, 6, 30)
    known = panel.filter(pl.col("period") <= cut).with_columns(
        event_period=pl.when(pl.col("event_period") <= cut).then(pl.col("event_period")),
        exit_period=pl.when(pl.col("exit_period") <= cut).then(pl.col("exit_period")),
    )
    today, then = (
        train(frame, as_of=cut, features=small_features, seed=7, params=quick)
        for frame in (panel.sample(fraction=1, shuffle=True, seed=3), known)
    )
    assert today.model_id == then.model_id
    assert today.metrics == then.metrics
    assert today.thresholds == then.thresholds


def test_the_validation_model_saw_no_label_of_the_months_it_is_judged_on(
    panel: pl.DataFrame,
    small_features: tuple[Feature, ...],
    as_of: date,
    quick: TrainParams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Training up to the day before the test, with labels that look 18 months ahead, was the June 2021 error (model.md 1.3)."""
    tables: list[pl.DataFrame] = []
    fit = training.fit_hazard

    def spy(table: pl.DataFrame, *rest: object) -> object:
        tables.append(table)
        return fit(table, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "fit_hazard", spy)
    result = train(panel, as_of=as_of, features=small_features, seed=7, params=quick)
    past = date.fromisoformat(result.validation["connu_au"])
    assert past == date(2019, 11, 30)
    end = pl.col("period").dt.year() * 12 + pl.col("period").dt.month() - 1 + 6 * pl.col("interval")
    assert tables[0].select(end.max()).item() == month_index(past) - 1  # one month for judgments to be known
    assert all(entry["periode_min"] == "2019-11-01" for entry in result.metrics.values())
    assert result.metrics["24"]["periode_max"] == "2019-11-01"
    assert result.metrics["18"]["periode_max"] == "2020-05-01"
    assert result.metrics["12"]["periode_max"] == "2020-11-01"
    assert tables[1].select(end.max()).item() == month_index(as_of) - 1


def test_the_red_threshold_is_above_the_orange_one(trained: TrainedModel) -> None:
    assert trained.thresholds is not None
    assert 0 < trained.thresholds["f2"] < trained.thresholds["f1"] < 1


def test_the_model_name_is_readable_and_follows_what_it_was_made_of(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams, trained: TrainedModel
) -> None:
    assert trained.model_id.startswith("additive-2021-12-")
    other_seed = train(panel, as_of=as_of, features=small_features, seed=8, validation=False, params=quick)
    touched = panel.with_columns(bruit=pl.when(pl.col("entity") == "S000003").then(9.0).otherwise(pl.col("bruit")))
    other_data = train(touched, as_of=as_of, features=small_features, seed=7, validation=False, params=quick)
    same = train(panel, as_of=as_of, features=small_features, seed=7, validation=False, params=quick)
    assert len({other_seed.model_id, other_data.model_id, same.model_id, trained.model_id}) == 4


def test_contributions_are_relative_to_the_population_at_risk(trained: TrainedModel, panel: pl.DataFrame) -> None:
    """A reason must say what sets a company apart: on average over the population, no variable is a reason."""
    recent = panel.filter(pl.col("period").is_between(date(2020, 6, 1), date(2021, 5, 1)))
    means = trained.model.contributions(recent).group_by("feature").agg(pl.col("contribution").mean())
    assert means.get_column("contribution").abs().max() < 0.1  # type: ignore[operator]


def test_too_short_a_history_is_refused_with_its_numbers(
    panel: pl.DataFrame, small_features: tuple[Feature, ...]
) -> None:
    """Ten failures give a model that looks fitted: the month must be stopped, and say why."""
    with pytest.raises(
        NotEnoughHistory,
        match=r"Historique insuffisant pour apprendre au 30/09/2016 : \d+ défaillances observées sur 2 périodes",
    ):
        train(panel, as_of=date(2016, 9, 30), features=small_features, seed=0)
    with pytest.raises(NotEnoughHistory, match=r"30 sur 6 périodes"):
        train(panel, as_of=date(2017, 12, 31), features=small_features, seed=0)


def test_without_validation_there_is_neither_metric_nor_threshold(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams
) -> None:
    result = train(panel, as_of=as_of, features=small_features, seed=7, validation=False, params=quick)
    assert (result.metrics, result.thresholds, result.validation) == ({}, None, {})


def test_a_large_panel_is_thinned_by_months_and_keeps_all_calendar_months(panel: pl.DataFrame) -> None:
    """One month in three would always learn from the same four months of the year."""
    assert training._stride(panel, panel.height, 6) == 1
    for rows in (panel.height // 2, panel.height // 6, panel.height // 50):
        assert training._stride(panel, rows, 6) in (5, 7, 11)
    yearly = panel.filter(pl.col("period").dt.month() == 12)
    assert training._stride(yearly, yearly.height // 50, 6) == 1  # one year in five would leave two years


SCRIPT = """
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
import polars as pl
sys.path.insert(0, {tests!r})
from conftest import QUICK, _feature, make_panel
from models_ml import artefact
from models_ml.train import train
features = (_feature("dette", 1), _feature("marge", -1))
panel = make_panel(300, 72, monthly_hazard=0.008).sample(fraction=1, shuffle=True, seed={shuffle})
hazard = replace(QUICK.hazard, iterations=5, trees=5, members=("interactions", "scorecard", "forest"), spread_folds=2)
for family, params in (("additive", QUICK), ("ensemble", replace(QUICK, hazard=hazard))):
    whole = family == "additive"
    trained = train(
        panel, as_of=date(2021, 12, 31), features=features, seed=1, family=family, params=params, validation=whole
    )
    print(artefact.save(trained, Path({folder!r})).sha256, trained.model_id)
"""


@pytest.mark.timeout(400)
def test_same_inputs_give_the_same_bytes_with_other_threads_order_zone_and_hash_seed(tmp_path: Path) -> None:
    """Promise 6: skops names members after memory addresses and the bin mapper keeps the number of threads of the machine."""
    results = set()
    for threads, zone, shuffle in (("1", "UTC", 0), ("2", "Pacific/Auckland", 5)):
        env = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads of a busy machine must not burn its processors
            "POLARS_MAX_THREADS": threads,
            "TZ": zone,
            "PYTHONHASHSEED": threads,
        }
        env["PYTHONPATH"] = str(ROOT)
        script = SCRIPT.format(tests=str(Path(__file__).parent), shuffle=shuffle, folder=str(tmp_path / threads))
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        results.add(done.stdout.strip())
    assert len(results) == 1, results


def test_an_event_known_after_as_of_does_not_reach_the_model(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams
) -> None:
    late = panel.with_columns(event_known=pl.lit(as_of + timedelta(days=1)))
    with pytest.raises(NotEnoughHistory, match=": 0 défaillances"):
        train(late, as_of=as_of, features=small_features, seed=7, params=quick)


def test_a_source_never_delivered_has_no_effect_and_does_not_stop_the_training(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams
) -> None:
    """A column without any value made the binning of scikit-learn fail, so one missing source stopped the whole month."""
    absent = small_features[0].name
    without = panel.with_columns(pl.lit(None, dtype=pl.Float64).alias(absent))
    model = train(without, as_of=as_of, features=small_features, seed=1, params=quick).model
    assert model.predict(without).equals(model.predict(panel)), "what comes later of that source changes no score"
    effects = model.contributions(panel).filter(pl.col("feature") == absent).get_column("contribution")
    assert effects.abs().max() == 0
