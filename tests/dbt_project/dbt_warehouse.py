"""A database with raw, ingest, ml and publication tables, rows written by hand, and dbt run on it in this process."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from expectations.contract import load_contracts
from ingestion.database import create_schemas

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
RECEIVED = "2019-01-15"

# What models_ml and the publication keep, reduced to the columns that dbt reads.
_ML_AND_PUBLICATION = """
create schema ml;
create schema publication;
create table ml.run_month (
    month date primary key, model_id text not null, sources_ecartees text[] not null default '{}', liste_comparee date
);
create table ml.model (model_id text primary key, seuil_f1 double precision, seuil_f2 double precision);
create table ml.score (
    siren text, month date, model_id text,
    p12 double precision, p18 double precision, p24 double precision, logit double precision,
    primary key (siren, month, model_id)
);
create table ml.explanation (
    siren text, month date, model_id text, rang int, theme text, variable text,
    valeur double precision, contribution double precision, sens text, phrase text
);
create table publication.month (
    publication_id bigint primary key, month date, status text, model_id text,
    seuil_f1 double precision, seuil_f2 double precision, published_at timestamptz
);
create table publication.detection (
    publication_id bigint, month date, siren text, alerte text, departement text, region text,
    naf text, p18 double precision, est_premiere_alerte boolean
);
create table publication.entreprise (publication_id bigint, siren text, code_commune text, date_creation date);
create table publication.montant (publication_id bigint, siren text, a_delai boolean);
create table publication.raison (
    publication_id bigint, siren text, rang int, theme text, variable text, contribution double precision, sens text
);
"""


@dataclass
class Warehouse:
    """One database; `dbt` runs a command on it (with `variables` beside the months), `write` inserts raw rows, `query` reads."""

    url: str
    folder: Path
    project: Path = PROJECT
    threads: int = 2
    variables: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    manifest: Any = field(default=None, repr=False)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement).fetchall()

    def write(self, source: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows into raw.<source>; `known` = (from, to) or a date, the other keys are columns."""
        with psycopg.connect(self.url) as connection:
            for row in rows:
                self.lines += 1
                known = row["known"]
                known_from, known_to = known if isinstance(known, tuple) else (known, "infinity")
                values = {k: v for k, v in row.items() if k != "known"} | {
                    "_delivery_id": 1, "_line": self.lines, "_known_from": known_from, "_known_to": known_to,
                }  # fmt: skip
                statement = sql.SQL("insert into raw.{} ({}) values ({})").format(
                    sql.Identifier(source),
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(values)),
                )
                connection.execute(statement, list(values.values()))

    def dbt(self, command: str, *arguments: str, first: str = "2020-01-01", last: str = "2020-01-01") -> Any:
        """Run a dbt command for the months from `first` to `last`; the result of dbtRunner."""
        from dbt.cli.main import dbtRunner

        with self._environment():
            if self.manifest is None:
                parsed = dbtRunner().invoke(["parse", *self._options()])
                assert parsed.success, parsed.exception
                self.manifest = parsed.result
            variables = json.dumps({"month_start": first, "month_end": last, **self.variables})
            return dbtRunner(manifest=self.manifest).invoke(
                [command, *self._options(), *arguments, "--vars", variables]
            )

    def features(self, first: str, last: str) -> None:
        """Build staging, intermediate and marts for the months (no data test: their own test runs them once)."""
        self._succeed(self.dbt("run", "--select", "tag:features", first=first, last=last))

    def publication(self, first: str, last: str) -> None:
        """Build the candidate tables for the months."""
        self._succeed(self.dbt("run", "--select", "tag:publication", first=first, last=last))

    def forget_after(self, day: str) -> None:
        """Make raw what it was on a day: no version known later, no closing known later."""
        for (name,) in self.query("select tablename from pg_tables where schemaname = 'raw'"):
            self.execute(
                f"delete from raw.{name} where _known_from > '{day}';"
                f" drop index if exists raw.{name}_open_key;"
                f" update raw.{name} set _known_to = 'infinity' where _known_to > '{day}'"
            )

    def seed(self) -> None:
        self._succeed(self.dbt("seed"))

    @staticmethod
    def _succeed(result: Any) -> None:
        failures = [f"{r.node.name}: {r.message}" for r in (result.result or []) if r.status not in ("success", "pass")]
        assert result.success, "\n".join(failures) or result.exception

    def _options(self) -> list[str]:
        folder = str(self.folder)
        return [
            "--project-dir", str(self.project), "--profiles-dir", str(self.project), "--target-path", folder,
            "--log-path", folder, "--log-level", "none", "--no-version-check",
        ]  # fmt: skip

    @contextmanager
    def _environment(self) -> Iterator[None]:
        parts = urlsplit(self.url)
        wanted = {
            "PGHOST": parts.hostname or "localhost",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "",
            "PGDATABASE": parts.path.lstrip("/"),
            "VIGIE_DBT_ROLE": "",
            "VIGIE_DBT_THREADS": str(self.threads),
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def new_warehouse(server_url: str, folder: Path) -> Iterator[Warehouse]:
    """A fresh database with empty raw tables and the seeds; dropped at the end."""
    name = f"vigie_dbt_{uuid.uuid4().hex[:12]}"
    base, _, _ = server_url.rpartition("/")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        warehouse = Warehouse(f"{base}/{name}", folder)
        create_schemas(warehouse.url, load_contracts())
        warehouse.execute(_ML_AND_PUBLICATION)
        warehouse.execute(
            "insert into ingest.delivery (delivery_id, source, file_name, received_on, lines, loaded, unchanged, rejected,"
            " out_of_scope, rows_opened, rows_closed, status, code_version)"
            f" values (1, 'insee__etablissement', 'a.csv', '{RECEIVED}', 10, 8, 0, 2, 0, 8, 0, 'loaded', 'test')"
        )
        warehouse.seed()
        yield warehouse
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
