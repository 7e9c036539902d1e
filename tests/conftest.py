"""Fixtures shared by all tests: a real PostgreSQL, and the shared sample data where it is present."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of a running server: DATABASE_URL when set, else an embedded one that stops with the session."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    import tempfile

    from orchestration.postgres import EmbeddedServer

    with tempfile.TemporaryDirectory(prefix="vigie-tests-") as folder:
        server = EmbeddedServer(Path(folder))
        server.start()
        try:
            yield server.url("postgres")
        finally:
            server.stop()


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """URL of a fresh empty database, dropped afterwards."""
    name = f"vigie_test_{uuid.uuid4().hex[:12]}"
    base, _, _ = server_url.rpartition("/")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield f"{base}/{name}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared sample data; the test is skipped, saying so, where it is absent."""
    folder = Path(os.environ.get("VIGIE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (set VIGIE_SHARED)")
    return folder
