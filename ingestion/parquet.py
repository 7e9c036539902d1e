"""Records of a parquet file, batch by batch, as the text that a CSV export of it would hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.content import Content, Refusal, materialised
from ingestion.records import Header

MAX_BYTES = 64 << 30
_BATCH = 50_000


def read_header(content: Content) -> Header | None:
    """Names of the columns; Refusal when the file cannot be read."""
    with _opened(content) as file:
        return Header(0, tuple(file.schema_arrow.names))


def read_rows(content: Content, header: Header) -> Iterator[pl.DataFrame]:
    """Batches of `_line` (rank of the row in the file, from 1) and one text column `c<i>` per column."""
    number = 1
    with _opened(content) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            rows = pl.DataFrame(batch.rename_columns([f"c{i}" for i in range(len(header.cells))]))
            lines = pl.int_range(number, number + rows.height, eager=True).alias("_line")
            yield pl.DataFrame([lines, *(_text(column) for column in rows)])
            number += rows.height


@contextmanager
def _opened(content: Content) -> Iterator[pq.ParquetFile]:
    with materialised(content, MAX_BYTES) as path:
        try:
            with pq.ParquetFile(path) as file:
                yield file
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:  # damaged pages are OSError
            raise Refusal("parquet", f"{content.path.name} : fichier parquet illisible (règle parquet)") from error


def _text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(",")
    elif isinstance(column.dtype, pl.Struct):
        column = column.struct.json_encode()
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:  # maps, durations, bytes…: a column that no contract reads may be of any type
        return pl.Series(column.name, [None if value is None else str(value) for value in column], dtype=pl.String)
