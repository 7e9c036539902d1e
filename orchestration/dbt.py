"""dbt from Python: the kept manifest, and commands run in this process.

The command line costs seconds of start-up each time; `dbtRunner` with a parsed manifest costs a fraction of one.
dbt is imported inside functions, because definitions must load fast and without a database.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from ingestion.database import connect
from orchestration.instance import PROJECT, Instance

DBT_PROJECT = PROJECT / "dbt_project"
TARGET = DBT_PROJECT / "target"
ROLE = "vigie_transformation"
_LOCK = 0x4442_5400  # "DBT"
#: What dbt parses; of it, what seeds and staging views are made from; and what a month builds when they are there: the rest, and
#: the tests of all.
_PARSED = ("seeds", "macros", "models", "tests")
_SETTLED = ("seeds", "macros", "models/staging")
_MONTHLY = ["path:models/intermediate", "path:models/marts", "test_name:account_is_known"]


class DbtFailed(RuntimeError):
    """A model, a seed or a data test failed; the message lists which and why."""


@dataclass(frozen=True)
class BuiltNode:
    """What dbt did of one node: its unique id, schema, name, kind, status, duration (s) and rows written, if known."""

    unique_id: str
    schema: str
    name: str
    kind: str
    status: str
    seconds: float
    rows: int | None
    message: str | None


def manifest() -> dict[str, Any]:
    """The manifest of the dbt project as it is now, as a dictionary."""
    content: dict[str, Any] = json.loads(_manifest_file().read_text())
    return content


def _manifest_file() -> Path:
    """dbt's `manifest.json` of this very project, kept beside it; parsed when it is not there."""
    kept = TARGET / f"manifest-{_digest(*_PARSED)}.json"
    if not kept.exists():
        with _scratch(TARGET) as scratch:
            _parsed(scratch)
            _put(kept, (scratch / "manifest.json").read_bytes(), "manifest-*.json")
    return kept


def _digest(*parts: str) -> str:
    """What a parsed project is known by: dbt's release and the content of its files, for their dates go back with an image or a copy."""
    digest = hashlib.sha256(version("dbt-core").encode())
    for path in sorted([*DBT_PROJECT.glob("*.yml"), *(p for part in parts for p in (DBT_PROJECT / part).rglob("*"))]):
        if path.is_file():
            digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder of one's own beside what is kept: several processes (UI, daemon, a command) parse at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix="parse-") as name:
        yield Path(name)


def _put(kept: Path, content: bytes, others: str) -> None:
    """Write a kept file whole, for another process to read all of it or nothing; those of other projects, by their pattern, go."""
    with NamedTemporaryFile(dir=kept.parent, prefix=".", delete=False) as file:
        file.write(content)
    Path(file.name).replace(kept)
    for other in kept.parent.glob(others):
        if other != kept:
            other.unlink(missing_ok=True)


def excluded(tag: str) -> str:
    """What the op of a tag leaves out: seeds belong to the features op, which runs first."""
    return "resource_type:unit_test" if tag == "features" else "resource_type:unit_test resource_type:seed"


def build(instance: Instance, *, tag: str, variables: dict[str, object]) -> list[BuiltNode]:
    """Build the tagged models and run their data tests, in dependency order, in this process.

    Seeds and staging views do not depend on the months: they are built when the project, or what is there of them, changed.

    Raises:
        DbtFailed: something failed; what depends on it was skipped.
    """
    folder = instance.home / "dbt"
    with connect(instance.database_url) as connection:
        # One builder at a time in a database: two would replace each other's tables. A killed one lets go by itself.
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        settled = tag == "features" and _mark(connection) == _settled_mark(connection)
        if tag == "features" and not settled:
            # A build cut short leaves seeds of this project under the mark of another one: no mark until it ends.
            _write_mark(connection, None)
        select = _MONTHLY if settled else [f"tag:{tag}"]
        arguments = ["--select", *select, "--exclude", *excluded(tag).split(), "--vars", json.dumps(variables)]
        arguments.append("--no-write-json")  # nobody reads dbt's own files of a run
        result = _runner("build", arguments, folder, folder, manifest=_kept_manifest(folder, os.environ["PGDATABASE"]))
        nodes = [_built(item) for item in (result.result.results if result.result is not None else [])]
        failed = [f"{node.name}: {node.message}" for node in nodes if node.status in {"error", "fail"}]
        if failed or not result.success:
            raise DbtFailed("\n".join(failed) or str(result.exception))
        if tag == "features" and not settled:
            _write_mark(connection, _settled_mark(connection))
    return nodes


