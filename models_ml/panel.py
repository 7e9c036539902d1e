"""From a tidy panel to the person-period table of a discrete-time hazard, and to labelled outcomes.

The panel: one row per (entity, period), `period` = first day of the month observed (of a yearly panel: of the last month of the
year), at-risk rows only, the features, and
`event_period`, `exit_period` (dates or null; only their month counts). Optional `event_known`, `exit_known`: dates from which
the event and the exit could be known; without them they are known at their own date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

KEY = ("entity", "period")


def month_index(day: date) -> int:
    """Months since year 0: differences count calendar months."""
    return day.year * 12 + day.month - 1


def last_complete_month(as_of: date) -> int:
    """Index of the last month wholly past at the end of the day `as_of`."""
    is_month_end = (as_of + timedelta(days=1)).month != as_of.month
    return month_index(as_of) - (0 if is_month_end else 1)


def months_before(as_of: date, months: int) -> date:
    """Last day of the month that ends `months` months before the last complete month of `as_of`."""
    following = last_complete_month(as_of) - months + 1
    return date(following // 12, following % 12 + 1, 1) - timedelta(days=1)


def months(column: str) -> pl.Expr:
    """`month_index` of a date column."""
    day = pl.col(column)
    return day.dt.year().cast(pl.Int32) * 12 + day.dt.month().cast(pl.Int32) - 1


def _known(column: str, known: str, panel: pl.DataFrame, as_of: date) -> pl.Expr:
    """Months from the period to the dated fact, null when the fact was not known at `as_of`."""
    known_on = pl.col(known).fill_null(pl.col(column)) if known in panel.columns else pl.col(column)
    return pl.when(known_on <= as_of).then(months(column) - months("period"))


def check_panel(panel: pl.DataFrame, columns: Sequence[str] = ()) -> None:
    """Raises ValueError (in French, it reaches a producer) on a missing column, a doubled key or a period that is not a first of month."""
    wanted = [*KEY, "event_period", "exit_period", *columns]
    if missing := [column for column in wanted if column not in panel.columns]:
        raise ValueError(f"colonnes absentes du panel : {', '.join(missing)}")
    if panel.select(pl.struct(KEY).is_duplicated().any()).item():
        raise ValueError("le panel contient plusieurs lignes pour la même entité et la même période")
    if panel.filter(pl.col("period").dt.day() != 1).height:
        raise ValueError("une période du panel n'est pas un premier jour de mois")


def build_person_periods(
    panel: pl.DataFrame,
    as_of: date,
    *,
    interval_months: int = 6,
    intervals: int = 4,
    lag_months: int = 1,
    exits: str = "censored",
) -> pl.DataFrame:
    """One row per panel row and interval at risk that is wholly observed at `as_of`; the features are carried along.

    Interval j covers the months ]period + (j-1)·interval_months, period + j·interval_months]. Kept when it ends at least
    `lag_months` (time for a judgment to be published) before the last complete month of `as_of`. Nothing follows the event.
    `exits`: "censored" stops before the interval of a competing exit; "non_event" keeps an exited company as a known non-event
    (probability in the presence of exits). Adds `interval` (1..) and `event` (0/1); sorted by entity, period, interval.
    Natural prevalence: no row is drawn or weighted. Source of the rules: model.md 1.1 and 4.
    """
    check_panel(panel)
    last_observed = last_complete_month(as_of) - lag_months
    to_event = _known("event_period", "event_known", panel, as_of)
    to_exit = _known("exit_period", "exit_known", panel, as_of)
    rows = panel.with_columns(
        _to_event=to_event,
        _to_exit=to_exit if exits == "censored" else pl.lit(None, dtype=pl.Int32),
        _observed=(last_observed - months("period")),
    ).filter(
        to_event.is_null() | (to_event > 0),
        to_exit.is_null() | (to_exit > 0),
        pl.col("_observed") >= interval_months,
    )
    expanded = rows.join(pl.DataFrame({"interval": pl.Series(range(1, intervals + 1), dtype=pl.Int32)}), how="cross")
    start, end = (pl.col("interval") - 1) * interval_months, pl.col("interval") * interval_months
    has_event = pl.col("_to_event").is_between(start + 1, end).fill_null(value=False)
    event_before_exit = pl.col("_to_event") <= pl.col("_to_exit").fill_null(10**6)
    at_risk = (pl.col("_to_event").is_null() | (pl.col("_to_event") > start)) & (
        pl.col("_to_exit").is_null() | (pl.col("_to_exit") > end) | (has_event & event_before_exit)
    )
    # An interval that is still open counts for nobody, not even for those whose event is already known in it:
    # keeping only the events would inflate the hazard of the last months.
    closed = end <= pl.col("_observed")
    return (
        expanded.filter(at_risk & closed)
        .with_columns(event=has_event.cast(pl.Int8))
        .drop("_to_event", "_to_exit", "_observed")
        .sort(*KEY, "interval")
    )


def label_outcomes(
    panel: pl.DataFrame, as_of: date, horizons: Sequence[int] = (12, 18, 24), *, lag_months: int = 1
) -> pl.DataFrame:
    """Outcome of each panel row as known at `as_of`: entity, period, event_period, `defaillance_{h}m` (0/1, null while open).

    A company that left without an event in the window is a 0, as in the mart: the published probability is compared with what
    happened. An open window is null even when its event is known, since its survivors are not.
    """
    check_panel(panel)
    observed = pl.lit(last_complete_month(as_of) - lag_months) - months("period")
    to_event = _known("event_period", "event_known", panel, as_of)
    in_window = {h: to_event.is_between(1, h).fill_null(value=False).cast(pl.Int8) for h in horizons}
    return panel.select(
        *KEY,
        event_period=pl.when(to_event.is_not_null()).then(pl.col("event_period")),
        **{f"defaillance_{h}m": pl.when(observed >= h).then(in_window[h]) for h in horizons},
    ).sort(*KEY)


def thin_periods(panel: pl.DataFrame, stride: int) -> pl.DataFrame:
    """Keep one observed period in `stride`, counted back from the latest: prevalence is kept, repeated rows are not."""
    periods = panel.get_column("period").unique().sort(descending=True)
    return panel.filter(pl.col("period").is_in(periods.gather_every(stride).implode()))
