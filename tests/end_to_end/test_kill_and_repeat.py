"""Promises 2 and 6 the hard way: killed anywhere and resumed, or run elsewhere, the demonstration ends in the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from vigie_command import COMPANIES, HISTORY, MONTHS, Vigie

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
KILLS = 12


def command(home: Path) -> list[str]:
    return [
        sys.executable, "-m", "orchestration.cli", "--home", str(home), "demo", "--json", "--companies", str(COMPANIES),
        "--months", str(MONTHS), "--history", str(HISTORY),
    ]  # fmt: skip


def environment(**changes: str) -> dict[str, str]:
    ours = ("DATABASE_URL", "PG", "VIGIE", "DAGSTER")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | changes


def digests(summary: dict[str, Any]) -> dict[str, str]:
    return {month: item["content_sha256"] for month, item in summary["months"].items()}


def report_bytes(home: Path) -> dict[str, str]:
    root = home / "reports"
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.*")}


def test_another_time_zone_thread_count_and_hash_seed_give_the_same_bytes(
    demo: tuple[Vigie, dict[str, Any]], tmp_path: Path
) -> None:
    vigie, summary = demo
    home = tmp_path / "elsewhere"
    elsewhere = environment(
        TZ="Pacific/Auckland", OMP_NUM_THREADS="1", POLARS_MAX_THREADS="1", PYTHONHASHSEED="7", LC_ALL="C"
    )
    done = subprocess.run(command(home), env=elsewhere, capture_output=True, text=True, check=True)
    assert digests(json.loads(done.stdout)) == digests(summary)
    assert report_bytes(home) == report_bytes(vigie.home)


def test_a_demonstration_killed_again_and_again_ends_in_the_same_bytes(
    demo: tuple[Vigie, dict[str, Any]], tmp_path: Path
) -> None:
    vigie, summary = demo
    home = tmp_path / "killed"
    rng = random.Random(2)
    for _ in range(KILLS):
        process = subprocess.Popen(
            command(home), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(2, 60))
        server = home / "postgres" / "data" / "postmaster.pid"
        if rng.random() < 0.3 and server.exists():
            os.kill(int(server.read_text().splitlines()[0]), signal.SIGKILL)
        process.kill()
        process.wait()
    done = subprocess.run(command(home), env=environment(), capture_output=True, text=True, check=True)
    resumed = json.loads(done.stdout)
    assert digests(resumed) == digests(summary)
    assert report_bytes(home) == report_bytes(vigie.home)
    # A file whose load was committed just before the kill comes again, as identical: nothing more is loaded.
    assert [item["loaded"] for item in resumed["deliveries"]] == [item["loaded"] for item in summary["deliveries"]]
