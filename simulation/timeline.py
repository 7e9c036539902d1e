"""The simulated months, the dates of the deliveries, and how each administration writes a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

FIRST_MONTH = date(2016, 1, 1)
NEVER = np.datetime64("2999-12-31", "D")  # "no such date" in the numpy arrays of this package
MONTHS_EN = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Timeline:
    """The months simulated and the four deliveries made of them.

    ``months`` number of months from January 2016; ``deliveries`` dates of reception, ascending: the history, then the
    three latest monthly ones; the last is in the last simulated month.
    """

    months: int
    deliveries: tuple[date, ...]

    @property
    def first_days(self) -> np.ndarray:
        """First day of each simulated month plus 36 further ones, datetime64[D] (so that lags can be indexed)."""
        start = np.datetime64(FIRST_MONTH, "M")
        return (start + np.arange(self.months + 36)).astype("datetime64[D]")

    @property
    def calendar_month(self) -> np.ndarray:
        """Calendar month (1..12) of each simulated month."""
        return np.arange(self.months) % 12 + FIRST_MONTH.month

    @property
    def years(self) -> np.ndarray:
        """Calendar year of each simulated month."""
        return FIRST_MONTH.year + np.arange(self.months) // 12

    def index(self, year: int, month: int) -> int:
        """Position of a calendar month, possibly outside the simulated range."""
        return (year - FIRST_MONTH.year) * 12 + month - FIRST_MONTH.month


def make_timeline(months: int) -> Timeline:
    """Timeline of ``months`` months. Raises ValueError below 24: too few for a history and three deliveries."""
    if months < 24:
        raise ValueError(f"at least 24 months are needed to simulate, got {months}")
    return Timeline(months, tuple(_working_22nd(months - 1 - back) for back in (3, 2, 1, 0)))


def _working_22nd(index: int) -> date:
    """The 22nd of a month, or the Monday after when it is a week-end."""
    day = date(FIRST_MONTH.year + index // 12, index % 12 + 1, 22)
    return day + timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))


def month_name(index: int) -> str:
    """YYYYMM of a simulated month, for file names."""
    return f"{FIRST_MONTH.year + index // 12}{index % 12 + 1:02d}"


def urssaf_period(index: int) -> str:
    """``YYYYQM`` of a month: year, quarter, rank of the month in the quarter (sources.md 1.1)."""
    month = index % 12
    return f"{FIRST_MONTH.year + index // 12}{month // 3 + 1}{month % 3 + 1}"


def urssaf_quarter(index: int) -> str:
    """``YYYYQ0`` of the quarter that holds a month."""
    return urssaf_period(index)[:5] + "0"


def iso(name: str) -> pl.Expr:
    """``YYYY-MM-DD``, empty for null."""
    return pl.col(name).dt.strftime("%Y-%m-%d")


def urssaf(name: str) -> pl.Expr:
    """``1YYMMDD`` (century counted from 1900): 2016-03-18 is 1160318."""
    return (pl.col(name).dt.strftime("%Y%m%d").cast(pl.Int64) - 19_000_000).cast(pl.String)


def slashed(name: str) -> pl.Expr:
    """``DD/MM/YYYY``."""
    return pl.col(name).dt.strftime("%d/%m/%Y")


def compact(name: str, french: bool = False) -> pl.Expr:
    """``DDMMMYYYY`` with the English month in capitals, or the French one in small letters as Banque de France may."""
    names = (
        ("janv", "févr", "mars", "avr", "mai", "juin", "juil", "août", "sept", "oct", "nov", "déc")
        if french
        else MONTHS_EN
    )
    month = pl.col(name).dt.month().replace_strict(list(range(1, 13)), list(names), return_dtype=pl.String)
    return pl.concat_str(pl.col(name).dt.strftime("%d"), month, pl.col(name).dt.strftime("%Y"))
