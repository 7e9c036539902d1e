"""What a person or a script gets from the border of the command: the whole text, a sentence, an exit code that means something."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest
import typer

from orchestration import cli, publication
from orchestration.cli import operations
from orchestration.cli.application import main
from orchestration.cli.months import require_begun
from orchestration.instance import URL_VARIABLE, Instance

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vigie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as a shell starts it, on a home of its own: exit code, standard output, standard error."""

    def run(*arguments: str, home: Path = tmp_path / "home") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vigie", "--home", str(home), *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return (end.value.code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("text", ["[/x]", "[bold]", "SARL [en liquidation]", "[link=x]"])
def test_brackets_in_a_cell_or_a_reason_are_printed_as_they_are(
    vigie: Run, text: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for colours, « [en liquidation] » vanished from a name, and « [/x] » ended the command in a traceback, with code 1."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    code, out, _ = vigie("sql", f"select '{text}' as nom")
    assert code == 0
    assert text in out
    code, out, reason = vigie("sql", f"select '{text}'::int")
    assert (code, out) == (1, "")
    assert reason.startswith("Refused. ")
    assert text in reason
    assert "Traceback" not in reason


def test_two_columns_of_one_name_are_refused_rather_than_one_lost(
    vigie: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`select * from a join b` has its keys twice; only the last of each was shown."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    code, out, reason = vigie("sql", "select 1 as mois, 2 as mois, 3 as siren", "--json")
    assert (code, out) == (1, "")
    assert "« mois »" in reason


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("delivery", "diff", "1", "deux"), "after"),
        (("delivery", "list", "--limit", "0"), "--limit"),
        (("simulate", "out", "--companies", "3"), "--companies"),
        (("up", "--port", "99999"), "--port"),
        (("run",), "--month"),
        (("run", "--month", "2026-13"), "2026-13"),
        (("run", "--month", "2026-01", "--region", "BFC"), "--region"),
        (("run", "--month", "2026-01", "--region", "99"), "--region"),
        (("run", "--month", "2026-01", "--region", 'a"b'), "--region"),
    ],
)
def test_wrong_usage_names_the_argument(vigie: Run, arguments: tuple[str, ...], named: str) -> None:
    """« Input should be greater than or equal to 1 » did not say which; a quote in --region made the settings unreadable."""
    code, out, message = vigie(*arguments)
    assert (code, out) == (2, "")
    assert named in message
    assert "Traceback" not in message


def test_a_place_that_cannot_be_written_is_wrong_usage(vigie: Run, tmp_path: Path) -> None:
    """A mistyped folder is no fault of ours, and needs no traceback."""
    taken = tmp_path / "file"
    taken.touch()
    inside = str(taken / "x")
    for code, out, message in (
        vigie("status", home=taken),
        vigie("docs", inside),
        vigie("simulate", inside, "--companies", "60"),
        vigie("export", "detections", f"{inside}.csv"),
    ):
        assert (code, out) == (2, "")
        assert str(taken) in message
        assert "Traceback" not in message


def test_settings_written_by_a_command_can_be_read_again_whatever_they_hold(tmp_path: Path) -> None:
    """A quote in the name of the contact, written in the file by hand, made every later command fail."""
    instance = Instance(tmp_path)
    (tmp_path / "settings.toml").write_text("contact = 'la cellule \"prévention\" \\ données'\n", encoding="utf-8")
    instance.set(region="53")
    assert instance.settings.contact == 'la cellule "prévention" \\ données'
    assert instance.settings.region == "53"


