"""Records to rows: typed values of the contract's columns, and for each bad line its first violation."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import polars as pl

from expectations.contract import Column, Contract, Unpivot
from ingestion import cells, identity
from ingestion.content import REPLACED
from ingestion.footer import until_footer
from ingestion.layout import Layout

Identity = Literal["luhn", "format"]

_ROWS_PER_BATCH = 100_000
_KEY_BYTES = 2_400  # texts of one key: PostgreSQL indexes no row of more than 2,704 bytes
DEFAULT_DATE_MIN, DEFAULT_DATE_MAX = date(1700, 1, 1), date(2100, 12, 31)
_FAULTS = {
    "nombre_de_champs": "{expected} champs attendus, {detail} reçus",
    "guillemet_mal_place": "guillemet mal placé",
    "guillemet_non_ferme": "guillemet ouvert et jamais fermé",
    "caractere_nul": "caractère nul interdit",
    "encodage": "octets indéchiffrables dans un texte en UTF-8",
}
_KINDS = {"reject": "rejet", "null": "avertissement", "out_of_scope": "hors_perimetre"}
_OUT_OF_SCOPE = {
    "pseudo_siret": "pseudo-SIRET de l'ACOSS (10e chiffre 5, 6, 7 ou 9), hors périmètre",
    "siret_provisoire": "numéro provisoire (lettres), hors périmètre",
    "sans_siren": "annonce sans SIREN, hors périmètre",
    "aucune_valeur": "aucune valeur dans la ligne, hors périmètre",
    "entete_repetee": "en-tête répété dans le fichier, hors périmètre",
}


@dataclass(frozen=True)
class Typed:
    """One batch: `rows` ready for COPY (`_line` + contract columns), `rejects` (`line`, `kind`, `column_name`, `rule`,
    `value`, `message`, `raw_text`), `rejected_keys` (key columns of lines not loaded, null where unreadable), `raw`
    (`_line`, `_raw` of every record), number of records."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    rejected_keys: pl.DataFrame
    raw: pl.DataFrame
    records: int


@dataclass
class _Finding:
    kind: str
    column: str
    rule: str
    expected: str
    mask: pl.Series
    values: pl.Series


REJECT_SCHEMA = {
    "line": pl.Int64,
    "kind": pl.String,
    "column_name": pl.String,
    "rule": pl.String,
    "value": pl.String,
    "message": pl.String,
    "raw_text": pl.String,
}


def printable(text: str) -> str:
    """PostgreSQL text cannot hold a NUL character."""
    return text.replace("\0", "␀")


