"""Typed rows to versions, set by set, inside the caller's transaction.

Rows are copied to a temporary table, compared on the server with the open versions (full join on the key, then on the
content), and only what differs touches the raw table. Versions of one source are written by one session at a time
(advisory lock), so physical addresses of open rows hold until the end of the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
import psycopg
from psycopg import sql

from expectations.contract import Contract
from ingestion.database import SYSTEM_COLUMNS, create_open_key_index, open_key_index, raw_table


@dataclass(frozen=True)
class Comparison:
    """What a load changed: rows opened and closed, and lines that opened at least one row."""

    rows_opened: int
    rows_closed: int
    lines_changed: int


def lock_source(connection: psycopg.Connection, source: str) -> None:
    """Waits until no other session loads this source; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"vigie.ingest.{source}",))


def create_staging(connection: psycopg.Connection, contract: Contract) -> None:
    """Temporary tables of one load: typed rows, and the keys of the lines that were not loaded."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.sql_type)) for c in contract.columns
    )
    keys = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(k), sql.SQL(contract.column(k).sql_type)) for k in contract.key
    )
    connection.execute("set local work_mem = '256MB'")
    connection.execute(sql.SQL("create temp table incoming (_line bigint, {}) on commit drop").format(columns))
    connection.execute(sql.SQL("create temp table not_loaded ({}) on commit drop").format(keys))


def copy_frame(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Appends a frame to a table; null is empty and an empty text is quoted, so that they stay different."""
    if not frame.height:
        return
    target = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(sql.SQL(table), target)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(frame.write_csv(include_header=False).encode())


def doubles(connection: psycopg.Connection, contract: Contract, suspects: list[int]) -> list[tuple[int, int, str]]:
    """(line, first line with the same key, key) of each line that repeats a key of an earlier line.

    `suspects`: every line that may share its key with another one (equal hashes); only these are compared.
    """
    query = sql.SQL(
        "with suspect as materialized (select _line, {keys} from incoming where _line = any(%s)) "
        "select i._line, min(f.first), min(concat_ws(' / ', {shown})) from suspect i join "
        "(select {keys}, min(_line) as first from suspect group by {keys} having count(*) > 1) f on {same} "
        "where i._line > f.first group by i._line order by 1"
    ).format(keys=_names(contract.key), shown=_names(contract.key, "i"), same=_equal(contract.key, "i", "f"))
    return connection.execute(query, (suspects,)).fetchall()


def remove_lines(connection: psycopg.Connection, lines: list[int]) -> None:
    """Takes lines out of the rows about to be loaded."""
    connection.execute("delete from incoming where _line = any(%s)", (lines,))


def apply_versions(
    connection: psycopg.Connection, contract: Contract, delivery_id: int, received_on: date, *, first: bool
) -> Comparison:
    """Opens and closes versions in the raw table so that its open rows equal the delivery (see the module docstring).

    `first`: first delivery of the source, whose knowledge date is rebuilt from the contract's knowledge column.
    """
    table = raw_table(contract)
    empty = not _value(connection, sql.SQL("select exists (select from {})").format(table))
    if empty:
        return _fill_empty_table(connection, contract, delivery_id, received_on, first=first)
    connection.execute("analyze incoming")
    connection.execute(_difference(contract))
    if contract.mode == "snapshot":
        _keep_versions_of_lines_not_loaded(connection, contract)
    else:
        connection.execute("delete from difference where _line is null")
    closed = connection.execute(
        sql.SQL("update {} r set _known_to = %s from difference d where r.ctid = d._old").format(table), (received_on,)
    ).rowcount
    known_from = _known_from(contract, first)
    columns = [c.name for c in contract.columns]
    opened = connection.execute(
        sql.SQL(
            "insert into {table} ({columns}, {system}) select {columns}, %(delivery)s, _line, "
            "case when _old is null then {known_from} else %(received)s end, 'infinity' "
            "from difference where _line is not null order by _line"
        ).format(table=table, columns=_names(columns), system=_names(SYSTEM_COLUMNS), known_from=known_from),
        {"delivery": delivery_id, "received": received_on},
    ).rowcount
    changed = _value(connection, sql.SQL("select count(distinct _line) from difference"))
    return Comparison(opened, closed, int(str(changed)))


