"""Malformed and hostile files: nothing raises, every line is somewhere, nothing is written outside."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from delivery_base import Base
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from malformed import MALFORMED, PAYLOADS, Good, independent_count, physical_lines

from expectations.contract import Contract, load_contracts
from ingestion.check import FileCheck, check_file
from ingestion.content import Refusal, examine
from ingestion.database import create_schemas
from ingestion.forms import layout_of
from ingestion.ledger import DeliveryAccount
from ingestion.records import read_records

CONTRACTS = load_contracts()
SOURCES = sorted(CONTRACTS)
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
#: Names that a file can have (a slash cannot be in one), each recognised as a débit file.
NAMES = (
    "..debits..csv",
    "debits'; drop table ingest.delivery; --.csv",
    "=cmd|' C calc'!A0_debits.csv",
    "debits\n\x07\u202e.csv",
    "%00debits%2e%2e%2f.csv",
    "debits" + "x" * 200 + ".csv",
    "-debits.csv",
    "débits é\u0301 debits.csv",
)


def fixture_of(source: str) -> tuple[list[str], str]:
    """Lines of a good file, and its delimiter."""
    lines = (FIXTURES / f"{source}.csv").read_text(encoding="utf-8-sig").splitlines()
    return lines, max(CONTRACTS[source].delimiters, key=lines[0].count)


def malformed(source: str, kind: str, number: int) -> bytes:
    lines, delimiter = fixture_of(source)
    return MALFORMED[kind](Good(lines, delimiter, random.Random(f"{source} {kind} {number}")))


def text_of(path: Path, contract: Contract) -> str | None:
    """The text of a file by the standard library, in the encoding that was found; None when there is none."""
    import gzip
    import lzma
    import zipfile

    try:
        content = examine(path, contract.encodings)
    except (Refusal, OSError):
        return None
    if content.form != "texte":
        return None
    data = path.read_bytes()
    if content.compression == "gz":
        data = gzip.decompress(data)
    elif content.compression == "xz":
        data = lzma.decompress(data)
    elif content.compression == "zip":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(archive.namelist()[0])
    return data[content.bom_bytes :].decode(content.encoding, "replace" if content.damaged else "strict")


def assert_counted(path: Path, contract: Contract, account: DeliveryAccount | FileCheck) -> bool:
    """The number of lines against the independent counter; True when it could be compared."""
    text = text_of(path, contract)
    if text is None or account.delimiter is None:
        return False
    expected = independent_count(text, account.delimiter)
    if expected is not None:
        assert account.lines == expected, path
    return expected is not None


@contextmanager
def nothing_written_outside(base: Base, delivered: set[Path]) -> Iterator[None]:
    """Only the files that the test delivers appear beside it, and only the tables of the contracts are there."""
    tables, before = base.query(TABLES), set(base.folder.parent.rglob("*"))
    yield
    assert set(base.folder.parent.rglob("*")) - before <= delivered
    assert base.query(TABLES) == tables


TABLES = "select schemaname || '.' || tablename from pg_tables where schemaname !~ '^(pg_|information)' order by 1"


def deliver_all(base: Base, files: list[tuple[str, str, int]]) -> Counter[str]:
    """Loads malformed files one after the other (`deliver` checks equation and quarantine); how many were compared."""
    seen: Counter[str] = Counter()
    path = base.folder / "fichier.csv"
    with nothing_written_outside(base, {path}):
        for source, kind, number in files:
            path.write_bytes(malformed(source, kind, number))
            account = base.deliver(path, source=source)
            seen[account.status] += 1
            seen["compared"] += assert_counted(path, base.contracts[source], account)
    return seen


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_every_fixture_are_counted_like_an_independent_counter_does(source: str) -> None:
    path = FIXTURES / f"{source}.csv"
    check = check_file(path, CONTRACTS, source=source)
    assert assert_counted(path, CONTRACTS[source], check)
    assert_every_line_is_in_one_record(path, CONTRACTS[source])


def test_each_kind_of_malformed_file_is_loaded_or_refused_and_fully_counted(base: Base) -> None:
    files = [(SOURCES[n % len(SOURCES)], kind, 0) for n, kind in enumerate(MALFORMED)]
    seen = deliver_all(base, files)
    assert seen["loaded"] > 10
    assert seen["refused"] > 10
    assert seen["compared"] > 20


@pytest.mark.long
@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_malformed_file_of_every_contract(base: Base, source: str) -> None:
    """All contracts together: more than 500 files."""
    assert len(SOURCES) * len(MALFORMED) > 500
    seen = deliver_all(base, [(source, kind, 1) for kind in MALFORMED])
    assert seen["compared"] > len(MALFORMED) // 3


def test_hostile_file_names_are_names_and_nothing_else(base: Base, debits: str) -> None:
    with nothing_written_outside(base, {base.folder / name for name in NAMES}):
        for n, name in enumerate(NAMES):
            account = base.deliver(debits + "\n" * n, name)
            known = "\n" not in name  # no contract says that a name may hold a line feed
            assert account.status == ("loaded" if known else "refused")
            assert account.file_name == name


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, bytes]:
    """A contract and its fixture after a few edits at random places: insertions, deletions, repetitions."""
    source = draw(st.sampled_from(SOURCES))
    lines, delimiter = fixture_of(source)
    data = ("\n".join(lines) + "\n").encode()
    nasty = st.one_of(
        st.sampled_from(
            ['"', '""', "\n", "\r", "\r\n", "\n\n", delimiter, "\0", " ", "\ufeff", f'"{delimiter}', '"\n', *PAYLOADS]
        ),
        st.text(max_size=4),
    ).map(lambda text: text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.sampled_from(["insert", "replace", "delete", "repeat", "raw"])):
            case "insert":
                data = data[:start] + draw(nasty) + data[start:]
            case "replace":
                data = data[:start] + draw(nasty) + data[end:]
            case "delete":
                data = data[:start] + data[end:]
            case "repeat":
                data = data[:end] + data[start:]
            case _:
                data = data[:start] + draw(st.binary(max_size=3)) + data[start:]
    return source, data


def assert_every_line_is_in_one_record(path: Path, contract: Contract) -> None:
    """The records cover each physical line that is not blank once, with its exact text."""
    try:
        content = examine(path, contract.encodings)
        _, layout = layout_of(content, contract)
        frames = list(read_records(content, layout.header, layout.delimiter))
    except Refusal:
        return
    text = text_of(path, contract)
    if text is None:  # a workbook or a JSON array: its cells come apart already
        return
    expected = {n: line for n, line in physical_lines(text).items() if n > layout.header.line}
    found: dict[int, str] = {}
    for frame in frames:
        for first, raw in frame.select("_line", "_raw").iter_rows():
            for offset, line in enumerate(raw.split("\n")):
                assert first + offset not in found
                found[first + offset] = line
    blank_in_a_cell = {n for n, line in found.items() if n not in expected and not line.strip()}
    assert {n: line for n, line in found.items() if n not in blank_in_a_cell} == expected


def check_spoiled(folder: Path, case: tuple[str, bytes]) -> None:
    source, data = case
    path = folder / "fichier.csv"
    path.write_bytes(data)
    check = check_file(path, CONTRACTS, source=source)
    assert check.lines == check.accepted + check.rejected + check.out_of_scope
    assert_every_line_is_in_one_record(path, CONTRACTS[source])
    if check.refusal is None:
        assert_counted(path, CONTRACTS[source], check)


@seed(20260115)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=spoiled())
def test_a_file_spoiled_at_random_is_read_to_its_last_line(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, bytes]
) -> None:
    check_spoiled(tmp_path_factory.getbasetemp(), case)


@pytest.mark.long
@pytest.mark.timeout(3600)
@seed(20260116)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=spoiled())
def test_ten_thousand_files_spoiled_at_random_are_read_to_their_last_line(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, bytes]
) -> None:
    check_spoiled(tmp_path_factory.getbasetemp(), case)


def permissive(path: Path, name: str) -> Contract | None:
    """A contract that takes whatever the file has: one text column per header, all of them the key."""
    delimiters = (",", ";", "\t", "|")
    text = text_of(path, CONTRACTS["urssaf__debit"])
    if text is None or not (lines := physical_lines(text)):
        return None
    header = lines[min(lines)]
    delimiter = max(delimiters, key=header.count)
    cells = dict.fromkeys(cell.strip(BLANK_OR_QUOTE) or " " for cell in header.split(delimiter))
    columns = [
        {"name": f"c{n}", "type": "text", "headers": [cell], "default": "", "description": "Colonne du fichier"}
        for n, cell in enumerate(list(cells)[:200])  # a table holds 1,600 columns, a row must hold on a page
    ]
    return Contract.model_validate(
        {
            "name": name, "producer": "essai", "label": "Essai", "description": "Essai.", "owner": "essai",
            "cadence": "mensuelle", "deadline_day": 1, "max_age_days": 30, "max_reject_share": 1, "mode": "append",
            "file_names": [".*"], "delimiters": [delimiter, *delimiters], "columns": columns,
            "key": [column["name"] for column in columns][:30],
        }
    )  # fmt: skip


BLANK_OR_QUOTE = ' "\ufeff\t'


def stress_files(shared_data: Path) -> list[Path]:
    return sorted(path for path in (shared_data / "csv_stress").rglob("*") if path.is_file())


def test_public_stress_files_are_counted_like_an_independent_counter_does(shared_data: Path) -> None:
    seen: Counter[str] = Counter()
    for path in stress_files(shared_data):
        contract = permissive(path, "essai__libre")
        if contract is None:
            seen["no text"] += 1
            continue
        check = check_file(path, {contract.name: contract}, source=contract.name)
        assert check.lines == check.accepted + check.rejected + check.out_of_scope
        seen["refused" if check.refusal else "read"] += 1
        if check.refusal is None:
            assert_every_line_is_in_one_record(path, contract)
            seen["compared"] += assert_counted(path, contract, check)
    assert seen["read"] > 100, seen
    assert seen["compared"] > 90, seen


@pytest.mark.long
def test_public_stress_files_load_and_are_fully_accounted_for(base: Base, shared_data: Path) -> None:
    loaded = 0
    for n, path in enumerate(stress_files(shared_data)):
        name = "essai__" + "".join(chr(ord("a") + int(digit)) for digit in str(n))
        contract = permissive(path, name)
        if contract is None:
            continue
        create_schemas(base.url, {name: contract})
        account = Base(base.url, base.folder, {name: contract}).deliver(path, source=name)
        if account.status == "loaded":
            loaded += 1
            assert_counted(path, contract, account)
    assert loaded > 100
