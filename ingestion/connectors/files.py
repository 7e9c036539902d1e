"""Files of a folder: local, SFTP or S3, all through fsspec. A file is taken only when it is complete."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import asyncssh
import fsspec
from fsspec.implementations.local import LocalFileSystem
from obstore.exceptions import BaseError as StoreError
from obstore.fsspec import FsspecStore
from sshfs import SSHFileSystem

from ingestion.connectors.faults import DeliveryRefused, PeerFault
from ingestion.connectors.memory import Memory
from ingestion.connectors.names import danger_of, names_a_delivery, shown
from ingestion.connectors.offers import Extract, Look, Offer
from ingestion.connectors.settings import S3, LocalFolder, Sftp, private_file

_BLOCK = 4 << 20
_COMPANIONS = (".done", ".sha256", ".md5")
_CONNECT_SECONDS = 15
_MAX_COMPANION_BYTES = 4096

Entry = dict[str, Any]


class Files:
    """The complete files of one folder."""

    def __init__(self, settings: LocalFolder | Sftp | S3) -> None:
        self.settings = settings

    def look(self, memory: Memory, day: date, now: datetime) -> Look:
        """Every file that matches: complete, still arriving, or refused."""
        del day  # a file is new by its own date, not by ours
        entries, known = self._entries(), memory.known()
        seen: dict[str, dict[str, str]] = {}
        look = Look(position={"seen": seen})
        for name, entry in sorted(entries.items()):
            if not fnmatchcase(name, self.settings.pattern) or name.lower().endswith(_COMPANIONS):
                continue
            danger = danger_of(name)
            if danger is None and not names_a_delivery(name):
                continue
            if (danger := danger or self._danger(entry)) is not None:
                look.refused[shown(name)] = danger
                continue
            version = self._version(name, entries)
            if (name, version) in known:
                if (reason := known[name, version]) is not None:
                    look.refused[name] = reason
                continue
            why = self._incomplete(name, version, entries, memory.position.get("seen", {}), seen, now)
            if why is None:
                look.ready.append(Offer(name, version, entry["size"]))
            else:
                look.waiting[name] = why
        settling = look.waiting and self.settings.companion is None
        return replace(look, again_after=self.settings.settle_seconds if settling else None)

    def fetch(self, offer: Offer, memory: Memory) -> Extract:
        """Copy one file, unless it changes meanwhile; compare with its digest when it has one."""
        with self._told():
            expected = self._expected_digest(offer.name)
            try:
                with self._filesystem.open(self._path(offer.name), "rb") as source, memory.part.open("wb") as target:
                    shutil.copyfileobj(source, target, _BLOCK)
            except FileNotFoundError as error:
                raise PeerFault(f"{offer.name} : disparu avant d'avoir été pris") from error
        if (
            memory.part.stat().st_size != offer.size
            or self._version(offer.name, self._now(offer.name)) != offer.version
        ):
            raise PeerFault(f"{offer.name} : modifié pendant sa lecture, il sera repris quand il sera complet")
        if expected is not None:
            with memory.part.open("rb") as copied:
                found = hashlib.file_digest(copied, _digest(self.settings.companion)).hexdigest()
            if found != expected:
                raise DeliveryRefused(
                    f"{offer.name} : l'empreinte {self.settings.companion} annoncée ({expected[:12]}…) n'est pas celle du fichier "
                    f"({found[:12]}…) ; laissé jusqu'à une nouvelle livraison"
                )
        seen = {name: value for name, value in memory.position.get("seen", {}).items() if name != offer.name}
        return Extract(offer.name, {"seen": seen})

    def close(self) -> None:
        """Leave the server: the library would keep the connection until it is forgotten."""
        filesystem = self.__dict__.get("_filesystem")
        if isinstance(filesystem, SSHFileSystem):
            filesystem.loop.call_soon_threadsafe(filesystem.client.close)

    def _danger(self, entry: Entry) -> str | None:
        """Why what a plain name stands for is not taken (French)."""
        if entry["type"] != "file" or entry.get("islink"):
            return "ce n'est pas un fichier ordinaire (lien)"
        if entry["size"] is None:
            return "la base n'en dit pas la taille"
        if entry["size"] > self.settings.max_bytes:
            return f"{entry['size']} octets, plus que les {self.settings.max_bytes} admis (max_bytes)"
        return None

    def _incomplete(
        self, name: str, version: str, entries: dict[str, Entry], before: Any, seen: Any, now: datetime
    ) -> str | None:
        """Why a file is not known to be complete yet (French), None when it is; notes in `seen` since when it is so."""
        companion = self.settings.companion
        if companion is not None:
            return None if name + companion in entries else f"attend {name}{companion}"
        last = before.get(name, {})
        since = last["since"] if last.get("version") == version else now.isoformat()
        seen[name] = {"version": version, "since": since}
        settled = timedelta(seconds=self.settings.settle_seconds)
        if last.get("version") == version and now - datetime.fromisoformat(since) >= settled:
            return None
        return f"taille et date à revoir dans {self.settings.settle_seconds} s"

    def _version(self, name: str, entries: dict[str, Entry]) -> str:
        """Size and date (S3: entity tag) of a file, and of its companion: a corrected digest is a new version."""
        return " + ".join(_stamp(entries[found]) for found in self._with_companion(name) if found in entries)

    def _expected_digest(self, name: str) -> str | None:
        companion = self.settings.companion
        if companion not in (".sha256", ".md5"):
            return None
        try:
            with self._filesystem.open(self._path(name + companion), "rb") as stream:
                text = stream.read(_MAX_COMPANION_BYTES).decode("utf-8", errors="replace")
        except FileNotFoundError as error:
            raise PeerFault(f"{name}{companion} : disparu avant d'avoir été lu") from error
        length = 2 * hashlib.new(_digest(companion), usedforsecurity=False).digest_size
        found = re.match(rf"\ufeff?\s*\\?([0-9a-fA-F]{{{length}}})\b", text)
        if not found:
            raise PeerFault(f"{name}{companion} : empreinte illisible ou inachevée")
        return found[1].lower()

    def _entries(self) -> dict[str, Entry]:
        """Files and links of the folder, by the name that the base gives them, relative to the folder."""
        with self._told():
            try:
                self._filesystem.invalidate_cache()
                listed = self._filesystem.ls(self._root, detail=True)
            except FileNotFoundError as error:
                if isinstance(self.settings, S3):  # a prefix exists by its objects only
                    return {}
                raise PeerFault(f"le dossier {self._root} n'existe pas") from error
        start = self._root.rstrip("/") + "/"
        return {entry["name"].removeprefix(start): entry for entry in listed if entry["type"] != "directory"}

    def _now(self, name: str) -> dict[str, Entry]:
        """What a file and its companion are at this moment, by name."""
        found = {}
        with self._told():
            for wanted in self._with_companion(name):
                self._filesystem.invalidate_cache()
                with suppress(FileNotFoundError):
                    found[wanted] = self._filesystem.info(self._path(wanted))
        return found

    def _with_companion(self, name: str) -> list[str]:
        return [name, name + self.settings.companion] if self.settings.companion else [name]

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @property
    def _root(self) -> str:
        match self.settings:
            case S3(bucket=bucket, prefix=prefix):
                return f"{bucket}/{prefix}".rstrip("/")
            case Sftp(path=path):
                return path
            case LocalFolder(path=folder):
                return folder.as_posix()

    @cached_property
    def _filesystem(self) -> fsspec.AbstractFileSystem:
        # fsspec would keep one connection for each set of arguments, secrets included, as long as the process lives.
        match self.settings:
            case LocalFolder():
                return LocalFileSystem(skip_instance_cache=True)
            case Sftp() as sftp:
                return SSHFileSystem(sftp.host, skip_instance_cache=True, **_ssh_options(sftp))
            case S3() as s3:
                return FsspecStore("s3", **_s3_options(s3))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the libraries raise, as one fault in French."""
        try:
            yield
        except FileNotFoundError:
            raise
        except asyncssh.HostKeyNotVerifiable as error:
            raise PeerFault("la clé du serveur n'est pas celle de known_hosts : rien n'a été envoyé") from error
        except (asyncssh.PermissionDenied, PermissionError) as error:
            raise PeerFault(f"le serveur refuse ces identifiants, ou l'accès ({error})") from error
        except (asyncssh.Error, StoreError, OSError, TimeoutError) as error:
            text = " ".join(str(error).partition("Debug source")[0].split())
            raise PeerFault(f"base injoignable ou liaison coupée ({type(error).__name__} : {text[:500]})") from error