@pytest.mark.parametrize("command", ["run", "publish"])
@pytest.mark.parametrize("month", ["2099-01", "2009-12"])
def test_a_mistyped_year_is_wrong_usage_and_computes_nothing(
    vigie: Run, command: str, month: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run --month 2099-01` built 76 years of frozen months before a gate refused it; 2009 ended in a traceback."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    code, out, message = vigie(command, "--month", month)
    assert (code, out) == (2, "")
    assert f"{month} lies outside the months" in message
    assert "Traceback" not in message


def test_a_month_after_today_is_worked_on_when_its_deliveries_are_there(tmp_path: Path, vigie_url: str) -> None:
    """A simulated region delivers in a time of its own; what waits counts as what was loaded."""
    instance = Instance(tmp_path)
    month = date(2098, 12, 1)
    with pytest.raises(typer.BadParameter):
        require_begun(instance, vigie_url, month)
    delivery = instance.landing / "2098-12-22" / "paydex_2098.csv"
    delivery.parent.mkdir()
    delivery.touch()
    require_begun(instance, vigie_url, month)
    with pytest.raises(typer.BadParameter):
        require_begun(instance, vigie_url, date(2099, 1, 1))


def test_the_reports_of_a_list_that_is_taken_back_go_with_it(
    vigie: Run, tmp_path: Path, vigie_url: str, candidate: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A director was phoned on a list withdrawn for being wrong: its pages were still in the folder of the reports."""
    monkeypatch.setenv("DATABASE_URL", vigie_url)
    candidate(date(2025, 11, 1), {"052000001": ("21", "Alerte seuil F1")})
    publication.publish(vigie_url, [date(2025, 11, 1)], simulation=True, run_id=None)
    page = tmp_path / "home" / "reports" / "2025-11" / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    code, out, _ = vigie("rollback", "--month", "2025-11")
    assert (code, out) == (0, "2025-11 taken back; the month is no longer published.\n")
    assert not page.parent.exists()


def test_ctrl_c_is_answered_by_a_sentence_and_its_code(
    vigie: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended without a word: nobody knew whether something half done was left."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr(publication, "rollback", stopped)
    code, out, message = vigie("rollback", "--month", "2025-11")
    assert (code, out) == (130, "")
    assert message.startswith("Interrupted. Nothing half done is seen")


def test_ctrl_c_while_the_libraries_are_read_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two seconds of a command are imports: stopping it there printed forty lines of them."""

    class Stopped:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "orchestration.cli.application":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "orchestration.cli.application")
    monkeypatch.setattr(sys, "meta_path", [Stopped(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130


def test_the_doctor_names_the_delivery_that_nothing_will_come_of_by_itself(
    vigie: Run, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file refused as it arrived, or a gate that stops every run, was well until the source had aged two months."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    paydex = tmp_path / "paydex.csv"

    def alarms() -> list[str]:
        _, printed, _ = vigie("doctor")
        return [alarm for alarm in json.loads(printed)["alarms"] if " delivery " in alarm and "last" not in alarm]

    paydex.write_text("SIREN;NB_JOURS\n012345674;3\n")
    vigie("ingest", str(paydex), "--received", "2026-01-15")
    (alarm,) = alarms()
    assert alarm.startswith("source altares__paydex: delivery 1 was refused: paydex.csv, ligne 1, colonne DATE_VALEUR")
    paydex.write_text("SIREN;NB_JOURS;DATE_VALEUR\n012345674;3;15/12/2025\n")
    vigie("ingest", str(paydex), "--received", "2026-01-16")
    assert alarms() == []
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into ingest.gate (delivery_id, passed, summary) values (2, false, 'non')")
    assert alarms() == ["source altares__paydex: delivery 2 did not pass its gate"]


def test_the_doctor_names_the_list_that_the_schedule_should_have_published(
    vigie_url: str, candidate: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A month refused on the first stayed without a list, and the watchdog heard that all was well."""
    monkeypatch.setenv(URL_VARIABLE, vigie_url)
    candidate(date(2025, 10, 1), {"052000001": ("21", "Alerte seuil F1")})

    def missing(day: date) -> list[str]:
        state = operations._state(Instance(tmp_path), vigie_url, day)
        return [alarm for alarm in state["alarms"] if alarm.startswith("list")]

    assert missing(date(2025, 12, 2)) == [], "nothing was ever published"
    publication.publish(vigie_url, [date(2025, 10, 1)], simulation=True, run_id=None)
    assert missing(date(2025, 11, 20)) == missing(date(2025, 12, 1)) == []
    assert missing(date(2025, 12, 2)) == ["list of 2025-11: not published, the last one is that of 2025-10"]
