"""Fits a model as it could have been fitted on a date, and measures it on a later period that it never saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from models_ml.calibrate import CalibrationParams, Level, recent_level, sigmoid
from models_ml.evaluate import best_thresholds, evaluate
from models_ml.families import FAMILIES, fit
from models_ml.features import Feature, feature_hash
from models_ml.hazard import HazardModel, HazardParams, feature_matrix
from models_ml.panel import (
    build_person_periods,
    check_panel,
    label_outcomes,
    last_complete_month,
    month_index,
    months_before,
    thin_periods,
)


class NotEnoughHistory(Exception):
    """The panel cannot carry a model at this date. `str()` is the reason in French, with the numbers."""


@dataclass(frozen=True)
class TrainParams:
    """What training may be told. Fixed beforehand; the defaults are those of production.

    `lag_months`: time for a judgment to be known, so the last months count as open. `max_rows`: company-periods above which only
    one observed period in 5, 7 or 11 is kept: neighbouring months repeat each other, prevalence is untouched, and a stride prime
    with 12 goes through all calendar months (one in 3 would see the same four months of every year).
    """

    hazard: HazardParams = field(default_factory=HazardParams)
    calibration: CalibrationParams = field(default_factory=CalibrationParams)
    lag_months: int = 1
    exits: str = "censored"
    max_rows: int = 40_000
    reference_periods: int = 12
    reference_rows: int = 2_000
    min_events: int = 30
    min_periods: int = 6
    min_validation_events: int = 10
    bootstrap: int = 100


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model with what is needed to reproduce and judge it.

    `metrics`: output of `evaluate` on the validation slice (by the validation model, not by the final one), empty without
    validation. `thresholds`: {"f1", "f2"} on the main horizon's probability, None without validation.
    `family`: see `families.FAMILIES`; contributions are exact when `model.additive`.
    `calibration`: {"niveau": fields of `calibrate.Level`}, what the correction of level was made of.
    """

    model: HazardModel
    model_id: str
    family: str
    as_of: date
    features: tuple[Feature, ...]
    params: TrainParams
    seed: int
    metrics: dict[str, Any]
    thresholds: dict[str, float] | None
    trained_on: dict[str, Any]
    validation: dict[str, Any]
    calibration: dict[str, Any]
    feature_hash: str
    data_hash: str


