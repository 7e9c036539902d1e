"""What was refused: `quarantine list`, `quarantine replay`."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from expectations.contract import load_contracts
from ingestion.replay import replay_quarantine
from orchestration import runs
from orchestration.cli.console import AsJson, console, day_argument, file_argument, instance_of, print_json
from orchestration.cli.deliveries import print_rows, query_rows, today
from orchestration.cli.spreadsheet import write_table
from orchestration.instance import as_role
from orchestration.schema import INGESTION_ROLE

# Lines that wait: those that a replay took up, or whose delivery was taken back, no longer do.
_WAITING = """
    from ingest.rejected_row inner join ingest.delivery using (delivery_id)
    where replayed_by is null and status <> 'withdrawn'
        and (%(source)s::text is null or source = %(source)s)
        and (%(rule)s::text is null or rule = %(rule)s)
        and (%(delivery)s::bigint is null or delivery_id = %(delivery)s)
"""

Source = Annotated[str | None, typer.Option(help="Only this source; then line by line.")]
DeliveryId = Annotated[int | None, typer.Option("--delivery", help="Only this delivery (see `vigie delivery list`).")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="quarantine", help="The lines that were refused, and why.", no_args_is_help=True)
    group.command("list")(quarantine_list)
    group.command("replay")(quarantine_replay)
    app.add_typer(group)


def quarantine_list(
    context: typer.Context,
    source: Source = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule; then line by line.")] = None,
    delivery: DeliveryId = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            parser=file_argument,
            metavar="FILE",
            help="Write every line found to this .csv, .xlsx or .parquet file.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Refused lines: counted by source and rule, or line by line for one source, rule or delivery."""
    by_rule = (
        f"select source, kind, rule, count(*) as lines, min(message) as example {_WAITING} group by source, kind, rule"
    )
    by_line = (
        f"select delivery_id, source, file_name, line, kind, column_name, rule, value, message, raw_text {_WAITING}"
    )
    parameters = {"source": source, "rule": rule, "delivery": delivery, "limit": limit}
    if out is not None:
        rows = query_rows(context, f"{by_line} order by delivery_id desc, line", parameters)
        write_table(rows, out)
        console.print(f"{len(rows):,} lines written to {out}")
    elif source or rule or delivery:
        print_rows(
            query_rows(context, f"{by_line} order by delivery_id desc, line limit %(limit)s", parameters), as_json
        )
    else:
        print_rows(query_rows(context, f"{by_rule} order by source, lines desc limit %(limit)s", parameters), as_json)


def quarantine_replay(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    delivery: DeliveryId = None,
    received: Annotated[
        date | None,
        typer.Option(
            parser=day_argument, metavar="YYYY-MM-DD", help="Day from which the lines are known. Default: today."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read refused lines again after a contract was corrected: what passes is loaded, the rest stays."""
    instance = instance_of(context)
    with runs.opened(instance) as url:
        done = replay_quarantine(
            as_role(url, INGESTION_ROLE),
            received_on=received or today(),
            contracts=load_contracts(),
            identity=instance.settings.identity,
            source=source,
            delivery_id=delivery,
        )
    if as_json:
        print_json([dataclasses.asdict(item) for item in done])
        return
    rows = []
    for item in done:
        names = ("delivery_id", "lines", "loaded", "unchanged", "rejected", "out_of_scope")
        counts = {name: getattr(item.account, name) if item.account else None for name in names}
        rows.append(
            {"delivery": item.delivery_id, "source": item.source, "file": item.file_name}
            | {"replayed as": counts.pop("delivery_id"), **counts, "why not": item.reason}
        )
    print_rows(rows, as_json=False)
