"""`contract`, `delivery` and `quarantine` as a producer and a data engineer type them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.exceptions import TyperException

from orchestration.cli.application import app, main
from orchestration.cli.console import Refused

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
HEADER = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
Command = Callable[..., str]


@pytest.fixture
def vigie(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command on a home and a database of its own: standard output of what succeeds."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = app(["--home", str(tmp_path / "home"), *arguments], standalone_mode=False)
        assert not code
        return output.getvalue()

    return run


def offline(*arguments: str) -> tuple[str, str | None]:
    """Standard output and the reason of a refusal, of a command that must need neither instance nor database."""
    output, reason = io.StringIO(), None
    with contextlib.redirect_stdout(output):
        try:
            assert not app(["--home", "/nonexistent/home", *arguments], standalone_mode=False)
        except Refused as refusal:
            reason = str(refusal)
    return output.getvalue(), reason


def test_a_producer_is_told_what_is_wrong_without_any_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    bad = tmp_path / "paydex_2026.csv"
    bad.write_text(HEADER + "012345674;2;x;15/12/2018\n012345674;abc;x;15/01/2019\n012345674;3;x;15/12/2018\n")
    text, reason = offline("contract", "check", str(bad), str(FIXTURES / "bodacc__annonce.csv"))
    assert reason == "non conforme : paydex_2026.csv"
    assert "paydex_2026.csv : NON CONFORME (contrat altares__paydex)" in text
    assert 'ligne 3, colonne NB_JOURS : nombre entier attendu, reçu "abc" (règle entier)' in text
    assert "clé déjà présente ligne 2" in text
    assert "bodacc__annonce.csv : conforme" in text
    document, _ = offline("contract", "check", str(bad), "--json")
    [check] = json.loads(document)
    assert (check["lines"], check["accepted"], check["rejected"]) == (3, 1, 2)
    assert check["period"] == ["2018-12-15", "2018-12-15"]


def test_a_draft_is_written_then_checked_against_its_own_file(tmp_path: Path) -> None:
    sample, draft = tmp_path / "mesures.csv", tmp_path / "insee__mesure.yml"
    sample.write_text("siren;mois;valeur\n012345674;2026-01-01;1,5\n023456783;2026-01-01;2\n")
    offline("contract", "infer", str(sample), "--name", "insee__mesure", "--out", str(draft))
    text, reason = offline("contract", "check", str(sample), "--contract", str(draft))
    assert reason is None
    assert "conforme (contrat insee__mesure)" in text
    draft.write_text(draft.read_text().replace("mode: append", "mode: x"))
    _, reason = offline("contract", "check", str(sample), "--contract", str(draft))
    assert reason is not None and "'snapshot' ou 'append' attendu" in reason


def test_contracts_are_exported_for_producers() -> None:
    one, _ = offline("contract", "export", "urssaf__debit")
    assert json.loads(one)["fields"][0]["name"] == "Siret"
    every, _ = offline("contract", "export", "--format", "json-schema")
    assert {schema["type"] for schema in json.loads(every).values()} == {"object"}
    with pytest.raises(TyperException):
        offline("contract", "export", "inconnu")


def test_from_a_bad_line_to_its_replay(vigie: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a data engineer does: list, export, correct the contract, replay, compare."""

    def deliver(number: int, day: str, lines: str) -> None:
        path = tmp_path / f"paydex_{number}.csv"
        path.write_text(HEADER + lines)
        vigie("ingest", str(path), "--received", day)

    deliver(1, "2026-01-15", "012345674;2;x;15/12/2018\n023456783;2.5;=cmd;15/12/2018\n")
    deliver(2, "2026-02-15", "012345674;4;x;15/12/2018\n")
    [counted] = json.loads(vigie("quarantine", "list", "--json"))
    assert (counted["source"], counted["rule"], counted["lines"]) == ("altares__paydex", "entier", 1)
    [line] = json.loads(vigie("quarantine", "list", "--rule", "entier", "--delivery", "1", "--json"))
    assert line["raw_text"] == "023456783;2.5;=cmd;15/12/2018"
    assert json.loads(vigie("quarantine", "list", "--rule", "autre", "--json")) == []
    out = tmp_path / "lignes.csv"
    vigie("quarantine", "list", "--out", str(out))
    assert "023456783;2.5" in out.read_text()

    [unchanged] = json.loads(vigie("quarantine", "replay", "--received", "2026-03-15", "--json"))
    assert unchanged["account"] is None
    from expectations.contract import load_contracts

    contracts = load_contracts()
    old = contracts["altares__paydex"]
    columns = tuple(c.model_copy(update={"null_values": ("2.5",)}) if c.name == "nb_jours" else c for c in old.columns)
    corrected = contracts | {old.name: old.model_copy(update={"columns": columns})}
    monkeypatch.setattr("orchestration.cli.quarantine.load_contracts", lambda: corrected)
    [done] = json.loads(vigie("quarantine", "replay", "--received", "2026-03-15", "--json"))
    assert (done["delivery_id"], done["account"]["loaded"], done["account"]["replay_of"]) == (1, 1, 1)
    assert json.loads(vigie("quarantine", "list", "--json")) == []

    found: dict[str, Any] = json.loads(vigie("delivery", "diff", "1", "2", "--json"))
    assert found["rows"] == {"added": 0, "removed": 0, "changed": 1}
    assert [(c["siren"], c["columns"]) for c in found["changes"]] == [("012345674", ["nb_jours"])]
    vigie("delivery", "diff", "1", "2", "--out", str(out))
    assert out.read_text().splitlines()[1] == "012345674,changed,0,0,1,nb_jours"
    with pytest.raises(Refused, match="n’existe pas"):
        vigie("delivery", "diff", "1", "99")
    ledger = json.loads(vigie("delivery", "list", "--json"))
    assert [item["replay_of"] for item in ledger] == [1, None, None]
    assert all(item["layout"] and item["code_version"] and item["encoding"] for item in ledger)


