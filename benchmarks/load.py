"""Loading a débit file: Vigie's whole load against a raw `COPY` of the same file, and identical and corrected re-deliveries.

Baseline: `COPY … FROM STDIN (FORMAT csv)` of the same bytes into an unlogged table of text columns, through the same driver:
it checks nothing, types nothing, keeps no history.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import psycopg
from stdnum.luhn import calc_check_digit

from expectations.contract import load_contracts
from ingestion.ingest import ingest_file
from orchestration.instance import Instance, as_role
from orchestration.runs import opened

HEADER = (
    "Urssaf_gestion;Dep;num_cpte;Siren;Siret;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;"
    "Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours"
)
SOURCE = "urssaf__debit"


def measure(rows: int, runs: int) -> str:
    """Median seconds of each load over `runs` interleaved runs; a Markdown table."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        home = Path(folder)
        first, corrected = home / "sigfaible_debits.csv", home / "corrige" / "sigfaible_debits.csv"
        corrected.parent.mkdir()
        _write(first, rows, changed_share=0.0)
        _write(corrected, rows, changed_share=0.01)
        times: dict[str, list[float]] = {}
        with opened(Instance(home)) as url:
            for _ in range(runs):
                _empty(url)
                for name, work in (
                    ("raw COPY into text columns", lambda: _copy(url, first)),
                    ("first delivery", lambda: _ingest(url, first, date(2026, 1, 22))),
                    ("identical re-delivery", lambda: _ingest(url, first, date(2026, 2, 22))),
                    ("re-delivery, 1 % of rows changed", lambda: _ingest(url, corrected, date(2026, 3, 22))),
                ):
                    times.setdefault(name, []).append(_timed(work))
    baseline = statistics.median(times["raw COPY into text columns"])
    lines = [
        f"Load of {rows:,} débit rows, median of {runs} runs.\n",
        "| load | seconds | rows/s | rate ÷ raw COPY |",
        "|---|---:|---:|---:|",
    ]
    for name, taken in times.items():
        median = statistics.median(taken)
        lines.append(f"| {name} | {median:.2f} | {rows / median:,.0f} | {baseline / median:.2f} |")
    return "\n".join([*lines, ""])


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _ingest(url: str, path: Path, received_on: date) -> None:
    account = ingest_file(
        as_role(url, "vigie_ingestion"), path, received_on=received_on, contracts=load_contracts(), source=SOURCE
    )
    if account.status == "refused":
        raise RuntimeError(account.reason)


def _copy(url: str, path: Path) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = ", ".join(f"{name.lower()} text" for name in HEADER.split(";"))
        cursor.execute(f"drop table if exists bench_copy; create unlogged table bench_copy ({columns})".encode())
        with (
            path.open("rb") as file,
            cursor.copy("copy bench_copy from stdin (format csv, header, delimiter ';')") as stream,
        ):
            while chunk := file.read(1 << 20):
                stream.write(chunk)


def _empty(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"truncate raw.{SOURCE}, ingest.rejected_row, ingest.gate, ingest.delivery".encode())


def _write(path: Path, rows: int, *, changed_share: float) -> None:
    """A débit file whose SIREN pass the check and start with 0; the changed share has other amounts, seeded."""
    rng = np.random.default_rng(20)
    companies = [_siren(number) for number in range(max(rows // 50, 1))]
    owner = rng.integers(0, len(companies), rows)
    amounts = rng.integers(100, 5_000_000, (rows, 2))
    changed = np.random.default_rng(21).random(rows) < changed_share
    amounts[changed] += 1
    day = rng.integers(1, 29, rows)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for index in range(rows):
            siren = companies[owner[index]]
            period = f"{2016 + index % 9}{1 + index // 9 % 4}{1 + index // 36 % 3}"
            file.write(
                f"217;21;{siren}{index // 1000:09d};{siren};{siren}{_nic(siren)};20150708;1;0;{period};{index % 1000};1;"
                f"{1250101 + day[index]};{amounts[index, 0]};{amounts[index, 1]};1;1;0\n"
            )


def _siren(number: int) -> str:
    body = f"0{number:07d}"
    return body + calc_check_digit(body)


def _nic(siren: str) -> str:
    return "0001" + calc_check_digit(siren + "0001")
