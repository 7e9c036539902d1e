"""What the outcome of a run means for the runs that come after it."""

from __future__ import annotations

import pytest

from orchestration.runs import Outcome


@pytest.mark.parametrize(
    ("causes", "too_young"),
    [
        ({"NotEnoughHistory"}, True),
        ({"DagsterAssetCheckFailedError"}, False),
        ({"NotEnoughHistory", "DagsterAssetCheckFailedError"}, False),
        (set(), False),
    ],
)
def test_only_a_past_that_is_too_short_is_gone_without(causes: set[str], too_young: bool) -> None:
    """A history that a gate refused was dropped in silence, and the month was published without it."""
    assert Outcome("run", "historique", False, True, ("raison",), frozenset(causes)).too_young is too_young
