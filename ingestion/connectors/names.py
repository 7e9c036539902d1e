"""Names of files: which are deliveries, and which may become a file of ours."""

from __future__ import annotations

#: Notes that accompany deliveries; anything else is a delivery, known or not.
IGNORED_NAMES = frozenset({"simulation.txt", "readme.txt", "readme.md", "lisezmoi.txt"})
#: Hidden files, and the locks that a spreadsheet leaves beside what it opens.
IGNORED_PREFIXES = (".", "~$")
UNFINISHED_SUFFIXES = (".part", ".tmp", ".filepart", ".crdownload")
_MAX_BYTES = 200  # file systems take 255; the archive may put a number before


def names_a_delivery(name: str) -> bool:
    """Whether the name is a delivery's, rather than that of a note, a hidden file or an unfinished transfer."""
    lower = name.lower()
    return (
        lower not in IGNORED_NAMES
        and not lower.startswith(IGNORED_PREFIXES)
        and not lower.endswith(UNFINISHED_SUFFIXES)
    )


def danger_of(name: str) -> str | None:
    """Why a name given by a peer cannot be a file name here (French); None when it can: one plain component."""
    if "/" in name or "\\" in name or name in ("", ".", ".."):
        return "le nom désigne un autre dossier"
    if not name.isprintable():
        return "le nom contient un caractère de contrôle"
    if len(name.encode("utf-8", errors="replace")) > _MAX_BYTES:
        return f"le nom dépasse {_MAX_BYTES} octets"
    return None


def shown(name: str) -> str:
    """The name as it can be printed and stored: what is not printable is escaped."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
