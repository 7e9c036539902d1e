"""Taking a delivery back: what was known before it is known again, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from expectations.contract import load_contracts
from ingestion.database import connect


class WithdrawalRefused(Exception):
    """The delivery cannot be taken back; `str()` is the reason in French."""


@dataclass(frozen=True)
class Withdrawal:
    """What `withdraw` did: versions of the delivery that are gone, versions that it had closed and that are open again."""

    delivery_id: int
    source: str
    rows_removed: int
    rows_reopened: int


def withdraw(url: str, delivery_id: int) -> Withdrawal:
    """Take back the latest loaded delivery of its source; its file and its ledger line stay, with status 'withdrawn'.

    Only the latest can be: a later delivery was compared with it. Take them back one by one, newest first.

    Raises:
        WithdrawalRefused: it is unknown, not loaded, or not the latest of its source.
    """
    with connect(url) as connection:
        found = connection.execute(
            "select source, received_on, status from ingest.delivery where delivery_id = %s", [delivery_id]
        ).fetchone()
        if found is None or found[2] != "loaded":
            state = "n’existe pas" if found is None else f"n’est pas chargée (état : {found[2]})"
            raise WithdrawalRefused(f"La livraison {delivery_id} {state} : il n’y a rien à retirer.")
        source, received_on, _ = found
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"vigie.ingest.{source}"])
        latest = connection.execute(
            "select max(delivery_id) from ingest.delivery where source = %s and status = 'loaded'", [source]
        ).fetchone()
        if latest is not None and latest[0] != delivery_id:
            raise WithdrawalRefused(
                f"La livraison {delivery_id} n’est pas la dernière de {source} : retirez d’abord la livraison {latest[0]}."
            )
        removed, reopened = _restore(connection, source, delivery_id, received_on)
        connection.execute("update ingest.delivery set status = 'withdrawn' where delivery_id = %s", [delivery_id])
    return Withdrawal(delivery_id, source, removed, reopened)


def _restore(connection: psycopg.Connection, source: str, delivery_id: int, received_on: date) -> tuple[int, int]:
    table = sql.SQL("raw.{}").format(sql.Identifier(source))
    key = load_contracts()[source].key
    same_key = sql.SQL(" and ").join(sql.SQL("other.{0} = closed.{0}").format(sql.Identifier(name)) for name in key)
    removed = connection.execute(
        sql.SQL("delete from {} where _delivery_id = %s").format(table), [delivery_id]
    ).rowcount
    # Closed that day, and replaced by nothing that is still there: this delivery closed it.
    reopened = connection.execute(
        sql.SQL(
            "update {table} as closed set _known_to = 'infinity' where closed._known_to = %(day)s "
            "and not exists (select 1 from {table} as other where other._known_to = 'infinity' and {same_key}) "
            "and not exists (select 1 from {table} as other where other._known_to = %(day)s "
            "and other._delivery_id > closed._delivery_id and {same_key})"
        ).format(table=table, same_key=same_key),
        {"day": received_on},
    ).rowcount
    return removed, reopened
