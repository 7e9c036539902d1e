"""Records of a workbook (xlsx, or xls of before 2007): one sheet, whose first row that is not empty is the header.

A spreadsheet is read whole: its format gives no other way, and a million rows is all that one can hold.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence

import fastexcel
import polars as pl

from ingestion.content import Content, Refusal, materialised
from ingestion.records import Header

MAX_BYTES = 256 << 20  # of XML once unpacked: some 250,000 rows of 33 cells, which take 650 MB here
_BATCH = 20_000
# Errors of formulas, as the reader names them and as the sheet shows them.
_ERRORS = {
    "Div0": "#DIV/0!", "NA": "#N/A", "Name": "#NAME?", "Null": "#NULL!", "Num": "#NUM!", "Ref": "#REF!", "Value": "#VALUE!",
}  # fmt: skip


def read_header(content: Content) -> Header | None:
    """First row that is not empty; None for a workbook without any. Raises Refusal when it cannot be read."""
    sheet = _sheet(content)
    if not sheet.height:
        return None
    line, *cells = sheet.row(0)
    return Header(line, tuple(cell or "" for cell in cells))


def read_rows(content: Content, header: Header) -> Iterator[pl.DataFrame]:
    """Batches of `_line` (row of the sheet, from 1) and one text column `c<i>` per cell of the header; numbers as they
    are stored, dates as 2020-01-31 00:00:00, empty rows left out."""
    yield from _sheet(content).filter(pl.col("_line") > header.line).iter_slices(_BATCH)


def _sheet(content: Content) -> pl.DataFrame:
    """The rows that are not empty of the only sheet that has any."""
    with materialised(content, MAX_BYTES) as path:
        if zipfile.is_zipfile(path):
            _check_size(content, path)
        try:
            reader = fastexcel.read_excel(path)
            sheets = [_rows(reader, name) for name in reader.sheet_names]
        except (fastexcel.FastExcelError, OverflowError) as error:
            raise Refusal("classeur", f"{content.path.name} : classeur illisible (règle classeur)") from error
    filled = [sheet for sheet in sheets if sheet.height]
    if len(filled) > 1:
        message = f"{content.path.name} : une seule feuille attendue, {len(filled)} reçues (règle classeur)"
        raise Refusal("classeur", message, value=str(len(filled)))
    return filled[0] if filled else pl.DataFrame(schema={"_line": pl.Int64})


def _rows(reader: fastexcel.ExcelReader, name: str) -> pl.DataFrame:
    # `skip_rows=0` keeps the empty rows above the first one, so that a row bears its number in the sheet.
    batch, faults = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_arrow_with_errors()
    sheet = pl.DataFrame(batch)
    if not sheet.width:
        return pl.DataFrame(schema={"_line": pl.Int64})
    for column, cells_in_error in _errors(faults.errors if faults else []).items():
        rows, texts = zip(*cells_in_error, strict=True)
        sheet.replace_column(column, sheet.to_series(column).scatter(rows, texts))
    cells = [pl.col(name).alias(f"c{i}") for i, name in enumerate(sheet.columns)]
    filled = pl.any_horizontal(pl.exclude("_line").str.contains(r"\S"))
    return sheet.select(pl.int_range(1, pl.len() + 1).alias("_line"), *cells).filter(filled)


def _errors(faults: Sequence[fastexcel.CellError]) -> dict[int, list[tuple[int, str]]]:
    """(row, text) of the formulas in error of each column, which the reader leaves empty: they are no empty cells."""
    found: dict[int, list[tuple[int, str]]] = {}
    for fault in faults:
        row, column = fault.position
        named = re.search(r"Error\((\w+)\)", fault.detail)
        found.setdefault(column, []).append((row, _ERRORS.get(named[1], fault.detail) if named else fault.detail))
    return found


def _check_size(content: Content, path: str) -> None:
    """Unpacks the package once without keeping it: sizes written in an archive may lie."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            message = f"{content.path.name} : classeur de plus de {MAX_BYTES >> 20} Mo une fois déployé, à livrer en CSV (règle taille)"
            raise Refusal("taille", message)
        if archive.testzip() is not None:
            raise Refusal("archive", f"{content.path.name} : archive illisible ou incomplète (règle archive)")
