"""Level of a fitted hazard, corrected with the past only, and the calibration slope that judges its spread.

Failures follow cycles that the variables do not carry. The failures of the last closed months, against those expected of the same
companies, say where the level stands; nothing that was not known at `as_of` enters. The deviation is drawn towards 1 by its
sampling error (a small territory keeps the level of its whole past), then by its persistence: the months served are one to two
years away, and a cycle has turned in part by then.

Why half: on the yearly failures published for France, a model that knows the mean of its past and is used one to two years later
(2017 to 2023) is off, in log(O/E), by 0.36 (root mean square) without correction, 0.37 with the whole of it, 0.33 with half of it.
Cycles turn: the trough of 2021 corrected in full would have halved the probabilities of 2022-23.

(A constant chosen once, with years later than some models of a backtest: the level itself never is.)

No slope is corrected: on four validation slices of the simulated region (100 trees) it is 1.02 at 12 months and 0.98 at 18 as fitted,
0.93 and 0.91 after a slope estimated on the training rows, whose events the trees have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class CalibrationParams:
    """Fixed beforehand. `level_months`: closed months that give the level; 0 switches the correction off.

    `level_spread`: usual deviation of the level of a year, before any event is seen (0.3: published failures of 2015-2024).
    `persistence`: power of the deviation that is kept for the months served, from 0 (none) to 1 (all).
    """

    level_months: int = 12
    level_spread: float = 0.3
    persistence: float = 0.5


@dataclass(frozen=True)
class Level:
    """Observed and expected events of the recent closed months and the factor kept, `ratio`, on the odds of every interval."""

    ratio: float
    observed: int
    expected: float
    first: str | None = None
    last: str | None = None


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + e^-x), without overflow."""
    return np.exp(-np.logaddexp(0.0, -x))


def logistic_slope(x: Vector, y: Vector, w: Vector | None = None) -> tuple[float, float]:
    """Slope of the logistic regression of `y` (0/1) on `x` (weights `w`), and its variance for independent rows.

    (nan, inf) without two values of x and of y. Newton from the line y = x, halving a step that would raise the loss: stopping
    there instead gave slopes of 1.6 where the fit is 1.2. Plain sums: the result of a BLAS product depends on the number of threads.
    """
    w = np.ones(len(x)) if w is None else w
    positives, total = float((w * y).sum()), float(w.sum())
    spread = float(x.std()) if len(x) else 0.0
    if spread < 1e-9 or not 0 < positives < total:
        return float("nan"), np.inf
    z, mean = (x - x.mean()) / spread, float(x.mean())
    line, step, loss, halvings = np.array([mean, spread]), np.zeros(2), np.inf, 0
    for _ in range(60):
        eta = line[0] + line[1] * z
        q = sigmoid(eta)
        new = float((w * (np.logaddexp(0.0, eta) - y * eta)).sum())
        if new > loss + 1e-12 * total and halvings < 30:
            step, halvings = step / 2, halvings + 1
            line = line - step
            continue
        loss, halvings = new, 0
        v, r = w * q * (1 - q), w * (y - q)
        s0, s1, s2 = float(v.sum()), float((v * z).sum()), float((v * z * z).sum())
        det = s0 * s2 - s1 * s1
        if det <= 0:
            return float("nan"), np.inf
        g0, g1 = float(r.sum()), float((r * z).sum())
        step = np.array([s2 * g0 - s1 * g1, s0 * g1 - s1 * g0]) / det
        if np.abs(step).max() < 1e-7:
            return float(line[1] / spread), s0 / det / spread**2
        line = line + step
    return float("nan"), np.inf


def shrunk_level(observed: int, expected: float, params: CalibrationParams) -> float:
    """Factor on the odds: posterior mean of observed / expected (Poisson events, gamma prior of mean 1), to the persistence."""
    strength = params.level_spread**-2
    return ((strength + observed) / (strength + expected)) ** params.persistence


def shift_to(logits: Vector, target: float) -> float:
    """The shift `a` for which the sum of sigmoid(a + logits) is `target` (0 < target < rows)."""
    a = 0.0
    for _ in range(100):
        q = sigmoid(a + logits)
        step = float(np.clip((target - q.sum()) / max((q * (1 - q)).sum(), 1e-12), -2.0, 2.0))
        a += step
        if abs(step) < 1e-10:
            break
    return a


def recent_level(table: pl.DataFrame, hazard: Vector, share: float, params: CalibrationParams) -> Level:
    """Level of `table` (closed person-periods that do not overlap: entity, period, event) whose hazard over an interval is given.

    `share` = length of a row of the table / length of an interval. Rows do not overlap, so each event is one company.
    """
    if not table.height:
        return Level(1.0, 0, 0.0)
    observed = int(table.get_column("event").sum())
    expected = float(-np.expm1(share * np.log1p(-hazard)).sum())
    first, last = table.select(first=pl.col("period").min(), last=pl.col("period").max()).row(0)
    return Level(shrunk_level(observed, expected, params), observed, expected, str(first), str(last))
