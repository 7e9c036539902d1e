"""Has the population moved since the model was learned? One number for each variable: its population stability index.

Classes are the tenths of the reference, and one for missing values: a source that stops speaking is a move too. Usual reading:
below 0.1 nothing, above 0.25 another population. A variable that follows the calendar (age of the accounts) moves every year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.hazard import feature_matrix

_TENTHS = np.arange(0.1, 1.0, 0.1)
# A class empty on one side would give an infinite index.
_LEAST_SHARE = 1e-3


def _shares(values: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the values in each class; the last is that of missing values."""
    missing = np.isnan(values)
    classes = np.where(missing, len(bounds) + 1, np.searchsorted(bounds, values, side="right"))
    return np.bincount(classes, minlength=len(bounds) + 2) / max(len(values), 1)


def profile(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Of each column, {"bornes": bounds of its classes, "parts": share of the rows in each, missing last}; JSON-ready."""
    values = feature_matrix(frame, names)
    out = {}
    for k, name in enumerate(names):
        known = values[~np.isnan(values[:, k]), k]
        bounds = np.unique(np.quantile(known, _TENTHS, method="lower")) if len(known) else np.array([])
        out[name] = {"bornes": bounds.tolist(), "parts": _shares(values[:, k], bounds).tolist()}
    return out


def stability(reference: Mapping[str, Mapping[str, Any]], frame: pl.DataFrame) -> dict[str, float]:
    """Population stability index of each column of `reference` (see `profile`) in these rows; 0 = the same population."""
    names = list(reference)
    values = feature_matrix(frame, names)
    out = {}
    for k, name in enumerate(names):
        before = np.maximum(np.array(reference[name]["parts"]), _LEAST_SHARE)
        now = np.maximum(_shares(values[:, k], np.array(reference[name]["bornes"])), _LEAST_SHARE)
        out[name] = float(np.sum((now - before) * np.log(now / before)))
    return out


def poisson_interval(observed: int) -> tuple[float, float]:
    """95 % interval of the expected count behind `observed` failures (Byar's approximation)."""
    low = observed * (1 - 1 / (9 * observed) - 1.96 / (3 * observed**0.5)) ** 3 if observed else 0.0
    more = observed + 1
    return low, more * (1 - 1 / (9 * more) + 1.96 / (3 * more**0.5)) ** 3
