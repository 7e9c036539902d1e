"""Where the columns of a contract are in a delivered file, told from its header."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from expectations.contract import Contract
from ingestion import cells
from ingestion.content import Refusal
from ingestion.records import MAX_COLUMNS, Header, split_header

_DELIMITERS = {";", ",", "\t", "|"}
_DELIMITER_NAMES = {"\t": "tabulation"}
_FIELD = re.compile(r"(?P<header>\w+)\.(?P<field>\w+)")  # a header of a contract: the field of an object


@dataclass(frozen=True)
class Layout:
    """Where each contract column is in a file: header cell index by column name, and the field to take when its cells are
    JSON objects (`fields`); for the headers of a wide file, by index, the first day of the period (`months`) and the column
    that holds the cells (`values`).

    `delimiter` is that of the file, or the one that its records are written with (workbook, JSON, parquet).
    """

    header: Header
    delimiter: str
    positions: dict[str, int]
    fields: dict[str, str]
    months: dict[int, date]
    values: dict[int, str]
    ignored: tuple[str, ...]
    absent: tuple[str, ...]

    def describe(self) -> str:
        """One line for the ledger: columns read, ignored and absent."""
        read = [self.header.cells[i] for i in sorted(set(self.positions.values()))]
        parts = [f"lues : {', '.join(read)}"]
        if self.months:
            parts.append(
                f"périodes : {min(self.months.values()):%Y-%m} à {max(self.months.values()):%Y-%m} ({len(self.months)})"
            )
        if self.ignored:
            parts.append(f"ignorées : {', '.join(self.ignored)}")
        if self.absent:
            parts.append(f"absentes : {', '.join(self.absent)}")
        return " ; ".join(parts).replace("\0", "␀")


def normalised(header: str) -> str:
    """A header without case, accents, outer or double spaces, typographic apostrophes, byte order marks."""
    plain = unicodedata.normalize("NFD", header.replace("\ufeff", "").replace("’", "'").replace("\0", ""))
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split()).casefold()


def find_layout(contract: Contract, line: int, text: str, file_name: str) -> Layout:
    """The layout of a file from its header line, with the first delimiter of the contract that finds every required
    column; Refusal naming what is missing otherwise."""
    _refuse_too_wide(max(map(text.count, (*_DELIMITERS, *contract.delimiters))) + 1, line, file_name)
    layouts = [_layout(contract, line, split_header(text, d), d) for d in contract.delimiters]
    refusals = [_problem(contract, layout, file_name) for layout in layouts]
    for layout, refusal in zip(layouts, refusals, strict=True):
        if refusal is None:
            return layout
    for other in _DELIMITERS - set(contract.delimiters):
        layout = _layout(contract, line, split_header(text, other), other)
        if _problem(contract, layout, file_name) is None:
            wanted = " ou ".join(f"« {d} »" for d in contract.delimiters)
            got = _DELIMITER_NAMES.get(other, f"« {other} »")
            message = f"{file_name}, ligne {line} : séparateur {wanted} attendu, reçu {got} (règle separateur)"
            raise Refusal("separateur", message, value=other)
    best = max(range(len(layouts)), key=lambda i: (len(layouts[i].positions), -i))
    refusal = refusals[best]
    assert refusal is not None
    raise refusal


def layout_of_cells(contract: Contract, header: Header, file_name: str) -> Layout:
    """The layout of a file whose header comes as cells; its delimiter is the one that its records are written with.

    Raises Refusal naming what is missing.
    """
    _refuse_too_wide(len(header.cells), header.line, file_name)
    layout = _layout(contract, header.line, header.cells, contract.delimiters[0])
    if refusal := _problem(contract, layout, file_name):
        raise refusal
    return layout


def _refuse_too_wide(width: int, line: int, file_name: str) -> None:
    if width > MAX_COLUMNS:
        message = f"{file_name}, ligne {line} : en-tête de plus de {MAX_COLUMNS} colonnes (règle trop_de_colonnes)"
        raise Refusal("trop_de_colonnes", message)


def _layout(contract: Contract, line: int, header: Sequence[str], delimiter: str) -> Layout:
    names = [normalised(cell) for cell in header]
    positions: dict[str, int] = {}
    fields: dict[str, str] = {}
    for column in contract.columns:
        for spelling in column.headers:
            if (wanted := normalised(spelling)) in names:
                positions[column.name] = names.index(wanted)
                break
            inner = _FIELD.fullmatch(spelling)
            if inner and (wanted := normalised(inner["header"])) in names:
                positions[column.name], fields[column.name] = names.index(wanted), inner["field"]
                break
    months: dict[int, date] = {}
    values: dict[int, str] = {}
    for index, name in enumerate(names):
        if found := _unpivoted(contract, name):
            values[index], months[index] = found
    used = set(positions.values()) | set(months)
    ignored = tuple(header[i] for i in range(len(header)) if i not in used)
    present = {*positions, *values.values()}
    absent = tuple(c.headers[0] for c in contract.columns if c.headers and c.name not in present)
    return Layout(Header(line, tuple(header)), delimiter, positions, fields, months, values, ignored, absent)


def _unpivoted(contract: Contract, header: str) -> tuple[str, date] | None:
    """The column and the first day of the period that a header of a wide file stands for."""
    found = re.fullmatch(contract.unpivot.headers, header) if contract.unpivot else None
    if found is None or contract.unpivot is None:
        return None
    groups = found.groupdict()
    if "annee" in groups:
        first = date(int(groups["annee"]), 1, 1)
    else:
        bounds = cells.parse_periode(groups["mois"])
        if bounds is None or groups["mois"][-1] == "0" or groups["mois"][-2:] == "62":
            return None
        first = bounds[0]
    for value in contract.unpivot.values:
        if "nom" not in groups or groups["nom"] in map(normalised, contract.column(value).headers):
            return value, first
    return None


def _problem(contract: Contract, layout: Layout, file_name: str) -> Refusal | None:
    """Why a file with this layout cannot be read under the contract; None when it can."""
    place = f"{file_name}, ligne {layout.header.line}"

    def refusal(rule: str, name: str, what: str) -> Refusal:
        return Refusal(rule, f"{place}, colonne {name} : {what} (règle {rule})", column=name)

    for column in contract.columns:
        if column.required and column.headers and column.name not in layout.positions:
            return refusal("colonne_absente", column.headers[0], "colonne attendue, absente de l'en-tête")
    names = [normalised(cell) for cell in layout.header.cells]
    for index in sorted({*layout.positions.values(), *layout.months}):
        if names.count(names[index]) > 1:
            return refusal("colonne_en_double", layout.header.cells[index], "colonne présente plusieurs fois")
    if contract.unpivot and (found := _month_problem(contract.unpivot.headers, names, layout)):
        rule, name, what = found
        return refusal(rule, name, what)
    return None


def _month_problem(pattern: str, names: Sequence[str], layout: Layout) -> tuple[str, str, str] | None:
    """(rule, column, explanation) of what is wrong with the month columns of a wide file."""
    for index, name in enumerate(names):
        found = re.fullmatch(pattern, name)
        if found and "mois" in found.groupdict() and index not in layout.months:
            return "periode", layout.header.cells[index], "mois URSSAF attendu dans l'en-tête"
    if not layout.months:
        return "colonne_absente", pattern, "aucune colonne de période"
    if len({(layout.values[index], first) for index, first in layout.months.items()}) < len(layout.months):
        return "colonne_en_double", pattern, "la même période est présente dans deux colonnes"
    return None
