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
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models_ml.calibrate import logistic_slope, shift_to
from models_ml.features import Feature
from models_ml.hazard import Estimator, HazardParams, Matrix, Vector

# Values are cut at 63 quantiles: finer cuts ranked no better on the simulated region, and take longer.
_BINS = 63
# Finer in the tails, where failures are.
_CUTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_FOREST_LEAF = 10
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


class Forest:
    """Randomised trees: their mean share of events, as log-odds. Added on one thread: sums of several depend on their order."""

    def __init__(self, trees: ExtraTreesClassifier) -> None:
        self.trees = trees

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of rows (variables…, interval)."""
        p = np.clip(self.trees.predict_proba(X)[:, 1], 1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))


class Heads:
    """Mean of an estimator of all intervals and of one of its own for each: the first is not asked to look like the last."""

    def __init__(self, common: Estimator, own: list[Estimator]) -> None:
        self.common, self.own = common, own

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of rows (variables…, interval)."""
        out = self.common.decision_function(X)
        for interval, head in enumerate(self.own, start=1):
            rows = X[:, -1] == interval
            if rows.any():
                out[rows] = (out[rows] + head.decision_function(X[rows])) / 2
        return out


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


class Spread:
    """An estimator whose log-odds are set right by one line per interval: means of several are too timid."""

    def __init__(self, estimator: Estimator, lines: Matrix) -> None:
        """`lines`: (intervals, 2), intercept and slope."""
        self.estimator, self.lines = estimator, lines

    def decision_function(self, X: Matrix) -> Vector:
        """Log-odds of rows (variables…, interval)."""
        line = self.lines[X[:, -1].astype(np.intp) - 1]
        return line[:, 0] + line[:, 1] * self.estimator.decision_function(X)


Fit = Callable[[Matrix, Vector, Sequence[Feature], HazardParams, int], Estimator]


def _fit_boosted(
    X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int, *, additive: bool
) -> Estimator:
    common = _boosted(features, params, seed, additive=additive).fit(X, events)
    if not params.own_heads:
        return common
    heads = []
    for interval in range(1, params.intervals + 1):
        rows = X[:, -1] == interval
        heads.append(_boosted(features, params, seed, additive=additive).fit(X[rows], events[rows]))
    return Heads(common, heads)


def _fit_additive(X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int) -> Estimator:
    return _fit_boosted(X, events, features, params, seed, additive=True)


def _fit_interactions(
    X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int
) -> Estimator:
    return _fit_boosted(X, events, features, params, seed, additive=False)


def _fit_forest(X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int) -> Estimator:
    trees = ExtraTreesClassifier(
        n_estimators=params.trees,
        min_samples_leaf=_FOREST_LEAF,
        max_features="sqrt",
        monotonic_cst=[*(feature.monotone for feature in features), 0],
        n_jobs=-1,
        random_state=seed,
    ).fit(X, events)
    return Forest(trees.set_params(n_jobs=None))


def _fit_ensemble(X: Matrix, events: Vector, features: Sequence[Feature], params: HazardParams, seed: int) -> Estimator:
    return Mean([FAMILIES[name].fit(X, events, features, params, seed) for name in params.members])


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
    "forest": Family(_fit_forest, additive=False, label="forêt d'arbres extrêmes"),
    "ensemble": Family(_fit_ensemble, additive=False, label="ensemble"),
}


def fit(
    family: str,
    values: Matrix,
    events: NDArray[np.integer],
    entities: NDArray[np.integer],
    features: Sequence[Feature],
    params: HazardParams,
    seed: int,
) -> Estimator:
    """Fit a family on (features…, interval) and 0/1 events; `entities`: code of the company of each row.

    Raises ValueError on an unknown family or an interval without an event and a survivor where it has to be fitted alone.
    """
    if family not in FAMILIES:
        raise ValueError(f"famille inconnue : {family} (familles : {', '.join(FAMILIES)})")
    # A source that was never delivered leaves columns without any value, which cannot be cut into bins. A constant instead: no
    # family can use it, so the variable has no effect, whatever its value later.
    empty = np.isnan(values).all(axis=0)
    if empty.any():
        values = values.copy()
        values[:, empty] = 0.0
    target = events.astype(np.float64)
    learn = FAMILIES[family].fit
    bags = [learn(values, target, features, params, seed + bag) for bag in range(params.bags)]
    fitted = bags[0] if len(bags) == 1 else Mean(bags)
    if not params.spread_folds:
        return fitted
    return Spread(fitted, _cross_fitted(family, values, target, entities, features, params, seed))


def _cross_fitted(
    family: str,
    X: Matrix,
    events: Vector,
    entities: NDArray[np.integer],
    features: Sequence[Feature],
    params: HazardParams,
    seed: int,
) -> Matrix:
    """Intercept and slope of each interval, of companies scored by models that saw none of their rows.

    On the rows learned the slope would be that of the trees' memory. Rows later than the training are not used: a level or a
    spread read on a few quiet years would be served to others.
    """
    codes = np.unique(entities, return_inverse=True)[1].ravel()
    fold = np.random.default_rng(seed).permutation(codes.max() + 1)[codes] % params.spread_folds
    logits = np.empty(len(X))
    for held in range(params.spread_folds):
        out = fold == held
        model = FAMILIES[family].fit(X[~out], events[~out], features, params, seed)
        logits[out] = model.decision_function(X[out])
    lines = np.tile([0.0, 1.0], (params.intervals, 1))
    for interval in range(1, params.intervals + 1):
        rows = X[:, -1] == interval
        slope = logistic_slope(logits[rows], events[rows])[0]
        if np.isfinite(slope) and slope > 0:  # an interval without an event keeps its line
            lines[interval - 1] = shift_to(slope * logits[rows], float(events[rows].sum())), slope
    return lines
