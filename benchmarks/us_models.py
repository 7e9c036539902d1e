"""Models of the American benchmark that are not families of the library: what is published or in service, to compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

Matrix = NDArray[np.float64]
Outcome = NDArray[np.bool_]
# Rows learned, their outcome, rows scored, seed -> probabilities.
Model = Callable[[Matrix, Outcome, Matrix, int], Matrix]


def altman(rows: pl.DataFrame) -> Matrix:
    """Altman's Z'' (1995, book equity), fixed weights; its sign turned so that more is riskier. No probability: ranks only."""
    x = [pl.col(name) for name in ("X1", "X14", "X10", "X15", "X12", "X17")]
    current, short, assets, retained, ebit, debt = x
    z = (
        6.56 * (current - short) / assets
        + 3.26 * retained / assets
        + 6.72 * ebit / assets
        + 1.05 * (assets - debt) / debt
    )
    return -rows.select(pl.when(z.is_finite()).then(z).fill_null(z.median())).to_series().to_numpy()


def existing_recipe(X: Matrix, y: Outcome, later: Matrix, seed: int) -> Matrix:
    """The recipe of the existing service (model.md 1.4, 1.6, 1.7): zeros for missing, failures repeated up to 35 %, depth 9."""
    rng = np.random.default_rng(seed)
    positives, others = np.flatnonzero(y), np.flatnonzero(~y)
    drawn = rng.choice(positives, int(0.35 / 0.65 * len(others)), replace=True)
    rows = np.concatenate([others, drawn])
    forest = RandomForestClassifier(100, max_depth=9, max_features="sqrt", n_jobs=-1, random_state=seed)
    forest.fit(np.nan_to_num(X[rows]), y[rows])
    return forest.predict_proba(np.nan_to_num(later))[:, 1]


def logistic(X: Matrix, y: Outcome, later: Matrix, seed: int) -> Matrix:
    """Median for missing, quantiles to a normal law, ridge: the usual logistic regression."""
    steps: list[Any] = [
        SimpleImputer(strategy="median"),
        QuantileTransformer(output_distribution="normal", subsample=20_000, random_state=seed),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    ]
    return make_pipeline(*steps).fit(X, y).predict_proba(later)[:, 1]


def direct_boosting(X: Matrix, y: Outcome, later: Matrix, seed: int) -> Matrix:
    """One classifier per horizon, as separate models are made: nothing keeps their probabilities in order."""
    trees = HistGradientBoostingClassifier(
        learning_rate=0.06, max_iter=150, max_leaf_nodes=12, min_samples_leaf=60, l2_regularization=5.0, max_features=0.4,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return trees.fit(X, y).predict_proba(later)[:, 1]
