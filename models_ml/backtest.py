"""Families judged side by side on a panel, each model knowing only what was known before what it is judged on.

Fixed split: rows up to a period are learned with their outcomes of every horizon, rows from a later one are judged; between them lies
at least the longest horizon, so no label of the fit looks into the periods judged. Rolling origin: at each origin a model is fitted
with the intervals closed by then, and judged on the rows from there to the next origin; the scores of all origins are pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import reduce
from itertools import pairwise
from math import gcd
from typing import Any

import polars as pl

from models_ml.evaluate import evaluate, paired_difference
from models_ml.features import Feature
from models_ml.hazard import HazardParams
from models_ml.panel import build_person_periods, label_outcomes, months
from models_ml.panel_file import PanelRefused
from models_ml.tidy import Tidy
from models_ml.train import fit_hazard

MAX_INTERVALS = 24
MIN_EVENTS = 20
ORIGINS = 4
# Person-periods above which a part of those without event is drawn: as many events are learned, in a bounded time.
MAX_ROWS = 1_000_000
PAIRED = ("ap", "auc")


@dataclass(frozen=True)
class Split:
    """Month indices. `learned`: last period whose rows are learned; `known`: month to which events were known; judged: [first, end[."""

    learned: int
    known: int
    first: int
    end: int


def hazard_params(horizons: Sequence[int], step: int, base: HazardParams | None = None) -> HazardParams:
    """Intervals as long as the horizons allow (their greatest common divisor), in months. Raises PanelRefused on too many."""
    unit = reduce(gcd, horizons)
    intervals = max(horizons) // unit
    if intervals > MAX_INTERVALS:
        raise PanelRefused(
            f"les horizons {', '.join(map(str, horizons))} demandent {intervals} intervalles (au plus {MAX_INTERVALS}) : prenez des "
            "multiples d'un même nombre, par exemple 6, 12, 24"
        )
    lengths = tuple(horizon * step for horizon in horizons)
    return replace(
        base or HazardParams(),
        interval_months=unit * step,
        intervals=intervals,
        horizons=lengths,
        main_horizon=lengths[0],
    )


def fixed_split(tidy: Tidy, learned: int, first: int, horizons: Sequence[int]) -> list[Split]:
    """One split. Raises PanelRefused when the periods judged begin before the last label learned is known (the embargo)."""
    known = learned + max(horizons) * tidy.step
    if first < known:
        raise PanelRefused(
            f"les lignes jugées commencent en {_name(first)} alors que les issues apprises regardent jusqu'en {_name(known)} : "
            "laissez entre les deux au moins le plus long horizon"
        )
    return [Split(learned, known, first, 10**6)]


def rolling_splits(tidy: Tidy, horizons: Sequence[int], origins: int = ORIGINS) -> list[Split]:
    """The last `origins` yearly origins (or one period apart when periods are longer) that can be judged at the shortest horizon."""
    periods = tidy.frame.select(months("period").unique().sort()).to_series().to_list()
    stride = max(12, tidy.step)
    latest = min(tidy.until - min(horizons) * tidy.step, periods[-1])
    starts = [latest - stride * k for k in range(origins)][::-1]
    starts = [start - stride + tidy.step for start in starts] if stride > tidy.step else starts
    usable = [start for start in starts if start > periods[0] + tidy.step]
    if not usable:
        raise PanelRefused(
            "l'historique est trop court pour une seule origine : moins de deux périodes avant les lignes à juger"
        )
    return [Split(start, start, start, start + stride) for start in usable]


def _name(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"


def _last_day(month: int) -> date:
    return date((month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)


def free_features(names: Sequence[str]) -> list[Feature]:
    """Variables without a declared direction, for a panel of which nothing else is known."""
    text = {"aggravant": "{valeur}", "favorable": "{valeur}", "manquant": "inconnu"}
    return [
        Feature.model_construct(
            name=name, theme="Contexte", label_fr=name, unit="nombre", monotone=0, family=name,
            phrase_aggravant=text["aggravant"], phrase_favorable=text["favorable"], phrase_missing=text["manquant"],
        )
        for name in names
    ]  # fmt: skip


def score_split(
    tidy: Tidy, family: str, features: Sequence[Feature], params: HazardParams, split: Split, seed: int
) -> pl.DataFrame:
    """entity, period, p<months>… of the rows judged, by a model of the family fitted with what the split allows.

    Raises PanelRefused when too few events were learned.
    """
    month = months("period")
    table = build_person_periods(
        tidy.frame.filter(month <= split.learned),
        _last_day(min(split.known, tidy.until)),
        interval_months=params.interval_months,
        intervals=params.intervals,
        lag_months=0,
    )
    events = int(table.get_column("event").sum())
    if events < MIN_EVENTS:
        raise PanelRefused(
            f"trop peu d'événements dans les lignes apprises jusqu'en {_name(split.learned)} : {events}, il en faut au moins {MIN_EVENTS}"
        )
    share = min(1.0, MAX_ROWS / table.height)
    model = fit_hazard(table, family, features, replace(params, survivor_share=share), seed)
    judged = tidy.frame.filter(month >= split.first, month < split.end)
    return model.predict(judged).drop("logit")


def compare(
    tidy: Tidy,
    families: Sequence[str],
    horizons: Sequence[int],
    splits: Sequence[Split],
    *,
    params: HazardParams | None = None,
    seeds: Sequence[int] = (0,),
    bootstrap: int = 100,
    paired: int = 200,
) -> dict[str, Any]:
    """Figures of each family at each horizon (in periods of the panel), and differences to the first family, JSON-ready.

    {"horizons": {"1": {family: figures of `evaluate`}}, "ecarts": {"1": {family: {"ap": {valeur, bas, haut}}}}, "violations": {family:
    rows whose probability falls with the horizon}}. Probabilities are the mean of those of the seeds. Raises PanelRefused.
    """
    hazard = hazard_params(horizons, tidy.step, params)
    features = free_features(tidy.names)
    scores = {}
    for family in families:
        parts = [_averaged(tidy, family, features, hazard, split, seeds) for split in splits]
        scores[family] = pl.concat(parts).sort("entity", "period")
    outcomes = _outcomes(tidy, hazard, scores[families[0]])
    result: dict[str, Any] = {"horizons": {}, "ecarts": {}, "violations": {}}
    for family in families:
        figures = evaluate(
            scores[family], outcomes, hazard.horizons, threshold_horizon=0, bootstrap=bootstrap, seed=seeds[0]
        )
        for horizon, length in zip(horizons, hazard.horizons, strict=True):
            result["horizons"].setdefault(str(horizon), {})[family] = figures[str(length)]
        result["violations"][family] = count_violations(scores[family], hazard.horizons)
    if not any("auc" in entry[families[0]] for entry in result["horizons"].values()):
        raise PanelRefused("aucun événement dans les lignes jugées dont la fenêtre est close : rien à mesurer")
    for horizon, length in zip(horizons, hazard.horizons, strict=True):
        if "auc" in result["horizons"][str(horizon)][families[0]]:
            result["ecarts"][str(horizon)] = {
                family: {
                    metric: paired_difference(
                        scores[family], scores[families[0]], outcomes, metric, length, bootstrap=paired, seed=seeds[0]
                    )
                    for metric in PAIRED
                }
                for family in families[1:]
            }
    return result


def _averaged(
    tidy: Tidy, family: str, features: Sequence[Feature], params: HazardParams, split: Split, seeds: Sequence[int]
) -> pl.DataFrame:
    """Mean of the probabilities of one model per seed: an average of ordered probabilities is ordered."""
    frames = [score_split(tidy, family, features, params, split, seed) for seed in seeds]
    columns = [f"p{length}" for length in params.horizons]
    return frames[0].with_columns(
        (sum(frame.get_column(name) for frame in frames) / len(frames)).alias(name)  # type: ignore[union-attr]
        for name in columns
    )


def _outcomes(tidy: Tidy, params: HazardParams, scored: pl.DataFrame) -> pl.DataFrame:
    labelled = label_outcomes(tidy.frame, _last_day(tidy.until), params.horizons, lag_months=0)
    return labelled.join(scored.select("entity", "period"), on=["entity", "period"], how="semi")


def count_violations(scores: pl.DataFrame, horizons: Sequence[int]) -> int:
    """Rows whose probability falls from a horizon to a longer one."""
    ordered = sorted(horizons)
    pairs = pairwise(ordered)
    return scores.filter(
        pl.any_horizontal([pl.col(f"p{a}") > pl.col(f"p{b}") for a, b in pairs] or [pl.lit(False)])
    ).height
