"""A panel as people write it: its file, its cells, its periods. What it must hold to be judged is `tidy`."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import polars as pl

from models_ml.panel import months

# What people write where there is nothing.
_MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "NaT", "-", ".")


class PanelRefused(Exception):
    """The panel cannot be evaluated as it is. `str()` is the reason in French."""


def read_table(path: Path, identifier: str = "") -> pl.DataFrame:
    """A parquet or CSV file (comma, semicolon, tab or bar; gzip or not). Raises PanelRefused when it is neither.

    `identifier`: a column kept as it is written, where `007` is not `7`.
    """
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(path)
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        first = content.split(b"\n", 1)[0].decode("utf-8-sig")
        separator = max(",;\t|", key=first.count)
        table = pl.read_csv(content, separator=separator, infer_schema=False)
        table = table.rename({name: name.strip() for name in table.columns})
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise PanelRefused(f"{path.name} ne se lit ni comme un parquet ni comme un CSV en UTF-8 : {error}") from error
    return table.select(
        text_cells(column) if column.name == identifier else _typed(column, commas=separator != ",") for column in table
    )


def text_cells(column: pl.Series) -> pl.Series:
    """Cells of a text column without their outer white space, null where people write that there is nothing."""
    text = column.str.strip_chars()
    return text.set(text.is_in(_MISSING).fill_null(value=False), None)


def _typed(column: pl.Series, *, commas: bool) -> pl.Series:
    """Numbers (`commas`: also with a decimal comma) or truth values where every cell is one, otherwise the text."""
    text = text_cells(column)
    for written in (text, text.str.replace(",", ".", literal=True)) if commas else (text,):
        number = written.cast(pl.Float64, strict=False)
        if number.null_count() == text.null_count():
            return number
    truth = text.str.to_lowercase()
    return truth == "true" if truth.drop_nulls().is_in(["true", "false"]).all() else text


def period_months(column: pl.Series) -> pl.Series:
    """Month index (see `panel.month_index`) of a column of periods, null where it is empty.

    Dates, years (`2011` is December 2011), `YYYY-MM`, YYYYMM, quarters (`2011-Q3`, `2011T3`), days. Raises PanelRefused with an example
    of what is not a period.
    """
    name = column.name
    if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
        return column.to_frame().select(months(name)).to_series()
    text = column
    if column.dtype.is_float():
        text = column.fill_nan(None)
        if (text.drop_nulls() % 1 != 0).any():
            raise PanelRefused(f"la colonne {name} contient des nombres non entiers : une période était attendue")
        text = text.cast(pl.Int64)
    text = text_cells(text.cast(pl.String))
    parsed = pl.DataFrame({"t": text}).select(parsed_period(pl.col("t"))).to_series()
    if (bad := text.filter(parsed.is_null() & text.is_not_null())).len():
        raise PanelRefused(
            f"la colonne {name} contient « {bad[0]} », qui n'est pas une période (acceptées : 2011, 2011-03, 201103, 2011-T1, "
            f"2011-03-31, 31/03/2011) ; valeurs dans ce cas : {bad.len()}"
        )
    return parsed.alias(name)


def parsed_period(text: pl.Expr) -> pl.Expr:
    """Month index of a written period, null when it is none of the accepted forms."""

    def part(pattern: str, group: int) -> pl.Expr:
        return text.str.extract(pattern, group).cast(pl.Int32, strict=False)

    year_first = r"^(\d{4})(?:[-/](\d{1,2})(?:[-/]\d{1,2}(?:[ T].*)?)?)?$"
    compact = r"^((?:1[89]|2\d)\d{2})(0[1-9]|1[0-2])(?:[0-3]\d)?$"
    quarter = r"^(\d{4})-?[QTqt]([1-4])$"
    day_first = r"^\d{1,2}/(\d{1,2})/(\d{4})$"
    year = pl.coalesce(part(year_first, 1), part(compact, 1), part(quarter, 1), part(day_first, 2))
    month = pl.coalesce(
        part(year_first, 2), part(compact, 2), part(quarter, 2) * 3, part(day_first, 1), pl.lit(12, dtype=pl.Int32)
    )
    return pl.when(month.is_between(1, 12) & year.is_between(1800, 2300)).then(year * 12 + month - 1)
