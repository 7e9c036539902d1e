"""Typed rows to versions, set by set, inside the caller's transaction.

An empty raw table is filled directly. Else only the rows whose hash is not known (see `fingerprints`) are copied to a
temporary table, compared there with the open versions value by value, and only what differs touches the raw table.
Versions of one source are written by one session at a time (advisory lock), so physical addresses of open rows hold
until the end of the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import psycopg
from psycopg import sql

from expectations.contract import Contract
from ingestion import wire
from ingestion.database import SYSTEM_COLUMNS, create_open_key_index, open_key_index, raw_table
from ingestion.fingerprints import Hashes, KnownRows, Lines, Mask

_SYSTEM_TYPES = {"_line": "bigint", "_hash": "bigint", "_delivery_id": "bigint", "_known_from": "date"}
_PAGES_AT_ONCE = 4_096  # of 8 kB: some 300,000 rows
_ADDRESS = np.dtype([("page", ">u4"), ("place", ">u2")])
_HASH_AND_ADDRESS = np.dtype([("hash", ">u8"), *((name, _ADDRESS[name]) for name in ("page", "place"))])


@dataclass(frozen=True)
class Comparison:
    """What a load changed: rows opened and closed, lines that opened at least one row, and how many of the closed rows
    have a key that the file does not have."""

    rows_opened: int
    rows_closed: int
    lines_changed: int
    rows_absent: int


def lock_source(connection: psycopg.Connection, source: str) -> None:
    """Waits until no other session loads this source; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"vigie.ingest.{source}",))


def estimated_rows(connection: psycopg.Connection, contract: Contract) -> int:
    """Rows of the raw table as the server last counted them (-1: never). Takes no lock on the table."""
    return int(
        str(
            _value(
                connection,
                "select reltuples::bigint from pg_class c join pg_namespace n on n.oid = relnamespace "
                "where nspname = 'raw' and relname = %s",
                (contract.name,),
            )
        )
    )


def is_empty(connection: psycopg.Connection, contract: Contract) -> bool:
    """True when the raw table has no row at all."""
    return not _value(connection, sql.SQL("select exists (select from {})").format(raw_table(contract)))


def read_known(connection: psycopg.Connection, contract: Contract) -> KnownRows:
    """Hashes and addresses of the open versions of the raw table.

    The server packs them, some pages at a time: a value for each row would cost more than the rows of the file. From
    here to the end of the transaction nobody can rewrite the table, so the addresses hold.
    """
    query = sql.SQL(
        "select string_agg(int8send(_hash) || tidsend(ctid), '') filter (where _hash is not null), "
        "string_agg(tidsend(ctid), '') filter (where _hash is null) "
        "from {} where _known_to = 'infinity' and ctid >= %s::tid and ctid < %s::tid"
    ).format(raw_table(contract))
    pages = int(
        str(
            _value(
                connection,
                sql.SQL("select pg_relation_size({}) / current_setting('block_size')::bigint").format(
                    sql.Literal(raw_table(contract).as_string())
                ),
            )
        )
    )
    hashes, addresses, untold = ([np.empty(0, dtype)] for dtype in (np.uint64, np.int64, np.int64))
    with connection.cursor(binary=True) as cursor:
        for begin in range(0, pages, _PAGES_AT_ONCE):
            found = cursor.execute(query, (f"({begin},0)", f"({begin + _PAGES_AT_ONCE},0)")).fetchone()
            assert found is not None
            told = np.frombuffer(found[0] or b"", _HASH_AND_ADDRESS)
            hashes.append(told["hash"].astype(np.uint64))
            addresses.append(_address(told))
            untold.append(_address(np.frombuffer(found[1] or b"", _ADDRESS)))
    return KnownRows.build(_joined(hashes), _joined(addresses), _joined(untold))


