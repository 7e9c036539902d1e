"""`vigie up`: the UI answers, a delivery that lands is taken by the sensor, and Ctrl-C leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from vigie_command import Vigie

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def wait_for(condition: Callable[[], object], seconds: float) -> object:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(1)
    return found


def test_the_ui_answers_the_sensor_works_and_nothing_is_left_running(embedded: None, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIGIE", "PG", "DAGSTER"))}
    log = tmp_path / "up.log"
    with log.open("w") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "--home", str(home), "up"],
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        url = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text()), 120)
        assert isinstance(url, re.Match)
        wait_for(lambda: _answers(url.group()), 120)
        landing = home / "landing" / "2026-02-09"
        landing.mkdir(parents=True)
        fixture = Path(__file__).parent.parent / "fixtures" / "bodacc__annonce.csv"
        (landing / "bodacc_annonces_202602.csv").write_bytes(fixture.read_bytes())
        taken = home / "archive" / "2026-02-09" / "bodacc_annonces_202602.csv"
        wait_for(taken.exists, 300)
        family = [up.pid, *(child.pid for child in psutil.Process(up.pid).children(recursive=True))]
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(timeout=90)
    assert code == 0
    assert [
        pid for pid in family if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ] == []
    assert Vigie(home).json("delivery", "list")[0]["status"] == "loaded"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310
            return bool(page.status == 200)
    except OSError:
        return False
