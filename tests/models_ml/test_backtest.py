"""Families judged on a panel of somebody else: what a model may know of the rows that it is judged on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models_ml import backtest
from models_ml.families import FAMILIES
from models_ml.tidy import Tidy, tidy

CUT = 2008


def yearly_panel() -> pl.DataFrame:
    """400 companies from 2000 to 2012; `dette` says who fails in the year after."""
    rng = np.random.default_rng(7)
    rows: list[tuple[str, int, float, int | None]] = []
    for firm in range(400):
        level, lived, failed = rng.normal(), [], None
        for year in range(2000, 2013):
            level = 0.9 * level + 0.44 * rng.normal()
            lived.append((f"F{firm}", year, level))
            if rng.random() < 1 / (1 + np.exp(3.4 - 1.2 * level)):
                failed = year + 1
                break
        rows += [(*line, failed) for line in lived]
    return pl.DataFrame(rows, schema=["firm", "year", "dette", "event"], orient="row")


def with_another_future(panel: pl.DataFrame) -> pl.DataFrame:
    """The same past up to `CUT`; afterwards other values, and other companies fail."""
    number = pl.col("firm").str.slice(1).cast(pl.Int64)
    to_come = pl.col("event").is_null() | (pl.col("event") > CUT)
    other = pl.when(number % 3 == 0).then(CUT + 1 + number % 4)
    return panel.with_columns(
        event=pl.when(to_come).then(other).otherwise("event"),
        dette=pl.when(pl.col("year") > CUT).then(3 - 5 * pl.col("dette")).otherwise("dette"),
    )


def read(panel: pl.DataFrame) -> Tidy:
    return tidy(panel, entity="firm", period="year", event="event")


@pytest.mark.parametrize("family", FAMILIES)
def test_another_future_changes_no_score(family: str) -> None:
    """A label or a value of the years judged that reached the fit would make any family look better than it will be."""
    december = CUT * 12 + 11
    scores = []
    for ready in map(read, (panel := yearly_panel(), with_another_future(panel))):
        params = backtest.hazard_params([1, 2], ready.step)
        features = backtest.free_features(ready.names)
        for split in (
            backtest.Split(december, december, december, december + 12),
            backtest.fixed_split(ready, december - 24, december, [1, 2])[0],
        ):
            judged = backtest.score_split(ready, family, features, params, split, seed=0)
            scores.append(judged.filter(pl.col("period").dt.year() == CUT))
    assert scores[0].height > 150
    assert scores[0].equals(scores[2])
    assert scores[1].equals(scores[3])
    assert not scores[0].equals(scores[1])
