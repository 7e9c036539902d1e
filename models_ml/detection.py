"""What a list of alerts is worth for the companies on it: found or not, how long before, and what is new.

Figures count companies, not rows, each with an interval that draws companies. `alerts`: entity, period, alert (bool), one row for
each company and period that was scored, flagged or not. `events`: entity, event_period (its first judgment), one row at most per
company. Leads are whole months from the period to the event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_ml.evaluate import with_interval
from models_ml.panel import months

Vector = NDArray[np.float64]
_BANDS = ((0, 3), (4, 6), (7, 12), (13, 18), (19, 24))


def _leads(alerts: pl.DataFrame, events: pl.DataFrame, longest: int) -> pl.DataFrame:
    """entity, lead, alert of the rows 0 to `longest` months before their company's event, in a fixed order."""
    rows = alerts.join(events.drop_nulls("event_period"), on="entity", how="inner", validate="m:1")
    lead = months("event_period") - months("period")
    return rows.with_columns(lead=lead).filter(pl.col("lead").is_between(0, longest)).sort("entity", "period")


def companies_recalled(
    alerts: pl.DataFrame,
    events: pl.DataFrame,
    before: Sequence[int] = (6, 12, 18),
    *,
    longest: int = 24,
    bootstrap: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """For each delay k: of the companies scored between `longest` and k months before their event, the share in alert then.

    {"6": {"entreprises": n, "rappel": {valeur, bas, haut}}, …}. An alert closer to the event than k months does not count: it
    came too late to be of use at k months. A company that was not scored in that window is not counted as missed.
    """
    rows = _leads(alerts, events, longest)
    result: dict[str, Any] = {}
    for delay in before:
        seen = (
            rows.filter(pl.col("lead") >= delay)
            .group_by("entity")
            .agg(pl.col("alert").any())
            .sort("entity")
            .get_column("alert")
            .cast(pl.Float64)
            .to_numpy()
        )
        entry: dict[str, Any] = {"entreprises": len(seen)}
        if len(seen):
            entry["rappel"] = with_interval(seen, _mean, bootstrap, seed)
        result[str(delay)] = entry
    return result


def lead_times(
    alerts: pl.DataFrame, events: pl.DataFrame, *, longest: int = 24, bootstrap: int = 100, seed: int = 0
) -> dict[str, Any]:
    """Months from the first alert to the event, of the companies that failed and were scored in the `longest` months before.

    {"entreprises", "vues", "mediane": {valeur, bas, haut}, "tranches": {"0-3": companies, …, "jamais": companies}}. The bands count
    the first alert of the window; a window that holds `longest` months cannot show a longer lead.
    """
    firms = (
        _leads(alerts, events, longest)
        .group_by("entity")
        .agg(lead=pl.col("lead").filter("alert").max())
        .sort("entity")
        .get_column("lead")
        .cast(pl.Float64)
        .fill_null(float("nan"))
        .to_numpy()
    )
    bands = {f"{low}-{high}": int(((firms >= low) & (firms <= high)).sum()) for low, high in _BANDS if low <= longest}
    result: dict[str, Any] = {
        "entreprises": len(firms),
        "vues": int(np.isfinite(firms).sum()),
        "tranches": {**bands, "jamais": int(np.isnan(firms).sum())},
    }
    if result["vues"]:
        result["mediane"] = with_interval(firms, _median, bootstrap, seed)
    return result


def monthly_lists(scores: pl.DataFrame, score: str, capacity: int, *, quiet_months: int = 12) -> pl.DataFrame:
    """entity, period, alert: each period, the `capacity` highest scores of companies that were not listed in the `quiet_months` before.

    What a team that can take up `capacity` new companies a month would look at. Ties are ordered by entity.
    """
    listed: dict[str, int] = {}
    lists = []
    for (month,), rows in (
        scores.with_columns(month=months("period")).sort("month").group_by("month", maintain_order=True)
    ):
        ranked = rows.sort([score, "entity"], descending=[True, False]).get_column("entity")
        free = [entity for entity in ranked if entity not in listed or month - listed[entity] > quiet_months][:capacity]
        listed |= dict.fromkeys(free, month)
        lists.append(rows.select("entity", "period", alert=pl.col("entity").is_in(free)))
    return pl.concat(lists)


def new_detections(
    alerts: pl.DataFrame,
    outcomes: pl.DataFrame,
    horizon: int,
    *,
    quiet_months: int = 12,
    bootstrap: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Precision of new alerts: of the rows in alert whose company was not in the `quiet_months` before, the share that failed.

    {"detections", "entreprises", "precision": {valeur, bas, haut}} on closed windows (`defaillance_<horizon>m` of `outcomes`).
    The first `quiet_months` of the history make no detection: what was before them is unknown.
    """
    flagged = alerts.filter("alert").sort("entity", "period").with_columns(month=months("period"))
    start = alerts.select(months("period").min()).item()
    quiet = (pl.col("month") - pl.col("month").shift(1).over("entity")).fill_null(10**6) > quiet_months
    new = flagged.filter(quiet & (pl.col("month") >= (start or 0) + quiet_months))
    outcome = pl.col(f"defaillance_{horizon}m")
    closed = new.join(outcomes, on=["entity", "period"], how="inner", validate="1:1").filter(outcome.is_not_null())
    firms = closed.group_by("entity").agg(hits=outcome.cast(pl.Float64).sum(), rows=pl.len()).sort("entity")
    pairs = firms.select(pl.col("hits", "rows").cast(pl.Float64)).to_numpy()
    result: dict[str, Any] = {"detections": closed.height, "entreprises": firms.height}
    if firms.height:
        result["precision"] = with_interval(pairs, _share, bootstrap, seed)
    return result


def _mean(values: Vector) -> float:
    return float(values.mean())


def _median(leads: Vector) -> float:
    found = leads[np.isfinite(leads)]
    return float(np.median(found)) if len(found) else float("nan")


def _share(pairs: Vector) -> float:
    return float(pairs[:, 0].sum() / pairs[:, 1].sum())
