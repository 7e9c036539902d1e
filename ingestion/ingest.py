"""One delivered file into the raw tables: recognised, read, compared, accounted for, all in one transaction."""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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
from ingestion.database import connect
from ingestion.lines import REJECT_SCHEMA, Identity, Layout, LineReader, find_layout, printable
from ingestion.records import first_line, first_line_number, raw_records, raw_texts, read_records

Status = Literal["loaded", "identical", "refused"]
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


@dataclass
class _Delivery:
    """One file on its way; filled as the file is understood."""

    path: Path
    received_on: date
    run_id: str | None
    contract: Contract | None = None
    content: Content | None = None
    layout: Layout | None = None
    delivery_id: int = 0
    progress: Callable[[int], None] | None = None
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
    progress: Callable[[int], None] | None = None,
    role: str | None = None,
    replay: bool = False,
) -> DeliveryAccount:
    """Loads one file as a delivery received on `received_on`, and says what became of each of its lines.

    `source` forces a contract instead of recognising the file by its name (KeyError when there is none of that name).
    `replay` loads a content that was already loaded (after a contract was corrected, say). `progress` is called with
    the number of lines read so far. Bad input never raises: it is refused, with the reason, in the ledger too.
    Everything is written in one transaction under a lock per source: a kill leaves nothing half done. Raises
    psycopg.Error when the server fails.
    """
    path = Path(path)
    contract = contracts[source] if source is not None else recognise(path, contracts)
    delivery = _Delivery(path, received_on, run_id, contract, progress=progress)
    try:
        if contract is None:
            delivery.content = _undecoded(path)
            message = f"{path.name} : aucun contrat ne reconnaît ce nom de fichier (règle fichier_inconnu)"
            raise Refusal("fichier_inconnu", message)
        delivery.content = examine(path, contract.encodings)
        with connect(url, role=role) as connection:
            return _load(connection, delivery, contract, identity, replay)
    except Refusal as refusal:
        with connect(url, role=role) as connection:
            return _refuse(connection, delivery, refusal)
    except OSError as error:
        message = f"{path.name} : fichier illisible ({error.strerror or error}) (règle fichier_illisible)"
        unreadable = Refusal("fichier_illisible", message)
        with connect(url, role=role) as connection:
            return _refuse(connection, delivery, unreadable)


def _load(
    connection: psycopg.Connection, delivery: _Delivery, contract: Contract, identity: Identity, replay: bool
) -> DeliveryAccount:
    load.lock_source(connection, contract.name)
    content = delivery.content
    assert content is not None
    if not replay and (known := _already_loaded(connection, contract, content)) is not None:
        return _identical(connection, delivery, known)
    previous = _previous(connection, contract, delivery)
    found = first_line(content)
    if found is None:
        raise Refusal(
            "fichier_vide", f"{delivery.path.name}, ligne 1 : fichier vide, en-tête attendu (règle fichier_vide)"
        )
    delivery.layout = find_layout(contract, *found, delivery.path.name)
    delivery.delivery_id = _next_id(connection)
    load.create_staging(connection, contract)
    lines, rejects, suspects = _stage(connection, delivery, contract, identity)
    if content.changed():
        message = f"{delivery.path.name} : fichier modifié pendant sa lecture, dépôt inachevé ? (règle fichier_modifie)"
        raise Refusal("fichier_modifie", message)
    _check_volume(delivery, contract, lines, previous)
    if suspects:
        rejects["rejet", "cle_en_double"] += _reject_doubles(connection, delivery, contract, suspects)
    change = load.apply_versions(
        connection, contract, delivery.delivery_id, delivery.received_on, first=previous is None
    )
    return _account(connection, delivery, lines, rejects, change)


