"""Writes delivered files in the producers' own layouts, and spoils a known share of their lines.

A file is written chunk by chunk (one chunk per block of companies), so memory does not grow with the region. Bad lines
are added copies of good ones, spoilt in one field: nothing true is lost, and each is recorded with its line number.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Literal

import numpy as np
import polars as pl

BAD_SHARE = 0.001
DUPLICATE_SHARE = 0.0002
MOST_SPOILT = 0.002  # of a chunk, for each kind: a short file must not be refused for its rejects
WART_SCHEMA = {
    "received_on": pl.Date, "source": pl.String, "file": pl.String, "line": pl.Int64, "wart": pl.String,
    "column": pl.String, "value": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a file is written.

    ``header`` column names in order; ``dates``, ``amounts``, ``coordinates``, ``identities`` columns that bad
    lines spoil; ``quoted`` texts between double quotes (header included).
    """

    source: str
    file: str
    header: tuple[str, ...]
    separator: str = ";"
    encoding: str = "utf-8"
    compressed: bool = False
    quoted: bool = False
    byte_order_mark: bool = False
    dates: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    coordinates: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()


@dataclass
class OpenFile:
    """A file being written; ``line`` is the last physical line written (header = 1)."""

    layout: Layout
    received_on: date
    path: Path
    line: int = 0
    warts: list[tuple[date, str, str, int, str, str, str]] = field(default_factory=list)
    _raw: IO[bytes] | None = None
    _out: IO[bytes] | None = None

    def open(self) -> OpenFile:
        """Create the file and write its header. gzip streams carry neither name nor time: same content, same bytes."""
        self._raw = self.path.open("wb")
        self._out = (
            gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=self._raw, mtime=0)  # type: ignore[assignment]
            if self.layout.compressed
            else self._raw
        )
        quote = '"' if self.layout.quoted else ""
        header = self.layout.separator.join(f"{quote}{name}{quote}" for name in self.layout.header)
        self._write(("\ufeff" if self.layout.byte_order_mark else "") + header + "\n")
        self.line = 1
        return self

    def append(self, frame: pl.DataFrame, rng: np.random.Generator) -> None:
        """Write the lines of ``frame`` (columns picked by name), then the spoilt lines drawn from ``rng``."""
        frame = frame.select(self.layout.header)
        if frame.height == 0:
            return
        self._write_frame(frame)
        self.line += frame.height
        self._spoil(frame, rng)

    def close(self) -> None:
        """Flush and close."""
        if self._out is not None and self._out is not self._raw:
            self._out.close()
        if self._raw is not None:
            self._raw.close()
        self._out = self._raw = None

    def _text(self, frame: pl.DataFrame) -> bytes:
        buffer = io.BytesIO()
        style: Literal["non_numeric", "necessary"] = "non_numeric" if self.layout.quoted else "necessary"
        frame.write_csv(buffer, include_header=False, separator=self.layout.separator, quote_style=style, null_value="")
        return buffer.getvalue()

    def _write_frame(self, frame: pl.DataFrame) -> None:
        data = self._text(frame)
        if self.layout.encoding != "utf-8":
            data = data.decode().encode(self.layout.encoding)
        assert self._out is not None
        self._out.write(data)

    def _write(self, text: str) -> None:
        assert self._out is not None
        self._out.write(text.encode(self.layout.encoding))

    def _spoil(self, frame: pl.DataFrame, rng: np.random.Generator) -> None:
        """Add bad and duplicated copies of randomly drawn lines."""
        bad, twice = np.minimum(
            rng.binomial(frame.height, (BAD_SHARE, DUPLICATE_SHARE)), int(frame.height * MOST_SPOILT)
        )
        if bad + twice == 0:
            return
        picked = frame[rng.integers(0, frame.height, bad + twice)]
        lines = self._text(picked).decode().splitlines()
        for rank, text in enumerate(lines):
            wart, column, value, text = self._spoilt_line(text, rng) if rank < bad else ("duplicate", "", "", text)
            self._write(text + "\n")
            self.line += 1
            self.warts.append((self.received_on, self.layout.source, self.path.name, self.line, wart, column, value))

    def _spoilt_line(self, text: str, rng: np.random.Generator) -> tuple[str, str, str, str]:
        """One line with one fault: (kind, column, value written, line)."""
        layout, fields = self.layout, text.split(self.layout.separator)
        kinds = ["ragged_line"] + ["bad_date"] * bool(layout.dates) + ["empty_amount"] * bool(layout.amounts)
        kinds += ["bad_coordinate"] * bool(layout.coordinates) + ["zero_identity", "bad_checksum"] * bool(
            layout.identities
        )
        kind = kinds[rng.integers(len(kinds))]
        if kind == "ragged_line":
            cut = fields[: max(len(fields) - 2, 1)]
            return kind, "", "", layout.separator.join(cut)
        targets = {"bad_date": layout.dates, "empty_amount": layout.amounts, "bad_coordinate": layout.coordinates}
        columns = targets.get(kind, layout.identities)
        column = columns[rng.integers(len(columns))]
        position = layout.header.index(column)
        quote = '"' if fields[position].startswith('"') else ""
        old = fields[position].strip('"')
        values = {
            "bad_date": "31/02/20A7",
            "empty_amount": "",
            "bad_coordinate": "NOT_VALID",
            "zero_identity": "0" * len(old),
        }
        value = values.get(kind)
        if value is None:  # bad_checksum: the last digit moves by one, which Luhn always sees
            value = old[:-1] + str((int(old[-1]) + 1) % 10)
        fields[position] = f"{quote}{value}{quote}"
        return kind, column, value, layout.separator.join(fields)
