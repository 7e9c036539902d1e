"""The whole demonstration: seconds and peak memory of each stage, from outside the process that runs it.

Memory is sampled over the process and the embedded server (proportional set size, so that PostgreSQL's shared memory counts
once); a stage's peak is the highest sample between the start and the end of its Dagster steps.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.25
#: Stage of a step, by the start of its name, in the order in which the table shows them.
STAGES = {
    "ingest__landing": "ingestion",
    "raw__": "ingestion",
    "build_features": "features (dbt, gate)",
    "ml__model": "training",
    "score_months": "scoring (and gate)",
    "build_candidate": "candidate (dbt, gate)",
    "publication__month": "publication",
    "reports__": "reports",
}


@dataclass
class Stage:
    """Seconds spent, and the intervals in which the stage ran (epoch seconds)."""

    seconds: float = 0.0
    intervals: list[tuple[float, float]] = field(default_factory=list)


def measure(companies: int) -> str:
    """Run the demonstration once in a new home; a Markdown table of its stages."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        home = Path(folder)
        command = [
            sys.executable,
            "-m",
            "orchestration.cli",
            "--home",
            str(home),
            "demo",
            "--companies",
            str(companies),
            "--json",
        ]
        samples: list[tuple[float, int]] = []
        started = time.time()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        watcher = threading.Thread(target=_sample, args=(process, home, samples), daemon=True)
        watcher.start()
        output, _ = process.communicate()
        total = time.time() - started
        if process.returncode != 0:
            raise RuntimeError(f"the demonstration ended with code {process.returncode}")
        watcher.join()
        return _table(json.loads(output), _stages(home), samples, total)


def _sample(process: subprocess.Popen[str], home: Path, samples: list[tuple[float, int]]) -> None:
    while process.poll() is None:
        samples.append((time.time(), sum(_memory(_processes(process.pid, home)))))
        time.sleep(SAMPLE_SECONDS)


def _processes(pid: int, home: Path) -> Iterable[psutil.Process]:
    for root in (pid, _server_pid(home)):
        with contextlib.suppress(psutil.Error, TypeError, ValueError):  # a server that starts writes a negative number
            parent = psutil.Process(root)
            yield from [parent, *parent.children(recursive=True)]


def _memory(processes: Iterable[psutil.Process]) -> Iterable[int]:
    for process in {item.pid: item for item in processes}.values():
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            yield getattr(full, "pss", full.rss)


def _server_pid(home: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    return None


def _stages(home: Path) -> dict[str, Stage]:
    import dagster as dg

    from orchestration.instance import Instance
    from orchestration.runs import opened

    stages: dict[str, Stage] = {}
    with opened(Instance(home)), dg.DagsterInstance.get() as instance:
        for run in instance.get_runs():
            for step in instance.get_run_step_stats(run.run_id):
                name = next((stage for start, stage in STAGES.items() if step.step_key.startswith(start)), None)
                if name and step.start_time and step.end_time:
                    stage = stages.setdefault(name, Stage())
                    stage.seconds += step.end_time - step.start_time
                    stage.intervals.append((step.start_time, step.end_time))
    return stages


def _table(summary: dict[str, object], stages: dict[str, Stage], samples: list[tuple[float, int]], total: float) -> str:
    lines = ["| stage | seconds | peak memory (MB) |", "|---|---:|---:|"]
    simulated = float(summary["seconds"]["simulation"])  # type: ignore[index]
    lines.append(f"| simulation | {simulated:.1f} | |")
    for name in dict.fromkeys(STAGES.values()):
        if (stage := stages.get(name)) is not None:
            inside = [size for at, size in samples if any(a <= at <= b for a, b in stage.intervals)]
            peak = f"{max(inside) / 1e6:,.0f}" if inside else "< 1 sample"
            lines.append(f"| {name} | {stage.seconds:.1f} | {peak} |")
    counted = simulated + sum(stage.seconds for stage in stages.values())
    lines.append(f"| start of server, Dagster and libraries | {total - counted:.1f} | |")
    lines.append(f"| **whole demonstration** | **{total:.1f}** | **{max(size for _, size in samples) / 1e6:,.0f}** |")
    rows = sum(item["lines"] for item in summary["deliveries"])  # type: ignore[attr-defined]
    return "\n".join(
        [f"Demonstration: {rows:,} lines delivered, {summary['months_published']} months published.\n", *lines, ""]
    )
