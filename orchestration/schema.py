"""Everything that must exist in the database before the first delivery: roles, schemas, tables, views, row security.

Belongs here: running the DDL of `sql/` and of the contracts, in order, as often as wanted with the same result.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from expectations.contract import load_contracts
from ingestion import database

SQL = Path(__file__).parent / "sql"
#: Role of the sessions that write raw data and its ledger.
INGESTION_ROLE = "vigie_ingestion"
#: Role of the sessions that read what is published, the whole country and every amount.
READER_ROLE = "vigie_lecteur"
_LOCK = 0x5649_4749  # "VIGI": one process at a time changes the schema


def create(url: str) -> None:
    """Create or complete all schemas of the instance; idempotent.

    Raises:
        psycopg.errors.InsufficientPrivilege: the login may not create roles and schemas (see `deploy/README.md`).
    """
    with psycopg.connect(url) as connection:
        connection.execute("set client_min_messages = warning")
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        database.create_schemas(url, load_contracts())
        name = connection.execute("select quote_ident(current_database())").fetchone()
        assert name is not None
        for path in sorted(SQL.glob("*.sql")):
            connection.execute(path.read_text().replace(":database", name[0]).encode())
