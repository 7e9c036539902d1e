from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from models_ml import train as training
from models_ml.calibrate import CalibrationParams, shift_to, shrunk_level, sigmoid
from models_ml.features import Feature
from models_ml.train import TrainedModel, TrainParams, train

PanelMaker = Callable[..., pl.DataFrame]
WHOLE = CalibrationParams(persistence=1.0)


def test_few_failures_hardly_move_the_level_and_many_do() -> None:
    """Two failures instead of one is no doubling of the risk; two hundred instead of one hundred nearly is."""
    assert shrunk_level(2, 1.0, WHOLE) < 1.1
    assert shrunk_level(0, 0.0, WHOLE) == 1.0
    assert 1.8 < shrunk_level(200, 100.0, WHOLE) < 2.0
    assert 0.5 < shrunk_level(50, 100.0, WHOLE) < 0.6
    ratios = [shrunk_level(2 * n, n, WHOLE) for n in (1, 10, 100, 1000)]
    assert ratios == sorted(ratios)


def test_only_the_persistent_part_of_a_deviation_is_kept() -> None:
    whole = shrunk_level(50, 100.0, WHOLE)
    assert shrunk_level(50, 100.0, CalibrationParams(persistence=0.5)) == pytest.approx(whole**0.5)
    assert shrunk_level(50, 100.0, CalibrationParams(persistence=0.0)) == 1.0


def test_the_shift_reaches_the_wanted_number_of_events() -> None:
    logits = np.random.default_rng(0).normal(-6, 2, 5000)
    for target in (1.0, 40.0, 4900.0):
        assert sigmoid(logits + shift_to(logits, target)).sum() == pytest.approx(target, rel=1e-6)


def test_each_failure_counts_once_and_only_in_months_closed_at_as_of(
    panel: pl.DataFrame, as_of: date, quick: TrainParams
) -> None:
    """Overlapping windows of six months would count a company up to six times and claim six times the evidence."""
    table, share = training._recent(panel, as_of, quick)
    assert share == pytest.approx(1 / 6)
    assert (table.get_column("period").min(), table.get_column("period").max()) == (
        date(2020, 11, 1),
        date(2021, 10, 1),
    )
    failing = table.filter(pl.col("event") == 1)
    assert failing.get_column("entity").is_unique().all()
    closed = panel.unique("entity").filter(
        pl.col("event_period").is_between(date(2020, 12, 1), date(2021, 11, 30)),
        pl.col("exit_period").is_null() | (pl.col("exit_period") >= pl.col("event_period")),
    )
    assert set(failing.get_column("entity")) == set(closed.get_column("entity"))


def test_a_failure_known_after_as_of_does_not_move_the_level(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams, trained: TrainedModel
) -> None:
    """A judgment of October published in January was unknown in December: counting it is reading the future."""
    params = replace(quick, bootstrap=0)
    last = pl.col("event_period").is_between(date(2021, 10, 1), date(2021, 11, 30))
    late = panel.with_columns(event_known=pl.when(last).then(date(2022, 1, 5)).otherwise(pl.col("event_period")))
    never = panel.with_columns(event_period=pl.when(~last).then(pl.col("event_period")))
    levels = [
        train(frame, as_of=as_of, features=small_features, seed=7, validation=False, params=params).calibration
        for frame in (late, never)
    ]
    assert levels[0] == levels[1]
    assert levels[0]["niveau"]["observed"] < trained.calibration["niveau"]["observed"]


def test_the_validation_corrects_its_level_with_its_own_past_only(
    panel: pl.DataFrame, small_features: tuple[Feature, ...], as_of: date, quick: TrainParams
) -> None:
    """A level taken from the months evaluated gives O/E = 1 for any model."""
    result = train(panel, as_of=as_of, features=small_features, seed=7, params=replace(quick, bootstrap=0))
    past = date.fromisoformat(result.validation["connu_au"])
    direct = train(panel, as_of=past, features=small_features, seed=7, validation=False, params=quick)
    assert result.validation["niveau"] == direct.calibration["niveau"]
    assert result.validation["niveau"]["last"] == "2019-09-01"


def test_a_shift_moves_the_base_and_no_contribution(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """Reasons must not change with the cycle, and must still add up to the log-odds."""
    moved = trained.model.shifted(0.4)
    parts, same = (model.contributions(last_month) for model in (moved, trained.model))
    change = parts.get_column("contribution") - same.get_column("contribution")
    assert np.abs(change.to_numpy()).max() < 1e-9
    sums = parts.group_by("entity", maintain_order=True).agg(pl.col("contribution").sum()).get_column("contribution")
    scores = moved.predict(last_month)
    logit = scores.get_column("logit").to_numpy()
    assert np.abs(sums.to_numpy() + moved.base - logit).max() < 1e-9
    assert np.abs(logit - trained.model.predict(last_month).get_column("logit").to_numpy() - 0.4).max() < 1e-9
    assert scores.select((pl.col("p12") <= pl.col("p18")).all() & (pl.col("p18") <= pl.col("p24")).all()).item()


def test_a_level_that_changed_for_good_is_followed(
    panel_maker: PanelMaker, small_features: tuple[Feature, ...], quick: TrainParams
) -> None:
    """Failures halved two years before `as_of`: the correction must bring the expected ones nearer to those that follow."""
    before = panel_maker(3000, 96, seed=21, monthly_hazard=0.008)
    later = pl.col("event_period") >= date(2022, 1, 1)
    spared = pl.col("entity").str.slice(-1).is_in(["0", "2", "4", "6", "8"])
    calmer = before.with_columns(event_period=pl.when(~(later & spared)).then(pl.col("event_period")))
    as_of = date(2023, 12, 31)
    off = replace(quick, calibration=CalibrationParams(level_months=0))
    whole = replace(quick, calibration=WHOLE)
    plain, corrected = (
        train(calmer, as_of=as_of, features=small_features, seed=0, validation=False, params=params)
        for params in (off, whole)
    )
    assert plain.calibration["niveau"]["ratio"] == 1.0
    assert 0.5 < corrected.calibration["niveau"]["ratio"] < 0.85
    assert corrected.model.shift == pytest.approx(np.log(corrected.calibration["niveau"]["ratio"]))
