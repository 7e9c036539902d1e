"""Cells to typed values. Each parser takes a text column (empty = null) and returns typed values, null where unreadable.

A value that cannot be read exactly is never guessed: '12.5' is not an integer, '201750' is not a period.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache

import polars as pl

from expectations.contract import Column

INTEGER_MAX = 2**31 - 1  # PostgreSQL integer
_EXCEL_EPOCH_DAYS = 25569  # from 1899-12-30, day 0 of Excel, to 1970-01-01; serials read: 1954 to 2119
_SPACES = r"[ \u00a0\u202f]"
# '1,234' and '1.234' are a thousand and some for one producer, one and some for another.
_AMBIGUOUS = r"^-?[1-9][0-9]{0,2}[.,][0-9]{3}$"
_THOUSANDS = rf"^-?[0-9]{{1,3}}(?:{_SPACES}[0-9]{{3}}){{1,4}}(?:[.,][0-9]*)?$"
_NUMBER = r"^-?[0-9]{1,30}(?:[.,][0-9]{0,300})?(?:[eE][+-]?[0-9]{1,2})?$"
_DIGITS_MAX = 17  # of numeric(18, scale), less the one that rounding may add
_PLAIN_DIGITS = 18  # a number that long fits in 64 bits, whatever it is

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "JAN JANV JANVIER JANUARY", "FEB FEV FEVR FEVRIER FEBRUARY", "MAR MARS MARCH", "APR AVR AVRIL APRIL",
            "MAY MAI", "JUN JUIN JUNE", "JUL JUIL JUILLET JULY", "AUG AOU AOUT AUGUST", "SEP SEPT SEPTEMBRE SEPTEMBER",
            "OCT OCTOBRE OCTOBER", "NOV NOVEMBRE NOVEMBER", "DEC DECEMBRE DECEMBER",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_BOOLEANS = {"1": True, "t": True, "true": True, "vrai": True, "0": False, "f": False, "false": False, "faux": False}
_PROCOL_ACTIONS = ("liquidation", "redressement", "sauvegarde")

# What the producer is told was expected, by type.
EXPECTED = {
    "text": "texte attendu",
    "siren": "SIREN de 9 chiffres attendu",
    "siret": "SIRET de 14 chiffres attendu",
    "siren_list": "un ou plusieurs SIREN de 9 chiffres attendus",
    "integer": "nombre entier attendu",
    "decimal": "nombre attendu",
    "centimes": "montant en centimes attendu",
    "date": "date attendue",
    "periode_debut": "période URSSAF AATM ou AAAATM attendue",
    "periode_fin": "période URSSAF AATM ou AAAATM attendue",
    "boolean": "0 ou 1 attendu",
}
RULES = {
    "text": "texte",
    "siren": "siren",
    "siret": "siret",
    "siren_list": "siren",
    "integer": "entier",
    "decimal": "nombre",
    "centimes": "montant",
    "date": "date",
    "periode_debut": "periode",
    "periode_fin": "periode",
    "boolean": "booleen",
}
DATE_FORMATS = {
    "iso": "AAAA-MM-JJ",
    "jj/mm/aaaa": "JJ/MM/AAAA",
    "jj/mm/aa": "JJ/MM/AA",
    "mm/aaaa": "MM/AAAA",
    "urssaf": "1AAMMJJ",
    "jjmmmaaaa": "JJMMMAAAA",
    "excel": "numéro de jour d'Excel",
}


def parse(text: pl.Series, column: Column) -> pl.Series:
    """Typed values of a column: amounts in centimes are integers, other numbers exact decimal texts."""
    match column.type:
        case "integer":
            return parse_integers(text)
        case "decimal":
            return parse_decimals(text, column.scale)
        case "centimes":
            return parse_centimes(text)
        case "date":
            return parse_dates(text, column.formats)
        case "periode_debut" | "periode_fin":
            return _mapped(text, {v: _bound(v, column.type) for v in text.unique().drop_nulls()}, pl.Date)
        case "text" if column.extract:
            return text.str.extract(f"^(?:{column.extract})$")
        case "boolean":
            return text.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
        case _:
            return text


def parse_integers(text: pl.Series) -> pl.Series:
    """Integers; '559.0' and '1 234' are read, '12.5', '1.000' and '1e3' are not. Beyond 32 bits: null."""
    values = _whole_numbers(text)
    return values.set((values.abs() > INTEGER_MAX).fill_null(False), None)


def _whole_numbers(text: pl.Series) -> pl.Series:
    """Integers with or without spaces between thousands and zeros after a decimal mark."""
    values = _plain_integers(text)
    if values.null_count() > text.null_count():
        clear = text.set(ambiguous(text), None)
        other = clear.str.extract(rf"^(-?[0-9]{{1,3}}(?:{_SPACES}[0-9]{{3}}){{1,5}}|-?[0-9]{{1,18}})(?:[.,]0*)?$")
        values = values.fill_null(other.str.replace_all(_SPACES, "").cast(pl.Int64))
    return values


def ambiguous(text: pl.Series) -> pl.Series:
    """True where a mark before three digits may stand between thousands or begin decimals."""
    return text.str.contains(_AMBIGUOUS).fill_null(False)


def _plain_integers(text: pl.Series) -> pl.Series:
    """Texts of at most 18 digits, with or without a minus sign, as integers; null for anything else.

    The cast of polars accepts a sign and digits, nothing else: only the plus and the length are left to check.
    """
    values = text.cast(pl.Int64, strict=False)
    digits = text.str.len_bytes().cast(pl.Int64) - (values < 0).cast(pl.Int64)
    odd = (digits > _PLAIN_DIGITS) | text.str.starts_with("+")
    return values.set(odd.fill_null(False), None) if odd.any() else values


def parse_decimals(text: pl.Series, scale: int | None) -> pl.Series:
    """Numbers with a decimal point or comma and perhaps spaces between thousands, as exact texts that the server can
    store. Amounts (scale given): as many digits as fit before it, and not '1,234'; the others may also carry an exponent,
    as floats of a program do."""
    grammar = rf"^-?[0-9]{{1,{_DIGITS_MAX - scale}}}(?:[.,][0-9]{{0,300}})?$" if scale else _NUMBER
    right = text.str.contains(grammar).fill_null(True)
    # Programs write amounts that they computed with a point and any number of decimals.
    if scale and (unclear := ambiguous(text) & text.str.contains(",", literal=True).fill_null(False)).any():
        right = right & ~unclear
    values = text
    if not right.all():
        spaced = text.str.contains(_THOUSANDS).fill_null(False)
        joined = text.set(~spaced, None).str.replace_all(_SPACES, "")
        fitting = joined.set(~joined.str.contains(grammar).fill_null(True), None)
        values = text.set(~right, None).fill_null(fitting)
    return values.str.replace(",", ".", literal=True)


def parse_centimes(text: pl.Series) -> pl.Series:
    """Whole cents, as integers: '195907' and '195 907.00' are 1959.07 euros, '195907.5' and '1.000' are not read."""
    return _whole_numbers(text)


def parse_dates(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Dates in the first of `formats` that reads them; impossible dates (31 April) are null."""
    distinct = text.unique(maintain_order=True)
    if len(distinct) <= len(text) // 4:  # a few days come back on many lines
        return text.replace_strict(distinct, _parse_dates(distinct, formats), return_dtype=pl.Date)
    return _parse_dates(text, formats)


