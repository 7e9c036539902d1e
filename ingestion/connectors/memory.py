"""What a connector remembers, in the database; and the one step by which a delivery becomes visible.

A delivery is written whole under `landing/.incoming/`, then one commit says both that it is ours and where the
connector stands, then it is renamed. A kill before the commit leaves nothing but a file to write again; a kill after it
leaves a rename, which the next fetch does first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.types.json import Jsonb

from ingestion.connectors.faults import PeerFault
from ingestion.connectors.offers import Extract, Look, Offer
from ingestion.database import connect

_INCOMING = ".incoming"
_LOCK = "vigie.connector."


@dataclass(frozen=True)
class Taken:
    """One delivery that was put into the landing folder; `path` is relative to it."""

    name: str
    path: str
    bytes: int
    rows: int | None


class Memory:
    """The state of one connector, while this process alone works on it (see `locked`)."""

    def __init__(self, connection: psycopg.Connection, connector: str, landing: Path) -> None:
        self._connection = connection
        self._connector = connector
        self._landing = landing
        self._incoming = landing / _INCOMING
        self._incoming.mkdir(exist_ok=True)
        #: Where the next delivery is written, whole or in several goes.
        self.part = self._incoming / f"{connector}.part"
        row = connection.execute(
            "select position, progress from ingest.connector_state where connector = %s", [connector]
        ).fetchone()
        self.position: dict[str, Any] = row[0] if row else {}
        self.progress: dict[str, Any] | None = row[1] if row else None
        self._finish_renames()

    def known(self) -> dict[tuple[str, str], str | None]:
        """(name, version) of everything taken or refused so far, with the reason of a refusal."""
        rows = self._connection.execute(
            "select name, version, reason from ingest.fetched where connector = %s", [self._connector]
        )
        found = {(name, version): reason for name, version, reason in rows}
        self._connection.commit()
        return found

    def looked(self, position: dict[str, Any], now: datetime) -> None:
        """Remember what a look has seen."""
        self.position = position
        self._save(looked_at=now)
        self._connection.commit()

    def advance(self, progress: dict[str, Any] | None) -> None:
        """Remember how far an unfinished delivery has come; what it says of `part` must be on disk already."""
        self.progress = progress
        self._save()
        self._connection.commit()

    def forget_part(self) -> None:
        """Give back the room of a delivery that was not taken, unless the next fetch goes on with it."""
        if self.progress is None:
            self.part.unlink(missing_ok=True)

    def refuse(self, name: str, version: str, reason: str, *, received_on: date, now: datetime) -> None:
        """Leave a version of a name for good, with the reason."""
        self.forget_part()
        self._connection.execute(
            "insert into ingest.fetched (connector, name, version, status, reason, received_on, fetched_at) "
            "values (%s, %s, %s, 'refused', %s, %s, %s)",
            [self._connector, name, version, reason, received_on, now],
        )
        self._connection.commit()

    def land(self, offer: Offer, extract: Extract, *, received_on: date, now: datetime) -> Taken:
        """Make what was written to `part` visible as a delivery, and move the position, in one step.

        It lies in a folder of its own number, so that no two deliveries of a day can want one name.
        """
        with self.part.open("rb") as stream:
            os.fsync(stream.fileno())
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        fetch_id = self._next_id()
        landed_as = f"{received_on.isoformat()}/{fetch_id:08d}/{extract.file_name}"
        self.part.replace(self._ready(fetch_id))
        _sync_folder(self._incoming)
        self._connection.execute(
            "insert into ingest.fetched (fetch_id, connector, name, version, status, bytes, rows, content_sha256, "
            "landed_as, received_on, fetched_at) values (%s, %s, %s, %s, 'landed', %s, %s, %s, %s, %s, %s)",
            [
                fetch_id,
                self._connector,
                offer.name,
                offer.version,
                size,
                extract.rows,
                digest,
                landed_as,
                received_on,
                now,
            ],
        )
        self.position, self.progress = extract.position, None
        self._save()
        self._connection.commit()
        self._show(fetch_id, landed_as)
        return Taken(offer.name, landed_as, size, extract.rows)

    def _save(self, looked_at: datetime | None = None) -> None:
        self._connection.execute(
            "insert into ingest.connector_state as s (connector, position, progress, looked_at) values (%s, %s, %s, %s) "
            "on conflict (connector) do update set position = excluded.position, progress = excluded.progress, "
            "looked_at = coalesce(excluded.looked_at, s.looked_at)",
            [self._connector, Jsonb(self.position), self.progress and Jsonb(self.progress), looked_at],
        )

    def _ready(self, fetch_id: int) -> Path:
        return self._incoming / f"{self._connector}-{fetch_id}.part"

    def _finish_renames(self) -> None:
        """Do the renames that a killed process had committed; drop what it had not."""
        for path in sorted(self._incoming.glob(f"{self._connector}-*.part")):
            fetch_id = int(path.stem.rpartition("-")[2])
            row = self._connection.execute(
                "select landed_as from ingest.fetched where fetch_id = %s", [fetch_id]
            ).fetchone()
            if row:
                self._show(fetch_id, row[0])
            else:
                path.unlink()
        self._connection.commit()

    def _show(self, fetch_id: int, landed_as: str) -> None:
        target = self._landing / landed_as
        target.parent.mkdir(parents=True, exist_ok=True)
        self._ready(fetch_id).replace(target)
        _sync_folder(target.parent)

    def _next_id(self) -> int:
        row = self._connection.execute(
            "select nextval(pg_get_serial_sequence('ingest.fetched', 'fetch_id'))"
        ).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def locked(url: str, connector: str, landing: Path, *, role: str | None = None) -> Iterator[Memory]:
    """The memory of a connector, for one process at a time; a killed process lets go of it with its connection.

    Raises:
        PeerFault: another process works on this connector.
    """
    key = [_LOCK, connector]
    with connect(url, role=role) as connection:
        row = connection.execute("select pg_try_advisory_lock(hashtext(%s), hashtext(%s))", key).fetchone()
        connection.commit()
        if row != (True,):
            raise PeerFault("une autre collecte de ce connecteur est en cours")
        try:
            yield Memory(connection, connector, landing)
        finally:
            # The end of the connection would free it too, but only when the server gets to know.
            if not connection.closed:
                connection.rollback()
                connection.execute("select pg_advisory_unlock(hashtext(%s), hashtext(%s))", key)
                connection.commit()


def _sync_folder(folder: Path) -> None:
    """Have the names of a folder on disk, so that a power failure does not undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Source(Protocol):
    """One kind of base. Both methods raise PeerFault when it cannot be reached or misbehaves."""

    def look(self, memory: Memory, day: date, now: datetime) -> Look:
        """What is there, without taking it; short."""
        ...

    def fetch(self, offer: Offer, memory: Memory) -> Extract:
        """Write the whole offer to `memory.part` (DeliveryRefused when it contradicts itself)."""
        ...
