"""Typed frames in the binary format of COPY: the server then parses no text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pgpq
import polars as pl
import pyarrow as pa

_WIDTHS = {"integer": pl.Int32, "bigint": pl.Int64}


def encode(frame: pl.DataFrame, sql_types: Mapping[str, str]) -> bytes | None:
    """The rows of `frame` for `copy … (format binary)`; None when a column has no exact binary form here.

    Amounts (`numeric(18,2)`) come as integers, in centimes; numbers that come as texts are left to the text format.
    """
    for name, dtype in frame.schema.items():
        if sql_types[name].startswith("numeric") and dtype == pl.String:
            return None
    table = pa.table({name: _column(frame[name], sql_types[name]) for name in frame.columns})
    encoder = pgpq.ArrowToPostgresBinaryEncoder(table.schema)
    records = bytearray(encoder.write_header())
    for batch in table.to_batches():
        records += encoder.write_batch(batch)
    return bytes(records + encoder.finish())


def _column(values: pl.Series, sql_type: str) -> pa.Array:
    if sql_type.startswith("numeric"):
        return _amounts(values)
    if sql_type in _WIDTHS:
        values = values.cast(_WIDTHS[sql_type])
    return values.to_arrow(compat_level=pl.CompatLevel.oldest())


def _amounts(cents: pl.Series) -> pa.Array:
    """The same integers, said to have two decimals: no division."""
    numbers = cents.fill_null(0).to_numpy()
    wide = np.stack([numbers, numbers >> 63], axis=1)  # 128 bits: the number, then its sign
    present = pa.array(cents.is_not_null().to_numpy()).buffers()[1] if cents.null_count() else None
    return pa.Array.from_buffers(pa.decimal128(20, 2), len(cents), [present, pa.py_buffer(wide)])