def _stage(
    connection: psycopg.Connection, delivery: _Delivery, contract: Contract, identity: Identity
) -> tuple[int, Counter[tuple[str, str]], list[int]]:
    """Copies typed rows and bad lines, batch by batch; number of lines, of bad lines by (kind, rule), and the lines
    that may share a key (equal hashes: the server then looks closer)."""
    assert delivery.content is not None
    assert delivery.layout is not None
    reader = LineReader(contract, delivery.layout, delivery.path.name, identity)
    records = read_records(delivery.content, delivery.layout.header, delivery.layout.delimiter)
    lines = 0
    rejects: Counter[tuple[str, str]] = Counter()
    hashes: list[pl.DataFrame] = []
    for batch in reader.type_records(records):
        load.copy_frame(connection, "incoming", batch.rows)
        load.copy_frame(connection, "not_loaded", batch.rejected_keys)
        _quarantine(connection, delivery.delivery_id, batch.rejects)
        rejects.update(zip(batch.rejects["kind"], batch.rejects["rule"], strict=True))
        hashes.append(batch.rows.select("_line", pl.struct(contract.key).hash().alias("hash")))
        lines += batch.records
        if delivery.progress:
            delivery.progress(lines)
    suspects: list[int] = []
    if hashes:
        suspects = pl.concat(hashes).filter(pl.col("hash").is_duplicated())["_line"].to_list()
    return lines, rejects, suspects


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


def _reject_doubles(
    connection: psycopg.Connection, delivery: _Delivery, contract: Contract, suspects: list[int]
) -> int:
    """Rejects each line that repeats a key of an earlier line of the file; number of lines."""
    found = load.doubles(connection, contract, suspects)
    if not found:
        return 0
    assert delivery.content is not None
    assert delivery.layout is not None
    lines = [line for line, _, _ in found]
    raw = raw_texts(delivery.content, delivery.layout.header, delivery.layout.delimiter, set(lines))
    columns = ", ".join(contract.key)
    rows = []
    for line, first, key in found:
        message = (
            f"{delivery.path.name}, ligne {line}, colonne {columns} : clé déjà présente ligne {first}, "
            f'reçu "{key}" (règle cle_en_double)'
        )
        rows.append((line, "rejet", columns, "cle_en_double", key, printable(message), printable(raw[line])))
    load.remove_lines(connection, lines)
    # A warning on the same line gives way to the reject.
    connection.execute(
        "delete from ingest.rejected_row where delivery_id = %s and line = any(%s)", (delivery.delivery_id, lines)
    )
    _quarantine(connection, delivery.delivery_id, pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row"))
    return len(found)


def _already_loaded(connection: psycopg.Connection, contract: Contract, content: Content) -> tuple[Any, ...] | None:
    return connection.execute(
        "select delivery_id, received_on, lines, layout, delimiter from ingest.delivery "
        "where source = %s and content_sha256 = %s and status = 'loaded' order by delivery_id limit 1",
        (contract.name, content.sha256),
    ).fetchone()


def _previous(connection: psycopg.Connection, contract: Contract, delivery: _Delivery) -> int | None:
    """Lines of the last loaded delivery received on an earlier day; None when there is none: this is the first one.

    Refusal when a later delivery is already loaded: knowledge cannot be rewritten behind what was computed from it.
    """
    row = connection.execute(
        "select max(received_on), (array_agg(lines order by delivery_id desc) filter (where received_on < %(day)s))[1] "
        "from ingest.delivery where source = %(source)s and status = 'loaded'",
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
    texts: Iterator[tuple[list[int], list[str]]]
    if delivery.layout is not None:
        frames = read_records(content, delivery.layout.header, delivery.layout.delimiter)
        texts = ((f["_line"].to_list(), f["_raw"].to_list()) for f in frames)
    else:
        texts = raw_records(content, first_line_number(content))
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
        "encoding": content.encoding if content else None,
        "delimiter": delivery.layout.delimiter if delivery.layout else delimiter,
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
        **counts,
    }
    stored = row | {"code_version": code_version(), "run_id": delivery.run_id}
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
