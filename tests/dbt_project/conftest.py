"""Warehouses for the dbt tests: dbt costs seconds a run, so a module builds once and asks often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dbt_warehouse import Warehouse, new_warehouse


@pytest.fixture(scope="module")
def warehouse(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A database with empty raw tables and the seeds."""
    with new_warehouse(server_url, tmp_path_factory.mktemp("dbt")) as made:
        yield made


@pytest.fixture(scope="session")
def compat(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Staging and compat views, which show whatever is written in raw and published (clean_filter reads the mart: left out)."""
    with new_warehouse(server_url, tmp_path_factory.mktemp("dbt")) as made:
        made._succeed(made.dbt("run", "--select", "staging", "compat", "--exclude", "clean_filter"))
        yield made