def _address(rows: npt.NDArray[np.void]) -> Lines:
    return rows["page"].astype(np.int64) << 16 | rows["place"]


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The parts end to end; they are let go, as they take as much memory again."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def create_staging(connection: psycopg.Connection, contract: Contract) -> None:
    """Temporary tables of one load: typed rows, keys of the lines that were not loaded, versions of absent keys."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.sql_type)) for c in contract.columns
    )
    keys = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(k), sql.SQL(contract.column(k).sql_type)) for k in contract.key
    )
    connection.execute("set local work_mem = '256MB'")
    connection.execute(
        sql.SQL("create temp table incoming (_line bigint, _hash bigint, {}) on commit drop").format(columns)
    )
    connection.execute(sql.SQL("create temp table not_loaded ({}) on commit drop").format(keys))
    connection.execute("create temp table absent (_address tid) on commit drop")


@dataclass(frozen=True)
class Packed:
    """Rows as the bytes that COPY takes: names of the columns, format, data."""

    columns: tuple[str, ...]
    form: Literal["binary", "text"]
    data: bytes


def packed(rows: pl.DataFrame, contract: Contract) -> Packed:
    """Typed rows of a contract (and system columns), in the binary format where each column has one."""
    types = _SYSTEM_TYPES | {column.name: column.sql_type for column in contract.columns}
    if (records := wire.encode(rows, types)) is not None:
        return Packed(tuple(rows.columns), "binary", records)
    cents = [c.name for c in contract.columns if c.type == "centimes" and c.name in rows.columns]
    return _packed_text(rows.with_columns(pl.format("{}e-2", name).alias(name) for name in cents))


def _packed_text(frame: pl.DataFrame) -> Packed:
    # The text format costs the server half of what CSV does; the characters that it gives a meaning to are rare.
    special = [
        name
        for name, dtype in frame.schema.items()
        if dtype == pl.String and frame[name].str.contains(r"[\\\t\r\n]").any()
    ]
    if special:
        escaped = pl.col(special)
        for character, written in (("\\", r"\\"), ("\t", r"\t"), ("\r", r"\r"), ("\n", r"\n")):
            escaped = escaped.str.replace_all(character, written, literal=True)
        frame = frame.with_columns(escaped)
    text = frame.write_csv(include_header=False, separator="\t", quote_style="never", null_value=r"\N")
    return Packed(tuple(frame.columns), "text", text.encode())


def copy_packed(
    connection: psycopg.Connection, table: str | sql.Composable, rows: Packed, *, freeze: bool = False
) -> None:
    """Appends rows to a table. `freeze`: the table was emptied by this transaction (`open_empty_table`)."""
    statement = sql.SQL("copy {} ({}) from stdin (format {}, freeze {})").format(
        sql.SQL(table) if isinstance(table, str) else table,
        sql.SQL(", ").join(map(sql.Identifier, rows.columns)),
        sql.SQL(rows.form),
        sql.SQL(str(freeze).lower()),
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(rows.data)


def copy_frame(connection: psycopg.Connection, table: str | sql.Composable, frame: pl.DataFrame) -> None:
    """Appends a frame to a table, each value as the text that the server reads it from."""
    if frame.height:
        copy_packed(connection, table, _packed_text(frame))


def open_empty_table(connection: psycopg.Connection, contract: Contract) -> bool:
    """Makes an empty raw table ready for its first rows; True when they may be frozen.

    Nothing is there to compare with: rows go straight in, and the owner builds the index after them. A table truncated
    in the same transaction needs neither hint bits later on nor, on a server that nobody replicates, any WAL.
    """
    owner = bool(
        _value(
            connection,
            "select pg_has_role(tableowner, 'usage') from pg_tables where schemaname = 'raw' and tablename = %s",
            (contract.name,),
        )
    )
    if owner:
        connection.execute(sql.SQL("drop index if exists raw.{}").format(open_key_index(contract)))
        connection.execute(sql.SQL("truncate {}").format(raw_table(contract)))
    return owner


def close_filled_table(connection: psycopg.Connection, contract: Contract) -> None:
    """Index and statistics of a table that `open_empty_table` let us fill."""
    connection.execute("set local maintenance_work_mem = '256MB'")
    connection.execute(create_open_key_index(contract))
    connection.execute(sql.SQL("analyze {}").format(raw_table(contract)))


def hashed(rows: pl.DataFrame, content: Hashes, wanted: Mask) -> pl.DataFrame:
    """The wanted rows and their `_hash`."""
    return rows.with_columns(pl.Series("_hash", content.view("int64"))).filter(wanted)


def first_versions(
    rows: pl.DataFrame, contract: Contract, delivery_id: int, received_on: date, *, first: bool
) -> pl.DataFrame:
    """Rows of an empty raw table: `rows` with their system columns (`_known_to` is infinity by default).

    `first`: first delivery of the source, whose knowledge date is rebuilt from the contract's knowledge column.
    """
    known_from: pl.Expr = pl.lit(received_on)
    if first and contract.knowledge:
        rebuilt = pl.col(contract.knowledge.column) + pl.duration(days=contract.knowledge.lag_days)
        known_from = pl.min_horizontal(known_from, rebuilt.cast(pl.Date))
    return rows.with_columns(pl.lit(delivery_id).alias("_delivery_id"), known_from.alias("_known_from"))


def apply_versions(
    connection: psycopg.Connection,
    contract: Contract,
    delivery_id: int,
    received_on: date,
    *,
    first: bool,
    known: KnownRows | None = None,
) -> Comparison:
    """Opens and closes versions in the raw table so that its open rows equal the delivery (see the module docstring).

    `first`: first delivery of the source, whose knowledge date is rebuilt from the contract's knowledge column.
    `known`: the rows of the delivery that it found unchanged are not among `incoming`.
    """
    connection.execute("analyze incoming")
    if contract.mode == "snapshot" and known is None:
        connection.execute(_difference(contract))
    else:
        connection.execute(_new_or_changed(contract))
    if contract.mode == "snapshot":
        if known is not None:
            _add_absent(connection, contract, known)
        _keep_versions_of_lines_not_loaded(connection, contract)
    connection.execute("analyze difference")
    closed = connection.execute(
        sql.SQL("update {} r set _known_to = %s, _closed_by = %s from difference d where r.ctid = d._old").format(
            raw_table(contract)
        ),
        (received_on, delivery_id),
    ).rowcount
    known_from = _known_from(contract, first)
    columns = [c.name for c in contract.columns]
    opened = connection.execute(
        sql.SQL(
            "insert into {table} ({columns}, {system}) select {columns}, %(delivery)s, _line, _hash, "
            "case when _old is null then {known_from} else %(received)s end, 'infinity' "
            "from difference where _line is not null order by _line"
        ).format(
            table=raw_table(contract), columns=_names(columns), system=_names(SYSTEM_COLUMNS), known_from=known_from
        ),
        {"delivery": delivery_id, "received": received_on},
    ).rowcount
    if known is not None:
        _write_hashes_again(connection, contract)
    changed = _value(connection, "select count(distinct _line) from difference")
    absent = _value(connection, "select count(*) from difference where _line is null")
    return Comparison(opened, closed, int(str(changed)), int(str(absent)))


def _difference(contract: Contract) -> sql.Composed:
    """Rows to open (`_line` not null) and versions to close (`_old` not null), both sides read whole."""
    names = [c.name for c in contract.columns]
    shown = sql.SQL(", ").join(
        sql.SQL("coalesce(i.{0}, r.{0}) as {0}").format(sql.Identifier(n)) if n in contract.key
        else sql.SQL("i.{}").format(sql.Identifier(n))
        for n in names
    )  # fmt: skip
    return sql.SQL(
        "create temp table difference on commit drop as select i._line, i._hash, {shown}, r._old from incoming i full join "
        "(select ctid as _old, {names} from {table} where _known_to = 'infinity') r on {same} "
        "where i._line is null or r._old is null or {differs}"
    ).format(
        shown=shown,
        names=_names(names),
        table=raw_table(contract),
        same=_equal(contract.key, "i", "r"),
        differs=_differs(contract),
    )


def _new_or_changed(contract: Contract) -> sql.Composed:
    """The same without the versions whose key is absent: a few incoming rows find theirs through the index."""
    names = [c.name for c in contract.columns]
    return sql.SQL(
        "create temp table difference on commit drop as select i._line, i._hash, {shown}, r._old from incoming i left join "
        "(select ctid as _old, {names} from {table} where _known_to = 'infinity') r on {same} "
        "where r._old is null or {differs}"
    ).format(
        shown=_names(names, "i"),
        names=_names(names),
        table=raw_table(contract),
        same=_equal(contract.key, "i", "r"),
        differs=_differs(contract),
    )


def _differs(contract: Contract) -> sql.Composable:
    content = [c.name for c in contract.columns if c.name not in contract.key]
    if not content:
        return sql.SQL("false")
    return sql.SQL("({}) is distinct from ({})").format(_names(content, "i"), _names(content, "r"))


def _add_absent(connection: psycopg.Connection, contract: Contract, known: KnownRows) -> None:
    """The versions whose content was not delivered, found by their address, less those whose key came otherwise."""
    addresses = pl.DataFrame({"a": known.absent()}).select(
        pl.format("({},{})", pl.col("a") // 65536, pl.col("a") % 65536).alias("_address")
    )
    if not addresses.height:
        return
    copy_frame(connection, "absent", addresses)
    connection.execute("analyze absent")
    connection.execute(
        sql.SQL(
            "insert into difference ({keys}, _old) select {keys}, r.ctid from absent a join {table} r "
            "on r.ctid = a._address where r._known_to = 'infinity' and not exists (select from incoming i where {same})"
        ).format(keys=_names(contract.key), table=raw_table(contract), same=_equal(contract.key, "i", "r"))
    )


def _write_hashes_again(connection: psycopg.Connection, contract: Contract) -> None:
    """Open versions that were delivered unchanged under another hash take it: the next load knows them.

    Last of all, since the rows then have another address.
    """
    connection.execute(
        sql.SQL(
            "update {table} r set _hash = i._hash from incoming i where r._known_to = 'infinity' and {same} "
            "and r._hash is distinct from i._hash and not {differs}"
        ).format(table=raw_table(contract), same=_equal(contract.key, "i", "r"), differs=_differs(contract))
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
    if not first or not contract.knowledge:
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
