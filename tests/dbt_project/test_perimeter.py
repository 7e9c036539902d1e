"""The perimeter is data: who is in, why, under which version; a change of rules makes nobody new."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from dbt_warehouse import Warehouse

BIG, SMALL, PUBLIC, BANK, BANK_2025, FOREIGN, SHRUNK = (f"00000003{i}" for i in range(7))
HEADCOUNT = {BIG: 40, SMALL: 12, PUBLIC: 40, BANK: 40, BANK_2025: 40, FOREIGN: 40, SHRUNK: 4}
FIRST, LAST = "2020-01-01", "2020-06-01"
MONTHS = [date(2017 + m // 12, m % 12 + 1, 1) for m in range(42)]


def _identity(siren: str) -> tuple[dict[str, Any], dict[str, Any]]:
    naf = {BANK: "64.19Z", BANK_2025: None}.get(siren, "25.11Z")
    establishment = {
        "siren": siren, "nic": "00001", "siret": f"{siren}00001", "est_siege": True, "etat_administratif": "A",
        "date_creation": "2010-01-01", "departement": None if siren == FOREIGN else "21",
        "code_pays_etranger": "99109" if siren == FOREIGN else None, "known": "2010-01-31",
    }  # fmt: skip
    company = {
        "siren": siren, "denomination": "X", "categorie_juridique": "7210" if siren == PUBLIC else "5499",
        "activite_principale": naf, "nomenclature_activite": naf and "NAFRev2", "etat_administratif": "A",
        "activite_principale_naf25": "64.19Y" if siren == BANK_2025 else None, "date_creation": "2010-01-01",
        "known": "2010-01-31",
    }  # fmt: skip
    return establishment, company


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    identities = [_identity(siren) for siren in HEADCOUNT]
    warehouse.write("insee__etablissement", [e for e, _ in identities])
    warehouse.write("insee__unite_legale", [c for _, c in identities])
    warehouse.write(
        "urssaf__effectif_ent",
        [
            {"siren": siren, "periode": month, "effectif": effectif, "known": month + timedelta(days=20)}
            for siren, effectif in HEADCOUNT.items()
            for month in MONTHS
            if siren != SHRUNK or month > date(2018, 3, 1)
        ]
        + [{"siren": SHRUNK, "periode": date(2018, 3, 1), "effectif": 15, "known": date(2018, 3, 20)}],
    )
    # April 2020: twenty employees instead of ten, banks come in, whatever their nomenclature.
    warehouse.execute(
        "insert into reference.perimetre values ('2020-04', '2020-04-01', 20, 12, true, 'Vingt salariés');"
        "insert into reference.perimetre_exclusion select '2020-04', nature, code, motif, libelle"
        " from reference.perimetre_exclusion where motif <> 'naf_finance'"
    )
    warehouse.features(FIRST, LAST)
    return warehouse


def _reasons(built: Warehouse, month: str) -> dict[str, tuple[str, str, date]]:
    rows = built.query(
        "select siren, version_perimetre, motif, effectif_atteint_le from marts.mart_perimetre where month = '%s'" % month
    )
    return {siren: tuple(rest) for siren, *rest in rows}  # type: ignore[misc]


def test_each_company_is_in_or_out_for_a_reason(built: Warehouse) -> None:
    assert _reasons(built, "2020-03-01") == {
        BIG: ("2026-03", "effectif_atteint", date(2020, 3, 1)),
        SMALL: ("2026-03", "effectif_atteint", date(2020, 3, 1)),
        PUBLIC: ("2026-03", "categorie_juridique_publique", date(2020, 3, 1)),
        BANK: ("2026-03", "naf_finance", date(2020, 3, 1)),
        BANK_2025: ("2026-03", "naf_finance", date(2020, 3, 1)),
        FOREIGN: ("2026-03", "siege_a_l_etranger", date(2020, 3, 1)),
        # Four employees today, fifteen two years ago: inside the window of 36 months.
        SHRUNK: ("2026-03", "effectif_atteint", date(2018, 3, 1)),
    }


def test_a_version_applies_from_its_first_month(built: Warehouse) -> None:
    """Fewer employees, a shorter window and other exclusions: April obeys the new rules, March keeps the old ones."""
    followed = {
        month: sorted(siren for (siren,) in built.query(f"select siren from marts.mart_company_month where month = '{month}'"))
        for month in ("2020-03-01", "2020-04-01")
    }
    assert followed == {"2020-03-01": [BIG, SMALL, SHRUNK], "2020-04-01": [BIG, BANK, BANK_2025]}
    assert {version for version, *_ in _reasons(built, "2020-04-01").values()} == {"2020-04"}


def test_the_mart_holds_exactly_the_companies_that_are_in(built: Warehouse) -> None:
    difference = built.query(
        "(select siren, month, version_perimetre from marts.mart_company_month"
        " except select siren, month, version_perimetre from marts.mart_perimetre where est_inclus) union all"
        " (select siren, month, version_perimetre from marts.mart_perimetre where est_inclus"
        " except select siren, month, version_perimetre from marts.mart_company_month)"
    )
    assert difference == []


def test_a_change_of_perimeter_makes_nobody_new(built: Warehouse) -> None:
    """Banks come in on the day of the change, in alert at once: they enter, they are not detected. Nor are they in May."""
    built.execute(
        "insert into ml.model values ('m', 0.6, 0.35);"
        "insert into ml.run_month select distinct month, 'm' from marts.mart_company_month where month >= '2020-02-01';"
        "insert into ml.score select siren, month, 'm', 0.5, 0.7, 0.8, 0 from marts.mart_company_month where a_risque;"
        "insert into ml.explanation select siren, month, 'm', 1, 'Effectif', 'effectif', 1, 0.5, 'aggravant', 'Phrase.'"
        " from ml.score"
    )
    built.publication("2020-02-01", "2020-05-01")
    rows = built.query("select month, siren, motif_nouveaute, est_nouvelle_detection from publication.candidate_detection")
    assert not any(new for *_, new in rows)
    entered = {(month, siren) for month, siren, reason, _ in rows if reason == "entree_perimetre"}
    assert entered == {(date(2020, 4, 1), BANK), (date(2020, 4, 1), BANK_2025)}
