"""Quality of probabilities on closed windows, each figure with a firm-level bootstrap interval.

Rows are company-months: a failing company counts several times, so intervals draw companies, not rows, and the last figures
(share of failing companies seen, how many months ahead) count companies. Only windows that are closed enter: an outcome that is
null is left out, never a 0 (model.md 1.1, 1.3, 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.calibrate import logistic_slope, shift_to, sigmoid
from models_ml.panel import months

Vector = NDArray[np.float64]
TOP_SHARES = (0.01, 0.05, 0.10)
TOP_COUNTS = (5, 20, 50)


@dataclass(frozen=True)
class Slice:
    """Scores sorted downwards with their outcome, company and period codes: the form in which every metric is one pass."""

    p: Vector
    y: Vector
    entity: NDArray[np.int64]
    period: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pl.DataFrame, score: str, outcome: str) -> Slice:
        """From rows (entity, period, score, outcome); ties in the score are ordered by entity then period."""
        rows = frame.sort([score, "entity", "period"], descending=[True, False, False])
        codes = [rows.get_column(name).rank("dense").cast(pl.Int64).to_numpy() - 1 for name in ("entity", "period")]
        p, y = (rows.get_column(name).cast(pl.Float64).to_numpy() for name in (score, outcome))
        return cls(p, y, *codes)


def _logit(p: Vector) -> Vector:
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))


def _cumulated(part: Slice, w: Vector) -> tuple[Vector, Vector]:
    """Weighted true and false positives at each distinct score, downwards (ties enter together)."""
    last_of_tie = np.append(np.flatnonzero(np.diff(part.p)), len(part.p) - 1)
    return np.cumsum(w * part.y)[last_of_tie], np.cumsum(w * (1 - part.y))[last_of_tie]


def _auc(part: Slice, w: Vector) -> float:
    tp, fp = _cumulated(part, w)
    if tp[-1] <= 0 or fp[-1] <= 0:
        return float("nan")
    return float(np.trapezoid(np.append(0, tp), np.append(0, fp)) / (tp[-1] * fp[-1]))


def _average_precision(part: Slice, w: Vector) -> float:
    tp, fp = _cumulated(part, w)
    if tp[-1] <= 0:
        return float("nan")
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=(tp + fp) > 0)
    return float(np.sum(np.diff(np.append(0, tp)) * precision) / tp[-1])


def _ratio(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom > 0 else float("nan")


def _slope(part: Slice, w: Vector) -> float:
    """Slope of the logistic regression of the outcome on the logit of p: 1 = neither too timid (> 1) nor too bold (< 1)."""
    return logistic_slope(_logit(part.p), part.y, w)[0]


def _ece10(part: Slice, w: Vector) -> float:
    """Expected calibration error over ten groups of equal number of rows, ordered by probability."""
    if w.sum() <= 0:
        return float("nan")
    gaps = [abs(float(np.sum(w[g] * (part.y[g] - part.p[g])))) for g in np.array_split(np.arange(len(w)), 10) if len(g)]
    return float(sum(gaps) / w.sum())


def _at_threshold(threshold: float) -> Callable[[Slice, Vector], tuple[float, float]]:
    def metric(part: Slice, w: Vector) -> tuple[float, float]:
        flagged = w * (part.p >= threshold)
        hits = float(np.sum(flagged * part.y))
        return _ratio(hits, float(flagged.sum())), _ratio(hits, float(np.sum(w * part.y)))

    return metric


def _at_share(share: float) -> Callable[[Slice, Vector], tuple[float, float]]:
    def metric(part: Slice, w: Vector) -> tuple[float, float]:
        rank = np.cumsum(w)
        flagged = w * (rank <= np.ceil(share * rank[-1]))
        hits = float(np.sum(flagged * part.y))
        return _ratio(hits, float(flagged.sum())), _ratio(hits, float(np.sum(w * part.y)))

    return metric


def _top_of_each_period(part: Slice, count: int) -> NDArray[np.bool_]:
    """Rows among the `count` highest of their period: what a capacity per month looks at."""
    order = np.argsort(part.period, kind="stable")  # stable: keeps the descending score inside a period
    periods = part.period[order]
    starts = np.flatnonzero(np.append(True, np.diff(periods) != 0))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    top = np.zeros(len(order), dtype=bool)
    top[order[rank < count]] = True
    return top


def _at_count(top: NDArray[np.bool_]) -> Callable[[Slice, Vector], tuple[float, float]]:
    def metric(part: Slice, w: Vector) -> tuple[float, float]:
        flagged = w * top
        hits = float(np.sum(flagged * part.y))
        return _ratio(hits, float(flagged.sum())), _ratio(hits, float(np.sum(w * part.y)))

    return metric


def _metrics(part: Slice, thresholds: Mapping[str, float]) -> dict[str, Callable[[Slice, Vector], Any]]:
    """Name -> function of (slice, row weights). A pair gives precision and recall."""
    metrics: dict[str, Callable[[Slice, Vector], Any]] = {
        "prevalence": lambda s, w: _ratio(float(np.sum(w * s.y)), float(w.sum())),
        "auc": _auc,
        "ap": _average_precision,
        "brier": lambda s, w: _ratio(float(np.sum(w * (s.p - s.y) ** 2)), float(w.sum())),
        "observe_sur_attendu": lambda s, w: _ratio(float(np.sum(w * s.y)), float(np.sum(w * s.p))),
        "pente": _slope,
        "ece10": _ece10,
    }
    metrics |= {f"part_{share:.0%}": _at_share(share) for share in TOP_SHARES}
    metrics |= {f"premiers_{count}": _at_count(_top_of_each_period(part, count)) for count in TOP_COUNTS}
    metrics |= {f"seuil_{name}": _at_threshold(value) for name, value in thresholds.items()}
    return metrics


def _values(part: Slice, metrics: Mapping[str, Callable[[Slice, Vector], Any]], w: Vector) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, metric in metrics.items():
        value = metric(part, w)
        if isinstance(value, tuple):
            out[f"precision_{name}"], out[f"rappel_{name}"] = value
        else:
            out[name] = value
    return out


def _clean(value: float) -> float | None:
    return None if not np.isfinite(value) else float(value)


def _interval(draws: Sequence[float]) -> tuple[float | None, float | None]:
    """95 % percentile interval of the finite draws."""
    finite = [draw for draw in draws if np.isfinite(draw)]
    if not finite:
        return None, None
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def with_interval(firms: Vector, metric: Callable[[Vector], float], bootstrap: int, seed: int) -> dict[str, Any]:
    """{valeur, bas, haut} of a metric of one row per company; each draw takes companies with replacement."""
    rng = np.random.default_rng(seed)
    low, high = _interval([metric(firms[rng.integers(0, len(firms), len(firms))]) for _ in range(bootstrap)])
    return {"valeur": _clean(metric(firms)), "bas": low, "haut": high}


def _slope_moments(part: Slice, slope: float) -> Vector:
    """(companies, 5) sums of a Newton step of the calibration line at this slope: they are linear in the weight of a company."""
    x = _logit(part.p)
    q = sigmoid(slope * x + shift_to(slope * x, float(part.y.sum())))
    v, r = q * (1 - q), part.y - q
    return np.stack([np.bincount(part.entity, weights=each) for each in (v, v * x, v * x * x, r, r * x)], axis=1)


def _stepped(slope: float, moments: Vector) -> float:
    """Slope of a draw: one step from that of the slice. A refit of each draw took most of the time for the same interval."""
    s0, s1, s2, g0, g1 = moments
    det = s0 * s2 - s1 * s1
    return float(slope + (s0 * g1 - s1 * g0) / det) if det > 1e-12 else float("nan")


def _with_intervals(part: Slice, thresholds: Mapping[str, float], bootstrap: int, seed: int) -> dict[str, Any]:
    metrics = _metrics(part, thresholds)
    point = _values(part, metrics, np.ones(len(part.p)))
    slope = point["pente"]
    moments = _slope_moments(part, slope) if np.isfinite(slope) else None
    others = {name: metric for name, metric in metrics.items() if name != "pente"}
    count = int(part.entity.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(bootstrap):  # companies with replacement
        firms = rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        stepped = float("nan") if moments is None else _stepped(slope, (firms[:, None] * moments).sum(axis=0))
        drawn.append({"pente": stepped, **_values(part, others, firms[part.entity])})
    out: dict[str, Any] = {}
    for name, value in point.items():
        low, high = _interval([draw[name] for draw in drawn])
        out[name] = {"valeur": _clean(value), "bas": low, "haut": high}
    return out


def companies_seen(
    rows: pl.DataFrame, score: str, threshold: float, horizon: int, bootstrap: int, seed: int
) -> dict[str, Any]:
    """Of the companies that failed in a closed window, the share flagged at least once before, and the lead time in months.

    Lead time = months from the first flagged period to the event. `rows`: entity, period, event_period, outcome, score.
    """
    failing = rows.filter(pl.col(f"defaillance_{horizon}m") == 1)
    firms = (
        failing.with_columns(lead=months("event_period") - months("period"))
        .group_by("entity")
        .agg(lead=pl.col("lead").filter(pl.col(score) >= threshold).max())
        .sort("entity")
    )
    if firms.is_empty():
        return {"entreprises": 0}
    lead = firms.get_column("lead").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    median = lambda x: float(np.median(x[np.isfinite(x)])) if np.isfinite(x).any() else float("nan")  # noqa: E731
    return {
        "entreprises": len(lead),
        "rappel": with_interval(lead, lambda x: float(np.isfinite(x).mean()), bootstrap, seed),
        "avance_mediane_mois": with_interval(lead, median, bootstrap, seed),
    }


def evaluate(
    scores: pl.DataFrame,
    outcomes: pl.DataFrame,
    horizons: Sequence[int] = (12, 18, 24),
    *,
    thresholds: Mapping[str, float] | None = None,
    threshold_horizon: int = 18,
    bootstrap: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Metrics per horizon, JSON-ready: {"12": {"lignes", "defaillances", "entreprises", "periode_min", …, "auc": {valeur, bas, haut}}}.

    `scores`: entity, period, p<horizon>. `outcomes`: entity, period, defaillance_<horizon>m (0/1, null while open) and, for the
    lead time, event_period. `thresholds` (name -> value) are on p<threshold_horizon>: they are used at that horizon only.
    A horizon without a closed window with at least one event and one survivor has only its counts.
    """
    rows = scores.join(outcomes, on=["entity", "period"], how="inner", validate="1:1")
    result: dict[str, Any] = {}
    for horizon in horizons:
        outcome, score = f"defaillance_{horizon}m", f"p{horizon}"
        closed = rows.filter(pl.col(outcome).is_not_null(), pl.col(score).is_not_null())
        events = int(closed.get_column(outcome).sum() or 0)
        entry: dict[str, Any] = {
            "lignes": closed.height,
            "defaillances": events,
            "entreprises": closed.get_column("entity").n_unique(),
            "entreprises_defaillantes": closed.filter(pl.col(outcome) == 1).get_column("entity").n_unique(),
            "periode_min": str(closed.get_column("period").min()) if closed.height else None,
            "periode_max": str(closed.get_column("period").max()) if closed.height else None,
        }
        if 0 < events < closed.height:
            used = dict(thresholds or {}) if horizon == threshold_horizon else {}
            entry |= _with_intervals(Slice.of(closed, score, outcome), used, bootstrap, seed)
            if "event_period" in closed.columns and used:
                entry["entreprises_vues"] = {
                    name: companies_seen(closed, score, value, horizon, bootstrap, seed)
                    for name, value in sorted(used.items())
                }
        result[str(horizon)] = entry
    return result


