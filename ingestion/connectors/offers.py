"""What a base offers, what a look at it tells, and what was read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Offer:
    """Something complete and new at the base: `version` tells two states of one name apart."""

    name: str
    version: str
    size: int | None = None


@dataclass(frozen=True)
class Look:
    """What there is to take, what is not complete yet, and what is refused, the last two with the reason (French)."""

    ready: list[Offer] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    #: Seconds after which what waits may be complete; None when only the base can tell.
    again_after: int | None = None
    #: What to remember of it for the next look.
    position: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Extract:
    """What was written to `memory.part`: the name it lands under, its rows when the base told them, the new position."""

    file_name: str
    position: dict[str, Any]
    rows: int | None = None
