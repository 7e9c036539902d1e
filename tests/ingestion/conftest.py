"""A real database with the raw tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from connector_base import Desk, fresh_database
from delivery_base import Base

from expectations.contract import load_contracts
from ingestion.database import create_schemas

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


@pytest.fixture
def base(database_url: str, tmp_path: Path) -> Base:
    """A fresh database with all raw tables, and a folder where deliveries land."""
    contracts = load_contracts()
    create_schemas(database_url, contracts)
    return Base(database_url, tmp_path, contracts)


@pytest.fixture
def debits() -> str:
    """Text of the débit fixture: header and four lines."""
    return (FIXTURES / "urssaf__debit.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def connectors_url(server_url: str) -> Iterator[str]:
    """URL of a database whose ledger is complete: making one for each test would cost more than the tests."""
    with fresh_database(server_url) as url:
        create_schemas(url, {})
        yield url


@pytest.fixture
def desk(connectors_url: str, tmp_path: Path) -> Desk:
    """That database, with no memory of any connector, and a landing folder."""
    with psycopg.connect(connectors_url) as connection:
        connection.execute("truncate ingest.connector_state, ingest.fetched")
    return Desk(connectors_url, tmp_path)
