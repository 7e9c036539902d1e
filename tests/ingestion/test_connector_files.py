"""Files of a folder are taken whole, once, and only when they are complete."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from connector_base import DAY, MINUTE, NOW, Desk

from ingestion.connectors import files, memory
from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import Connector


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """The folder where an administration drops its files."""
    folder = tmp_path / "depot"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(desk: Desk, drop: Path) -> Connector:
    """That folder, as a connector."""
    return desk.settings(kind="local", path=str(drop))


def test_a_file_is_taken_at_the_second_look_and_never_again(desk: Desk, drop: Path, settings: Connector) -> None:
    (drop / "debits.csv").write_bytes(b"a;b\n1;2\n")
    assert desk.fetch(settings).taken == []
    assert desk.landed() == []
    (taken,) = desk.fetch(settings, NOW + MINUTE).taken
    assert (taken.name, taken.bytes) == ("debits.csv", 8)
    assert taken.path.startswith(f"{DAY}/")
    assert desk.landed() == [("debits.csv", b"a;b\n1;2\n")]
    assert desk.fetch(settings, NOW + 2 * MINUTE).taken == []
    assert len(desk.landed()) == 1


def test_two_looks_too_close_together_do_not_settle_a_file(desk: Desk, drop: Path, settings: Connector) -> None:
    (drop / "debits.csv").write_bytes(b"x")
    desk.fetch(settings)
    assert desk.fetch(settings, NOW + MINUTE / 2).taken == []


def test_a_file_that_grows_between_looks_waits(desk: Desk, drop: Path, settings: Connector) -> None:
    path = drop / "debits.csv"
    path.write_bytes(b"half a li")
    desk.fetch(settings)
    path.write_bytes(b"half a line, and the rest\n")
    assert list(desk.fetch(settings, NOW + MINUTE).waiting) == ["debits.csv"]
    assert desk.landed() == []
    desk.fetch(settings, NOW + 2 * MINUTE)
    assert desk.landed() == [("debits.csv", b"half a line, and the rest\n")]


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    desk: Desk, drop: Path, settings: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The producer overwrites it in the middle of our copy: half of each would be a delivery."""
    path = drop / "debits.csv"
    path.write_bytes(b"first\n")
    copy = files.shutil.copyfileobj

    def copy_and_overwrite(source: object, target: object, length: int) -> None:
        copy(source, target, length)  # type: ignore[arg-type]
        path.write_bytes(b"other\n")
        os.utime(path, ns=(1, 1))

    desk.fetch(settings)
    with monkeypatch.context() as patched:
        patched.setattr(files.shutil, "copyfileobj", copy_and_overwrite)
        report = desk.fetch(settings, NOW + MINUTE)
    assert "modifié pendant sa lecture" in report.faults["debits.csv"]
    assert desk.landed() == []
    assert desk.incoming() == [], "half a copy keeps no room"
    desk.fetch(settings, NOW + 2 * MINUTE)
    desk.fetch(settings, NOW + 3 * MINUTE)
    assert desk.landed() == [("debits.csv", b"other\n")]


