"""`demo`: the main job on the simulated region, from files to reports."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table

from ingestion.database import connect
from orchestration import landing, reports, runs
from orchestration.cli.console import AsJson, bars, console, follow, instance_of, print_json, require, tell
from orchestration.cli.months import month_summary
from orchestration.instance import Instance
from orchestration.months import shift

FIRST_MONTH = date(2016, 1, 1)
#: Monthly deliveries that the demonstration runs one by one, after the history.
LATEST_MONTHS = 3
EXAMPLE = (
    "select siren, departement, alerte, round(p18::numeric, 3) as p18, motif_nouveaute from published.detections "
    "where est_nouvelle_detection order by mois desc, p18 desc limit 10"
)


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(demo)


def demo(
    context: typer.Context,
    companies: Annotated[int, typer.Option(min=50, help="Number of fictional companies.")] = 8000,
    months: Annotated[int, typer.Option(min=48, help="Number of months from 2016-01.")] = 120,
    history: Annotated[int, typer.Option(min=1, help="Months scored before the three latest ones.")] = 36,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """The main job on a fictional region: deliveries, history, three monthly runs, reports. Again = quick, and nothing changes."""
    instance = instance_of(context)
    seconds: dict[str, float] = {}
    instance.set(simulation=True, region="27", history_months=history)
    with bars() as progress:
        task = progress.add_task("starting PostgreSQL", total=None)
        with runs.opened(instance) as url:
            progress.remove_task(task)
            arrive = progress.add_task("the region delivers its files", total=None)
            seconds["simulation"] = _timed(lambda: _deliver(instance, companies, months, seed))
            progress.remove_task(arrive)
            for month in (shift(FIRST_MONTH, months - LATEST_MONTHS + index) for index in range(LATEST_MONTHS)):
                if month_summary(url, month) and not landing.deliveries_in([instance.landing]):
                    continue
                started = time.monotonic()
                outcome = runs.run_month(instance, month, progress=follow(progress, f"{month:%Y-%m}"))
                require(outcome)
                tell(outcome)
                seconds[f"{month:%Y-%m}"] = time.monotonic() - started
            latest = shift(FIRST_MONTH, months - 1)
            summary = _summary(url, shift(latest, 1 - LATEST_MONTHS), latest, seconds)
    index = reports.folder(instance, latest) / "index.html"
    if as_json:
        print_json({**summary, "report": str(index), "example_query": EXAMPLE})
        return
    _print(summary)
    console.print(f"\nReport: {index}")
    console.print("Dagster UI: make up")
    console.print(f'A query to try: vigie sql "{EXAMPLE}"', soft_wrap=True)


def _deliver(instance: Instance, companies: int, months: int, seed: int) -> None:
    """Let the region deliver into the landing folder, unless it did so before with the same arguments."""
    from simulation import simulate

    arguments: dict[str, Any] = {"companies": companies, "months": months, "seed": seed}
    done = instance.home / "simulation" / "arguments.json"
    if done.exists() and json.loads(done.read_text()) == arguments:
        return
    simulate(done.parent, **arguments)
    for folder in sorted((done.parent / "deliveries").iterdir()):
        shutil.copytree(folder, instance.landing / folder.name, dirs_exist_ok=True)
    done.write_text(json.dumps(arguments))


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _summary(url: str, first: date, last: date, seconds: dict[str, float]) -> dict[str, Any]:
    with connect(url) as connection:
        deliveries = connection.execute(
            "select received_on, count(*), sum(lines), sum(loaded), sum(unchanged), sum(rejected), sum(out_of_scope) "
            "from ingest.delivery group by received_on order by received_on"
        ).fetchall()
        scored = connection.execute("select count(*) from publication.month where status = 'published'").fetchone()
    names = ("received_on", "files", "lines", "loaded", "unchanged", "rejected", "out_of_scope")
    months = {
        f"{month:%Y-%m}": month_summary(url, month)
        for month in (shift(first, i) for i in range(LATEST_MONTHS))
        if month <= last
    }
    return {
        "deliveries": [dict(zip(names, (row[0], *map(int, row[1:])), strict=True)) for row in deliveries],
        "months": months,
        "months_published": scored[0] if scored else 0,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def _print(summary: dict[str, Any]) -> None:
    files = Table("delivery received", title="SIMULATION · deliveries", header_style="bold")
    for name in ("files", "rows in", "loaded", "unchanged", "rejected", "out of scope"):
        files.add_column(name, justify="right")
    for item in summary["deliveries"]:
        files.add_row(
            str(item["received_on"]),
            *(f"{item[name]:,}" for name in ("files", "lines", "loaded", "unchanged", "rejected", "out_of_scope")),
        )
    console.print(files)
    lists = Table(
        "month", title=f"SIMULATION · lists ({summary['months_published']} months published)", header_style="bold"
    )
    for name in ("companies scored", "alerts", "new detections", "retained", "seconds"):
        lists.add_column(name, justify="right")
    for month, item in summary["months"].items():
        took = summary["seconds"].get(month)
        numbers = (f"{item[name]:,}" for name in ("scored", "alerts", "new_detections", "retained"))
        lists.add_row(month, *numbers, f"{took:.1f}" if took is not None else "already published")
    console.print(lists)
