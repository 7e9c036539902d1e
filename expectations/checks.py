"""Checks and suites as data, and the blocks they are made of. No import of Great Expectations here (slow): `gates.py` runs.

Belongs here: what a check is, one function per form of check. Does not belong here: what must be true of which table
(`raw_suite.py`, `mart_suite.py`, `score_suite.py`, `list_suite.py`).

A suite is one query, kept in a temporary table as the batch, with one row per thing measured:
`(controle, ou, observe, minimum, maximum, parmi)`. A row out of its bounds, or with no observed value, is a fault. A bound
that is null does not apply. A comparison with the past that is not possible (no past, too few rows) gives no row.

Two forms of check, both read from that batch by an `UnexpectedRowsExpectation`:

- *rule*: a condition on a row of the table under test (`Check.faulty`). All the rules of a suite are counted in one scan
  (`rule_counts`), grouped by month or delivery, then turned into measures (`rule_measures`): `observe` faulty rows among
  `parmi`, of which a share may be tolerated. Rules always give a row: one that gives none was not checked, and is a fault.
- *measure*: anything else that the query of the suite computes under the name of the check.

SQL is assembled from dates, integers, names checked by `identifier` and texts of our own contracts quoted by `literal`,
never from text that came with the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

Severity = Literal["critical", "warning"]

SMALL_COUNT = 20  # below, a ratio of counts says nothing
ENOUGH_ROWS = 30  # below, a mean or a share says nothing
EXAMPLES = 5  # how many faulty measures or rows a failure shows
MOJIBAKE = "Ã[\u0080-\u00bf]|â€|\ufffd"  # UTF-8 read as Latin-1 or cp1252, or a lost byte


@dataclass(frozen=True)
class Check:
    """One thing that must be true of the batch. `faulty` (SQL, true on a bad row) makes it a rule, else it is a measure."""

    name: str
    label: str  # French, what the reader of a refusal sees
    columns: tuple[str, ...] = ()
    expected: str = ""
    severity: Severity = "critical"
    shows_values: bool = True  # False for personal data: counts only
    faulty: str | None = None
    tolerated: float = 0.0  # share of the rows counted by `among` that may be faulty
    among: str = "*"
    example: str | None = None  # condition on the rows worth showing, where it is not `faulty`

    expectation = "UnexpectedRowsExpectation"

    @property
    def column(self) -> str | None:
        """Columns of a rule, as told in a failure."""
        return ", ".join(self.columns) or None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Arguments of the expectation of Great Expectations that runs this check alone."""
        return {"unexpected_rows_query": faults([self])}


@dataclass(frozen=True)
class Suite:
    """Checks on one batch. `subject` names it in French.

    `rows` (a query) gives the rows that the rules are about, read again only to show examples of faulty ones;
    `identifiers` locate one of them without showing its content.
    """

    subject: str
    query: str
    checks: tuple[Check, ...]
    rows: str
    identifiers: tuple[str, ...]


