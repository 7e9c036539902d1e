"""From text to records: physical line numbers, raw text and cells, with the fault of each malformed record.

Three roads give the same cells. A block without quotes whose every line has the right number of cells (nearly all)
goes through the CSV reader of polars; records whose quotes only surround whole cells are split by polars line by line;
the others go one by one through the csv module in strict mode. A quoted cell may hold line feeds, but an unclosed
quote must not swallow the rest of the file: a record may span lines only when it ends well formed, with the right
number of cells, within MAX_SPAN lines, and its lines are not records each; else its first line alone is at fault and
reading goes on after it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ingestion.content import REPLACED, Content, Refusal, text_blocks

MAX_SPAN = 1000  # physical lines that one record may cover
MAX_LINE = 8 << 20  # characters; beyond that the file is not a text file with lines (the longest known: some 100,000)
MAX_COLUMNS = 5_000  # cells of a header; the widest delivered file has 447
_BLOCK_LINES = 200_000  # lines split at once: a block of short or blank lines holds many
csv.field_size_limit(MAX_LINE)


@dataclass(frozen=True)
class Header:
    """First line that is not blank, as cells."""

    line: int
    cells: tuple[str, ...]


def whole_lines(content: Content, *, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Physical lines in blocks: (number of the first line, lines joined by line feeds, without the last one)."""
    carry, number = "", 1
    for block in text_blocks(content, errors=errors):
        text, end, rest = block.rpartition("\n")
        if end:
            text, carry = carry + text, rest
            for lines, part in _cut(text):
                yield number, part
                number += lines
        else:
            carry += rest
        if len(carry) > MAX_LINE:
            message = f"{content.path.name}, ligne {number} : ligne de plus de {MAX_LINE} caractères"
            raise Refusal("ligne_trop_longue", f"{message} (règle ligne_trop_longue)")
    if carry:
        yield number, carry


def _cut(text: str) -> Iterator[tuple[int, str]]:
    """The text in pieces of at most _BLOCK_LINES lines, and how many each has."""
    lines = text.count("\n") + 1
    while lines > _BLOCK_LINES:
        *head, text = text.split("\n", _BLOCK_LINES)
        yield _BLOCK_LINES, "\n".join(head)
        lines -= _BLOCK_LINES
    yield lines, text


