"""Out of the database: `sql`, `export`, `docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import psycopg
import typer
from psycopg import postgres
from psycopg import sql as compose

from orchestration import dbt, dictionary, runs
from orchestration.cli.console import AsJson, Refused, console, file_argument, instance_of, make_folder
from orchestration.cli.deliveries import print_rows
from orchestration.cli.spreadsheet import FORMATS, write_table
from orchestration.instance import as_role
from orchestration.schema import READER_ROLE
from reporting.dictionary import markdown, workbook

#: Type of a column in a file <- its PostgreSQL type. Numbers without a type of their own are amounts, in euros and cents.
_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "bool": pl.Boolean,
    "date": pl.Date,
    "float8": pl.Float64,
    "int4": pl.Int32,
    "int8": pl.Int64,
    "numeric": pl.Decimal(38, 2),
    "text": pl.String,
    "timestamptz": pl.Datetime("us", "UTC"),
}


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    # A query may begin with a comment: `--` is then its text, not an option.
    app.command(context_settings={"ignore_unknown_options": True})(sql)
    app.command()(export)
    app.command()(docs)


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One query on schema `published`.")],
    as_json: AsJson = False,
) -> None:
    """One read-only query, as the national reader."""
    with runs.opened(instance_of(context)) as url:
        columns, rows = _read(url, query)
    names = [column.name for column in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"plusieurs colonnes s’appellent « {', '.join(twice)} » : donnez-leur d’autres noms avec « as »")
    print_rows([dict(zip(names, row, strict=True)) for row in rows], as_json)


def export(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="View of schema `published`.")],
    file: Annotated[
        Path, typer.Argument(parser=file_argument, metavar="FILE", help="File to write: .parquet, .csv or .xlsx.")
    ],
) -> None:
    """A published table into a file."""
    # Known before a long query.
    if file.suffix not in FORMATS:
        raise typer.BadParameter(f"{file.name}: {', '.join(FORMATS)} is expected")
    with runs.opened(instance_of(context)) as url:
        frame = published(url, table.removeprefix("published."))
    write_table(frame, file)
    console.print(f"{frame.height:,} rows written to {file}")


def docs(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="Folder to write: dictionnaire.md, dictionnaire.xlsx and modeles.html.")],
) -> None:
    """The data dictionary (Markdown and Excel) and the site of the dbt models, one page that needs no network."""
    instance = instance_of(context)
    make_folder(out)
    with runs.opened(instance) as url:
        tables = dictionary.read(url)
        (out / "dictionnaire.md").write_text(markdown(tables), encoding="utf-8")
        (out / "dictionnaire.xlsx").write_bytes(workbook(tables))
        (out / "modeles.html").write_text(dbt.site(instance), encoding="utf-8")
    columns = sum(len(table.columns) for table in tables)
    console.print(f"{len(tables)} tables, {columns} columns described in {out}")


def published(url: str, view: str) -> pl.DataFrame:
    """A view of schema `published`, with the types that its columns have, whatever its rows hold; times in UTC.

    Raises:
        Refused: there is no such view.
    """
    columns, rows = _read(url, compose.SQL("select * from published.{}").format(compose.Identifier(view)).as_string())
    schema = {column.name: _TYPES[postgres.types[column.type_code].name] for column in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _read(url: str, query: str) -> tuple[list[psycopg.Column], list[tuple[Any, ...]]]:
    with psycopg.connect(as_role(url, READER_ROLE), application_name="vigie-sql") as connection:
        connection.read_only = True
        try:
            # A server-side prepared statement is one statement only: nothing can follow the query.
            cursor = connection.execute(query.encode(), prepare=True)
            return list(cursor.description or []), cursor.fetchall()
        except psycopg.Error as error:
            raise Refused(str(error).strip()) from error
