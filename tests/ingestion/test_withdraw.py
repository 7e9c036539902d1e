"""A delivery taken back: what was known before is known again, exactly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from delivery_base import Base

from ingestion.withdraw import WithdrawalRefused, withdraw

JAN, FEB, MAR = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)


def versions(base: Base) -> list[tuple[Any, ...]]:
    return base.query("select d::text from raw.urssaf__debit d order by _delivery_id, _line, _known_from")


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
