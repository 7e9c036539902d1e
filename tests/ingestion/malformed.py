"""Malformed files made from good ones, from a seed, and a counter of records that owes nothing to our reader."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

#: Unicode's White_Space: what a line may hold and still be blank.
BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
PAYLOADS = (
    "'; drop table raw.urssaf__debit; --",
    "\\copy ingest.delivery to '/tmp/x'",
    "\\.",
    "\\N",
    '=HYPERLINK("http://example.invalid";"x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "../../../../etc/passwd",
    "$(touch /tmp/x)",
    "{{ 7 * 7 }}",
    "٠١٢٣٤٥٦٧٨",
    "０１２３４５６７４",
    "1e400",
    "-0",
    "NaN",
    "\u202e",
    "é\u0301",
    "\ufeff",
    "\x1c",
    "\x85",
    "9" * 400,
)


@dataclass(frozen=True)
class Good:
    """A good file: its lines, header first, its delimiter, and the chance that spoils it."""

    lines: list[str]
    delimiter: str
    rng: random.Random


Malform = Callable[[Good], bytes]


def _text(lines: list[str], ending: str = "\n") -> bytes:
    return (ending.join(lines) + ending).encode()


def _with_cell(lines: list[str], delimiter: str, rng: random.Random, value: str) -> list[str]:
    """One cell of one line replaced."""
    row = rng.randrange(1, len(lines))
    cells = lines[row].split(delimiter)
    cells[rng.randrange(len(cells))] = value
    return [*lines[:row], delimiter.join(cells), *lines[row + 1 :]]


def _with_character(lines: list[str], rng: random.Random, text: str) -> list[str]:
    """A text put somewhere in one line after the header."""
    row = rng.randrange(1, len(lines))
    at = rng.randrange(len(lines[row]) + 1)
    return [*lines[:row], lines[row][:at] + text + lines[row][at:], *lines[row + 1 :]]


def _swapped(lines: list[str], delimiter: str, rng: random.Random) -> list[str]:
    width = lines[0].count(delimiter) + 1
    a, b = rng.randrange(width), rng.randrange(width)

    def swap(line: str) -> str:
        cells = line.split(delimiter)
        if max(a, b) < len(cells):
            cells[a], cells[b] = cells[b], cells[a]
        return delimiter.join(cells)

    return [lines[0], *map(swap, lines[1:])]


def _zip(content: bytes, names: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _scrambled(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.randrange(1, 20)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


#: Every way to spoil a file.
MALFORMED: dict[str, Malform] = {
    "truncated": lambda g: _cut(_text(g.lines), g.rng),
    "truncated_line": lambda g: _text([*g.lines, g.lines[1][: g.rng.randrange(1, len(g.lines[1]))]]),
    "doubled_quotes": lambda g: _text(g.lines).replace(b'"', b'""'),
    "lone_quote": lambda g: _text(_with_character(g.lines, g.rng, '"')),
    "two_quotes": lambda g: _text(_with_character(_with_character(g.lines, g.rng, '"'), g.rng, '"')),
    "open_cell": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, '"open')),
    "quoted_line_feed": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, '"a\nb\n\nc"')),
    "quoted_delimiter": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, f'"a{g.delimiter}b""{g.delimiter}"')),
    "mixed_endings": lambda g: "".join(
        line + g.rng.choice(["\n", "\r", "\r\n", "\n\n", "\r\r\n"]) for line in g.lines
    ).encode(),
    "no_last_ending": lambda g: "\n".join(g.lines).encode(),
    "blank_lines": lambda g: _text([part for line in g.lines for part in (line, g.rng.choice(["", " ", "\t"]))]),
    "separators_only": lambda g: _text([*g.lines, g.delimiter * g.lines[0].count(g.delimiter)]),
    "utf_16": lambda g: _text(g.lines).decode().encode("utf-16"),
    "utf_16_no_mark": lambda g: _text(g.lines).decode().encode("utf-16-le"),
    "utf_32": lambda g: _text(g.lines).decode().encode("utf-32"),
    "latin_bytes": lambda g: _text(_with_character(g.lines, g.rng, "é€")).decode().encode("cp1252"),
    "lying_mark": lambda g: b"\xef\xbb\xbf" + _text(g.lines) + b"\xe9\xff\n",
    "surrogate_bytes": lambda g: _text(g.lines) + b"\xed\xa0\x80\n",
    "two_marks": lambda g: b"\xef\xbb\xbf\xef\xbb\xbf" + _text(g.lines),
    "mark_inside": lambda g: _text(_with_character(g.lines, g.rng, "\ufeff")),
    "nul": lambda g: _text(_with_character(g.lines, g.rng, "\0")),
    "nul_in_header": lambda g: _text(["\0".join(g.lines[0]), *g.lines[1:]]),
    "swapped_columns": lambda g: _text(_swapped(g.lines, g.delimiter, g.rng)),
    "extra_delimiters": lambda g: _text(_with_character(g.lines, g.rng, g.delimiter * g.rng.randrange(1, 40))),
    "wide_line": lambda g: _text([*g.lines, g.delimiter * 5_000]),
    "huge_field": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, "x" * 300_000)),
    "huge_quoted_field": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, '"' + "x\n" * 900 + '"')),
    "payload": lambda g: _text(_with_cell(g.lines, g.delimiter, g.rng, g.rng.choice(PAYLOADS))),
    "payload_everywhere": lambda g: _text(
        [
            g.lines[0],
            *(g.delimiter.join(g.rng.choice(PAYLOADS) for _ in line.split(g.delimiter)) for line in g.lines[1:]),
        ]
    ),
    "payload_in_header": lambda g: _text(
        [g.lines[0] + g.delimiter + g.rng.choice(PAYLOADS), *(x + g.delimiter for x in g.lines[1:])]
    ),
    "empty": lambda g: _text(g.lines)[:0],
    "header_only": lambda g: g.lines[0].encode(),
    "no_header": lambda g: _text(g.lines[1:]),
    "duplicate_headers": lambda g: _text([line + g.delimiter + line.split(g.delimiter)[0] for line in g.lines]),
    "header_repeated": lambda g: _text([*g.lines, g.lines[0], *g.lines[1:]]),
    "lost_header": lambda g: _text(
        [g.delimiter.join(g.rng.sample(g.lines[0].split(g.delimiter), g.lines[0].count(g.delimiter))), *g.lines[1:]]
    ),
    "mixed_delimiters": lambda g: _text([x.replace(g.delimiter, g.rng.choice([",", ";", "\t", "|"])) for x in g.lines]),
    "other_delimiter": lambda g: _text([x.replace(g.delimiter, "|") for x in g.lines]),
    "scrambled": lambda g: _scrambled(_text(g.lines), g.rng),
    "random_bytes": lambda g: g.rng.randbytes(400),
    "gzip_cut": lambda g: _cut(gzip.compress(_text(g.lines)), g.rng),
    "gzip_scrambled": lambda g: _scrambled(gzip.compress(_text(g.lines)), g.rng),
    "gzip_and_rubbish": lambda g: gzip.compress(_text(g.lines)) + b"rubbish",
    "gzip_twice": lambda g: gzip.compress(gzip.compress(_text(g.lines))),
    "xz_cut": lambda g: _cut(lzma.compress(_text(g.lines)), g.rng),
    "zip_traversal": lambda g: _zip(_text(g.lines), ("../../../../tmp/outside.csv",)),
    "zip_two_members": lambda g: _zip(_text(g.lines), ("a.csv", "/etc/b.csv")),
    "zip_cut": lambda g: _cut(_zip(_text(g.lines), ("a.csv",)), g.rng),
    "zip_scrambled": lambda g: _scrambled(_zip(_text(g.lines), ("a.csv",)), g.rng),
}


def physical_lines(text: str) -> dict[int, str]:
    """Lines that are not blank by their number (first = 1), whatever the line endings."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {number: line for number, line in enumerate(lines, start=1) if line.strip(BLANK)}


def independent_count(text: str, delimiter: str) -> int | None:
    """Records after the header, as Python's csv module counts them; None where its answer is not the only right one
    (a quote is misplaced or never closed, a record over several lines has not the width of the header, or is the header,
    or each of its lines has that width)."""
    if '"' not in text:
        return max(0, len(physical_lines(text)) - 1)
    if "\0" in text:
        return None
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    filled, lines = physical_lines(plain), plain.split("\n")
    reader = csv.reader(io.StringIO(plain, newline=""), delimiter=delimiter, strict=True)
    count, width, before = 0, None, 0
    try:
        for cells in reader:
            spans, before = reader.line_num - before, reader.line_num
            if spans == 1 and before not in filled:
                continue
            if spans > 1 and len(cells) != width:
                return None
            if spans > 1 and all(line.count(delimiter) + 1 == width for line in lines[before - spans : before] if line):
                return None
            width = len(cells) if width is None else width
            count += 1
    except csv.Error:
        return None
    return max(0, count - 1)
