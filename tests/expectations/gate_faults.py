"""What the tests of all gates share: a fault seeded, a gate that must be closed for it, measures that are all read."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from expectations.checks import Suite
from expectations.gates import GateResult


def mutate(url: str, statement: str) -> None:
    """Seed a fault; a statement that touches no row would make a test that cannot fail."""
    with psycopg.connect(url) as connection:
        for part in filter(str.strip, statement.split(";")):
            assert connection.execute(part).rowcount != 0, f"no row touched by {part}"


def assert_closed(result: GateResult, *fragments: str) -> None:
    """The gate is closed, and the critical failure that was expected is among those told, in French."""
    told = "\n".join(failure.message for failure in result.failures if failure.severity == "critical")
    assert not result.passed
    assert "contrôle impossible" not in told, told
    for fragment in fragments:
        assert fragment in told, told


def assert_each_measure_is_read(url: str, suites: Iterable[Suite]) -> None:
    """A measure under a name that no check reads would never be looked at, and a rule without measure never closes."""
    for suite in suites:
        with psycopg.connect(url) as connection:
            rows = connection.execute(f"select distinct controle from ({suite.query}) as lot")
            measures = {name for (name,) in rows}
        assert measures <= {check.name for check in suite.checks}
        assert {check.name for check in suite.checks if check.faulty} <= measures
