"""The asset graph: addresses, gates, partitions, owners; and what runs by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from expectations.contract import load_contracts
from orchestration import collection, publication
from orchestration.automation import arrivals, monthly_publication
from orchestration.definitions import defs
from orchestration.instance import HOME_VARIABLE, PROJECT, URL_VARIABLE

GRAPH = defs.resolve_asset_graph()


def test_every_contract_has_its_asset_under_the_same_name() -> None:
    """An address is a name; a module that loses its assets silently must be noticed."""
    raw = {key.path[1] for key in GRAPH.materializable_asset_keys if key.path[0] == "raw"}
    assert raw == set(load_contracts())


def test_the_stages_are_all_there() -> None:
    keys = {"/".join(key.path) for key in GRAPH.materializable_asset_keys}
    assert {
        "ingest/landing", "staging/stg_urssaf__debit", "marts/mart_company_month", "marts/mart_outcome", "ml/model", "ml/score",
        "ml/explanation", "publication/candidate_detection", "publication/month", "reports/monthly",
    } <= keys  # fmt: skip
    assert {GRAPH.get(key).group_name for key in GRAPH.materializable_asset_keys} == {
        "ingestion",
        "features",
        "scoring",
        "publication",
    }


def test_a_blocking_gate_stands_at_each_border() -> None:
    gates = {
        (check.asset_key.path[0], check.name)
        for check in GRAPH.asset_check_keys
        if GRAPH.get_check_spec(check).blocking
    }
    assert {("raw", "contrat"), ("marts", "mart"), ("ml", "scores"), ("publication", "liste")} <= gates


def test_every_asset_has_an_owner_a_kind_and_a_description() -> None:
    bare = [
        key.to_user_string()
        for key in GRAPH.materializable_asset_keys
        if not (GRAPH.get(key).owners and GRAPH.get(key).kinds and (GRAPH.get(key).description or "").strip())
    ]
    assert bare == []


def test_freshness_comes_from_the_contracts() -> None:
    for name, contract in load_contracts().items():
        policy = GRAPH.get(dg.AssetKey(["raw", name])).freshness_policy
        assert isinstance(policy, dg.FreshnessPolicy)
        assert policy.fail_window.to_timedelta().days == contract.max_age_days  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tick", "month"),
    [(datetime(2026, 1, 1, 5, tzinfo=UTC), "2025-12-01"), (datetime(2026, 11, 1, 5, tzinfo=UTC), "2026-10-01")],
)
def test_the_schedule_asks_for_the_month_that_has_just_ended(
    tick: datetime, month: str, vigie_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    assert [request.partition_key for request in _asked_on(tick, tmp_path)] == [month]
    assert monthly_publication.execution_timezone == "Europe/Paris"


def test_the_schedule_first_asks_for_the_months_left_without_a_list(
    vigie_url: str, candidate: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a gate had refused stayed in the marts, and the next months read it as their past: nobody watches the schedule."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    for month in (date(2025, 8, 1), date(2025, 10, 1)):
        candidate(month, {"052000001": ("21", "Alerte seuil F1")})
        publication.publish(vigie_url, [month], simulation=True, run_id=None)
    publication.rollback(vigie_url, date(2025, 10, 1))
    tick = datetime(2026, 1, 1, 5, tzinfo=UTC)
    requests = _asked_on(tick, tmp_path)
    # October was taken back: only a person publishes it again.
    assert [request.partition_key for request in requests] == ["2025-09-01", "2025-11-01", "2025-12-01"]
    assert len({request.run_key for request in requests}) == 3
    with DagsterInstance.local_temp(str(tmp_path)) as dagster_instance:
        dagster_instance.create_run_for_job(
            defs.resolve_job_def("mensuel"),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "2025-09-01"},
        )
    assert [request.partition_key for request in _asked_on(tick, tmp_path)] == ["2025-11-01", "2025-12-01"]


def _asked_on(tick: datetime, dagster_home: Path) -> list[dg.RunRequest]:
    with (
        DagsterInstance.local_temp(str(dagster_home)) as instance,
        dg.build_schedule_context(instance, tick) as context,
    ):
        return list(monthly_publication(context))


def test_the_sensor_asks_once_for_a_delivery_that_has_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    delivery = tmp_path / "landing" / "2025-11-24" / "sigfaible_debits.csv"
    delivery.parent.mkdir(parents=True)
    delivery.write_text("header\n")
    first = dg.build_sensor_context()
    assert all(isinstance(item, dg.SkipReason) for item in arrivals(first))
    second = dg.build_sensor_context(cursor=first.cursor)
    (request,) = [item for item in arrivals(second) if isinstance(item, dg.RunRequest)]
    assert request.partition_key == "2025-11-01"
    third = dg.build_sensor_context(cursor=second.cursor)
    assert all(isinstance(item, dg.SkipReason) for item in arrivals(third))


def test_the_sensor_asks_again_for_a_delivery_that_a_failed_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of its run was used up: a database away for a minute left the file until the schedule of the next month."""
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    delivery = tmp_path / "landing" / "2025-11-24" / "sigfaible_debits.csv"
    delivery.parent.mkdir(parents=True)
    delivery.write_text("header\n")
    start, cursor, keys = datetime(2025, 11, 24, 8, tzinfo=UTC), None, {}
    with dg.DagsterInstance.ephemeral() as instance:
        at_work = dg.DagsterRun("ingestion", status=dg.DagsterRunStatus.STARTED)
        for minute in (0, 1, 2, 6, 7, 8, 16, 17):
            monkeypatch.setattr(collection, "now", lambda minute=minute: start + timedelta(minutes=minute))
            if minute == 6:
                instance.add_run(at_work)
            elif minute == 8:
                instance.report_run_failed(at_work)
            context = dg.build_sensor_context(instance=instance, cursor=cursor)
            keys |= {item.run_key: minute for item in arrivals(context) if isinstance(item, dg.RunRequest)}
            cursor = context.cursor
    assert list(keys.values()) == [1, 8]


