"""The same rows whatever the form: text, workbook, JSON, parquet, compressed or not."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from delivery_base import Base
from polars.testing import assert_frame_equal

from expectations.contract import load_contracts
from ingestion import workbook
from ingestion.content import examine
from ingestion.forms import layout_of, records_of
from ingestion.json_records import read_header, read_rows

PAYDEX = pl.DataFrame(
    {
        "SIREN": ["012345674", "023456783", "01234567X", "034567891"],
        "NB_JOURS": ["3", "5", "2", "dix"],
        "NB_JOURS_LIB": ['3 "jours"; environ', "5 jours", None, "sur\ndeux lignes"],
        "DATE_VALEUR": ["15/12/2018", "15/12/2018", "15/12/2018", "15/01/2019"],
    }
)


def as_workbook(path: Path, table: pl.DataFrame) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, table.columns)
        for number, row in enumerate(table.rows(), start=1):
            sheet.write_row(number, 0, row)


def as_json(path: Path, table: pl.DataFrame) -> None:
    path.write_text(json.dumps(table.to_dicts(), ensure_ascii=False), encoding="utf-8")


def as_json_lines(path: Path, table: pl.DataFrame) -> None:
    table.write_ndjson(path)


def as_api_page(path: Path, table: pl.DataFrame) -> None:
    path.write_text(json.dumps({"total_count": table.height, "results": table.to_dicts()}), encoding="utf-8")


def as_parquet(path: Path, table: pl.DataFrame) -> None:
    table.write_parquet(path)


FORMS = {
    "paydex.xlsx": as_workbook,
    "paydex.json": as_json,
    "paydex.jsonl": as_json_lines,
    "paydex_page.json": as_api_page,
    "paydex.parquet": as_parquet,
}


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("contenu", data)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_rows_and_the_rejects_of_the_text_file(base: Base, name: str) -> None:
    """A form with its own way of rejecting lines would lose some without anybody seeing it."""
    path = base.folder / name
    FORMS[name](path, PAYDEX)
    account = base.deliver(path)
    assert (account.status, account.lines, account.loaded) == ("loaded", 4, 2), account.reason
    assert account.rejects_by_rule == {"entier": 1, "siren": 1}
    assert base.open_rows("altares__paydex", "siren, nb_jours, date_valeur") == [
        ("012345674", 3, date(2018, 12, 15)),
        ("023456783", 5, date(2018, 12, 15)),
    ]
    first = 1 if name.endswith(("json", "jsonl", "parquet")) else 2  # a sheet has its header in row 1
    assert [(row[0], row[2], row[4]) for row in base.quarantine(account)] == [
        (first + 2, "SIREN", "01234567X"),
        (first + 3, "NB_JOURS", "dix"),
    ]
    assert base.quarantine(account)[1][6] == '034567891;dix;"sur\ndeux lignes";15/01/2019'
    text = base.deliver(PAYDEX.write_csv(separator=";"), "paydex.csv", received=date(2026, 2, 15))
    assert (text.unchanged, text.rows_opened, text.rows_closed) == (2, 0, 0)


@pytest.mark.parametrize("name", FORMS)
def test_a_compressed_file_of_any_form_is_the_same_content(tmp_path: Path, name: str) -> None:
    contract = load_contracts()["altares__paydex"]

    def read(path: Path) -> tuple[str, pl.DataFrame]:
        content = examine(path)
        return content.sha256, pl.concat(records_of(content, layout_of(content, contract)[1]))

    path = tmp_path / name
    FORMS[name](path, PAYDEX)
    sha256, records = read(path)
    assert records.height == 4
    for compress in (gzip.compress, lzma.compress, zipped):
        compressed = tmp_path / "paydex.csv"
        compressed.write_bytes(compress(path.read_bytes()))
        again, same = read(compressed)
        assert again == sha256
        assert_frame_equal(same, records)


def test_a_sheet_keeps_its_row_numbers_serial_dates_and_long_identifiers(base: Base) -> None:
    """Rows above the header and empty ones between records are rows; a SIRET stored as a number has no exponent."""
    path = base.folder / "apconso.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, ["ID_DA", "ETAB_SIRET", "HEURES", "MOIS"])
        sheet.write_row(3, 1, ["A1", 1234567400019, 12.5, 43101])
        sheet.write_row(6, 1, ["A2", "01234567400019", 0.1, "02/2018"])
        sheet.write_row(7, 1, ["A3", "01234567400019", 1e3])
        sheet.write_datetime(7, 4, date(2018, 3, 1), book.add_format({"num_format": "mm/yyyy"}))
    account = base.deliver(path)
    assert [(row[0], row[2], row[4]) for row in base.quarantine(account)] == [(4, "ETAB_SIRET", "1234567400019")]
    assert base.open_rows("dgefp__consommation_ap", "_line, id_demande, heures, periode") == [
        (7, "A2", Decimal("0.1"), date(2018, 2, 1)),
        (8, "A3", 1000, date(2018, 3, 1)),
    ]


def test_a_formula_in_error_is_no_empty_cell(base: Base) -> None:
    """A cell that shows #N/A was read as empty, and a row of nothing else was not counted at all."""
    path = base.folder / "demande_ap.xlsx"
    header = ["ID_DA", "ETAB_SIRET", "EFF_ENT", "DATE_STATUT", "DATE_DEB", "DATE_FIN", "HTA"]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 1, header)
        for row in (2, 3):
            sheet.write_row(row, 1, [f"A{row}", "01234567400019", 5, "2020-03-20", "2020-03-16", "2020-04-30", 10])
        sheet.write_formula(3, 3, "=NA()", value="#N/A")
        sheet.write_formula(4, 1, "=1/0", value="#DIV/0!")
    account = base.deliver(path)
    assert (account.lines, account.loaded) == (3, 1)
    assert [(row[0], row[2], row[3], row[4]) for row in base.quarantine(account)] == [
        (4, "EFF_ENT", "entier", "#N/A"),
        (5, "ETAB_SIRET", "obligatoire", None),
    ]
    assert base.query("select raw_text from ingest.rejected_row where line = 5") == [("#DIV/0!,,,,,,",)]


