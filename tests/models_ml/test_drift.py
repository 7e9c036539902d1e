from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models_ml.drift import poisson_interval, profile, stability


def _frame(values: np.ndarray, missing: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame({"x": np.where(rng.random(len(values)) < missing, np.nan, values)}).with_columns(
        pl.col("x").fill_nan(None)
    )


def test_the_same_population_is_stable_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    reference = profile(_frame(rng.normal(size=5000)), ["x"])
    assert stability(reference, _frame(rng.normal(size=5000)))["x"] < 0.02
    assert stability(reference, _frame(rng.normal(1.0, size=5000)))["x"] > 0.5


def test_a_source_that_stops_speaking_is_a_move() -> None:
    """With classes for the known values only, a column that becomes empty would look like nothing at all."""
    rng = np.random.default_rng(0)
    reference = profile(_frame(rng.normal(size=5000)), ["x"])
    assert stability(reference, _frame(rng.normal(size=5000), missing=1.0))["x"] > 3
    assert stability(reference, _frame(rng.normal(size=5000), missing=0.3))["x"] > 0.25


def test_a_column_without_any_value_and_one_of_zeros_can_be_compared() -> None:
    """A source never delivered, a debt that nearly nobody has: no tenth to cut, no division by zero."""
    empty = pl.DataFrame({"x": [None] * 300}, schema={"x": pl.Float64})
    assert stability(profile(empty, ["x"]), empty)["x"] == pytest.approx(0)
    zeros = pl.DataFrame({"x": [0.0] * 297 + [1.0, 2.0, 3.0]})
    assert stability(profile(zeros, ["x"]), zeros)["x"] == pytest.approx(0)


def test_the_interval_of_a_count_holds_the_exact_one() -> None:
    """Exact Poisson limits of 10 failures: 4.80 to 18.39; of none: 0 to 3.69."""
    assert poisson_interval(10) == pytest.approx((4.80, 18.39), abs=0.05)
    assert poisson_interval(0)[0] == 0
    assert poisson_interval(0)[1] == pytest.approx(3.69, abs=0.1)