def _parse_dates(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    values = pl.Series(text.name, [None], dtype=pl.Date).new_from_index(0, len(text))
    for name in formats:
        values = values.fill_null(_dates(text, name))
        if values.null_count() == text.null_count():
            break
    return values


def _dates(text: pl.Series, name: str) -> pl.Series:
    match name:
        case "iso":
            iso = text.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]00:00:00(?:\.0+)?Z?)?$")
            return iso.str.to_date("%Y-%m-%d", strict=False)
        case "jj/mm/aaaa":
            slashed = text.str.extract(r"^([0-9]{2}/[0-9]{2}/[0-9]{4})(?: 00:00:00)?$")
            return slashed.str.to_date("%d/%m/%Y", strict=False)
        case "jj/mm/aa":
            return text.str.extract(r"^([0-9]{2}/[0-9]{2}/[0-9]{2})$").str.to_date("%d/%m/%y", strict=False)
        case "mm/aaaa":
            return ("01/" + text.str.extract(r"^([0-9]{2}/[0-9]{4})$")).str.to_date("%d/%m/%Y", strict=False)
        case "excel":
            serial = text.str.extract(r"^([2-7][0-9]{4})(?:\.0+)?$").cast(pl.Int32)
            return (serial - _EXCEL_EPOCH_DAYS).cast(pl.Date)
        case "urssaf":
            number = text.str.extract(r"^([0-9]{6,7})$").cast(pl.Int64) + 19_000_000
            return number.cast(pl.String).str.to_date("%Y%m%d", strict=False)
        case "jjmmmaaaa":
            return _mapped(text, {v: _month_name_date(v) for v in text.unique().drop_nulls()}, pl.Date)
    raise ValueError(name)


