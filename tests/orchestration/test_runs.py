"""What the outcome of a run means for the runs that come after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from orchestration import publication, runs
from orchestration.assets.publication import published_months
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
            "from generate_series(date '2025-07-01', date '2025-10-01', interval '1 month') as m"
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
    assert "avant celle de 2025-11" in warning
    assert warning.endswith("dans cet ordre : vigie publish --month 2025-12.")