def identifier(name: str) -> str:
    """Return `name` if it is a plain SQL identifier, else raise ValueError: names are put into SQL as they are."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise ValueError(f"not a plain SQL identifier: {name!r}")
    return name


def day(value: date) -> str:
    """SQL literal of a date."""
    return f"date '{value.isoformat()}'"


def months_before(month: date, count: int) -> date:
    """First day of the month `count` months before that of `month`."""
    index = month.year * 12 + month.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def literal(value: Any) -> str:
    """SQL literal of a number, a date or a text of ours.

    Odd characters of a text are escaped: a colon or a percent would be read as a parameter on the way, a brace as a field.
    """
    if isinstance(value, date):
        return day(value)
    if not isinstance(value, str):
        return repr(float(value)) if not isinstance(value, int) else str(value)
    if re.fullmatch(r"[\w .,;()+*^\[\]/-]*", value, re.ASCII):
        return f"'{value}'"
    escaped = (c if re.fullmatch(r"[\w .-]", c, re.ASCII) else f"\\+{ord(c):06X}" for c in value)
    return f"U&'{''.join(escaped)}'"


# ------------------------------------------------------------------------------------------------------------- checks


def measured(name: str, label: str, severity: Severity = "critical") -> Check:
    """Check on the measures of that name: every row within its bounds, none without an observed value."""
    return Check(identifier(name), label, severity=severity)


def not_null(column: str, *, mostly: float = 1.0, shows_values: bool = True) -> Check:
    """Column filled in for at least the share `mostly` of the rows."""
    share = "" if mostly == 1.0 else f" pour au moins {mostly:.1%} des lignes".replace(".", ",")
    return Check(
        f"{column}_renseigne",
        f"{column} doit être renseigné{share}",
        (column,),
        "non nul",
        shows_values=shows_values,
        faulty=f"{identifier(column)} is null",
        tolerated=1.0 - mostly,
    )


def between(
    column: str, minimum: Any = None, maximum: Any = None, *, strict: bool = False, shows_values: bool = True
) -> Check:
    """Column within bounds (either may be None), nulls aside. Not-a-number is above any maximum."""
    bounds = [(">", "<=", minimum)] if strict else [(">=", "<", minimum)]
    bounds += [("<", ">=", maximum)] if strict else [("<=", ">", maximum)]
    asked = [(told, refused, bound) for told, refused, bound in bounds if bound is not None]
    return Check(
        f"{column}_dans_ses_bornes",
        f"{column} doit rester dans ses bornes",
        (column,),
        " et ".join(f"{told} {bound}" for told, _, bound in asked),
        shows_values=shows_values,
        faulty=" or ".join(f"{identifier(column)} {refused} {literal(bound)}" for _, refused, bound in asked),
    )


def in_set(column: str, allowed: Sequence[Any], *, shows_values: bool = True) -> Check:
    """Column among the listed values, nulls aside."""
    return Check(
        f"{column}_parmi_les_valeurs_admises",
        f"{column} doit être l'une des valeurs admises",
        (column,),
        "parmi " + ", ".join(str(value) for value in allowed),
        shows_values=shows_values,
        faulty=f"{identifier(column)} not in ({', '.join(literal(value) for value in allowed)})",
    )


def at_least(column_a: str, column_b: str) -> Check:
    """`column_a` >= `column_b` on every row where both are known."""
    return Check(
        f"{column_a}_au_moins_{column_b}",
        f"{column_a} doit être supérieur ou égal à {column_b}",
        (column_a, column_b),
        f"{column_a} >= {column_b}",
        faulty=f"{identifier(column_a)} < {identifier(column_b)}",
    )


def matches(column: str, regex: str, expected: str) -> Check:
    """Column of a given form, nulls aside."""
    return Check(
        f"{column}_bien_forme",
        f"{column} doit avoir la forme attendue",
        (column,),
        expected,
        faulty=f"{identifier(column)} !~ {literal(regex)}",
    )


def readable(column: str, *, shows_values: bool = True) -> Check:
    """Text without traces of a wrong encoding, but for one row in a thousand of those filled in."""
    return Check(
        f"{column}_lisible",
        f"{column} ne doit pas porter de traces d'un mauvais encodage",
        (column,),
        "texte lisible (au plus 1 ligne sur 1 000 en défaut)",
        shows_values=shows_values,
        faulty=f"{identifier(column)} ~ {literal(MOJIBAKE)}",
        tolerated=0.001,
        among=column,
    )


def unique(columns: Sequence[str], label: str) -> Check:
    """One row per combination of the columns: the measure is `duplicates`, in the query of the suite."""
    names = ", ".join(identifier(column) for column in columns)
    return Check(
        "une_ligne_par_cle",
        label,
        tuple(columns),
        "une seule ligne par " + names,
        example=f"({names}) in (select {names} from lot group by {names} having count(*) > 1)",
    )


# ---------------------------------------------------------------------------------------------------------------- SQL


def rule_counts(checks: Sequence[Check]) -> str:
    """Aggregates of one scan: rows, then by rule (numbered: names may be too long) faulty rows and rows that count."""
    counts = ["count(*) as nb_lignes"]
    for number, check in enumerate(checks):
        if check.faulty is not None:
            counts.append(f"count(*) filter (where {check.faulty}) as fautes_{number}")
            if check.among != "*":
                counts.append(f"count({check.among}) as parmi_{number}")
    return ",\n    ".join(counts)


def rule_sums(checks: Sequence[Check]) -> str:
    """The aggregates of `rule_counts` added up over groups; zero where there is no group."""
    names = ["nb_lignes"]
    for number, check in enumerate(checks):
        if check.faulty is not None:
            names += [f"fautes_{number}", *([f"parmi_{number}"] if check.among != "*" else [])]
    return ",\n    ".join(f"coalesce(sum({name}), 0) as {name}" for name in names)


def rule_measures(checks: Sequence[Check], counts: str, where: str = "''") -> str:
    """Measures of the rules from the relation `counts` (that of `rule_counts`), for each row of it, told as `where`.

    First of the queries that a suite puts together: it names and types the columns of the batch.
    """
    values = []
    for number, check in enumerate(checks):
        if check.faulty is not None:
            among = "nb_lignes" if check.among == "*" else f"parmi_{number}"
            allowed = f"{check.tolerated!r} * {among}" if check.tolerated else "0"
            values.append(f"('{check.name}', fautes_{number}, {allowed}, {among})")
    listed = ",\n    ".join(values)
    return f"""
