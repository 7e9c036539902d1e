"""One delivered file into the raw tables: recognised, read, compared, accounted for, all in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

import polars as pl
import psycopg

from expectations.contract import Contract
from ingestion import ledger, load
from ingestion.ahead import ahead
from ingestion.content import Refusal, examine
from ingestion.database import connect, raw_table
from ingestion.fingerprints import KnownRows, Mask
from ingestion.forms import layout_of
from ingestion.ledger import Before, Delivery, DeliveryAccount, Progress
from ingestion.lines import Identity
from ingestion.memory import keep_freed_memory
from ingestion.quarantine import Taken
from ingestion.reading import Batch, Reading, refuse_if_changed

# Open versions are read and compared here when the file is large enough to repay it, and the memory allows it.
_KNOWN_ROWS_MIN, _KNOWN_ROWS_MAX = 5_000, 15_000_000
_BYTES_PER_KNOWN_ROW = 16


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
    delivery = Delivery(path, received_on, run_id, contract, taken=taken, progress=progress)
    try:
        if contract is None:
            delivery.content = ledger.undecoded(path)
            message = f"{path.name} : aucun contrat ne reconnaît ce nom de fichier (règle fichier_inconnu)"
            raise Refusal("fichier_inconnu", message)
        delivery.content = examine(path, contract.encodings)
        with connect(url, role=role) as connection:
            return _load(connection, delivery, contract, identity, again or taken is not None)
    except Refusal as refusal:
        if taken is not None:
            raise
        with connect(url, role=role) as connection:
            return ledger.refused(connection, delivery, refusal)
    except OSError as error:
        message = f"{path.name} : fichier illisible ({error.strerror or error}) (règle fichier_illisible)"
        unreadable = Refusal("fichier_illisible", message)
        with connect(url, role=role) as connection:
            return ledger.refused(connection, delivery, unreadable)


def _load(
    connection: psycopg.Connection, delivery: Delivery, contract: Contract, identity: Identity, again: bool
) -> DeliveryAccount:
    load.lock_source(connection, contract.name)
    content = delivery.content
    assert content is not None
    if not again and (same := ledger.already_loaded(connection, contract, delivery)) is not None:
        return ledger.identical(connection, delivery, same)
    before = ledger.loaded_before(connection, contract, delivery)
    delivery.header, delivery.layout = layout_of(content, contract)
    delivery.delivery_id = ledger.next_id(connection)
    known = _known(connection, delivery, contract)
    load.create_staging(connection, contract)
    stage = _Stage(connection, delivery, contract, first=not before.earlier_day, known=known)
    stage.read(identity)
    refuse_if_changed(content)
    _check_volume(delivery, contract, stage.lines, before.lines)
    if delivery.taken is not None:
        stage.rejects.update(delivery.taken.set_aside(connection, contract, delivery.delivery_id))
    change = stage.finish()
    if change.rows_absent and stage.cut is not None:
        raise stage.cut
    _check_same_day(delivery, contract, change.rows_absent, before)
    if delivery.taken is not None:
        delivery.taken.settle(connection, delivery.delivery_id, stage.lines)
    return ledger.accounted(connection, delivery, stage.lines, stage.rejects, change)


def _known(connection: psycopg.Connection, delivery: Delivery, contract: Contract) -> KnownRows | None:
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
        delivery: Delivery,
        contract: Contract,
        *,
        first: bool,
        known: KnownRows | None,
    ) -> None:
        self.connection, self.delivery, self.contract = connection, delivery, contract
        self.first, self.known = first, known
        self.lines = 0
        self.cut: Refusal | None = None
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
        self.cut = reading.cut

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
        return load.Comparison(self._rows, 0, self._lines_with_rows, 0)

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
        ledger.quarantine(self.connection, self.delivery.delivery_id, batch.rejects)
        self.rejects.update(zip(batch.rejects["kind"], batch.rejects["rule"], strict=True))


def _check_volume(delivery: Delivery, contract: Contract, lines: int, previous: int | None) -> None:
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


def _check_same_day(delivery: Delivery, contract: Contract, absent: int, before: Before) -> None:
    """A stock is one file: the second half of one must not close the first, received on the same day."""
    share = 1 - contract.volume.min_share_of_previous
    if before.same_day and absent > before.open_rows * share:
        raise Refusal(
            "stock_partiel",
            f"{delivery.path.name} : {absent} des {before.open_rows} lignes connues en sont absentes, alors qu'un autre stock "
            f"complet a été reçu le même jour, le {delivery.received_on:%d/%m/%Y} : livrer le stock en un seul fichier, "
            "ou retirer d'abord l'autre livraison (règle stock_partiel)",
            value=str(absent),
        )
