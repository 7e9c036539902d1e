r"""Loading files: Vigie against `psql \\copy` of the same bytes, in one run; goals and figures side by side.

The baseline copies the file as text into an unlogged table of text columns: it checks nothing, types nothing and keeps no
history. CPU is that of the client and of the server together.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.deliveries import write_debits, write_effectifs
from orchestration.instance import Instance
from orchestration.postgres import find_binaries
from orchestration.runs import opened
from orchestration.schema import INGESTION_ROLE

DEBIT, EFFECTIF = "urssaf__debit", "urssaf__effectif"
# The existing importer (opensignauxfaibles, Go) on two such cores, one file of 1.0 M débit rows: measured once for this
# project's reference (sources.md, section 5), not in this run.
GO_PARSED, GO_LOADED, GO_LOADED_WITH_VIEWS = 108_000, 38_000, 13_000
GOALS = {
    "parse, check, type, binary COPY (unlogged)": ("stage", 0.8),
    "first delivery, whole": ("first", 0.6),
    "re-delivery, 1 % of rows changed": ("changed", 0.8),
    "identical re-delivery": ("identical", 3.0),
}


@dataclass(frozen=True)
class Sizes:
    """What to load: rows of the débit files compared (growth is taken between the ends), runs of the smallest, rows of
    the files whose memory is compared, lines of the wide file."""

    rows: tuple[int, ...] = (1_000_000, 10_000_000)
    runs: int = 5
    memory_rows: tuple[int, int] = (5_000_000, 20_000_000)
    wide_lines: int = 50_000


@dataclass(frozen=True)
class Figures:
    """Seconds, CPU seconds (client and server) and peak memory of the client in MB."""

    seconds: float
    cpu: float
    peak_mb: float
    rows: int = 0


def measure(sizes: Sizes) -> str:
    """Every comparison, as Markdown."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder, opened(Instance(Path(folder))) as url:
        bench = _Bench(url, Path(folder))
        medians = {rows: bench.debits(rows, sizes.runs if rows == min(sizes.rows) else 1) for rows in sizes.rows}
        peaks = {rows: bench.first_only(rows) for rows in sizes.memory_rows}
        wide = bench.effectifs(sizes.wide_lines)
    parts = [_ratios(rows, figures) for rows, figures in medians.items()]
    return "\n".join([*parts, _other_importer(medians), _growth(medians, peaks), _wide(sizes.wide_lines, wide)])


