"""What the outcome of a run means for the runs that come after it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from orchestration import publication, runs
from orchestration.assets.publication import published_months
from orchestration.assets.scoring import models
from orchestration.cli.console import require
from orchestration.instance import HOME_VARIABLE, URL_VARIABLE, Instance
from orchestration.months import months_between, shift
from orchestration.resources import Vigie
from orchestration.runs import Outcome

OCTOBER, NOVEMBER, DECEMBER = date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1)
Asked = list[tuple[str, date, date]]


@pytest.fixture
def asked(vigie_url: str, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The jobs that are asked for, which all succeed, on an instance whose mart goes from July to October."""
    jobs: Asked = []

    def run_job(job: str, first: date, last: date, **_: object) -> Outcome:
        jobs.append((job, first, last))
        return Outcome("run", job, True, False, (), warnings=(f"dit par {job}",) if job == "mensuel" else ())

    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    monkeypatch.setattr(runs, "run_job", run_job)
    monkeypatch.setattr(runs, "reap", lambda: 0)
    with psycopg.connect(vigie_url) as connection:
        connection.execute(
            "create table marts.mart_company_month as select cast(m as date) as month "
            "from generate_series(date '2025-07-01', date '2025-10-01', interval '1 month') as m;"
            "grant select on marts.mart_company_month to vigie_scoring"
        )
    return jobs


@pytest.mark.parametrize(
    ("causes", "too_young"),
    [
        ({"NotEnoughHistory"}, True),
        ({"DagsterAssetCheckFailedError"}, False),
        ({"NotEnoughHistory", "DagsterAssetCheckFailedError"}, False),
        (set(), False),
    ],
)
def test_only_a_past_that_is_too_short_is_gone_without(causes: set[str], too_young: bool) -> None:
    """A history that a gate refused was dropped in silence, and the month was published without it."""
    assert Outcome("run", "historique", False, True, ("raison",), frozenset(causes)).too_young is too_young


def test_a_list_that_was_taken_back_is_not_published_by_the_run_of_the_next_month(
    vigie_url: str, candidate: Callable[..., None], asked: Asked, tmp_path: Path
) -> None:
    """It was withdrawn for being wrong: December published it again, and nobody was told."""
    for month in (OCTOBER, NOVEMBER):
        candidate(month, {"052000001": ("21", "Alerte seuil F1")})
        publication.publish(vigie_url, [month], simulation=True, run_id=None)
    publication.rollback(vigie_url, NOVEMBER)
    outcome = runs.run_month(Instance(tmp_path), DECEMBER)
    assert [job for job, *_ in asked] == ["ingestion", "features", "mensuel"]
    warning, told_by_the_month = outcome.warnings
    assert told_by_the_month == "dit par mensuel"
    assert "La liste de 2025-11 a été retirée" in warning
    assert "vigie run --month 2025-11" in warning
    asked.clear()
    assert runs.run_month(Instance(tmp_path), NOVEMBER).warnings == ("dit par mensuel",)
    assert asked == [("mensuel", NOVEMBER, NOVEMBER)]


