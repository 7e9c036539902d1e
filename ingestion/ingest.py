"""One delivered file into the raw tables: recognised, read, compared, accounted for, all in one transaction."""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl
import psycopg
from psycopg import sql

from expectations.contract import Contract
from ingestion import load
from ingestion.ahead import ahead
from ingestion.content import Content, Refusal, examine
from ingestion.database import connect, raw_table
from ingestion.fingerprints import KnownRows, Mask
from ingestion.forms import layout_of, lines_without_layout, records_of
from ingestion.layout import Layout
from ingestion.lines import REJECT_SCHEMA, Identity, printable
from ingestion.memory import keep_freed_memory
from ingestion.quarantine import Taken
from ingestion.reading import Batch, Reading, refuse_if_changed
from ingestion.records import first_line

Status = Literal["loaded", "identical", "refused"]
#: Told as a file is read: lines so far, bytes of text so far, bytes in all (decompressed).
Progress = Callable[[int, int, int], None]
_QUARANTINE = "ingest.rejected_row"

# Open versions are read and compared here when the file is large enough to repay it, and the memory allows it.
_KNOWN_ROWS_MIN, _KNOWN_ROWS_MAX = 5_000, 15_000_000
_BYTES_PER_KNOWN_ROW = 16


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
class _Delivery:
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
        return self.contract.name if self.contract else None


def recognise(path: Path, contracts: Mapping[str, Contract]) -> Contract | None:
    """The contract whose file names match; None for an unknown name. When several match, the most precise pattern
    (the longest) wins, then the alphabetical order."""
    found = [contract for contract in contracts.values() if contract.recognises(path.name)]
    return max(found, key=lambda c: (max(map(len, c.file_names)), c.name)) if found else None


def ingest_file(
    url: str,
    path: Path,
    *,
    received_on: date,
    contracts: Mapping[str, Contract],
    identity: Identity = "luhn",
    source: str | None = None,
    run_id: str | None = None,
    progress: Progress | None = None,
    role: str | None = None,
    again: bool = False,
    taken: Taken | None = None,
) -> DeliveryAccount:
    """Loads one file as a delivery received on `received_on`, and says what became of each of its lines.

    `source` forces a contract instead of recognising the file by its name (KeyError when there is none of that name).
    `again` loads a content that was already loaded (after its contract gained a column, say). `progress` hears how
    far the reading is. Bad input never raises: it is refused, with the reason, in the ledger too. Except
    for a replay (`taken`: lines out of the quarantine): it records nothing when it brings nothing, and raises Refusal.
    Everything is written in one transaction under a lock per source: a kill leaves nothing half done. Raises
    psycopg.Error when the server fails.
    """
    keep_freed_memory()
    path = Path(path)
    contract = contracts[source] if source is not None else recognise(path, contracts)
    delivery = _Delivery(path, received_on, run_id, contract, taken=taken, progress=progress)
    try:
        if contract is None:
            delivery.content = _undecoded(path)
            message = f"{path.name} : aucun contrat ne reconnaît ce nom de fichier (règle fichier_inconnu)"
            raise Refusal("fichier_inconnu", message)
        delivery.content = examine(path, contract.encodings)
        with connect(url, role=role) as connection:
            return _load(connection, delivery, contract, identity, again or taken is not None)
    except Refusal as refusal:
        if taken is not None:
            raise
        with connect(url, role=role) as connection:
            return _refuse(connection, delivery, refusal)
    except OSError as error:
        message = f"{path.name} : fichier illisible ({error.strerror or error}) (règle fichier_illisible)"
        unreadable = Refusal("fichier_illisible", message)
        with connect(url, role=role) as connection:
            return _refuse(connection, delivery, unreadable)


def _load(
    connection: psycopg.Connection, delivery: _Delivery, contract: Contract, identity: Identity, again: bool
) -> DeliveryAccount:
    load.lock_source(connection, contract.name)
    content = delivery.content
    assert content is not None
    if not again and (same := _already_loaded(connection, contract, delivery)) is not None:
        return _identical(connection, delivery, same)
    previous = _previous(connection, contract, delivery)
    delivery.header, delivery.layout = layout_of(content, contract)
    delivery.delivery_id = _next_id(connection)
    known = _known(connection, delivery, contract)
    load.create_staging(connection, contract)
    stage = _Stage(connection, delivery, contract, first=previous is None, known=known)
    stage.read(identity)
    refuse_if_changed(content)
    _check_volume(delivery, contract, stage.lines, previous)
    if delivery.taken is not None:
        stage.rejects.update(delivery.taken.set_aside(connection, contract, delivery.delivery_id))
    change = stage.finish()
    if delivery.taken is not None:
        delivery.taken.settle(connection, delivery.delivery_id, stage.lines)
    return _account(connection, delivery, stage.lines, stage.rejects, change)


