"""The quick roads from bytes to rows give what the slow ones give, cell by cell."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from delivery_base import Base
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ingestion import cells, load, wire
from ingestion.content import examine
from ingestion.database import connect
from ingestion.records import Header, _Splitter, read_records, stripped

CELL = st.text(st.sampled_from("a1é \t;\u00a0\ufeff\x0b\x1c0-+.,"), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=6))
def test_a_block_is_read_as_its_lines_are(rows: list[list[str]]) -> None:
    """Blank lines, missing and supernumerary cells, white space of any kind, byte order marks inside the text."""
    lines = [";".join(row) for row in rows]
    splitter = _Splitter(";", 3)
    block = splitter.split_block("\n".join(lines), 7)
    expected, _ = splitter.split(lines, 7, last=True)
    if block is not None:
        assert_frame_equal(block, stripped(expected))
    else:
        odd = expected.height < len(lines) or expected["_fault"].null_count() < expected.height
        assert odd or "\ufeff" in lines[0][:1]


def test_a_clean_file_takes_the_quick_road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it never taken, the test above would prove nothing and the load would be slow."""
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{n}; b \n" for n in range(50)))
    monkeypatch.setattr(_Splitter, "split", None)
    frames = list(read_records(examine(path), Header(1, ("x", "y")), ";"))
    assert pl.concat(frames)["_line"].to_list() == list(range(2, 52))
    assert pl.concat(frames)["c1"].unique().to_list() == ["b"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.integers(-(10**19), 10**19).map(str), st.text("+-0123456789.,e \u00a0", max_size=22))))
def test_integers_are_read_by_the_grammar_of_one_line(texts: list[str]) -> None:
    """Plain digits take a quicker road; a mark before three digits may be of thousands, and is read by none."""
    grammar = r"(-?(?:\d{1,18}|\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,5}))(?:[.,]0*)?"
    expected = []
    for text in texts:
        number = re.fullmatch(grammar, text, re.ASCII)
        clear = number and not re.fullmatch(r"-?[1-9]\d{0,2}[.,]\d{3}", text, re.ASCII)
        expected.append(int(re.sub(r"\s", "", number[1])) if number and clear else None)
    assert cells.parse_centimes(pl.Series(texts, dtype=pl.String)).to_list() == expected


def test_binary_and_text_store_the_same_values(base: Base) -> None:
    """Amounts go as 128-bit decimals, dates as days: zero, signs, nulls and the largest amounts must come out whole."""
    contract = base.contracts["urssaf__debit"]
    cents = [0, 1, -1, 99, 100, -12345, 10**18 - 1, -(10**18) + 1, 9_999_99, 1_000_000]
    days = [date(1980, 1, 1), date(1999, 12, 31), date(2000, 1, 1), date(2100, 12, 31)]
    size = len(cents)
    rows = pl.DataFrame(
        {
            "_line": range(size),
            "compte": ["é" * n or "x" for n in range(size)],
            "siret": [None if n % 2 else "a\\N\t" for n in range(size)],
            "numero_historique": [2**31 - 1 - n for n in range(size)],
            "periode_debut": [days[n % 4] for n in range(size)],
            "part_ouvriere_eur": cents,
            "part_patronale_eur": [None if n == 3 else c for n, c in enumerate(reversed(cents))],
            "recours_en_cours": [None, True, False, True, None, False, True, False, True, None],
        }
    )
    types = {column.name: column.sql_type for column in contract.columns} | {"_line": "bigint"}
    base.execute(f"create table stored (way text, {', '.join(f'{n} {types[n]}' for n in rows.columns)})")
    assert load.packed(rows, contract).form == "binary"
    with pytest.MonkeyPatch.context() as patch, connect(base.url) as connection:
        load.copy_packed(connection, "stored", load.packed(rows, contract))
        patch.setattr(wire, "encode", lambda *_: None)
        load.copy_packed(connection, "stored", load.packed(rows, contract))
    names = ", ".join(rows.columns)
    assert base.query(f"select count(*), count(distinct ({names})::text) from stored") == [(2 * size, size)]
    assert base.query("select part_ouvriere_eur::text from stored where _line in (5, 6) limit 2") == [
        ("-123.45",),
        ("9999999999999999.99",),
    ]


def test_progress_ends_at_the_size_of_the_file(base: Base, debits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that never reaches its end, or runs past it, tells no time left."""
    monkeypatch.setattr("ingestion.content.BLOCK", 64)
    heard: list[tuple[int, int, int]] = []
    base.deliver(debits, progress=lambda *told: heard.append(told))
    size = len(debits.encode())
    assert [total for _, _, total in heard] == [size] * len(heard)
    assert [lines for lines, _, _ in heard] == sorted(lines for lines, _, _ in heard)
    header = debits.index("\n") + 1
    assert heard[-1][:2] == (4, size - header)
