"""The landing folder: what lies there, since when it is ours, and where it goes once taken.

`landing/<YYYY-MM-DD>/<file>` is a delivery received that day. A file leaves for `archive/` only after its load is
committed, so a kill between the two finds it again, and the ledger then knows its content.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from expectations.contract import Contract
from ingestion.connectors.names import names_a_delivery
from ingestion.ingest import recognise
from orchestration.instance import Instance


@dataclass(frozen=True)
class Landed:
    """One file that waits: the day it was received, and the contract it follows (None: no contract knows it)."""

    path: Path
    received_on: date
    source: str | None


def is_delivery(path: Path) -> bool:
    """Whether the file is a delivery rather than a note, a hidden file or an unfinished transfer."""
    return path.is_file() and names_a_delivery(path.name)


def received_from_folder(path: Path) -> date | None:
    """The date that the nearest parent folder named YYYY-MM-DD gives, if any."""
    for parent in path.parents:
        try:
            return date.fromisoformat(parent.name)
        except ValueError:
            continue
    return None


def deliveries_in(paths: list[Path]) -> list[Path]:
    """Every delivery under these files and folders, in a fixed order: by date of receipt, then by name."""
    found = [
        file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if is_delivery(file)
    ]
    return sorted(found, key=lambda file: (received_from_folder(file) or date.max, file.name, str(file)))


def waiting(instance: Instance, contracts: Mapping[str, Contract], until: date) -> list[Landed]:
    """What waits in the landing folder and was received by `until`, oldest first."""
    landed = []
    for path in deliveries_in([instance.landing]):
        received_on = received_from_folder(path.relative_to(instance.landing))
        if received_on is not None and received_on <= until:
            contract = recognise(path, contracts)
            landed.append(Landed(path, received_on, contract.name if contract else None))
    return landed


def undated(instance: Instance) -> list[Path]:
    """What lies in the landing folder outside any folder named by a date: nobody said when it was received."""
    return [
        path
        for path in deliveries_in([instance.landing])
        if received_from_folder(path.relative_to(instance.landing)) is None
    ]


def to_come(instance: Instance, day: date) -> list[Path]:
    """What lies in a folder dated after this day: its name is mistyped, or it is too early to take it."""
    return [
        path
        for path in deliveries_in([instance.landing])
        if (received_from_folder(path.relative_to(instance.landing)) or date.min) > day
    ]


def archive(instance: Instance, landed: Landed) -> None:
    """Move a file that was taken out of the landing folder; one of the same name and day never takes the place of another."""
    wanted = instance.archive / landed.path.relative_to(instance.landing)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    names = itertools.chain([wanted.name], (f"{number}-{wanted.name}" for number in itertools.count(2)))
    target = next(path for path in map(wanted.with_name, names) if not path.exists())
    shutil.move(landed.path, target)
