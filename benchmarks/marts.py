"""The marts at three sizes: `python -m benchmarks.marts` (or `make bench-marts`).

Measured from outside, in one run: a full build, the month after it, 24 months again, half the history, growth with the number of
companies, and Polars computing the same columns of the same rows and copying them into a table. CPU counts this process and the
server's. Data tests are part of what is measured, as in a monthly run; reading files, gates and models are not.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import psutil
import psycopg

from benchmarks import marts_baseline, marts_region
from orchestration import dbt
from orchestration.instance import Instance
from orchestration.months import shift
from orchestration.runs import opened

FIRST = date(2010, 1, 1)
MONTHS = 120
#: Of builds of a few seconds: the median, the first one inserting and the others replacing.
REPEATS = 3
#: Beyond, a full build (in ranges, for the disk) and a month only: the other columns would take hours.
WHOLE = 50_000
RANGE_MONTHS = 24
#: The national sizes, in company-months, that the measured growth is carried to.
NATIONAL = {"350,000 × 120": 350_000, "5 million × 120": 5_000_000}


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, CPU seconds of this process and the server, highest memory (bytes, shared counted once)."""

    wall: float
    cpu: float
    memory: int


def measure(companies: int) -> dict[str, Cost]:
    """Costs of each build for one size, by name; of the full build and of a month alone beyond WHOLE companies."""
    costs: dict[str, Cost] = {}
    with _region(companies, MONTHS + 1) as (instance, server):
        last = shift(FIRST, MONTHS - 1)
        costs["nobody"] = _median(server, lambda: _build(instance, shift(FIRST, -59), shift(FIRST, -59)))
        step = MONTHS if companies <= WHOLE else RANGE_MONTHS
        costs["full"] = _timed(server, lambda: _build_in_ranges(instance, step))
        _settle(instance.database_url)
        costs["month"] = _median(server, lambda: _build(instance, shift(last, 1), shift(last, 1)))
        if companies > WHOLE:
            return costs
        costs["24 months"] = _timed(server, lambda: _build(instance, shift(last, -22), shift(last, 1)))
        costs["polars"] = _timed(server, lambda: marts_baseline.build(instance.database_url, FIRST, last))
        differing = marts_baseline.differing_cells(instance.database_url)
        if differing:
            raise RuntimeError(f"Polars and the mart differ, cells by column: {differing}")
    with _region(companies, MONTHS // 2 + 1) as (instance, server):
        last = shift(FIRST, MONTHS // 2 - 1)
        _build(instance, FIRST, last)
        _settle(instance.database_url)
        costs["month after 60"] = _median(server, lambda: _build(instance, shift(last, 1), shift(last, 1)))
    return costs


@contextmanager
def _region(companies: int, months: int) -> Iterator[tuple[Instance, psutil.Process]]:
    """An instance whose raw tables hold a region; it goes with its gigabytes when it has been measured."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        instance = Instance(Path(folder))
        with opened(instance) as url:
            marts_region.fill(url, companies, months, FIRST)
            # dbt parses its project, and makes seeds and views, once for an instance: not the cost of a month. Nobody is there so early.
            _build(instance, shift(FIRST, -60), shift(FIRST, -60))
            yield instance, _server(url)


def _build(instance: Instance, first: date, last: date) -> None:
    dbt.build(
        instance, tag="features", variables={"month_start": f"{first}", "month_end": f"{last}", "simulation": True}
    )


def _build_in_ranges(instance: Instance, step: int) -> None:
    """The MONTHS from FIRST, `step` at a time: what lies between two tables takes the place of one range, not of ten years."""
    for months in range(0, MONTHS, step):
        _build(instance, shift(FIRST, months), shift(FIRST, months + step - 1))


def _settle(url: str) -> None:
    """What the server does by itself in the weeks between two runs: its housekeeping after a full build is not the cost of a month."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def _server(url: str) -> psutil.Process:
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        backend = psutil.Process(row[0])
        parent = backend.parent()
    assert parent is not None
    return parent


def _timed(server: psutil.Process, work: Callable[[], object]) -> Cost:
    stop, peak = threading.Event(), [0]
    watcher = threading.Thread(target=_watch, args=(server, stop, peak), daemon=True)
    watcher.start()
    wall, cpu = time.perf_counter(), _cpu(server)
    work()
    cost = Cost(time.perf_counter() - wall, _cpu(server) - cpu, peak[0])
    stop.set()
    watcher.join()
    return cost


def _median(server: psutil.Process, work: Callable[[], object]) -> Cost:
    costs = [_timed(server, work) for _ in range(REPEATS)]
    return Cost(median(c.wall for c in costs), median(c.cpu for c in costs), max(c.memory for c in costs))


def _cpu(server: psutil.Process) -> float:
    """CPU seconds so far: this process, and the server with its sessions, ended ones included."""
    mine, spent = psutil.Process().cpu_times(), server.cpu_times()
    total = mine.user + mine.system + spent.user + spent.system + spent.children_user + spent.children_system
    for session in server.children(recursive=True):
        try:
            times = session.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return float(total)


def _watch(server: psutil.Process, stop: threading.Event, peak: list[int]) -> None:
    while not stop.wait(0.5):
        total = 0
        for process in [psutil.Process(), server, *server.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except (psutil.Error, AttributeError):
                continue
        peak[0] = max(peak[0], total)


def table(results: dict[int, dict[str, Cost]]) -> str:
    """The figures beside their goals, one column for each size, then growth and what it gives nationally."""
    sizes = sorted(results)
    lines = [
        "| marts, 120 months | goal | " + " | ".join(f"{size:,} companies" for size in sizes) + " |",
        "|---|---|" + "---:|" * len(sizes),
    ]
    rows: list[tuple[str, str, Callable[[dict[str, Cost]], str]]] = [
        ("full build, wall s (CPU s)", "", lambda c: f"{c['full'].wall:.1f} ({c['full'].cpu:.1f})"),
        ("one month, wall s (CPU s)", "", lambda c: f"{c['month'].wall:.1f} ({c['month'].cpu:.1f})"),
        ("a month without companies", "", lambda c: f"{c['nobody'].wall:.1f} ({c['nobody'].cpu:.1f})"),
        ("one month ÷ full, wall", "≤ 1/20", lambda c: f"1/{c['full'].wall / c['month'].wall:.1f}"),
        ("one month ÷ full, CPU", "≤ 1/15", lambda c: f"1/{c['full'].cpu / c['month'].cpu:.1f}"),
        (
            "one month after 120 ÷ after 60, CPU",
            "≤ 1.15",
            lambda c: f"{c['month'].cpu / c['month after 60'].cpu:.2f}",
        ),
        ("24 months again ÷ full, wall", "≤ 1/4", lambda c: f"1/{c['full'].wall / c['24 months'].wall:.1f}"),
        (
            "full ÷ Polars with COPY (all columns), wall (CPU)",
            "≤ 1.5",
            lambda c: f"{c['full'].wall / c['polars'].wall:.1f} ({c['full'].cpu / c['polars'].cpu:.1f})",
        ),
        (
            "peak memory of the builds, GB",
            "≤ 4",
            lambda c: f"{max(c[name].memory for name in ('full', 'month', '24 months') if name in c) / 1e9:.1f}",
        ),
    ]
    lines += [
        f"| {name} | {goal} | " + " | ".join(_shown(show, results[size]) for size in sizes) + " |"
        for name, goal, show in rows
    ]
    return "\n".join([*lines, "", *_growth(results), ""])


def _shown(show: Callable[[dict[str, Cost]], str], costs: dict[str, Cost]) -> str:
    try:
        return show(costs)
    except KeyError:
        return "not run"


def _growth(results: dict[int, dict[str, Cost]]) -> list[str]:
    sizes = sorted(results)
    if len(sizes) < 2:
        return ["Growth needs two sizes (`--companies 10000 50000`)."]
    lines = [
        "| growth with companies (CPU) | goal | exponent | " + " | ".join(NATIONAL) + " |",
        "|---|---|---:|---:|---:|",
    ]
    small, large = sizes[-2:]
    for name in ("full", "month"):
        spent = results[small][name].cpu, results[large][name].cpu
        exponent = math.log(spent[1] / spent[0]) / math.log(large / small)
        hours = [f"{spent[1] * (size / large) ** exponent / 3600:.2f} h" for size in NATIONAL.values()]
        lines.append(f"| {name} | ≤ 1.15 | {exponent:.2f} | " + " | ".join(hours) + " |")
    return [*lines, "", "The last two columns are extrapolated from the exponent (CPU hours), not measured."]


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marts", description=__doc__)
    parser.add_argument(
        "--companies",
        type=int,
        nargs="+",
        default=[10_000],
        help="sizes; 50000 takes twenty minutes and 25 GB of disk, 200000 (a full build in ranges and a month) an hour and 65 GB",
    )
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at start\n")
    results: dict[int, dict[str, Cost]] = {}
    for size in options.companies:
        results[size] = measure(size)
        print(table(results), flush=True)


if __name__ == "__main__":
    main()