def _mapped(text: pl.Series, mapping: dict[str, date | None], dtype: type[pl.DataType]) -> pl.Series:
    return text.replace_strict(list(mapping), list(mapping.values()), default=None, return_dtype=dtype)


@lru_cache(maxsize=100_000)
def _month_name_date(text: str) -> date | None:
    """'26MAY2014', '31déc2012', '31 dec. 2012', '1er juillet 2010': day, month name in English or French, year."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()
    found = re.fullmatch(r"(1ER|\d{1,2})[ -]?([A-Z]+)\.?[ -]?(\d{4})", plain)
    if not found or found[2] not in _MONTHS:
        return None
    try:
        return date(int(found[3]), _MONTHS[found[2]], int(found[1].removesuffix("ER")))
    except ValueError:
        return None


@lru_cache(maxsize=100_000)
def parse_periode(text: str) -> tuple[date, date] | None:
    """URSSAF period `YYQM` or `YYYYQM` as (first day, first day after); None when it is not one.

    `62`: the year; month 0: quarter Q; else month M of quarter Q. 201750, 201761, 201719 and 201704 are not periods.
    """
    if not re.fullmatch(r"[0-9]{4}|[0-9]{6}", text):
        return None
    quarter, month = int(text[-2]), int(text[-1])
    year = int(text[:-2])
    if len(text) == 4:
        year += 2000 if year < 50 else 1900
    if not 1900 <= year <= 2100:
        return None
    if (quarter, month) == (6, 2):
        return date(year, 1, 1), date(year + 1, 1, 1)
    if not (1 <= quarter <= 4 and 0 <= month <= 3):
        return None
    first = (quarter - 1) * 3 + (month or 1)
    after = first + (1 if month else 3)
    return date(year, first, 1), date(year + after // 13, (after - 1) % 12 + 1, 1)


def _bound(text: str, which: str) -> date | None:
    bounds = parse_periode(text)
    return bounds and bounds[which == "periode_fin"]


def holds_object(text: pl.Series) -> pl.Series:
    """True where the text is a JSON object (null where it is empty)."""
    found = text.str.json_path_match("$").str.starts_with("{").fill_null(False)
    return found.set(text.is_null(), None)


def field_of(objects: pl.Series, field: str) -> pl.Series:
    """The text of one field of JSON objects, without outer white space; null where it is empty or there is none."""
    text = objects.str.json_path_match(f"$.{field}").str.strip_chars()
    return text.set((text == "").fill_null(False), None)


def derive(column: Column, values: dict[str, pl.Series]) -> pl.Series:
    """A column computed from others of the same line."""
    source = [values[name] for name in column.sources]
    match column.derived:
        case "concatenation":
            return source[0] + source[1]
        case "departement":
            overseas = source[0].str.slice(0, 2).is_in(["97", "98"])
            code = source[0].to_frame("c")
            return code.select(
                pl.when(pl.col("c").str.len_chars() < 2)
                .then(None)
                .when(overseas)
                .then(pl.col("c").str.slice(0, 3))
                .otherwise(pl.col("c").str.slice(0, 2))
            ).to_series()
        case "procol_action" | "procol_stade":
            part = column.derived == "procol_stade"
            mapping = {v: split_procol(v)[part] for v in source[0].unique().drop_nulls()}
            return source[0].replace_strict(list(mapping), list(mapping.values()), default=None, return_dtype=pl.String)
    raise ValueError(column.derived)


def split_procol(libelle: str) -> tuple[str | None, str | None]:
    """(action, stage) of a `Lib_actx_stdx`: the first `_` token that holds an action, and the other tokens rejoined.

    Both are None when no token holds an action.
    """
    tokens = libelle.lower().split("_")
    for index, token in enumerate(tokens):
        for action in _PROCOL_ACTIONS:
            if action in token:
                return action, "_".join(tokens[:index] + tokens[index + 1 :]) or None
    return None, None
