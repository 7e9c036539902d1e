"""What one delivery changed compared with another of the same source, from the versions of the raw table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from expectations.contract import Contract, load_contracts
from ingestion.database import connect, raw_table

Change = Literal["added", "removed", "changed"]


class DifferenceRefused(Exception):
    """The two deliveries cannot be compared; `str()` is the reason in French."""


@dataclass(frozen=True)
class CompanyChange:
    """A company (None: rows without any SIREN) whose rows differ: it came (`added`), went, or changed."""

    siren: str | None
    change: Change
    rows_added: int
    rows_removed: int
    rows_changed: int
    columns: list[str]


@dataclass(frozen=True)
class Difference:
    """What was known after delivery `after` against what was known after `before`: companies, rows, columns."""

    source: str
    before: int
    after: int
    companies: dict[Change, int]
    rows: dict[Change, int]
    columns: dict[str, int]
    changes: list[CompanyChange]


def difference(url: str, before: int, after: int, *, role: str | None = None) -> Difference:
    """Compares what was known after two deliveries of one source; either may be the older.

    Raises:
        DifferenceRefused: one is unknown or was never loaded, or they are of two sources.
    """
    with connect(url, role=role) as connection:
        contract = _contract_of(connection, before, after)
        low, high = sorted((before, after))
        _compare(connection, contract, low, high)
        swapped: dict[Change, Change] = {"added": "removed", "removed": "added", "changed": "changed"}
        names = swapped if before > after else {change: change for change in swapped}
        rows: dict[Change, int] = dict.fromkeys(swapped, 0)
        for change, count in connection.execute("select change, count(*) from difference group by change"):
            rows[names[change]] = count
        columns: dict[str, int] = dict(
            connection.execute(
                "select name, count(*) from difference, unnest(columns) as name group by name order by 2 desc, 1"
            ).fetchall()
        )
        changes = [
            CompanyChange(siren, names[change], *((gone, new) if before > after else (new, gone)), changed, found)
            for siren, change, new, gone, changed, found in _companies(connection, contract, low, high)
        ]
    companies: dict[Change, int] = dict.fromkeys(swapped, 0)
    for item in changes:
        companies[item.change] += item.siren is not None
    return Difference(contract.name, before, after, companies, rows, columns, changes)


def _contract_of(connection: psycopg.Connection, before: int, after: int) -> Contract:
    rows = connection.execute(
        "select delivery_id, source, status from ingest.delivery where delivery_id = any(%s)", [[before, after]]
    ).fetchall()
    states = {delivery_id: (source, status) for delivery_id, source, status in rows}
    for delivery_id in (before, after):
        if delivery_id not in states:
            raise DifferenceRefused(f"La livraison {delivery_id} n’existe pas.")
        if states[delivery_id][1] != "loaded":
            raise DifferenceRefused(
                f"La livraison {delivery_id} n’est pas chargée (état : {states[delivery_id][1]}) : elle n’a rien changé."
            )
    sources = {states[before][0], states[after][0]}
    if len(sources) > 1:
        raise DifferenceRefused(f"Les deux livraisons sont de sources différentes : {' et '.join(sorted(sources))}.")
    return load_contracts()[sources.pop()]


def _known_after(alias: str, delivery: str) -> sql.SQL:
    """The condition that a version was known once that delivery was loaded."""
    return sql.SQL(
        f"{alias}._delivery_id <= %({delivery})s "
        f"and ({alias}._known_to = 'infinity' or {alias}._closed_by > %({delivery})s)"
    )


def _siren(contract: Contract) -> sql.Composable:
    """The SIREN of a row: its own column, or the first nine digits of the SIRET, or none."""
    found = [
        sql.SQL("left({}, 9)").format(sql.Identifier(column.name))
        for kind in ("siren", "siren_list", "siret")
        for column in contract.columns
        if column.type == kind
    ]
    return sql.SQL("coalesce({}, null)").format(sql.SQL(", ").join(found)) if found else sql.SQL("null::text")


def _compare(connection: psycopg.Connection, contract: Contract, low: int, high: int) -> None:
    """Temporary table `difference`: one row per key that differs, its SIREN, its change and the columns that changed."""
    content = [column.name for column in contract.columns if column.name not in contract.key]
    changed = sql.SQL(", ").join(
        sql.SQL("case when o.{0} is distinct from n.{0} then {1} end").format(sql.Identifier(name), sql.Literal(name))
        for name in content
    )
    same_key = sql.SQL(" and ").join(sql.SQL("o.{0} = n.{0}").format(sql.Identifier(name)) for name in contract.key)
    connection.execute(
        sql.SQL(
            "create temp table difference on commit drop as "
            "with o as (select {siren} as _siren, * from {table} r where {known_low} and not ({known_high})), "
            "n as (select {siren} as _siren, * from {table} r where {known_high} and not ({known_low})), "
            "paired as (select coalesce(n._siren, o._siren) as siren, "
            "case when o._line is null then 'added' when n._line is null then 'removed' else 'changed' end as change, "
            "case when o._line is not null and n._line is not null then array_remove(array[{changed}]::text[], null) "
            "else '{{}}' end as columns from o full join n on {same_key}) "
            "select * from paired where change <> 'changed' or columns <> '{{}}'"
        ).format(
            siren=_siren(contract),
            table=raw_table(contract),
            known_low=_known_after("r", "low"),
            known_high=_known_after("r", "high"),
            changed=changed,
            same_key=same_key,
        ),
        {"low": low, "high": high},
    )
    connection.execute("analyze difference")


def _companies(
    connection: psycopg.Connection, contract: Contract, low: int, high: int
) -> list[tuple[str | None, Change, int, int, int, list[str]]]:
    """Per SIREN: change, rows added, removed and changed, columns that changed."""
    query = sql.SQL(
        "with company as (select siren, count(*) filter (where change = 'added') as added, "
        "count(*) filter (where change = 'removed') as removed, count(*) filter (where change = 'changed') as changed "
        "from difference group by siren), "
        "known as (select {siren} as siren, bool_or({known_low}) as was, bool_or({known_high}) as is_still "
        "from {table} r where {siren} in (select siren from difference) group by 1) "
        "select company.siren, case when not was then 'added' when not is_still then 'removed' else 'changed' end, "
        "added, removed, changed, array(select distinct name from difference as d, unnest(d.columns) as name "
        "where d.siren = company.siren order by 1) "
        "from company left join known using (siren) order by company.siren nulls last"
    ).format(
        siren=_siren(contract),
        table=raw_table(contract),
        known_low=_known_after("r", "low"),
        known_high=_known_after("r", "high"),
    )
    return connection.execute(query, {"low": low, "high": high}).fetchall()
