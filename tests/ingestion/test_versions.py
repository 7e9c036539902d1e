"""Deliveries one after the other: nothing doubled, nothing lost, nothing half done."""

from __future__ import annotations

import gzip
import threading
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from delivery_base import Base

from ingestion import ingest as ingest_module
from ingestion import ledger as ledger_module
from ingestion import load as load_module

JAN, FEB, MAR = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)


@pytest.fixture(params=[0, 10**9], ids=["compared here", "compared on the server"], autouse=True)
def known_rows_min(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables are compared on the server, large ones here: every rule must hold on both roads."""
    monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", request.param)
    monkeypatch.setattr(ingest_module, "_BYTES_PER_KNOWN_ROW", 0)


def dump(base: Base) -> list[tuple[Any, ...]]:
    # As text: Python has no date for 'infinity'.
    return base.query("select d::text from raw.urssaf__debit d order by _delivery_id, _line, _known_from")


def test_the_same_content_renamed_or_compressed_changes_nothing(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    before = dump(base)
    for content, name in (
        (debits, "sigfaibles_debits_bis.csv"),
        (gzip.compress(debits.encode()), "SIGFAIBLE_DEBITS.CSV.GZ"),
    ):
        account = base.deliver(content, name, received=FEB)
        assert (account.status, account.lines, account.unchanged) == ("identical", 4, 4)
        assert "contenu identique à la livraison 1 reçue le 15/01/2026" in account.reason
    assert dump(base) == before
    assert base.query("select count(*) from ingest.delivery") == [(3,)]


def test_a_stock_that_comes_back_undoes_the_one_between(base: Base, debits: str) -> None:
    """The content had been loaded once: the third delivery was called identical, and the second one's figures stayed."""
    base.deliver(debits, received=JAN)
    base.deliver(debits.replace(";100000;0;", ";100001;0;"), received=FEB)
    account = base.deliver(debits, received=MAR)
    assert (account.status, account.rows_opened, account.rows_closed) == ("loaded", 1, 1)
    assert base.query(
        "select part_ouvriere_eur from raw.urssaf__debit where compte like '%%3' and _known_to = 'infinity'"
    ) == [(Decimal("1000.00"),)]
    before = dump(base)
    assert base.deliver(debits, received=JAN).status == "identical"  # the archive, taken again
    assert dump(base) == before


def test_a_corrected_file_opens_new_versions_only_for_changed_rows(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    account = base.deliver(debits.replace(";100000;0;", ";100001;0;"), received=FEB)
    assert (account.loaded, account.unchanged, account.rows_opened, account.rows_closed) == (1, 3, 1, 1)
    assert base.query(
        "select part_ouvriere_eur, _known_from, _known_to = 'infinity' from raw.urssaf__debit where compte like '%%3' order by _delivery_id"
    ) == [
        (Decimal("1000.00"), date(2019, 4, 12), False),
        (Decimal("1000.01"), FEB, True),
    ]
    assert base.query(
        "select count(*) from raw.urssaf__debit where _known_from <= %s and %s < _known_to", JAN, JAN
    ) == [(4,)]


def test_a_removed_row_is_closed_in_a_stock(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    account = base.deliver("\n".join(debits.splitlines()[:-1]), received=FEB)
    assert (account.loaded, account.unchanged, account.rows_opened, account.rows_closed) == (0, 3, 0, 1)
    back = base.deliver(debits + "\n", received=MAR)
    assert (back.loaded, back.unchanged, back.rows_opened) == (1, 3, 1)
    assert base.query("select _known_to from raw.urssaf__debit where compte like '%%3' and _known_to < 'infinity'") == [
        (FEB,)
    ]


def test_an_absent_row_stays_open_in_an_increment(base: Base) -> None:
    header = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
    base.deliver(header + "012345674;2;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    account = base.deliver(header + "012345674;5;x;15/01/2019\n", "paydex_2.csv", received=FEB)
    assert (account.rows_opened, account.rows_closed) == (1, 0)
    corrected = base.deliver(header + "012345674;3;x;15/12/2018\n", "paydex_3.csv", received=MAR)
    assert (corrected.rows_opened, corrected.rows_closed) == (1, 1)
    assert base.open_rows("altares__paydex", "nb_jours", "1") == [(3,), (5,)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (";1190401;100000;0;", ";1190401;abc;0;"),  # the key is readable, the amount is not
        (";201862;101;1;1190401", ";201850;101;1;1190401"),  # a part of the key is not
        (";1190401;100000;0;1;0;0", ""),  # the row is cut
    ],
)
def test_a_key_whose_line_was_rejected_stays_as_it_was(base: Base, debits: str, old: str, new: str) -> None:
    base.deliver(debits, received=JAN)
    assert old in debits
    account = base.deliver(debits.replace(old, new), received=FEB)
    assert (account.rejected, account.rows_opened, account.rows_closed) == (1, 0, 0)
    assert base.query("select count(*) from raw.urssaf__debit where _known_to = 'infinity'") == [(4,)]


def test_a_key_whose_bytes_are_damaged_closes_nothing(base: Base, debits: str) -> None:
    """The line is rejected, and its key is read as another one: the key that was meant must not seem absent."""
    text = debits.replace(";201;1;", ";20é;1;").replace("3;;201862", "3;é;201862")
    base.deliver(text, received=JAN)
    account = base.deliver(text.encode().replace(";20é;1;".encode(), ";20é;1;".encode("iso-8859-15")), received=FEB)
    assert (account.rejects_by_rule, account.rows_closed) == ({"encodage": 1}, 0)


def test_a_delivery_out_of_order_is_refused_with_the_reason(base: Base, debits: str) -> None:
    base.deliver(debits, received=FEB)
    account = base.deliver(debits + "\n", received=JAN)
    assert (account.status, account.rejected) == ("refused", 4)
    assert "livraison du 15/02/2026 est déjà chargée" in account.reason


def test_two_files_of_the_first_day_are_both_history(base: Base) -> None:
    header = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
    base.deliver(header + "012345674;2;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    base.deliver(header + "012345674;5;x;15/01/2019\n", "paydex_2.csv", received=JAN)
    assert base.open_rows("altares__paydex", "_known_from", "1") == [(date(2019, 1, 14),), (date(2019, 2, 14),)]


@pytest.mark.parametrize(
    "first", ["", "012345674;?;15/12/2024\n"], ids=["a header and nothing else", "all lines rejected"]
)
def test_a_delivery_that_brought_no_row_is_not_the_first_of_its_source(base: Base, first: str) -> None:
    """The years of past that the next one carries were known from its day only: no month before had any."""
    header = "SIREN;NB_JOURS;DATE_VALEUR\n"
    assert base.deliver(header + first, "paydex.csv", date(2026, 1, 15)).rows_opened == 0
    base.deliver(header + "012345674;3;15/12/2024\n", "paydex.csv", date(2026, 2, 15))
    base.deliver(header + "012345674;3;15/11/2024\n", "paydex.csv", date(2026, 3, 15))
    assert base.open_rows("altares__paydex", "_known_from") == [(date(2025, 1, 14),), (date(2026, 3, 15),)]


def test_both_layouts_of_urssaf_files_are_one_contract(base: Base, debits: str) -> None:
    """Until December 2025 the files had no Siret column, only the account."""
    base.deliver(debits, received=JAN)
    table = [line.split(";") for line in debits.splitlines()]
    without = "\n".join(";".join(row[:4] + row[5:]) for row in table)
    account = base.deliver(without, received=FEB)
    assert (account.loaded, account.rejected) == (4, 0)
    assert base.open_rows("urssaf__debit", "distinct siret", "1") == [(None,)]
    assert "absentes : Siret" in account.layout


class Killed(BaseException):
    """What a SIGKILL looks like from inside: no handler of the code under test may catch it."""


@pytest.mark.parametrize("step", ["create_staging", "copy_packed", "apply_versions", "_record"])
def test_a_kill_before_the_commit_leaves_no_trace(
    base: Base, debits: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    base.deliver(debits, received=JAN)
    before = dump(base), base.query("select * from ingest.delivery"), base.query("select * from ingest.rejected_row")
    module = ledger_module if step == "_record" else load_module
    real = getattr(module, step)

    def killed(connection: Any, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(connection, "commit", lambda: (_ for _ in ()).throw(Killed()))
        real(connection, *args, **kwargs)
        raise Killed

    changed = debits.replace(";100000;0;", ";100001;0;").replace(";195907;", ";x;")
    monkeypatch.setattr(module, step, killed)
    with pytest.raises(Killed):
        base.deliver(changed, received=FEB)
    monkeypatch.undo()
    assert (
        dump(base),
        base.query("select * from ingest.delivery"),
        base.query("select * from ingest.rejected_row"),
    ) == before
    account = base.deliver(changed, received=FEB)
    assert (account.loaded, account.unchanged, account.rejected) == (1, 2, 1)


def test_two_sessions_that_load_the_same_file_at_once_load_it_once(base: Base, debits: str) -> None:
    accounts = []
    path = base.folder / "sigfaible_debits.csv"
    path.write_text(debits)
    threads = [threading.Thread(target=lambda: accounts.append(base.deliver(path, received=JAN))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(account.status for account in accounts) == ["identical"] * 3 + ["loaded"]
    assert base.query("select count(*) from raw.urssaf__debit") == [(4,)]


def test_the_result_does_not_depend_on_how_the_file_is_cut_into_blocks(
    base: Base, debits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.deliver(debits, received=JAN)
    expected = dump(base)
    for block in (1, 2, 7, 64):
        monkeypatch.setattr("ingestion.content.BLOCK", block)
        account = base.deliver(debits.replace("\n", "\r\n"), received=JAN, again=True)
        assert (account.lines, account.unchanged) == (4, 4)
    assert dump(base) == expected
