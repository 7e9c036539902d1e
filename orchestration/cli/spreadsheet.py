"""Tables written for a person's spreadsheet: no cell of them starts a formula, whatever a file delivered (CWE-1236)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import typer
import xlsxwriter

from reporting.xlsx import EXCEL_FIRST_YEAR, EXCEL_TEXT_LIMIT

FORMATS = (".parquet", ".csv", ".xlsx")
# What a spreadsheet takes for the beginning of a formula, full-width forms included, and what it skips before one.
_FORMULA = r"^[\s\x00-\x1f]*[=+\-@\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}]|^[\t\r\n]"


def write_table(rows: Sequence[dict[str, Any]] | pl.DataFrame, file: Path) -> None:
    """Rows as parquet, CSV or XLSX, told by the file's suffix (anything else is wrong usage).

    In CSV a text that would be a formula gets an apostrophe in front; parquet and XLSX hold text as text.
    """
    if file.suffix not in FORMATS:
        raise typer.BadParameter(f"{file.name}: .parquet, .csv or .xlsx is expected")
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    if file.suffix == ".parquet":
        frame.write_parquet(file)
    elif file.suffix == ".xlsx":
        _write_workbook(frame, file)
    else:
        text = pl.col(pl.String)
        safe = pl.when(text.str.contains(_FORMULA)).then("'" + text).otherwise(text)
        frame.with_columns(safe.name.keep()).write_csv(file)


def _write_workbook(frame: pl.DataFrame, file: Path) -> None:
    """polars alone would make links of texts that look like addresses, and write cells longer than Excel opens.

    A column with a date that Excel cannot show is written as text.
    """
    text = pl.col(pl.String)
    fitting = pl.when(text.str.len_chars() > EXCEL_TEXT_LIMIT).then(text.str.head(EXCEL_TEXT_LIMIT - 1) + "…")
    is_old = frame.select((pl.selectors.date().dt.year() < EXCEL_FIRST_YEAR).any()).to_dict(as_series=False)
    old = [name for name, found in is_old.items() if any(found)]
    # Excel has no time zones: times stay in UTC, as their columns say.
    options = {
        "remove_timezone": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(file, options) as workbook:
        frame.with_columns(fitting.otherwise(text).name.keep(), pl.col(old).cast(pl.String)).write_excel(workbook)