def _known(connection: psycopg.Connection, delivery: _Delivery, contract: Contract) -> KnownRows | None:
    """The open versions of the source, when comparing with them here costs less than on the server."""
    assert delivery.content is not None
    rows = load.estimated_rows(connection, contract)
    if not _KNOWN_ROWS_MIN <= rows <= _KNOWN_ROWS_MAX:
        return None
    # A small increment finds its few keys through the index; a stock must say which keys are absent.
    if contract.mode == "append" and delivery.content.size < rows * _BYTES_PER_KNOWN_ROW:
        return None
    return load.read_known(connection, contract)


class _Stage:
    """The lines of one file on their way to the raw table, batch by batch."""

    def __init__(
        self,
        connection: psycopg.Connection,
        delivery: _Delivery,
        contract: Contract,
        *,
        first: bool,
        known: KnownRows | None,
    ) -> None:
        self.connection, self.delivery, self.contract = connection, delivery, contract
        self.first, self.known = first, known
        self.lines = 0
        self.rejects: Counter[tuple[str, str]] = Counter()  # by (kind, rule)
        self._rows = self._lines_with_rows = 0
        self._direct = load.is_empty(connection, contract)
        self._frozen = load.open_empty_table(connection, contract) if self._direct else False

    def read(self, identity: Identity) -> None:
        """Copies typed rows and bad lines."""
        content, layout = self.delivery.content, self.delivery.layout
        assert content is not None
        assert layout is not None
        reading, size = Reading(content, layout, self.contract, identity), 0
        # Three steps at once: a batch is typed, the one before is compared and packed, the one before that is sent.
        with closing(ahead(self._prepared(reading.batches()))) as batches:
            for batch, rows in batches:
                self._send(batch, rows)
                self.lines += batch.records
                size += batch.size
                if self.delivery.progress:
                    self.delivery.progress(self.lines, min(size, content.size), content.size)

    def finish(self) -> load.Comparison:
        """Opens and closes versions, once every line was read."""
        if not self._direct:
            return load.apply_versions(
                self.connection,
                self.contract,
                self.delivery.delivery_id,
                self.delivery.received_on,
                first=self.first,
                known=self.known,
            )
        if self._frozen:
            load.close_filled_table(self.connection, self.contract)
        return load.Comparison(self._rows, 0, self._lines_with_rows)

    def _prepared(self, batches: Generator[Batch, None, None]) -> Generator[tuple[Batch, load.Packed], None, None]:
        """Each batch with its rows that must be sent."""
        with closing(batches):
            for batch in batches:
                rows = load.hashed(batch.rows, batch.marks.content, self._wanted(batch))
                if self._direct:
                    self._rows += rows.height
                    self._lines_with_rows += rows["_line"].n_unique()
                    rows = self._versions(rows)
                yield batch, load.packed(rows, self.contract)

    def _wanted(self, batch: Batch) -> Mask:
        """The rows to send: those that repeat no key, less those that are known already."""
        return batch.kept if self.known is None else batch.kept & ~self.known.unchanged(batch.marks.content)

    def _versions(self, rows: pl.DataFrame) -> pl.DataFrame:
        delivery = self.delivery
        return load.first_versions(rows, self.contract, delivery.delivery_id, delivery.received_on, first=self.first)

    def _send(self, batch: Batch, rows: load.Packed) -> None:
        table = raw_table(self.contract) if self._direct else "incoming"
        load.copy_packed(self.connection, table, rows, freeze=self._frozen)
        if not self._direct:
            load.copy_frame(self.connection, "not_loaded", batch.rejected_keys)
            if not batch.kept.all():
                # The other keys of a line that repeats one were delivered too: their versions stay.
                repeated = batch.rows.filter(~batch.kept).select(self.contract.key)
                load.copy_frame(self.connection, "not_loaded", repeated)
        _quarantine(self.connection, self.delivery.delivery_id, batch.rejects)
        self.rejects.update(zip(batch.rejects["kind"], batch.rejects["rule"], strict=True))


