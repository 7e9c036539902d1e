"""Months, and what the sensor calls a settled file."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from orchestration.automation import settled_files
from orchestration.months import last_day, months_between, parse_month, shift


def test_a_month_is_its_first_day() -> None:
    assert parse_month("2025-12") == parse_month("2025-12-31") == date(2025, 12, 1)


@pytest.mark.parametrize("text", ["2025-13", "december", "2025", ""])
def test_what_is_not_a_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_month(text)


def test_shifting_crosses_years_both_ways() -> None:
    assert shift(date(2025, 1, 1), -1) == date(2024, 12, 1)
    assert shift(date(2024, 11, 1), 14) == date(2026, 1, 1)


def test_the_last_day_knows_leap_years() -> None:
    assert last_day(date(2024, 2, 1)) == date(2024, 2, 29)


def test_a_range_of_months_has_both_ends() -> None:
    assert months_between(date(2025, 11, 1), date(2026, 1, 1)) == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
    ]


def test_a_file_is_taken_only_when_it_has_settled() -> None:
    """A slow transfer seen half way, or one that writes at the size it will have, must not be ingested."""
    looks: list[dict[str, list[int]]] = [
        {},
        {"a.csv": [10, 1]},
        {"a.csv": [25, 2], "b.csv": [3, 2]},
        {"a.csv": [25, 3], "b.csv": [3, 2]},
        {"b.csv": [3, 2], "a.csv": [25, 3]},
    ]
    settled = [settled_files(now, before) for before, now in pairwise(looks)]
    assert [list(names) for names in settled] == [[], [], ["b.csv"], ["a.csv", "b.csv"]]
