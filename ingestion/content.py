"""The bytes of a delivered file: decompression by content, fingerprint, encoding, and text in bounded pieces."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

BLOCK = 2 << 20  # bytes read at once: a batch of lines

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TOTAL = {"iso-8859-15"}  # gives a character to every byte: nothing to try
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")


class Refusal(Exception):
    """The whole file is refused; the attributes say where and why, `message` in the words of the producer."""

    def __init__(self, rule: str, message: str, *, column: str | None = None, value: str | None = None) -> None:
        super().__init__(message)
        self.rule, self.message, self.column, self.value = rule, message, column, value


@dataclass(frozen=True)
class Content:
    """What the first reading of a file tells: fingerprint of the decompressed bytes, encoding, compression."""

    path: Path
    compression: str
    sha256: str
    encoding: str
    bom_bytes: int
    stamp: tuple[int, int]  # size and modification time when the first reading began
    size: int  # decompressed bytes

    def changed(self) -> bool:
        """True when the file on disk is no longer the one whose fingerprint was taken."""
        return _stamp(self.path) != self.stamp


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def open_decompressed(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """The decompressed bytes and the compression ('', 'gz', 'xz' or 'zip'), told from the content and not the name.

    Raises Refusal when the archive cannot be read or holds something else than one file, OSError as `open` does.
    """
    with path.open("rb") as raw:
        magic = raw.read(8)
        raw.seek(0)
        if magic.startswith(_OLE):
            raise Refusal("classeur", f"{path.name} : classeur Excel reçu, fichier CSV attendu (règle classeur)")
        try:
            if magic.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield cast(IO[bytes], stream), "gz"
            elif magic.startswith(b"\xfd7zXZ\x00"):
                with lzma.LZMAFile(raw) as stream:
                    yield cast(IO[bytes], stream), "xz"
            elif magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                with zipfile.ZipFile(raw) as archive, archive.open(_only_member(path, archive)) as stream:
                    yield stream, "zip"
            else:
                yield raw, ""
        except (
            zlib.error,
            lzma.LZMAError,
            zipfile.BadZipFile,
            gzip.BadGzipFile,
            EOFError,
            NotImplementedError,
        ) as error:
            raise Refusal("archive", f"{path.name} : archive illisible ou incomplète (règle archive)") from error
        except RuntimeError as error:
            if "password" not in str(error):
                raise
            raise Refusal("archive", f"{path.name} : archive protégée par un mot de passe (règle archive)") from error


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if any(member.filename == "[Content_Types].xml" for member in members):
        raise Refusal("classeur", f"{path.name} : classeur Excel reçu, fichier CSV attendu (règle classeur)")
    if len(members) != 1:
        raise Refusal(
            "archive", f"{path.name} : un seul fichier attendu dans l'archive, {len(members)} reçus (règle archive)"
        )
    return members[0]


def examine(path: Path, encodings: Sequence[str] = ("utf-8", "iso-8859-15"), *, lenient: bool = False) -> Content:
    """Reads the file once: fingerprint, compression and encoding (a byte order mark always wins, then `encodings` in
    order: the first that decodes every byte). `lenient`: when none does, the first one, undecodable as it is.

    Raises Refusal when the archive or the text cannot be decoded, OSError when the file cannot be opened.
    """
    digest, stamp, size = hashlib.sha256(), _stamp(path), 0
    with open_decompressed(path) as (stream, compression):
        head = stream.read(BLOCK)
        bom, by_bom = next(((mark, name) for mark, name in _BOMS if head.startswith(mark)), (b"", ""))
        candidates = [by_bom] if by_bom else list(encodings)
        decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates if name not in _TOTAL}
        block = head
        while True:
            digest.update(block)
            size += len(block)
            for name in list(decoders):
                try:
                    decoders[name].decode(block, final=not block)
                except UnicodeDecodeError:
                    del decoders[name]
            if not block:
                break
            block = stream.read(BLOCK)
    possible = [name for name in candidates if name in decoders or name in _TOTAL]
    encoding = possible[0] if possible else candidates[0] if lenient else ""
    if not encoding:
        raise Refusal(
            "encodage", f"{path.name}, ligne 1 : texte indéchiffrable en {' ni en '.join(candidates)} (règle encodage)"
        )
    return Content(
        path, compression, digest.hexdigest(), encoding, len(bom) if encoding != "utf-32" else 0, stamp, size
    )


def text_blocks(content: Content, *, errors: str = "strict") -> Iterator[str]:
    """The text in pieces of about BLOCK, byte order mark removed, every line ending turned into a line feed."""
    decoder = codecs.getincrementaldecoder(content.encoding)(errors=errors)
    held = ""
    with open_decompressed(content.path) as (stream, _):
        stream.read(content.bom_bytes)
        while True:
            block = stream.read(BLOCK)
            text = held + decoder.decode(block, final=not block)
            # A carriage return at the very end may be the first half of a CRLF.
            held = "\r" if text.endswith("\r") and block else ""
            text = text.removesuffix(held) if held else text
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
            if text:
                yield text
            if not block:
                return