select m.controle, {where} as ou, cast(m.observe as double precision) as observe,
    cast(null as double precision) as minimum, cast(m.maximum as double precision) as maximum,
    cast(m.parmi as bigint) as parmi
from {counts}
cross join lateral (values
    {listed}
) as m (controle, observe, maximum, parmi)
"""


def guaranteed_unique(table: str, columns: Sequence[str], *, predicate: str | None = None) -> str:
    """SQL condition: PostgreSQL itself keeps the columns unique, by a valid unique index on them and nothing more.

    Counting again what an index forbids costs a sort of the table. `predicate`: that of a partial index.
    """
    names = ", ".join(f"'{identifier(column)}'" for column in sorted(columns))
    condition = "is null" if predicate is None else f"= {literal(predicate)}"
    return f"""exists (
    select 1 from pg_catalog.pg_index as i
    where i.indrelid = to_regclass('{table}') and i.indisunique and i.indisvalid and i.indislive
    and i.indexprs is null and i.indnkeyatts = i.indnatts and pg_catalog.pg_get_expr(i.indpred, i.indrelid) {condition}
    and array(
        select cast(a.attname as text) from pg_catalog.pg_attribute as a
        where a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        order by cast(a.attname as text) collate "C"
    ) = array[{names}]
)"""


def duplicates(table: str, columns: Sequence[str], rows: str, name: str = "une_ligne_par_cle") -> str:
    """Measure of `unique`: rows of `rows` (the end of a query on `table`, from its WHERE) that share their columns."""
    names = ", ".join(identifier(column) for column in columns)
    return f"""
select '{identifier(name)}', '', case when {guaranteed_unique(table, columns)} then 0 else (
    select coalesce(sum(nombre), 0)
    from (select count(*) as nombre from {table} {rows} group by {names} having count(*) > 1) as cles
) end, null, 0, (select count(*) from {table} {rows})
"""


def faults(checks: Sequence[Check]) -> str:
    """Query of an `UnexpectedRowsExpectation`: what is wrong in the batch for these checks, a few rows for each.

    `nombre` is how many faults the check has in all. A rule without any measure was not checked: that is a fault too.
    """
    named = ", ".join(f"'{check.name}'" for check in checks)
    rules = ", ".join(f"('{check.name}')" for check in checks if check.faulty is not None)
    unchecked = f"""
    union all
    select regle.controle, 'non mesuré', null, null, null, null, 1, 1 from (values {rules}) as regle (controle)
    where not exists (select 1 from {{batch}} as vu where vu.controle = regle.controle)
"""
    return f"""
select * from (
    select controle, ou, observe, minimum, maximum, parmi,
        row_number() over (partition by controle order by ou, observe) as rang,
        count(*) over (partition by controle) as nombre
    from {{batch}} as mesures
    where controle in ({named})
    and (observe is null or observe = 'NaN' or observe < minimum or observe > maximum)
    {unchecked if rules else ""}
) as fautes where rang <= {EXAMPLES} order by controle, rang
"""


def examples(suite: Suite, checks: Iterable[Check]) -> str:
    """Query with a few faulty rows of each of these checks, written out: `(controle, rang, texte)`."""
    parts = []
    order = ", ".join(suite.identifiers)
    for check in checks:
        shown = [*suite.identifiers, *(column for column in check.columns if column not in suite.identifiers)]
        texts = [
            f"concat('{column.lstrip('_')} ', coalesce(cast({identifier(column)} as text), 'vide'))" for column in shown
        ]
        parts.append(f"""(
    select '{check.name}' as controle, row_number() over (order by {order}) as rang,
        concat('[', concat_ws(', ', {", ".join(texts)}), ']') as texte
    from lot where {check.faulty or check.example} order by {order} limit {EXAMPLES}
)""")
    return f"with lot as (\n{suite.rows}\n)\n" + "\nunion all\n".join(parts)


def span(month_start: date, month_end: date) -> str:
    """Months in the words of a message: `2025-05`, or `de 2025-01 à 2025-05`."""
    if month_start == month_end:
        return f"{month_start:%Y-%m}"
    return f"de {month_start:%Y-%m} à {month_end:%Y-%m}"
