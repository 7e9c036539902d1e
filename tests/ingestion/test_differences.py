"""What changed between two deliveries of a source."""

from __future__ import annotations

from datetime import date

import pytest
from delivery_base import Base

from ingestion.differences import CompanyChange, DifferenceRefused, difference
from ingestion.withdraw import withdraw

JAN, FEB, MAR = date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)
HEADER = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"


def test_companies_that_came_went_and_changed_are_told_with_their_columns(base: Base, debits: str) -> None:
    header, *rows = debits.splitlines()
    siren = [row.split(";")[3] for row in rows]
    one = base.deliver("\n".join([header, *rows[:3]]) + "\n", received=JAN)
    changed = rows[0].replace(";195907;", ";195908;")
    two = base.deliver("\n".join([header, changed, rows[1], rows[3]]) + "\n", received=FEB)
    found = difference(base.url, one.delivery_id, two.delivery_id)
    assert found.rows == {"added": 1, "removed": 1, "changed": 1}
    assert found.columns == {"part_ouvriere_eur": 1}
    assert sum(item.rows_changed for item in found.changes) == 1
    assert {item.siren for item in found.changes} == {siren[0], siren[2], siren[3]}
    back = difference(base.url, two.delivery_id, one.delivery_id)
    assert back.rows == {"added": 1, "removed": 1, "changed": 1}
    assert {(c.siren, c.rows_added, c.rows_removed) for c in back.changes} == {
        (c.siren, c.rows_removed, c.rows_added) for c in found.changes
    }


def test_a_company_is_new_only_when_none_of_its_rows_was_known(base: Base) -> None:
    """A second month of a company that we know is a change, not an arrival."""
    one = base.deliver(HEADER + "012345674;2;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    two = base.deliver(HEADER + "012345674;3;x;15/01/2019\n023456783;4;x;15/01/2019\n", "paydex_2.csv", received=FEB)
    three = base.deliver(HEADER + "012345674;9;x;15/12/2018\n", "paydex_3.csv", received=FEB)
    found = difference(base.url, one.delivery_id, two.delivery_id)
    assert found.changes == [
        CompanyChange("012345674", "changed", 1, 0, 0, []),
        CompanyChange("023456783", "added", 1, 0, 0, []),
    ]
    assert found.companies == {"added": 1, "removed": 0, "changed": 1}
    over_two = difference(base.url, one.delivery_id, three.delivery_id)
    assert over_two.rows == {"added": 2, "removed": 0, "changed": 1}
    assert over_two.columns == {"nb_jours": 1}
    same_day = difference(base.url, two.delivery_id, three.delivery_id)
    assert same_day.changes == [CompanyChange("012345674", "changed", 0, 0, 1, ["nb_jours"])]


def test_what_left_and_came_back_the_same_is_no_difference(base: Base, debits: str) -> None:
    one = base.deliver(debits, received=JAN)
    base.deliver("\n".join(debits.splitlines()[:-1]) + "\n", received=FEB)
    three = base.deliver(debits + "\n", received=MAR)
    assert difference(base.url, one.delivery_id, three.delivery_id).changes == []


def test_deliveries_that_cannot_be_compared_are_refused_with_the_reason(base: Base, debits: str) -> None:
    one = base.deliver(debits, received=JAN)
    other = base.deliver(HEADER + "012345674;2;x;15/12/2018\n", "paydex_1.csv", received=JAN)
    two = base.deliver(debits + "\n", received=FEB)
    withdraw(base.url, two.delivery_id)
    for pair, reason in (
        ((one.delivery_id, 999), "n’existe pas"),
        ((one.delivery_id, other.delivery_id), "sources différentes"),
        ((one.delivery_id, two.delivery_id), "withdrawn"),
    ):
        with pytest.raises(DifferenceRefused, match=reason):
            difference(base.url, *pair)