def test_cells_that_look_like_styles_or_commands_of_a_terminal_are_shown_as_they_are(
    vigie: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell « [/x] » ended `quarantine list` in a traceback; « [ND] » was shown as nothing, ESC was obeyed."""
    path = tmp_path / "paydex_[ND].csv"
    path.write_text(HEADER + "012345674;[/x];x;15/12/2018\n012345674;[ND]\x1b[2J;x;15/01/2019\n")
    assert "paydex_[ND].csv" in vigie("ingest", str(path), "--received", "2026-01-15")
    listed = vigie("quarantine", "list", "--source", "altares__paydex")
    assert "[/x]" in listed and "[ND]␛[2J" in listed
    text, _ = offline("contract", "check", str(path))
    assert 'reçu "[ND]␛[2J"' in text
    monkeypatch.setattr("sys.argv", ["vigie", "contract", "check", str(path)])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "Refused. non conforme : paydex_[ND].csv" in " ".join(capsys.readouterr().err.split())


def test_a_file_that_cannot_be_written_and_a_name_that_is_none_are_wrong_usage(tmp_path: Path) -> None:
    """Both ended in a traceback and « a fault of ours », the first after all the work."""
    sample = str(FIXTURES / "urssaf__ccsf.csv")
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "a.csv")
    for arguments in (
        ("contract", "infer", sample, "--out", nowhere),
        ("contract", "infer", sample, "--name", "Mes fichiers"),
        ("quarantine", "list", "--out", nowhere),
        ("delivery", "diff", "1", "2", "--out", str(tmp_path)),
        ("export", "detections", nowhere),
    ):
        with pytest.raises(TyperException, match=r"is a folder|File exists|Not a directory|is not <producer>__<file>"):
            offline(*arguments)
