"""SIREN and SIRET, checked column by column without a Python loop.

Luhn key as in the INSEE documentation, with the exception of La Poste (SIREN 356000000: the sum of the digits of the
SIRET is a multiple of 5). `python-stdnum` is the reference in the tests.
"""

from __future__ import annotations

import numpy as np
import polars as pl

_LA_POSTE = "356000000"
_LA_POSTE_SIEGE = "35600000000048"
_DOUBLED = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9])  # sum of the digits of each doubled digit
# ACOSS gives NICs whose first digit is 5, 6, 7 or 9 to interim, modelling and film accounts: no such establishment.
_PSEUDO_NIC = ["5", "6", "7", "9"]


def luhn(digits: pl.Series, length: int) -> pl.Series:
    """True where a text of exactly `length` digits has a right Luhn key (null where it is not a number)."""
    number = digits.cast(pl.Int64, strict=False)
    rest = number.fill_null(0).to_numpy()
    total = np.zeros(len(rest), dtype=np.int64)
    for position in range(length):
        rest, digit = np.divmod(rest, 10)
        total += _DOUBLED[digit] if position % 2 else digit
    right = pl.Series(digits.name, total % 10 == 0)
    return right.set(number.is_null(), None) if number.null_count() else right


def digit_sum(digits: pl.Series, length: int) -> pl.Series:
    """Sum of the digits of a number of at most `length` digits."""
    number = digits.cast(pl.Int64, strict=False)
    total = number % 10
    for _ in range(length - 1):
        number = number // 10
        total = total + number % 10
    return total


def well_formed(text: pl.Series, length: int) -> pl.Series:
    """True where the text is made of exactly `length` ASCII digits."""
    return text.str.contains(f"^[0-9]{{{length}}}$")


def valid_siren(siren: pl.Series) -> pl.Series:
    """True where nine digits have a right key (null and malformed values give null or False)."""
    return luhn(siren, 9)


def valid_siret(siret: pl.Series) -> pl.Series:
    """True where both the SIREN part and the whole SIRET have a right key, La Poste included."""
    poste = siret.str.starts_with(_LA_POSTE)
    whole = luhn(siret, 14)
    if poste.any():
        exception = poste & (siret != _LA_POSTE_SIEGE)
        fives = digit_sum(siret, 14) % 5 == 0
        whole = (exception & fives) | (~exception & whole)
    return whole & luhn(siret.str.slice(0, 9), 9)


def pseudo_siret(siret: pl.Series) -> pl.Series:
    """True where 14 digits are an ACOSS pseudo-SIRET (10th digit 5, 6, 7 or 9)."""
    return siret.str.slice(9, 1).is_in(_PSEUDO_NIC)


def provisional_siret(siret: pl.Series) -> pl.Series:
    """True where 14 letters and digits hold at least one letter: a provisional number."""
    return siret.str.contains("^[0-9A-Za-z]{14}$") & siret.str.contains("[A-Za-z]")
