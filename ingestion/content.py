"""The bytes of a delivered file: decompression by content, fingerprint, encoding, and text in bounded pieces."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

BLOCK = 4 << 20  # bytes read at once: a batch of lines

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A bomb is refused once it has given RATIO times what was read of it, not before FREE bytes. Stocks compress 8 to 30 times
# (a wide file of empty cells perhaps 100), DEFLATE reaches 1,032 and LZMA 7,000 on nothing but zeros. Below the ratio, the
# time spent is in proportion to what somebody took the trouble to send: a 20 GB file is read, whatever its size.
RATIO_MAX = 250
RATIO_FREE = 64 << 20
DIRECTORY_MAX = 4 << 20  # bytes of an archive's table of contents, which is read whole; one file takes about a hundred
_TOTAL = {"iso-8859-15"}  # gives a character to every byte: nothing to try
_WINDOWS = "windows-1252"  # has « ’ », « œ » and dashes where ISO 8859 has control characters, which no text holds
_NOT_CONTROLS = bytes(byte for byte in range(256) if not 0x80 <= byte < 0xA0)
REPLACED = "\ufffd"  # stands for bytes that cannot be decoded
_SAMPLE = 4096  # bytes that tell UTF-16 without a byte order mark
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # workbooks of before 2007
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*(?:\{\s*[\"}]|\])|\{\s*[\"}])")
# What a delivery is not, even inside an archive.
_FOREIGN = {
    b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstandard", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"%PDF": "PDF",
    b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz",
}  # fmt: skip
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

Form = Literal["texte", "json", "classeur", "parquet"]


class Refusal(Exception):
    """The whole file is refused; the attributes say where and why, `message` in the words of the producer."""

    def __init__(self, rule: str, message: str, *, column: str | None = None, value: str | None = None) -> None:
        super().__init__(message)
        self.rule, self.message, self.column, self.value = rule, message, column, value


@dataclass(frozen=True)
class Content:
    """What the first reading of a file tells: form, fingerprint of the decompressed bytes, encoding ('' for a workbook
    or a parquet file), compression. `damaged`: a text in UTF-8 but for some bytes, whose lines are at fault.
    `unended`: the last line of a text has no line ending."""

    path: Path
    form: Form
    compression: str
    sha256: str
    encoding: str
    bom_bytes: int
    stamp: tuple[int, int]  # size and modification time when the first reading began
    size: int  # decompressed bytes
    damaged: bool = False
    unended: bool = False

    def changed(self) -> bool:
        """True when the file on disk is no longer the one whose fingerprint was taken."""
        return _stamp(self.path) != self.stamp


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class _Measured:
    """A decompressed stream that is refused when it grows out of proportion with the bytes that it came from."""

    def __init__(self, stream: IO[bytes], source: IO[bytes], name: str) -> None:
        self._stream, self._source, self._name, self._given = stream, source, name, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._given += len(data)
        if self._given > RATIO_FREE and self._given > RATIO_MAX * self._source.tell():
            message = f"{self._name} : archive qui se déploie plus de {RATIO_MAX} fois (règle taille)"
            raise Refusal("taille", message)
        return data


@contextmanager
def open_decompressed(path: Path) -> Iterator[tuple[IO[bytes] | _Measured, str]]:
    """The decompressed bytes and the compression ('', 'gz', 'xz' or 'zip'), told from the content and not the name.

    Raises Refusal when the archive cannot be read or holds something else than one file, OSError as `open` does.
    """
    with path.open("rb") as raw:
        magic = raw.read(8)
        raw.seek(0)
        try:
            if magic.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield _Measured(cast(IO[bytes], stream), raw, path.name), "gz"
            elif magic.startswith(b"\xfd7zXZ\x00"):
                with lzma.LZMAFile(raw) as stream:
                    yield _Measured(cast(IO[bytes], stream), raw, path.name), "xz"
            elif magic.startswith(_ZIP) and not is_workbook(archive := _open_archive(path, raw)):
                with archive, archive.open(_only_member(path, archive)) as stream:
                    yield _Measured(stream, raw, path.name), "zip"
            else:
                raw.seek(0)
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


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """True for the package of an office document, which is not an archive of deliveries."""
    return "[Content_Types].xml" in archive.namelist()


def _open_archive(path: Path, raw: IO[bytes]) -> zipfile.ZipFile:
    """Refusal for a table of contents of many thousands of files: to list it is already too much."""
    end = raw.seek(0, 2)
    raw.seek(max(0, end - 65_557))  # the end record, and the longest comment
    tail = raw.read()
    at = tail.rfind(b"PK\x05\x06")
    record = tail[at:] if at >= 0 else b""  # a cut archive has none
    if int.from_bytes(record[12:16], "little") > DIRECTORY_MAX:
        message = f"{path.name} : un seul fichier attendu dans l'archive, des milliers reçus (règle taille)"
        raise Refusal("taille", message)
    return zipfile.ZipFile(raw)


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    # macOS puts beside each file what its disks know of it.
    members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise Refusal(
            "archive", f"{path.name} : un seul fichier attendu dans l'archive, {len(members)} reçus (règle archive)"
        )
    return members[0]


def examine(path: Path, encodings: Sequence[str] = ("utf-8", "iso-8859-15"), *, lenient: bool = False) -> Content:
    """Reads the file: form, fingerprint, compression and encoding (a byte order mark always wins, then `encodings` in
    order: the first that decodes every byte, or nearly: see `_is_nearly_utf_8`; what Windows wrote is not read as ISO
    8859). `lenient`: when none does, the first one, undecodable as it is.

    Raises Refusal when the archive or the text cannot be decoded, OSError when the file cannot be opened.
    """
    digest, stamp, size = hashlib.sha256(), _stamp(path), 0
    with open_decompressed(path) as (stream, compression):
        head = stream.read(BLOCK)
        _refuse_foreign(path, head)
        form = _form(head)
        bom, by_bom = next(((mark, name) for mark, name in _BOMS if head.startswith(mark)), (b"", ""))
        by_bom = by_bom or _utf_16_without_mark(head)
        candidates = [""] if form in ("classeur", "parquet") else [by_bom] if by_bom else list(encodings)
        decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates if name and name not in _TOTAL}
        block, last = head, b""
        while True:
            digest.update(block)
            last = block[-4:] or last
            size += len(block)
            for name in list(decoders):
                try:
                    decoders[name].decode(block, final=not block)
                except UnicodeDecodeError:
                    del decoders[name]
            if not block:
                break
            block = stream.read(BLOCK)
    possible = [name for name in candidates if not name or name in decoders or name in _TOTAL]
    damaged = form == "texte" and "utf-8" in candidates and "utf-8" not in decoders
    damaged = damaged and (by_bom != "" or _is_nearly_utf_8(path))
    if not possible and not damaged and not lenient:
        raise Refusal(
            "encodage", f"{path.name}, ligne 1 : texte indéchiffrable en {' ni en '.join(candidates)} (règle encodage)"
        )
    encoding = "utf-8" if damaged else (possible or candidates)[0]
    if encoding in _TOTAL and _is_by_windows(path):
        encoding = _WINDOWS
    bom_bytes = len(bom) if encoding != "utf-32" else 0
    return Content(
        path, form, compression, digest.hexdigest(), encoding, bom_bytes, stamp, size, damaged, _unended(last)
    )


def _unended(last: bytes) -> bool:
    """True when these last bytes of a text, in any encoding, are not a line ending."""
    return last.rstrip(b"\0")[-1:] not in (b"", b"\n", b"\r")


def _utf_16_without_mark(head: bytes) -> str:
    """The UTF-16 of a text without a byte order mark: every other byte is zero ('' for another text)."""
    even, odd = head[:_SAMPLE:2], head[1:_SAMPLE:2]
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros.count(0) > 0.9 * len(zeros) and 0 not in others:
            return name
    return ""


def _is_nearly_utf_8(path: Path) -> bool:
    """True when more of the accents of a text are in UTF-8 than are not: a few bytes of another encoding must not turn
    all the others into two wrong characters each."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    right = wrong = 0
    with open_decompressed(path) as (stream, _):
        while block := stream.read(BLOCK):
            text = decoder.decode(block)
            replaced = text.count(REPLACED)
            right += len(text) - len(text.encode("ascii", errors="ignore")) - replaced
            wrong += replaced
    return right >= wrong  # equal: only the last character is cut