def _mark(connection: psycopg.Connection) -> str | None:
    row = connection.execute("select obj_description('staging'::regnamespace, 'pg_namespace')").fetchone()
    return row[0] if row else None


def _write_mark(connection: psycopg.Connection, mark: str | None) -> None:
    connection.execute(sql.SQL("comment on schema staging is {}").format(sql.Literal(mark)))
    connection.commit()


def _settled_mark(connection: psycopg.Connection) -> str:
    """What the comment of schema `staging` says when seeds and views are those of this project, and all there."""
    row = connection.execute(
        "select count(*) from pg_class where relkind in ('r', 'v')"
        " and relnamespace in ('staging'::regnamespace, 'reference'::regnamespace)"
    ).fetchone()
    assert row is not None
    return f"dbt {_digest(*_SETTLED)}, {row[0]} tables"


def site(instance: Instance) -> str:
    """dbt's documentation as one HTML page: models, columns, tests and lineage, with the tables as they are now.

    Raises:
        DbtFailed: the database could not be described.
    """
    with _scratch(instance.home / "dbt") as scratch:
        (scratch / "manifest.json").write_bytes(_manifest_file().read_bytes())
        result = _runner("docs generate", ["--static", "--no-compile"], scratch, scratch)
        if not result.success:
            raise DbtFailed(str(result.exception))
        page = (scratch / "static_index.html").read_text(encoding="utf-8")
    return page.replace(str(DBT_PROJECT), DBT_PROJECT.name)  # dbt writes where the project lies on this machine


@cache
def _kept_manifest(folder: Path, database: str) -> Any:
    """dbt's own manifest, parsed once for an instance and kept in its home: parsing takes longer than a month's models.

    The name of the database is part of the file's name, because it is inside it.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

    kept = folder / f"manifest-{database}-{_digest(*_PARSED)}.msgpack"
    if kept.exists():
        return Manifest.from_msgpack(kept.read_bytes(), decoder=extended_mashumuro_decoder)
    with _scratch(folder) as scratch:
        parsed = _parsed(scratch)
    _put(kept, parsed.to_msgpack(extended_mashumaro_encoder), f"manifest-{database}-*.msgpack")
    return parsed


def _parsed(scratch: Path) -> Any:
    """dbt's manifest of the project; DbtFailed with dbt's own words when it cannot be parsed."""
    result = _runner("parse", [], scratch, scratch)
    if not result.success:
        raise DbtFailed(str(result.exception))
    return result.result


def _runner(command: str, arguments: list[str], target: Path, logs: Path, manifest: Any = None) -> Any:
    from dbt.cli.main import dbtRunner

    target.mkdir(parents=True, exist_ok=True)
    options = [
        "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(target), "--log-path", str(logs), "--log-level", "none",
    ]  # fmt: skip
    with _role():
        return dbtRunner(manifest=manifest).invoke([*command.split(), *options, *arguments])


@contextmanager
def _role() -> Iterator[None]:
    before = os.environ.get("VIGIE_DBT_ROLE")
    os.environ["VIGIE_DBT_ROLE"] = ROLE
    try:
        yield
    finally:
        if before is None:
            del os.environ["VIGIE_DBT_ROLE"]
        else:
            os.environ["VIGIE_DBT_ROLE"] = before


def _built(item: Any) -> BuiltNode:
    response = item.adapter_response or {}
    rows = response.get("rows_affected")
    return BuiltNode(
        unique_id=item.node.unique_id,
        schema=item.node.schema,
        name=item.node.name,
        kind=str(item.node.resource_type),
        status=str(item.status),
        seconds=float(item.execution_time),
        rows=int(rows) if rows is not None and int(rows) >= 0 else None,
        message=item.message,
    )
