"""Files in: `simulate`, `ingest`, `delivery`, `quarantine`, `contract`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from expectations.contract import load_contracts
from ingestion.database import connect
from ingestion.ingest import DeliveryAccount, ingest_file
from ingestion.withdraw import WithdrawalRefused, withdraw
from orchestration import landing, runs
from orchestration.cli.console import AsJson, Refused, bars, console, day_argument, instance_of, print_json
from orchestration.instance import as_role
from orchestration.months import TIMEZONE
from orchestration.schema import INGESTION_ROLE

STATUS_STYLE = {"loaded": "green", "identical": "dim", "refused": "red"}


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(simulate)
    app.command()(ingest)
    for name, help_text, function in (
        ("delivery", "The ledger of deliveries.", delivery_list),
        ("quarantine", "The lines that were refused, and why.", quarantine_list),
        ("contract", "What each delivered file must look like.", contract_list),
    ):
        group = typer.Typer(name=name, help=help_text, no_args_is_help=True)
        group.command("list")(function)
        if name == "delivery":
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
            rows = progress.add_task(file.name, total=None)
            accounts.append(
                ingest_file(
                    as_role(url, INGESTION_ROLE),
                    file,
                    received_on=received or landing.received_from_folder(file.resolve()) or today(),
                    contracts=contracts,
                    identity=instance.settings.identity,
                    source=source,
                    progress=partial(_advance, progress, rows),
                )
            )
            progress.remove_task(rows)
            progress.advance(overall)
    if as_json:
        print_json({"deliveries": [dataclasses.asdict(account) for account in accounts], "totals": _totals(accounts)})
    else:
        _print_accounts(accounts)
    if refused := [account for account in accounts if account.status == "refused"]:
        raise Refused("\n".join(f"{account.file_name}: {account.reason}" for account in refused))


def _advance(progress: Progress, task: TaskID, done: int) -> None:
    progress.update(task, completed=done)


def today() -> date:
    """Today in France: the only default that reads the clock, at the border where a person says nothing."""
    return datetime.now(ZoneInfo(TIMEZONE)).date()


def delivery_list(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """The latest deliveries, newest first."""
    query = """
        select delivery_id, source, file_name, received_on, status, lines, loaded, unchanged, rejected, out_of_scope, reason
        from ingest.delivery where %(source)s::text is null or source = %(source)s order by delivery_id desc limit %(limit)s
    """
    _list(context, query, {"source": source, "limit": limit}, as_json)


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


def quarantine_list(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source; then line by line.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Refused lines: counted by source and rule, or line by line for one source."""
    by_rule = """
        select source, kind, rule, count(*) as lines, min(message) as example
        from ingest.rejected_row inner join ingest.delivery using (delivery_id)
        group by source, kind, rule order by source, lines desc limit %(limit)s
    """
    by_line = """
        select delivery_id, file_name, line, kind, column_name, rule, value, message, raw_text
        from ingest.rejected_row inner join ingest.delivery using (delivery_id)
        where source = %(source)s order by delivery_id desc, line limit %(limit)s
    """
    _list(context, by_line if source else by_rule, {"source": source, "limit": limit}, as_json)


def contract_list(as_json: AsJson = False) -> None:
    """The sources: who produces them, how often, under which file names."""
    rows = [
        {
            "source": item.name,
            "producer": item.producer,
            "label": item.label,
            "cadence": item.cadence,
            "mode": item.mode,
            "files": ", ".join(item.file_names),
        }
        for item in load_contracts().values()
    ]
    print_rows(rows, as_json)


def _list(context: typer.Context, query: str, parameters: dict[str, Any], as_json: bool) -> None:
    with runs.opened(instance_of(context)) as url, connect(url) as connection:
        cursor = connection.execute(query.encode(), parameters)
        names = [column.name for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    print_rows(rows, as_json)


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
        table.add_row(*("" if value is None else str(value) for value in row.values()))
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
        status = f"[{STATUS_STYLE[item.status]}]{item.status}[/]"
        table.add_row(
            item.file_name, item.source or "?", status, *(f"{n:,}" for n in numbers), f"{item.seconds:.1f}", rules
        )
    console.print(table)