def test_a_workbook_of_two_filled_sheets_is_refused_and_an_empty_one_does_not_count(base: Base) -> None:
    path = base.folder / "paydex.xlsx"
    for filled in (1, 2):
        with xlsxwriter.Workbook(path) as book:
            for number in range(2):
                sheet = book.add_worksheet()
                if number < filled:
                    sheet.write_row(0, 0, PAYDEX.columns)
        account = base.deliver(path)
        assert account.status == ("loaded", "refused")[filled - 1]
    assert account.reason == "paydex.xlsx : une seule feuille attendue, 2 reçues (règle classeur)"


def test_a_workbook_that_lies_about_its_size_is_refused_before_it_is_read(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MAX_BYTES", 100_000)
    path = base.folder / "paydex.xlsx"
    as_workbook(path, pl.concat([PAYDEX] * 2000))
    assert "règle taille" in str(base.deliver(path).reason)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:  # every size of the central directory
        data[at + 24 : at + 28] = struct.pack("<L", 10)
        at = data.find(b"PK\x01\x02", at + 4)
    lying = base.deliver(bytes(data), "paydex.xlsx")
    assert (lying.status, "règle archive" in str(lying.reason)) == ("refused", True)


@pytest.mark.parametrize(
    "text",
    ['[{"SIREN": "012345674"}, {"SIREN": ', '[{"a": 1}, 3]', '[{"a": ' + "[" * 200_000, '{"a": 1} x', "[{}]"],
    ids=["cut", "not an object", "too deep", "trailing", "no field"],
)
def test_a_broken_json_file_is_refused_whole_and_its_lines_are_kept(base: Base, text: str) -> None:
    account = base.deliver(text, "paydex.json")
    assert (account.status, account.loaded) == ("refused", 0)
    assert account.lines == account.rejected == 1
    assert base.quarantine(account)[0][6] == text


def test_a_json_record_may_be_longer_than_a_block_and_fields_may_come_late(base: Base) -> None:
    records = [
        {"SIREN": "012345674", "DATE_VALEUR": "2018-12-15", "x": "é" * 1_000_000},
        {"SIREN": "023456783", "NB_JOURS": 7},
    ]
    account = base.deliver(json.dumps(records), "paydex.json")
    assert (account.lines, account.loaded, account.rejects_by_rule) == (2, 1, {"obligatoire": 1})


def test_fields_of_an_inner_object_are_cells_and_numbers_keep_their_digits(base: Base) -> None:
    path = base.folder / "a.json"
    path.write_text(
        '[{"a": {"b": 1.10, "c": [1, null]}, "d": "{\\"e\\": true}", "f": "{pas du json"}]', encoding="utf-8"
    )
    content = examine(path)
    header = read_header(content)
    assert header is not None
    assert header.cells == ("a_b", "a_c", "d_e", "f")
    [rows] = read_rows(content, header)
    assert rows.row(0) == (1, "1.10", '["1", null]', "true", "{pas du json")


def test_typed_parquet_columns_are_read_as_text_would_be(base: Base) -> None:
    table = pl.DataFrame(
        {
            "siren": ["012345674"],
            "periode": [date(2019, 1, 1)],
            "NB_JOURS": [3.0],
            "DATE_VALEUR": [datetime(2018, 12, 15, tzinfo=UTC).replace(tzinfo=None)],
            "liste": [["a", "b"]],
            "objet": [{"a": 1}],
        }
    )
    path = base.folder / "paydex.parquet"
    table.write_parquet(path)
    assert base.deliver(path).loaded == 1
    assert base.open_rows("altares__paydex", "nb_jours, date_valeur") == [(3, date(2018, 12, 15))]
    cut = base.deliver(path.read_bytes()[:-20], "paydex.parquet")
    assert (cut.status, "règle parquet" in str(cut.reason)) == ("refused", True)


def test_a_parquet_column_of_any_type_that_no_contract_reads_hides_no_row(base: Base) -> None:
    """A duration, a map or raw bytes beside the expected columns refused the whole file as unreadable."""
    table = pa.table(
        {
            "SIREN": ["012345674"], "NB_JOURS": [3], "DATE_VALEUR": [date(2018, 12, 15)],
            "duree": pa.array([timedelta(1)]), "octets": pa.array([b"\xff"]),
            "table": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )  # fmt: skip
    pq.write_table(table, base.folder / "paydex.parquet")
    assert base.deliver(base.folder / "paydex.parquet").loaded == 1


def test_half_a_character_in_json_is_replaced_and_loaded(base: Base) -> None:
    """Nothing can store a surrogate alone: the command ended in a traceback."""
    text = '[{"compte": "1", "Date_de_traitement": "1190401", "Code_externe_stade": "a\\ud800\\ud83d\\ude00"}]'
    assert base.deliver(text, "ccsf.json").loaded == 1
    assert base.open_rows("urssaf__ccsf", "stade") == [("a\ufffd\U0001f600",)]


NOTICE = {
    "id": "A20260022412", "dateparution": "2026-02-02", "typeavis_lib": "Avis rectificatif", "familleavis": "collective",
    "registre": "012345674,012 345 674",
    "jugement": '{"famille": "Jugement d\'ouverture", "nature": "Jugement de plan, \\"long\\"", "date": "1er janvier 2026"}',
    "parutionavisprecedent": '{"dateParution": "1 février 2026", "numeroAnnonce": 5071}',
}  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_notices_downloaded_from_the_open_data_portal_hold_objects_in_their_cells(base: Base, form: str) -> None:
    """The portal's own name and header: its JSON export was read, its CSV and parquet exports lacked every judgment."""
    other = {"id": "A20260022414", "familleavis": "vente", "jugement": None, "parutionavisprecedent": None}
    notices = pl.DataFrame(
        [NOTICE, NOTICE | {"id": "A20260022413", "jugement": '{"famille": "Jugement'}, NOTICE | other]
    )
    path = base.folder / f"annonces-commerciales.{form}"
    if form == "csv":
        notices.write_csv(path, separator=";", include_bom=True)
    else:
        notices.write_parquet(path)
    account = base.deliver(path)
    assert (account.lines, account.loaded, account.rejects_by_rule) == (3, 1, {"json": 1, "valeur_permise": 1})
    assert base.quarantine(account)[0][2:5] == ("jugement", "json", '{"famille": "Jugement')
    columns = (
        "siren, numero_annonce, jugement_nature, jugement_date, numero_annonce_precedente, date_parution_precedente"
    )
    assert base.open_rows("bodacc__annonce", columns) == [
        ("012345674", "412", 'Jugement de plan, "long"', date(2026, 1, 1), "5071", date(2026, 2, 1))
    ]


def test_a_correction_and_a_notice_without_siren_come_from_the_api_too(base: Base) -> None:
    """The link to the notice corrected is an object in a string; a registry without number is out of scope."""
    nature = "Jugement d'ouverture de liquidation judiciaire"
    inner = json.dumps({"famille": "Jugement d'ouverture", "nature": nature, "date": "2026-01-27"})
    previous = json.dumps({"numeroParution": "20260022", "dateParution": "2 février 2026", "numeroAnnonce": "5071"})
    notice = {
        "id": "A20260023412",
        "dateparution": "2026-02-03",
        "typeavis_lib": "Avis rectificatif",
        "jugement": inner,
    }
    page = [
        notice | {"registre": ["012345674", "012 345 674", "023 456 783"], "parutionavisprecedent": previous},
        notice | {"id": "A20260023413", "registre": None, "parutionavisprecedent": None},
    ]
    account = base.deliver(json.dumps({"total_count": 2, "results": page}), "bodacc.json")
    assert (account.lines, account.loaded, account.rejects_by_rule) == (2, 1, {"sans_siren": 1})
    columns = "siren, numero_annonce, type_annonce, numero_annonce_precedente, date_parution_precedente"
    assert base.open_rows("bodacc__annonce", columns, "siren") == [
        (siren, "412", "Avis rectificatif", "5071", date(2026, 2, 2)) for siren in ("012345674", "023456783")
    ]
