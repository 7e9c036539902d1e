"""The last line of a file that announces how many came before it: what a cut file cannot have."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from expectations.contract import Contract
from ingestion.content import Refusal
from ingestion.layout import Layout, normalised


def until_footer(
    frames: Iterator[pl.DataFrame], contract: Contract, layout: Layout, file_name: str
) -> Iterator[pl.DataFrame]:
    """The records without the footer, when the layout of the file has one.

    Raises Refusal after the last record when the footer is missing, is not the last line, or announces another number.
    """
    footer = contract.footer
    if footer is None or normalised(footer.header) not in map(normalised, layout.header.cells):
        yield from frames
        return
    lines, footers = 0, []
    for frame in frames:
        announced = frame["_raw"].str.extract(footer.pattern)
        records = frame.filter(announced.is_null())
        lines += records.height
        footers += announced.drop_nulls().to_list()
        last = frame["_line"][-1] if announced[-1] is not None else None
        yield records
    if not footers or last is None:
        raise Refusal(
            "fin_absente", f"{file_name} : la dernière ligne n'annonce pas la fin du fichier (règle fin_absente)"
        )
    if len(footers) > 1 or int(footers[0]) != lines:
        message = f"{file_name}, ligne {last} : {footers[-1]} lignes annoncées, {lines} lues (règle nombre_de_lignes)"
        raise Refusal("nombre_de_lignes", message, value=footers[-1])
