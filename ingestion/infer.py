"""A first draft of a contract from a sample file: what its cells allow, for a person to correct.

The draft reads the very file it came from without a reject, unless whole lines come twice. What a sample cannot tell
(owner, cadence, lag, labels) is marked « à compléter ».
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import polars as pl
import yaml

from expectations.contract import Column, Contract, DateFormat
from ingestion import cells, identity
from ingestion.check import check_file
from ingestion.content import Content, Refusal, examine
from ingestion.layout import normalised
from ingestion.lines import DEFAULT_DATE_MAX, DEFAULT_DATE_MIN
from ingestion.records import Header, first_line, read_records, split_header

DELIMITERS = (";", ",", "\t", "|")
_TO_COMPLETE = "à compléter"
_KEY_COLUMNS, _KEY_WIDTH = 8, 5  # candidate columns, and how many of them a key may have
_INDEX_WIDTH = 32  # columns that a PostgreSQL index may have
_PERSONAL = frozenset(
    "adresse courriel email iban mail mel mobile naissance nir nom patronyme portable prenom prenoms telephone tel".split()
)
_KEY_ORDER = ("siret", "siren", "periode_debut", "date", "integer", "text")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass
class _Guess:
    """One header, and the types that every cell met so far allows, most telling first."""

    header: str
    position: int
    name: str
    types: list[dict[str, Any]]
    filled: int = 0
    empty: int = 0
    truths: set[str] = field(default_factory=set)


def infer_contract(path: Path, *, name: str | None = None) -> str:
    """The YAML text of a draft (see the module docstring); `name` defaults to one made from the file's.

    Raises:
        Refusal: the file is not a text, is empty, has no header, or cannot be decoded.
        OSError: it cannot be read.
    """
    content = examine(path)
    if content.form != "texte":
        raise Refusal("forme", f"{path.name} : fichier texte attendu, {content.form} reçu (règle forme)")
    found = first_line(content)
    if found is None:
        raise Refusal("fichier_vide", f"{path.name}, ligne 1 : fichier vide, en-tête attendu (règle fichier_vide)")
    delimiter = max(DELIMITERS, key=lambda d: len(split_header(found[1], d)))
    header = Header(found[0], tuple(split_header(found[1], delimiter)))
    guesses = _guesses(header)
    sample: pl.DataFrame | None = None
    for frame in read_records(content, header, delimiter):
        whole = frame.filter(pl.col("_fault").is_null())
        sample = whole if sample is None else sample
        for guess in guesses:
            _narrow(guess, whole[f"c{guess.position}"])
    if not guesses:
        raise Refusal("colonne_absente", f"{path.name}, ligne {header.line} : aucun nom de colonne utilisable")
    draft = _draft(path, content, delimiter, guesses, name)
    for key in _keys(guesses, sample):
        draft["key"] = key
        if not _settle(path, draft):
            break
    return _written(draft, guesses)


def _guesses(header: Header) -> list[_Guess]:
    """One guess per header that has a name of its own; the reader ignores the others."""
    names = [normalised(cell) for cell in header.cells]
    guesses: list[_Guess] = []
    taken: Counter[str] = Counter()
    for position, (cell, normal) in enumerate(zip(header.cells, names, strict=True)):
        if not normal or names.count(normal) > 1:
            continue
        slug = _slug(cell) or f"colonne_{position + 1}"
        taken[slug] += 1
        unique = slug if taken[slug] == 1 else f"{slug}_{position + 1}"
        guesses.append(_Guess(cell.replace("\ufeff", ""), position, unique, _candidates(slug)))
    return guesses


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return slug if _NAME.match(slug) else f"colonne_{slug}" if slug else ""


def _candidates(slug: str) -> list[dict[str, Any]]:
    """Types to try, most telling first: a period and the URSSAF's dates are told from numbers by their header only."""
    formats = [name for name in get_args(DateFormat) if name not in ("urssaf", "excel")]
    dated = bool(re.search(r"(^|_)(dt|date)(_|$)", slug))
    return [
        {"type": "siret"},
        {"type": "siren"},
        *([{"type": "periode_debut"}] if "period" in slug else []),
        *([{"type": "date", "formats": ["urssaf"]}] if dated else []),
        *({"type": "date", "formats": [name]} for name in formats),
        {"type": "boolean"},
        {"type": "integer"},
        {"type": "decimal"},
        {"type": "text"},
    ]


def _narrow(guess: _Guess, raw: pl.Series) -> None:
    """Keeps the types that every cell of these allows."""
    text = raw.str.strip_chars()
    text = text.set((text == "").fill_null(False), None)
    distinct = text.drop_nulls().unique()
    guess.filled += len(text) - text.null_count()
    guess.empty += text.null_count()
    guess.truths |= {value for value in distinct.head(3).to_list() if len(distinct) <= 2}
    guess.types = [candidate for candidate in guess.types if not len(distinct) or _allows(candidate, distinct)]


