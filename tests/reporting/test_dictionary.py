"""The data dictionary: a page and a workbook made of the comments of the database."""

from __future__ import annotations

from io import BytesIO

import fastexcel

from orchestration.dictionary import described
from reporting.dictionary import Table, markdown, workbook

TABLES = [
    Table(
        "published",
        "montants",
        "Une ligne par entreprise.",
        [
            described("dette_eur", "numeric", "Dette restant due. Unité : euros. Source : Urssaf."),
            described("alerte", "text", "=HYPERLINK | rien. Source : Vigie."),
        ],
    ),
    Table("published", "score_au(au date)", "Probabilités à une date.", []),
]


def test_a_comment_is_taken_apart_into_meaning_unit_and_source() -> None:
    first, second = TABLES[0].columns
    assert (first.description, first.unit, first.source) == ("Dette restant due.", "euros", "Urssaf")
    assert (second.unit, second.source) == (None, "Vigie")
    assert described("x", "text", "Sans convention").description == "Sans convention"


def test_the_page_has_a_row_for_each_column_and_keeps_its_cells_apart() -> None:
    page = markdown(TABLES)
    assert "| `dette_eur` | numeric | Dette restant due. | euros | Urssaf |" in page
    assert "=HYPERLINK \\| rien." in page
    assert "## published.score_au(au date)" in page


def test_the_workbook_holds_the_same_and_the_same_bytes_each_time() -> None:
    content = workbook(TABLES)
    assert workbook(TABLES) == content
    sheet = fastexcel.read_excel(BytesIO(content).getvalue()).load_sheet("Dictionnaire").to_polars()
    assert sheet.height == 4
    assert sheet["Unité"].drop_nulls().to_list() == ["euros"]
    assert "=HYPERLINK | rien." in sheet["Description"].to_list()
