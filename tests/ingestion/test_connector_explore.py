"""A paged open-data portal: every record once, through cuts, refusals and wrong counts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from connector_base import DAY, MINUTE, NOW, Desk
from explore_server import Answer, Portal, cut, portal_of, status

from ingestion.connectors import explore, web
from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import Connector
from ingestion.database import create_schemas
from ingestion.ingest import ingest_file


def notice(day: date, number: int) -> dict[str, Any]:
    """One record, with what a careless copy would damage."""
    return {
        "id": f"A{day:%Y%m%d}{number:05d}",
        "dateparution": day.isoformat(),
        "tribunal": "Épinal « TC »",
        "ratio": 1.10,
    }


@pytest.fixture
def portal() -> Iterator[Portal]:
    """450 records over three years."""
    records = [notice(date(2024, 3, 1) + timedelta(days=5 * n), n) for n in range(140)]
    records += [notice(date(2026, 2, 20), n) for n in range(310)]
    with portal_of(records) as running:
        yield running


@pytest.fixture
def connector(desk: Desk, portal: Portal) -> Callable[..., Connector]:
    """`connector(**changes)`: that portal, asked since 2024."""
    values = {
        "kind": "explore",
        "contract": "bodacc__annonce",
        "file_name": "api_bodacc",
        "url": portal.url,
        "dataset": "annonces-commerciales",
        "date_field": "dateparution",
        "order_by": "dateparution,id",
        "since": "2024-01-01",
        "requests_per_second": 1_000_000,
    }
    return lambda **changes: desk.settings(**(values | changes))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept, in seconds; the clock stands still."""
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: 100.0, time=lambda: 0.0)
    monkeypatch.setattr(web, "time", clock)
    monkeypatch.setattr("urllib3.util.retry.time", clock)
    return slept


def landed_records(desk: Desk) -> list[list[str]]:
    """Identifiers of the records of each landed delivery."""
    return [[json.loads(line)["id"] for line in content.splitlines()] for _, content in desk.landed()]


def identifiers(portal: Portal, since: str = "") -> list[str]:
    """Identifiers of the portal's records from a day on, in order."""
    rows = [row for row in portal.records if row["dateparution"] >= since]
    return [row["id"] for row in sorted(rows, key=lambda row: (row["dateparution"], row["id"]))]


def test_every_record_comes_once_page_by_page(desk: Desk, portal: Portal, connector: Callable[..., Connector]) -> None:
    (taken,) = desk.fetch(connector()).taken
    assert taken.rows == 450
    ((name, content),) = desk.landed()
    assert name == f"api_bodacc_2024-01-01_{DAY}.jsonl"
    assert landed_records(desk) == [identifiers(portal)]
    first = json.loads(content.splitlines()[0])
    assert first["tribunal"] == "Épinal « TC »"
    assert first["ratio"] == "1.1", "the digits as they came, not a float of ours"


def test_a_day_is_fetched_once_and_the_next_one_starts_a_little_before(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    """A notice may enter the portal some days after its date."""
    desk.fetch(connector())
    assert desk.fetch(connector(), NOW + MINUTE).taken == []
    portal.records.append(notice(DAY - timedelta(days=3), 77_777))
    next_day = DAY + timedelta(days=1)
    desk.fetch(connector(), NOW + timedelta(days=1), day=next_day)
    assert landed_records(desk)[1] == identifiers(portal, (DAY - timedelta(days=7)).isoformat())


def test_a_window_of_more_than_10_000_records_is_exported(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    """Beyond that the API gives no page at all."""
    portal.records += [notice(date(2025, 6, 1), n) for n in range(explore.PAGED_MAX + 1)]
    assert desk.fetch(connector()).taken[0].rows == len(portal.records)
    assert landed_records(desk) == [identifiers(portal)]
    assert sum("/exports/jsonl" in path for path in portal.asked) == 1


@pytest.mark.parametrize("ranges", [True, False], ids=["from the byte where it stopped", "from its start"])
def test_an_export_cut_in_the_middle_goes_on(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float], ranges: bool
) -> None:
    portal.records += [notice(date(2025, 6, 1), n) for n in range(explore.PAGED_MAX + 1)]
    portal.ranges = ranges
    before_export = 1 + 1 + 1 + 1  # look; count and page of 2024; count of 2025
    portal.faults.extend([None] * before_export + [cut(0.7), cut(0.4) if not ranges else None])
    desk.fetch(connector())
    assert landed_records(desk) == [identifiers(portal)]
    asked = [
        headers.get("Range") for path, headers in zip(portal.asked, portal.headers, strict=True) if "jsonl" in path
    ]
    assert (asked[0], len(asked)) == (None, 2 if ranges else 3)
    assert all(asked[1:]) == ranges
    assert len(waits) >= 1


@pytest.mark.parametrize(
    "fault",
    [status(429, Retry_After="7"), status(500), status(503), cut(0.5), cut(0.0)],
    ids=["429", "500", "503", "cut in mid-body", "cut before the body"],
)
def test_a_passing_fault_is_waited_out(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float], fault: Any
) -> None:
    portal.faults.extend([None, None, fault, fault])
    assert desk.fetch(connector()).taken[0].rows == 450
    assert landed_records(desk) == [identifiers(portal)]
    assert waits, "it did not hurry"


