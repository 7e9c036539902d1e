"""Rows as hashes: which keys a file repeats, and which rows of a delivery are already known.

A key is told by 96 bits (a 64-bit hash and a 32-bit check of another seed) that live as long as one load. A whole row
is told by 64 bits, kept beside it (`_hash`): of a million changed rows, one is taken for one of ten million known ones
with a probability of 5e-7. Polars may change its hashes from one version to the next: rows then seem unknown, the
server compares them value by value and their hash is written again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import numpy.typing as npt
import polars as pl

from expectations.contract import Contract

Hashes = npt.NDArray[np.uint64]
Lines = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_RUN_MAX = 2_000_000  # keys kept in memory before they go to disk
_BYTES_PER_KEY = 20  # in a file: hash, check, line
_BYTES_PER_WORD = 128  # text of a file for one word of the filter: about as many words as lines
_FILTER_WORDS_MAX = 2**22  # and up to twice as many: 64 MB


@dataclass(frozen=True)
class Marks:
    """Hashes of rows, in their order: key, second hash of the key, whole content."""

    key: Hashes
    check: npt.NDArray[np.uint32]
    content: Hashes


def marks_of(rows: pl.DataFrame, contract: Contract) -> Marks:
    """Hashes of the typed rows of a file."""
    key = pl.struct(contract.key)
    hashed = rows.select(
        key.hash(seed=0).alias("key"),
        (key.hash(seed=1) % 2**32).cast(pl.UInt32).alias("check"),
        pl.struct(column.name for column in contract.columns).hash(seed=2).alias("content"),
    )
    return Marks(*(hashed[name].to_numpy() for name in ("key", "check", "content")))


@dataclass
class _Run:
    key: Hashes
    check: npt.NDArray[np.uint32]
    line: Lines


def _write(run: _Run, file: IO[bytes]) -> None:
    for array in (run.key, run.check, run.line):
        file.write(array.data)
    file.flush()


def _mapped(file: IO[bytes]) -> _Run:
    """A run that was written, read from its file where it is looked at, and nowhere in memory once it is let go."""
    count = file.seek(0, SEEK_END) // _BYTES_PER_KEY
    parts = ((np.uint64, 0), (np.uint32, 8 * count), (np.int64, 12 * count))
    return _Run(*(np.memmap(file, dtype, "r", begin, (count,)) for dtype, begin in parts))


class _Filter:
    """Which keys may have been seen: four bits of one word for each (a Bloom filter). When it says no, it is right."""

    def __init__(self, size: int) -> None:
        words = min(max(size // _BYTES_PER_WORD, 1), _FILTER_WORDS_MAX)
        self._order = words.bit_length()
        self._words = np.zeros(2**self._order, dtype=np.uint64)

    def meet(self, key: Hashes, check: npt.NDArray[np.uint32]) -> Mask:
        """True for the keys that may have been met by an earlier call; all of them are then met. `key` is sorted."""
        word = (key >> np.uint64(64 - self._order)).astype(np.intp)
        bits = np.zeros(len(key), dtype=np.uint64)
        for shift in (0, 6, 12, 18):
            bits |= np.uint64(1) << ((check >> np.uint32(shift)) & np.uint32(63)).astype(np.uint64)
        met: Mask = self._words[word] & bits == bits
        begins = np.flatnonzero(np.diff(word, prepend=-1))
        if len(begins):
            self._words[word[begins]] |= np.bitwise_or.reduceat(bits, begins)
        return met


class SeenKeys:
    """Keys of the rows read so far, 20 bytes each: sorted runs in memory, then longer ones on disk.

    The memory hardly grows with the file (of `size` bytes): a filter tells which keys must be looked up. Close it at the
    end: the files on disk go with it.
    """

    def __init__(self, size: int) -> None:
        self._filter = _Filter(size)
        self._recent: list[_Run] = []
        self._stored: list[IO[bytes]] = []
        self._files = ExitStack()

    def close(self) -> None:
        """Removes what was put on disk."""
        self._files.close()

    def first_lines(self, marks: Marks, lines: Lines) -> Lines:
        """For each row the earlier line that has the same key, 0 where there is none; the rows are then seen."""
        order = np.argsort(marks.key)
        if (np.diff(marks.key[order]) == 0).any():
            order = np.argsort(marks.key, kind="stable")  # slower, and keeps the lines of a key in order
        run = _Run(marks.key[order], marks.check[order], lines[order])
        begins = np.diff(run.key, prepend=~run.key[:1]) != 0
        first = np.zeros(len(order), dtype=np.int64)
        if not begins.all():
            head = np.flatnonzero(begins)[np.cumsum(begins) - 1]
            again = (run.check == run.check[head]) & (run.line > run.line[head])
            first[again] = run.line[head[again]]
        met = np.flatnonzero(self._filter.meet(run.key, run.check))
        if len(met):
            # The oldest run has the last word.
            for earlier in chain(reversed(self._recent), map(_mapped, reversed(self._stored))):
                at, found = _look_up(earlier.key, run.key[met])
                found &= earlier.check[at] == run.check[met]
                first[met[found]] = earlier.line[at[found]]
        self._keep(_Run(run.key[begins], run.check[begins], run.line[begins]))
        result = np.zeros(len(order), dtype=np.int64)
        result[order] = first
        return result

    def _keep(self, run: _Run) -> None:
        if len(run.key):
            self._recent.append(run)
        if sum(len(recent.key) for recent in self._recent) > _RUN_MAX:
            key, check, line = (
                np.concatenate([getattr(r, name) for r in self._recent]) for name in ("key", "check", "line")
            )
            order = np.argsort(key, kind="stable")  # the earliest line of a key comes first
            file = self._files.enter_context(TemporaryFile(prefix="vigie-keys-"))  # noqa: SIM115 (closed with the stack)
            _write(_Run(key[order], check[order], line[order]), file)
            self._stored.append(file)
            self._recent = []


def _look_up(known: Hashes, wanted: Hashes) -> tuple[npt.NDArray[np.intp], Mask]:
    """First position of each hash among sorted ones, and where it is really there."""
    if not len(known):
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=bool)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return at, known[at] == wanted


@dataclass
class KnownRows:
    """The open versions of a raw table: their hashes, sorted, and physical addresses (16 bytes a row).

    `others`: addresses of the versions that no hash tells apart (none was written, or two have the same).
    """

    hashes: Hashes
    address: Lines
    others: Lines
    _seen: Mask = field(init=False)

    def __post_init__(self) -> None:
        self._seen = np.zeros(len(self.hashes), dtype=bool)

    @classmethod
    def build(cls, hashes: Hashes, address: Lines, untold: Lines) -> KnownRows:
        """From the hash and the address of each version, in any order, and the addresses of those without a hash."""
        order = np.argsort(hashes)
        hashes = hashes[order]  # one after the other: each copy takes as much memory again
        address = address[order]
        del order
        twice = np.flatnonzero(hashes[1:] == hashes[:-1])
        if len(twice):
            alone = np.ones(len(hashes), dtype=bool)
            alone[twice] = alone[twice + 1] = False
            untold = np.concatenate([address[~alone], untold])
            hashes, address = hashes[alone], address[alone]
        return cls(hashes, address, untold)

    def unchanged(self, content: Hashes) -> Mask:
        """True for the rows that are known with this very content, which are then noted as delivered."""
        order = np.argsort(content)
        at, found = _look_up(self.hashes, content[order])
        self._seen[at[found]] = True
        result = np.zeros(len(content), dtype=bool)
        result[order] = found
        return result

    def absent(self) -> Lines:
        """Addresses (block << 16 | offset) of the versions whose content no row had so far."""
        return np.sort(np.concatenate([self.address[~self._seen], self.others]))
