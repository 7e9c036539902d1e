"""What a producer is told of a file, without a database, is what the load would say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from delivery_base import Base

from expectations.contract import load_contracts
from ingestion.check import check_file

CONTRACTS = load_contracts()
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


@pytest.mark.parametrize("source", sorted(CONTRACTS))
def test_the_fixture_of_every_contract_is_conforming(source: str) -> None:
    check = check_file(FIXTURES / f"{source}.csv", CONTRACTS, source=source)
    assert (check.conforming, check.refusal, check.rules) == (True, None, [])
    assert check.accepted == check.lines > 0
    assert check.rows >= check.lines or CONTRACTS[source].unpivot
    if CONTRACTS[source].knowledge:
        assert check.period is not None and check.period[0] <= check.period[1]
    assert check.columns_read


def test_the_check_says_what_the_load_says(base: Base, debits: str) -> None:
    """One road: rules, counts, lines and messages of the check are those of the quarantine."""
    header, *rows = debits.splitlines()
    text = "\n".join(
        [
            header,
            *rows,
            rows[0].replace(";195907;", ";195908;"),  # a repeated key
            rows[1].replace("01234567400019", "01234567450019"),  # out of scope
            rows[2].replace(";201862;", ";201750;"),
            rows[3] + ";trop",
            rows[0].replace(";195907;", ";1,5;"),
        ]
    )
    account = base.deliver(text)
    check = check_file(base.folder / "sigfaible_debits.csv", CONTRACTS)
    assert check.source == account.source
    assert (check.lines, check.rejected, check.out_of_scope) == (account.lines, account.rejected, account.out_of_scope)
    assert check.accepted == account.loaded + account.unchanged
    told = {(e.line, r.kind, e.column, r.rule, e.value, e.message) for r in check.rules for e in r.examples}
    assert told == {row[:6] for row in base.quarantine(account)}
    assert not check.conforming
    assert not check.tolerated


def test_examples_are_the_first_lines_and_the_count_is_of_all(tmp_path: Path, debits: str) -> None:
    header, row = debits.splitlines()[:2]
    lines = [row.replace(";195907;", f";x{n};").replace("000000001;", f"{n:09};") for n in range(10)]
    path = tmp_path / "sigfaible_debits.csv"
    path.write_text("\n".join([header, *lines]))
    [broken] = check_file(path, CONTRACTS).rules
    assert (broken.rule, broken.column, broken.lines) == ("montant", "Mt_PO", 10)
    assert [(e.line, e.value) for e in broken.examples] == [(2, "x0"), (3, "x1"), (4, "x2")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("mystere.csv", "a;b\n1;2\n", "aucun contrat"),
        ("sigfaible_debits.csv", "", "fichier vide"),
        ("sigfaible_debits.csv", "a;b\n1;2\n", "colonne attendue, absente de l'en-tête"),
        ("sigfaible_debits_absent.csv", None, "fichier illisible"),
    ],
)
def test_a_file_that_would_be_refused_whole_is_told_with_the_reason(
    tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    check = check_file(path, CONTRACTS)
    assert not check.conforming
    assert reason in (check.refusal or "")


def test_a_stock_without_any_line_is_told(tmp_path: Path, debits: str) -> None:
    path = tmp_path / "sigfaible_debits.csv"
    path.write_text(debits.splitlines()[0])
    assert "aucune ligne de données" in (check_file(path, CONTRACTS).refusal or "")


def test_the_period_is_that_of_the_lines_that_pass(tmp_path: Path) -> None:
    path = tmp_path / "paydex.csv"
    path.write_text(
        "SIREN;NB_JOURS;DATE_VALEUR\n012345674;2;15/12/2018\n012345674;3;15/02/2019\n012345674;x;15/03/2020\n"
    )
    assert check_file(path, CONTRACTS).period == (date(2018, 12, 15), date(2019, 2, 15))