def _fill_empty_table(
    connection: psycopg.Connection, contract: Contract, delivery_id: int, received_on: date, *, first: bool
) -> Comparison:
    """First rows of a table: nothing to compare with, and the index is built after the rows when we may do so."""
    table = raw_table(contract)
    owner = _value(
        connection,
        "select pg_has_role(tableowner, 'usage') from pg_tables where schemaname = 'raw' and tablename = %s",
        (contract.name,),
    )
    if owner:
        connection.execute(sql.SQL("drop index if exists raw.{}").format(open_key_index(contract)))
    columns = _names([c.name for c in contract.columns])
    opened = connection.execute(
        sql.SQL(
            "insert into {table} ({columns}, {system}) select {columns}, %(delivery)s, _line, {known_from}, 'infinity' "
            "from incoming"
        ).format(table=table, columns=columns, system=_names(SYSTEM_COLUMNS), known_from=_known_from(contract, first)),
        {"delivery": delivery_id, "received": received_on},
    ).rowcount
    if owner:
        connection.execute("set local maintenance_work_mem = '256MB'")
        connection.execute(create_open_key_index(contract))
        connection.execute(sql.SQL("analyze {}").format(table))
    lines = _value(connection, "select count(distinct _line) from incoming")
    return Comparison(opened, 0, int(str(lines)))


def _difference(contract: Contract) -> sql.Composed:
    """Rows to open (`_line` not null) and versions to close (`_old` not null)."""
    names = [c.name for c in contract.columns]
    content = [name for name in names if name not in contract.key]
    differs = (
        sql.SQL("({}) is distinct from ({})").format(_names(content, "i"), _names(content, "r"))
        if content
        else sql.SQL("false")
    )
    shown = sql.SQL(", ").join(
        sql.SQL("coalesce(i.{0}, r.{0}) as {0}").format(sql.Identifier(n)) if n in contract.key
        else sql.SQL("i.{}").format(sql.Identifier(n))
        for n in names
    )  # fmt: skip
    return sql.SQL(
        "create temp table difference on commit drop as select i._line, {shown}, r._old from incoming i full join "
        "(select ctid as _old, {names} from {table} where _known_to = 'infinity') r on {same} "
        "where i._line is null or r._old is null or {differs}"
    ).format(
        shown=shown,
        names=_names(names),
        table=raw_table(contract),
        same=_equal(contract.key, "i", "r"),
        differs=differs,
    )


def _keep_versions_of_lines_not_loaded(connection: psycopg.Connection, contract: Contract) -> None:
    """A line that could not be read says nothing about its key: the version that we know stays open.

    Unreadable key columns (null) match any value, as long as one column of the key could be read.
    """
    count = _value(connection, "select count(*) from not_loaded")
    if not count:
        return
    whole = sql.SQL(" and ").join(sql.SQL("{} is not null").format(sql.Identifier(k)) for k in contract.key)
    connection.execute(
        sql.SQL("delete from difference d using not_loaded n where d._line is null and {whole} and {same}").format(
            whole=sql.SQL(" and ").join(sql.SQL("n.{} is not null").format(sql.Identifier(k)) for k in contract.key),
            same=_equal(contract.key, "d", "n"),
        )
    )
    partial = connection.execute(
        sql.SQL("select distinct {} from not_loaded where not ({})").format(
            sql.SQL(", ").join(sql.SQL("{} is not null").format(sql.Identifier(k)) for k in contract.key), whole
        )
    ).fetchall()
    # One hash join per pattern of readable columns: a few patterns, whatever the number of lines.
    for pattern in partial:
        known = [name for name, readable in zip(contract.key, pattern, strict=True) if readable]
        if known:
            connection.execute(
                sql.SQL("delete from difference d using (select distinct {} from not_loaded where {}) n "
                        "where d._line is null and {}").format(
                    _names(known),
                    sql.SQL(" and ").join(
                        sql.SQL("{} is {}").format(sql.Identifier(k), sql.SQL("not null" if ok else "null"))
                        for k, ok in zip(contract.key, pattern, strict=True)
                    ),
                    _equal(known, "d", "n"),
                )
            )  # fmt: skip


def _known_from(contract: Contract, first: bool) -> sql.Composable:
    if not first:
        return sql.SQL("%(received)s::date")
    return sql.SQL("least(%(received)s::date, coalesce({} + {}, %(received)s::date))").format(
        sql.Identifier(contract.knowledge.column), sql.Literal(contract.knowledge.lag_days)
    )


def _names(names: tuple[str, ...] | list[str], alias: str | None = None) -> sql.Composed:
    parts = [sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in names]
    return sql.SQL(", ").join(parts)


def _equal(names: tuple[str, ...] | list[str], left: str, right: str) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in names
    )


def _value(connection: psycopg.Connection, query: str | sql.Composable, parameters: tuple[object, ...] = ()) -> object:
    row = connection.execute(query, parameters).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None
