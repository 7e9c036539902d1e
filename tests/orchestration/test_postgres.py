"""The embedded server: start, attach, survive a crash, stop; two homes side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from orchestration.instance import Instance
from orchestration.postgres import EmbeddedServer, ServerError


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vigie-pg-") as name:
        yield Path(name) / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    made = EmbeddedServer(folder)
    made.start()
    yield made
    made.stop()


def test_committed_rows_survive_a_kill_and_the_server_starts_again(server: EmbeddedServer) -> None:
    """After kill -9 the first starts fail while old backends hold the shared memory: they must be retried."""
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("create table kept as select generate_series(1, 100000) as n")
    os.kill(int((server.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    server.start()
    with psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (100_000,)


def test_a_second_user_of_the_home_keeps_the_server_running(server: EmbeddedServer) -> None:
    """`vigie sql` beside `vigie up` must not stop the server under it."""
    second = EmbeddedServer(server.folder)
    second.start()
    second.stop()
    assert server.answers()


def test_commands_that_start_together_on_a_new_home_make_one_database(tmp_path: Path) -> None:
    """Two `vigie ingest` at once on a new home: one ended with a traceback, its files not taken."""
    instance = Instance(tmp_path)
    instance.server.start()
    try:
        with ThreadPoolExecutor(4) as commands:
            urls = list(commands.map(lambda _: instance._embedded_url(), range(4)))
        assert urls == [instance.server.url("vigie")] * 4
    finally:
        instance.server.stop()


def test_stop_leaves_no_process(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    pid = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    server.stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not server.answers()


def test_two_homes_run_side_by_side(server: EmbeddedServer, tmp_path: Path) -> None:
    other = EmbeddedServer(tmp_path / "other")
    other.start()
    try:
        assert other.url("postgres") != server.url("postgres")
        assert other.answers()
        assert server.answers()
    finally:
        other.stop()


def test_an_interrupted_creation_is_done_again(folder: Path) -> None:
    """A kill during initdb leaves a data folder without PG_VERSION, which initdb refuses to reuse."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "half").write_text("made")
    server = EmbeddedServer(folder)
    server.start()
    assert server.answers()
    server.stop()


def test_the_password_file_is_ours_alone_and_a_wrong_password_is_refused(server: EmbeddedServer) -> None:
    assert (server.folder / "password").stat().st_mode & 0o077 == 0
    wrong = server.url("postgres").replace((server.folder / "password").read_text(), "not-the-one")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_url_of_a_stopped_server_is_refused(folder: Path) -> None:
    with pytest.raises(ServerError, match="not running"):
        EmbeddedServer(folder).url("postgres")


def test_it_runs_under_a_private_home(tmp_path: Path) -> None:
    """As root the server drops its rights; a 0700 parent must not stop it."""
    home = tmp_path / "private"
    home.mkdir(mode=0o700)
    server = EmbeddedServer(home / "postgres")
    server.start()
    assert server.answers()
    server.stop()


def test_a_killed_client_leaves_a_server_that_the_next_one_takes_over(folder: Path) -> None:
    """The lock of a dead process is gone with it: the next user attaches, and stops the server as its last user."""
    code = (
        "import sys, os, signal, pathlib; from orchestration.postgres import EmbeddedServer; "
        f"EmbeddedServer(pathlib.Path({str(folder)!r})).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    server = EmbeddedServer(folder)
    assert server.answers()
    server.start()
    server.stop()
    assert not server.answers()
