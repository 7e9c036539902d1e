"""The instance's connectors, and their bases looked at or fetched from now.

How a base is read is in `ingestion.connectors`, when it is looked at in `automation`; once a delivery lies in the landing
folder, its road is the one of every other.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from expectations.contract import load_contracts
from ingestion.connectors import collect
from ingestion.connectors.offers import Look
from ingestion.connectors.settings import Connector, load_connectors
from orchestration.instance import Instance
from orchestration.months import TIMEZONE
from orchestration.schema import INGESTION_ROLE


def connectors(instance: Instance) -> dict[str, Connector]:
    """The connectors of `connectors.yml` (ConnectorError, naming the line, when it cannot be used)."""
    return load_connectors(instance.home / "connectors.yml", load_contracts())


def now() -> datetime:
    """The present moment: looks are told apart by it, and a delivery is received on its day in France."""
    return datetime.now(UTC)


def look(instance: Instance, name: str, settings: Connector, moment: datetime) -> Look:
    """What a connector's base offers at this moment, without taking it (PeerFault when it cannot be reached)."""
    return collect.look(name, settings, _place(instance), day=_day(moment), now=moment)


def fetch(instance: Instance, name: str, settings: Connector, moment: datetime) -> collect.Report:
    """Take into the landing folder what is complete (PeerFault when the base cannot be reached)."""
    return collect.fetch(name, settings, _place(instance), day=_day(moment), now=moment)


def _place(instance: Instance) -> collect.Place:
    return collect.Place(instance.database_url, instance.landing, load_contracts(), role=INGESTION_ROLE)


def _day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(TIMEZONE)).date()
