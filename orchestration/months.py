"""Months as dates: the first day stands for the month. No clock is read here."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date

TIMEZONE = "Europe/Paris"
#: No month before this one is worked on.
FIRST_MONTH = date(2010, 1, 1)


def parse_month(text: str) -> date:
    """First day of the month written `YYYY-MM` or `YYYY-MM-DD`.

    Raises:
        ValueError: not a month.
    """
    return date.fromisoformat(f"{text}-01" if len(text) == 7 else text).replace(day=1)


def last_day(month: date) -> date:
    """Last day of the month: what was known by then is what its features may use."""
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def shift(month: date, months: int) -> date:
    """First day of the month that lies `months` after (or before) this one."""
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """Every month from `first` to `last`, both included."""
    return list(_iterate(first, last))


def _iterate(first: date, last: date) -> Iterator[date]:
    month = first
    while month <= last:
        yield month
        month = shift(month, 1)
