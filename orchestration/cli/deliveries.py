"""Files in: `simulate`, `ingest`, `delivery`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
import typer
from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from expectations.contract import load_contracts
from ingestion.database import connect
from ingestion.differences import DifferenceRefused, difference
from ingestion.ingest import ingest_file
from ingestion.ledger import DeliveryAccount
from ingestion.withdraw import WithdrawalRefused, withdraw
from orchestration import landing, runs
from orchestration.cli.console import (
    AsJson,
    Refused,
    bars,
    console,
    day_argument,
    file_argument,
    instance_of,
    make_folder,
    print_json,
    visible,
)
from orchestration.cli.spreadsheet import write_table
from orchestration.instance import as_role
from orchestration.months import TIMEZONE
from orchestration.schema import INGESTION_ROLE

CHANGE_SCHEMA = {"siren": pl.String, "change": pl.String} | {
    "rows_added": pl.Int64, "rows_removed": pl.Int64, "rows_changed": pl.Int64, "columns": pl.String,
}  # fmt: skip
STATUS_STYLE = {"loaded": "green", "identical": "dim", "refused": "red"}


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(simulate)
    app.command()(ingest)
    group = typer.Typer(name="delivery", help="The ledger of deliveries.", no_args_is_help=True)
    group.command("list")(delivery_list)
    group.command("diff")(delivery_diff)
    group.command("withdraw")(delivery_withdraw)
    app.add_typer(group)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write: deliveries/<date received>/ and truth/.")],
    companies: Annotated[int, typer.Option(min=50, help="Number of fictional companies.")] = 8000,
    months: Annotated[int, typer.Option(min=36, help="Number of months from 2016-01.")] = 120,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Write the deliveries of a fictional region, and the truth beside them; touches no database."""
    from simulation import simulate as write_region

    make_folder(out)
    with bars() as progress:
        task = progress.add_task("simulating", total=None)
        summary = write_region(
            out,
            companies=companies,
            months=months,
            seed=seed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    content = dataclasses.asdict(summary)
    if as_json:
        print_json(content)
        return
    rows = [
        {
            "received": delivery["received_on"],
            "files": len(delivery["files"]),
            "lines": sum(file["lines"] for file in delivery["files"]),
        }
        for delivery in content["deliveries"]
    ]
    print_rows(rows, as_json=False)
    console.print(
        f"SIMULATION: {summary.in_perimeter:,} companies in the perimeter, {summary.failures:,} failures; files and truth in {out}"
    )


def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders to take as deliveries.")],
    received: Annotated[
        date | None,
        typer.Option(
            parser=day_argument,
            metavar="YYYY-MM-DD",
            help="Day of receipt. Default: the folder named YYYY-MM-DD that holds the file, else today.",
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Name of the contract, when the file's own name does not tell.")
    ] = None,
    identity: Annotated[
        Literal["luhn", "format"] | None, typer.Option(help="Check of SIREN and SIRET (kept in the settings).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take your own files as deliveries: recognise, check, load; what is refused goes to the quarantine with its reason."""
    instance, contracts = instance_of(context), load_contracts()
    if source is not None and source not in contracts:
        raise typer.BadParameter(f"no contract is called {source!r}; see `vigie contract list`")
    if identity is not None:
        instance.set(identity=identity)
    files = landing.deliveries_in(paths)
    accounts = []
    with runs.opened(instance) as url, bars() as progress:
        overall = progress.add_task("files", total=len(files))
        for file in files:
            reading = progress.add_task(file.name, total=100)
            accounts.append(
                ingest_file(
                    as_role(url, INGESTION_ROLE),
                    file,
                    received_on=received or landing.received_from_folder(file.resolve()) or today(),
                    contracts=contracts,
                    identity=instance.settings.identity,
                    source=source,
                    progress=partial(_advance, progress, reading, file.name),
                )
            )
            progress.remove_task(reading)
            progress.advance(overall)
    if as_json:
        print_json({"deliveries": [dataclasses.asdict(account) for account in accounts], "totals": _totals(accounts)})
    else:
        _print_accounts(accounts)
    if refused := [account for account in accounts if account.status == "refused"]:
        raise Refused("\n".join(f"{account.file_name}: {account.reason}" for account in refused))


def _advance(progress: Progress, task: TaskID, name: str, lines: int, size: int, total: int) -> None:
    """Per cent of the file, lines and lines a second; the bar itself tells the time left."""
    seconds = next(item.elapsed for item in progress.tasks if item.id == task) or 1.0
    description = f"{name} · {lines:,} lines · {lines / seconds:,.0f}/s"
    progress.update(task, completed=100 * size // max(total, 1), description=description)


def today() -> date:
    """Today in France: the only default that reads the clock, at the border where a person says nothing."""
    return datetime.now(ZoneInfo(TIMEZONE)).date()


def delivery_list(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    details: Annotated[
        bool, typer.Option("--details", help="Layout, encoding, code version and run too (as in --json).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The latest deliveries, newest first."""
    query = """
        select delivery_id, source, file_name, received_on, status, lines, loaded, unchanged, rejected, out_of_scope, reason,
            rows_opened, rows_closed, replay_of, layout, encoding, delimiter, compression, content_sha256, code_version, run_id,
            recorded_at
        from ingest.delivery where %(source)s::text is null or source = %(source)s order by delivery_id desc limit %(limit)s
    """
    rows = query_rows(context, query, {"source": source, "limit": limit})
    if not as_json and not details:
        rows = [{name: row[name] for name in list(row)[:11]} for row in rows]
    print_rows(rows, as_json)


def delivery_diff(
    context: typer.Context,
    before: Annotated[int, typer.Argument(help="A delivery (see `vigie delivery list`).")],
    after: Annotated[int, typer.Argument(help="Another delivery of the same source.")],
    limit: Annotated[int, typer.Option(min=1, help="Companies shown.")] = 50,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            parser=file_argument,
            metavar="FILE",
            help="Write every company to this .csv, .xlsx or .parquet file.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Companies and rows that were added, removed or changed between two deliveries of a source."""
    with runs.opened(instance_of(context)) as url:
        try:
            found = difference(as_role(url, INGESTION_ROLE), before, after)
        except DifferenceRefused as refusal:
            raise Refused(str(refusal)) from refusal
    content = dataclasses.asdict(found)
    rows = [item | {"columns": ", ".join(item["columns"])} for item in content["changes"]]
    if out is not None:
        write_table(pl.DataFrame(rows, schema=CHANGE_SCHEMA), out)
    if as_json:
        print_json(content | {"changes": content["changes"][:limit]})
        return
    print_rows(rows[:limit], as_json=False)
    for name, counts in (("companies", found.companies), ("rows", found.rows), ("columns changed", found.columns)):
        console.print(f"{name}: " + (", ".join(f"{count:,} {change}" for change, count in counts.items()) or "none"))


def delivery_withdraw(
    context: typer.Context,
    delivery_id: Annotated[int, typer.Argument(help="See `vigie delivery list`.")],
    as_json: AsJson = False,
) -> None:
    """Take back the latest delivery of a source, in one transaction: what was known before it is known again."""
    with runs.opened(instance_of(context)) as url:
        try:
            done = withdraw(as_role(url, INGESTION_ROLE), delivery_id)
        except WithdrawalRefused as refusal:
            raise Refused(str(refusal)) from refusal
    if as_json:
        print_json(dataclasses.asdict(done))
    else:
        console.print(
            f"delivery {delivery_id} of {done.source} taken back: {done.rows_removed:,} versions removed, {done.rows_reopened:,} open again"
        )


def query_rows(context: typer.Context, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a query of ours on the instance, by column name."""
    with runs.opened(instance_of(context)) as url, connect(url) as connection:
        cursor = connection.execute(query.encode(), parameters)
        names = [column.name for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def print_rows(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Rows as JSON or as a table."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        console.print("(nothing)")
        return
    table = Table(*rows[0].keys(), header_style="bold")
    for row in rows:
        table.add_row(*("" if value is None else visible(str(value)) for value in row.values()))
    console.print(table)


def _totals(accounts: Sequence[DeliveryAccount]) -> dict[str, int]:
    names = ("lines", "loaded", "unchanged", "rejected", "out_of_scope", "rows_opened", "rows_closed")
    return {"files": len(accounts)} | {name: sum(getattr(account, name) for account in accounts) for name in names}


def _print_accounts(accounts: Sequence[DeliveryAccount]) -> None:
    table = Table("file", "source", "status", title="Deliveries", header_style="bold")
    for name in ("lines", "loaded", "unchanged", "rejected", "out of scope", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("why refused lines")
    for item in accounts:
        rules = ", ".join(f"{rule} × {count}" for rule, count in item.rejects_by_rule.items())
        numbers = (item.lines, item.loaded, item.unchanged, item.rejected, item.out_of_scope)
        status = Text(item.status, STATUS_STYLE[item.status])
        name, seconds = visible(item.file_name), f"{item.seconds:.1f}"
        table.add_row(name, item.source or "?", status, *(f"{n:,}" for n in numbers), seconds, rules)
    console.print(table)
