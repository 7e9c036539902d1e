"""Discrete-time hazard: one model of "fails in interval j, given at risk at its start", of any family (`families`).

PD at a horizon = 1 - Π(1 - h_j): monotone by construction. In an additive family, logit h_j(x) = g(j) + Σ_k f_k(x_k, j): the
contribution of a variable is exact, the difference made by its value, whatever the others. The level (`calibrate`) is one shift
of all log-odds: both properties hold after it too. Missing values stay missing.

f_k may change with the interval because what announces a failure soon is not what announces one late. `make bench-model` prints the
additive family beside the one with all interactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
_CHUNK_ROWS = 200_000
_PROBE_ROWS = 60_000


class Estimator(Protocol):
    """A fitted family. The answer for a row may not depend on the other rows of the call."""

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of the hazard of rows (variables…, number of the interval from 1)."""
        ...


def _groups(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Consecutive positions whose sizes add up to `limit` at most (a larger one is alone)."""
    groups: list[list[int]] = []
    total = limit + 1
    for position, size in enumerate(sizes):
        if total + size > limit:
            groups.append([])
            total = 0
        groups[-1].append(position)
        total += size
    return groups


@dataclass(frozen=True)
class HazardParams:
    """Fixed before looking at any test slice.

    Of the boosted families: `interval_effects`, each f_k may change with the interval; `column_share`, variables drawn for each
    split; `own_heads`, trees of each interval averaged with those of all. Of the scorecard: `ridge`, inverse of the penalty. Of the
    forest: `trees`. Of the ensemble: `members`. Of all: `bags`, seeds whose log-odds are averaged; `spread_folds`, groups of
    companies by which one line per interval is cross-fitted on the log-odds (0: none); `survivor_share`, part of the rows without
    event that is drawn to learn, whose effect on the odds is then taken back exactly.
    """

    interval_months: int = 6
    intervals: int = 4
    horizons: tuple[int, ...] = (12, 18, 24)
    main_horizon: int = 18
    learning_rate: float = 0.1
    iterations: int = 80
    leaves: int = 6
    min_samples_leaf: int = 100
    l2: float = 5.0
    interval_effects: bool = True
    column_share: float = 1.0
    own_heads: bool = False
    ridge: float = 1.0
    trees: int = 100
    members: tuple[str, ...] = ("additive", "interactions", "scorecard")
    bags: int = 1
    spread_folds: int = 0
    survivor_share: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError when a horizon is not a whole number of intervals."""
        if bad := [h for h in (*self.horizons, self.main_horizon) if h % self.interval_months]:
            raise ValueError(f"horizons that are not multiples of {self.interval_months} months: {bad}")
        if max(*self.horizons, self.main_horizon) > self.intervals * self.interval_months:
            raise ValueError(f"horizons beyond {self.intervals} intervals of {self.interval_months} months")


def feature_matrix(frame: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """(rows, features) float64, null as NaN. Raises ValueError naming absent or infinite columns: neither is guessed."""
    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(f"variables absentes : {', '.join(missing)}")
    columns = frame.select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in names)
    if infinite := [name for name in names if columns.get_column(name).is_infinite().any()]:
        raise ValueError(f"valeurs infinies dans : {', '.join(infinite)}")
    return np.ascontiguousarray(columns.to_numpy())


class HazardModel:
    """A fitted hazard. A company gets the same figures alone and in a batch: nothing is learned from the rows scored."""

    def __init__(
        self,
        estimator: Estimator,
        names: Sequence[str],
        params: HazardParams,
        *,
        additive: bool = True,
        base: float = 0.0,
        centre: Sequence[float] | None = None,
        shift: float = 0.0,
    ) -> None:
        """`additive`: no variable acts through another, so contributions are exact. `base` and `centre`: mean logit and mean
        raw contribution of the reference population, see `centred_on`.

        `shift`: added to the estimator's log-odds in every interval (the level, see `calibrate`).
        """
        self.estimator, self.names, self.params, self.additive = estimator, tuple(names), params, additive
        self.base = float(base)
        self.centre: Matrix = np.zeros(len(self.names)) if centre is None else np.asarray(centre, dtype=np.float64)
        self.shift = float(shift)

    @property
    def main_intervals(self) -> int:
        """Number of intervals up to the main horizon: the logit and its contributions are means over them."""
        return self.params.main_horizon // self.params.interval_months

    def interval_logits(self, values: Matrix, intervals: int | None = None) -> Matrix:
        """Calibrated log-odds of the hazard, shape (rows, intervals), of a (rows, features) matrix."""
        count = intervals or self.params.intervals
        out = np.empty((len(values), count))
        step = max(_CHUNK_ROWS // count, 1)
        for start in range(0, len(values), step):
            part = values[start : start + step]
            stacked = np.column_stack([np.repeat(part, count, axis=0), np.tile(np.arange(1.0, count + 1), len(part))])
            out[start : start + step] = self.estimator.decision_function(stacked).reshape(len(part), count)
        return out + self.shift

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """entity, period, p<horizon>…, logit, in the order of `frame`; p12 <= p18 <= p24 for every row.

        `logit` is the mean log-odds of the hazard over the intervals of the main horizon: what the contributions add up to.
        """
        logits = self.interval_logits(feature_matrix(frame, self.names))
        survival = np.cumsum(-np.logaddexp(0.0, logits), axis=1)  # log(1 - h) = -log(1 + e^logit)
        ends = {h: h // self.params.interval_months - 1 for h in self.params.horizons}
        return frame.select(
            "entity",
            "period",
            **{f"p{h}": pl.Series(-np.expm1(survival[:, end])) for h, end in ends.items()},
            logit=pl.Series(logits[:, : self.main_intervals].mean(axis=1)),
        )

    def raw_contributions(self, values: Matrix) -> tuple[Matrix, float]:
        """(rows, features) effects f_k(x_k) - f_k(missing) on the logit, and the logit of a row where all is missing.

        Exact because the model is additive. Each f_k is read once per distinct value, all in one stacked prediction.
        """
        if not self.additive:
            raise ValueError("contributions are exact for an additive model only")
        blank = np.full((1, len(self.names)), np.nan)
        origin = float(self.interval_logits(blank, self.main_intervals).mean(axis=1)[0])
        distinct = [np.unique(values[:, k], return_inverse=True) for k in range(len(self.names))]
        sizes = [len(levels) for levels, _ in distinct]
        # One prediction for many variables: each call pays the start of threads once per tree.
        shape = np.empty(sum(sizes))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        for group in _groups(sizes, _PROBE_ROWS):
            first, last = offsets[group[0]], offsets[group[-1] + 1]
            probe = np.full((last - first, len(self.names)), np.nan)
            for k in group:
                probe[offsets[k] - first : offsets[k + 1] - first, k] = distinct[k][0]
            shape[first:last] = self.interval_logits(probe, self.main_intervals).mean(axis=1) - origin
        effects = np.empty_like(values)
        for k, (_, position) in enumerate(distinct):
            effects[:, k] = shape[offsets[k] + position.ravel()]
        return effects, origin

    def contributions(self, frame: pl.DataFrame) -> pl.DataFrame:
        """entity, period, feature, value, contribution: for each row `base` + sum of its contributions == its `logit`.

        A contribution is the log-odds added by the value, relative to the mean of the reference population of the model.
        """
        values = feature_matrix(frame, self.names)
        effects, _ = self.raw_contributions(values)
        rows, count = values.shape
        key = frame.select("entity", "period").select(pl.all().repeat_by(count).explode())
        return key.with_columns(
            feature=pl.Series(list(self.names) * rows, dtype=pl.String),
            value=pl.Series(values.ravel()).fill_nan(None),
            contribution=pl.Series((effects - self.centre).ravel()),
        )

    def centred_on(self, frame: pl.DataFrame) -> HazardModel:
        """Same model whose contributions are relative to the mean of these rows (the at-risk population)."""
        effects, origin = self.raw_contributions(feature_matrix(frame, self.names))
        centre = effects.mean(axis=0)
        return self._with(base=origin + float(centre.sum()), centre=centre.tolist(), shift=self.shift)

    def shifted(self, shift: float) -> HazardModel:
        """Same estimator and contributions, `shift` more on every log-odds: all of it goes to `base`."""
        return self._with(base=self.base + shift, centre=self.centre.tolist(), shift=self.shift + shift)

    def _with(self, *, base: float, centre: Sequence[float], shift: float) -> HazardModel:
        return HazardModel(
            self.estimator, self.names, self.params, additive=self.additive, base=base, centre=centre, shift=shift
        )
