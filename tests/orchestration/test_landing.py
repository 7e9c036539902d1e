"""The landing folder: what waits, since when, and that nothing taken out of it is lost."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from expectations.contract import load_contracts
from orchestration import landing
from orchestration.instance import Instance


def drop(instance: Instance, name: str, content: str) -> Path:
    path = instance.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_file_waits_for_its_contract_from_the_day_of_its_folder(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    drop(instance, "2025-11-24/sigfaible_debits.csv", "a")
    drop(instance, "2025-12-22/sigfaible_debits.csv", "b")
    drop(instance, "2025-11-24/budget.csv", "c")
    waiting = landing.waiting(instance, load_contracts(), date(2025, 11, 30))
    assert [(file.path.name, file.received_on, file.source) for file in waiting] == [
        ("budget.csv", date(2025, 11, 24), None),
        ("sigfaible_debits.csv", date(2025, 11, 24), "urssaf__debit"),
    ]


def test_notes_hidden_files_and_unfinished_transfers_are_not_deliveries(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    for name in ("SIMULATION.txt", ".cache.csv", "sigfaible_debits.csv.part", "~$debits.xlsx"):
        drop(instance, f"2025-11-24/{name}", "x")
    assert landing.deliveries_in([instance.landing]) == []


def test_a_second_file_of_the_same_name_and_day_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    """The archive kept the last one only: the file behind an older delivery was gone."""
    instance = Instance(tmp_path)
    for content in ("first", "second", "third"):
        path = drop(instance, "2025-11-24/sigfaible_debits.csv", content)
        landing.archive(instance, landing.Landed(path, date(2025, 11, 24), "urssaf__debit"))
    assert sorted(path.read_text() for path in instance.archive.rglob("*.csv")) == ["first", "second", "third"]


def test_a_file_outside_a_dated_folder_is_told(tmp_path: Path) -> None:
    """It waited for ever without a word."""
    instance = Instance(tmp_path)
    path = drop(instance, "sigfaible_debits.csv", "x")
    assert landing.undated(instance) == [path]
    assert landing.waiting(instance, load_contracts(), date(2099, 1, 1)) == []


def test_a_folder_of_a_day_to_come_is_told(tmp_path: Path) -> None:
    """A mistyped year waited for that year without a word."""
    instance = Instance(tmp_path)
    path = drop(instance, "2062-11-24/sigfaible_debits.csv", "x")
    drop(instance, "2025-11-24/sigfaible_debits.csv", "x")
    assert landing.to_come(instance, date(2025, 11, 24)) == [path]
