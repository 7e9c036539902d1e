"""Taking a delivery back: what was known before it is known again, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

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
            "select source, status from ingest.delivery where delivery_id = %s", [delivery_id]
        ).fetchone()
        if found is None or found[1] != "loaded":
            state = "n’existe pas" if found is None else f"n’est pas chargée (état : {found[1]})"
            raise WithdrawalRefused(f"La livraison {delivery_id} {state} : il n’y a rien à retirer.")
        source, _ = found
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"vigie.ingest.{source}"])
        latest = connection.execute(
            "select max(delivery_id) from ingest.delivery where source = %s and status = 'loaded'", [source]
        ).fetchone()
        if latest is not None and latest[0] != delivery_id:
            raise WithdrawalRefused(
                f"La livraison {delivery_id} n’est pas la dernière de {source} : retirez d’abord la livraison {latest[0]}."
            )
        removed, reopened = _restore(connection, source, delivery_id)
        connection.execute("update ingest.delivery set status = 'withdrawn' where delivery_id = %s", [delivery_id])
        # The lines that a replay had taken wait in quarantine again.
        connection.execute("update ingest.rejected_row set replayed_by = null where replayed_by = %s", [delivery_id])
    return Withdrawal(delivery_id, source, removed, reopened)


def _restore(connection: psycopg.Connection, source: str, delivery_id: int) -> tuple[int, int]:
    table = sql.SQL("raw.{}").format(sql.Identifier(source))
    removed = connection.execute(
        sql.SQL("delete from {} where _delivery_id = %s").format(table), [delivery_id]
    ).rowcount
    reopened = connection.execute(
        sql.SQL("update {} set _known_to = 'infinity', _closed_by = null where _closed_by = %s").format(table),
        [delivery_id],
    ).rowcount
    return removed, reopened
