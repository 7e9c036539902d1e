"""What is wrong with a file, for the people who make it: the reader and the messages of the load, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from expectations.contract import Contract
from ingestion.content import Content, Refusal, examine
from ingestion.forms import layout_of
from ingestion.ingest import recognise
from ingestion.layout import Layout
from ingestion.lines import Identity
from ingestion.reading import Batch, Reading, refuse_if_changed

EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One line that breaks a rule: physical line number, column, value, and the message of the quarantine."""

    line: int
    column: str | None
    value: str | None
    message: str


@dataclass
class BrokenRule:
    """A rule that lines break: what becomes of them (`rejet`, `hors_perimetre`, `avertissement`), how many, the first."""

    kind: str
    rule: str
    column: str | None
    lines: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class FileCheck:
    """One file against its contract.

    `conforming`: the file would be loaded and no line of it rejected. `refusal`: why the whole file would be refused.
    `period`: first and last day of the date that the contract's knowledge rests on. `rows`: rows of the lines that pass.
    `tolerated`: whether the gate would let so many rejected lines through.
    """

    file_name: str
    source: str | None
    conforming: bool
    refusal: str | None
    encoding: str | None
    delimiter: str | None
    compression: str | None
    columns_read: list[str]
    columns_ignored: list[str]
    columns_absent: list[str]
    lines: int
    accepted: int
    rejected: int
    out_of_scope: int
    rows: int
    tolerated: bool
    period: tuple[date, date] | None
    rules: list[BrokenRule]


def check_file(
    path: Path,
    contracts: Mapping[str, Contract],
    *,
    source: str | None = None,
    identity: Identity = "luhn",
    progress: Callable[[int], None] | None = None,
) -> FileCheck:
    """Reads one file as a load would, up to the database, and says what is wrong with it.

    `source` forces a contract (KeyError when there is none of that name). Bad input never raises. What only the
    instance knows (same content already received, volume against the delivery before) is not checked.
    """
    contract = contracts[source] if source is not None else recognise(path, contracts)
    counts = _Counts()
    content = layout = None
    refusal: str | None = None
    try:
        if contract is None:
            raise Refusal(
                "fichier_inconnu", f"{path.name} : aucun contrat ne reconnaît ce nom de fichier (règle fichier_inconnu)"
            )
        content = examine(path, contract.encodings)
        _, layout = layout_of(content, contract)
        with closing(Reading(content, layout, contract, identity).batches()) as batches:
            for batch in batches:
                counts.add(batch, contract.knowledge.column if contract.knowledge else None)
                if progress:
                    progress(counts.lines)
        refuse_if_changed(content)
        if counts.lines == 0 and contract.mode == "snapshot":
            raise Refusal("volume", f"{path.name} : aucune ligne de données dans un stock complet (règle volume)")
    except Refusal as refused:
        refusal = refused.message
    except OSError as error:
        refusal = f"{path.name} : fichier illisible ({error.strerror or error}) (règle fichier_illisible)"
    return _result(path, contract, content, layout, counts, refusal)


@dataclass
class _Counts:
    lines: int = 0
    rows: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    rules: dict[tuple[str, str, str | None], BrokenRule] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None

    def add(self, batch: Batch, date_column: str | None) -> None:
        self.lines += batch.records
        rows = batch.rows.filter(batch.kept)
        self.rows += rows.height
        self.by_kind.update(batch.rejects["kind"])
        for (kind, rule, column), found in batch.rejects.group_by("kind", "rule", "column_name", maintain_order=True):
            broken = self.rules.setdefault((kind, rule, column), BrokenRule(kind, rule, column))
            broken.lines += found.height
            for line, value, message in (
                found.select("line", "value", "message").head(EXAMPLES - len(broken.examples)).iter_rows()
            ):
                broken.examples.append(Example(line, column, value, message))
        if date_column is not None:
            extremes = rows.select(pl.col(date_column).min().alias("a"), pl.col(date_column).max().alias("b")).row(0)
            days = [day for day in (self.first, self.last, *extremes) if day]
            if days:
                self.first, self.last = min(days), max(days)


def _result(
    path: Path,
    contract: Contract | None,
    content: Content | None,
    layout: Layout | None,
    counts: _Counts,
    refusal: str | None,
) -> FileCheck:
    rejected, out_of_scope = counts.by_kind["rejet"], counts.by_kind["hors_perimetre"]
    read = [layout.header.cells[i] for i in sorted({*layout.positions.values(), *layout.months})] if layout else []
    severity = {"rejet": 0, "hors_perimetre": 1, "avertissement": 2}
    return FileCheck(
        file_name=path.name,
        source=contract.name if contract else None,
        conforming=refusal is None and not rejected,
        refusal=refusal,
        encoding=(content.encoding or None) if content else None,
        delimiter=layout.delimiter if layout and content and content.form == "texte" else None,
        compression=content.compression if content else None,
        columns_read=read,
        columns_ignored=list(layout.ignored) if layout else [],
        columns_absent=list(layout.absent) if layout else [],
        lines=counts.lines,
        accepted=counts.lines - rejected - out_of_scope,
        rejected=rejected,
        out_of_scope=out_of_scope,
        rows=counts.rows,
        tolerated=contract is not None and contract.tolerates(rejected, counts.lines),
        period=(counts.first, counts.last) if counts.first and counts.last else None,
        rules=sorted(counts.rules.values(), key=lambda r: (severity[r.kind], -r.lines, r.rule, r.column or "")),
    )
