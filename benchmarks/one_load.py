"""One load in a process of its own: `python -m benchmarks.one_load STEP URL ROLE FILE SOURCE DAY`, figures as JSON.

A process of its own has a peak memory of its own; what it took to start and to import is not in its time.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from datetime import date
from pathlib import Path

from psycopg import sql

from expectations.contract import load_contracts
from ingestion import load
from ingestion.ahead import ahead
from ingestion.content import examine
from ingestion.database import connect
from ingestion.forms import layout_of, records_of
from ingestion.ingest import ingest_file
from ingestion.lines import LineReader
from ingestion.memory import keep_freed_memory

STAGING = "bench_staging"


def main() -> None:
    """Run the step named on the command line and print seconds, CPU seconds, peak memory and rows."""
    step, url, role, file, source, day = sys.argv[1:]
    path = Path(file)
    started, cpu = time.perf_counter(), time.process_time()
    if step == "stage":
        started, rows = _stage(url, path, source)
    else:
        account = ingest_file(
            url, path, received_on=date.fromisoformat(day), contracts=load_contracts(), source=source, role=role
        )
        if account.status == "refused":
            raise SystemExit(account.reason)
        rows = account.rows_opened
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": _peak_mb(), "rows": rows}))


def _stage(url: str, path: Path, source: str) -> tuple[float, int]:
    """Reads, checks, types and copies every row into an unlogged table; when it began (the fingerprint is not counted),
    and how many rows there were."""
    contract = load_contracts()[source]
    content = examine(path, contract.encodings)
    keep_freed_memory()
    started, rows = time.perf_counter(), 0
    columns = [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.sql_type)) for c in contract.columns]
    with connect(url) as connection:
        connection.execute(f"drop table if exists {STAGING}".encode())
        connection.execute(
            sql.SQL("create unlogged table {} (_line bigint, {})").format(
                sql.Identifier(STAGING), sql.SQL(", ").join(columns)
            )
        )
        _, layout = layout_of(content, contract)
        typed = LineReader(contract, layout, path.name, "luhn").type_records(records_of(content, layout))
        packed = ((batch.rows.height, load.packed(batch.rows, contract)) for batch in ahead(typed))
        with closing(ahead(packed)) as batches:
            for height, batch in batches:
                load.copy_packed(connection, STAGING, batch)
                rows += height
    return started, rows


def _peak_mb() -> float:
    """Highest resident memory of this process (Linux; not `ru_maxrss`, which a child inherits from its parent)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
