"""The `vigie` command on one home, called in this process."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli.application import app
from orchestration.cli.console import Refused

#: Size of the demonstration of the tests.
COMPANIES, MONTHS, HISTORY = 600, 84, 4


@dataclass(frozen=True)
class Vigie:
    """The command on one home."""

    home: Path

    def __call__(self, *arguments: str) -> str:
        """Standard output of a command that succeeds (Refused when a gate or the data says no)."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = app(["--home", str(self.home), *arguments], standalone_mode=False)
        assert not code, output.getvalue()
        return output.getvalue()

    def json(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """The reason that a refused command gives."""
        with pytest.raises(Refused) as refusal:
            self(*arguments)
        return str(refusal.value)

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows of a query as the national reader sees them."""
        return list(self.json("sql", query))