def test_the_months_around_a_list_that_was_taken_back_are_made(
    vigie_url: str, candidate: Callable[..., None], asked: Asked, tmp_path: Path
) -> None:
    september = shift(OCTOBER, -1)
    candidate(september, {"052000001": ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [september], simulation=True, run_id=None)
    publication.rollback(vigie_url, september)
    runs.run_month(Instance(tmp_path), DECEMBER)
    lists = [month for job, first, last in asked if job == "historique" for month in months_between(first, last)]
    assert lists == [date(2025, 7, 1), date(2025, 8, 1), OCTOBER, NOVEMBER]


@pytest.fixture
def november_without_a_list(vigie_url: str, candidate: Callable[..., None], asked: Asked) -> Asked:
    """October is published; November was built and no list came of it."""
    candidate(OCTOBER, {"052000001": ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [OCTOBER], simulation=True, run_id=None)
    with psycopg.connect(vigie_url) as connection:
        connection.execute("insert into marts.mart_company_month values (date '2025-11-01')")
    return asked


def test_a_month_that_was_refused_is_computed_again_before_it_is_listed(
    november_without_a_list: Asked, tmp_path: Path
) -> None:
    """What the gate of the mart had refused was there: the next month's run scored and published it as it was."""
    assert runs.run_month(Instance(tmp_path), DECEMBER).warnings == ("dit par mensuel",)
    assert november_without_a_list == [
        ("ingestion", DECEMBER, DECEMBER), ("features", NOVEMBER, NOVEMBER), ("historique", NOVEMBER, NOVEMBER),
        ("mensuel", DECEMBER, DECEMBER),
    ]  # fmt: skip


@pytest.mark.parametrize("refused", ["features", "historique"])
def test_a_past_month_that_stays_refused_is_told_and_gone_without(
    november_without_a_list: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Else a file that cannot be had any more stops every month to come."""

    def run_job(job: str, first: date, last: date, **_: object) -> Outcome:
        november_without_a_list.append((job, first, last))
        return Outcome("run", job, job != refused, job == refused, ("le mart",) if job == refused else ())

    monkeypatch.setattr(runs, "run_job", run_job)
    outcome = runs.run_month(Instance(tmp_path), DECEMBER)
    assert outcome.success
    assert outcome.job == "mensuel"
    assert outcome.warnings == (
        "La liste de 2025-11 n’est pas établie, et 2025-12 se compare à la liste d’avant. le mart",
    )
    assert november_without_a_list[-1] == ("mensuel", DECEMBER, DECEMBER)
    assert ("historique", NOVEMBER, NOVEMBER) in november_without_a_list or refused == "features"


def test_a_past_month_that_fails_by_our_fault_stops_the_run(
    november_without_a_list: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        runs, "run_job", lambda job, *_, **__: Outcome("run", job, job == "ingestion", False, ("KeyError",))
    )
    outcome = runs.run_month(Instance(tmp_path), DECEMBER)
    assert (outcome.job, outcome.success) == ("features", False)


def test_no_model_is_chosen_for_a_month_whose_mart_the_gate_refuses(
    vigie_url: str, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocking check blocks its own run only: materialized alone, or by the run of another month, scores came of what it refused."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    result = dg.materialize(
        [models], partition_key=f"{OCTOBER:%Y-%m-%d}", resources={"vigie": Vigie()}, raise_on_error=False
    )
    outcome = runs._outcome("historique", result)
    assert (outcome.refused, outcome.causes) == (True, {"MartRefused"})
    assert "Contrôle « mart_company_month » REFUSÉ" in outcome.reasons[0]


def test_a_past_that_the_gate_refused_is_built_again_before_the_first_list(
    vigie_url: str, asked: Asked, tmp_path: Path
) -> None:
    """What was corrected since never came into the mart, and every run was refused for what had been wrong."""
    with psycopg.connect(vigie_url) as connection:
        connection.execute("insert into marts.mart_company_month values (date '2025-11-01')")
    runs.run_month(Instance(tmp_path), DECEMBER)
    first = date(2025, 7, 1)
    assert asked[1:] == [
        ("features", first, NOVEMBER), ("historique", first, NOVEMBER), ("mensuel", DECEMBER, DECEMBER)
    ]  # fmt: skip


def test_a_past_is_built_under_a_month_that_came_before_it(vigie_url: str, asked: Asked, tmp_path: Path) -> None:
    """On a new instance the schedule had built its month alone: the past was never built, and every run found too little of it."""
    with psycopg.connect(vigie_url) as connection:
        connection.execute(
            "insert into raw.urssaf__effectif_ent (siren, periode, effectif, _delivery_id, _line, _known_from) "
            "values ('052000001', '2025-03-01', 12, 1, 1, '2025-04-11')"
        )
    runs.run_month(Instance(tmp_path), DECEMBER)
    april = date(2025, 4, 1)
    assert asked[1:] == [
        ("features", april, NOVEMBER), ("historique", april, NOVEMBER), ("mensuel", DECEMBER, DECEMBER)
    ]  # fmt: skip


def test_a_list_published_under_later_ones_says_which_to_publish_again(
    vigie_url: str, candidate: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """November came after a correction: December, which nobody computed again, announced the same company as new."""
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))

    def publish(month: date) -> Outcome:
        result = dg.materialize([published_months], partition_key=f"{month:%Y-%m-%d}", resources={"vigie": Vigie()})
        return runs._outcome("historique", result)

    for month in (DECEMBER, NOVEMBER):
        candidate(month, {"052000001": ("21", "Alerte seuil F1")})
    assert publish(DECEMBER).warnings == ()
    late = publish(NOVEMBER)
    assert late.success
    (warning,) = late.warnings
    assert "celle de 2025-11 que les lecteurs voient" in warning
    assert warning.endswith("dans cet ordre : vigie publish --month 2025-12.")


def test_a_run_that_somebody_stops_is_an_interruption_and_no_fault_of_ours() -> None:
    """Dagster makes the failure of a step of it: Ctrl-C was answered by a traceback and the code of a fault."""

    @dg.asset
    def stopped() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)

    result = dg.materialize([stopped], raise_on_error=False)
    outcome = runs._outcome("mensuel", result)
    assert outcome.interrupted
    with pytest.raises(KeyboardInterrupt):
        require(outcome)


def test_two_runs_of_one_instance_follow_each_other(
    tmp_path: Path, vigie_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started together, one removed the table with which the other compared, and could have published its candidate."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    events: list[str] = []

    def job(name: str, started: threading.Event) -> Callable[[], None]:
        @dg.asset(name=name)
        def work(vigie: Vigie) -> None:
            events.append(f"{name} begins")
            started.set()
            time.sleep(1)
            events.append(f"{name} ends")

        return lambda: events.append(str(dg.materialize([work], resources={"vigie": Vigie()}).success))

    first_started = threading.Event()
    first = threading.Thread(target=job("first", first_started))
    first.start()
    assert first_started.wait(30)
    job("second", threading.Event())()
    first.join()
    assert [event for event in events if event != "True"] == [
        "first begins",
        "first ends",
        "second begins",
        "second ends",
    ]
    assert events.count("True") == 2


def test_a_run_whose_process_is_gone_is_told_failed_whoever_started_it(
    tmp_path: Path, vigie_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the runs of commands said who works on them: after a reboot, one of the daemon held its place for four hours."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(URL_VARIABLE, vigie_url)

    @dg.asset
    def work(vigie: Vigie) -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(instance))
        done = dg.materialize([work], resources={"vigie": Vigie()}, instance=instance)
        mine = instance.get_run_by_id(done.run_id).tags[runs.PROCESS_TAG]  # type: ignore[union-attr]
        assert mine == runs.process_of(os.getpid())
        # Still at work; gone; gone, and its number is now another's.
        for worker in (mine, "999999999 1.00", f"{os.getpid()} 1.00"):
            instance.add_run(dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED, tags={runs.PROCESS_TAG: worker}))
        assert runs.reap() == 2
        left = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        assert [run.tags[runs.PROCESS_TAG] for run in left] == [mine]
        (told,) = runs.at_work()
        assert (told["job"], told["state"]) == ("job", "started")
