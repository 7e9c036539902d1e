"""The panel of the baseline: all months of each company, one after the other, and how the rows of a source come to it.

Months are numbers (year x 12 + month - 1) and a siren is one too. A source comes as its latest row, or as changes of a sum that add
up along the months.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from adbc_driver_postgresql.dbapi import Connection

KEYS = ["siren", "m"]


def read(source: Connection, query: str) -> pl.DataFrame:
    """The rows of a query."""
    return pl.read_database(query, source)


def month_of(column: str) -> pl.Expr:
    """The month of a date, as a number."""
    day = pl.col(column)
    return (day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1).cast(pl.Int32)


def first_day(month: str) -> pl.Expr:
    """The first day of a month."""
    return pl.date(pl.col(month) // 12, pl.col(month) % 12 + 1, 1)


def known(*not_before: str) -> pl.Expr:
    """The month a row is known in, and not before the months of the dates given."""
    return pl.max_horizontal(month_of("known"), *map(month_of, not_before))


def latest(panel: pl.DataFrame, rows: pl.DataFrame, period: str, values: Sequence[str]) -> pl.DataFrame:
    """`panel` with `values` of the latest period known each month, and `<period>_index`, the month of that period."""
    index = month_of(period).alias(f"{period}_index")
    news = (
        rows.select("siren", month_of("known").alias("m"), period, index, *values)
        .sort("siren", "m", period)
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(f"{period}_index", *values).last())
    )
    return panel.join_asof(news, on="m", by="siren", check_sortedness=False)


def spans(rows: pl.DataFrame, start: pl.Expr, end: pl.Expr, **values: pl.Expr) -> pl.DataFrame:
    """Changes of what counts from month `start` up to and without `end`."""
    opened = rows.select("siren", start.alias("m"), pl.max_horizontal(start, end).alias("end"), **values)
    closed = opened.select("siren", pl.col("end").alias("m"), -pl.col(*values))
    return pl.concat([opened.drop("end"), closed])


def cumulated(panel: pl.DataFrame, changes: pl.DataFrame, first: int) -> pl.DataFrame:
    """`panel` with the sums of the changes so far; what came before the first month is put on it."""
    clipped = changes.with_columns(pl.col("m").clip(lower_bound=first))
    summed = clipped.group_by(KEYS).agg(pl.all().sum())
    so_far = pl.col([name for name in changes.columns if name not in KEYS]).fill_null(0).cum_sum().over("siren")
    return panel.join(summed, on=KEYS, how="left", maintain_order="left").with_columns(so_far)