@dataclass
class LineReader:
    """Types the records of one file under one contract."""

    contract: Contract
    layout: Layout
    file_name: str
    identity: Identity
    _findings: list[_Finding] = field(default_factory=list)

    def type_records(self, frames: Iterator[pl.DataFrame]) -> Generator[Typed, None, None]:
        """Typed batches in file order; a batch of a wide file is cut, since each of its lines gives many rows."""
        size = max(1, _ROWS_PER_BATCH // max(1, len(self.layout.months)))
        for frame in until_footer(frames, self.contract, self.layout, self.file_name):
            for part in frame.iter_slices(size):
                yield self._type(part)

    def _type(self, frame: pl.DataFrame) -> Typed:
        self._findings = []
        self._structure(frame)
        values = {
            c.name: self._column(frame, c)
            for c in self.contract.columns
            if not c.derived and c.name not in self.contract.unpivoted
        }
        for column in self.contract.columns:
            if column.derived:
                values[column.name] = cells.derive(column, values).alias(column.name)
                if column.type in ("siren", "siret"):
                    self._identity(column, "/".join(column.sources), values[column.name])
        rows = pl.DataFrame([frame["_line"], *values.values()])
        if self.contract.unpivot:
            rows = self._unpivot(frame, rows, self.contract.unpivot)
        listed = next((c for c in self.contract.columns if c.type == "siren_list"), None)
        if listed:
            rows = self._explode(rows, listed)
        rejects = self._rejects(frame)
        lost = rejects.filter(pl.col("kind") != "avertissement")["line"]
        keys = self._rejected_keys(values, frame, lost)
        if len(lost):
            rows = rows.filter(~pl.col("_line").is_in(lost.implode()))
        return Typed(self._with_defaults(rows), rejects, keys, frame.select("_line", "_raw"), frame.height)

    def _find(
        self, column: str, rule: str, expected: str, mask: pl.Series, values: pl.Series, kind: str = "rejet"
    ) -> None:
        mask = mask.fill_null(False)
        if mask.any():
            self._findings.append(_Finding(kind, column, rule, expected, mask, values))

    def _structure(self, frame: pl.DataFrame) -> None:
        self._repeated_header(frame)
        if frame["_fault"].null_count() == frame.height:
            return
        width = len(self.layout.header.cells)
        for fault, expected in _FAULTS.items():
            self._find(
                "", fault, expected.replace("{expected}", str(width)), frame["_fault"] == fault, frame["_detail"]
            )

    def _repeated_header(self, frame: pl.DataFrame) -> None:
        """Exports put one after the other repeat their header: a line like another, which holds nothing."""
        header = [cell.replace("\ufeff", "").strip().lower() or None for cell in self.layout.header.cells]
        named = next((i for i, cell in enumerate(header) if cell), 0)
        cell = pl.all().str.replace("\ufeff", "", literal=True).str.strip_chars().str.to_lowercase()
        if header[named] is None or not (frame.select(f"c{named}").select(cell).to_series() == header[named]).any():
            return
        cells_read = frame.select(f"c{i}" for i in range(len(header))).select(cell)
        same = cells_read.select(
            pl.all_horizontal(pl.col(f"c{i}").eq_missing(pl.lit(name, pl.String)) for i, name in enumerate(header))
        ).to_series()
        self._find("", "entete_repetee", _OUT_OF_SCOPE["entete_repetee"], same, frame["c0"], "hors_perimetre")

    def _column(self, frame: pl.DataFrame, column: Column) -> pl.Series:
        """Typed values of one column; its violations are noted."""
        position = self.layout.positions.get(column.name)
        if position is None:
            return _empty(column, frame.height)
        text, header = frame[f"c{position}"], self.layout.header.cells[position]
        if field := self.layout.fields.get(column.name):
            self._find(header, "json", "objet JSON attendu", ~cells.holds_object(text), text)
            text = cells.field_of(text, field)
        text = self._text(text, column)
        if not column.nullable:
            self._find(header, "obligatoire", f"{cells.EXPECTED[column.type]}, cellule vide", text.is_null(), text)
        if column.type in ("siren", "siret"):
            self._identity(column, header, text)
            return text.alias(column.name)
        typed = cells.parse(text, column).alias(column.name)
        if column.type == "siren_list":
            return typed
        if typed.null_count() > text.null_count():
            for rule, expected, wrong in self._unreadable(column, text, typed):
                self._find(header, rule, expected, wrong, text, _KINDS[column.on_invalid])
        if column.type == "text" and column.name in self.contract.key:
            limit = _KEY_BYTES // sum(self.contract.column(name).type == "text" for name in self.contract.key)
            expected = f"{limit} octets au plus attendus dans une colonne de la clé"
            self._find(header, "cle_trop_longue", expected, text.str.len_bytes() > limit, text)
        return self._bounds(column, header, typed, text)

    def _text(self, text: pl.Series, column: Column) -> pl.Series:
        absent = [*self.contract.null_values, *column.null_values]
        if column.type in ("siren", "siret") and text.str.contains(r"\s").any():
            text = text.str.replace_all(r"\s", "")
        if not absent:
            return text
        mask = text.is_in(absent)
        return text.set(mask.fill_null(False), None) if mask.any() else text

    def _unreadable(self, column: Column, text: pl.Series, typed: pl.Series) -> Iterator[tuple[str, str, pl.Series]]:
        """(rule, what was expected, where a cell could not be read), the most precise reason first."""
        unread = typed.is_null() & text.is_not_null()
        if column.type in ("integer", "decimal", "centimes"):
            expected = "nombre sans point ni virgule entre les milliers attendu (milliers ou décimales ?)"
            yield "nombre_ambigu", expected, unread & cells.ambiguous(text)
        yield cells.RULES[column.type], self._expected(column), unread

    def _expected(self, column: Column) -> str:
        expected = cells.EXPECTED[column.type]
        if column.type == "date":
            expected += " (" + " ou ".join(cells.DATE_FORMATS[name] for name in column.formats) + ")"
        return expected

    def _bounds(self, column: Column, header: str, typed: pl.Series, text: pl.Series) -> pl.Series:
        """Notes the values outside the contract's bounds; they become null where the contract says so."""
        for rule, expected, wrong in self._bound_checks(column, typed):
            self._find(header, rule, expected, wrong, text, _KINDS[column.on_invalid])
            if column.on_invalid == "null":
                typed = typed.set(wrong.fill_null(False), None)
        return typed

    @staticmethod
    def _bound_checks(column: Column, typed: pl.Series) -> Iterator[tuple[str, str, pl.Series]]:
        low, high = column.min, column.max
        if column.type == "date":
            low, high = low or DEFAULT_DATE_MIN, high or DEFAULT_DATE_MAX
            expected = f"date entre le {low:%d/%m/%Y} et le {high:%d/%m/%Y} attendue"
            yield "date_hors_bornes", expected, ~typed.is_between(low, high)
            return
        number = typed.cast(pl.Float64, strict=False) if column.type == "decimal" else typed
        if column.type == "centimes":
            number = typed / 100
        if low is not None:
            yield "minimum", f"nombre supérieur ou égal à {low:g} attendu", number < low
        if high is not None:
            yield "maximum", f"nombre inférieur ou égal à {high:g} attendu", number > high
        if column.allowed is not None:
            yield "valeur_permise", f"{' ou '.join(column.allowed)} attendu", ~typed.is_in(list(column.allowed))

    def _identity(self, column: Column, header: str, text: pl.Series) -> None:
        # An establishment comes back on many lines: its number is checked once.
        distinct = text.unique()
        for kind, rule, expected, wrong in self._identity_checks(column, distinct):
            if wrong.any():
                values = distinct.filter(wrong.fill_null(False))
                self._find(header, rule, expected, text.is_in(values.implode()), text, kind)

    def _identity_checks(self, column: Column, text: pl.Series) -> Iterator[tuple[str, str, str, pl.Series]]:
        """(kind, rule, what was expected, where it is wrong), in the order in which they count."""
        length = 9 if column.type == "siren" else 14
        shaped = identity.well_formed(text, length)
        if column.type == "siret" and not shaped.all():
            yield (
                "hors_perimetre",
                "siret_provisoire",
                _OUT_OF_SCOPE["siret_provisoire"],
                identity.provisional_siret(text),
            )
        yield "rejet", cells.RULES[column.type], cells.EXPECTED[column.type], ~shaped
        if self.identity == "format":
            return
        if column.type == "siret":
            pseudo = shaped & identity.pseudo_siret(text)
            yield "hors_perimetre", "pseudo_siret", _OUT_OF_SCOPE["pseudo_siret"], pseudo
        null_siren = shaped & text.str.starts_with("000000000")
        yield "rejet", "identifiant_nul", f"{column.type.upper()} d'une entreprise attendu", null_siren
        digits = text if shaped.all() else text.set(~shaped.fill_null(True), None)
        valid = identity.valid_siren(digits) if length == 9 else identity.valid_siret(digits)
        yield "rejet", "cle_luhn", f"{column.type.upper()} de clé juste attendu", ~valid

    def _unpivot(self, frame: pl.DataFrame, rows: pl.DataFrame, unpivot: Unpivot) -> pl.DataFrame:
        """One row per period that holds a value; periods found by header, zero kept, empty skipped."""
        present = set(self.layout.values.values())
        parts = [self._long(frame, self.contract.column(name)) for name in unpivot.values if name in present]
        long = parts[0]
        for part in parts[1:]:
            long = long.join(part, on=["_row", "_period"], how="full", coalesce=True)
        if len(parts) > 1:
            long = long.sort("_row", "_period")
        empty = ~pl.int_range(frame.height, eager=True).is_in(long["_row"].unique().implode())
        self._find("", "aucune_valeur", _OUT_OF_SCOPE["aucune_valeur"], empty, empty.cast(pl.String), "hors_perimetre")
        period = long["_period"].alias(unpivot.period)
        if self.contract.column(unpivot.period).type == "integer":
            period = period.dt.year()
        absent = [self.contract.column(name) for name in unpivot.values if name not in present]
        values = [long[name] for name in unpivot.values if name in present]
        return rows[long["_row"]].with_columns(period, *values, *(_empty(column, long.height) for column in absent))

    def _long(self, frame: pl.DataFrame, column: Column) -> pl.DataFrame:
        """`_row`, `_period` and typed value of the cells of one column of a wide file; its violations are noted."""
        periods = {f"c{i}": first for i, first in self.layout.months.items() if self.layout.values[i] == column.name}
        wide = frame.select(pl.int_range(pl.len()).alias("_row"), *periods)
        long = wide.unpivot(list(periods), index="_row", variable_name="_header", value_name="_text")
        long = long.with_columns(self._text(long["_text"].cast(pl.String), column))
        long = long.filter(pl.col("_text").is_not_null())
        long = long.with_columns(cells.parse(long["_text"], column).alias(column.name))
        self._unpivot_findings(long, column)
        period = pl.col("_header").replace_strict(list(periods), list(periods.values()), return_dtype=pl.Date)
        return long.select("_row", period.alias("_period"), column.name)

    def _unpivot_findings(self, long: pl.DataFrame, column: Column) -> None:
        """First bad period of each line, in the order of the file, once per rule."""
        checks = [*self._unreadable(column, long["_text"], long[column.name])]
        checks += self._bound_checks(column, long[column.name])
        for rule, expected, mask in checks:
            bad = long.filter(mask.fill_null(False)).unique("_row", keep="first", maintain_order=True)
            for row, name, text in bad.sort("_row").select("_row", "_header", "_text").iter_rows():
                header = self.layout.header.cells[int(name[1:])]
                self._findings.append(_Finding("rejet", header, rule, expected, pl.Series([row]), pl.Series([text])))

    def _explode(self, rows: pl.DataFrame, column: Column) -> pl.DataFrame:
        """One row per SIREN of a cell; a line without any is out of scope, one bad SIREN rejects the line."""
        header = self.layout.header.cells[self.layout.positions[column.name]]
        text = rows[column.name]
        self._find(header, "sans_siren", _OUT_OF_SCOPE["sans_siren"], text.is_null(), text, "hors_perimetre")
        clean = text.str.replace_all(r"[\s.]", "")
        shaped = clean.str.contains(r"^[0-9]{9}(?:[,;|/]*[0-9]{9})*[,;|/]*$")
        self._find(header, "siren", cells.EXPECTED["siren_list"], ~shaped, text)
        lists = clean.str.extract_all(r"[0-9]{9}").list.unique(maintain_order=True)
        exploded = rows.with_columns(lists.alias(column.name), pl.int_range(pl.len()).alias("_row")).explode(
            column.name
        )
        if self.identity == "luhn":
            siren = exploded[column.name]
            for rule, bad, expected in (
                ("identifiant_nul", siren == "000000000", "SIREN d'une entreprise attendu"),
                ("cle_luhn", ~identity.valid_siren(siren), "SIREN de clé juste attendu"),
            ):
                wrong = exploded["_row"].filter(bad.fill_null(False)).unique()
                mask = pl.int_range(rows.height, eager=True).is_in(wrong.implode())
                self._find(header, rule, expected, mask, text)
        return exploded.drop("_row").filter(pl.col(column.name).is_not_null())

    def _rejects(self, frame: pl.DataFrame) -> pl.DataFrame:
        """First violation of each bad line: structure, then out of scope, then rejects in column order, warnings last."""
        if not self._findings:
            return pl.DataFrame(schema=REJECT_SCHEMA)
        order = {"hors_perimetre": 1, "rejet": 2, "avertissement": 3}
        first: dict[int, tuple[str, ...]] = {}
        for finding in sorted(self._findings, key=lambda f: 0 if f.rule in _FAULTS else order[f.kind]):
            indexes = finding.mask.arg_true() if finding.mask.dtype == pl.Boolean else finding.mask
            direct = finding.mask.dtype != pl.Boolean
            for position, index in enumerate(indexes.to_list()):
                if index not in first:
                    value = finding.values[position if direct else index]
                    first[index] = (finding.kind, finding.column, finding.rule, value, finding.expected)
        lines, raws = frame["_line"], frame["_raw"]
        rows = []
        for index in sorted(first):
            kind, column, rule, value, expected = first[index]
            message = self._message(lines[index], column, rule, value, expected)
            cell = None if rule in _FAULTS or value is None else printable(value)
            rows.append(
                (lines[index], kind, printable(column) or None, rule, cell, printable(message), printable(raws[index]))
            )
        return pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row")

    def _message(self, line: int, column: str, rule: str, value: str | None, expected: str) -> str:
        place = f"{self.file_name}, ligne {line}"
        if rule in _FAULTS:
            return f"{place} : {expected.replace('{detail}', value or '?')} (règle {rule})"
        if not column:
            return f"{place} : {expected} (règle {rule})"
        return f'{place}, colonne {column} : {expected}, reçu "{value or ""}" (règle {rule})'

    def _rejected_keys(self, values: dict[str, pl.Series], frame: pl.DataFrame, lost: pl.Series) -> pl.DataFrame:
        schema = {
            name: pl.Date if self.contract.column(name).sql_type == "date" else pl.String for name in self.contract.key
        }
        if not len(lost):
            return pl.DataFrame(schema=schema)
        mask = frame["_line"].is_in(lost.implode())
        columns = []
        for name, dtype in schema.items():
            column = self.contract.column(name)
            if name in values and column.type != "siren_list":
                known = values[name].filter(mask).cast(dtype).alias(name)
                if dtype == pl.String:
                    # PostgreSQL cannot hold a NUL and damaged bytes say nothing: the key is not known.
                    known = known.set(known.str.contains(f"[\0{REPLACED}]").fill_null(False), None)
                columns.append(known)
            else:
                columns.append(pl.Series(name, [None], dtype=dtype).new_from_index(0, len(lost)))
        return self._with_defaults(pl.DataFrame(columns), only_text=True).unique(maintain_order=True)

    def _with_defaults(self, rows: pl.DataFrame, *, only_text: bool = False) -> pl.DataFrame:
        """Empty cells of columns with a default. Among rejected keys an unreadable date must stay unknown."""
        fills = []
        for column in self.contract.columns:
            if column.default is None or column.name not in rows.columns:
                continue
            is_date = column.sql_type == "date"
            if not (is_date and only_text):
                fill = date.fromisoformat(column.default) if is_date else column.default
                fills.append(pl.col(column.name).fill_null(pl.lit(fill)))
        return rows.with_columns(fills) if fills else rows


def _empty(column: Column, height: int) -> pl.Series:
    """The values of a column that the file does not have."""
    text = pl.Series(column.name, [None], dtype=pl.String).new_from_index(0, height)
    return cells.parse(text, column).alias(column.name)
