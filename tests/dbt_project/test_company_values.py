"""A few companies written by hand, and what the mart must say of them, month by month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from dbt_warehouse import Warehouse
from psycopg.errors import CheckViolation, NotNullViolation, UniqueViolation

A, B, C, D, E, F, G = (f"00000000{i}" for i in range(1, 8))
FIRST, LAST = "2020-01-01", "2020-12-01"


def _siret(siren: str, nic: int = 1) -> str:
    return f"{siren}{nic:05d}"


def _identity(siren: str, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    establishment = {
        "siren": siren, "nic": "00001", "siret": _siret(siren), "est_siege": True, "etat_administratif": "A",
        "date_creation": "2010-01-01", "departement": "21", "code_commune": "21231", "libelle_commune": "DIJON",
        "activite_principale": "25.11Z", "nomenclature_activite": "NAFRev2", "known": "2010-01-31",
    }  # fmt: skip
    company = {
        "siren": siren, "denomination": f"SOCIETE {siren[-1]}", "categorie_juridique": "5499", "nic_siege": "00001",
        "activite_principale": "25.11Z", "nomenclature_activite": "NAFRev2", "date_creation": "2010-01-01",
        "etat_administratif": "A", "known": "2010-01-31",
    }  # fmt: skip
    for row in (establishment, company):
        row.update({k: v for k, v in changes.items() if k in row})
    return establishment, company


def _debit(compte: str, siren: str, history: int, treated: str, po: int, pp: int, known: Any) -> dict[str, Any]:
    return {
        "siret": _siret(siren), "siren": siren, "compte": compte, "periode_debut": "2019-12-01", "periode_fin": "2020-01-01",
        "numero_ecart_negatif": "101", "numero_historique": history, "date_traitement": treated,
        "part_ouvriere_eur": po, "part_patronale_eur": pp, "known": known,
    }  # fmt: skip


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    identities = [
        _identity(A), _identity(B), _identity(C), _identity(D),
        _identity(E, categorie_juridique="7210"),
        _identity(F, categorie_juridique="1000", denomination=None),
        _identity(G, activite_principale="64.19Z"),
    ]  # fmt: skip
    warehouse.write("insee__etablissement", [e for e, _ in identities])
    warehouse.write("insee__unite_legale", [c for _, c in identities])
    warehouse.write(
        "urssaf__effectif_ent",
        [
            {"siren": siren, "periode": f"{year}-{month:02d}-01", "effectif": 20, "known": f"{year}-{month:02d}-20"}
            for siren in (A, B, C, E, F, G)
            for year in (2019, 2020)
            for month in range(1, 13)
        ]
        + [{"siren": D, "periode": "2016-11-01", "effectif": 12, "known": "2017-03-01"}],
    )
    warehouse.write(
        "urssaf__cotisation",
        [
            {
                "siret": _siret(A), "compte": "A1", "periode_debut": "2019-01-01", "periode_fin": "2020-01-01",
                "mise_en_recouvrement": "0", "cotisation_due_eur": 12000, "known": "2020-01-12",
            }
        ]
        + [
            {
                "siret": _siret(B), "compte": "B1", "periode_debut": f"2019-{month:02d}-01", "periode_fin": after,
                "mise_en_recouvrement": "0", "cotisation_due_eur": due, "known": "2020-01-12",
            }
            for month, after, due in (
                (1, "2019-04-01", 40), (4, "2019-07-01", 40), (7, "2019-10-01", 40), (10, "2020-01-01", Decimal("0.06"))
            )
        ],
    )  # fmt: skip
    warehouse.write(
        "urssaf__debit",
        [
            _debit("A1", A, 1, "2020-01-15", 100, 200, "2020-01-26"),
            _debit("A1", A, 2, "2020-02-25", 0, 0, "2020-03-07"),
            _debit("A2", A, 1, "2020-01-15", 400, 800, "2020-01-26"),
            # B: a wrong amount, corrected in April; March is not to know it.
            _debit("B1", B, 1, "2020-01-15", 0, 5000, ("2020-01-26", "2020-04-22")),
            _debit("B1", B, 1, "2020-01-15", 0, 50, "2020-04-22"),
            # News of the source in June, then silence.
            _debit("C1", C, 1, "2020-06-05", 0, 10, "2020-06-16"),
        ],
    )
    warehouse.write(
        "urssaf__delai",
        [
            {
                "siret": _siret(B), "compte": "B1", "numero_structure": "1", "date_creation": "2020-02-01",
                "date_echeance": "2020-05-11", "duree_jours": 100, "montant_echeancier_eur": 1000, "stade": "APPROB",
                "action": "SUR PO", "known": "2020-02-12",
            }
        ]
        # F: two délais, of which one does not say its amount.
        + [
            {
                "siret": _siret(F), "compte": "F1", "numero_structure": structure, "date_creation": "2020-02-01",
                "date_echeance": ends, "montant_echeancier_eur": amount, "stade": "APPROB", "action": "SUR PO",
                "known": "2020-02-12",
            }
            for structure, ends, amount in (("1", "2020-05-11", 1000), ("2", "2021-06-01", None))
        ],
    )  # fmt: skip
    warehouse.write(
        "bodacc__annonce",
        [
            {
                "date_parution": "2020-05-20", "numero_annonce": "7", "type_annonce": "Avis initial", "siren": C,
                "jugement_type": "initial", "jugement_famille": "Jugement d'ouverture",
                "jugement_nature": "Jugement d'ouverture d'une procédure de redressement judiciaire",
                "jugement_date": "2020-04-28", "known": "2020-05-20",
            }
        ],
    )  # fmt: skip
    warehouse.features(FIRST, LAST)
    return warehouse


def _cells(built: Warehouse, siren: str, *columns: str) -> dict[date, Any]:
    rows = built.query(f"select month, {', '.join(columns)} from marts.mart_company_month where siren = '{siren}'")
    return {month: values[0] if len(values) == 1 else tuple(values) for month, *values in rows}


def test_two_accounts_with_the_same_period_and_number_are_two_debts(built: Warehouse) -> None:
    """The existing service merges them: 300 then 0 instead of 1,500 then 1,200."""
    debt = _cells(built, A, "dette_eur")
    assert [debt[date(2020, m, 1)] for m in (1, 2, 3)] == [Decimal("1500.00"), Decimal("1500.00"), Decimal("1200.00")]


def test_debt_is_counted_in_months_of_contribution_spread_over_the_year(built: Warehouse) -> None:
    """A yearly contribution booked on its first month makes the mean of the next months wrong."""
    assert _cells(built, A, "cotisation_moyenne_12m_eur", "dette_sur_cotisation")[date(2020, 1, 1)] == (
        Decimal("1000.00"),
        1.5,
    )


def test_the_mean_contribution_of_quarters_loses_no_cent(built: Warehouse) -> None:
    """120.06 euros over twelve months are 10.005 each, hence 10.01: a third of 40 euros, rounded, counted three times, made it 10.00."""
    assert _cells(built, B, "cotisation_moyenne_12m_eur")[date(2020, 1, 1)] == Decimal("10.01")


def test_a_correction_changes_the_months_after_it_only(built: Warehouse) -> None:
    debt = _cells(built, B, "dette_eur")
    assert (debt[date(2020, 3, 1)], debt[date(2020, 4, 1)]) == (Decimal("5000.00"), Decimal("50.00"))


def test_debt_is_not_prolonged_past_the_freshness_of_its_source(built: Warehouse) -> None:
    """Last news on 16 June, 62 days allowed: July still speaks, August is unknown, not zero."""
    debt = _cells(built, C, "dette_eur")
    assert (debt[date(2020, 7, 1)], debt[date(2020, 8, 1)]) == (Decimal("10.00"), None)


def test_the_remainder_of_a_delai_follows_the_days(built: Warehouse) -> None:
    """100 days from 1 February to 11 May, 1,000 euros: 720 remain on 29 February, nothing on 31 May."""
    rest = {
        month: (running, amount)
        for month, running, amount in built.query(
            "select month, delai_en_cours, reste_eur from marts.mart_company_month "
            "left join intermediate.int_delai__siren_month d on d.siren = mart_company_month.siren "
            "and d.month_index = extract(year from month) * 12 + extract(month from month) - 1 "
            f"where mart_company_month.siren = '{B}'"
        )
    }
    assert rest[date(2020, 2, 1)] == (1.0, Decimal("720.0000000000000000"))
    assert rest[date(2020, 5, 1)] == (0.0, Decimal(0))


def test_the_remainder_of_a_delai_without_an_amount_is_unknown(built: Warehouse) -> None:
    """It was zero, or what the other délai left: read as a plan nearly paid."""
    columns = ("delai_en_cours", "delai_reste_eur", "delai_echeances_restantes")
    rest = _cells(built, F, *columns)
    assert [rest[date(2020, m, 1)] for m in (2, 12)] == [(1.0, None, 16.0), (1.0, None, 6.0)]
    assert _cells(built, A, *columns)[date(2020, 2, 1)] == (0.0, Decimal(0), 0.0)
    establishment = f"select delai_en_cours, delai_reste_eur from marts.mart_establishment_month where siret = '{_siret(F)}'"
    assert built.query(establishment) == [(True, None)]


def test_a_judgment_counts_from_its_publication(built: Warehouse) -> None:
    """Judged on 28 April, published on 20 May: April must not know."""
    status = _cells(built, C, "procedure_statut", "a_risque")
    assert status[date(2020, 4, 1)] == ("in_bonis", True)
    assert status[date(2020, 5, 1)] == ("redressement", False)


def test_the_outcome_is_dated_by_the_judgment_and_open_windows_stay_null(built: Warehouse) -> None:
    rows = built.query(
        "select date_defaillance, type_defaillance, observe_jusqu_au, defaillance_12m from marts.mart_outcome "
        f"where siren = '{C}' and month = '2020-03-01'"
    )
    assert rows == [(date(2020, 4, 28), "redressement", date(2020, 10, 31), None)]
    assert built.query(
        f"select date_defaillance from marts.mart_outcome where siren = '{C}' and month = '2020-04-01'"
    ) == [(None,)]


def test_the_perimeter_window_counts_delivered_months(built: Warehouse) -> None:
    """D had 12 employees in November 2016: 36 delivered months later it is out."""
    assert _cells(built, D, "effectif") == {}
    assert len(_cells(built, A, "effectif")) == 12


def test_exclusions_are_explained_and_names_of_persons_stay_out(built: Warehouse) -> None:
    reasons = dict(
        built.query(
            "select distinct siren, motif_exclusion from intermediate.int_identite__siren_month where motif_exclusion is not null"
        )
    )
    assert reasons == {E: "categorie_juridique_publique", G: "naf_finance"}
    assert set(_cells(built, F, "denomination").values()) == {None}


def test_a_source_never_delivered_gives_null_never_zero(built: Warehouse) -> None:
    """No partial activity, no accounts, no Paydex were delivered: nothing may look like a good value."""
    cells = built.query(
        "select count(ap_etp_consomme), count(ap_etp_autorise), count(paydex_jours), count(marge_ebe), count(bilans_manquants),"
        " count(ccsf_24m), count(bdf_poids_frng), count(etablissements_fermes_12m), count(dans_un_groupe), count(groupe_nb_filiales)"
        " from marts.mart_company_month"
    )
    assert cells == [(0,) * 10]
    openings = "select count(etablissements_ouverts_12m) = count(*) from marts.mart_company_month"
    assert built.query(openings) == [(True,)], "creations are in the stock, which was delivered"


def test_data_tests_and_unit_tests_pass(built: Warehouse) -> None:
    built._succeed(built.dbt("run", "--select", "tag:publication", first=FIRST, last=LAST))
    built._succeed(built.dbt("test", first=FIRST, last=LAST))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("update marts.mart_company_month set dette_eur = dette_eur + 1 where dette_eur is not null", CheckViolation),
        ("update marts.mart_company_month set a_risque = not a_risque", CheckViolation),
        ("update marts.mart_company_month set procedure_statut = 'inconnu'", CheckViolation),
        ("update marts.mart_company_month set est_actif = null", NotNullViolation),
        ("update marts.mart_company_month set month = '2020-06-01'", UniqueViolation),
        ("insert into marts.mart_clignotant select * from marts.mart_clignotant", UniqueViolation),
        ("insert into marts.mart_perimetre select * from marts.mart_perimetre", UniqueViolation),
        ("insert into marts.mart_source_freshness select * from marts.mart_source_freshness", UniqueViolation),
        ("insert into marts.mart_establishment_month select * from marts.mart_establishment_month", UniqueViolation),
    ],
)
def test_postgresql_refuses_what_no_data_test_looks_for_any_more(
    built: Warehouse, change: str, refusal: type[psycopg.Error]
) -> None:
    """Keys and rules of a row are constraints: lost in a materialization, nothing else would see a wrong row."""
    with psycopg.connect(built.url) as connection, pytest.raises(refusal):
        connection.execute(change.encode())
