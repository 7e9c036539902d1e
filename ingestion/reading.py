"""A delivered file as checked batches, without a database: what a load stages and what a producer's check reports."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from expectations.contract import Contract
from ingestion.ahead import ahead
from ingestion.content import Content, Refusal
from ingestion.fingerprints import Marks, Mask, SeenKeys, marks_of
from ingestion.forms import records_of
from ingestion.layout import Layout
from ingestion.lines import REJECT_SCHEMA, Identity, LineReader, Typed, printable


@dataclass(frozen=True)
class Batch:
    """Lines read together: `rows` typed (`_line` + contract columns) with their `marks`, of which those in the mask
    `kept` repeat no earlier key; `rejects` (REJECT_SCHEMA, repeated keys included); `rejected_keys` (key columns of the
    lines without a row); number of records, and how many bytes of text they are."""

    rows: pl.DataFrame
    marks: Marks
    kept: Mask
    rejects: pl.DataFrame
    rejected_keys: pl.DataFrame
    records: int
    size: int


def refuse_if_changed(content: Content) -> None:
    """Refusal when the file was written while it was read: its lines are not those of its fingerprint."""
    if content.changed():
        name = content.path.name
        raise Refusal(
            "fichier_modifie", f"{name} : fichier modifié pendant sa lecture, dépôt inachevé ? (règle fichier_modifie)"
        )


@dataclass
class Reading:
    """One file read under its contract; keys are remembered from batch to batch, so read it once.

    `cut`, once it was read: why a stock looks cut, None when it does not.
    """

    content: Content
    layout: Layout
    contract: Contract
    identity: Identity
    cut: Refusal | None = field(default=None, init=False)
    _seen: SeenKeys = field(init=False)

    def __post_init__(self) -> None:
        self._seen = SeenKeys(self.content.size)

    def batches(self) -> Generator[Batch, None, None]:
        """Every record of the file, in order; the next batch is typed while the caller works on this one."""
        reader = LineReader(self.contract, self.layout, self.content.path.name, self.identity)
        last = None
        with closing(self._seen), closing(ahead(reader.type_records(records_of(self.content, self.layout)))) as typed:
            for batch in typed:
                yield self._checked(batch)
                last = batch
        if last is not None and self.contract.mode == "snapshot":
            self.cut = self._cut(last)

    def _cut(self, last: Typed) -> Refusal | None:
        """A stock that ends in the middle of a line was cut: what comes after it must not be closed."""
        line, raw = last.raw.row(-1)
        [*faults] = last.rejects.filter(pl.col("line") == line)["rule"]
        short = raw.count(self.layout.delimiter) + 1 < len(self.layout.header.cells)
        if self.content.form == "texte" and self.content.unended and short and faults == ["nombre_de_champs"]:
            message = f"{self.content.path.name}, ligne {line} : dernière ligne incomplète et sans fin de ligne, stock tronqué"
            return Refusal("fichier_tronque", f"{message}, rien n'est chargé (règle fichier_tronque)", value=raw)
        return None

    def _checked(self, typed: Typed) -> Batch:
        marks = marks_of(typed.rows, self.contract)
        rows, rejects, kept = typed.rows, typed.rejects, np.ones(typed.rows.height, dtype=bool)
        firsts = self._seen.first_lines(marks, rows["_line"].to_numpy())
        if firsts.any():
            doubles = self._doubles(typed, pl.Series("_first", firsts))
            # A warning on the same line gives way to the reject.
            rejects = pl.concat([rejects.filter(~pl.col("line").is_in(doubles["line"].implode())), doubles])
            kept = ~rows["_line"].is_in(doubles["line"].implode()).to_numpy()
        size = int(typed.raw["_raw"].str.len_bytes().sum()) + typed.records  # a line feed each
        return Batch(rows, marks, kept, rejects, typed.rejected_keys, typed.records, size)

    def _doubles(self, typed: Typed, first: pl.Series) -> pl.DataFrame:
        """The reject of each line that repeats a key of an earlier line."""
        name, columns = self.content.path.name, ", ".join(self.contract.key)
        shown = pl.concat_str([pl.col(key).cast(pl.String) for key in self.contract.key], separator=" / ")
        found = (
            typed.rows.with_columns(first, shown.alias("_key"))
            .filter(pl.col("_first") > 0)
            .group_by("_line", maintain_order=True)
            .agg(pl.col("_first", "_key").min())
            .join(typed.raw, on="_line", maintain_order="left")
        )
        rows = []
        for line, earlier, key, raw in found.select("_line", "_first", "_key", "_raw").iter_rows():
            message = (
                f"{name}, ligne {line}, colonne {columns} : clé déjà présente ligne {earlier}, "
                f'reçu "{key}" (règle cle_en_double)'
            )
            rows.append((line, "rejet", columns, "cle_en_double", key, printable(message), printable(raw)))
        return pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row")
