"""The instance's connectors, and their bases looked at or fetched from now.

How a base is read is in `ingestion.connectors`, when it is looked at in `automation`; once a delivery lies in the landing
folder, its road is the one of every other.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from expectations.contract import load_contracts
from ingestion.connectors import collect
from ingestion.connectors.faults import ConnectorError
from ingestion.connectors.offers import Look
from ingestion.connectors.settings import Connector, load_connectors
from ingestion.database import connect
from orchestration.instance import Instance
from orchestration.months import TIMEZONE
from orchestration.schema import INGESTION_ROLE

#: A base that nobody reached for this long, beyond two looks, is an alarm: a night of maintenance is none.
SILENCE = timedelta(days=1)


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


def alarms(instance: Instance, moment: datetime) -> list[str]:
    """What a watchdog should tell: settings that cannot be used, a base that has not been reached for long."""
    try:
        expected = connectors(instance)
    except ConnectorError as error:
        return [f"connectors: {error}"]
    with connect(instance.database_url) as connection:
        looks = connection.execute("select connector, looked_at from ingest.connector_state").fetchall()
    reached: dict[str, datetime] = dict(looks)
    return [
        f"connector {name}: base last reached {reached.get(name) or 'never'}"
        for name, settings in expected.items()
        if name not in reached or moment - reached[name] > SILENCE + 2 * timedelta(minutes=settings.every_minutes)
    ]


def _place(instance: Instance) -> collect.Place:
    return collect.Place(instance.database_url, instance.landing, load_contracts(), role=INGESTION_ROLE)


def _day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(TIMEZONE)).date()