def test_the_server_says_how_long_to_wait(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float]
) -> None:
    portal.faults.extend([None, status(429, Retry_After="7")])
    desk.fetch(connector())
    assert 7 in waits


def test_a_lasting_fault_ends_and_the_next_fetch_goes_on_at_the_page(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float]
) -> None:
    good = 1 + 2 + 2 + 2 + 1  # look; count and page of 2024 (61), of 2025 (73); count and two pages of 2026 (316)
    portal.faults.extend([None] * good + [status(503)] * 7)
    report = desk.fetch(connector())
    assert "503" in report.faults["annonces-commerciales"]
    assert desk.landed() == []
    asked_before = len(portal.asked)
    desk.fetch(connector(), NOW + MINUTE)
    assert landed_records(desk) == [identifiers(portal)]
    pages = [path for path in portal.asked[asked_before:] if "limit=100" in path]
    assert [path.partition("offset=")[2] for path in pages] == ["200", "300"], "what was read is not read again"
    assert desk.incoming() == []


FETCH = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from expectations.contract import load_contracts
from ingestion.connectors import collect
from ingestion.connectors.settings import load_connectors

url, folder = sys.argv[1], Path(sys.argv[2])
contracts = load_contracts()
settings = load_connectors(folder / "connectors.yml", contracts)["depot"]
place = collect.Place(url, folder / "landing", contracts)
collect.fetch("depot", settings, place, day=date(2026, 3, 2), now=datetime(2026, 3, 2, 8, tzinfo=UTC))
"""


def test_a_killed_process_is_gone_on_with_at_its_page(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    """The kill comes from the server, in the middle of an answer: no handler of ours runs."""
    settings = connector()
    started: list[subprocess.Popen[bytes]] = []

    def kill(_answer: Answer, _body: bytes) -> None:
        started[0].kill()
        started[0].wait()

    portal.faults.extend([None] * 8 + [kill])
    started.append(subprocess.Popen([sys.executable, "-c", FETCH, desk.url, str(desk.folder)]))
    assert started[0].wait(120) == -signal.SIGKILL
    assert desk.landed() == []
    with psycopg.connect(desk.url) as connection:  # the server frees the lock once it sees that the process is gone
        connection.execute("select pg_advisory_xact_lock(hashtext('vigie.connector.'), hashtext('depot'))")
    asked_before = len(portal.asked)
    desk.fetch(settings)
    assert landed_records(desk) == [identifiers(portal)]
    pages = [path for path in portal.asked[asked_before:] if "limit=100" in path]
    assert [path.partition("offset=")[2] for path in pages] == ["200", "300"]


def test_another_question_does_not_go_on_with_the_same_file(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float]
) -> None:
    portal.faults.extend([None] * 8 + [status(503)] * 7)
    desk.fetch(connector())
    (taken,) = desk.fetch(connector(since="2026-01-01"), NOW + MINUTE).taken
    assert taken.rows == len(identifiers(portal, "2026-01-01"))
    assert landed_records(desk) == [identifiers(portal, "2026-01-01")]


def test_a_count_that_is_not_what_came_shows_nothing(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    portal.announced_more = 1
    report = desk.fetch(connector())
    assert "annoncés" in report.faults["annonces-commerciales"]
    assert desk.landed() == []
    portal.announced_more = 0
    desk.fetch(connector(), NOW + MINUTE)
    assert landed_records(desk) == [identifiers(portal)]


def test_records_that_enter_while_we_read_are_not_missed(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    """One more at the head of a window shifts every page: one record would come twice, another never."""

    def one_more(answer: Answer, body: bytes) -> None:
        portal.records.append(notice(date(2026, 1, 1), 5))
        answer.whole(body)

    portal.faults.extend([None] * 6 + [one_more])
    report = desk.fetch(connector())
    assert "450" not in report.faults["annonces-commerciales"]
    desk.fetch(connector(), NOW + MINUTE)
    assert landed_records(desk) == [identifiers(portal)]


def test_another_host_is_never_asked(desk: Desk, portal: Portal, connector: Callable[..., Connector]) -> None:
    """A redirection would carry our key to whoever the answer names."""
    with portal_of([]) as other:
        portal.faults.append(status(302, Location=f"{other.url}/catalog"))
        with pytest.raises(PeerFault, match="redirection refusée vers"):
            desk.look(connector())
        assert other.asked == []


def test_a_body_too_long_or_too_slow_is_given_up(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PeerFault, match="trop longue : plus de 100 octets"):
        desk.look(connector(max_body_bytes=100))
    moments = iter(range(0, 10_000, 40))
    monkeypatch.setattr(web, "time", SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _seconds: None))
    with pytest.raises(PeerFault, match="trop lente"):
        desk.look(connector())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>panne</html>", "pas du JSON"),
        (b"[]", "objet JSON"),
        (b'{"total_count": "many"}', "n'est pas un nombre"),
    ],
    ids=["a page of a proxy", "a list", "no count"],
)
def test_an_answer_of_another_shape_is_a_fault(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], body: bytes, message: str
) -> None:
    portal.faults.append(lambda answer, _body: answer.whole(body))
    with pytest.raises(PeerFault, match=message):
        desk.look(connector())


def test_a_refusal_is_told_at_once_with_what_the_server_said(
    desk: Desk, portal: Portal, connector: Callable[..., Connector]
) -> None:
    portal.faults.append(status(400))
    with pytest.raises(PeerFault, match=r"HTTP 400.*no"):
        desk.look(connector())
    assert len(portal.asked) == 1


def test_requests_keep_their_distance(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], waits: list[float]
) -> None:
    """The clock of the test stands still, so each request but the first waits its whole turn."""
    desk.fetch(connector(requests_per_second=4))
    assert waits[0] == pytest.approx(0.25)
    assert len(waits) >= len(portal.asked) - 2


def test_what_lands_is_read_by_its_contract(desk: Desk, portal: Portal, connector: Callable[..., Connector]) -> None:
    """Fields of the API: the judgment as JSON in a string, two spellings of one SIREN, a notice of another kind."""
    judgment = {
        "type": "initial",
        "famille": "Jugement d'ouverture",
        "nature": "Jugement d'ouverture de liquidation",
        "date": "2026-02-20",
    }
    common = {"dateparution": "2026-02-25", "tribunal": "Greffe", "jugement": json.dumps(judgment)}
    portal.records = [
        common | {"id": "A202600381", "familleavis": "collective", "registre": ["012345674", "012 345 674"]},
        common | {"id": "A202600382", "familleavis": "creation", "registre": ["023456783"], "jugement": None},
        common | {"id": "A202600383", "familleavis": "collective", "registre": ["not one"]},
    ]
    create_schemas(desk.url, {"bodacc__annonce": desk.contracts["bodacc__annonce"]})
    (taken,) = desk.fetch(connector()).taken
    account = ingest_file(desk.url, desk.landing / taken.path, received_on=DAY, contracts=desk.contracts)
    assert (account.source, account.lines, taken.rows) == ("bodacc__annonce", 3, 3)
    assert (account.loaded, account.rejected, account.out_of_scope) == (1, 1, 1)
    assert desk.rows("select siren, jugement_date::text from raw.bodacc__annonce") == [("012345674", "2026-02-20")]


def test_a_proxy_is_asked_when_there_is_one(desk: Desk, portal: Portal, connector: Callable[..., Connector]) -> None:
    """The servers of an administration seldom reach the Internet by themselves."""
    proxy = portal.url.removesuffix("/api/explore/v2.1")
    settings = connector(url="http://127.0.0.1:9/api/explore/v2.1", proxy=proxy)
    assert len(desk.look(settings).ready) == 1
    assert portal.asked[0].startswith(
        "http://127.0.0.1:9/api/explore/v2.1/catalog/datasets/annonces-commerciales/records?"
    )


def test_the_key_goes_in_a_header_and_its_absence_is_told(
    desk: Desk, portal: Portal, connector: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = connector(api_key={"env": "PORTAIL_CLE"})
    with pytest.raises(PeerFault, match="PORTAIL_CLE n'est pas définie"):
        desk.look(settings)
    monkeypatch.setenv("PORTAIL_CLE", "of-the-test")
    desk.look(settings)
    assert portal.headers[0]["Authorization"] == "Apikey of-the-test"
    assert not any("of-the-test" in path for path in portal.asked)
