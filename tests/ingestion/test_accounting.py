"""Whatever comes, each line is somewhere: loaded, known, rejected or out of scope."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from delivery_base import Base
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from expectations.contract import load_contracts
from ingestion.ingest import recognise

HEADER = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR"
STRESS = (".csv", ".txt", ".tsv", ".xlsx", ".xls", ".ods", ".gz", ".zip", ".excel")


def stress_files(shared_data: Path) -> list[Path]:
    return sorted(path for path in (shared_data / "csv_stress").rglob("*") if path.is_file() and path.suffix in STRESS)


def test_no_hostile_file_raises_and_all_lines_add_up(base: Base, shared_data: Path) -> None:
    """Under no name, then forced through a contract (`deliver` checks the equation and the quarantine)."""
    files = stress_files(shared_data)
    assert len(files) > 100
    for path in files:
        account = base.deliver(path)
        assert (account.status, account.source) == ("refused", None) or recognise(path, base.contracts)
        forced = base.deliver(path, source="bodacc__annonce")
        assert forced.status == "refused"
        assert forced.reason


def as_contract_input(path: Path) -> bytes | None:
    """The lines of a hostile file under our header, when it is text without a compressed container."""
    data = path.read_bytes()
    if data[:2] in (b"PK", b"\x1f\x8b", b"\xd0\xcf") or not data.strip():
        return None
    return HEADER.encode() + b"\n" + data.removeprefix(b"\xef\xbb\xbf")


def test_hostile_lines_under_a_right_header_are_rejected_one_by_one(base: Base, shared_data: Path) -> None:
    for path in stress_files(shared_data):
        if path.stat().st_size < 50_000 and (content := as_contract_input(path)):
            account = base.deliver(content, "paydex.csv")
            assert account.status in ("loaded", "identical"), (path, account.reason)
            assert account.loaded == 0
            raw = [row[6] for row in base.quarantine(account)]
            assert (len(raw) == account.lines and all(text.strip() for text in raw)) or account.status == "identical"


cell = st.one_of(
    st.sampled_from(
        ["012345674", "023456783", "000000000", "2", "-1", "1.0", "1,5", "15/12/2018", "15/01/2019", "31/02/2019", ""]
    ),
    st.text(alphabet='ab1;"\n é\0', max_size=6),
)


@st.composite
def record(draw: st.DrawFn) -> str:
    """One record: cells, quoted when they must be, now and then too many or too few of them, or a broken quote."""
    cells = draw(st.lists(cell, min_size=3, max_size=5).filter(lambda c: any(x.strip() for x in c)))
    if draw(st.integers(0, 9)) == 0:
        return 'x"y;"open'  # a record that a strict reader refuses, on one line
    if len(cells) != 4:
        cells = [c.replace("\n", " ").replace('"', " ") for c in cells]  # a ragged record spans one line only
    return ";".join('"' + c.replace('"', '""') + '"' if any(x in c for x in ';"\n') else c for c in cells)


@seed(20260115)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(records=st.lists(record(), max_size=12), ending=st.sampled_from(["\n", "\r\n"]), blank=st.booleans())
def test_lines_equal_loaded_plus_unchanged_plus_rejected_plus_out_of_scope(
    base: Base, records: list[str], ending: str, blank: bool
) -> None:
    """The counter is independent: we know how many records we wrote. A record with only separators and blanks is one.

    A broken quote could still pair with a quote of a later record: such files are left out of the exact count, not of
    the equation, which `deliver` checks for every file.
    """
    text = HEADER + "\n" + "".join(r + "\n" + ("\n" if blank else "") for r in records)
    account = base.deliver(text.replace("\n", ending), "paydex.csv", received=date(2026, 1, 15))
    assert account.status in ("loaded", "identical")
    if not any("open" in r for r in records):
        assert account.lines == len(records)


@pytest.mark.parametrize("source", sorted(load_contracts()))
def test_a_file_of_rubbish_lines_is_rejected_whole_under_any_contract(base: Base, source: str) -> None:
    fixture = Path(__file__).resolve().parent.parent / "fixtures" / f"{source}.csv"
    header = fixture.read_text(encoding="utf-8-sig").splitlines()[0]
    delimiter = base.contracts[source].delimiters[0]
    rubbish = delimiter.join(["n'importe quoi"] * (header.count(delimiter) + 1))
    account = base.deliver(f"{header}\n{rubbish}\n{rubbish}\n", source=source)
    assert (account.lines, account.rejected) == (2, 2)
    assert base.query(f"select count(*) from raw.{source}") == [(0,)]
