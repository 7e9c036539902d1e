"""Reads a simulated region as a stranger would: only through its files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from simulation import SimulationSummary


@dataclass(frozen=True)
class Delivered:
    """A delivered file read back: the text of its lines (header first), and its lines free of defects as a table."""

    received_on: date
    source: str
    path: Path
    lines: list[str]
    table: pl.DataFrame


@dataclass(frozen=True)
class Region:
    """A simulation and what it wrote, read only through its files."""

    summary: SimulationSummary
    _read: dict[str, list[Delivered]] = field(default_factory=dict)

    def truth(self, name: str) -> pl.DataFrame:
        """A table of the truth."""
        return pl.read_parquet(self.summary.out / "truth" / f"{name}.parquet")

    def files(self, source: str) -> list[Delivered]:
        """Files of a source, in order of reception."""
        if source not in self._read:
            warts = self.truth("warts")
            self._read[source] = [
                read_delivered(delivery.received_on, source, delivery.folder / file.name, warts)
                for delivery in self.summary.deliveries
                for file in delivery.files
                if file.source == source
            ]
        return self._read[source]


def decode(path: Path) -> str:
    """Text of a delivered file, whatever its compression and encoding."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso8859-15")


def read_delivered(received_on: date, source: str, path: Path, warts: pl.DataFrame) -> Delivered:
    """Read a file and set aside the lines recorded as bad (1-based physical line numbers)."""
    lines = decode(path).splitlines()
    here = (pl.col("received_on") == received_on) & (pl.col("file") == path.name) & (pl.col("line") > 0)
    bad = set(warts.filter(here)["line"].to_list())
    kept = [line for number, line in enumerate(lines, start=1) if number not in bad]
    separator = ";" if kept[0].count(";") > kept[0].count(",") else ","
    text = "\n".join(kept).encode()
    return Delivered(received_on, source, path, lines, pl.read_csv(text, separator=separator, infer_schema=False))
