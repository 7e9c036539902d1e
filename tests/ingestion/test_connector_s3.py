"""A store that speaks S3, over HTTP on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from connector_base import MINUTE, NOW, Desk
from moto.server import ThreadedMotoServer

from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import Connector

REGION = "eu-west-3"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Address of the store."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(endpoint: str) -> Iterator[Any]:
    """An empty bucket, as its owner sees it."""
    credentials = {"aws_access_key_id": "owner", "aws_secret_access_key": "owner"}
    owner = boto3.resource("s3", endpoint_url=endpoint, region_name=REGION, **credentials)
    made = owner.Bucket("depot")
    made.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    yield made
    made.objects.delete()
    made.delete()


@pytest.fixture
def connector(desk: Desk, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Connector]:
    """`connector(**changes)`: the objects of that bucket under `urssaf`."""
    monkeypatch.setenv("DEPOT_ACCESS", "reader")
    monkeypatch.setenv("DEPOT_SECRET", "reader")
    values = {
        "kind": "s3",
        "endpoint": endpoint,
        "region": REGION,
        "bucket": "depot",
        "prefix": "urssaf",
        "access_key": {"env": "DEPOT_ACCESS"},
        "secret_key": {"env": "DEPOT_SECRET"},
    }
    return lambda **changes: desk.settings(**(values | changes))


def test_objects_of_the_prefix_come_and_new_content_is_a_new_delivery(
    desk: Desk, bucket: Any, connector: Callable[..., Connector]
) -> None:
    bucket.put_object(Key="urssaf/debits.csv", Body=b"0123456789\n" * 500_000)
    bucket.put_object(Key="urssaf/2025/debits.csv", Body=b"a subfolder")
    bucket.put_object(Key="other/debits.csv", Body=b"another prefix")
    assert len(desk.fetch_settled(connector()).taken) == 1
    assert desk.fetch(connector(), NOW + 2 * MINUTE).taken == []
    bucket.put_object(Key="urssaf/debits.csv", Body=b"9876543210\n" * 500_000)
    desk.fetch_settled(connector())
    assert desk.landed() == [("debits.csv", b"0123456789\n" * 500_000), ("debits.csv", b"9876543210\n" * 500_000)]


def test_an_empty_prefix_is_no_fault(desk: Desk, bucket: Any, connector: Callable[..., Connector]) -> None:
    assert desk.look(connector()).ready == []


def test_names_that_lead_elsewhere_are_never_taken(
    desk: Desk, bucket: Any, connector: Callable[..., Connector]
) -> None:
    """The library refuses to list a key with `..`: the whole look fails, and says why."""
    bucket.put_object(Key="urssaf/good.csv", Body=b"x")
    bucket.put_object(Key="urssaf/a\\b.csv", Body=b"x")
    report = desk.fetch_settled(connector())
    assert list(report.refused) == ["a\\b.csv"]
    bucket.put_object(Key="urssaf/../../up.csv", Body=b"x")
    with pytest.raises(PeerFault, match=r"\.\."):
        desk.look(connector())
    assert {path.name for path in desk.folder.rglob("*.csv")} == {"good.csv"}


def test_a_missing_bucket_a_missing_secret_and_a_missing_server_are_faults(
    desk: Desk, connector: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PeerFault, match="NoSuchBucket"):
        desk.look(connector(bucket="absent"))
    with pytest.raises(PeerFault, match="injoignable"):
        desk.look(connector(endpoint="http://127.0.0.1:1"))
    monkeypatch.delenv("DEPOT_SECRET")
    with pytest.raises(PeerFault, match="DEPOT_SECRET n'est pas définie"):
        desk.look(connector())
