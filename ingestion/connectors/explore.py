"""A dataset of an open-data portal that speaks the Opendatasoft Explore API v2.1, as one JSON Lines delivery.

The days asked for are cut in windows of one calendar year at most. A window of up to 10,000 records is read page by page
(the API gives no page beyond that), a larger one through `exports/jsonl`. Each count announced must be the count received.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import IO, Any

from ingestion.connectors.faults import PeerFault
from ingestion.connectors.memory import Memory
from ingestion.connectors.offers import Extract, Look, Offer
from ingestion.connectors.settings import Explore
from ingestion.connectors.web import Client

#: Limits of the API.
PAGE, PAGED_MAX = 100, 10_000


@dataclass
class _Progress:
    """How far a fetch has come: the file holds all that is before `window_start`, and `offset` records of that window.

    `question` is what was asked: another one does not go on with this file.
    """

    question: str
    first: date
    last: date
    window_start: date
    window_bytes: int = 0
    window_rows: int = 0
    announced: int = 0
    offset: int = 0
    bytes: int = 0

    def saved(self) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> _Progress:
        days = {name: date.fromisoformat(saved[name]) for name in ("first", "last", "window_start")}
        return cls(**(saved | days))

    @property
    def window_end(self) -> date:
        return min(self.last, date(self.window_start.year, 12, 31))

    def next_window(self) -> None:
        """The window is whole: go on after it."""
        self.window_start = self.window_end + timedelta(days=1)
        self.window_bytes, self.window_rows = self.bytes, self.window_rows + self.announced
        self.announced = self.offset = 0

    def forget_window(self) -> None:
        """The window changed under our pages: read it again from its start."""
        self.bytes, self.announced, self.offset = self.window_bytes, 0, 0


class Dataset:
    """The records of one dataset. `patient`: a request is tried again for minutes, else the first answer counts."""

    def __init__(self, settings: Explore, *, patient: bool) -> None:
        self.settings = settings
        self._client = Client(
            settings.url,
            settings.requests_per_second,
            settings.max_body_bytes,
            patient=patient,
            headers={"Authorization": f"Apikey {settings.api_key.value()}"} if settings.api_key else {},
            proxy=settings.proxy,
        )
        self._path = f"catalog/datasets/{settings.dataset}"

    def look(self, memory: Memory, day: date, now: datetime) -> Look:
        """Once a day, whether the days since the last fetch hold records; an interrupted fetch goes on."""
        del now
        if (begun := self._begun(memory)) is not None:
            day = begun.last
        if (self.settings.dataset, day.isoformat()) in memory.known():
            return Look(position=memory.position)
        count = self._count(self._first(memory), day)
        offers = [Offer(self.settings.dataset, day.isoformat())] if count else []
        return Look(ready=offers, position=memory.position)

    def fetch(self, offer: Offer, memory: Memory) -> Extract:
        """Write every record of the days asked for, going on where an interrupted fetch stopped."""
        first = self._first(memory)
        progress = self._begun(memory) or _Progress(
            self._question, first, date.fromisoformat(offer.version), window_start=first
        )
        with memory.part.open("r+b" if progress.bytes else "w+b") as target:
            target.seek(progress.bytes)
            target.truncate()
            while progress.window_start <= progress.last:
                self._window(progress, target, memory)
                progress.next_window()
                memory.advance(progress.saved())
        name = f"{self.settings.file_name}_{progress.first.isoformat()}_{progress.last.isoformat()}.jsonl"
        return Extract(name, {"last_day": offer.version}, progress.window_rows)

    def _begun(self, memory: Memory) -> _Progress | None:
        """The interrupted fetch of the same question, unless its file is shorter than remembered (a power failure)."""
        if memory.progress is None or not memory.part.exists():
            return None
        progress = _Progress.restored(memory.progress)
        whole = memory.part.stat().st_size >= progress.bytes
        return progress if whole and progress.question == self._question else None

    def _window(self, progress: _Progress, target: IO[bytes], memory: Memory) -> None:
        start, end = progress.window_start, progress.window_end
        count = self._count(start, end)
        if progress.offset and count != progress.announced:
            raise self._changed(progress, memory, f"{progress.announced} enregistrements annoncés, puis {count}")
        progress.announced = count
        if count > PAGED_MAX:
            self._client.download(f"{self._path}/exports/jsonl", self._query(start, end), target)
            received = _end_last_line(target, progress.bytes)
            if received != count:
                raise self._changed(progress, memory, f"{count} enregistrements annoncés, {received} reçus")
            progress.bytes = _kept(target)
        while progress.offset < count <= PAGED_MAX:
            self._page(progress, target, memory)

    def _page(self, progress: _Progress, target: IO[bytes], memory: Memory) -> None:
        start, end = progress.window_start, progress.window_end
        place = {"limit": str(PAGE), "offset": str(progress.offset)}
        content = self._client.page(f"{self._path}/records", self._query(start, end) | place)
        records = content.get("results")
        expected = min(PAGE, progress.announced - progress.offset)
        if (
            not isinstance(records, list)
            or len(records) != expected
            or content.get("total_count") != progress.announced
        ):
            received = len(records) if isinstance(records, list) else "?"
            raise self._changed(
                progress,
                memory,
                f"{progress.announced} enregistrements annoncés, puis {content.get('total_count')} ; "
                f"{received} reçus au lieu de {expected} à partir du {progress.offset}e",
            )
        for record in records:
            target.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        progress.offset += len(records)
        progress.bytes = _kept(target)
        memory.advance(progress.saved())

    def _changed(self, progress: _Progress, memory: Memory, what: str) -> PeerFault:
        """The fault of counts that do not agree; the next fetch reads that window again."""
        progress.forget_window()
        memory.advance(progress.saved())
        return PeerFault(f"du {progress.window_start} au {progress.window_end} : {what}")

    def _count(self, start: date, end: date) -> int:
        content = self._client.page(f"{self._path}/records", self._query(start, end) | {"limit": "1", "offset": "0"})
        count = content.get("total_count")
        if not isinstance(count, int) or count < 0:
            raise PeerFault("réponse inattendue : `total_count` n'est pas un nombre")
        return count

    def _query(self, start: date, end: date) -> dict[str, str]:
        field, after = self.settings.date_field, end + timedelta(days=1)
        days = f"{field} >= date'{start.isoformat()}' and {field} < date'{after.isoformat()}'"
        where = f"{days} and ({self.settings.where})" if self.settings.where else days
        return {"where": where, "order_by": self.settings.order_by}

    @property
    def _question(self) -> str:
        asked = self.settings
        return f"{asked.url} {asked.dataset} {asked.date_field} {asked.since} {asked.order_by} {asked.where}"

    def _first(self, memory: Memory) -> date:
        last = memory.position.get("last_day")
        if last is None:
            return self.settings.since
        return max(self.settings.since, date.fromisoformat(last) - timedelta(days=self.settings.overlap_days))


def _kept(target: IO[bytes]) -> int:
    """The bytes that are written, once they are on disk: the database is about to say so."""
    target.flush()
    os.fsync(target.fileno())
    return target.tell()


def _end_last_line(target: IO[bytes], start: int) -> int:
    """The number of records written since `start`; the last one gets its end of line when it came without."""
    target.seek(start)
    count, last = 0, b"\n"
    while block := target.read(1 << 20):
        count, last = count + block.count(b"\n"), block[-1:]
    if last != b"\n":
        target.write(b"\n")
        count += 1
    return count
