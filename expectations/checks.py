"""Checks and suites as data, and the blocks they are made of. No import of Great Expectations here (slow): `gates.py` runs.

Belongs here: what a check is, one function per form of check. Does not belong here: what must be true of which table
(`raw_suite.py`, `mart_suite.py`, `score_suite.py`, `list_suite.py`).

Two forms of batch, chosen for cost on PostgreSQL:

- *rows*: the rows under test, seen through a subquery. Great Expectations bundles every map expectation in one scan.
- *measures*: one aggregate query, kept in a temporary table, with one row per thing measured:
  `(controle, ou, observe, minimum, maximum)`. A check on it is an `UnexpectedRowsExpectation`: a row out of its bounds, or
  with no observed value, is a failure. A bound that is null does not apply. A comparison with the past that is not possible
  (no past, too few rows) gives no row.

SQL is assembled from dates, integers and names checked by `identifier` only, never from text that came with the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Severity = Literal["critical", "warning"]

SMALL_COUNT = 20  # below, a ratio of counts says nothing
ENOUGH_ROWS = 30  # below, a mean or a share says nothing
MOJIBAKE = "Ã[\u0080-\u00bf]|â€|\ufffd"  # UTF-8 read as Latin-1 or cp1252, or a lost byte


@dataclass(frozen=True)
class Check:
    """One thing that must be true: `expectation` is the name of a Great Expectations class, `arguments` its own."""

    name: str
    label: str  # French, what the reader of a refusal sees
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    column: str | None = None
    expected: str = ""
    severity: Severity = "critical"
    shows_values: bool = True  # False for personal data: counts only


@dataclass(frozen=True)
class Suite:
    """Checks on one batch. `subject` names it in French; `identifiers` locate a bad row without showing its content."""

    subject: str
    query: str
    checks: tuple[Check, ...]
    materialised: bool = False
    identifiers: tuple[str, ...] = ()


def identifier(name: str) -> str:
    """Return `name` if it is a plain SQL identifier, else raise ValueError: names are put into SQL as they are."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise ValueError(f"not a plain SQL identifier: {name!r}")
    return name


def day(value: date) -> str:
    """SQL literal of a date."""
    return f"date '{value.isoformat()}'"


def measured(name: str, label: str, severity: Severity = "critical") -> Check:
    """Check on the measures of that name: every row within its bounds, none without an observed value."""
    inside = "(minimum is null or observe >= minimum) and (maximum is null or observe <= maximum)"
    query = (
        "select ou, observe, minimum, maximum from {batch} "
        f"where controle = '{identifier(name)}' and (observe is null or not ({inside})) order by ou"
    )
    return Check(name, label, "UnexpectedRowsExpectation", {"unexpected_rows_query": query}, severity=severity)


def not_null(column: str, *, mostly: float = 1.0, shows_values: bool = True) -> Check:
    """Column filled in for at least the share `mostly` of the rows."""
    share = "" if mostly == 1.0 else f" pour au moins {mostly:.1%} des lignes".replace(".", ",")
    return Check(
        f"{column}_renseigne",
        f"{column} doit être renseigné{share}",
        "ExpectColumnValuesToNotBeNull",
        {"column": column, "mostly": mostly},
        column,
        "non nul",
        shows_values=shows_values,
    )


def between(
    column: str, minimum: Any = None, maximum: Any = None, *, strict: bool = False, shows_values: bool = True
) -> Check:
    """Column within bounds (either may be None), nulls aside."""
    bounds = [f"{'>' if strict else '>='} {minimum}"] if minimum is not None else []
    bounds += [f"{'<' if strict else '<='} {maximum}"] if maximum is not None else []
    arguments = {"column": column, "min_value": minimum, "max_value": maximum}
    return Check(
        f"{column}_dans_ses_bornes",
        f"{column} doit rester dans ses bornes",
        "ExpectColumnValuesToBeBetween",
        arguments | {"strict_min": strict, "strict_max": strict},
        column,
        " et ".join(bounds),
        shows_values=shows_values,
    )


def in_set(column: str, allowed: Sequence[Any], *, shows_values: bool = True) -> Check:
    """Column among the listed values, nulls aside."""
    return Check(
        f"{column}_parmi_les_valeurs_admises",
        f"{column} doit être l'une des valeurs admises",
        "ExpectColumnValuesToBeInSet",
        {"column": column, "value_set": list(allowed)},
        column,
        "parmi " + ", ".join(str(value) for value in allowed),
        shows_values=shows_values,
    )


def unique(columns: Sequence[str], label: str) -> Check:
    """One row per combination of the columns."""
    return Check(
        "une_ligne_par_cle",
        label,
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": list(columns)},
        ", ".join(columns),
        "une seule ligne par " + ", ".join(columns),
    )


def at_least(column_a: str, column_b: str) -> Check:
    """`column_a` >= `column_b` on every row where both are known."""
    return Check(
        f"{column_a}_au_moins_{column_b}",
        f"{column_a} doit être supérieur ou égal à {column_b}",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": column_a, "column_B": column_b, "or_equal": True, "ignore_row_if": "either_value_is_missing"},
        f"{column_a}, {column_b}",
        f"{column_a} >= {column_b}",
    )


def matches(column: str, regex: str, expected: str) -> Check:
    """Column of a given form, nulls aside."""
    return Check(
        f"{column}_bien_forme",
        f"{column} doit avoir la forme attendue",
        "ExpectColumnValuesToMatchRegex",
        {"column": column, "regex": regex},
        column,
        expected,
    )


def readable(column: str, *, shows_values: bool = True) -> Check:
    """Text without traces of a wrong encoding, but for one row in a thousand."""
    return Check(
        f"{column}_lisible",
        f"{column} ne doit pas porter de traces d'un mauvais encodage",
        "ExpectColumnValuesToNotMatchRegex",
        {"column": column, "regex": MOJIBAKE, "mostly": 0.999},
        column,
        "texte lisible (au plus 1 ligne sur 1 000 en défaut)",
        shows_values=shows_values,
    )


def span(month_start: date, month_end: date) -> str:
    """Months in the words of a message: `2025-05`, or `de 2025-01 à 2025-05`."""
    if month_start == month_end:
        return f"{month_start:%Y-%m}"
    return f"de {month_start:%Y-%m} à {month_end:%Y-%m}"
