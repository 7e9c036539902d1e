"""The samples of the existing service, from the file to `compat_sfor`. Where it has a known defect (`reference/sources.md`,
section 2.3), the right value is expected here and the test says which."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dbt_warehouse import Warehouse

from expectations.contract import load_contracts
from ingestion.ingest import ingest_file

SAMPLES = {
    "urssaf__cotisation": "cotisation/cotisationTestData.csv",
    "urssaf__debit": "debit/debitTestData.csv",
    "urssaf__delai": "delai/delaiTestData.csv",
    "urssaf__effectif": "effectif/e2e_current/effectifTestData.csv",
    "urssaf__effectif_ent": "effectif_ent/e2e_current/effectifEntTestData.csv",
    "urssaf__procol": "procol/procolTestData.csv",
    "dgefp__demande_ap": "apdemande/e2e_current/apdemandeTestData.csv",
    "dgefp__consommation_ap": "apconso/e2e_current/apconsoTestData.csv",
    "insee__etablissement": "sirene/sireneTestData.csv",
    "insee__unite_legale": "sirene_ul/sireneULTestData.csv",
    "insee__etablissement_historique": "sirene_histo/sireneHistoTestData.csv",
}


@pytest.fixture(scope="module")
def formats(compat: Warehouse, shared_data: Path) -> Path:
    """The samples, loaded as they come; returns their folder."""
    folder, contracts = shared_data / "formats", load_contracts()
    compat.execute("select setval(pg_get_serial_sequence('ingest.delivery', 'delivery_id'), 100)")
    for source, sample in SAMPLES.items():
        account = ingest_file(
            compat.url, folder / sample, received_on=date(2026, 1, 15), contracts=contracts, identity="format"
        )
        assert (account.source, account.status) == (source, "loaded")
    return folder


def golden(formats: Path, name: str) -> list[dict[str, str]]:
    """Rows of an expected file of the whole import (its first line is a title)."""
    lines = (formats / "expected_e2e" / f"test-import.{name}.golden.txt").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines[1:] if line))


def rows(compat: Warehouse, view: str, columns: str, expected: list[Any]) -> list[tuple[Any, ...]]:
    """Lines of the companies of the sample, in order."""
    key = "siret" if len(expected[0][0]) == 14 else "siren"
    keys = ", ".join(f"'{item[0]}'" for item in expected)
    return compat.query(f"select {columns} from compat_sfor.{view} where {key} in ({keys}) order by {columns}")


def test_contributions(compat: Warehouse, formats: Path) -> None:
    expected = sorted(
        (row["siret"], date.fromisoformat(row["période_début"]), Decimal(row["du"])) for row in golden(formats, "cotisation")
    )
    assert rows(compat, "clean_cotisation", "siret, periode, du", expected) == expected


def test_debts_and_the_defect_that_a_period_was_not_validated(compat: Warehouse, formats: Path) -> None:
    """The third line has the period 199904 (quarter 0, month 4), which is none: it is in quarantine, not in January 1999."""
    expected = sorted(
        (
            row["siret"], date.fromisoformat(row["période_prise_en_compte"]),
            Decimal(row["part_ouvrière"]), Decimal(row["part_patronale"]), True,
        )
        for row in golden(formats, "debit")
        if row["siret"] != "2" * 14
    )  # fmt: skip
    columns = "siret, periode, part_ouvriere, part_patronale, is_last"
    assert len(expected) == 2
    assert rows(compat, "clean_debit", columns, expected) == expected
    assert compat.query(f"select * from compat_sfor.clean_debit where siret = '{'2' * 14}'") == []


def test_payment_plans(compat: Warehouse, formats: Path) -> None:
    expected = sorted(
        (
            row["siret"], date.fromisoformat(row["date_création"]), date.fromisoformat(row["date_échéance"]),
            int(row["durée_délai"]), Decimal(row["montant_échéancier"]), row["stade"], row["action"],
        )
        for row in golden(formats, "delai")
    )  # fmt: skip
    columns = "siret, date_creation, date_echeance, duree_delai, montant_echeancier, stade, action"
    assert rows(compat, "clean_delai", columns, expected) == expected


@pytest.mark.parametrize(
    ("name", "view", "key", "value", "latest"),
    [
        ("effectif", "clean_effectif", "siret", "effectif", "siret"),
        ("effectif_ent", "clean_effectif_ent", "siren", "effectif_ent", "siren"),
    ],
)
def test_headcounts(compat: Warehouse, formats: Path, name: str, view: str, key: str, value: str, latest: str) -> None:
    lines = golden(formats, name)
    number = "effectif" if name == "effectif" else "effectif_entreprise"
    last = {row[key]: row["période"] for row in sorted(lines, key=lambda row: row["période"])}
    expected = sorted(
        (row[key], date.fromisoformat(row["période"]), int(row[number]), row["période"] == last[row[key]]) for row in lines
    )
    assert len(expected) == len({item[:2] for item in expected}), "one account for each establishment in this sample"
    assert rows(compat, view, f"{key}, periode, {value}, is_latest", expected) == expected


def test_the_closure_of_an_account_is_no_procedure(compat: Warehouse, formats: Path) -> None:
    """All three lines of the sample are `solde_procedure`."""
    sirens = [row["siret"][:9] for row in golden(formats, "procol")]
    assert len(sirens) == 3
    assert compat.query(f"select * from compat_sfor.clean_procol where siren = any(array{sirens})") == []


def test_partial_activity_and_the_defect_of_hours_counted_in_each_month(compat: Warehouse, formats: Path) -> None:
    """42,078.52 h from 9 August to 9 September gave 277 ETP in each month; they are 199.4 and 78.0 (23 days and 9 of 32).

    And the consumption of 2020-12-30 belongs to December, on its first day.
    """
    requests = golden(formats, "apdemande")
    for row in requests:
        start, end = date.fromisoformat(row["période_début"]), date.fromisoformat(row["période_fin"])
        days = (end - start).days + 1
        in_first = (end.replace(day=1) - start).days
        total = float(row["heures_autorisées"]) / 151.67
        shown = compat.query(
            f"select periode, etp_autorise from compat_sfor.clean_ap where siret = '{row['siret']}' and etp_autorise > 0 order by 1"
        )
        first, second = total * in_first / days, total * (days - in_first) / days
        months = [(start.replace(day=1), first), (end.replace(day=1), second)] if in_first > 0 else [(start.replace(day=1), total)]
        assert [month for month, _ in shown] == [month for month, _ in months]
        assert [etp for _, etp in shown] == pytest.approx([etp for _, etp in months])
    for row in golden(formats, "apconso"):
        month = date.fromisoformat(row["Periode"]).replace(day=1)
        ((etp,),) = compat.query(
            f"select etp_consomme from compat_sfor.clean_ap where siret = '{row['Siret']}' and periode = '{month}'"
        )
        assert etp == pytest.approx(float(row["HeureConsommee"]) / 151.67)


def test_establishments_and_the_defects_of_their_address_and_coordinates(compat: Warehouse, formats: Path) -> None:
    """Each address ended its first line with « () »; a line refused for its coordinates was loaded all the
    same, at 0,0. The establishment whose activity is
    in another nomenclature was dropped at the import: here it has no section, and the front end leaves it out by itself."""
    columns = "siret, siege, departement, ape, date_creation, longitude, latitude, est_actif, code_commune, adresse"
    expected = []
    for row in golden(formats, "sirene"):
        street = " ".join(filter(None, (row["numéro_voie"], row["type_voie"], row["voie"])))
        if (row["longitude"], row["latitude"]) == ("0", "0"):
            continue
        expected.append(
            (
                row["siren"] + row["nic"], row["siege"] == "true", row["département"], row["ape"],
                date.fromisoformat(row["création"]) if row["création"] else None,
                float(row["longitude"]), float(row["latitude"]),
                row["est_actif"] == "true", row["code_commune"], f"{street}\n{row['code_postal']} {row['commune']}",
            )
        )  # fmt: skip
    assert len(expected) == 3
    assert rows(compat, "clean_sirene", columns, expected) == sorted(expected)
    assert compat.query("select * from compat_sfor.clean_sirene where siret = '23232323400001'") == []
    assert rows(compat, "clean_sirene", "siret, ape, naf_section", [("12121212300001",)]) == [("12121212300001", None, None)]


def test_companies_and_the_sole_traders_among_them(compat: Warehouse, formats: Path) -> None:
    expected = []
    for row in golden(formats, "sirene_ul"):
        sole_trader = f"{row['NomUniteLegale']} {row['Prenom1UniteLegale']} EI"
        expected.append(
            (
                row["Siren"], row["RaisonSociale"] or sole_trader, row["CodeStatutJuridique"], row["APE"],
                date.fromisoformat(row["Creation"]) if row["Creation"] else None, row["EstActif"] == "true",
            )
        )  # fmt: skip
    columns = "siren, raison_sociale, categorie_juridique, activite_principale, creation, est_actif"
    assert rows(compat, "clean_sirene_ul", columns, expected) == sorted(expected)


def test_states_of_establishments(compat: Warehouse, formats: Path) -> None:
    assert compat.query("select * from compat_sfor.clean_sirene_histo where siret like '000325175%' order by 1, 2") == [
        ("00032517500016", date(2000, 9, 26), date(2009, 5, 26), True),
        ("00032517500016", date(2009, 5, 27), None, False),
        ("00032517500024", date(2011, 10, 21), None, False),
    ]
