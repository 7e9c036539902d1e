"""One connector at work: look at its base, take what is complete, say what was not taken and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from expectations.contract import Contract
from ingestion.connectors.explore import Dataset
from ingestion.connectors.faults import DeliveryRefused, PeerFault
from ingestion.connectors.memory import Source, Taken, locked
from ingestion.connectors.offers import Look, Offer
from ingestion.connectors.postgresql import Rows
from ingestion.connectors.settings import Connector, Explore, Postgresql

_FREE_AFTERWARDS = 1 << 30


@dataclass(frozen=True)
class Report:
    """What a fetch did. `faults` and `refused` say, by name, what a person should know (French)."""

    taken: list[Taken] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    #: Seconds after which what waits may be complete; None when only the base can tell.
    again_after: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a connector works: the instance's database (and the role to take), its landing folder, the contracts."""

    url: str
    landing: Path
    contracts: Mapping[str, Contract]
    role: str | None = None


def look(name: str, settings: Connector, place: Place, *, day: date, now: datetime) -> Look:
    """What the base offers, without taking it; one short try.

    Raises:
        PeerFault: the base cannot be reached, or another process works on this connector.
    """
    with locked(place.url, name, place.landing, role=place.role) as memory:
        with _opened(settings, place, patient=False) as source:
            seen = source.look(memory, day, now)
        memory.looked(seen.position, now)
        return seen


def fetch(name: str, settings: Connector, place: Place, *, day: date, now: datetime) -> Report:
    """Take everything that is complete, as deliveries received on `day`; a fault of one file leaves the others.

    Raises:
        PeerFault: as `look`.
    """
    with (
        locked(place.url, name, place.landing, role=place.role) as memory,
        _opened(settings, place, patient=True) as source,
    ):
        seen = source.look(memory, day, now)
        memory.looked(seen.position, now)
        report = Report(waiting=seen.waiting, refused=dict(seen.refused), again_after=seen.again_after)
        for offer in seen.ready:
            try:
                _require_room(offer, place.landing)
                extract = source.fetch(offer, memory)
            except PeerFault as fault:
                report.faults[offer.name] = str(fault)
                memory.forget_part()
            except DeliveryRefused as refusal:
                memory.refuse(offer.name, offer.version, str(refusal), received_on=day, now=now)
                report.refused[offer.name] = str(refusal)
            else:
                report.taken.append(memory.land(offer, extract, received_on=day, now=now))
        return report


@contextmanager
def _opened(settings: Connector, place: Place, *, patient: bool) -> Iterator[Source]:
    """The base of a connector. `patient`: a run, which may wait; else a look, which must not."""
    if isinstance(settings, Postgresql):
        yield Rows(settings, place.contracts[settings.contract], patient=patient)
    elif isinstance(settings, Explore):
        yield Dataset(settings, patient=patient)
    else:
        from ingestion.connectors.files import Files  # SSH and its cryptography are slow to import

        files = Files(settings)
        try:
            yield files
        finally:
            files.close()


def _require_room(offer: Offer, landing: Path) -> None:
    """Refuse before the first byte what would fill the disk, on which the database may lie too."""
    free = shutil.disk_usage(landing).free
    if offer.size is not None and offer.size + _FREE_AFTERWARDS > free:
        raise PeerFault(f"{offer.name} : {offer.size} octets à prendre, {free} libres sur le disque")
