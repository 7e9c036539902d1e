"""Records of a JSON file: an array of objects, one object a line, or the page of an API (`results` or `records`).

The file is read as a stream. Numbers keep the very digits of the file. An object inside a record, even written as JSON
in a string, gives one cell per field (`jugement` and its `date`: `jugement_date`); a list of values gives one cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from ingestion.content import Content, Refusal, text_blocks
from ingestion.records import Header

_BATCH = 20_000
_VALUE_MAX = 64 << 20  # characters of one value: a page of an interface holds many records
_ENVELOPES = ("results", "records")
_BETWEEN = re.compile(r"[\s,\]]*")
_exact = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def read_header(content: Content) -> Header | None:
    """The fields of all records, in the order in which they come; None for a file without any record.

    Raises Refusal when the file is not JSON throughout.
    """
    names: dict[str, None] = {}
    for record in _records(content):
        names.update(dict.fromkeys(record))
    return Header(0, tuple(names)) if names else None


def read_rows(content: Content, header: Header) -> Iterator[pl.DataFrame]:
    """Batches of `_line` (rank of the record in the file, from 1) and one text column `c<i>` per field."""
    schema = {"_line": pl.Int64, **{f"c{i}": pl.String for i in range(len(header.cells))}}
    rows: list[list[Any]] = []
    for number, record in enumerate(_records(content), start=1):
        rows.append([number, *(record.get(name) for name in header.cells)])
        if len(rows) == _BATCH:
            yield pl.DataFrame(rows, schema=schema, orient="row")
            rows = []
    if rows:
        yield pl.DataFrame(rows, schema=schema, orient="row")


def _records(content: Content) -> Iterator[dict[str, str | None]]:
    for number, value in enumerate(_values(content), start=1):
        if not isinstance(value, dict):
            raise _refusal(content, number, "objet attendu")
        yield dict(_cells("", value))


def _values(content: Content) -> Iterator[Any]:
    """The items of the array, of the page, or of the sequence of objects that the file holds."""
    held, inside, number = "", False, 0
    for block in text_blocks(content):
        held += block
        if not inside and number == 0:
            inside = held.lstrip().startswith("[")
            held = held.lstrip().removeprefix("[")
        start = _BETWEEN.match(held).end()  # type: ignore[union-attr]
        while start < len(held):
            try:
                value, start = _exact.raw_decode(held, start)
            except json.JSONDecodeError:
                break  # the rest of the record is in the next block
            except RecursionError as error:
                raise _refusal(content, number + 1, "trop d'objets emboîtés") from error
            for item in _unwrapped(value) if not inside else [value]:
                number += 1
                yield item
            start = _BETWEEN.match(held, start).end()  # type: ignore[union-attr]
        held = held[start:]
        if len(held) > _VALUE_MAX:
            raise _refusal(content, number + 1, f"objet de plus de {_VALUE_MAX} caractères")
    if held.strip():
        raise _refusal(content, number + 1, "JSON illisible")


def _unwrapped(value: Any) -> list[Any]:
    for name in _ENVELOPES:
        if isinstance(value, dict) and isinstance(value.get(name), list):
            return list(value[name])
    return [value]


def _refusal(content: Content, number: int, what: str) -> Refusal:
    return Refusal("json", f"{content.path.name}, enregistrement {number} : {what} (règle json)")


def _cells(prefix: str, record: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for key, value in record.items():
        name = prefix + key
        if isinstance(value, str) and value.startswith("{"):
            value = _inner_object(value)
        if isinstance(value, dict):
            yield from _cells(f"{name}_", value)
        else:
            text = _text(value)
            yield _encodable(name), text and _encodable(text)


def _inner_object(text: str) -> Any:
    try:
        return _exact.decode(text)
    except (json.JSONDecodeError, RecursionError):
        return text


def _encodable(text: str) -> str:
    """A text without half characters (one surrogate alone), which JSON can write and nothing can store."""
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case str():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return ",".join(value)
    return json.dumps(value, ensure_ascii=False)