def _is_by_windows(path: Path) -> bool:
    """True for a text in Windows-1252 that ISO 8859 cannot hold."""
    decoder, controls = codecs.getincrementaldecoder(_WINDOWS)(), False
    with open_decompressed(path) as (stream, _):
        while block := stream.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return False
            controls = controls or bool(block.translate(None, _NOT_CONTROLS))
    return controls


def _refuse_foreign(path: Path, head: bytes) -> None:
    """Refusal for content that no delivery has: an archive of a kind that is not read, or inside another one."""
    found = next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), None)
    if found is None and head[257:262] == b"ustar":
        found = "tar"
    if found is not None:
        message = f"{path.name} : texte, classeur, JSON ou parquet attendu, seul ou compressé une fois en gz, zip ou xz"
        raise Refusal("forme", f"{message}, reçu {found} (règle forme)", value=found)


def _form(head: bytes) -> Form:
    """The form of a file, from its first bytes: a JSON file opens an object, or an array of objects."""
    if head.startswith((_OLE, *_ZIP)):
        return "classeur"
    if head.startswith(b"PAR1"):
        return "parquet"
    return "json" if _JSON.match(head) else "texte"


@contextmanager
def materialised(content: Content, max_bytes: int) -> Iterator[str]:
    """The path of the decompressed file, for libraries that must move about in it: the file itself, or a copy that is
    removed at the end. Raises Refusal beyond `max_bytes` (an archive may hide any size)."""
    if not content.compression:
        yield str(content.path)
        return
    with tempfile.TemporaryDirectory() as folder, open_decompressed(content.path) as (stream, _):
        copy = Path(folder, "contenu")
        with copy.open("wb") as target:
            while block := stream.read(BLOCK):
                if target.tell() + len(block) > max_bytes:
                    message = f"{content.path.name} : contenu de plus de {max_bytes >> 20} Mo (règle taille)"
                    raise Refusal("taille", message)
                target.write(block)
        yield str(copy)


def text_blocks(content: Content, *, errors: str = "strict") -> Iterator[str]:
    """The text in pieces of about BLOCK, byte order mark removed, every line ending turned into a line feed."""
    decoder = codecs.getincrementaldecoder(content.encoding)("replace" if content.damaged else errors)
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
