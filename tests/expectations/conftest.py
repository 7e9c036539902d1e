"""What the tests of several gates start from."""

from __future__ import annotations

import psycopg
import pytest
from gate_months import MART, SCORES


@pytest.fixture
def mart_url(database_url: str) -> str:
    """Database with five clean months of mart and scores."""
    with psycopg.connect(database_url) as connection:
        connection.execute(MART)
        connection.execute(SCORES)
    return database_url
