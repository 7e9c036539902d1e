"""One simulated region for all tests of the simulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from region_reading import Region

from simulation import simulate


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    """2,600 companies (two blocks) over ten years: enough failures to measure rates."""
    return Region(simulate(tmp_path_factory.mktemp("region"), companies=2_600, months=120, seed=3))


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Write a small region in a new folder."""

    def write(name: str, *, companies: int = 200, months: int = 60, seed: int = 1) -> Path:
        simulate(tmp_path / name, companies=companies, months=months, seed=seed)
        return tmp_path / name

    return write
