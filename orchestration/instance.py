"""An instance of Vigie: one home folder, its settings and its database; two instances share nothing.

Belongs here: where things are (server data, landing, archive, reports, models, Dagster's files) and how the database
is reached. What is done with them is elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict

from orchestration.postgres import EmbeddedServer

PROJECT = Path(__file__).resolve().parent.parent
DATABASE = "vigie"
HOME_VARIABLE = "VIGIE_HOME"
URL_VARIABLE = "VIGIE_DATABASE_URL"
DAGSTER_URL_VARIABLE = "VIGIE_DAGSTER_URL"


class Settings(BaseModel):
    """`settings.toml` of a home; every field has a default, an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: How strict the identity check of SIREN and SIRET is (`format` for sample files with fake identifiers).
    identity: Literal["luhn", "format"] = "luhn"
    #: Region whose report is made, with the one of each of its départements (INSEE code; 27 = Bourgogne-Franche-Comté).
    region: str = "27"
    #: Whether the data of this instance are simulated: every page then says SIMULATION.
    simulation: bool = False
    #: Months scored before the first published one, so that "new" has a past to be compared with.
    history_months: int = 12
    #: Service that answers questions on the model, as its card names it.
    contact: str = "le service qui exploite Vigie"
    #: Seed of everything random (model fitting, bootstrap).
    seed: int = 20160101


class Instance:
    """The home folder `home`, created on first use."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self.landing = self.home / "landing"
        self.archive = self.home / "archive"
        self.reports = self.home / "reports"
        self.models = self.home / "models"
        self.dagster_home = self.home / "dagster"
        for folder in (self.home, self.landing, self.archive, self.reports, self.models, self.dagster_home):
            folder.mkdir(parents=True, exist_ok=True)
        self.server = EmbeddedServer(self.home / "postgres")

    @classmethod
    def from_environment(cls) -> Instance:
        """The instance that VIGIE_HOME names (what a Dagster process uses).

        Raises:
            RuntimeError: VIGIE_HOME is not set; there is no default, so that no run lands in the wrong instance.
        """
        home = os.environ.get(HOME_VARIABLE)
        if not home:
            raise RuntimeError(f"{HOME_VARIABLE} is not set: start Dagster with `vigie up`, or set it to a home folder")
        return cls(Path(home))

    @property
    def settings(self) -> Settings:
        """Settings as they are now in `settings.toml` (defaults where the file or a field is absent)."""
        path = self.home / "settings.toml"
        return Settings.model_validate(tomllib.loads(path.read_text()) if path.exists() else {})

    def set(self, **changes: str | int | bool) -> None:
        """Change some settings and write them all to `settings.toml`."""
        settings = Settings.model_validate(self.settings.model_dump() | changes)
        lines = [f"{name} = {_toml(value)}" for name, value in settings.model_dump().items()]
        (self.home / "settings.toml").write_text("\n".join(lines) + "\n")

    @property
    def database_url(self) -> str:
        """URL of the instance's database.

        Raises:
            RuntimeError: outside `running()`.
        """
        url = os.environ.get(URL_VARIABLE)
        if not url:
            raise RuntimeError(f"{URL_VARIABLE} is not set: the database is reached inside `Instance.running()`")
        return url

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Make the database reachable, and say where in the environment that child processes inherit.

        DATABASE_URL, else PGHOST, names a server of yours, which is used as it is; otherwise the embedded server is
        started, and stopped at the end unless another process of this home still uses it.
        """
        given = self._url_already_reached() or external_url()
        if given is None:
            self.server.start()
        saved: dict[str, str | None] = {}
        try:
            url = given or self._embedded_url()
            environment = self.environment(url)
            saved = {name: os.environ.get(name) for name in environment}
            os.environ.update(environment)
            yield url
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            if given is None:
                self.server.stop()

    def environment(self, url: str) -> dict[str, str]:
        """Environment of everything that works on this instance: Dagster, dbt, psql."""
        parts = psycopg.conninfo.conninfo_to_dict(url)
        libpq = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
        variables = {name: str(parts[key]) for name, key in libpq.items() if parts.get(key)}
        return variables | {
            HOME_VARIABLE: str(self.home),
            URL_VARIABLE: url,
            # Dagster's own tables live in their schema of the same database.
            DAGSTER_URL_VARIABLE: _with_options(url, "-c search_path=dagster"),
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DAGSTER_EVENT_BATCH_SIZE": "200",  # a range of months materializes hundreds of partitions at once
            # Two boosting threads that spin while they wait take the time of the database beside them.
            "OMP_WAIT_POLICY": "passive",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }

    def _url_already_reached(self) -> str | None:
        same_home = os.environ.get(HOME_VARIABLE) == str(self.home)
        return os.environ.get(URL_VARIABLE) if same_home else None

    def _embedded_url(self) -> str:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                # Another command of a new home may have made it in between.
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        return self.server.url(DATABASE)


def external_url() -> str | None:
    """URL of the server that the environment names (DATABASE_URL, else PGHOST and its companions), or None."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    host = os.environ.get("PGHOST")
    if not host or URL_VARIABLE in os.environ:  # the second case: PGHOST was set by us, for another home
        return None
    user = quote(os.environ.get("PGUSER", "postgres"), safe="")
    password = os.environ.get("PGPASSWORD")
    login = f"{user}:{quote(password, safe='')}" if password else user
    database = quote(os.environ.get("PGDATABASE", DATABASE), safe="")
    return f"postgresql://{login}@{quote(host, safe='')}:{os.environ.get('PGPORT', '5432')}/{database}"


def as_role(url: str, role: str) -> str:
    """The same URL, whose sessions take `role`: for the libraries that open their own connections."""
    return _with_options(url, f"-c role={role}")


def _with_options(url: str, options: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options={quote(options, safe='')}"


def _toml(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)