def _allows(candidate: dict[str, Any], text: pl.Series) -> bool:
    kind = candidate["type"]
    if kind == "text":
        return True
    if kind in ("siren", "siret"):
        plain = text.str.replace_all(r"\s", "")
        length = 9 if kind == "siren" else 14
        if not identity.well_formed(plain, length).all():
            return False
        valid = identity.valid_siren(plain) if length == 9 else identity.valid_siret(plain)
        real = ~plain.str.starts_with("000000000")
        return bool((valid & real).all()) and not (length == 14 and identity.pseudo_siret(plain).any())
    if kind in ("integer", "decimal") and text.str.contains(r"^-?0[0-9]").any():
        return False  # a code: its zeros would be lost
    if kind == "decimal" and not text.str.contains(r"[.,eE]").any():
        return False  # a number longer than any amount of ours: an identifier
    column = Column.model_validate({"name": "x", "description": "x", **candidate})
    typed = cells.parse(text, column)
    if typed.null_count():
        return False
    return kind != "date" or bool(typed.is_between(DEFAULT_DATE_MIN, DEFAULT_DATE_MAX).all())


def _chosen(guess: _Guess) -> dict[str, Any]:
    """The most telling type left; an empty column is text, and one value alone is no boolean."""
    if not guess.filled:
        return {"type": "text"}
    usable = [c for c in guess.types if c["type"] != "boolean" or len(guess.truths) == 2]
    return usable[0]


def _draft(path: Path, content: Content, delimiter: str, guesses: Sequence[_Guess], name: str | None) -> dict[str, Any]:
    stem = re.sub(r"\.(gz|zip|xz)$", "", path.name, flags=re.IGNORECASE)
    stem = re.sub(r"\.(csv|txt)$", "", stem, flags=re.IGNORECASE)
    word = re.sub(r"[^a-z]+", "_", _slug(stem)).strip("_") or "fichier"
    columns = [_column(guess) for guess in guesses]
    dates = [c["name"] for c in columns if c["type"] in ("date", "periode_debut")]
    return {
        "name": name or f"producteur__{word}",
        "producer": _TO_COMPLETE,
        "label": _TO_COMPLETE,
        "description": f"{_TO_COMPLETE.capitalize()}.",
        "owner": _TO_COMPLETE,
        "cadence": "mensuelle",
        "deadline_day": 25,
        "max_age_days": 62,
        "max_reject_share": 0.02,
        "mode": "append",
        **({"knowledge": {"column": dates[0], "lag_days": 30}} if dates else {}),
        "file_names": [re.sub(r"[0-9]+", r"\\d+", re.escape(stem))],
        **({"encodings": [content.encoding]} if content.encoding in ("utf-8", "iso-8859-15") else {}),
        "delimiters": [delimiter],
        "key": [],
        "columns": columns,
    }


def _column(guess: _Guess) -> dict[str, Any]:
    column: dict[str, Any] = {"name": guess.name, "headers": [guess.header], **_chosen(guess)}
    if not guess.empty and guess.filled:
        column |= {"required": True, "nullable": False}
    if _PERSONAL & set(guess.name.split("_")):
        column["personal_data"] = True
    return column | {"description": f"{guess.header} : {_TO_COMPLETE}"}


def _keys(guesses: Sequence[_Guess], sample: pl.DataFrame | None) -> Iterator[list[str]]:
    """Candidate keys, fewest columns first, that the first lines do not contradict; all columns as a last resort."""
    full = [guess for guess in guesses if guess.filled and not guess.empty and _chosen(guess)["type"] in _KEY_ORDER]
    full.sort(key=lambda guess: (_KEY_ORDER.index(_chosen(guess)["type"]), guess.position))
    if sample is not None and sample.height:
        for width in range(1, _KEY_WIDTH + 1):
            for some in itertools.combinations(full[:_KEY_COLUMNS], width):
                told = any(_chosen(guess)["type"] not in ("date", "periode_debut") for guess in some)
                if told and not sample.select(f"c{guess.position}" for guess in some).is_duplicated().any():
                    yield [guess.name for guess in some]
    yield [guess.name for guess in guesses[:_INDEX_WIDTH]]


def _settle(path: Path, draft: dict[str, Any]) -> bool:
    """Makes the columns of the key fit for one; True when the file repeats a key."""
    known_by = draft.get("knowledge", {}).get("column")
    draft["key"] = [name for name in draft["key"] if name != known_by or _is_full(draft, name)]
    for column in draft["columns"]:
        if column["name"] in draft["key"] and not column.get("required"):  # the key of the last resort
            column |= {"type": "text", "default": ""}
            column.pop("formats", None)
    contract = Contract.model_validate(draft)
    check = check_file(path, {contract.name: contract}, source=contract.name)
    return any(broken.rule == "cle_en_double" for broken in check.rules)


def _is_full(draft: dict[str, Any], name: str) -> bool:
    return any(column["name"] == name and column.get("required") for column in draft["columns"])


def _written(draft: dict[str, Any], guesses: Sequence[_Guess]) -> str:
    """The draft in the form of the project's contracts: one line a field, one line a column."""
    lines = ["# Brouillon établi d'après un fichier : à relire et à compléter (voir docs/add-a-source.md)."]
    lines += [f"{field}: {_flow(value)}" for field, value in draft.items() if field != "columns"]
    lines.append("columns:")
    empty = {guess.name for guess in guesses if not guess.filled}
    for column in draft["columns"]:
        note = "  # toujours vide dans le fichier" if column["name"] in empty else ""
        lines.append(f"  - {_flow(column)}{note}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=2**31)
    return text.removesuffix("...\n").strip()
