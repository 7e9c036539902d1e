"""`connectors.yml` of an instance: where each base is, and how it is read. It holds no secret."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from expectations.contract import Contract
from expectations.located_yaml import read_model
from expectations.mistakes import Misplaced
from ingestion.connectors.faults import ConnectorError, PeerFault
from ingestion.ingest import recognise
from ingestion.layout import normalised

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GIB = 1024**3


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Credential(_Model):
    """A secret kept elsewhere: in an environment variable, or in a file that its owner only can read."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_place(cls, value: Any) -> Any:
        if isinstance(value, dict) and set(value) in ({"env"}, {"file"}):
            return value
        raise ValueError("un secret ne s'écrit pas ici : donner `{env: NOM_DE_VARIABLE}` ou `{file: /chemin}`")

    def value(self) -> str:
        """The secret.

        Raises:
            PeerFault: it is not there, or other users could read it.
        """
        if self.env is not None:
            secret = os.environ.get(self.env)
            if not secret:
                raise PeerFault(f"identifiants absents : la variable {self.env} n'est pas définie")
            return secret
        assert self.file is not None
        return private_file(self.file).read_text(encoding="utf-8").strip()


def private_file(path: Path) -> Path:
    """The path of a file that holds a secret, once checked.

    Raises:
        PeerFault: it is not there, or other users could read it.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise PeerFault(f"identifiants absents : {path} ({error.strerror})") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PeerFault(f"identifiants : {path} est lisible par d'autres que son propriétaire (chmod 600)")
    return path


class _Connector(_Model):
    #: A sensor looks this often.
    every_minutes: Annotated[int, Field(ge=1)] = 60


class _Files(_Connector):
    """Files of a folder, without its subfolders.

    A file is complete when its size and date are the same at two looks `settle_seconds` apart or, when a `companion`
    is declared, when `<name><companion>` lies beside it; the digest in a `.sha256` or `.md5` is verified.
    """

    every_minutes: Annotated[int, Field(ge=1)] = 5
    pattern: str = "*"
    settle_seconds: Annotated[int, Field(ge=0)] = 60
    companion: Literal[".done", ".sha256", ".md5"] | None = None
    max_bytes: Annotated[int, Field(ge=1)] = 100 * _GIB


class LocalFolder(_Files):
    """A folder that this machine sees (a mounted share counts)."""

    kind: Literal["local"]
    path: Path

    @field_validator("path")
    @classmethod
    def _path_is_whole(cls, value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError("chemin absolu attendu : un capteur et une commande ne partent pas du même dossier")
        return value


class Sftp(_Files):
    """A folder of an SFTP server; its key must be in `known_hosts`, it is never taken on trust."""

    kind: Literal["sftp"]
    host: str
    port: int = 22
    path: str
    user: str
    known_hosts: Path
    password: Credential | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _has_a_login(self) -> Sftp:
        if (self.password is None) == (self.key_file is None):
            raise ValueError("donner `password` ou `key_file`, l'un des deux")
        return self


class S3(_Files):
    """Objects under one prefix of a bucket, in any store that speaks S3."""

    kind: Literal["s3"]
    bucket: str
    prefix: str = ""
    endpoint: str
    region: str
    access_key: Credential
    secret_key: Credential

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_private(cls, value: str) -> str:
        return private_url(value)


class _Named(_Connector):
    """A connector that makes its files itself: it follows a contract and gives them a name which that contract knows."""

    contract: str
    file_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]

    @field_validator("contract")
    @classmethod
    def _contract_exists(cls, value: str, info: ValidationInfo) -> str:
        if value not in _contracts(info):
            raise ValueError(f"aucun contrat ne s'appelle {value!r} (voir `vigie contract list`)")
        return value

    def _check_name(self, extension: str, contracts: Mapping[str, Contract]) -> None:
        found = recognise(Path(f"{self.file_name}_2000-01-01{extension}"), contracts)
        if found is None or found.name != self.contract:
            other = found.name if found else "aucun contrat"
            raise Misplaced("file_name", f"{self.file_name}… est reconnu par {other}, pas par {self.contract}")


class Watermark(_Model):
    """Column that grows with each change: only rows at or after its last value, less `overlap`, are read.

    `overlap` catches late commits: minutes for a timestamp, days for a date, units for a number.
    """

    column: str
    overlap: Annotated[int, Field(ge=0)] = 60


class Postgresql(_Named):
    """A table or a query of an operational PostgreSQL; `columns` gives, for each header of the contract, its column.

    Without `watermark` everything is read, at most once a day, and compared with what is known.
    """

    kind: Literal["postgresql"]
    host: str
    port: int = 5432
    database: str
    user: str
    password: Credential | None = None
    sslmode: Literal["verify-full", "verify-ca", "require", "disable"] = "verify-full"
    sslrootcert: Path | None = None
    table: Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)?$")] | None = None
    query: str | None = None
    columns: dict[str, str]
    watermark: Watermark | None = None
    statement_timeout_seconds: Annotated[int, Field(ge=1)] = 3600

    @model_validator(mode="after")
    def _fits_its_contract(self, info: ValidationInfo) -> Postgresql:
        if (self.table is None) == (self.query is None):
            raise ValueError("donner `table` ou `query`, l'un des deux")
        if self.sslmode == "disable" and self.host not in LOOPBACK and not self.host.startswith("/"):
            raise Misplaced("sslmode", "une base d'une autre machine se lit en TLS")
        contracts = _contracts(info)
        contract = contracts[self.contract]
        self._check_name(".csv", contracts)
        if self.watermark and contract.mode == "snapshot":
            raise Misplaced("watermark", f"{self.contract} est un stock complet, un extrait en fermerait le reste")
        if "utf-8" not in contract.encodings:
            raise Misplaced("contract", f"{self.contract} ne se lit pas en UTF-8")
        _check_headers(contract, self.columns)
        return self


class Explore(_Named):
    """A dataset of an open-data portal that speaks the Explore API v2.1, by windows of dates.

    `since` is the first day asked for; each fetch starts again `overlap_days` before the last one.
    """

    kind: Literal["explore"]
    url: str
    dataset: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    date_field: Annotated[str, Field(pattern=r"^\w+$")]
    order_by: Annotated[str, Field(pattern=r"^\w+(,\w+)*$")]
    since: date
    where: str | None = None
    overlap_days: Annotated[int, Field(ge=0)] = 7
    api_key: Credential | None = None
    #: Proxy through which this machine reaches the Internet, as http://host:port.
    proxy: Annotated[str, Field(pattern=r"^https?://[^@/]+$")] | None = None
    requests_per_second: Annotated[float, Field(gt=0)] = 2.0
    max_body_bytes: Annotated[int, Field(ge=1)] = 8 * _GIB

    @field_validator("url")
    @classmethod
    def _url_is_private(cls, value: str) -> str:
        return private_url(value).rstrip("/")

    @model_validator(mode="after")
    def _fits_its_contract(self, info: ValidationInfo) -> Explore:
        contracts = _contracts(info)
        self._check_name(".jsonl", contracts)
        if contracts[self.contract].mode == "snapshot":
            raise Misplaced(
                "contract", f"{self.contract} est un stock complet, une fenêtre de dates en fermerait le reste"
            )
        return self


Connector = LocalFolder | Sftp | S3 | Postgresql | Explore


class _File(_Model):
    connectors: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Annotated[Connector, Field(discriminator="kind")]
    ]


def load_connectors(path: Path, contracts: Mapping[str, Contract]) -> dict[str, Connector]:
    """The connectors of a settings file by name, in alphabetical order; none when there is no file.

    Raises:
        ConnectorError: something in it is wrong; the message names file and line.
    """
    if not path.exists():
        return {}
    # A password written here by mistake must not reach a log.
    content = read_model(
        path,
        _File,
        error=ConnectorError,
        subject="connecteurs",
        context={"contracts": contracts},
        quote_values=False,
    )
    return dict(sorted(content.connectors.items()))


def _contracts(info: ValidationInfo) -> Mapping[str, Contract]:
    assert info.context is not None
    found: Mapping[str, Contract] = info.context["contracts"]
    return found


def private_url(value: str) -> str:
    """The address itself, when nobody on the way can read what it carries and it holds no secret (else ValueError)."""
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("une adresse ne porte ni compte ni mot de passe")
    if parts.scheme == "https" and parts.hostname:
        return value
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return value
    raise ValueError("adresse en https:// attendue (http:// vers cette machine seulement)")


def _check_headers(contract: Contract, columns: Mapping[str, str]) -> None:
    known = {normalised(header) for column in contract.columns for header in column.headers}
    given = {normalised(header) for header in columns}
    months = contract.unpivot.headers if contract.unpivot else "(?!)"
    strange = sorted(header for header in given - known if not re.fullmatch(months, header))
    if strange:
        raise Misplaced("columns", f"en-tête inconnu du contrat {contract.name} : {', '.join(strange)}")
    absent = [c.name for c in contract.columns if c.required and not given & set(map(normalised, c.headers))]
    if absent:
        raise Misplaced("columns", f"colonne obligatoire du contrat sans source : {', '.join(absent)}")