class _Bench:
    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def debits(self, rows: int, runs: int) -> dict[str, Figures]:
        """Medians of each load over interleaved runs."""
        first, changed = self._files("sigfaible_debits.csv")
        write_debits(first, rows)
        write_debits(changed, rows, changed_share=0.01)
        taken: dict[str, list[Figures]] = {}
        for _ in range(runs):
            self._empty(DEBIT)
            for name, work in (
                ("floor", lambda: self._floor(first)),
                ("stage", lambda: self._load("stage", first, DEBIT, "2026-01-22")),
                ("first", lambda: self._load("ingest", first, DEBIT, "2026-01-22")),
                ("identical", lambda: self._load("ingest", first, DEBIT, "2026-02-22")),
                ("changed", lambda: self._load("ingest", changed, DEBIT, "2026-03-22")),
            ):
                taken.setdefault(name, []).append(work())
        return {name: _median(figures) for name, figures in taken.items()}

    def first_only(self, rows: int) -> Figures:
        """A first delivery, for its memory."""
        first, _ = self._files("sigfaible_debits.csv")
        write_debits(first, rows)
        self._empty(DEBIT)
        return self._load("ingest", first, DEBIT, "2026-01-22")

    def effectifs(self, lines: int) -> dict[str, Figures]:
        """The wide file: one line gives a row per month."""
        first, _ = self._files("sigfaible_effectif_siret.csv")
        write_effectifs(first, lines)
        self._empty(EFFECTIF)
        return {
            "floor": self._floor(first),
            "stage": self._load("stage", first, EFFECTIF, "2026-01-22"),
            "first": self._load("ingest", first, EFFECTIF, "2026-01-22"),
            "identical": self._load("ingest", first, EFFECTIF, "2026-02-22"),
        }

    def _files(self, name: str) -> tuple[Path, Path]:
        later = self.folder / "later"
        later.mkdir(exist_ok=True)
        return self.folder / name, later / name

    def _empty(self, source: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"truncate raw.{source}, ingest.rejected_row, ingest.gate, ingest.delivery".encode())
            connection.execute(b"checkpoint")

    def _floor(self, path: Path) -> Figures:
        with path.open() as file:
            columns = ", ".join(f'"{name}" text' for name in file.readline().strip().split(";"))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                f"drop table if exists bench_floor; create unlogged table bench_floor ({columns})".encode()
            )
        copy = f"\\copy bench_floor from '{path}' (format csv, header, delimiter ';')"
        before = _children_cpu()
        return self._timed(
            [str(find_binaries() / "psql"), self.url, "-qc", copy],
            lambda _, seconds: Figures(seconds, _children_cpu() - before, 0.0),
        )

    def _load(self, step: str, path: Path, source: str, day: str) -> Figures:
        command = [sys.executable, "-m", "benchmarks.one_load", step, self.url, INGESTION_ROLE, str(path), source, day]
        return self._timed(command, lambda output, _: Figures(**json.loads(output)))

    def _timed(self, command: list[str], read: Callable[[str, float], Figures]) -> Figures:
        """Runs a client and adds the CPU of the server to what it says of itself."""
        server, started = self._server_cpu(), time.perf_counter()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        own = read(done.stdout, time.perf_counter() - started)
        return Figures(own.seconds, own.cpu + self._server_cpu() - server, own.peak_mb, own.rows)

    def _server_cpu(self) -> float:
        """CPU seconds of the server so far, once the sessions that ended are counted by their parent."""
        pid = int((self.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        time.sleep(0.5)
        server = psutil.Process(pid)
        times = server.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        return float(total + sum(sum(child.cpu_times()[:2]) for child in server.children()))


def _children_cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


def _median(figures: list[Figures]) -> Figures:
    return Figures(
        statistics.median(f.seconds for f in figures),
        statistics.median(f.cpu for f in figures),
        max(f.peak_mb for f in figures),
        figures[0].rows,
    )


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "short"


def _ratios(rows: int, figures: dict[str, Figures]) -> str:
    floor = figures["floor"]
    lines = [
        f"Débits, {rows:,} rows; `psql \\copy` into text columns: {floor.seconds:.2f} s, {floor.cpu:.2f} CPU s\n",
        _row("load", "seconds", "rows/s", "rate ÷ copy", "goal", "", "CPU ÷ copy", "peak MB"),
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for name, (step, goal) in GOALS.items():
        taken = figures[step]
        ratio, cpu = floor.seconds / taken.seconds, taken.cpu / floor.cpu
        reached = ratio >= goal and (step != "stage" or cpu <= 2)
        shown = f"≥ {goal:g}" + (", CPU ≤ 2" if step == "stage" else "")
        rate = f"{rows / taken.seconds:,.0f}"
        lines.append(
            _row(
                name,
                f"{taken.seconds:.2f}",
                rate,
                f"{ratio:.2f}",
                shown,
                _verdict(reached),
                f"{cpu:.2f}",
                f"{taken.peak_mb:.0f}",
            )
        )
    return "\n".join([*lines, ""])


def _other_importer(medians: dict[int, dict[str, Figures]]) -> str:
    rows = min(medians)
    figures = medians[rows]
    lines = [
        "Existing importer (Go), on two such cores, measured once for `sources.md` section 5, not in this run\n",
        _row("what it does", "its rows/s", "Vigie's rows/s", "ratio", "goal", ""),
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, theirs, step, goal in (
        ("parses", GO_PARSED, "stage", None),
        ("loads", GO_LOADED, "first", 5.0),
        ("loads, with its indexes and views", GO_LOADED_WITH_VIEWS, "first", None),
    ):
        ours = rows / figures[step].seconds
        reached = _verdict(ours / theirs >= goal) if goal else ""
        lines.append(
            _row(name, f"{theirs:,}", f"{ours:,.0f}", f"{ours / theirs:.1f}", f"≥ {goal:g}" if goal else "", reached)
        )
    return "\n".join([*lines, ""])


def _growth(medians: dict[int, dict[str, Figures]], peaks: dict[int, Figures]) -> str:
    lines = ["Growth and memory\n", _row("what", "measured", "goal", ""), "|---|---:|---:|---|"]
    small, large = min(medians), max(medians)
    if small < large:
        for step in ("first", "changed"):
            ratio = medians[large][step].seconds / medians[small][step].seconds
            exponent = math.log(ratio) / math.log(large / small)
            what = f"time of `{step}` from {small:,} to {large:,} rows"
            lines.append(_row(what, f"n^{exponent:.2f}", "≤ n^1.05", _verdict(exponent <= 1.05)))
    (less, small_peak), (more, large_peak) = sorted(peaks.items())
    growth = large_peak.peak_mb / small_peak.peak_mb - 1
    highest = max([f.peak_mb for figures in medians.values() for f in figures.values()] + [large_peak.peak_mb])
    lines.append(_row(f"peak memory, {less:,} and {more:,} rows", f"{growth:+.0%}", "≤ +10 %", _verdict(growth <= 0.1)))
    lines.append(_row("highest peak of all loads", f"{highest:.0f} MB", "< 1,000 MB", _verdict(highest < 1000)))
    return "\n".join([*lines, ""])


def _wide(lines_read: int, figures: dict[str, Figures]) -> str:
    floor, rows = figures["floor"], figures["first"].rows
    lines = [
        f"Effectifs, {lines_read:,} lines of 120 months, {rows:,} rows; `psql \\copy` of the lines as they are: "
        f"{floor.seconds:.2f} s, {floor.cpu:.2f} CPU s\n",
        _row("load", "seconds", "lines/s", "rows/s", "rate ÷ copy (lines)", "peak MB"),
        "|---|---:|---:|---:|---:|---:|",
    ]
    for step in ("stage", "first", "identical"):
        taken = figures[step]
        rates = [f"{count / taken.seconds:,.0f}" for count in (lines_read, rows)]
        lines.append(
            _row(step, f"{taken.seconds:.2f}", *rates, f"{floor.seconds / taken.seconds:.2f}", f"{taken.peak_mb:.0f}")
        )
    return "\n".join([*lines, ""])
