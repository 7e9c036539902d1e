"""Everything that must exist in the database before the first delivery: roles, schemas, tables, views, row security.

Belongs here: running the DDL of `sql/` and of the contracts, in order, as often as wanted with the same result.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from psycopg import sql

from expectations.contract import CONTRACTS, load_contracts
from ingestion import database

SQL = Path(__file__).parent / "sql"
#: Role of the sessions that write raw data and its ledger.
INGESTION_ROLE = "vigie_ingestion"
#: Role of the sessions that read what is published, the whole country and every amount.
READER_ROLE = "vigie_lecteur"
_LOCK = 0x5649_4749  # "VIGI": one process at a time changes the schema
_SCHEMAS = (
    "public", "raw", "ingest", "staging", "intermediate", "marts", "reference", "ml", "publication", "published", "compat_sfor",
    "dagster",
)  # fmt: skip
#: Roles, schemas, tables and their columns, views, functions, policies and rights, as one digest: what a restored or altered database
#: lacks is seen in it. Tables that dbt makes are left out, because they come while others work; what they grant is in the default rights.
_STATE = """
with fact (line) as (
    select concat_ws(' ', 'role', rolname, pg_has_role(oid, 'member')) from pg_roles where rolname like 'vigie\\_%%'
    union all
    select concat_ws(' ', 'schema', nspname, nspowner::regrole, nspacl) from pg_namespace
    where nspname = any (%(schemas)s)
    union all
    select concat_ws(
        ' ', 'relation', nspname, relname, relowner::regrole, relrowsecurity, relforcerowsecurity, relacl,
        (select count(*) from pg_attribute where attrelid = pg_class.oid and attnum > 0 and not attisdropped)
    )
    from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        relkind in ('r', 'v')
        and (nspname in ('raw', 'ingest', 'ml', 'published') or relrowsecurity or (nspname = 'marts' and relname = 'recalcul'))
    union all
    select concat_ws(' ', 'function', oid::regprocedure, proowner::regrole, proacl)
    from pg_proc where pronamespace = to_regnamespace('published')
    union all
    select concat_ws(' ', 'policy', polrelid::regclass, polname) from pg_policy
    union all
    select concat_ws(' ', 'default', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl) from pg_default_acl
)

select md5(current_user || string_agg(line, ' ' order by line)) from fact
"""
#: What the schemas are made from.
_SOURCES = (Path(__file__), Path(database.__file__), *sorted(SQL.glob("*.sql")), *sorted(CONTRACTS.glob("*.yml")))


def create(url: str) -> None:
    """Create or complete all schemas of the instance; idempotent.

    What is already as this project makes it is left alone: altering a table waits for whoever reads it, and those who come
    next would wait behind.

    Raises:
        psycopg.errors.InsufficientPrivilege: the login may not create roles and schemas (see `deploy/README.md`).
    """
    with psycopg.connect(url) as connection:
        connection.execute("set client_min_messages = warning")
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        if _mark(connection) == _complete(connection):
            return
        database.create_schemas(url, load_contracts())
        name = connection.execute("select quote_ident(current_database())").fetchone()
        assert name is not None
        for path in sorted(SQL.glob("*.sql")):
            connection.execute(path.read_text().replace(":database", name[0]).encode())
        mark = sql.Literal(_complete(connection))
        connection.execute(sql.SQL("comment on schema publication is {}").format(mark))


def _mark(connection: psycopg.Connection) -> str | None:
    row = connection.execute("select obj_description(to_regnamespace('publication'), 'pg_namespace')").fetchone()
    return row[0] if row else None


def _complete(connection: psycopg.Connection) -> str:
    """What the comment of schema `publication` says when all is there: the files it was made from, and a digest of what there is."""
    files = hashlib.sha256()
    for path in _SOURCES:
        files.update(path.name.encode() + path.read_bytes())
    row = connection.execute(_STATE, {"schemas": list(_SCHEMAS)}).fetchone()
    assert row is not None
    return f"files {files.hexdigest()[:16]}, state {row[0]}"
