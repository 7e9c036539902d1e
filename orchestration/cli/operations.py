"""Keeping an instance: `up`, `status`, `doctor`, `psql`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import date
from types import FrameType
from typing import Annotated, Any

import psycopg
import typer

from expectations.contract import load_contracts
from ingestion.database import connect
from orchestration import collection, dbt, digests, landing, runs
from orchestration.cli.console import AsJson, Refused, console, instance_of, print_json
from orchestration.cli.deliveries import print_rows, today
from orchestration.instance import PROJECT, Instance
from orchestration.months import shift
from orchestration.postgres import find_binaries
from orchestration.schema import READER_ROLE

LOOK_SECONDS = 2.0
GRACE_SECONDS = 15.0
#: Below this share of free disk, PostgreSQL may stop in the middle of a month.
MIN_FREE_BYTES = 2 * 1024**3

#: Deliveries that nothing will come of by itself: refused and followed by no other, or stopping every run at their gate.
_STOPPED = """
    select source, delivery_id, case status when 'refused' then 'was refused: ' || reason else 'did not pass its gate' end
    from ingest.delivery as d left join ingest.gate using (delivery_id)
    where status = 'loaded' and not passed or status = 'refused' and source is not null and not exists (
        select from ingest.delivery as later
        where later.source = d.source and later.delivery_id > d.delivery_id and later.status <> 'withdrawn'
    )
    order by source, delivery_id
"""


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (up, status, doctor, psql):
        app.command()(command)


def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Dagster UI on 127.0.0.1.")] = 3000,
) -> None:
    """Dagster UI, daemon (schedule and sensor) and database, until Ctrl-C; nothing is left running after."""
    instance = instance_of(context)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    with runs.opened(instance):
        dbt.manifest()
        runs.reap()
        port = _usable(port)
        workspace = ["-w", str(PROJECT / "workspace.yaml")]
        commands = [
            [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace],
            [sys.executable, "-m", "dagster._daemon", "run", *workspace],
        ]
        log = (instance.home / "dagster.log").open("ab")
        children = [
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=PROJECT
            )
            for command in commands
        ]
        try:
            console.print(
                f"Dagster UI: http://127.0.0.1:{port}   (log: {instance.home / 'dagster.log'}; Ctrl-C stops everything)"
            )
            _watch(instance, children)
        except KeyboardInterrupt:
            console.print("stopping…")
        finally:
            _stop(children)
            log.close()


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Last delivery of each source and its freshness, what waits, what runs, last published month."""
    instance = instance_of(context)
    with runs.opened(instance) as url:
        runs.reap()
        content = _state(instance, url, today()) | {"runs": runs.at_work()}
    if as_json:
        print_json(content)
        return
    print_rows(content["sources"], as_json=False)
    console.print(f"Waiting in {instance.landing}: {content['waiting']} file(s)")
    for run in content["runs"]:
        console.print(f"At work: {run['job']} {run['month']} ({run['state']}, run {run['run_id']})")
    console.print(f"Last published month: {content['last_published_month'] or 'none'}")
    for alarm in content["alarms"]:
        console.print(f"! {alarm}", style="yellow")


def doctor(context: typer.Context) -> None:
    """One JSON line and an exit code for a watchdog: 0 all is well, 1 something needs a person."""
    instance = instance_of(context)
    try:
        with runs.opened(instance) as url:
            alarms = _state(instance, url, today())["alarms"]
    except (psycopg.Error, OSError, RuntimeError) as error:
        alarms = [f"database: {error}"]
    sys.stdout.write(json.dumps({"ok": not alarms, "alarms": alarms}, ensure_ascii=False) + "\n")
    if alarms:
        raise Refused("; ".join(alarms))


def psql(
    context: typer.Context, arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to psql.")] = None
) -> None:
    """psql on the instance, read-only, as the national reader."""
    instance = instance_of(context)
    with runs.opened(instance):
        program = shutil.which("psql", path=f"{find_binaries()}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            raise Refused("psql was not found beside the PostgreSQL binaries")
        reader = f"-c role={READER_ROLE} -c default_transaction_read_only=on -c search_path=published"
        done = subprocess.run([program, *(arguments or [])], env={**os.environ, "PGOPTIONS": reader}, check=False)
    raise typer.Exit(done.returncode)


def _state(instance: Instance, url: str, day: date) -> dict[str, Any]:
    contracts = load_contracts()
    with connect(url) as connection:
        last: dict[str, date] = dict(
            connection.execute(
                "select source, max(received_on) from ingest.delivery "
                "where status in ('loaded', 'identical') and not is_partial group by source"
            ).fetchall()
        )
        published = connection.execute("select max(month) from publication.month where status = 'published'").fetchone()
        refused = connection.execute("select count(*) from ingest.delivery where status = 'refused'").fetchone()
        stopped = connection.execute(_STOPPED).fetchall()
    sources = [
        {
            "source": name,
            "last_delivery": last.get(name),
            "age_days": (day - last[name]).days if name in last else None,
            "max_age_days": contract.max_age_days,
            "late": (day - last[name]).days > contract.max_age_days if name in last else not contract.optional,
        }
        for name, contract in contracts.items()
    ]
    waiting = len(landing.deliveries_in([instance.landing]))
    free = shutil.disk_usage(instance.home).free
    alarms = [
        f"source {item['source']}: last delivery {item['last_delivery'] or 'never'}" for item in sources if item["late"]
    ]
    alarms += [f"source {source}: delivery {number} {why}" for source, number, why in stopped]
    alarms += [f"landing: {path.name} waits for the day of its folder" for path in landing.to_come(instance, day)]
    alarms += [f"landing: {path.name} lies outside a folder named YYYY-MM-DD" for path in landing.undated(instance)]
    alarms += collection.alarms(instance, collection.now())
    alarms += digests.alarms(instance, collection.now())
    listed, ended = published[0] if published else None, shift(day.replace(day=1), -1)
    if listed and listed < ended and day.day > 1:  # the schedule publishes on the first
        alarms.append(f"list of {ended:%Y-%m}: not published, the last one is that of {listed:%Y-%m}")
    if free < MIN_FREE_BYTES:
        alarms.append(f"disk: {free / 1024**3:.1f} GiB free under {instance.home}")
    return {
        "sources": sources,
        "waiting": waiting,
        "refused_deliveries": refused[0] if refused else 0,
        "last_published_month": f"{listed:%Y-%m}" if listed else None,
        "free_bytes": free,
        "alarms": alarms,
    }


def _watch(instance: Instance, children: list[subprocess.Popen[bytes]]) -> None:
    """Until interrupted: restart the embedded server after a crash; stop when one of Dagster's processes has died."""
    embedded = (instance.server.folder / "data").exists()
    while True:
        time.sleep(LOOK_SECONDS)
        if embedded and not instance.server.answers():
            console.print("PostgreSQL does not answer; starting it again", style="yellow")
            instance.server.start()
        for child in children:
            if child.poll() is not None:
                raise RuntimeError(
                    f"a Dagster process ended with code {child.returncode}; see {instance.home / 'dagster.log'}"
                )


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask each process group to end, then make it: Dagster's code servers outlive a plain interrupt."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        for child in children:
            try:
                os.killpg(child.pid, sign)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + GRACE_SECONDS
        while sign == signal.SIGINT and time.monotonic() < deadline and any(child.poll() is None for child in children):
            time.sleep(0.2)
    for child in children:
        child.wait()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _usable(port: int) -> int:
    """The port, or a free one when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
