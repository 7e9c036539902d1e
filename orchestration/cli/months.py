"""A month: `run`, `publish`, `rollback`, `report`."""

from __future__ import annotations

import csv
from datetime import date
from typing import Annotated, Any

import typer

from expectations.contract import load_contracts
from ingestion.database import connect
from orchestration import landing, publication, recomputation, reports, runs
from orchestration.cli.console import (
    AsJson,
    Month,
    Refused,
    bars,
    console,
    follow,
    instance_of,
    print_error,
    print_json,
    require,
    tell,
)
from orchestration.cli.deliveries import today
from orchestration.dbt import DBT_PROJECT
from orchestration.instance import Instance
from orchestration.months import FIRST_MONTH


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (run, publish, rollback, report):
        app.command()(command)


def region_argument(text: str) -> str:
    """INSEE code of a region (a Typer parser): one that the reference of territories has."""
    with (DBT_PROJECT / "seeds" / "territoire.csv").open(encoding="utf-8") as seed:
        codes = {row["code"] for row in csv.DictReader(seed) if row["type"] == "region"}
    if text not in codes:
        raise typer.BadParameter(f"{text!r} is not the INSEE code of a region: {', '.join(sorted(codes))}")
    return text


def run(
    context: typer.Context,
    month: Month,
    history: Annotated[
        int | None, typer.Option(min=0, help="Months scored before the first published one (kept in the settings).")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            parser=region_argument, metavar="CODE", help="INSEE code of the region to report on (kept in the settings)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Features → gates → scores → publication → reports for a month, through Dagster.

    A month that was computed before is computed again, and what changed in it is told.
    """
    instance = instance_of(context)
    changes: dict[str, str | int | bool] = {}
    if history is not None:
        changes["history_months"] = history
    if region is not None:
        changes["region"] = region
    if changes:
        instance.set(**changes)
    with runs.opened(instance) as url, bars() as progress:
        require_begun(instance, url, month)
        outcome = runs.run_month(instance, month, progress=follow(progress, f"{month:%Y-%m}"))
        missing = missing_sources(url)
        summary = month_summary(url, month) if outcome.success else {}
        changed = recomputation.changed_columns(url, outcome.run_id)
    if as_json:
        state = "published" if outcome.success else "refused" if outcome.refused else "failed"
        place = str(reports.folder(instance, month) / "index.html") if outcome.success else None
        print_json(
            {
                "month": f"{month:%Y-%m}",
                "status": state,
                "reasons": outcome.reasons,
                "run_id": outcome.run_id,
                "missing_sources": missing,
                "warnings": outcome.warnings,
                "report": place,
                "recomputed_columns": changed,
                **summary,
            }
        )
    if missing and not as_json:
        console.print(f"Sources never delivered, lived without: {', '.join(missing)}", style="yellow")
    if changed and not as_json:
        told = ", ".join(f"{column} ({companies})" for column, companies in changed.items())
        console.print(f"Computed again; columns that changed (companies): {told}. Cells: table marts.recalcul.")
    require(outcome)
    tell(outcome)
    if not as_json:
        print_month(instance, month, summary)


def publish(context: typer.Context, month: Month, as_json: AsJson = False) -> None:
    """Score, check and publish a month whose features are there, then write its reports."""
    instance = instance_of(context)
    with runs.opened(instance) as url, bars() as progress:
        require_begun(instance, url, month)
        outcome = runs.run_job("historique", month, month, progress=follow(progress, f"{month:%Y-%m}"))
        if outcome.success:
            _written(instance, month)
            summary = month_summary(url, month)
    require(outcome)
    tell(outcome)
    if as_json:
        published = {"month": f"{month:%Y-%m}", "status": "published", "run_id": outcome.run_id}
        print_json({**published, "warnings": outcome.warnings, **summary})
    else:
        print_month(instance, month, summary)


def rollback(context: typer.Context, month: Month, as_json: AsJson = False) -> None:
    """Take back the publication of a month and its reports; the one it replaced, if any, is seen again."""
    instance = instance_of(context)
    with runs.opened(instance) as url:
        try:
            done = publication.rollback(url, month)
        except publication.PublicationRefused as refusal:
            raise Refused(str(refusal)) from refusal
        reports.follow_rollback(instance, month)
    warnings = [publication.outdated_fr(month, done.outdated)] if done.outdated else []
    if as_json:
        print_json({"month": f"{month:%Y-%m}", "publication_id": done.publication_id, "warnings": warnings})
        return
    for warning in warnings:
        print_error("Warning.", warning, "yellow")
    seen = (
        f"publication {done.publication_id} is seen again."
        if done.publication_id
        else "the month is no longer published."
    )
    console.print(f"{month:%Y-%m} taken back; {seen}")


def report(context: typer.Context, month: Month, as_json: AsJson = False) -> None:
    """Write the reports of a published month again."""
    instance = instance_of(context)
    with runs.opened(instance):
        files = _written(instance, month)
    if as_json:
        print_json([{"path": str(file.path), "sha256": file.sha256, "size": file.size} for file in files])
    else:
        console.print(f"{len(files)} files in {reports.folder(instance, month)}")


def _written(instance: Instance, month: date) -> list[reports.ReportFile]:
    """The reports of the month, written again.

    Raises:
        Refused: the month is not published, or not in the region of the settings.
    """
    try:
        return reports.write(instance, month)
    except publication.PublicationRefused as refusal:
        raise Refused(str(refusal)) from refusal


def require_begun(instance: Instance, url: str, month: date) -> None:
    """Go on when the month has begun: a mistyped year would compute, and freeze, every month until then.

    It has when today or a delivery lies in it or after it: a simulated region delivers in a time of its own.

    Raises:
        typer.BadParameter: it has not, or lies before the first month of all.
    """
    waiting = (path.relative_to(instance.landing) for path in landing.deliveries_in([instance.landing]))
    with connect(url) as connection:
        loaded = connection.execute("select max(received_on) from ingest.delivery where status = 'loaded'").fetchone()
    delivered = (*(landing.received_from_folder(path) for path in waiting), *(loaded or ()))
    last = max(day for day in (today(), *delivered) if day)
    if not FIRST_MONTH <= month <= last:
        raise typer.BadParameter(f"{month:%Y-%m} lies outside the months from {FIRST_MONTH:%Y-%m} to {last:%Y-%m}")


def month_summary(url: str, month: date) -> dict[str, Any]:
    """What readers see of a published month: model, companies scored, alerts, new detections (empty when unpublished)."""
    query = """
        select publication_id, model_id, content_sha256,
            (select count(*) from publication.score where score.publication_id = month.publication_id) as scored,
            (select count(*) from publication.detection where detection.publication_id = month.publication_id) as alerts,
            (select count(*) from publication.detection
             where detection.publication_id = month.publication_id and est_nouvelle_detection) as new_detections,
            (select count(*) from publication.detection
             where detection.publication_id = month.publication_id and retenue_region) as retained
        from publication.month where month = %s and status = 'published'
    """
    with connect(url) as connection:
        cursor = connection.execute(query.encode(), [month])
        names = [column.name for column in cursor.description or []]
        row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def missing_sources(url: str) -> list[str]:
    """Sources of which nothing was ever loaded, those that the others make do without apart."""
    with connect(url) as connection:
        rows = connection.execute("select distinct source from ingest.delivery where status = 'loaded'").fetchall()
    awaited = {name for name, contract in load_contracts().items() if not contract.optional}
    return sorted(awaited - {source for (source,) in rows})


def print_month(instance: Instance, month: date, summary: dict[str, Any]) -> None:
    """The result of a month, in a few lines."""
    console.print(
        f"{month:%Y-%m} published: {summary['scored']:,} companies scored, {summary['alerts']:,} alerts, "
        f"{summary['new_detections']:,} new detections, {summary['retained']:,} retained for the region (model {summary['model_id']})"
    )
    console.print(f"Reports: {reports.folder(instance, month) / 'index.html'}")
