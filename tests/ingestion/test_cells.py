"""Cell by cell: what is read, exactly, and what is not guessed."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from stdnum.fr import siren as stdnum_siren
from stdnum.fr import siret as stdnum_siret

from expectations.contract import load_contracts
from ingestion import cells, identity
from ingestion.ingest import recognise


def one(parsed: pl.Series) -> Any:
    return parsed[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("012", 12), ("559.0", 559), ("-5", -5), ("1 234", 1234), ("1\u202f234", 1234), ("0", 0),
     ("1.000", None), ("12,000", None), ("0.000", 0), ("1000.000", 1000), ("12.5", None),
     ("12,5", None), ("1e3", None), ("+5", None), ("", None), ("N/A", None), ("3000000000", None), ("1 2", None)],
)  # fmt: skip
def test_integers(text: str, value: Any) -> None:
    assert one(cells.parse_integers(pl.Series([text]))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("12,5", "12.5"), ("-12.50", "-12.50"), ("7", "7"), ("1e3", None), ("nan", None), ("inf", None), ("1.2.3", None),
     ("1234567890123456", None), ("999999999999999.999", "999999999999999.999"),
     ("1 234,5", "1234.5"), ("-1\u00a0234\u202f567.89", "-1234567.89"), ("12 34,5", None),
     ("1234 567", None), ("1 234 567 890 123 456", None), ("1,234", None), ("12.345", "12.345"), ("0,125", "0.125"),
     ("1234,567", "1234.567"), ("1.234,56", None), ("1.23", "1.23")],
)  # fmt: skip
def test_amounts(text: str, value: Any) -> None:
    """A thousand and some euros written « 1,234 » were loaded as 1.23."""
    assert one(cells.parse_decimals(pl.Series([text]), 2)) == value


def test_a_number_that_the_server_cannot_store_is_not_read() -> None:
    """A ratio of seventeen thousand decimals, or an amount that rounding made too long, failed the whole load."""
    assert one(cells.parse_decimals(pl.Series(["0." + "1" * 17_000]), None)) is None
    assert one(cells.parse_decimals(pl.Series(["9999999999999999.999"]), 2)) is None


def test_a_ratio_written_by_a_program_may_have_an_exponent() -> None:
    assert one(cells.parse_decimals(pl.Series(["1.5e-05"]), None)) == "1.5e-05"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("195907", 195907),
        ("-3", -3),
        ("3.0", 3),
        ("195 907", 195907),
        ("1.000", None),
        ("3.5", None),
        ("12,5a", None),
        ("+3", None),
        ("1" * 19, None),
    ],
)
def test_cents(text: str, value: Any) -> None:
    assert one(cells.parse_centimes(pl.Series([text]))) == value


@pytest.mark.parametrize(
    ("text", "formats", "value"),
    [
        ("990612", ("urssaf",), date(1999, 6, 12)),
        ("1160318", ("urssaf",), date(2016, 3, 18)),
        ("1161318", ("urssaf",), None),
        ("20160318", ("urssaf",), None),
        ("2012-02-11", ("iso",), date(2012, 2, 11)),
        ("2012-02-11 00:00:00", ("iso",), date(2012, 2, 11)),
        ("2012-02-30", ("iso",), None),
        ("2012-2-1", ("iso",), None),
        ("11/02/2012", ("iso", "jj/mm/aaaa"), date(2012, 2, 11)),
        ("11/02/12", ("iso", "jj/mm/aaaa", "jj/mm/aa"), date(2012, 2, 11)),
        ("11/02/12", ("iso", "jj/mm/aaaa"), None),
        ("01/15/2019", ("jj/mm/aaaa",), None),
        ("26MAY2014", ("jjmmmaaaa",), date(2014, 5, 26)),
        ("26may2014", ("jjmmmaaaa",), date(2014, 5, 26)),
        ("31déc2012", ("jjmmmaaaa",), date(2012, 12, 31)),
        ("01févr2012", ("jjmmmaaaa",), date(2012, 2, 1)),
        ("15août2012", ("jjmmmaaaa",), date(2012, 8, 15)),
        ("1er juillet 2010", ("jjmmmaaaa",), date(2010, 7, 1)),
        ("1ERMAI2010", ("jjmmmaaaa",), date(2010, 5, 1)),
        ("2er mai 2010", ("jjmmmaaaa",), None),
        ("31FEB2012", ("jjmmmaaaa",), None),
        ("31XYZ2012", ("jjmmmaaaa",), None),
    ],
)
def test_dates(text: str, formats: Path, value: Any) -> None:
    assert one(cells.parse_dates(pl.Series([text]), formats)) == value


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("201631", date(2016, 7, 1), date(2016, 8, 1)),
        ("201712", date(2017, 2, 1), date(2017, 3, 1)),
        ("201743", date(2017, 12, 1), date(2018, 1, 1)),
        ("1810", date(2018, 1, 1), date(2018, 4, 1)),
        ("1840", date(2018, 10, 1), date(2019, 1, 1)),
        ("1862", date(2018, 1, 1), date(2019, 1, 1)),
        ("9962", date(1999, 1, 1), date(2000, 1, 1)),
        ("0232", date(2002, 8, 1), date(2002, 9, 1)),
    ],
)
def test_periods(text: str, start: Any, end: Any) -> None:
    assert cells.parse_periode(text) == (start, end)


@pytest.mark.parametrize(
    "text", ["201750", "201761", "201719", "201704", "1700", "1863", "201", "20171", "١٢٣٤", "300011"]
)
def test_what_is_not_a_period(text: str) -> None:
    assert cells.parse_periode(text) is None


@pytest.mark.parametrize(
    ("label", "action", "stage"),
    [
        ("Solde_procedure_redressement", "redressement", "solde_procedure"),
        ("liquidation_ouverture", "liquidation", "ouverture"),
        ("OUVERTURE_SAUVEGARDE", "sauvegarde", "ouverture"),
        ("redressement", "redressement", None),
        ("autre_chose", None, None),
    ],
)
def test_labels_of_procedures(label: str, action: Any, stage: Any) -> None:
    assert cells.split_procol(label) == (action, stage)


def test_luhn_keys_agree_with_the_reference_library_la_poste_included() -> None:
    generator = random.Random(20260115)
    sirets = [f"{generator.randrange(10**14):014d}" for _ in range(20_000)]
    sirets += [f"356000000{generator.randrange(10**5):05d}" for _ in range(2_000)]
    sirets += ["35600000000048", "0" * 14]
    assert identity.valid_siret(pl.Series(sirets)).to_list() == [stdnum_siret.is_valid(s) for s in sirets]
    sirens = [s[:9] for s in sirets]
    assert identity.valid_siren(pl.Series(sirens)).to_list() == [stdnum_siren.is_valid(s) for s in sirens]
    assert sum(map(stdnum_siret.is_valid, sirets)) > 400


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("Sigfaible_cotisdues.csv", "urssaf__cotisation"),
        ("sigfaibles_debits.csv.gz", "urssaf__debit"),
        ("sigfaible_etablissement_utf8.csv", "urssaf__compte"),
        ("sigfaible_pcoll.csv", "urssaf__procol"),
        ("sigfaible_effectif_siret.csv", "urssaf__effectif"),
        ("sigfaible_effectif_siren.csv", "urssaf__effectif_ent"),
        ("effectifTestData.csv", "urssaf__effectif"),
        ("effectifEntTestDataShort.csv", "urssaf__effectif_ent"),
        ("StockEtablissement_utf8_geo.csv.gz", "insee__etablissement"),
        ("StockEtablissementHistorique_utf8.zip", "insee__etablissement_historique"),
        ("StockEtablissementLiensSuccession_utf8.zip", None),
        ("StockUniteLegale_utf8.csv", "insee__unite_legale"),
        ("sireneUL.csv", "insee__unite_legale"),
        ("demande_ap.csv", "dgefp__demande_ap"),
        ("consommation_ap.csv", "dgefp__consommation_ap"),
        ("E_202001011234_Retro-Paydex_20200101.csv", "altares__paydex"),
        ("ratios_inpi_bce.csv", "inpi__ratio"),
        ("expectedProcol.docx", None),
        ("bodacc_2026_09.json", "bodacc__annonce"),
        ("demande_ap.xlsx", "dgefp__demande_ap"),
        ("ratios_inpi_bce.parquet", "inpi__ratio"),
        ("annonces-commerciales.csv", "bodacc__annonce"),
        ("Ellisphère-Tête de groupe-2026.xlsx", "ellisphere__groupe"),
        ("Ellisphe\u0300re-Te\u0302te de groupe-2026.xlsx", "ellisphere__groupe"),
        ("notes.txt", None),
        ("SIMULATION.txt", None),
        ("debits", None),
    ],
)
def test_file_names_are_recognised_by_one_contract_at_most(tmp_path: Path, name: str, source: str) -> None:
    contracts = load_contracts()
    found = recognise(tmp_path / name, contracts)
    assert (found.name if found else None) == source
    assert sum(contract.recognises(name) for contract in contracts.values()) <= 1