def segments(
    scores: pl.DataFrame,
    outcomes: pl.DataFrame,
    by: pl.DataFrame,
    column: str,
    horizon: int,
    *,
    min_events: int = 10,
    bootstrap: int = 100,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """`evaluate` at one horizon for each value of a segment (sector, region, size…), in the order of the values.

    `by`: entity, period, `column`; a row without a value is in the segment "(inconnu)". A segment with fewer than `min_events`
    events has its counts only: its figures would be those of chance.
    """
    keyed = by.select("entity", "period", _segment=pl.col(column).cast(pl.String).fill_null("(inconnu)"))
    rows = outcomes.join(keyed, on=["entity", "period"], how="left", validate="1:1").with_columns(
        pl.col("_segment").fill_null("(inconnu)")
    )
    result = {}
    for name in rows.get_column("_segment").unique().sort():
        part = rows.filter(pl.col("_segment") == name).drop("_segment")
        entry = evaluate(scores, part, [horizon], bootstrap=0)[str(horizon)]
        if entry["defaillances"] >= min_events and "auc" in entry:
            entry = evaluate(scores, part, [horizon], bootstrap=bootstrap, seed=seed)[str(horizon)]
        else:
            entry = {key: value for key, value in entry.items() if not isinstance(value, dict)}
        result[name] = entry
    return result


def paired_difference(
    a: pl.DataFrame,
    b: pl.DataFrame,
    outcomes: pl.DataFrame,
    metric: str,
    horizon: int,
    *,
    bootstrap: int = 200,
    seed: int = 0,
) -> dict[str, float | None]:
    """{valeur, bas, haut} of `metric` (a name of `evaluate`) of scores `a` minus that of `b`, on the rows that both scored.

    The same companies are drawn for both, so what is common to the two (a hard year, a large sector) leaves the interval: it says
    whether one model is better than the other, where two separate intervals almost always overlap. Raises ValueError on an
    unknown metric or without an event and a survivor in common.
    """
    outcome, score = f"defaillance_{horizon}m", f"p{horizon}"
    key = ["entity", "period"]
    rows = (
        a.select(*key, _a=score)
        .join(b.select(*key, _b=score), on=key, how="inner", validate="1:1")
        .join(outcomes.select(*key, outcome), on=key, how="inner", validate="1:1")
        .filter(pl.col(outcome).is_not_null())
    )
    if rows.get_column(outcome).n_unique() < 2:
        raise ValueError("aucune ligne commune avec et sans défaillance : rien à comparer")
    slices = [Slice.of(rows, name, outcome) for name in ("_a", "_b")]
    wanted = [_only(metric, part) for part in slices]
    count = rows.get_column("entity").n_unique()
    rng = np.random.default_rng(seed)

    def difference(firms: Vector) -> float:
        first, second = (of(part, firms[part.entity]) for of, part in zip(wanted, slices, strict=True))
        return first - second

    draws = [difference(rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)) for _ in range(bootstrap)]
    low, high = _interval(draws)
    return {"valeur": _clean(difference(np.ones(count))), "bas": low, "haut": high}