def test_a_file_corrected_under_its_name_asks_for_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the run was made of names: a correction sent the same day under the same name waited for the next month."""
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    delivery = tmp_path / "landing" / "2025-11-24" / "sigfaible_debits.csv"
    delivery.parent.mkdir(parents=True)
    keys = []
    cursor = None
    for content in ("header\n1\n", "header\n2\n"):
        delivery.write_text(content)
        os.utime(delivery, (1_700_000_000 + len(keys), 1_700_000_000 + len(keys)))
        for _ in range(2):
            context = dg.build_sensor_context(cursor=cursor)
            keys += [item.run_key for item in arrivals(context) if isinstance(item, dg.RunRequest)]
            cursor = context.cursor
        delivery.unlink()
    assert len(set(keys)) == len(keys) == 2


@pytest.mark.parametrize(
    ("folder", "asked"), [("2099-01-01", ["2025-11-01"]), ("2009-05-04", ["2010-01-01", "2025-11-01"])]
)
def test_a_folder_dated_outside_the_months_stops_no_other_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, asked: list[str]
) -> None:
    """Dagster refuses every request of a tick when one names a month that is no partition: a mistyped year stopped all arrivals."""
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    for day in (folder, "2025-11-24"):
        (tmp_path / "landing" / day).mkdir(parents=True)
        (tmp_path / "landing" / day / "sigfaible_debits.csv").touch()
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        cursor = None
        for _ in range(2):
            context = dg.build_sensor_context(instance=dagster_instance, cursor=cursor, definitions=defs)
            tick = arrivals.evaluate_tick(context)
            cursor = tick.cursor
    assert [request.partition_key for request in tick.run_requests or []] == asked


def test_what_a_person_starts_or_reads_in_the_ui_is_described() -> None:
    repository = defs.get_repository_def()
    started = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    assert len(started) == 6
    for item in (*started, *repository.schedule_defs, *repository.sensor_defs):
        assert item.description, item.name
    assert [key for key in GRAPH.asset_check_keys if not GRAPH.get_check_spec(key).description] == []


def test_the_workspace_loads_with_an_empty_environment(tmp_path: Path) -> None:
    """Definitions must load without a database, a home, or any variable."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIGIE", "PG", "DATABASE", "DAGSTER"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(PROJECT / "workspace.yaml")],
        env=environment | {"DAGSTER_HOME": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_picture_of_the_architecture_is_the_one_of_the_definitions() -> None:
    sys.path.insert(0, str(PROJECT / "docs"))
    try:
        import picture
    finally:
        sys.path.pop(0)
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert page == picture.rewritten(page), "run `python docs/picture.py`"
