"""Time of the boosted families beside LightGBM at equal quality, and time and memory of a national batch."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.backtest import free_features
from models_ml.evaluate import evaluate
from models_ml.families import FAMILIES, fit
from models_ml.hazard import HazardModel, HazardParams

COLUMNS = 60
COMPANIES = 350_000
PARAMS = HazardParams(
    interval_months=12, intervals=1, horizons=(12,), main_horizon=12, iterations=100, leaves=12, l2=5.0
)


def _panel(rows: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Correlated variables, a fifth missing, 2 % of events with curves and two interactions; the last column is the interval."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, COLUMNS + 1))
    X[:, 1:20] += 0.7 * X[:, [0]]
    logit = -4.8 + 0.8 * X[:, 0] + np.abs(X[:, 20]) + 0.6 * np.tanh(2 * X[:, 21]) + 0.5 * X[:, 22] * X[:, 23]
    logit += 0.4 * (X[:, 24] > 1) * X[:, 0]
    events = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, -1] = 1.0
    return X, events


def _lightgbm(X: NDArray[np.float64], y: NDArray[np.int8]) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=PARAMS.iterations, learning_rate=PARAMS.learning_rate, num_leaves=PARAMS.leaves, max_bin=63,
        min_child_samples=PARAMS.min_samples_leaf, reg_lambda=PARAMS.l2, n_jobs=os.cpu_count(), verbose=-1, random_state=0,
    ).fit(X, y)  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def _auc(p: NDArray[np.float64], y: NDArray[np.int8]) -> float:
    key = {"entity": np.arange(len(y)), "period": pl.Series([date(2020, 1, 1)]).new_from_index(0, len(y))}
    scored, known = pl.DataFrame({**key, "p12": p}), pl.DataFrame({**key, "defaillance_12m": y})
    return evaluate(scored, known, [12], bootstrap=0)["12"]["auc"]["valeur"]


def beside_lightgbm(rows: int, runs: int) -> str:
    """Fit and score times of the boosted families as ratios to LightGBM with as many trees of as many leaves: medians of
    interleaved runs."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        return "LightGBM is not installed: `uv pip install -e '.[bench]'` to compare speeds.\n"
    X, y = _panel(rows, 0)
    later, truth = _panel(200_000, 1)
    features = free_features([f"x{k}" for k in range(COLUMNS)])
    entities = np.arange(rows)
    fits: dict[str, Callable[[], Any]] = {"LightGBM": lambda: _lightgbm(X[:, :-1], y)}
    fits |= {
        name: lambda family=name: fit(family, X, y, entities, features, PARAMS, 0)
        for name in ("interactions", "additive")
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in fits}
    auc: dict[str, float] = {}
    for _ in range(runs):
        for name, learn in fits.items():
            fit_time, model = _timed(learn)
            score_time, p = _timed(lambda name=name, model=model: _scored(name, model, later))
            taken[name].append((fit_time, score_time))
            auc[name] = _auc(p, truth)
    medians = {name: np.median(times, axis=0) for name, times in taken.items()}
    lines = [
        f"{rows:,} rows × {COLUMNS} variables, {PARAMS.iterations} trees of {PARAMS.leaves} leaves; scored: 200,000 rows; runs: {runs}.\n",
        "| model | fit, s | fit ÷ LightGBM | score, s | score ÷ LightGBM | AUC |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, (fit_time, score_time) in medians.items():
        fit_ratio, score_ratio = (fit_time, score_time) / medians["LightGBM"]
        cells = [
            name,
            f"{fit_time:.1f}",
            f"{fit_ratio:.2f}",
            f"{score_time:.2f}",
            f"{score_ratio:.2f}",
            f"{auc[name]:.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _scored(name: str, model: Any, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if name == "LightGBM":
        return np.asarray(model.predict_proba(rows[:, :-1])[:, 1])
    return np.asarray(1 / (1 + np.exp(-model.decision_function(rows))))


def national_batch() -> str:
    """Seconds and peak memory of scoring every company of the national perimeter at 12, 18 and 24 months, in a process of its own."""
    lines = [
        f"{COMPANIES:,} companies × {COLUMNS} variables scored in one pass, three horizons, a process of its own.\n",
        "| family | seconds | peak memory, MiB | goal | reached |",
        "|---|---:|---:|---|---|",
    ]
    for family in ("additive", "interactions", "scorecard"):
        done = subprocess.run(
            [sys.executable, "-c", f"from benchmarks.model_speed import score_batch; score_batch({family!r})"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, peak = map(float, done.stdout.split())
        lines.append(f"| {family} | {seconds:.1f} | {peak:,.0f} | < 2,048 MiB | {'yes' if peak < 2048 else 'no'} |")
    return "\n".join([*lines, ""])


def score_batch(family: str) -> None:
    """Print the seconds of one pass over the national perimeter and the peak memory of this process in MiB."""
    X, y = _panel(20_000, 0)
    params = HazardParams()
    names = [f"x{k}" for k in range(COLUMNS)]
    X[:, -1] = 1 + np.arange(len(X)) % params.intervals
    estimator = fit(family, X, y, np.arange(len(X)), free_features(names), params, 0)
    model = HazardModel(estimator, names, params, additive=FAMILIES[family].additive)
    batch, _ = _panel(COMPANIES, 1)
    frame = pl.DataFrame({name: batch[:, k] for k, name in enumerate(names)}).with_columns(
        entity=pl.int_range(COMPANIES).cast(pl.String), period=pl.lit(date(2020, 1, 1))
    )
    del batch
    seconds, _ = _timed(lambda: model.predict(frame))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
