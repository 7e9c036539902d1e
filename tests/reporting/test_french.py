"""French typography and nomenclatures."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import french, nomenclature

N, B = french.NARROW, french.NO_BREAK


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 0, "0"),
        (999, 0, "999"),
        (1234567, 0, f"1{N}234{N}567"),
        (1234.5, 1, f"1{N}234,5"),
        (0.125, 2, "0,13"),
        (-12.34, 1, "\u221212,3"),
        (-0.04, 1, "0,0"),
        (Decimal("2.5"), 0, "3"),
        (None, 0, "non connu"),
    ],
)
def test_numbers_have_a_comma_narrow_spaces_and_a_true_minus(value: float | None, decimals: int, text: str) -> None:
    """0.125 rounds to 0,13 (half up on the decimal text), not to 0,12 as binary rounding gives."""
    assert french.number(value, decimals) == text


@pytest.mark.parametrize(("count", "word"), [(0, "jour"), (1, "jour"), (1.9, "jour"), (2, "jours"), (-1, "jour")])
def test_zero_and_one_are_singular(count: float, word: str) -> None:
    assert french.plural(count, "jour") == word


def test_nothing_is_aucun_or_aucune() -> None:
    assert french.counted(0, "jour") == "aucun jour"
    assert french.counted(0, "entreprise", feminine=True) == "aucune entreprise"
    assert french.counted(2, "entreprise", feminine=True) == f"2{B}entreprises"


def test_dates_are_written_out() -> None:
    assert french.day(date(2025, 12, 1)) == f"1er{B}décembre{B}2025"
    assert french.day(date(2025, 8, 22)) == f"22{B}août{B}2025"
    assert french.of(french.month(date(2025, 8, 1))) == f"d’août{B}2025"
    assert french.of(french.month(date(2025, 12, 1))) == f"de décembre{B}2025"


@pytest.mark.parametrize(
    ("probability", "start"),
    [
        (0.0, f"moins de 1{B}entreprise sur{B}100 dans cette situation a connu"),
        (0.0049, f"moins de 1{B}entreprise sur{B}100"),
        (0.01, f"1{B}entreprise sur{B}100 dans cette situation a connu"),
        (0.065, f"7{B}entreprises sur{B}100 dans cette situation ont connu"),
        (0.999, f"plus de 99{B}entreprises sur{B}100"),
    ],
)
def test_a_probability_is_said_in_companies_out_of_a_hundred(probability: float, start: str) -> None:
    assert french.probability_sentence(probability, 18).startswith(start)


@given(st.floats(0, 1), st.floats(0, 1))
def test_companies_out_of_a_hundred_keep_the_order_of_probabilities(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert 1 <= french.out_of_hundred(low) <= french.out_of_hundred(high) <= 99


def test_a_sentence_written_with_ordinary_spaces_gets_no_break_ones() -> None:
    assert french.spaced("Dette : 12 500 € ; soit 18 % « en hausse » !") == (
        f"Dette{B}: 12{N}500{B}€{N}; soit 18{N}% «{B}en hausse{B}»{N}!"
    )


@pytest.mark.parametrize(
    ("naf", "section"),
    [("28.41Z", "C"), ("2841Z", "C"), ("01.11Z", "A"), ("99.00Z", "U"), ("43.99C", "F"), (None, None), ("", None)],
)
def test_a_naf_code_belongs_to_its_section(naf: str | None, section: str | None) -> None:
    assert nomenclature.naf_section(naf) == section


def test_size_classes_are_said_in_words() -> None:
    assert nomenclature.size_class("12") == "20 à 49 salariés"
    assert nomenclature.size_class("10-19") == "10 à 19 salariés"
    assert nomenclature.size_class("50 et plus") == "50 et plus"
    assert nomenclature.size_class("250+") == "250 salariés et plus"
    assert nomenclature.size_class(None) is None
