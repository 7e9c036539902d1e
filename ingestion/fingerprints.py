"""Rows as hashes: which keys a file repeats, and which rows of a delivery are already known.

A key is told by 96 bits (a 64-bit hash and a 32-bit check of another seed), a whole row by 64 bits more: two different
keys among a hundred million are taken for one with a probability of about 1e-13. The hashes live as long as one load
and are never stored, so they need not be stable from one version of a library to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from expectations.contract import Column, Contract

Hashes = npt.NDArray[np.uint64]
Lines = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_RUN_MAX = 4_000_000  # keys: two runs are merged through copies of both
_EXACT_DIGITS = 15  # a decimal text this short and its double stand for one another


@dataclass(frozen=True)
class Marks:
    """Hashes of rows, in their order: key, second hash of the key, whole content."""

    key: Hashes
    check: npt.NDArray[np.uint32]
    content: Hashes


def marks_of(rows: pl.DataFrame, contract: Contract) -> Marks:
    """Hashes of typed rows, read from a file or from the raw table: equal rows have equal hashes."""
    canonical = rows.select(form for column in contract.columns for form in _canonical(column))
    key = pl.struct(contract.key)
    hashed = canonical.select(
        key.hash(seed=0).alias("key"),
        (key.hash(seed=1) % 2**32).cast(pl.UInt32).alias("check"),
        pl.struct(pl.all()).hash(seed=2).alias("content"),
    )
    return Marks(*(hashed[name].to_numpy() for name in ("key", "check", "content")))


def _canonical(contracted: Column) -> list[pl.Expr]:
    """One writing for each value: 12.5 in a file and 12.50 in the table are the same amount.

    A number too long for a double is compared as text: it may seem to differ (the server then decides), never to equal.
    """
    name, column = contracted.name, pl.col(contracted.name)
    if contracted.type == "decimal":
        text = column.cast(pl.String)
        short = text.str.len_bytes() <= _EXACT_DIGITS
        number = pl.when(short).then(text).cast(pl.Float64, strict=False)
        return [number, pl.when(~short).then(text).alias(f"{name} ")]
    types: dict[str, type[pl.DataType]] = {"date": pl.Date, "integer": pl.Int64, "boolean": pl.Boolean}
    return [column.cast(types.get(contracted.sql_type, pl.Int64 if contracted.type == "centimes" else pl.String))]


@dataclass
class _Run:
    key: Hashes
    check: npt.NDArray[np.uint32]
    line: Lines


@dataclass
class SeenKeys:
    """Keys of the rows read so far, 20 bytes each, in sorted runs that grow geometrically."""

    _runs: list[_Run] = field(default_factory=list)

    def first_lines(self, marks: Marks, lines: Lines) -> Lines:
        """For each row the earlier line that has the same key, 0 where there is none; the rows are then seen."""
        order = np.argsort(marks.key, kind="stable")
        key, check, line = marks.key[order], marks.check[order], lines[order]
        begins = np.ones(len(key), dtype=bool)
        begins[1:] = key[1:] != key[:-1]
        head = np.flatnonzero(begins)[np.cumsum(begins) - 1] if len(key) else order
        first = np.where((check == check[head]) & (line > line[head]), line[head], 0)
        for run in reversed(self._runs):  # the oldest run has the last word
            at, found = _look_up(run.key, run.check, key, check)
            first[found] = run.line[at[found]]
        self._add(_Run(key[begins], check[begins], line[begins]))
        result = np.zeros(len(key), dtype=np.int64)
        result[order] = first
        return result

    def _add(self, run: _Run) -> None:
        while self._runs and len(self._runs[-1].key) <= min(2 * len(run.key), _RUN_MAX - len(run.key)):
            last = self._runs.pop()
            key = np.concatenate([last.key, run.key])
            order = np.argsort(key, kind="stable")  # the earliest line of a key comes first
            check, line = np.concatenate([last.check, run.check]), np.concatenate([last.line, run.line])
            run = _Run(key[order], check[order], line[order])
        self._runs.append(run)


def _look_up(
    known: Hashes, known_check: npt.NDArray[np.uint32], key: Hashes, check: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.intp], Mask]:
    """Position of each key among sorted ones, and where it is really there."""
    at = np.minimum(np.searchsorted(known, key), max(len(known) - 1, 0))
    found: Mask = (known[at] == key) & (known_check[at] == check) if len(known) else np.zeros(len(key), dtype=bool)
    return at, found


@dataclass
class KnownRows:
    """The open versions of a raw table: hashes and physical addresses (28 bytes a row), sorted by key."""

    key: Hashes
    check: npt.NDArray[np.uint32]
    content: Hashes
    address: Lines
    filenode: int  # the file of the table that the addresses are about
    _seen: Mask = field(init=False)

    def __post_init__(self) -> None:
        self._seen = np.zeros(len(self.key), dtype=bool)

    @classmethod
    def build(cls, parts: list[tuple[Marks, Lines]], filenode: int) -> KnownRows | None:
        """From unsorted parts; None when two keys share a hash (then only the server can tell them apart)."""
        key = np.concatenate([marks.key for marks, _ in parts]) if parts else np.zeros(0, dtype=np.uint64)
        order = np.argsort(key, kind="stable")
        key = key[order]
        if (key[1:] == key[:-1]).any():
            return None

        def arranged(arrays: list[Any]) -> Any:
            return np.concatenate(arrays)[order] if arrays else np.zeros(0, dtype=np.int64)

        return cls(
            key,
            arranged([marks.check for marks, _ in parts]),
            arranged([marks.content for marks, _ in parts]),
            arranged([address for _, address in parts]),
            filenode,
        )

    def unchanged(self, marks: Marks) -> Mask:
        """True for the rows known with this very content; every key met is noted as delivered."""
        at, found = _look_up(self.key, self.check, marks.key, marks.check)
        self._seen[at[found]] = True
        return found & (self.content[at] == marks.content) if len(self.key) else found

    def absent(self) -> Lines:
        """Addresses (block << 16 | offset) of the versions whose key no row had so far."""
        return np.sort(self.address[~self._seen])
