"""French typography for figures, amounts, dates, probabilities and plurals.

Rules (Imprimerie nationale): a narrow no-break space (U+202F) groups thousands and stands before « ; ! ? % », a
no-break space (U+00A0) before « : » and units and inside « », the decimal sign is a comma, the minus sign U+2212,
and zero and one are singular.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

NARROW = "\u202f"
NO_BREAK = "\u00a0"
MINUS = "\u2212"
UNKNOWN = "non connu"

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
SHORT_MONTHS = ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")


def rounded(value: float | Decimal, decimals: int = 0) -> Decimal:
    """`value` rounded half up at `decimals`, from its shortest decimal text, so that 0.125 never depends on binary."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def number(value: float | Decimal | None, decimals: int = 0, *, signed: bool = False) -> str:
    """`1234.5` -> « 1 234,5 » (narrow no-break space, comma); « non connu » for None; `signed` writes « + »."""
    if value is None:
        return UNKNOWN
    figure = rounded(value, decimals)
    integer, _, fraction = f"{abs(figure):,f}".partition(".")
    text = integer.replace(",", NARROW) + (f",{fraction}" if fraction else "")
    if figure < 0:
        return MINUS + text
    return f"+{text}" if signed and figure > 0 else text


def trimmed(value: float | Decimal | None, decimals: int = 1) -> str:
    """Like `number`, without decimals when they are all zero: « 12 », « 12,5 »."""
    if value is None:
        return UNKNOWN
    return number(value, 0 if rounded(value, decimals) == rounded(value) else decimals)


def euros(value: float | Decimal | None) -> str:
    """Whole euros: « 12 345 € »."""
    return UNKNOWN if value is None else f"{number(value)}{NO_BREAK}€"


def percent(value: float | None, decimals: int = 1) -> str:
    """Fraction as a percentage: 0.125 -> « 12,5 % », 0.2 -> « 20 % »."""
    return UNKNOWN if value is None else f"{trimmed(Decimal(str(value)) * 100, decimals)}{NARROW}%"


def plural(count: float | Decimal, singular: str, plural_form: str | None = None) -> str:
    """The word for `count` things: zero and one are singular in French."""
    return singular if -2 < count < 2 else (plural_form or f"{singular}s")


def counted(count: int, singular: str, plural_form: str | None = None, *, feminine: bool = False) -> str:
    """« 3 entreprises », « 1 entreprise », « aucune entreprise »."""
    if count == 0:
        return f"{'aucune' if feminine else 'aucun'} {singular}"
    return f"{number(count)}{NO_BREAK}{plural(count, singular, plural_form)}"


def day(value: date | None) -> str:
    """« 1er décembre 2025 »; « non connu » for None."""
    if value is None:
        return UNKNOWN
    ordinal = "1er" if value.day == 1 else str(value.day)
    return f"{ordinal}{NO_BREAK}{MONTHS[value.month - 1]}{NO_BREAK}{value.year}"


def month(value: date | None) -> str:
    """« décembre 2025 »; « non connu » for None."""
    return UNKNOWN if value is None else f"{MONTHS[value.month - 1]}{NO_BREAK}{value.year}"


def short_month(value: date) -> str:
    """« déc. 25 », for the axis of a chart and its table."""
    return f"{SHORT_MONTHS[value.month - 1]}{NO_BREAK}{value.year % 100:02d}"


def of(words: str) -> str:
    """« de janvier », « d’août »: the preposition with its elision."""
    return f"d’{words}" if words[:1].lower() in "aeiouyàâéèêëîïôöûüœæ" else f"de {words}"


def out_of_hundred(probability: float) -> int:
    """Number of companies out of 100, half up, kept between 1 and 99 so that it never says impossible or certain."""
    return min(99, max(1, int(rounded(Decimal(str(probability)) * 100))))


def hundred_words(probability: float) -> str:
    """« 7 entreprises sur 100 », « moins de 1 entreprise sur 100 », « plus de 99 entreprises sur 100 »."""
    share = Decimal(str(probability)) * 100
    figure = out_of_hundred(probability)
    prefix = "moins de " if share < Decimal("0.5") else "plus de " if share >= Decimal("99.5") else ""
    return f"{prefix}{figure}{NO_BREAK}{plural(figure, 'entreprise')} sur{NO_BREAK}100"


def probability_sentence(probability: float, months: int) -> str:
    """« 7 entreprises sur 100 dans cette situation ont connu une procédure collective dans les 18 mois »."""
    verb = "a connu" if out_of_hundred(probability) == 1 else "ont connu"
    return (
        f"{hundred_words(probability)} dans cette situation {verb} une procédure collective"
        f" dans les {months}{NO_BREAK}mois"
    )


def enumeration(items: Iterable[str]) -> str:
    """« a, b et c »."""
    words = list(items)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} et {words[-1]}"


def spaced(text: str) -> str:
    """Ordinary spaces before French double punctuation and inside « » made no-break, in a text written by a person."""
    text = re.sub(r" (?=[;!?%])", NARROW, text)
    text = re.sub(r" (?=[:»€])", NO_BREAK, text)
    text = re.sub(r"(?<=«) ", NO_BREAK, text)
    return re.sub(r"(?<=[0-9]) (?=[0-9]{3}(?![0-9]))", NARROW, text)


def siren(value: str) -> str:
    """« 012 345 672 », with no-break spaces."""
    return f"{value[:3]}{NO_BREAK}{value[3:6]}{NO_BREAK}{value[6:]}"


def siret(value: str) -> str:
    """« 012 345 672 00012 », with no-break spaces."""
    return f"{siren(value[:9])}{NO_BREAK}{value[9:]}"
