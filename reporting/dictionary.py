"""The data dictionary as a Markdown page and as an Excel workbook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import xlsxwriter

_HEADERS = ("Schéma", "Table ou vue", "Colonne", "Type", "Description", "Unité", "Source")
_WIDTHS = (12, 24, 28, 18, 90, 26, 24)


@dataclass(frozen=True)
class Column:
    """A column: PostgreSQL type, meaning, unit of a number (else None), producer of the information."""

    name: str
    kind: str
    description: str
    unit: str | None
    source: str | None


@dataclass(frozen=True)
class Table:
    """A view with its columns, or a function (named with its arguments, without columns)."""

    schema: str
    name: str
    description: str
    columns: list[Column]


def markdown(tables: Sequence[Table]) -> str:
    """The dictionary as one Markdown page, a section for each table."""
    parts = ["# Dictionnaire des données\n"]
    for table in tables:
        parts.append(f"## {table.schema}.{table.name}\n\n{table.description}\n")
        if table.columns:
            rows = ((f"`{c.name}`", c.kind, c.description, c.unit, c.source) for c in table.columns)
            lines = [
                _line(("Colonne", "Type", "Description", "Unité", "Source")),
                _line(["---"] * 5),
                *map(_line, rows),
            ]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def workbook(tables: Sequence[Table]) -> bytes:
    """The dictionary as a workbook: one row for each column, filters on; same tables, same bytes."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties(
        {"title": "Vigie – dictionnaire", "author": "Vigie", "created": datetime(2016, 1, 1, tzinfo=UTC)}
    )
    sheet = book.add_worksheet("Dictionnaire")
    bold = book.add_format({"bold": True, "bg_color": "#E8EFF8", "bottom": 1})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for position, (header, width) in enumerate(zip(_HEADERS, _WIDTHS, strict=True)):
        sheet.set_column(position, position, width, wrapped)
        sheet.write_string(0, position, header, bold)
    last = 0
    for last, row in enumerate(_rows(tables), start=1):
        for position, text in enumerate(row):
            if text is not None:
                sheet.write_string(last, position, text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, last, len(_HEADERS) - 1)
    book.close()
    return buffer.getvalue()


def _rows(tables: Sequence[Table]) -> Iterable[tuple[str | None, ...]]:
    for table in tables:
        yield table.schema, table.name, None, None, table.description, None, None
        for column in table.columns:
            yield table.schema, table.name, column.name, column.kind, column.description, column.unit, column.source


def _line(cells: Iterable[str | None]) -> str:
    return "| " + " | ".join((cell or "").replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
