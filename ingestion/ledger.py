"""The ledger of deliveries: what was known of a file before it came, and what became of each of its lines.

Belongs here: everything read from and written to `ingest.delivery` and the quarantine while one file is loaded. Not here: reading
the file (`reading`), its rows (`load`), and the order of it all (`ingest`).
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl
import psycopg
from psycopg import sql

from expectations.contract import Contract
from ingestion import load
from ingestion.content import Content, Refusal, examine
from ingestion.forms import lines_without_layout, records_of
from ingestion.layout import Layout
from ingestion.lines import REJECT_SCHEMA, printable
from ingestion.quarantine import Taken
from ingestion.records import first_line

Status = Literal["loaded", "identical", "refused"]
#: Told as a file is read: lines so far, bytes of text so far, bytes in all (decompressed).
Progress = Callable[[int, int, int], None]
_QUARANTINE = "ingest.rejected_row"


@dataclass(frozen=True)
class DeliveryAccount:
    """What became of each line of one delivered file: lines = loaded + unchanged + rejected + out_of_scope."""

    delivery_id: int
    source: str | None
    file_name: str
    received_on: date
    status: Status
    reason: str | None
    lines: int
    loaded: int
    unchanged: int
    rejected: int
    out_of_scope: int
    rows_opened: int
    rows_closed: int
    rejects_by_rule: dict[str, int]
    content_sha256: str | None
    layout: str | None
    encoding: str | None
    delimiter: str | None
    seconds: float
    compression: str | None = None
    replay_of: int | None = None


@dataclass
class Delivery:
    """One file on its way; filled as the file is understood."""

    path: Path
    received_on: date
    run_id: str | None
    contract: Contract | None = None
    content: Content | None = None
    header: str | None = None
    layout: Layout | None = None
    delivery_id: int = 0
    taken: Taken | None = None
    progress: Progress | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def source(self) -> str | None:
        """Name of the contract, once the file is recognised."""
        return self.contract.name if self.contract else None


def quarantine(connection: psycopg.Connection, delivery_id: int, rejects: pl.DataFrame) -> None:
    """Put lines aside, with the rule that each breaks (a frame of REJECT_SCHEMA)."""
    load.copy_frame(connection, _QUARANTINE, rejects.select(pl.lit(delivery_id).alias("delivery_id"), pl.all()))


def already_loaded(connection: psycopg.Connection, contract: Contract, delivery: Delivery) -> tuple[Any, ...] | None:
    """The delivery that had this content, when loading it again could change nothing.

    A stock is what its source says that day: one that comes back after another one is loaded, and undoes it.
    """
    assert delivery.content is not None
    return connection.execute(
        "select delivery_id, received_on, lines, layout, delimiter from ingest.delivery where source = %(source)s "
        "and content_sha256 = %(content)s and status = 'loaded' and (not %(stock)s or delivery_id = ("
        "select max(delivery_id) from ingest.delivery where source = %(source)s and status = 'loaded' "
        "and replay_of is null and received_on <= %(day)s)) order by delivery_id limit 1",
        {
            "source": contract.name,
            "content": delivery.content.sha256,
            "stock": contract.mode == "snapshot",
            "day": delivery.received_on,
        },
    ).fetchone()


@dataclass(frozen=True)
class Before:
    """What was loaded of a source before a file: lines of its last file (None: nothing was), open rows, whether a row
    was received on an earlier day (for a replay: a file), and whether a file was on the same one."""

    lines: int | None
    open_rows: int
    earlier_day: bool
    same_day: bool


def loaded_before(connection: psycopg.Connection, contract: Contract, delivery: Delivery) -> Before:
    """What was loaded of the source of a file before it.

    Refusal when a later delivery is already loaded: knowledge cannot be rewritten behind what was computed from it.
    """
    row = connection.execute(
        "select max(received_on), (array_agg(lines order by delivery_id desc) filter (where not is_partial))[1], "
        "coalesce(sum(rows_opened - rows_closed), 0)::bigint, "
        "coalesce(bool_or(received_on < %(day)s and (rows_opened > 0 or %(replay)s)), false) "
        "from ingest.delivery where source = %(source)s and status = 'loaded'",
        {"day": delivery.received_on, "source": contract.name, "replay": delivery.taken is not None},
    ).fetchone()
    assert row is not None
    last, lines, open_rows, earlier_day = row
    if last is not None and last > delivery.received_on:
        raise Refusal(
            "ordre",
            f"{delivery.path.name} : reçu le {delivery.received_on:%d/%m/%Y}, mais une livraison du {last:%d/%m/%Y} est déjà "
            "chargée pour cette source : livraison dans le désordre refusée (règle ordre)",
            value=delivery.received_on.isoformat(),
        )
    return Before(lines, open_rows, earlier_day, last == delivery.received_on)


def next_id(connection: psycopg.Connection) -> int:
    """A number for a delivery; one that does not end leaves a hole."""
    row = connection.execute("select nextval(pg_get_serial_sequence('ingest.delivery', 'delivery_id'))").fetchone()
    assert row is not None
    return int(row[0])


def identical(connection: psycopg.Connection, delivery: Delivery, known: tuple[Any, ...]) -> DeliveryAccount:
    """Writes a file whose content was loaded before (`known`, from `already_loaded`): nothing changes."""
    delivery_id, received_on, lines, layout, delimiter = known
    delivery.delivery_id = next_id(connection)
    reason = f"contenu identique à la livraison {delivery_id} reçue le {received_on:%d/%m/%Y} : rien n'est modifié"
    counts = {"lines": lines, "unchanged": lines}
    return _record(connection, delivery, "identical", reason, counts, {}, layout=layout, delimiter=delimiter)


def accounted(
    connection: psycopg.Connection,
    delivery: Delivery,
    lines: int,
    rejects: Counter[tuple[str, str]],
    change: load.Comparison,
) -> DeliveryAccount:
    """Writes a loaded file: each of its `lines` is loaded, unchanged, rejected or out of scope."""
    rejected = sum(n for (kind, _), n in rejects.items() if kind == "rejet")
    out_of_scope = sum(n for (kind, _), n in rejects.items() if kind == "hors_perimetre")
    counts = {
        "lines": lines,
        "loaded": change.lines_changed,
        "unchanged": lines - rejected - out_of_scope - change.lines_changed,
        "rejected": rejected,
        "out_of_scope": out_of_scope,
        "rows_opened": change.rows_opened,
        "rows_closed": change.rows_closed,
    }
    by_rule = {rule: n for (kind, rule), n in sorted(rejects.items()) if n and kind != "avertissement"}
    return _record(connection, delivery, "loaded", None, counts, by_rule)


def refused(connection: psycopg.Connection, delivery: Delivery, refusal: Refusal) -> DeliveryAccount:
    """Writes a refused file in the ledger, and every line of it in quarantine."""
    delivery.delivery_id = next_id(connection)
    lines = 0
    try:
        for frame in _refused_lines(delivery, refusal):
            quarantine(connection, delivery.delivery_id, frame)
            lines += frame.height
    except (Refusal, OSError):
        pass  # The archive or the disk gives no more lines: those read so far are kept.
    counts = {"lines": lines, "rejected": lines}
    return _record(connection, delivery, "refused", refusal.message, counts, {refusal.rule: lines} if lines else {})


def _refused_lines(delivery: Delivery, refusal: Refusal) -> Iterator[pl.DataFrame]:
    """Lines of a refused file: records when its layout was understood, else physical lines that are not blank."""
    content = delivery.content or undecoded(delivery.path)
    if content is None:
        return
    if delivery.header is None and content.form == "texte" and (found := first_line(content, errors="replace")):
        delivery.header = found[1]
    texts: Iterator[tuple[list[int], list[str]]]
    if delivery.layout is not None:
        texts = ((f["_line"].to_list(), f["_raw"].to_list()) for f in records_of(content, delivery.layout))
    else:
        texts = lines_without_layout(content)
    for numbers, raws in texts:
        value = refusal.value and printable(refusal.value)
        why = ("rejet", refusal.column, refusal.rule, value, printable(refusal.message))
        rows = [(n, *why, printable(raw)) for n, raw in zip(numbers, raws, strict=True)]
        yield pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row")


def undecoded(path: Path) -> Content | None:
    """The content of a file that will be refused, whatever its encoding; None when its bytes cannot be read at all."""
    try:
        return examine(path, lenient=True)
    except (Refusal, OSError):
        return None


def _record(
    connection: psycopg.Connection,
    delivery: Delivery,
    status: Status,
    reason: str | None,
    counts: dict[str, int],
    by_rule: dict[str, int],
    *,
    layout: str | None = None,
    delimiter: str | None = None,
) -> DeliveryAccount:
    """Writes the ledger line and commits: from here on, and not before, the delivery is done."""
    content = delivery.content
    row: dict[str, Any] = {
        "delivery_id": delivery.delivery_id,
        "source": delivery.source,
        "file_name": printable(delivery.path.name),
        "received_on": delivery.received_on,
        "content_sha256": content.sha256 if content else None,
        "layout": delivery.layout.describe() if delivery.layout else layout,
        "encoding": (content.encoding or None) if content else None,
        "delimiter": delivery.layout.delimiter
        if delivery.layout and content and content.form == "texte"
        else delimiter,
        "compression": content.compression if content else None,
        "lines": 0,
        "loaded": 0,
        "unchanged": 0,
        "rejected": 0,
        "out_of_scope": 0,
        "rows_opened": 0,
        "rows_closed": 0,
        "status": status,
        "reason": reason and printable(reason),
        "replay_of": delivery.taken and delivery.taken.delivery_id,
        **counts,
    }
    stored = row | {
        "header": delivery.header and printable(delivery.header),
        "is_partial": delivery.taken is not None and delivery.taken.partial,
        "code_version": code_version(),
        "run_id": delivery.run_id,
    }
    connection.execute(
        sql.SQL("insert into ingest.delivery ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, stored)), sql.SQL(", ").join(map(sql.Placeholder, stored))
        ),
        stored,
    )
    connection.commit()
    return DeliveryAccount(**row, rejects_by_rule=by_rule, seconds=time.perf_counter() - delivery.started)


def code_version() -> str:
    """Version of the installed distribution ('0' when it runs from a folder that is not installed)."""
    try:
        return importlib.metadata.version("vigie")
    except importlib.metadata.PackageNotFoundError:
        return "0"