def _ssh_options(sftp: Sftp) -> dict[str, Any]:
    """Only what the settings say: no agent, no personal configuration, no key accepted on trust."""
    if not sftp.known_hosts.is_file():
        raise PeerFault(f"known_hosts : {sftp.known_hosts} n'existe pas ; la clé du serveur ne peut pas être vérifiée")
    return {
        "port": sftp.port,
        "username": sftp.user,
        "known_hosts": str(sftp.known_hosts),
        "password": sftp.password.value() if sftp.password else None,
        "client_keys": [str(private_file(sftp.key_file))] if sftp.key_file else None,
        "agent_path": None,
        "config": None,
        "connect_timeout": _CONNECT_SECONDS,
        "login_timeout": _CONNECT_SECONDS,
        # A server that has gone away is noticed within a minute, in the middle of a file too.
        "keepalive_interval": 15,
        "keepalive_count_max": 3,
        # One name in another encoding is refused by itself; it must not hide the others.
        "sftp_client_kwargs": {"path_errors": "surrogateescape"},
    }


def _s3_options(s3: S3) -> dict[str, Any]:
    return {
        "skip_instance_cache": True,
        "endpoint": s3.endpoint,
        "region": s3.region,
        "access_key_id": s3.access_key.value(),
        "secret_access_key": s3.secret_key.value(),
        "client_options": {
            "allow_http": s3.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        },
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
    }


def _stamp(entry: Entry) -> str:
    """Size and date of an entry, as text; the entity tag of an object, which changes with its content."""
    changed = entry.get("e_tag") or entry.get("mtime")
    return f"{entry['size']} {changed.isoformat() if isinstance(changed, datetime) else changed}"


def _digest(companion: str | None) -> str:
    return (companion or "").removeprefix(".")