def lines_of(content: Content, *, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Physical lines in batches: (number of the first line, lines without their ending)."""
    for number, text in whole_lines(content, errors=errors):
        yield number, text.split("\n")


def first_line(content: Content, *, errors: str = "strict") -> tuple[int, str] | None:
    """Number and text of the first line that is not blank; None for a file without any."""
    for number, lines in lines_of(content, errors=errors):
        for offset, line in enumerate(lines):
            if line.strip():
                return number + offset, line
    return None


def split_header(line: str, delimiter: str) -> list[str]:
    """Cells of a header line (a malformed one is split without regard to quotes)."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return line.split(delimiter)


def raw_records(content: Content, header_line: int) -> Iterator[tuple[list[int], list[str]]]:
    """Every line that is not blank after the header, undecodable characters replaced: what a refused file leaves."""
    for number, lines in lines_of(content, errors="replace"):
        kept = [(number + i, line) for i, line in enumerate(lines) if number + i > header_line and line.strip()]
        if kept:
            yield [n for n, _ in kept], [line for _, line in kept]


def read_records(content: Content, header: Header, delimiter: str) -> Iterator[pl.DataFrame]:
    """Records in batches: `_line`, `_raw`, `_fault` (null when well formed), `_detail`, then one text column `c<i>`
    per header cell, without outer white space (empty cells are null)."""
    for frame in _records(content, header, delimiter):
        yield _without_damage(frame) if content.damaged else frame


def _without_damage(frame: pl.DataFrame) -> pl.DataFrame:
    """The records of a damaged file: those that hold bytes of another encoding are at fault."""
    damaged = pl.col("_raw").str.contains(REPLACED, literal=True)
    return frame.with_columns(pl.when(damaged).then(pl.lit("encodage")).otherwise("_fault").alias("_fault"))


def _records(content: Content, header: Header, delimiter: str) -> Iterator[pl.DataFrame]:
    splitter = _Splitter(delimiter, len(header.cells))
    pending: list[str] = []
    pending_from = header.line + 1
    for number, block in whole_lines(content):
        text = _after(block, header.line + 1 - number)
        if text is None:
            continue
        if not pending and (whole := splitter.split_block(text, max(number, pending_from))) is not None:
            pending_from = max(number, pending_from) + whole.height
            yield whole
            continue
        lines = pending + text.split("\n")
        frame, used = splitter.split(lines, pending_from, last=False)
        pending, pending_from = lines[used:], pending_from + used
        if frame.height:
            yield stripped(frame)
    if pending:
        frame, _ = splitter.split(pending, pending_from, last=True)
        if frame.height:
            yield stripped(frame)


def stripped(frame: pl.DataFrame) -> pl.DataFrame:
    """Records whose cells have no outer white space; empty cells are null."""
    cell = pl.col(r"^c\d+$").str.strip_chars()
    return frame.with_columns(pl.when(cell != "").then(cell))


def _after(text: str, lines: int) -> str | None:
    """What follows the first `lines` lines (all of it when there are none to skip); None when nothing does."""
    start = 0
    for _ in range(lines):
        start = text.find("\n", start) + 1
        if not start:
            return None
    return text[start:]


class _Splitter:
    def __init__(self, delimiter: str, width: int) -> None:
        self.delimiter, self.width = delimiter, width
        d = re.escape(delimiter)
        self.simple = f'^(?:"[^"{d}]*"|[^"{d}]*)(?:{d}(?:"[^"{d}]*"|[^"{d}]*))*$'
        self.names = [f"c{i}" for i in range(width)]

    def split_block(self, text: str, number: int) -> pl.DataFrame | None:
        """Records of a block without any trap; None when a quote, a NUL or a count of cells wants a closer look.

        No line has too many cells (polars refuses it), and their sum is right: then no line has too few either.
        """
        lines = text.count("\n") + 1
        if (
            self.width == 1
            or text.count(self.delimiter) != lines * (self.width - 1)
            or any(trap in text for trap in ('"', "\0"))
            or text.startswith("\ufeff")  # polars would take it for a byte order mark
        ):
            return None
        try:
            cells = pl.read_csv(
                text.encode(),
                separator=self.delimiter,
                has_header=False,
                quote_char=None,
                schema=dict.fromkeys(self.names, pl.String),
            )
        except pl.exceptions.PolarsError:
            return None
        if cells.height != lines:
            return None
        raw = pl.Series("_raw", [text]).str.split("\n").explode()
        nothing = pl.lit(None, dtype=pl.String)
        frame = pl.select(pl.int_range(number, number + lines).alias("_line")).with_columns(
            raw, nothing.alias("_fault"), nothing.alias("_detail")
        )
        frame = frame.hstack(cells)
        return stripped(frame) if self._may_have_outer_space(text) else frame

    def _may_have_outer_space(self, text: str) -> bool:
        if not text.isascii() or self.delimiter == "\t":
            return True
        d = self.delimiter
        return any(
            space in text and any(edge in f"\n{text}\n" for edge in (d + space, space + d, "\n" + space, space + "\n"))
            for space in " \t\v\f"
        )

    def split(self, lines: list[str], number: int, *, last: bool) -> tuple[pl.DataFrame, int]:
        """Records of these lines, and how many lines were used (the rest may belong to a record not yet whole)."""
        text = pl.Series("_raw", lines, dtype=pl.String)
        kept = text.str.strip_chars() != ""
        used, odd = len(lines), None
        quoted = text.str.contains('"', literal=True)
        if quoted.any():
            simple = text.str.contains(self.simple)
            odd, consumed, used = self._odd_records(lines, (~simple & kept).arg_true().to_list(), number, last)
            kept = kept & simple
            if consumed:
                kept = kept.scatter(sorted(consumed), False)
        frame = pl.DataFrame(
            {"_line": pl.int_range(number, number + len(lines), eager=True), "_raw": text, "_kept": kept}
        )
        frame = frame.head(used).filter("_kept").drop("_kept")
        frame = self._split_simple(frame, strip_quotes=bool(quoted.any()))
        if odd is not None and odd.height:
            frame = pl.concat([frame, odd]).sort("_line")
        return frame, used

    def _split_simple(self, frame: pl.DataFrame, *, strip_quotes: bool) -> pl.DataFrame:
        bare = pl.col("_raw").str.replace_all('"', "", literal=True) if strip_quotes else pl.col("_raw")
        frame = frame.with_columns(bare.alias("_bare"))
        found = frame["_bare"].str.count_matches(self.delimiter, literal=True) + 1
        cells = frame["_bare"].str.split_exact(self.delimiter, self.width - 1).struct.rename_fields(self.names)
        nul = frame["_raw"].str.contains("\0", literal=True)
        fault = (
            pl.when(nul)
            .then(pl.lit("caractere_nul"))
            .when(found != self.width)
            .then(pl.lit("nombre_de_champs"))
            .otherwise(None)
        )
        frame = frame.select(
            "_line",
            "_raw",
            fault.alias("_fault"),
            pl.when(found != self.width).then(found.cast(pl.String)).alias("_detail"),
        )
        return frame.hstack(cells.struct.unnest())

    def _odd_records(
        self, lines: list[str], indexes: list[int], number: int, last: bool
    ) -> tuple[pl.DataFrame, set[int], int]:
        """Records with quotes that need a real parser: rows, lines they absorb, and number of lines used in all."""
        rows: list[list[str | int | None]] = []
        consumed: set[int] = set()
        for index in indexes:
            if index in consumed:
                continue
            cells, fault, end = self._parse(lines, index)
            if end is None:
                if not last and len(lines) - index < MAX_SPAN:
                    return self._frame(rows), consumed, index
                end = index
            detail = str(len(cells)) if fault == "nombre_de_champs" else None
            padded: list[str | None] = [*cells[: self.width], *[None] * (self.width - len(cells))]
            rows.append([number + index, "\n".join(lines[index : end + 1]), fault, detail, *padded])
            consumed.update(range(index, end + 1))
        return self._frame(rows), consumed, len(lines)

    def _frame(self, rows: list[list[str | int | None]]) -> pl.DataFrame:
        schema = {"_line": pl.Int64, "_raw": pl.String, "_fault": pl.String, "_detail": pl.String}
        return pl.DataFrame(rows, schema=schema | dict.fromkeys(self.names, pl.String), orient="row")

    def _parse(self, lines: list[str], index: int) -> tuple[list[str], str | None, int | None]:
        """Cells, fault and last line of the record that starts at `index`; last line None when it is still open at
        the end of `lines`."""
        text = lines[index]
        try:
            cells = self._cells(text)
        except csv.Error as error:
            if "unexpected end" not in str(error):
                return text.split(self.delimiter), "guillemet_mal_place", index
        else:
            return cells, self._fault(text, cells), index
        for end in range(index + 1, min(index + MAX_SPAN, len(lines))):
            if '"' not in lines[end]:
                continue
            whole = "\n".join(lines[index : end + 1])
            try:
                cells = self._cells(whole)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    continue
                break
            if len(cells) == self.width and not self._each_whole(lines[index : end + 1]):
                return cells, self._fault(whole, cells), end
            break
        else:
            if index + MAX_SPAN > len(lines):
                return text.split(self.delimiter), "guillemet_non_ferme", None
        return text.split(self.delimiter), "guillemet_non_ferme", index

    def _each_whole(self, lines: list[str]) -> bool:
        """True when every line has all the cells by itself: two stray quotes in one column, not one cell over lines."""
        return self.width > 1 and all(line.count(self.delimiter) == self.width - 1 for line in lines if line.strip())

    def _cells(self, text: str) -> list[str]:
        # One reader per record: an unclosed quote cannot reach the next one.
        return next(csv.reader([text], delimiter=self.delimiter, strict=True))

    def _fault(self, text: str, cells: list[str]) -> str | None:
        if "\0" in text:
            return "caractere_nul"
        return None if len(cells) == self.width else "nombre_de_champs"
