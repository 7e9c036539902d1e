"""A delivery taken back: what was known before is known again, exactly."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest
from delivery_base import Base

from ingestion.database import create_schemas
from ingestion.withdraw import WithdrawalRefused, withdraw

JAN, FEB, MAR = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)


def versions(base: Base) -> list[tuple[Any, ...]]:
    return base.query("select to_jsonb(d)::text from raw.urssaf__debit d order by _delivery_id, _line, _known_from")


def corrected(debits: str) -> str:
    return debits.replace(";100000;0;", ";100001;0;")


def test_a_withdrawn_correction_leaves_what_was_known_before(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    before = versions(base)
    bad = base.deliver(corrected(debits), received=FEB)
    done = withdraw(base.url, bad.delivery_id)
    assert (done.source, done.rows_removed, done.rows_reopened) == ("urssaf__debit", 1, 1)
    assert versions(base) == before
    assert base.query("select status from ingest.delivery order by delivery_id") == [("loaded",), ("withdrawn",)]


def test_a_row_that_the_withdrawn_stock_no_longer_held_is_known_again(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    before = versions(base)
    shorter = base.deliver("\n".join(debits.splitlines()[:-1]) + "\n", received=FEB)
    assert shorter.rows_closed == 1
    withdraw(base.url, shorter.delivery_id)
    assert versions(base) == before


def test_two_files_of_one_day_are_taken_back_one_by_one(base: Base, debits: str) -> None:
    """Two versions of one key closed the same day: only the one that the withdrawn file had closed opens again."""
    base.deliver(debits, received=JAN)
    first_state = versions(base)
    one = base.deliver(corrected(debits), received=FEB)
    second_state = versions(base)
    two = base.deliver(debits.replace(";100000;0;", ";100002;0;"), received=FEB)
    withdraw(base.url, two.delivery_id)
    assert versions(base) == second_state
    withdraw(base.url, one.delivery_id)
    assert versions(base) == first_state


def test_the_same_content_can_come_again_after_its_withdrawal(base: Base, debits: str) -> None:
    base.deliver(debits, received=JAN)
    bad = base.deliver(corrected(debits), received=FEB)
    withdraw(base.url, bad.delivery_id)
    again = base.deliver(corrected(debits), received=MAR)
    assert (again.status, again.loaded) == ("loaded", 1)


def test_only_the_latest_delivery_of_a_source_is_taken_back(base: Base, debits: str) -> None:
    first = base.deliver(debits, received=JAN)
    second = base.deliver(corrected(debits), received=FEB)
    with pytest.raises(WithdrawalRefused, match=f"retirez d’abord la livraison {second.delivery_id}"):
        withdraw(base.url, first.delivery_id)
    with pytest.raises(WithdrawalRefused, match="n’existe pas"):
        withdraw(base.url, 999)
    withdraw(base.url, second.delivery_id)
    with pytest.raises(WithdrawalRefused, match="withdrawn"):
        withdraw(base.url, second.delivery_id)


def test_a_row_that_another_file_of_the_same_day_had_closed_stays_closed(base: Base, debits: str) -> None:
    """Seen before versions said which delivery had closed them: the row that the first file had dropped came back."""
    base.deliver(debits, received=JAN)
    base.deliver("\n".join(debits.splitlines()[:-1]) + "\n", received=FEB)
    before = versions(base)
    two = base.deliver(
        "\n".join(corrected(debits).splitlines()[:-1]).replace(";195907;", ";195908;") + "\n", received=FEB
    )
    assert two.rows_closed > 0
    withdraw(base.url, two.delivery_id)
    assert versions(base) == before


def test_versions_closed_before_the_column_that_says_by_what_are_given_back_too(base: Base, debits: str) -> None:
    """An instance of before: without its delivery, a closed version would stay closed for ever."""
    base.deliver(debits, received=JAN)
    before = versions(base)
    bad = base.deliver(corrected(debits), received=FEB)
    base.execute("alter table raw.urssaf__debit drop column _closed_by")
    create_schemas(base.url, base.contracts)
    assert withdraw(base.url, bad.delivery_id).rows_reopened == 1
    assert versions(base) == before


def test_an_increment_taken_back_leaves_the_others_as_they_were(base: Base) -> None:
    header = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
    base.deliver(header + "012345674;2;x;15/12/2018\n023456783;1;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    query = "select d::text from raw.altares__paydex d order by 1"
    before = base.query(query)
    bad = base.deliver(header + "012345674;20;x;15/12/2018\n012345674;3;x;15/01/2019\n", "paydex_2.csv", received=FEB)
    done = withdraw(base.url, bad.delivery_id)
    assert (done.rows_removed, done.rows_reopened) == (2, 1)
    assert base.query(query) == before


def test_a_withdrawal_that_fails_half_way_changes_nothing(base: Base, debits: str) -> None:
    """One transaction: what an error interrupts is undone."""
    base.deliver(debits, received=JAN)
    bad = base.deliver(corrected(debits), received=FEB)
    before = versions(base)
    base.execute(
        "create function stop() returns trigger language plpgsql as $$ begin raise 'stop'; end $$; "
        "create trigger stop before update on ingest.delivery for each row execute function stop()"
    )
    with pytest.raises(psycopg.errors.RaiseException):
        withdraw(base.url, bad.delivery_id)
    assert versions(base) == before