def _quarantine(connection: psycopg.Connection, delivery_id: int, rejects: pl.DataFrame) -> None:
    load.copy_frame(connection, _QUARANTINE, rejects.select(pl.lit(delivery_id).alias("delivery_id"), pl.all()))


def _check_volume(delivery: _Delivery, contract: Contract, lines: int, previous: int | None) -> None:
    """A truncated stock must not close what it forgot."""
    if contract.mode != "snapshot":
        return
    name, share = delivery.path.name, contract.volume.min_share_of_previous
    if lines == 0:
        raise Refusal("volume", f"{name} : aucune ligne de données dans un stock complet (règle volume)", value="0")
    if previous is not None and lines < previous * share:
        raise Refusal(
            "volume",
            f"{name} : {lines} lignes reçues contre {previous} à la livraison précédente, moins de {share:.0%} : "
            "stock tronqué, rien n'est chargé (règle volume)",
            value=str(lines),
        )


def _already_loaded(connection: psycopg.Connection, contract: Contract, delivery: _Delivery) -> tuple[Any, ...] | None:
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


def _previous(connection: psycopg.Connection, contract: Contract, delivery: _Delivery) -> int | None:
    """Lines of the last loaded file received on an earlier day; None when there is none: this is the first one.

    Refusal when a later delivery is already loaded: knowledge cannot be rewritten behind what was computed from it.
    """
    row = connection.execute(
        "select max(received_on), (array_agg(lines order by delivery_id desc) filter (where received_on < %(day)s "
        "and not is_partial))[1] from ingest.delivery where source = %(source)s and status = 'loaded'",
        {"day": delivery.received_on, "source": contract.name},
    ).fetchone()
    last, lines = row if row else (None, None)
    if last is not None and last > delivery.received_on:
        raise Refusal(
            "ordre",
            f"{delivery.path.name} : reçu le {delivery.received_on:%d/%m/%Y}, mais une livraison du {last:%d/%m/%Y} est déjà "
            "chargée pour cette source : livraison dans le désordre refusée (règle ordre)",
            value=delivery.received_on.isoformat(),
        )
    return lines


def _next_id(connection: psycopg.Connection) -> int:
    row = connection.execute("select nextval(pg_get_serial_sequence('ingest.delivery', 'delivery_id'))").fetchone()
    assert row is not None
    return int(row[0])


def _identical(connection: psycopg.Connection, delivery: _Delivery, known: tuple[Any, ...]) -> DeliveryAccount:
    delivery_id, received_on, lines, layout, delimiter = known
    delivery.delivery_id = _next_id(connection)
    reason = f"contenu identique à la livraison {delivery_id} reçue le {received_on:%d/%m/%Y} : rien n'est modifié"
    counts = {"lines": lines, "unchanged": lines}
    return _record(connection, delivery, "identical", reason, counts, {}, layout=layout, delimiter=delimiter)


def _account(
    connection: psycopg.Connection,
    delivery: _Delivery,
    lines: int,
    rejects: Counter[tuple[str, str]],
    change: load.Comparison,
) -> DeliveryAccount:
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


def _refuse(connection: psycopg.Connection, delivery: _Delivery, refusal: Refusal) -> DeliveryAccount:
    """Writes a refused file in the ledger, and every line of it in quarantine."""
    delivery.delivery_id = _next_id(connection)
    lines = 0
    try:
        for frame in _refused_lines(delivery, refusal):
            _quarantine(connection, delivery.delivery_id, frame)
            lines += frame.height
    except (Refusal, OSError):
        pass  # The archive or the disk gives no more lines: those read so far are kept.
    counts = {"lines": lines, "rejected": lines}
    return _record(connection, delivery, "refused", refusal.message, counts, {refusal.rule: lines} if lines else {})


def _refused_lines(delivery: _Delivery, refusal: Refusal) -> Iterator[pl.DataFrame]:
    """Lines of a refused file: records when its layout was understood, else physical lines that are not blank."""
    content = delivery.content or _undecoded(delivery.path)
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


def _undecoded(path: Path) -> Content | None:
    """The content of a file that will be refused, whatever its encoding; None when its bytes cannot be read at all."""
    try:
        return examine(path, lenient=True)
    except (Refusal, OSError):
        return None


def _record(
    connection: psycopg.Connection,
    delivery: _Delivery,
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
