"""The forms in which a delivery may come, and the one reader that each of them has.

Whatever the form, records come in the same batches as those of a text file (`records.read_records`), so that typing,
quarantine and accounting know nothing of it. The line of a record is its physical line in a text, its row in a sheet,
its rank elsewhere; the raw text of a record that is not text is its cells, joined as the contract's text files are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import polars as pl

from expectations.contract import Contract
from ingestion import json_records, parquet, workbook
from ingestion.content import Content, Form, Refusal
from ingestion.layout import Layout, find_layout, layout_of_cells
from ingestion.records import Header, first_line, raw_records, read_records, stripped


class _TableReader(Protocol):
    """A form whose cells are already apart; both functions raise Refusal when the file cannot be read."""

    def read_header(self, content: Content) -> Header | None: ...

    def read_rows(self, content: Content, header: Header) -> Iterator[pl.DataFrame]: ...


_UNKNOWN_DELIMITER = ";"  # of a file without contract

_READERS: dict[Form, _TableReader] = {"json": json_records, "classeur": workbook, "parquet": parquet}


def layout_of(content: Content, contract: Contract) -> tuple[str, Layout]:
    """The header as text and the layout of a file against its contract; Refusal when it is empty or lacks a column."""
    name = content.path.name
    if content.form == "texte":
        found = first_line(content)
        if found is not None:
            return found[1], find_layout(contract, *found, name)
    else:
        header = _READERS[content.form].read_header(content)
        if header is not None:
            layout = layout_of_cells(contract, header, name)
            return _joined(pl.DataFrame([header.cells], orient="row"), layout.delimiter).item(), layout
    raise Refusal("fichier_vide", f"{name}, ligne 1 : fichier vide, en-tête attendu (règle fichier_vide)")


def records_of(content: Content, layout: Layout) -> Iterator[pl.DataFrame]:
    """Records in batches: `_line`, `_raw`, `_fault`, `_detail`, then one text column `c<i>` per header cell, without
    outer white space (empty cells are null)."""
    if content.form == "texte":
        yield from read_records(content, layout.header, layout.delimiter)
    else:
        for rows in _READERS[content.form].read_rows(content, layout.header):
            yield _as_records(rows, layout.delimiter)


def lines_without_layout(content: Content) -> Iterator[tuple[list[int], list[str]]]:
    """What a file that no contract can read holds: numbers and texts of its lines."""
    if content.form in ("texte", "json"):
        header_line = first_line(content, errors="replace") if content.form == "texte" else None
        yield from raw_records(content, header_line[0] if header_line else 0)
        return
    reader = _READERS[content.form]
    header = reader.read_header(content)
    for rows in reader.read_rows(content, header) if header else ():
        records = _as_records(rows, _UNKNOWN_DELIMITER)
        yield records["_line"].to_list(), records["_raw"].to_list()


def _as_records(rows: pl.DataFrame, delimiter: str) -> pl.DataFrame:
    cells = rows.columns[1:]
    raw = _joined(rows.select(cells), delimiter)
    nul = raw.str.contains("\0", literal=True)
    records = rows.select(
        "_line",
        raw.alias("_raw"),
        pl.when(nul).then(pl.lit("caractere_nul")).alias("_fault"),
        pl.lit(None, pl.String).alias("_detail"),
        *cells,
    )
    return stripped(records)


def _joined(rows: pl.DataFrame, delimiter: str) -> pl.Series:
    """Each row as a line of text, its cells quoted where they must be: what a replay reads again."""
    special = f'["\r\n{re.escape(delimiter)}]'
    text = [pl.col(cell).fill_null("") for cell in rows.columns]
    quoted = [pl.concat_str(pl.lit('"'), cell.str.replace_all('"', '""', literal=True), pl.lit('"')) for cell in text]
    written = [
        pl.when(cell.str.contains(special)).then(safe).otherwise(cell) for cell, safe in zip(text, quoted, strict=True)
    ]
    return rows.select(pl.concat_str(written, separator=delimiter)).to_series()