def _stride(panel: pl.DataFrame, max_rows: int, min_periods: int) -> int:
    """Smallest stride that brings the panel under `max_rows`, among those that leave `min_periods` (a yearly panel is kept whole)."""
    periods = panel.get_column("period").n_unique()
    allowed = [stride for stride in (1, 5, 7, 11) if stride == 1 or -(-periods // stride) >= min_periods]
    return next((stride for stride in allowed if panel.height <= stride * max_rows), allowed[-1])


def _person_periods(panel: pl.DataFrame, as_of: date, features: Sequence[Feature], params: TrainParams) -> pl.DataFrame:
    """Training table as known at `as_of`, thinned to the latest usable periods; raises NotEnoughHistory."""
    hazard = params.hazard
    horizon = last_complete_month(as_of) - params.lag_months - hazard.interval_months
    usable = panel.filter(pl.col("period").dt.year() * 12 + pl.col("period").dt.month() - 1 <= horizon)
    columns = [
        name
        for name in ("entity", "period", "event_period", "exit_period", "event_known", "exit_known")
        if name in panel.columns
    ]
    usable = usable.select(*columns, *(feature.name for feature in features))
    table = build_person_periods(
        thin_periods(usable, _stride(usable, params.max_rows, params.min_periods)),
        as_of,
        interval_months=hazard.interval_months,
        intervals=hazard.intervals,
        lag_months=params.lag_months,
        exits=params.exits,
    )
    events = int(table.get_column("event").sum())
    periods = table.get_column("period").n_unique()
    if events < params.min_events or periods < params.min_periods:
        raise NotEnoughHistory(
            f"Historique insuffisant pour apprendre au {as_of:%d/%m/%Y} : {events} défaillances observées sur {periods} périodes "
            f"(il en faut au moins {params.min_events} sur {params.min_periods} périodes)."
        )
    return table


def fit_hazard(
    table: pl.DataFrame, family: str, features: Sequence[Feature], params: HazardParams, seed: int
) -> HazardModel:
    """A family fitted on a person-period table (`build_person_periods`), at its natural prevalence.

    With `survivor_share` s, a row without event is kept with probability s: the odds of an event are then 1/s times too high in
    every interval and for every company, and log(s) on the log-odds takes exactly that back.
    """
    share = params.survivor_share
    if share < 1:
        drawn = np.random.default_rng(seed).random(table.height) < share
        table = table.filter(pl.Series(drawn) | (pl.col("event") == 1))
    names = [feature.name for feature in features]
    values = np.column_stack([feature_matrix(table, names), table.get_column("interval").cast(pl.Float64).to_numpy()])
    entities = table.get_column("entity").rank("dense").cast(pl.Int64).to_numpy()
    estimator = fit(family, values, table.get_column("event").to_numpy(), entities, features, params, seed)
    return HazardModel(estimator, names, params, additive=FAMILIES[family].additive, shift=float(np.log(share)))


def _recent(panel: pl.DataFrame, as_of: date, params: TrainParams) -> tuple[pl.DataFrame, float]:
    """Latest closed person-periods that do not overlap, as known at `as_of`, and their length relative to an interval.

    In a monthly panel a row is exposed to the following month only: each failure counts once, and failures of last month count.
    """
    months = [month_index(period) for period in panel.get_column("period").unique().sort()]
    gaps = [later - earlier for earlier, later in pairwise(months)]
    step = min([*gaps, params.hazard.interval_months])
    since = months_before(as_of, params.calibration.level_months + params.lag_months + step - 1)
    table = build_person_periods(
        panel.filter(pl.col("period") >= since.replace(day=1)),
        as_of,
        interval_months=step,
        intervals=1,
        lag_months=params.lag_months,
        exits=params.exits,
    )
    return table, step / params.hazard.interval_months


def _at_level(model: HazardModel, panel: pl.DataFrame, as_of: date, params: TrainParams) -> tuple[HazardModel, Level]:
    """The model with the level of the last closed months before `as_of` on the odds of all its intervals."""
    if not params.calibration.level_months:
        return model, Level(1.0, 0, 0.0)
    table, share = _recent(panel, as_of, params)
    logits = model.interval_logits(feature_matrix(table, model.names), 1)[:, 0]
    level = recent_level(table, sigmoid(logits), share, params.calibration)
    return model.shifted(float(np.log(level.ratio))), level


def _reference(table: pl.DataFrame, params: TrainParams) -> pl.DataFrame:
    """At-risk rows of the latest training periods, evenly thinned: the population to which a company is compared."""
    first = table.filter(pl.col("interval") == 1)
    recent = first.get_column("period").unique().sort(descending=True).head(params.reference_periods)
    rows = first.filter(pl.col("period").is_in(recent.implode())).sort("entity", "period")
    return rows.gather_every(max(1, -(-rows.height // params.reference_rows)))


def _validate(
    panel: pl.DataFrame, as_of: date, family: str, features: Sequence[Feature], params: TrainParams, seed: int
) -> tuple[dict[str, Any], dict[str, float], dict[str, Any]]:
    """Metrics and thresholds of a model fitted with what was known one longest horizon earlier.

    The embargo is the longest horizon plus the knowledge lag: no label of the fit looks into the months evaluated, and the first
    month evaluated is already closed at the longest horizon.
    """
    hazard = params.hazard
    embargo = max(hazard.horizons) + params.lag_months
    past = months_before(as_of, embargo)
    known = panel.filter(pl.col("period") <= past)
    fitted = fit_hazard(_person_periods(known, past, features, params), family, features, hazard, seed)
    model, level = _at_level(fitted, known, past, params)
    later = panel.filter(pl.col("period") >= past.replace(day=1))
    outcomes = label_outcomes(
        later, as_of, sorted({*hazard.horizons, hazard.main_horizon}), lag_months=params.lag_months
    )
    outcomes = outcomes.filter(pl.any_horizontal(pl.col(f"defaillance_{h}m").is_not_null() for h in hazard.horizons))
    events = int(outcomes.get_column(f"defaillance_{hazard.main_horizon}m").sum() or 0)
    if events < params.min_validation_events:
        raise NotEnoughHistory(
            f"Historique insuffisant pour valider au {as_of:%d/%m/%Y} : {events} défaillances à {hazard.main_horizon} mois dans les "
            f"fenêtres closes depuis le {past:%d/%m/%Y} (il en faut au moins {params.min_validation_events})."
        )
    scores = model.predict(
        later.join(outcomes.select("entity", "period"), on=["entity", "period"], how="semi").sort("entity", "period")
    )
    thresholds = best_thresholds(scores, outcomes, hazard.main_horizon)
    metrics = evaluate(
        scores,
        outcomes,
        hazard.horizons,
        thresholds=thresholds,
        threshold_horizon=hazard.main_horizon,
        bootstrap=params.bootstrap,
        seed=seed,
    )
    return metrics, thresholds, {"connu_au": past.isoformat(), "embargo_mois": embargo, "niveau": asdict(level)}


def _data_hash(table: pl.DataFrame, names: Sequence[str]) -> str:
    """sha256 of the sorted training table: keys as text, features of each company-period once, then intervals and events."""
    digest = hashlib.sha256()
    first = table.filter(pl.col("interval") == 1)
    for key in ("entity", "period"):
        digest.update("\n".join(first.get_column(key).cast(pl.String)).encode())
    digest.update(feature_matrix(first, names).tobytes())
    digest.update(table.select(pl.col("interval", "event").cast(pl.Int8)).to_numpy().tobytes())
    return digest.hexdigest()


def train(
    panel: pl.DataFrame,
    *,
    as_of: date,
    features: Sequence[Feature],
    seed: int,
    family: str = "additive",
    validation: bool = True,
    params: TrainParams | None = None,
) -> TrainedModel:
    """The model that could be fitted at the end of the day `as_of`, with thresholds and metrics from its past only.

    `panel`: see `panel`; rows and facts later than `as_of` may be present and are not used. Raises NotEnoughHistory.
    Raises ValueError on an unknown family. `model_id` = <family>-<year-month of as_of>-<8 hex of data, features, family,
    parameters and seed>.
    """
    params = params or TrainParams()
    check_panel(panel, [feature.name for feature in features])
    panel = panel.filter(pl.col("period") <= as_of).sort("entity", "period")
    table = _person_periods(panel, as_of, features, params)
    metrics: dict[str, Any] = {}
    thresholds: dict[str, float] | None = None
    validated: dict[str, Any] = {}
    if validation:
        metrics, thresholds, validated = _validate(panel, as_of, family, features, params, seed)
    model, level = _at_level(fit_hazard(table, family, features, params.hazard, seed), panel, as_of, params)
    if model.additive:
        model = model.centred_on(_reference(table, params))
    hashes = feature_hash(features), _data_hash(table, model.names)
    identity = json.dumps([*hashes, family, asdict(params), seed, validation, asdict(level)], sort_keys=True)
    return TrainedModel(
        model=model,
        model_id=f"{family}-{as_of:%Y-%m}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}",
        family=family,
        as_of=as_of,
        features=tuple(features),
        params=params,
        seed=seed,
        metrics=metrics,
        thresholds=thresholds,
        trained_on={
            "periode_min": str(table.get_column("period").min()),
            "periode_max": str(table.get_column("period").max()),
            "periodes": table.get_column("period").n_unique(),
            "entreprises": table.get_column("entity").n_unique(),
            "observations": table.filter(pl.col("interval") == 1).height,
            "lignes": table.height,
            "defaillances": int(table.get_column("event").sum()),
            "entreprises_defaillantes": table.filter(pl.col("event") == 1).get_column("entity").n_unique(),
        },
        validation=validated,
        calibration={"niveau": asdict(level)},
        feature_hash=hashes[0],
        data_hash=hashes[1],
    )
