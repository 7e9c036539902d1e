"""Files whose size is the attack: refused in the ledger within a bounded memory, whatever they would unpack to.

Each file is delivered by a process of its own, whose peak memory is then that of the refusal alone.
"""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from delivery_base import Base

from expectations.contract import load_contracts
from ingestion.content import DIRECTORY_MAX, RATIO_FREE, RATIO_MAX, Refusal, examine
from ingestion.records import MAX_COLUMNS, MAX_LINE, _cut

PEAK_MB = 300
HEADER = ";".join(dict.fromkeys(c.headers[0] for c in load_contracts()["urssaf__debit"].columns if c.required))
_INGEST = """
import json, sys
from datetime import date
from pathlib import Path
from expectations.contract import load_contracts
from ingestion.ingest import ingest_file

account = ingest_file(sys.argv[1], Path(sys.argv[2]), received_on=date(2026, 1, 15), contracts=load_contracts())
# Not ru_maxrss: a child inherits that of its parent.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
fields = {name: getattr(account, name) for name in ("status", "reason", "lines", "rejects_by_rule")}
print(json.dumps(fields | {"peak_mb": int(peak.split()[1]) / 1024}))
"""


def deliver(base: Base, path: Path) -> dict[str, Any]:
    """What became of a file, and the peak memory of the process that took it."""
    command = [sys.executable, "-c", _INGEST, base.url, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def zeros(write: Any, megabytes: int) -> None:
    for _ in range(megabytes):
        write(bytes(1 << 20))


def bomb(folder: Path, form: str, megabytes: int) -> Path:
    """A small archive of a great many zeros."""
    path = folder / f"sigfaible_debits.csv.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("debits.csv", "w") as member:
            zeros(member.write, megabytes)
    else:
        with gzip.open(path, "wb") if form == "gz" else lzma.open(path, "wb", preset=0) as stream:
            zeros(stream.write, megabytes)
    return path


@pytest.mark.parametrize("form", ["gz", "zip", "xz"])
def test_an_archive_that_unpacks_out_of_proportion_is_refused(base: Base, form: str) -> None:
    """An archive of a few hundred kilobytes must not cost minutes, nor memory, whatever it hides."""
    account = deliver(base, bomb(base.folder, form, 100))
    assert (account["status"], account["lines"]) == ("refused", 0)
    assert f"plus de {RATIO_MAX} fois" in account["reason"]
    assert account["peak_mb"] < PEAK_MB


def test_a_stock_that_compresses_well_is_not_a_bomb(base: Base) -> None:
    """A large stock of repeated cells is beyond the free size and far below the ratio: it must pass."""
    line = b"437;25;437000179192000001;000179192;00017919200018;20120419;1;0;201610;%d;1;1160421;0;3248176;1;1;0\n"
    path = base.folder / "sigfaible_debits.csv.gz"
    with gzip.open(path, "wb", compresslevel=6) as stream:
        for number in range(RATIO_FREE // 100 // 1000 + 1):
            stream.write(b"".join(line % (number * 1000 + i) for i in range(1000)))
    content = examine(path)
    assert content.size > RATIO_FREE
    assert content.size / path.stat().st_size > 12


def test_an_archive_with_a_huge_table_of_contents_is_refused_unread(tmp_path: Path) -> None:
    """zipfile makes an object for each entry before anybody can count them."""
    path = tmp_path / "sigfaible_debits.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(DIRECTORY_MAX // 60_000 + 1):
            archive.writestr(f"{number:060000}", b"")
    with pytest.raises(Refusal) as refusal:
        examine(path)
    assert refusal.value.rule == "taille"


def test_a_line_of_a_million_cells_is_one_reject(base: Base) -> None:
    path = base.folder / "sigfaible_debits.csv"
    path.write_text(f"{HEADER}\n{';' * 10**6}\n")
    account = deliver(base, path)
    assert (account["status"], account["rejects_by_rule"]) == ("loaded", {"nombre_de_champs": 1})
    assert account["peak_mb"] < PEAK_MB


def test_a_header_of_a_million_cells_is_refused(base: Base) -> None:
    path = base.folder / "sigfaible_debits.csv"
    path.write_text(";".join(f"c{i}" for i in range(10**6)) + "\n1;2\n")
    account = deliver(base, path)
    assert (account["status"], account["lines"]) == ("refused", 1)
    assert f"plus de {MAX_COLUMNS} colonnes" in account["reason"]
    assert account["peak_mb"] < PEAK_MB


@pytest.mark.parametrize("megabytes", [100, pytest.param(1024, marks=pytest.mark.long)])
@pytest.mark.parametrize("filler", [b"\0", b"x", b'"', "é;".encode()])
def test_a_line_without_an_end_is_refused(base: Base, filler: bytes, megabytes: int) -> None:
    """A file that is not text, or whose line feeds were lost, must not be held whole."""
    path = base.folder / "sigfaible_debits.csv"
    piece = filler * ((1 << 20) // len(filler))
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        for _ in range(megabytes):
            file.write(piece)
    account = deliver(base, path)
    assert account["status"] == "refused"
    assert f"ligne 2 : ligne de plus de {MAX_LINE} caractères" in account["reason"]
    assert account["peak_mb"] < PEAK_MB


def test_blank_lines_by_the_million_are_counted_and_not_held(base: Base) -> None:
    """A block of line feeds holds millions of lines; the physical number of the next one stays right."""
    path = base.folder / "sigfaible_debits.csv"
    path.write_text(HEADER + "\n" * 3_000_001 + ";\n")
    account = deliver(base, path)
    assert (account["status"], account["lines"]) == ("loaded", 1)
    assert base.query("select line, rule from ingest.rejected_row") == [(3_000_002, "nombre_de_champs")]
    assert account["peak_mb"] < PEAK_MB


def test_a_text_is_cut_into_pieces_without_losing_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.records._BLOCK_LINES", 3)
    for lines in range(1, 11):
        text = "\n".join("" if number % 4 == 0 else str(number) for number in range(lines))
        pieces = list(_cut(text))
        assert "\n".join(piece for _, piece in pieces) == text
        assert sum(count for count, _ in pieces) == lines
        assert all(count == piece.count("\n") + 1 <= 3 for count, piece in pieces)
