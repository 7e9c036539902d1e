"""The workbook of a report, read back with an independent reader and as raw XML."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime
from io import BytesIO

import fastexcel
import pytest
from report_samples import MONTH, OFFERS, company, department_report, report

from reporting import xlsx
from reporting.model import NATURAL_PERSON, MonthlyReport, Reason

SHEETS = ["Entreprises", "Raisons", "Clignotants", "Offres", "Séries", "Fraîcheur", "Paramètres"]


def rows_of(sample: MonthlyReport, sheet: str) -> list[dict[str, object]]:
    frame = fastexcel.read_excel(xlsx.render(sample)).load_sheet(sheet).to_polars()
    return frame.to_dicts()


def as_day(value: object) -> date:
    """A date cell as a day, whether the reader gives a date or a datetime; fails on a text or a number."""
    assert isinstance(value, date)
    return value.date() if isinstance(value, datetime) else value


def parts_of(sample: MonthlyReport) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(xlsx.render(sample))) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def test_the_sheets_are_there_with_one_row_per_thing() -> None:
    sample = report()
    assert fastexcel.read_excel(xlsx.render(sample)).sheet_names == SHEETS
    assert len(rows_of(sample, "Entreprises")) == 12
    assert len(rows_of(sample, "Raisons")) == sum(len(each.reasons) for each in sample.companies)
    assert len(rows_of(sample, "Offres")) == sum(len(each.offers) for each in sample.companies)
    assert len(rows_of(sample, "Séries")) == 12 * 24
    assert len(rows_of(sample, "Fraîcheur")) == 5, "four delivered or expected sources and one missing"


def test_values_are_typed_and_identifiers_keep_their_leading_zeros() -> None:
    row = rows_of(report((company(1, dette_eur=1234.5, date_creation=date(1998, 4, 7)),)), "Entreprises")[0]
    assert row["Siren"] == company(1).siren
    assert str(row["Siren"]).startswith("0")
    assert row["Code département"] == company(1).departement
    assert row["Dette sociale"] == 1234.5
    assert row["Probabilité à 18 mois"] == company(1).p18
    assert as_day(row["Date de création"]) == date(1998, 4, 7)
    assert row["À contacter ce mois-ci"] == "Oui"
    assert row["Premier contact"] == min(company(1).offers, key=lambda offer: offer.priorite).administration


def test_a_company_older_than_the_calendar_of_excel_has_its_date_as_a_text() -> None:
    """Excel counts days from 1900: an older creation date was a cell full of #."""
    row = rows_of(report((company(1, date_creation=date(1874, 4, 7)),)), "Entreprises")[0]
    assert row["Date de création"] == "07/04/1874"


def test_the_first_offer_of_the_sheet_is_the_one_of_lowest_priority_number() -> None:
    rows = rows_of(report((company(1, offers=OFFERS),)), "Offres")
    assert [row["Administration"] for row in rows] == ["Urssaf", "DREETS", "CODEFI"]
    assert [row["Premier contact"] for row in rows] == ["Oui", "Non", "Non"]


@pytest.mark.parametrize("prefix", ["=", "+", "-", "@", "\t", "\r", "https://exemple.test/", "{=", "=HYPERLINK("])
def test_no_text_ever_becomes_a_formula_or_a_link(prefix: str) -> None:
    """CWE-1236: xlsxwriter turns « = » into a formula by default; a company may be named « +33 SERVICES »."""
    payload = f'{prefix}1+1|cmd" /C calc"!A0'
    hostile = company(
        1, denomination=payload, libelle_commune=payload, naf_libelle=payload, tranche_effectif=payload,
        reasons=(Reason(theme=payload, phrase=payload, contribution=1, sens="aggravant"),),
    )  # fmt: skip
    sample = report((hostile,), model_id=payload, missing_sources=(payload,))
    for name, content in parts_of(sample).items():
        assert not re.search(r"<f[ >]|<hyperlink|TargetMode=.External", content), name
    assert rows_of(sample, "Raisons")[0]["Raison"] == payload


def test_the_bytes_are_the_same_twice_and_the_metadata_carry_the_month_not_today() -> None:
    assert xlsx.render(report()) == xlsx.render(report())
    core = parts_of(report())["docProps/core.xml"]
    assert set(re.findall(r">(\d{4}-\d\d-\d\dT[^<]+)<", core)) == {"2025-12-01T00:00:00Z"}
    with zipfile.ZipFile(BytesIO(xlsx.render(report()))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_each_sheet_has_a_filter_and_a_frozen_header() -> None:
    sheets = {name: text for name, text in parts_of(report()).items() if name.startswith("xl/worksheets/sheet")}
    assert len(sheets) == len(SHEETS)
    assert all("<autoFilter" in text and 'state="frozen"' in text for text in sheets.values())


def test_the_name_of_a_natural_person_is_in_no_part_of_the_workbook() -> None:
    sample = report((company(1, denomination="PRENOM INVENTE NOM INVENTE", categorie_juridique="1000"),))
    assert not any("NOM INVENTE" in text for text in parts_of(sample).values())
    assert rows_of(sample, "Entreprises")[0]["Raison sociale"] == NATURAL_PERSON


def test_an_empty_month_gives_a_workbook_with_headers_and_parameters() -> None:
    sample = department_report()
    assert rows_of(sample, "Entreprises") == []
    parameters = {row["Paramètre"]: row["Valeur"] for row in rows_of(sample, "Paramètres")}
    assert parameters["Territoire"] == "Côte-d’Or (21)"


@pytest.mark.parametrize("simulation", [True, False])
def test_the_parameters_say_whether_it_is_a_simulation(simulation: bool) -> None:
    nature = rows_of(report(simulation=simulation), "Paramètres")[0]["Valeur"]
    assert str(nature).startswith("SIMULATION") is simulation


def test_an_unknown_value_is_an_empty_cell_and_a_known_zero_is_a_zero() -> None:
    rows = rows_of(report((company(1, dette_eur=None), company(2, dette_eur=0.0))), "Entreprises")
    assert [row["Dette sociale"] for row in rows] == [None, 0.0]


def test_a_text_too_long_for_a_cell_is_cut_and_says_so() -> None:
    """xlsxwriter drops such a text without a word: the cell would be empty."""
    rows = rows_of(report((company(1, denomination="N" * 40_000),)), "Entreprises")
    name = str(rows[0]["Raison sociale"])
    assert len(name) == xlsx.EXCEL_TEXT_LIMIT
    assert name.endswith("N…")


def test_the_month_of_the_list_is_the_month_of_the_report() -> None:
    value = rows_of(report(), "Entreprises")[0]["Liste de détection"]
    assert as_day(value) == MONTH
