"""A contract in the two forms that producers' tools read: Frictionless Table Schema, and JSON Schema.

Both speak of the file as delivered: one field per header (its first spelling; the others are in the description), not
per column of the raw table. JSON Schema describes a line as an object of texts, which is what a CSV file holds.
https://specs.frictionlessdata.io/table-schema/ · https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from expectations.contract import Column, Contract, DateFormat

_DATES: dict[DateFormat, str] = {
    "iso": "[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T]00:00:00(?:[.]0+)?Z?)?",
    "jj/mm/aaaa": "[0-9]{2}/[0-9]{2}/[0-9]{4}(?: 00:00:00)?",
    "jj/mm/aa": "[0-9]{2}/[0-9]{2}/[0-9]{2}",
    "mm/aaaa": "[0-9]{2}/[0-9]{4}",
    "excel": "[0-9]{1,6}(?:[.]0*)?",
    "urssaf": "[0-9]{6,7}",
    "jjmmmaaaa": "[0-9]{1,2}[ -]?[^0-9 -]+[.]?[ -]?[0-9]{4}",
}
_STRPTIME: dict[DateFormat, str] = {"iso": "default", "jj/mm/aaaa": "%d/%m/%Y", "jj/mm/aa": "%d/%m/%y"}
_PERIOD = "(?:[0-9]{2}|[0-9]{4})(?:62|[1-4][0-3])"
_PATTERNS: dict[str, str] = {
    "siren": r"(?:\s*[0-9]){9}",
    "siret": r"(?:\s*[0-9]){14}",
    "siren_list": "[0-9]{9}(?:[,;|/]*[0-9]{9})*[,;|/]*",
    "integer": "-?(?:[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]{1,18})(?:[.,]0*)?",
    "decimal": "-?[0-9]{1,30}(?:[.,][0-9]*)?(?:[eE][+-]?[0-9]{1,2})?",
    "centimes": "-?[0-9]{1,18}(?:[.,]0*)?",
    "periode_debut": _PERIOD,
    "periode_fin": _PERIOD,
    "boolean": "0|1|[tT]|[fF]|[tT]rue|[fF]alse|[vV]rai|[fF]aux|TRUE|FALSE|VRAI|FAUX",
}
_TYPES = {"integer": "integer", "decimal": "number", "centimes": "integer", "boolean": "boolean"}


def table_schema(contract: Contract) -> dict[str, Any]:
    """The Table Schema descriptor of a delivered file."""
    delivered = list(_delivered(contract))
    header_of = {column.name: column.headers[0] for column in contract.columns if column.headers}
    descriptor: dict[str, Any] = {
        "name": contract.name.replace("__", "-").replace("_", "-"),
        "title": contract.label,
        "description": _description(contract),
        "fields": [_field(contract, column) for column in delivered],
        "missingValues": ["", *contract.null_values],
    }
    if all(name in header_of for name in contract.key):
        descriptor["primaryKey"] = list(dict.fromkeys(header_of[name] for name in contract.key))
    return descriptor


def json_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema of one line of a delivered file, as an object of texts by header."""
    delivered = list(_delivered(contract))
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": contract.label,
        "description": _description(contract),
        "type": "object",
        "properties": {column.headers[0]: _property(contract, column) for column in delivered},
        "required": [column.headers[0] for column in delivered if column.required],
    }
    if contract.unpivot:
        cells = [_property(contract, contract.column(name)) for name in contract.unpivot.values]
        schema["patternProperties"] = {
            f"^{_plain(contract.unpivot.headers)}$": cells[0] if len(cells) == 1 else {"anyOf": cells}
        }
    return schema


def _delivered(contract: Contract) -> Iterator[Column]:
    """One column per header of the file: two may be read from the same cell (beginning and end of a period)."""
    seen: set[str] = set()
    for column in contract.columns:
        if column.headers and column.headers[0] not in seen:
            seen.add(column.headers[0])
            yield column


def _description(contract: Contract) -> str:
    if not contract.unpivot:
        return contract.description
    return f"{contract.description} Une colonne par période, d'en-tête « {_plain(contract.unpivot.headers)} »."


def _plain(pattern: str) -> str:
    """A header pattern without the names of its groups, which each language writes in its own way."""
    return re.sub(r"\?P<\w+>", "", pattern)


def _told(column: Column) -> str:
    others = f" (autres en-têtes admis : {', '.join(column.headers[1:])})" if len(column.headers) > 1 else ""
    return column.description + others


def _pattern(column: Column) -> str | None:
    if column.type == "date":
        return "|".join(_DATES[name] for name in column.formats)
    if column.extract:
        return _plain(column.extract)
    return _PATTERNS.get(column.type)


def _field(contract: Contract, column: Column) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if column.required and not column.nullable:
        constraints["required"] = True
    field: dict[str, Any] = {"name": column.headers[0], "description": _told(column)}
    if column.type == "date" and column.formats[0] in _STRPTIME:
        field |= {"type": "date", "format": _STRPTIME[column.formats[0]]}
    else:
        field["type"] = _TYPES.get(column.type, "string")
    if field["type"] == "string" and (pattern := _pattern(column)):
        constraints["pattern"] = f"^(?:{pattern})$"
    if field["type"] == "boolean":
        field |= {"trueValues": ["1", "t", "true", "vrai"], "falseValues": ["0", "f", "false", "faux"]}
    if field["type"] in ("integer", "number", "date"):
        limits = {"minimum": column.min, "maximum": column.max}
        constraints |= {name: _limit(limit) for name, limit in limits.items() if limit is not None}
    if column.allowed:
        constraints["enum"] = list(column.allowed)
    if column.name in contract.personal_data:
        field["donnee_personnelle"] = True
    return field | ({"constraints": constraints} if constraints else {})


def _limit(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _property(contract: Contract, column: Column) -> dict[str, Any]:
    form: dict[str, Any] = {"type": "string", "description": _told(column)}
    rule: dict[str, Any] = {"minLength": 1}
    if column.allowed:
        rule = {"enum": list(column.allowed)}
    elif pattern := _pattern(column):
        rule = {"pattern": rf"^\s*(?:{pattern})\s*$"}
    if column.nullable or column.default is not None or not column.required:
        absent = list(dict.fromkeys(["", *contract.null_values, *column.null_values]))
        return form | {"anyOf": [{"enum": absent}, rule]}
    return form | rule
