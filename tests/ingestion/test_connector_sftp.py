"""A real SFTP server: its key is verified, its names are not trusted, a cut leaves nothing by half."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from connector_base import MINUTE, NOW, Desk
from sftp_server import PASSWORD, USER, Server, serving

from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import Connector

CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An SFTP server whose folder is empty."""
    root = tmp_path / "sftp"
    root.mkdir()
    with serving(root, CLIENT_KEY.export_public_key().decode()) as running:
        yield running


@pytest.fixture
def connector(desk: Desk, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Connector]:
    """`connector(**changes)`: that server's folder, with the right key and password unless told otherwise."""
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(server.known_hosts)
    monkeypatch.setenv("DEPOT_SFTP", PASSWORD)

    def build(**changes: Any) -> Connector:
        values = {
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": server.port,
            "path": "/",
            "user": USER,
            "known_hosts": str(known_hosts),
            "password": {"env": "DEPOT_SFTP"},
        }
        merged = values | changes
        return desk.settings(**{name: value for name, value in merged.items() if value is not None})

    return build


def test_a_complete_file_comes_over_sftp(desk: Desk, server: Server, connector: Callable[..., Connector]) -> None:
    content = b"0123456789\n" * 700_000  # several requests of the protocol
    (server.root / "debits.csv").write_bytes(content)
    (taken,) = desk.fetch_settled(connector()).taken
    assert taken.bytes == len(content)
    assert desk.landed() == [("debits.csv", content)]
    assert desk.fetch(connector(), NOW + 2 * MINUTE).taken == []


def test_a_digest_is_verified_over_sftp(desk: Desk, server: Server, connector: Callable[..., Connector]) -> None:
    (server.root / "debits.csv").write_bytes(b"content\n")
    (server.root / "debits.csv.md5").write_text(hashlib.md5(b"content\n", usedforsecurity=False).hexdigest())
    assert len(desk.fetch(connector(companion=".md5")).taken) == 1


def test_a_login_by_key(desk: Desk, server: Server, connector: Callable[..., Connector], tmp_path: Path) -> None:
    key_file = tmp_path / "id_ed25519"
    key_file.write_bytes(CLIENT_KEY.export_private_key())
    key_file.chmod(0o600)
    (server.root / "debits.csv").write_bytes(b"content\n")
    settings = connector(password=None, key_file=str(key_file))
    assert len(desk.fetch_settled(settings).taken) == 1
    key_file.chmod(0o644)
    with pytest.raises(PeerFault, match="lisible par d'autres"):
        desk.look(settings)


def test_a_server_whose_key_is_not_the_known_one_gets_nothing(
    desk: Desk, connector: Callable[..., Connector], tmp_path: Path, server: Server
) -> None:
    """sshfs accepts any key unless told: a machine in between would get the password."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}\n")
    with pytest.raises(PeerFault, match="known_hosts"):
        desk.look(connector())
    (tmp_path / "known_hosts").write_text("")
    with pytest.raises(PeerFault, match="known_hosts"):
        desk.look(connector())
    (tmp_path / "known_hosts").unlink()
    with pytest.raises(PeerFault, match="n'existe pas"):
        desk.look(connector())


def test_missing_and_wrong_credentials_are_told(
    desk: Desk, connector: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEPOT_SFTP")
    with pytest.raises(PeerFault, match="la variable DEPOT_SFTP n'est pas définie"):
        desk.look(connector())
    monkeypatch.setenv("DEPOT_SFTP", "wrong")
    with pytest.raises(PeerFault, match="refuse ces identifiants"):
        desk.look(connector())


def test_names_that_lead_out_of_the_folder_are_refused(
    desk: Desk, server: Server, connector: Callable[..., Connector]
) -> None:
    """The server says what it likes: a name is one component, or it is not taken."""
    server.extra_names = [
        b"../up.csv",
        b"/etc/absolute.csv",
        b"sub/file.csv",
        b"win\\dir.csv",
        b"nul\0.csv",
        b"d\xe9.csv",
    ]
    (server.root / "good.csv").write_bytes(b"x")
    report = desk.fetch_settled(connector())
    assert set(report.refused) == {
        "../up.csv", "etc/absolute.csv", "sub/file.csv", "win\\dir.csv", "nul\\x00.csv", "d\\udce9.csv"
    }  # fmt: skip
    assert [name for name, _ in desk.landed()] == ["good.csv"]
    assert {path.name for path in desk.folder.rglob("*.csv")} == {"good.csv"}


def test_a_cut_connection_leaves_nothing_visible_and_the_next_fetch_takes_all(
    desk: Desk, server: Server, connector: Callable[..., Connector]
) -> None:
    content = b"0123456789\n" * 700_000
    (server.root / "debits.csv").write_bytes(content)
    desk.fetch(connector())
    server.hang_up_after = 1_000_000
    report = desk.fetch(connector(), NOW + MINUTE)
    assert "liaison coupée" in report.faults["debits.csv"]
    assert desk.landed() == []
    server.hang_up_after = None
    desk.fetch(connector(), NOW + 2 * MINUTE)
    assert desk.landed() == [("debits.csv", content)]


def test_a_server_that_is_not_there_is_a_fault(desk: Desk, connector: Callable[..., Connector]) -> None:
    with pytest.raises(PeerFault, match="injoignable"):
        desk.look(connector(port=1))


def test_a_folder_that_is_not_there_is_a_fault(desk: Desk, connector: Callable[..., Connector]) -> None:
    with pytest.raises(PeerFault, match="n'existe pas"):
        desk.look(connector(path="/ailleurs"))
