"""Connectors at work in an instance: their sensors, the run that they ask for, the command."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from expectations.contract import load_contracts
from ingestion.connectors.faults import ConnectorError, PeerFault
from orchestration import automation, collection, landing
from orchestration.cli.application import app
from orchestration.cli.console import Refused
from orchestration.instance import Instance
from orchestration.resources import Vigie

NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # the 3rd of March in France
MINUTE = timedelta(minutes=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """An instance with two connectors: a folder, and another that is not there."""
    (tmp_path / "depot").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "connectors.yml").write_text(
        f"connectors:\n"
        f"  depot: {{kind: local, path: {tmp_path / 'depot'}, every_minutes: 2}}\n"
        f"  absent: {{kind: local, path: {tmp_path / 'absent'}}}\n"
    )
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(collection, "now", lambda: NOW)
    return Instance(tmp_path / "home")


@pytest.fixture
def working(home: Instance, vigie_url: str, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """That instance with its database."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", vigie_url)
    return home


def sensor(name: str) -> dg.SensorDefinition:
    """The sensor of one connector, as the definitions would hold it."""
    return next(item for item in automation.connector_sensors() if item.name == f"connecteur_{name}")


def tick(name: str, cursor: str | None = None) -> tuple[list[dg.RunRequest], list[str], str | None]:
    """One evaluation: what it asks for, why it skips, its next cursor."""
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        context = dg.build_sensor_context(dagster_instance, cursor=cursor)
        results = list(sensor(name)(context))
        skips = [item.skip_message or "" for item in results if isinstance(item, dg.SkipReason)]
        return [item for item in results if isinstance(item, dg.RunRequest)], skips, context.cursor


def run(request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """The run that a sensor asked for."""
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        return automation.collect_job.execute_in_process(
            run_config=request.run_config,
            instance=dagster_instance,
            resources={"vigie": Vigie()},
            raise_on_error=False,
        )


def test_there_is_one_sensor_for_each_connector_at_its_own_pace(home: Instance) -> None:
    found = {item.name: item.minimum_interval_seconds for item in automation.connector_sensors()}
    assert found == {"connecteur_absent": 300, "connecteur_depot": 120}


def test_no_instance_no_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions load in an empty environment."""
    monkeypatch.delenv("VIGIE_HOME", raising=False)
    assert automation.connector_sensors() == []


def test_settings_that_cannot_be_read_fail_one_sensor_and_leave_the_rest(home: Instance) -> None:
    """A typing mistake in one file must not take the whole workspace down."""
    (home.home / "connectors.yml").write_text("connectors:\n  depot:\n    kind: local\n    pth: /x\n")
    (broken,) = automation.connector_sensors()
    with dg.DagsterInstance.ephemeral() as dagster_instance, pytest.raises(ConnectorError, match="ligne 4"):
        broken(dg.build_sensor_context(dagster_instance))


def test_a_file_goes_from_the_base_to_its_contract(working: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look, look again, ask, take, and the road of every delivery takes over; then there is nothing new."""
    drop = working.home.parent / "depot"
    (drop / "altares_paydex.csv").write_text("SIREN;DATE_VALEUR;NB_JOURS\n")
    asked, skips, cursor = tick("depot")
    assert asked == []
    assert "altares_paydex.csv : taille et date à revoir" in skips[0]
    monkeypatch.setattr(collection, "now", lambda: NOW + 2 * MINUTE)
    (request,), _, cursor = tick("depot", cursor)
    assert run(request).success
    (waiting,) = landing.waiting(working, load_contracts(), date(2026, 3, 3))
    assert (waiting.source, waiting.received_on) == ("altares__paydex", date(2026, 3, 3))
    asked, skips, _ = tick("depot", cursor)
    assert (asked, skips) == ([], ["rien de nouveau"])
    with pytest.raises(PeerFault, match="n'existe pas"):
        tick("absent")


def test_a_run_that_cannot_take_everything_fails_with_the_reason_and_keeps_what_it_took(working: Instance) -> None:
    drop = working.home.parent / "depot"
    (working.home / "connectors.yml").write_text(
        f"connectors: {{depot: {{kind: local, path: {drop}, companion: .sha256}}}}\n"
    )
    for name in ("paydex_a.csv", "paydex_b.csv"):
        (drop / name).write_text("")
    (drop / "paydex_a.csv.sha256").write_text("half a dige")
    (drop / "paydex_b.csv.sha256").write_text("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    (request,), _, _ = tick("depot")
    result = run(request)
    assert not result.success
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    assert "paydex_a.csv.sha256 : empreinte illisible" in str(failure.step_failure_data.error)
    assert [path.name for path in landing.deliveries_in([working.landing])] == ["paydex_b.csv"]


def test_what_could_not_be_taken_is_asked_for_again_after_longer_and_longer_waits() -> None:
    """A base that is broken for a night must not make a failed run each minute, nor be forgotten."""
    cursor, asked = None, []
    for minute in range(600):
        again, cursor = automation.due(["debits.csv 8"], cursor, NOW + minute * MINUTE)
        asked += [minute] * again
    assert asked == [0, 5, 15, 35, 75, 155, 315]
    again, cursor = automation.due(["debits.csv 9"], cursor, NOW + 600 * MINUTE)
    assert again, "something new is asked for at once"
    again, cursor = automation.due([], cursor, NOW + 601 * MINUTE)
    assert not again
    assert automation.due(["debits.csv 9"], cursor, NOW + 602 * MINUTE)[0]


def test_the_command_lists_checks_and_fetches(working: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def vigie(*arguments: str) -> tuple[list[dict[str, object]], str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.ExitStack() as stack:
            refusal = stack.enter_context(pytest.raises(Refused)) if "depot" not in arguments else None
            app(["--home", str(working.home), "connector", *arguments, "--json"], standalone_mode=False)
        return json.loads(output.getvalue()), str(refusal.value) if refusal else ""

    moments = iter([NOW, NOW, NOW + MINUTE, *[NOW + 9 * MINUTE] * 9])
    monkeypatch.setattr(collection, "now", lambda: next(moments))
    slept: list[float] = []
    monkeypatch.setattr("orchestration.cli.connectors.time", SimpleNamespace(sleep=slept.append))
    (working.home.parent / "depot" / "paydex.csv").write_text("x")
    checked, _ = vigie("check", "depot")
    assert [(row["state"], row["name"]) for row in checked] == [("waiting", "paydex.csv")]
    fetched, _ = vigie("fetch", "depot")
    assert [(row["connector"], row["name"], row["bytes"]) for row in fetched] == [("depot", "paydex.csv", 1)]
    assert slept == [60]
    checked, reason = vigie("check")
    assert {row["connector"]: row["state"] for row in checked} == {"absent": "unreachable", "depot": "reachable"}
    assert "absent : le dossier" in reason
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        app(["--home", str(working.home), "connector", "list", "--json"], standalone_mode=False)
    assert [(row["connector"], row["taken"]) for row in json.loads(output.getvalue())] == [("absent", 0), ("depot", 1)]


def test_a_base_that_nobody_reaches_is_an_alarm(working: Instance) -> None:
    """A failed tick is seen by who looks at the UI; the watchdog must know by itself."""
    collection.look(working, "depot", collection.connectors(working)["depot"], NOW)
    assert collection.alarms(working, NOW + timedelta(hours=24)) == ["connector absent: base last reached never"]
    assert len(collection.alarms(working, NOW + timedelta(hours=25))) == 2
    (working.home / "connectors.yml").write_text("connectors: 3\n")
    (alarm,) = collection.alarms(working, NOW)
    assert "ligne 1" in alarm
