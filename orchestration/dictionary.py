"""The data dictionary: what each published column means, read from the comments of the database itself.

Belongs here: reading the catalog. How it is written for a reader is in `reporting.dictionary`.
"""

from __future__ import annotations

import re

import psycopg

from orchestration.instance import as_role
from orchestration.schema import READER_ROLE
from reporting.dictionary import Column, Table

#: Schemas that readers are given, in the order of the dictionary.
SCHEMAS = ("published", "compat_sfor")
#: A comment says what a column is, then its unit (of a number) and its source, each in a sentence of its own.
_COMMENT = re.compile(r"(?P<text>.*?)(?: Unité : (?P<unit>[^.]+)\.)?(?: Source : (?P<source>[^.]+)\.)?", re.DOTALL)

_QUERY = """
select relation.relnamespace::regnamespace::text, relation.relname, obj_description(relation.oid, 'pg_class'),
    attribute.attname, format_type(attribute.atttypid, attribute.atttypmod), col_description(relation.oid, attribute.attnum)
from pg_class as relation
inner join pg_attribute as attribute on attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped
where relation.relnamespace::regnamespace::text = any(%(schemas)s) and relation.relkind = 'v'
union all
select function.pronamespace::regnamespace::text, function.proname || '(' || pg_get_function_arguments(function.oid) || ')',
    obj_description(function.oid, 'pg_proc'), null, null, null
from pg_proc as function
where function.pronamespace::regnamespace::text = any(%(schemas)s)
"""


def read(url: str) -> list[Table]:
    """Every view and function of the readers' schemas with its columns, in the order of their names."""
    with psycopg.connect(as_role(url, READER_ROLE), application_name="vigie-docs") as connection:
        rows = connection.execute(_QUERY.encode(), {"schemas": list(SCHEMAS)}).fetchall()
    tables: dict[tuple[int, str], Table] = {}
    for schema, name, comment, column, kind, description in rows:
        table = tables.setdefault((SCHEMAS.index(schema), name), Table(schema, name, comment or "", []))
        if column is not None:
            table.columns.append(described(column, kind, description or ""))
    return [table for _, table in sorted(tables.items())]


def described(name: str, kind: str, comment: str) -> Column:
    """A column, its comment taken apart into meaning, unit and source."""
    parts = _COMMENT.fullmatch(comment)
    assert parts is not None
    return Column(name, kind, parts["text"], parts["unit"], parts["source"])
