"""Contracts: one YAML file per delivered file says its names, columns, types, key, volume and knowledge date.

Everything about a source that a person may want to read or change without reading code is in
`expectations/contracts/<name>.yml`. The models are frozen and refuse unknown fields: a typing mistake in a contract
is an error that names the file and the line, never an option silently ignored.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from expectations.located_yaml import read_model
from expectations.mistakes import Misplaced

CONTRACTS = Path(__file__).parent / "contracts"

ColumnType = Literal[
    "text",
    "siren",
    "siret",
    "siren_list",
    "integer",
    "decimal",
    "centimes",
    "date",
    "periode_debut",
    "periode_fin",
    "boolean",
]
DateFormat = Literal["iso", "jj/mm/aaaa", "jj/mm/aa", "mm/aaaa", "urssaf", "jjmmmaaaa", "excel"]
Derivation = Literal["concatenation", "departement", "procol_action", "procol_stade"]

_SQL_TYPES: dict[str, str] = {
    "text": "text",
    "siren": "text",
    "siret": "text",
    "siren_list": "text",
    "integer": "integer",
    "decimal": "numeric",
    "centimes": "numeric(18,2)",
    "date": "date",
    "periode_debut": "date",
    "periode_fin": "date",
    "boolean": "boolean",
}
CONTRACT_NAME = r"^[a-z]+(_[a-z]+)*__[a-z_]+$"
FEW_REJECTS = 3  # in a small file a bad line or two exceeds any share…
MOST_REJECTS = 0.5  # … but never more than half of the lines

# The others are recognised to be refused by name.
_COMPRESSED = re.compile(r"(\.(gz|zip|xz|bz2|zst|7z|rar|tar|tgz))+$", re.IGNORECASE)
_KNOWN_FORM = re.compile(r"\.(csv|txt|xlsx?|json|jsonl|parquet)$", re.IGNORECASE)


class ContractError(ValueError):
    """A contract file cannot be used; the message names the file and the line."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Model):
    """One column of the raw table, and how it is read from the file.

    `headers`: every spelling ever delivered; `jugement.date` is the field `date` of the JSON objects that a column `jugement`
    holds. `required`: the header must be in the file. `nullable`: the cell may be
    empty. `default`: what an empty cell is stored as. `extract`: regular expression of the whole cell of a text column,
    whose group 1 is the value. `on_invalid`: instead of rejecting the line, `null` stores an unreadable or forbidden
    value as null and warns, `out_of_scope` leaves the line aside. `scale`: number of decimals stored (euros: 2).
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    type: ColumnType
    description: str
    headers: tuple[str, ...] = ()
    required: bool = False
    nullable: bool = True
    formats: tuple[DateFormat, ...] = ("iso",)
    min: float | date | None = None
    max: float | date | None = None
    allowed: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = ()
    default: str | None = None
    scale: int | None = None
    extract: str | None = None
    on_invalid: Literal["reject", "null", "out_of_scope"] = "reject"
    personal_data: bool = False
    derived: Derivation | None = None
    sources: tuple[str, ...] = ()

    @property
    def sql_type(self) -> str:
        """PostgreSQL type of the raw column."""
        if self.type == "decimal" and self.scale is not None:
            return f"numeric(18,{self.scale})"
        return _SQL_TYPES[self.type]

    @property
    def storage_nullable(self) -> bool:
        """Whether the raw column may hold null."""
        return (self.nullable or self.on_invalid == "null" or not self.required) and self.default is None


class Knowledge(_Model):
    """When a row could have been known: its own date plus a lag in days, for the first delivery of the source.

    A contract without it says that its rows are known on the day they are received, history included.
    """

    column: str
    lag_days: Annotated[int, Field(ge=0)]


class Volume(_Model):
    """A snapshot with fewer lines than this share of the previous delivery is refused."""

    min_share_of_previous: Annotated[float, Field(ge=0, le=1)] = 0.5


class Unpivot(_Model):
    """Wide files: one row per line and period of its headers that match `headers`.

    The group `mois` (URSSAF period of a month) or `annee` of the pattern is the period, stored in the column `period`;
    the group `nom`, when there are several `values`, is one of the `headers` of the column that holds the cell.
    """

    headers: str
    period: str
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class Footer(_Model):
    """A last line that announces the number of lines (group 1 of `pattern`), due in the layouts that have `header`."""

    pattern: str
    header: str


class Contract(_Model):
    """One delivered file: see the module docstring and `docs` for the meaning of each field.

    `optional`: the other sources make do without it, so that it is not missed before its first delivery. `knowledge`
    absent: the rows bear no date of their own, they are known on the day of their delivery.
    """

    name: Annotated[str, Field(pattern=CONTRACT_NAME)]
    producer: str
    label: str
    description: str
    owner: str
    cadence: str
    deadline_day: Annotated[int, Field(ge=1, le=31)]
    max_age_days: Annotated[int, Field(ge=1)]
    max_reject_share: Annotated[float, Field(ge=0, le=1)]
    volume: Volume = Volume()
    mode: Literal["snapshot", "append"]
    knowledge: Knowledge | None = None
    optional: bool = False
    file_names: tuple[str, ...]
    encodings: tuple[Literal["utf-8", "iso-8859-15"], ...] = ("utf-8", "iso-8859-15")
    delimiters: tuple[Annotated[str, Field(pattern=r'^[^"\r\n]$')], ...]
    null_values: tuple[str, ...] = ()
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    key: Annotated[tuple[str, ...], Field(min_length=1)]
    unpivot: Unpivot | None = None
    footer: Footer | None = None

    @model_validator(mode="after")
    def _references_exist(self) -> Contract:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise Misplaced("columns", "deux colonnes portent le même nom")
        mentioned = {
            "key": self.key,
            "knowledge": (self.knowledge.column,) if self.knowledge else (),
            "columns": tuple(name for column in self.columns for name in column.sources),
            "unpivot": self.unpivoted,
        }
        for field, found in mentioned.items():
            if unknown := sorted(set(found) - set(names)):
                raise Misplaced(field, f"colonne inconnue : {', '.join(unknown)}")
        if self.knowledge and self.column(self.knowledge.column).sql_type != "date":
            raise Misplaced("knowledge", f"{self.knowledge.column} n'est pas une date")
        if nullable := [name for name in self.key if self.column(name).storage_nullable and not self._filled(name)]:
            raise Misplaced(
                "key", f"une colonne de la clé doit être obligatoire ou avoir un `default` : {', '.join(nullable)}"
            )
        self._patterns_compile()
        return self

    def _patterns_compile(self) -> None:
        patterns = {
            "file_names": self.file_names,
            "columns": tuple(column.extract for column in self.columns if column.extract),
            "unpivot": (self.unpivot.headers,) if self.unpivot else (),
            "footer": (self.footer.pattern,) if self.footer else (),
        }
        for field, found in patterns.items():
            for pattern in found:
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise Misplaced(field, f"expression régulière illisible : {pattern}") from error

    def _filled(self, name: str) -> bool:
        """True for columns that the reader always fills: unpivoted, listed or derived ones."""
        column = self.column(name)
        return name in self.unpivoted or column.type == "siren_list" or column.derived is not None

    def column(self, name: str) -> Column:
        """The column of that name (KeyError when there is none)."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def unpivoted(self) -> tuple[str, ...]:
        """Names of the columns that a wide file's headers fill: the period, then the values."""
        return (self.unpivot.period, *self.unpivot.values) if self.unpivot else ()

    @property
    def personal_data(self) -> tuple[str, ...]:
        """Names of the columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.personal_data)

    def tolerates(self, rejected: int, lines: int) -> bool:
        """Whether the gate lets a file through that has this many rejected lines."""
        return rejected <= min(MOST_REJECTS, max(self.max_reject_share, FEW_REJECTS / max(lines, 1))) * lines

    def recognises(self, file_name: str) -> bool:
        """True when the file name (any case, extension of a known form, optional .gz/.zip/.xz) is one of this contract's
        names."""
        composed = unicodedata.normalize("NFC", file_name)  # macOS writes an accent as a character of its own
        stem = _COMPRESSED.sub("", composed)
        bare = _KNOWN_FORM.sub("", stem)
        if bare == composed:
            return False
        return any(re.fullmatch(pattern, bare, re.IGNORECASE) for pattern in self.file_names)


def load_contracts(folder: Path | None = None) -> dict[str, Contract]:
    """All contracts of a folder by name, in alphabetical order (default: the project's, read once in a process).

    Raises ContractError, naming file and line, when one cannot be used.
    """
    return dict(_project_contracts()) if folder is None else _contracts_in(folder)


@cache
def _project_contracts() -> dict[str, Contract]:
    return _contracts_in(CONTRACTS)


def _contracts_in(folder: Path) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    for path in sorted(folder.glob("*.yml")):
        contract = load_contract(path)
        if contract.name != path.stem:
            raise ContractError(f"{path}, ligne 1 : le contrat s'appelle {contract.name!r}, le fichier {path.stem!r}")
        contracts[contract.name] = contract
    return contracts


def load_contract(path: Path) -> Contract:
    """One contract from its YAML file (ContractError, in French, naming file and line of each mistake)."""
    return read_model(path, Contract, error=ContractError, subject="contrat")
