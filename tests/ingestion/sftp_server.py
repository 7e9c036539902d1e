"""A real SFTP server on 127.0.0.1, in a thread, that can lie about names and hang up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER, PASSWORD = "vigie", "only-for-this-test"


@dataclass
class Server:
    """The folder it serves, the key that may log in, where it listens, its key as a known_hosts line, and its faults."""

    root: Path
    client_key: str
    port: int = 0
    known_hosts: str = ""
    extra_names: list[bytes] = field(default_factory=list)
    hang_up_after: int | None = None


class Login(asyncssh.SSHServer):
    """One user, with a password or a key."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.export_public_key().decode().split()[1] == self.server.client_key.split()[1]


class Drop(asyncssh.SFTPServer):
    """The served folder, with the faults that the test asks for."""

    def __init__(self, channel: asyncssh.SSHServerChannel, server: Server) -> None:
        super().__init__(channel, chroot=str(server.root).encode())
        self.server = server
        self.sent = 0

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        async for entry in super().scandir(path):
            yield entry
        for name in self.server.extra_names:
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(size=1, permissions=0o100644, atime=1, mtime=1))

    def read(self, file_object: object, offset: int, size: int) -> bytes:
        if self.server.hang_up_after is not None and self.sent >= self.server.hang_up_after:
            self.channel.get_connection().abort()
        data = super().read(file_object, offset, size)
        self.sent += len(data)
        return data


@contextmanager
def serving(root: Path, client_key: str) -> Iterator[Server]:
    """Serve `root` to the test's user, until the end of the block."""
    server, loop, ready = Server(root, client_key), asyncio.new_event_loop(), threading.Event()
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def listen() -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: Login(server),
            server_host_keys=[key],
            sftp_factory=lambda channel: Drop(channel, server),
        )
        server.port = listener.get_port()
        server.known_hosts = f"[127.0.0.1]:{server.port} {key.export_public_key().decode().strip()}\n"
        ready.set()

    def run() -> None:
        loop.run_until_complete(listen())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
