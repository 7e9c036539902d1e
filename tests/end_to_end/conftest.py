"""One small demonstration, run once through the command, in a home of its own with an embedded server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from vigie_command import COMPANIES, HISTORY, MONTHS, Vigie

from orchestration.instance import Instance
from orchestration.runs import opened


@pytest.fixture(scope="session")
def embedded() -> Iterator[None]:
    """No server of yours: the demonstration starts its own, whatever the environment of the tests."""
    names = ("DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")
    saved = {name: os.environ.pop(name, None) for name in names}
    yield
    os.environ.update({name: value for name, value in saved.items() if value is not None})


@pytest.fixture(scope="session")
def demo(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Vigie, dict[str, Any]]]:
    """The command on the demonstration's home, and the summary that it printed; the server runs for the whole session."""
    vigie = Vigie(tmp_path_factory.mktemp("vigie") / "home")
    with opened(Instance(vigie.home)):
        arguments = ("--companies", str(COMPANIES), "--months", str(MONTHS), "--history", str(HISTORY))
        yield vigie, vigie.json("demo", *arguments)
