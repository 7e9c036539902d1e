"""Files for a spreadsheet: what a delivered file holds is never executed when a person opens them."""

from __future__ import annotations

import csv
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import psycopg
import pytest
import typer

from orchestration.cli.reading import published
from orchestration.cli.spreadsheet import write_table

DANGEROUS = [
    "=HYPERLINK(\"http://example.invalid\";\"x\")", "+33", "-2+3", "@SUM(1)", " =1+1", "\t=1", "\r=1", "\x01=1", "＝1+1", "＠x",
]  # fmt: skip
HARMLESS = ["DUPONT", "a=b", "12,5", "", "é@x", "n° 3"]


def test_no_text_of_a_csv_file_begins_like_a_formula(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    write_table([{"nom": text, "n": -1} for text in DANGEROUS + HARMLESS], file)
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["nom"] for row in rows] == ["'" + text for text in DANGEROUS] + HARMLESS
    assert {row["n"] for row in rows} == {"-1"}


def test_a_workbook_has_neither_formula_nor_link_nor_cell_too_long(tmp_path: Path) -> None:
    """Seen before: texts that look like addresses became links that send a reader elsewhere."""
    file = tmp_path / "x.xlsx"
    texts = [
        *DANGEROUS,
        "https://example.invalid/x",
        "mailto:x@example.invalid",
        "internal:Feuil1",
        "{=1+1}",
        "x" * 40_000,
    ]
    write_table(pl.DataFrame({"nom": texts}), file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith((".xml", ".rels"))}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    assert 'TargetMode="External"' not in "".join(parts.values())
    read = pl.read_excel(file)["nom"].to_list()
    assert len(read) == len(texts)
    assert max(map(len, read)) == 32_767


def test_a_time_is_written_in_utc_for_a_spreadsheet(tmp_path: Path) -> None:
    """`vigie export publications x.xlsx` ended in a traceback: Excel has no time zones."""
    file = tmp_path / "x.xlsx"
    moment = datetime(2026, 1, 1, 5, 30, tzinfo=UTC)
    write_table([{"publie_le": moment}], file)
    assert pl.read_excel(file)["publie_le"].to_list() == [moment.replace(tzinfo=None)]


def test_another_suffix_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter):
        write_table([{"a": 1}], tmp_path / "x.ods")


def test_a_day_before_1900_is_a_text_in_a_workbook(tmp_path: Path) -> None:
    """Excel shows it as #####: the creation of an old company."""
    file = tmp_path / "x.xlsx"
    write_table(pl.DataFrame({"creation": [date(1898, 12, 24), None], "mois": [date(2025, 1, 1)] * 2}), file)
    read = pl.read_excel(file)
    assert read["creation"].to_list() == ["1898-12-24", None]
    assert read["mois"].to_list() == [date(2025, 1, 1)] * 2


def test_the_types_of_a_published_view_do_not_depend_on_its_rows(vigie_url: str, tmp_path: Path) -> None:
    """Exported before the first list, or in months where a cell is never filled, a column had no type: files did not go together."""
    with psycopg.connect(vigie_url) as connection:
        views = connection.execute(
            b"select viewname from pg_views where schemaname = 'published' order by 1"
        ).fetchall()
    frames = {view: published(vigie_url, view) for (view,) in views}
    assert [(view, frame.schema) for view, frame in frames.items() if pl.Null in frame.dtypes] == []
    assert frames["montants"].schema["dette_eur"] == pl.Decimal(38, 2)
    for suffix in ("csv", "parquet", "xlsx"):
        write_table(frames["montants"], tmp_path / f"x.{suffix}")


def test_times_are_in_utc_whatever_the_zone_of_the_server(vigie_url: str, tmp_path: Path) -> None:
    """On a server set to Paris, a workbook held the hour of Paris, which nothing told from UTC."""
    with psycopg.connect(vigie_url, autocommit=True) as connection:
        connection.execute(
            "insert into publication.month (month, status, model_id, seuil_f1, seuil_f2, simulation, content_sha256, "
            "published_at) values ('2025-12-01', 'published', 'm', 0.2, 0.1, true, 'x', '2026-01-05 23:30+00')"
        )
        connection.execute(f"alter database {connection.info.dbname} set timezone to 'Europe/Paris'".encode())
    frame, moment = published(vigie_url, "publications"), datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    assert frame["publie_le"].to_list() == [moment]
    write_table(frame, tmp_path / "x.xlsx")
    assert pl.read_excel(tmp_path / "x.xlsx")["publie_le"].to_list() == [moment.replace(tzinfo=None)]
