"""The named baseline of the marts: Polars computes the same features from the same raw tables, and copies them into a table.

Written from what the columns are said to be, not from the SQL, it is also a second opinion: a cell that differs from the mart stops
the benchmark. It serves the rows of `marts_region`: never corrected, known in the order of their periods, from sources that are all
delivered in time (the groups, which are optional, begin late), with contributions by month, about companies followed every month.
"""

from __future__ import annotations

from datetime import date

import pgpq
import polars as pl
import psycopg
from adbc_driver_postgresql import dbapi

from benchmarks.marts_baseline_levels import levels
from benchmarks.marts_baseline_past import with_past_and_peers

MART = "marts.mart_company_month"
TABLE = "public.polars_company_month"
_ROWS_AT_ONCE = 10_000
_TYPES = {
    "text": pl.String(),
    "date": pl.Date(),
    "boolean": pl.Boolean(),
    "numeric": pl.Decimal(18, 2),
    "double precision": pl.Float64(),
}


def build(url: str, first: date, last: date) -> None:
    """Read raw, compute the months from `first` to `last`, write them to TABLE, whose columns are those of the mart."""
    with dbapi.connect(url) as source:
        panel = levels(source, _index(first), _index(last))
    typed = [pl.col(name).cast(_TYPES[kind]) for name, kind in columns(url).items()]
    siren = pl.col("siren").cast(pl.String).str.zfill(9)
    _write(url, with_past_and_peers(panel, _index(first)).select(siren, "month", *typed))


def _write(url: str, frame: pl.DataFrame) -> None:
    """COPY in binary through pgpq: half the seconds of ADBC's, and as quick with decimals, which cost ADBC a quarter more."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(frame.clear().to_arrow().schema)
    with psycopg.connect(url) as connection:
        connection.execute(f"drop table if exists {TABLE}; create unlogged table {TABLE} (like {MART})".encode())
        with connection.cursor().copy(f"copy {TABLE} from stdin (format binary)".encode()) as copy:
            copy.write(encoder.write_header())
            for rows in frame.iter_slices(_ROWS_AT_ONCE):
                for batch in rows.to_arrow().to_batches():
                    copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())


def columns(url: str) -> dict[str, str]:
    """Name and type of the columns of the mart, in their order, other than the keys."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select column_name, data_type from information_schema.columns"
            " where table_schema || '.' || table_name = %s and column_name not in ('siren', 'month') order by ordinal_position",
            [MART],
        ).fetchall()
    return dict(rows)


def differing_cells(url: str) -> dict[str, int]:
    """Number of cells that differ from the mart, by column: numbers by more than a millionth, rows of one side only included."""
    compared = columns(url)
    differs = ", ".join(
        f"count(*) filter (where a.siren is null or b.siren is null or {_differs(name, kind)})"
        for name, kind in compared.items()
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(
            f"select {differs} from (select * from {MART} where month <= (select max(month) from {TABLE})) a"
            f" full join {TABLE} b using (siren, month)".encode()
        ).fetchone()
    assert row is not None
    return {name: count for name, count in zip(compared, row, strict=True) if count}


def _differs(name: str, kind: str) -> str:
    if kind not in {"numeric", "double precision"}:
        return f"a.{name} is distinct from b.{name}"
    return (
        f"(a.{name} is null) <> (b.{name} is null)"
        f" or abs(a.{name}::float8 - b.{name}::float8) > 1e-6 * greatest(1, abs(a.{name}::float8))"
    )


def _index(day: date) -> int:
    return day.year * 12 + day.month - 1
