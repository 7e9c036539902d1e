"""Bases of administrations: `connector list`, `connector check`, `connector fetch`."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated, Any

import typer

from ingestion.connectors.faults import ConnectorError, PeerFault
from ingestion.connectors.settings import Connector
from ingestion.database import connect
from orchestration import collection, runs
from orchestration.cli.console import AsJson, Refused, errors, instance_of
from orchestration.cli.deliveries import print_rows
from orchestration.instance import Instance

Name = Annotated[str | None, typer.Argument(help="Only this connector. Default: all.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(
        name="connector",
        help="Bases that deliveries are fetched from (connectors.yml of the instance).",
        no_args_is_help=True,
    )
    for name, function in (("list", connector_list), ("check", connector_check), ("fetch", connector_fetch)):
        group.command(name)(function)
    app.add_typer(group)


def connector_list(context: typer.Context, as_json: AsJson = False) -> None:
    """The connectors: what they read, how often, when they last reached it and took something."""
    instance = instance_of(context)
    chosen = _chosen(instance, None)
    with runs.opened(instance) as url, connect(url) as connection:
        query = """
            select connector, looked_at, count(landed_as), max(fetched_at) filter (where status = 'landed')
            from ingest.connector_state left join ingest.fetched using (connector) group by connector, looked_at
        """
        known = {name: state for name, *state in connection.execute(query)}
    rows = []
    for name, settings in chosen.items():
        looked_at, taken, fetched_at = known.get(name, (None, 0, None))
        row = {"connector": name, "kind": settings.kind, "every_minutes": settings.every_minutes}
        rows.append(row | {"last_reached_at": looked_at, "taken": taken, "last_fetched_at": fetched_at})
    print_rows(rows, as_json)


def connector_check(context: typer.Context, name: Name = None, as_json: AsJson = False) -> None:
    """What can be reached, and what would be taken, without taking it."""
    instance = instance_of(context)
    rows: list[dict[str, Any]] = []
    with runs.opened(instance):
        for connector, settings in _chosen(instance, name).items():
            try:
                seen = collection.look(instance, connector, settings, collection.now())
            except PeerFault as fault:
                rows.append({"connector": connector, "state": "unreachable", "name": None, "detail": str(fault)})
                continue
            found: list[dict[str, Any]] = [
                {"state": "ready", "name": offer.name, "detail": offer.version} for offer in seen.ready
            ]
            found += [{"state": "waiting", "name": file, "detail": why} for file, why in seen.waiting.items()]
            found += [{"state": "refused", "name": file, "detail": why} for file, why in seen.refused.items()]
            nothing = {"state": "reachable", "name": None, "detail": "rien de nouveau"}
            rows += [{"connector": connector} | row for row in found or [nothing]]
    print_rows(rows, as_json)
    if unreachable := [row for row in rows if row["state"] == "unreachable"]:
        raise Refused("\n".join(f"{row['connector']} : {row['detail']}" for row in unreachable))


def connector_fetch(context: typer.Context, name: Name = None, as_json: AsJson = False) -> None:
    """Take what is complete into the landing folder; a file that is still settling is looked at a second time."""
    instance = instance_of(context)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    with runs.opened(instance):
        for connector, settings in _chosen(instance, name).items():
            try:
                report = collection.fetch(instance, connector, settings, collection.now())
                rows += [{"connector": connector} | dataclasses.asdict(taken) for taken in report.taken]
                if report.again_after is not None:
                    errors.print(
                        f"{connector}: {len(report.waiting)} file(s) looked at again in {report.again_after} s"
                    )
                    time.sleep(report.again_after)
                    report = collection.fetch(instance, connector, settings, collection.now())
                    rows += [{"connector": connector} | dataclasses.asdict(taken) for taken in report.taken]
            except PeerFault as fault:
                problems.append(f"{connector} : {fault}")
                continue
            problems += [f"{connector} : {reason}" for reason in (report.refused | report.faults).values()]
    print_rows(rows, as_json)
    if problems:
        raise Refused("\n".join(problems))


def _chosen(instance: Instance, name: str | None) -> dict[str, Connector]:
    """The connectors asked for.

    Raises:
        Refused: connectors.yml cannot be used.
        typer.BadParameter: there is none of that name.
    """
    try:
        known = collection.connectors(instance)
    except ConnectorError as error:
        raise Refused(str(error)) from error
    if name is None:
        return known
    if name not in known:
        raise typer.BadParameter(f"no connector is called {name!r}; see `vigie connector list`")
    return {name: known[name]}
