"""Families of hazards behind one interface: what `HazardModel` asks of an estimator is its log-odds of (variables…, interval).

Because every family estimates the hazard of an interval, probabilities grow with the horizon whatever the family. All learn at
natural prevalence (or on a drawn part of the survivors, exactly corrected), keep missing values apart, and obey the directions
declared for the variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models_ml.features import Feature
from models_ml.hazard import Estimator, HazardParams, Matrix, Vector

# Values are cut at 63 quantiles: the same AUC as 255 on the simulated region, with a tenth less time.
_BINS = 63
# Finer in the tails, where failures are.
_CUTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
# Expected events by which the weight of a bin is drawn towards none: a bin with few companies says little.
_PRIOR_EVENTS = 5.0


def _boosted(
    features: Sequence[Feature], params: HazardParams, seed: int, *, additive: bool
) -> HistGradientBoostingClassifier:
    """Unfitted trees on (features, interval): natural prevalence, no early stopping (its random split hides a period)."""
    last = len(features)
    pairs = [{k, last} if params.interval_effects else {k} for k in range(last)]
    if not params.interval_effects:
        pairs.append({last})
    return HistGradientBoostingClassifier(
        loss="log_loss",
        learning_rate=params.learning_rate,
        max_iter=params.iterations,
        max_leaf_nodes=params.leaves,
        min_samples_leaf=params.min_samples_leaf,
        l2_regularization=params.l2,
        max_features=params.column_share,
        early_stopping=False,
        max_bins=_BINS,
        monotonic_cst=[*(feature.monotone for feature in features), 0],
        interaction_cst=pairs if additive else None,
        random_state=seed,
    )


class Scorecard:
    """Points by bin of each variable, added up: what a credit committee reads on one page."""

    def __init__(self, edges: list[Vector], points: list[Vector], intercept: float) -> None:
        """`edges[k]`: bounds of the bins of column k; `points[k]`: one value per bin, then that of a missing value."""
        self.edges, self.points, self.intercept = edges, points, intercept

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of rows (variables…, interval)."""
        out = np.full(len(X), self.intercept)
        for k, (edges, points) in enumerate(zip(self.edges, self.points, strict=True)):
            out += points[_bin(X[:, k], edges)]
        return out


def _bin(column: Vector, edges: Vector) -> NDArray[np.intp]:
    """Number of the bin of each value; the one after the last is that of missing values."""
    return np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="right"))


def _weights(bins: NDArray[np.intp], count: int, events: Vector, direction: int) -> Vector:
    """Log of observed over expected events in each of `count` bins (the last: missing), drawn to 0, in the declared direction."""
    rate = float(events.mean())
    rows = np.bincount(bins, minlength=count)
    observed = np.bincount(bins, weights=events, minlength=count)
    weights = np.log((observed + _PRIOR_EVENTS) / (rows * rate + _PRIOR_EVENTS))
    if direction and count > 2:
        order = IsotonicRegression(increasing=direction > 0)
        weights[:-1] = order.fit_transform(np.arange(count - 1), weights[:-1], sample_weight=rows[:-1] + 1.0)
    return weights


def _fit_scorecard(
    X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, _seed: int
) -> Estimator:
    """Weights of evidence by quantile bin, then a ridge logistic regression on them.

    A variable whose coefficient turns negative beside the others says the opposite of what it says alone: it is left out, and
    the others are fitted again. The solver runs on one thread: sums of several depend on their number.
    """
    directions = [*(feature.monotone for feature in features), 0]
    edges = [np.unique(np.nanquantile(X[:, k], _CUTS, method="higher")) for k in range(len(features))]
    edges.append(np.arange(2.0, params.intervals + 1))
    bins = [_bin(X[:, k], edges[k]) for k in range(len(edges))]
    weights = [_weights(b, len(edges[k]) + 2, events, directions[k]) for k, b in enumerate(bins)]
    coded = np.column_stack([w[b] for w, b in zip(weights, bins, strict=True)])
    kept = np.arange(len(edges))
    with threadpool_limits(limits=1):
        while True:
            model = LogisticRegression(C=params.ridge, solver="newton-cholesky", tol=1e-8).fit(coded[:, kept], events)
            if (model.coef_[0] >= 0).all():
                break
            kept = kept[model.coef_[0] >= 0]
    coefficients = np.zeros(len(edges))
    coefficients[kept] = model.coef_[0]
    return Scorecard(edges, [c * w for c, w in zip(coefficients, weights, strict=True)], float(model.intercept_[0]))


class Mean:
    """Mean of the log-odds of several estimators."""

    def __init__(self, members: list[Estimator]) -> None:
        self.members = members

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of rows (variables…, interval)."""
        out = np.zeros(len(X))
        for member in self.members:
            out += member.decision_function(X)
        return out / len(self.members)


Fit = Callable[[Matrix, Vector, Sequence[Feature], HazardParams, int], Estimator]


def _fit_additive(X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int) -> Estimator:
    return _boosted(features, params, seed, additive=True).fit(X, events)


def _fit_interactions(
    X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int
) -> Estimator:
    return _boosted(features, params, seed, additive=False).fit(X, events)


def _fit_ensemble(X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int) -> Estimator:
    return Mean([FAMILIES[name].fit(X, events, features, params, seed) for name in _MEMBERS])


@dataclass(frozen=True)
class Family:
    """A way to fit a hazard. `additive`: contributions of its models are exact. `label`: how a report names it."""

    fit: Fit
    additive: bool
    label: str


#: The families by name.
FAMILIES = {
    "additive": Family(_fit_additive, additive=True, label="boosting additif"),
    "interactions": Family(_fit_interactions, additive=False, label="boosting avec interactions"),
    "scorecard": Family(_fit_scorecard, additive=True, label="grille de score logistique"),
    "ensemble": Family(_fit_ensemble, additive=False, label="ensemble des trois familles"),
}
_MEMBERS = ("additive", "interactions", "scorecard")


def fit(
    family: str,
    values: Matrix,
    events: NDArray[np.integer],
    features: Sequence[Feature],
    params: HazardParams,
    seed: int,
) -> Estimator:
    """Fit a family on (features…, interval) and 0/1 events. Raises ValueError on an unknown family."""
    if family not in FAMILIES:
        raise ValueError(f"famille inconnue : {family} (familles : {', '.join(FAMILIES)})")
    # A source that was never delivered leaves columns without any value, which cannot be cut into bins. A constant instead: no
    # family can use it, so the variable has no effect, whatever its value later.
    values = values.copy()
    values[:, np.isnan(values).all(axis=0)] = 0.0
    target = events.astype(np.float64)
    bags = [FAMILIES[family].fit(values, target, features, params, seed + bag) for bag in range(params.bags)]
    return bags[0] if len(bags) == 1 else Mean(bags)
