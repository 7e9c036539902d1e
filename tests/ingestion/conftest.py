"""A real database with the raw tables."""

from __future__ import annotations

from pathlib import Path

import pytest
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
