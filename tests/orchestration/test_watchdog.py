"""`vigie doctor` and `vigie status`: what needs a person is told, whoever failed to tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from orchestration import publication
from orchestration.cli import operations
from orchestration.cli.application import app
from orchestration.cli.console import Refused

MONTH = date(2025, 11, 1)
A = "052000001"


@pytest.fixture
def home(vigie_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose database is there."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", vigie_url)
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), None),  # the schedule works that morning
        (date(2026, 1, 2), "2025-12"),
        (date(2026, 5, 2), "2026-04"),
    ],
)
def test_a_month_that_nobody_published_is_an_alarm(
    home: Path,
    vigie_url: str,
    candidate: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    day: date,
    due: str | None,
) -> None:
    """A run that its gate refused left every source fresh and nothing to say."""
    candidate(MONTH, {A: ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [MONTH], simulation=False, run_id=None)
    monkeypatch.setattr(operations, "today", lambda: day)
    with pytest.raises(Refused):  # no source was ever delivered here
        app(["--home", str(home), "doctor"], standalone_mode=False)
    told = [alarm for alarm in json.loads(capsys.readouterr().out)["alarms"] if alarm.startswith("list: ")]
    assert told == ([f"list: {due} is not published, the last one is 2025-11"] if due else [])


def test_an_instance_without_a_list_owes_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(operations, "today", lambda: date(2026, 1, 2))
    with pytest.raises(Refused):
        app(["--home", str(home), "doctor"], standalone_mode=False)
    assert "list: " not in capsys.readouterr().out
