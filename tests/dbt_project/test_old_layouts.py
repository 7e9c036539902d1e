"""From files of other layouts to the models that use them: accounts without SIRET, corrected notices of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dbt_warehouse import Warehouse, new_warehouse

from expectations.contract import load_contracts
from ingestion.ingest import ingest_file

A, B = "012345674", "023456783"
CONTRIBUTIONS = "Urssaf_gestion;Dep;Compte;periode;mer;enc_direct;cotis_due\n"
PAGE_OF_THE_2ND, PAGE_OF_THE_3RD = "bodacc_2026-02-02.json", "bodacc_2026-02-03.json"


def notice(number: int, siren: str, nature: str, **more: Any) -> dict[str, Any]:
    """A record of the API: identifier, registry in two spellings, judgment as JSON in a string."""
    judgment = {"type": "initial", "famille": "Jugement d'ouverture", "nature": nature, "date": "2026-01-27"}
    judgment |= more.pop("judgment", {})
    spaced = f"{siren[:3]} {siren[3:6]} {siren[6:]}"
    return {
        "id": f"A20260022{number}", "dateparution": "2026-02-02", "familleavis": "collective", "registre": [siren, spaced],
        "jugement": json.dumps(judgment), "parutionavisprecedent": None, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def built(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("old_layouts")
    opening = "Jugement d'ouverture de liquidation judiciaire"
    other = "Jugement d'ouverture d'une procédure de redressement judiciaire"

    def previous(number: int) -> dict[str, Any]:
        link = json.dumps({"dateParution": "2026-02-02", "numeroAnnonce": str(number)})
        return {"dateparution": "2026-02-03", "parutionavisprecedent": link}

    files = {
        "sigfaible_cotisdues.csv": CONTRIBUTIONS
        + "".join(f"117;21;{compte};{period};0;0;100\n" for compte in ("K1", "K2") for period in ("1911", "1921")),
        "sigfaible_etablissement_utf8.csv": "Urssaf_gestion;Dep;Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret\n"
        f"117;21;K1;3;{A};{A}00019;1150101;1190331\n117;21;K1;1;{B};{B}00010;1190401;\n"
        # Nobody wrote the company: the SIRET says it.
        f"117;21;K3;1;;{A}00019;1150101;\n",
        PAGE_OF_THE_2ND: json.dumps([notice(71, A, opening), notice(72, B, opening)]),
        PAGE_OF_THE_3RD: json.dumps([
            notice(11, A, other, typeavis_lib="Avis rectificatif", **previous(71)),
            notice(12, B, opening, judgment={"type": "annule"}, **previous(72)),
        ]),
    }  # fmt: skip
    with new_warehouse(server_url, folder / "dbt") as warehouse:
        warehouse.execute("delete from ingest.delivery")
        for name, text in files.items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            received = date(2026, 2, 3) if name == PAGE_OF_THE_3RD else date(2026, 2, 2)
            account = ingest_file(warehouse.url, path, received_on=received, contracts=load_contracts())
            assert (account.status, account.rejected) == ("loaded", 0), account
        result = warehouse.dbt("run", "--select", "+int_compte__siren", "stg_urssaf__cotisation", "+int_procedure__evenement")
        assert result.success, result.exception
        yield warehouse


def test_a_contribution_belongs_to_the_company_that_had_its_account_in_its_period(built: Warehouse) -> None:
    """The closing date alone used to choose: a debt of March went to the company that came in April."""
    rows = built.query(
        """
        select account.siren, line.periode_debut
        from staging.stg_urssaf__cotisation as line
        inner join intermediate.int_compte__siren as account
            on line.compte = account.compte
            and line.periode_debut >= account.periode_from and line.periode_debut < account.periode_to
        where line.siret is null
        order by 2
        """
    )
    assert rows == [(A, date(2019, 1, 1)), (B, date(2019, 4, 1))]


def test_an_account_without_its_company_is_that_of_its_establishment(built: Warehouse) -> None:
    """The SIREN is optional, the SIRET is not: without it, contributions and debts of the account were counted nowhere."""
    assert built.query("select siren, siret from intermediate.int_compte__siren where compte = 'K3'") == [(A, f"{A}00019")]


def test_lines_of_an_account_that_nobody_knows_are_kept_and_told(built: Warehouse) -> None:
    """They were counted as filtered, without a word."""
    assert built.query("select count(*) from staging.stg_urssaf__cotisation where compte = 'K2'") == [(2,)]
    result = built.dbt("test", "--select", "test_name:account_is_known,stg_urssaf__cotisation", first="2019-01-01")
    assert [(item.status, item.failures) for item in result.result] == [("warn", 1)]


def test_a_rectificatif_replaces_the_notice_of_the_api_and_an_annulation_removes_it(built: Warehouse) -> None:
    rows = built.query(
        "select siren, severite, known_from, nullif(known_to, 'infinity') from intermediate.int_procedure__evenement "
        "order by siren, known_from"
    )
    second, third = date(2026, 2, 2), date(2026, 2, 3)
    assert rows == [(A, 3, second, third), (A, 2, third, None), (B, 3, second, third)]