def _only(name: str, part: Slice) -> Callable[[Slice, Vector], float]:
    """One metric by its name in `evaluate`."""
    known = _metrics(part, {})
    if name in known and not name.startswith(("part_", "premiers_")):
        return known[name]
    side, _, base = name.partition("_")
    if base not in known or side not in ("precision", "rappel"):
        raise ValueError(f"métrique inconnue : {name}")
    return lambda s, w: known[base](s, w)[side == "rappel"]


def best_thresholds(scores: pl.DataFrame, outcomes: pl.DataFrame, horizon: int = 18) -> dict[str, float]:
    """{"f1": best for F0.5, "f2": best for F2} of p<horizon> on closed windows, with f1 > f2 (model.md 1.9: the two lists).

    The curve maximised is the expected one: each outcome is replaced by its probability, brought to the level of the slice by one
    shift of the log-odds. It has a single smooth top where the observed curve has a noisy plateau, on which the argmax wandered
    from 0.14 to 0.44 in four years. Exact among the distinct scores, the highest wins a tie; thresholds are on the shifted scale,
    that of a calibrated model. Raises ValueError without an event, without a survivor or with one distinct score.
    """
    closed = scores.join(outcomes, on=["entity", "period"], how="inner").filter(
        pl.col(f"defaillance_{horizon}m").is_not_null()
    )
    part = Slice.of(closed, f"p{horizon}", f"defaillance_{horizon}m")
    events = float(part.y.sum())
    if len(part.p) < 2 or part.p[0] == part.p[-1] or not 0 < events < len(part.p):
        raise ValueError("pas assez de scores distincts ou de défaillances pour choisir des seuils")
    logits = _logit(part.p)
    p = sigmoid(logits + shift_to(logits, events))
    last_of_tie = np.append(np.flatnonzero(np.diff(part.p)), len(p) - 1)
    flagged, hits, levels = last_of_tie + 1.0, np.cumsum(p)[last_of_tie], p[last_of_tie]

    def f_score(beta: float) -> Vector:
        return (1 + beta**2) * hits / (flagged + beta**2 * events)

    first = int(np.argmax(f_score(0.5)[:-1]))
    second = first + 1 + int(np.argmax(f_score(2.0)[first + 1 :]))
    return {"f1": float(levels[first]), "f2": float(levels[second])}