def test_a_file_that_disappears_leaves_the_others(
    desk: Desk, drop: Path, settings: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        (drop / name).write_bytes(name.encode())
    look = files.Files.look

    def look_then_lose(self: files.Files, *arguments: object) -> object:
        seen = look(self, *arguments)  # type: ignore[arg-type]
        (drop / "a.csv").unlink()
        return seen

    desk.fetch(settings)
    monkeypatch.setattr(files.Files, "look", look_then_lose)
    report = desk.fetch(settings, NOW + MINUTE)
    assert "disparu" in report.faults["a.csv"]
    assert desk.landed() == [("b.csv", b"b.csv")]


def test_a_name_used_again_for_other_content_is_another_delivery(desk: Desk, drop: Path, settings: Connector) -> None:
    """Taken on the same day, the second file took the place of the first."""
    path = drop / "debits.csv"
    path.write_bytes(b"first\n")
    desk.fetch_settled(settings)
    path.write_bytes(b"second\n")
    desk.fetch_settled(settings)
    assert desk.landed() == [("debits.csv", b"first\n"), ("debits.csv", b"second\n")]


def test_notes_hidden_and_unfinished_files_and_other_patterns_are_left(desk: Desk, drop: Path) -> None:
    for name in ("LISEZMOI.txt", ".debits.csv", "debits.csv.part", "debits.csv.filepart", "budget.ods", "debits.csv"):
        (drop / name).write_bytes(b"x")
    (drop / "archive.csv").mkdir()
    desk.fetch_settled(desk.settings(kind="local", path=str(drop), pattern="*.csv*"))
    assert [name for name, _ in desk.landed()] == ["debits.csv"]


@pytest.mark.parametrize("companion", [".sha256", ".md5"])
def test_a_digest_beside_the_file_says_that_it_is_complete(desk: Desk, drop: Path, companion: str) -> None:
    settings = desk.settings(kind="local", path=str(drop), companion=companion)
    (drop / "debits.csv").write_bytes(b"content\n")
    assert desk.fetch(settings).waiting == {"debits.csv": f"attend debits.csv{companion}"}
    assert desk.fetch(settings, NOW + 9 * MINUTE).taken == [], "no settling replaces the companion"
    digest = hashlib.new(companion[1:], b"content\n").hexdigest().upper()
    (drop / f"debits.csv{companion}").write_text(f"{digest}  debits.csv\n")
    desk.fetch(settings)
    assert desk.landed() == [("debits.csv", b"content\n")], "the digest itself is not a delivery"


def test_a_wrong_digest_is_told_and_the_file_left_until_it_changes(desk: Desk, drop: Path) -> None:
    settings = desk.settings(kind="local", path=str(drop), companion=".sha256")
    (drop / "debits.csv").write_bytes(b"content\n")
    (drop / "other.csv").write_bytes(b"good\n")
    companion = drop / "debits.csv.sha256"
    companion.write_text("0" * 64)
    (drop / "other.csv.sha256").write_text(hashlib.sha256(b"good\n").hexdigest())
    report = desk.fetch(settings)
    assert "n'est pas celle du fichier" in report.refused["debits.csv"]
    assert desk.landed() == [("other.csv", b"good\n")]
    assert desk.incoming() == []
    assert desk.look(settings).ready == [], "it is not copied again at each look"
    assert "debits.csv" in desk.look(settings).refused, "and still told"
    companion.write_text(hashlib.sha256(b"content\n").hexdigest())
    desk.fetch(settings)
    assert len(desk.landed()) == 2


def test_a_half_written_digest_is_waited_for(desk: Desk, drop: Path) -> None:
    settings = desk.settings(kind="local", path=str(drop), companion=".sha256")
    (drop / "debits.csv").write_bytes(b"content\n")
    (drop / "debits.csv.sha256").write_text(hashlib.sha256(b"content\n").hexdigest()[:40])
    assert "inachevée" in desk.fetch(settings).faults["debits.csv"]
    (drop / "debits.csv.sha256").write_text(hashlib.sha256(b"content\n").hexdigest())
    desk.fetch(settings)
    assert len(desk.landed()) == 1


def test_a_done_file_is_enough(desk: Desk, drop: Path) -> None:
    settings = desk.settings(kind="local", path=str(drop), companion=".done")
    (drop / "debits.csv").write_bytes(b"content\n")
    (drop / "debits.csv.done").touch()
    desk.fetch(settings)
    assert [name for name, _ in desk.landed()] == ["debits.csv"]


def test_dangerous_names_and_links_are_refused_and_the_others_taken(
    desk: Desk, drop: Path, settings: Connector
) -> None:
    """A backslash, a line end, a name in another encoding: each could end up elsewhere, or break a listing."""
    for name in (b"a\\..\\b.csv", b"a\nb.csv", b"d\xe9bits.csv", b"good.csv"):
        (Path(os.fsdecode(os.fsencode(drop) + b"/" + name))).write_bytes(b"x")
    (drop / "link.csv").symlink_to("/etc/hostname")
    report = desk.fetch_settled(settings)
    assert set(report.refused) == {"a\\..\\b.csv", "a\\nb.csv", "d\\udce9bits.csv", "link.csv"}
    assert [name for name, _ in desk.landed()] == ["good.csv"]


def test_a_file_beyond_the_limit_is_refused_before_its_first_byte(desk: Desk, drop: Path) -> None:
    (drop / "huge.csv").write_bytes(b"x" * 11)
    report = desk.fetch_settled(desk.settings(kind="local", path=str(drop), max_bytes=10))
    assert "max_bytes" in report.refused["huge.csv"]


def test_a_folder_that_is_not_there_is_a_fault(desk: Desk, drop: Path) -> None:
    """An empty list would say that nothing was delivered."""
    with pytest.raises(PeerFault, match="n'existe pas"):
        desk.look(desk.settings(kind="local", path=str(drop / "ailleurs")))


def test_one_process_works_on_a_connector_at_a_time(desk: Desk, settings: Connector) -> None:
    with (
        memory.locked(desk.url, "depot", desk.landing),
        pytest.raises(PeerFault, match="une autre collecte"),
    ):
        desk.fetch(settings)
    assert desk.fetch(settings).taken == []


class Killed(BaseException):
    """What stops a process where it is: no handler of ours catches it."""


@pytest.mark.parametrize(
    "step", ["copyfileobj", "_next_id", "_save", "_show"], ids=["copying", "numbering", "before commit", "after commit"]
)
def test_a_kill_at_any_step_shows_nothing_by_half_and_loses_nothing(
    desk: Desk, drop: Path, settings: Connector, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After it the file is taken once, whole, whatever the step was."""
    (drop / "debits.csv").write_bytes(b"content\n")
    desk.fetch(settings)
    owner: object = files.shutil if step == "copyfileobj" else memory.Memory
    original = getattr(owner, step)
    calls = []

    def die(*arguments: object, **named: object) -> object:
        calls.append(step)
        if step == "_save" and len(calls) == 1:  # the look is saved first
            return original(*arguments, **named)
        if step == "copyfileobj":
            arguments[1].write(b"cont")  # type: ignore[attr-defined]
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, die)
        with pytest.raises(Killed):
            desk.fetch(settings, NOW + MINUTE)
    assert desk.landed() == []
    desk.fetch(settings, NOW + 2 * MINUTE)
    desk.fetch(settings, NOW + 3 * MINUTE)
    assert desk.landed() == [("debits.csv", b"content\n")]
    assert desk.incoming() == []
    assert desk.rows("select name, status, bytes from ingest.fetched") == [("debits.csv", "landed", 8)]
