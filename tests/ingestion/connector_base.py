"""A place where connectors work: a database, a landing folder, and moments that follow each other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from expectations.contract import load_contracts
from ingestion.connectors import collect
from ingestion.connectors.offers import Look
from ingestion.connectors.settings import Connector, load_connectors

DAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """URL of a new database of that server, dropped afterwards."""
    name = f"vigie_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@dataclass
class Desk:
    """One instance, and what its connectors do there."""

    url: str
    folder: Path

    def __post_init__(self) -> None:
        self.contracts = load_contracts()
        self.landing = self.folder / "landing"
        self.landing.mkdir()
        self.place = collect.Place(self.url, self.landing, self.contracts)

    def settings(self, **values: Any) -> Connector:
        """The connector `depot` with these settings, read as the instance reads them."""
        path = self.folder / "connectors.yml"
        path.write_text(yaml.safe_dump({"connectors": {"depot": values}}, sort_keys=False), encoding="utf-8")
        return load_connectors(path, self.contracts)["depot"]

    def look(self, settings: Connector, now: datetime = NOW, day: date = DAY) -> Look:
        """Look without taking."""
        return collect.look("depot", settings, self.place, day=day, now=now)

    def fetch(self, settings: Connector, now: datetime = NOW, day: date = DAY) -> collect.Report:
        """Look and take."""
        return collect.fetch("depot", settings, self.place, day=day, now=now)

    def fetch_settled(self, settings: Connector) -> collect.Report:
        """Two fetches a minute apart: what the second one did."""
        self.fetch(settings)
        return self.fetch(settings, NOW + MINUTE)

    def landed(self) -> list[tuple[str, bytes]]:
        """Name and content of every visible delivery, in the order of the landing folder."""
        files = sorted(path for path in self.landing.rglob("*") if path.is_file() and path.parent.name != ".incoming")
        return [(path.name, path.read_bytes()) for path in files]

    def incoming(self) -> list[str]:
        """Names of what is not visible yet."""
        return sorted(path.name for path in (self.landing / ".incoming").iterdir())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the instance's database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()
