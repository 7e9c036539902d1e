"""What the existing front end reads in `compat_sfor`: its names, its types, its traps. Views: built once, they show what is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from dbt_warehouse import Warehouse

# Columns in the order and with the types that the front end's own tables have.
CONTRACT: Mapping[str, str] = {
    "clean_sirene": "siren text, siret text, siege boolean, adresse text, code_commune text, departement text, ape text, "
    "naf_section text, date_creation date, longitude double precision, latitude double precision, est_actif boolean",
    "clean_sirene_ul": "siren text, raison_sociale text, categorie_juridique text, libelle_categorie_juridique text, "
    "activite_principale text, libelle_activite_principale text, naf_section text, libelle_naf_section text, departement text, "
    "creation date, est_actif boolean",
    "clean_ap": "siret text, siren text, periode date, etp_autorise double precision, etp_consomme double precision, "
    "motif_recours text, is_last boolean",
    "clean_cotisation": "siret text, periode date, du numeric",
    "clean_debit": "siret text, periode date, part_ouvriere numeric, part_patronale numeric, is_last boolean",
    "clean_delai": "siret text, date_creation date, date_echeance date, duree_delai integer, montant_echeancier numeric, "
    "stade text, action text",
    "clean_effectif": "siret text, periode date, effectif integer, is_latest boolean",
    "clean_effectif_ent": "siren text, periode date, effectif_ent integer, is_latest boolean",
    "clean_procol": "siren text, date_effet date, action_procol text, stade_procol text, libelle_procol text",
    "lists": "label text, code text, list_date date, sjcf_filter_active boolean",
    "company_score_entries": "siren character varying, code_naf text, score numeric, code_commune character varying, region text, "
    "alert text, batch text, algo text, periode text, seuil_modere numeric, seuil_fort numeric, macro_expl jsonb, "
    "micro_expl jsonb, created_at timestamp without time zone, updated_at timestamp without time zone, list_name text",
    "sjcf_companies": "siren character varying, libelle_liste text",
    "imports": "name text, import_date date, data_freshness date",
}
A, B, C, D, E, F, G = (f"00000000{i}" for i in range(1, 8))


def siret(siren: str, nic: int = 1) -> str:
    return f"{siren}{nic:05d}"


def shown(warehouse: Warehouse, view: str, siren: str, columns: str = "*") -> list[tuple[Any, ...]]:
    key = "siren" if view == "clean_procol_at_date" or "siren" in CONTRACT[view] else "left(siret, 9)"
    return warehouse.query(f"select {columns} from compat_sfor.{view} where {key} = '{siren}' order by 1, 2, 3")


@pytest.mark.parametrize("view", CONTRACT)
def test_the_front_end_finds_its_columns(compat: Warehouse, view: str) -> None:
    columns = compat.query(
        "select column_name, data_type from information_schema.columns "
        f"where table_schema = 'compat_sfor' and table_name = '{view}' order by ordinal_position"
    )
    assert ", ".join(f"{name} {kind}" for name, kind in columns) == CONTRACT[view]


def debit(compte: str, history: int, treated: str, po: float, pp: float, **changes: Any) -> dict[str, Any]:
    return {
        "siret": siret(A), "siren": A, "compte": compte, "periode_debut": "2019-12-01", "periode_fin": "2020-01-01",
        "numero_ecart_negatif": "101", "numero_historique": history, "date_traitement": treated, "part_ouvriere_eur": po,
        "part_patronale_eur": pp, "known": "2020-06-01",
    } | changes  # fmt: skip


def test_the_debt_is_a_stock_told_at_its_events_and_two_accounts_add_up(compat: Warehouse) -> None:
    """Defect 1 of the existing service: without the account in the identity, 300 then 0 instead of 1,500 then 1,200."""
    compat.write(
        "urssaf__debit",
        [
            debit("K1", 1, "2020-01-15", 100, 200),
            debit("K2", 1, "2020-01-20", 400, 800),
            debit("K1", 2, "2020-03-21", 0, 0),
            # Corrected since: what is no longer known does not count.
            debit("K3", 1, "2020-01-10", 9999, 9999, known=("2020-02-01", "2020-03-01")),
        ],
    )
    assert shown(compat, "clean_debit", A) == [
        (siret(A), date(2020, 1, 1), Decimal("500.00"), Decimal("1000.00"), False),
        (siret(A), date(2020, 4, 1), Decimal("400.00"), Decimal("800.00"), True),
    ]


def test_the_debt_leaves_with_its_account_and_an_old_event_told_late_changes_nothing(compat: Warehouse) -> None:
    moved = {"siret": siret(B, 2), "siren": B}
    compat.write(
        "urssaf__debit",
        [
            debit("M1", 1, "2020-01-15", 10, 20, siret=siret(B), siren=B),
            debit("M1", 3, "2020-02-15", 5, 10, **moved),
            debit("M1", 2, "2020-03-15", 7, 15, **moved),
        ],
    )
    assert shown(compat, "clean_debit", B) == [
        (siret(B), date(2020, 1, 1), Decimal(10), Decimal(20), False),
        (siret(B), date(2020, 2, 1), Decimal(0), Decimal(0), True),
        (siret(B, 2), date(2020, 2, 1), Decimal(5), Decimal(10), True),
    ]


def test_files_without_siret_find_their_establishment_through_the_account(compat: Warehouse) -> None:
    account = {"compte": "OLD", "siren": C, "known": "2018-01-01"}
    compat.write(
        "urssaf__compte",
        [
            account | {"siret": siret(C), "date_creation": "2010-01-01", "date_disparition": "2019-06-30"},
            account | {"siret": siret(C, 2), "date_creation": "2019-07-01"},
        ],
    )
    due = {"compte": "OLD", "mise_en_recouvrement": "1", "cotisation_due_eur": 1000, "known": "2020-01-01"}
    compat.write(
        "urssaf__cotisation",
        [
            due | {"periode_debut": "2019-04-01", "periode_fin": "2019-07-01"},
            due | {"periode_debut": "2019-07-01", "periode_fin": "2019-08-01"},
            due | {"periode_debut": "2019-07-01", "periode_fin": "2019-08-01", "mise_en_recouvrement": "2"},
            due | {"periode_debut": "2019-07-01", "periode_fin": "2019-08-01", "compte": "UNKNOWN"},
        ],
    )
    assert shown(compat, "clean_cotisation", C) == [
        (siret(C), date(2019, 4, 1), Decimal("1000.00")),
        (siret(C, 2), date(2019, 7, 1), Decimal("2000.00")),
    ]


def test_hours_of_a_request_are_shared_between_its_months(compat: Warehouse) -> None:
    """Defect 8: each month received the whole; and the date of a consumption was not brought back to its month."""
    request = {"siret": siret(D), "date_statut": "2019-08-01", "known": "2019-08-15"}
    compat.write(
        "dgefp__demande_ap",
        [
            request | {"id_demande": "d1", "periode_debut": "2019-08-01", "periode_fin": "2019-09-29",
                       "heures_autorisees": 60 * 151.67, "motif_recours": "3"},
            request | {"id_demande": "d2", "periode_debut": "2019-09-01", "periode_fin": "2019-09-30",
                       "heures_autorisees": 151.67, "motif_recours": "9"},
        ],
    )  # fmt: skip
    compat.write(
        "dgefp__consommation_ap",
        [{"id_demande": "d1", "siret": siret(D), "periode": "2019-09-30", "heures": 303.34, "known": "2019-11-30"}],
    )
    rows = shown(compat, "clean_ap", D, "periode, round(etp_autorise::numeric, 6), etp_consomme, motif_recours")
    weather = "Sinistre ou intempéries de caractère exceptionnel"
    assert rows == [
        (date(2019, 8, 1), Decimal(31), 0.0, weather),
        (date(2019, 9, 1), Decimal(30), 2.0, f"Motif inconnu; {weather}"),
    ]


def test_is_last_is_the_last_month_of_consumption_of_all(compat: Warehouse) -> None:
    late = {"id_demande": "z1", "siret": siret(E), "periode": "2021-02-01", "heures": 10, "known": "2021-04-01"}
    compat.write("dgefp__consommation_ap", [late])
    last = compat.query("select distinct periode from compat_sfor.clean_ap where is_last")
    assert last == compat.query("select max(periode) from compat_sfor.clean_ap where etp_consomme > 0")


def test_accounts_of_an_establishment_are_summed_and_the_last_month_known_is_marked(compat: Warehouse) -> None:
    row = {"siret": siret(A), "known": "2020-06-01"}
    compat.write(
        "urssaf__effectif",
        [
            row | {"compte": "K1", "periode": "2020-01-01", "effectif": 10},
            row | {"compte": "K2", "periode": "2020-01-01", "effectif": 5},
            row | {"compte": "K1", "periode": "2020-02-01", "effectif": 0},
            row | {"compte": "K1", "periode": "2020-03-01", "effectif": None},
        ],
    )
    compat.write("urssaf__effectif_ent", [{"siren": A, "periode": "2020-02-01", "effectif": 15, "known": "2020-06-01"}])
    assert shown(compat, "clean_effectif", A, "periode, effectif, is_latest") == [
        (date(2020, 1, 1), 15, False),
        (date(2020, 2, 1), 0, True),
    ]
    assert shown(compat, "clean_effectif_ent", A) == [(A, date(2020, 2, 1), 15, True)]


def establishment(siren: str, nic: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "siren": siren, "nic": f"{nic:05d}", "siret": siret(siren, nic), "est_siege": nic == 1, "etat_administratif": "A",
        "date_creation": "2010-01-01", "departement": "21", "code_commune": "21231", "libelle_commune": "DIJON",
        "code_postal": "21000", "activite_principale": "2841X", "nomenclature_activite": "NAFRev2", "known": "2010-02-01",
    } | changes  # fmt: skip


def company(siren: str, **changes: Any) -> dict[str, Any]:
    return {
        "siren": siren, "denomination": "ATELIERS FICTIFS", "categorie_juridique": "5499", "activite_principale": "28.41X",
        "nomenclature_activite": "NAFRev2", "date_creation": "2010-01-01", "etat_administratif": "A", "known": "2010-02-01",
    } | changes  # fmt: skip


def test_establishments_have_an_address_a_dotted_naf_and_a_true_departement(compat: Warehouse) -> None:
    """« () » in each address, coordinates at 0,0, Corsica and overseas lost: all were seen in the existing service."""
    compat.write(
        "insee__etablissement",
        [
            establishment(
                A, numero_voie="12", indice_repetition="B", type_voie="CHE", libelle_voie="DES VIGNES", longitude=5.04
            ),
            establishment(A, 2, departement="2A", code_commune="2A004", libelle_voie="PORT", complement_adresse="BAT C"),
            establishment(A, 3, departement="974", nomenclature_activite="NAFRev1", libelle_commune=None, code_postal=None),
        ],
    )
    columns = "siret, siege, adresse, departement, ape, naf_section, longitude, latitude, est_actif"
    assert shown(compat, "clean_sirene", A, columns) == [
        (siret(A), True, "12 BIS CHEMIN DES VIGNES\n21000 DIJON", "21", "28.41X", "C", 5.04, None, True),
        (siret(A, 2), False, "PORT (BAT C)\n21000 DIJON", "2A", "28.41X", "C", None, None, True),
        (siret(A, 3), False, None, "974", None, None, None, None, True),
    ]


def test_a_company_has_one_line_a_name_and_the_departement_of_its_head_office(compat: Warehouse) -> None:
    compat.write(
        "insee__etablissement",
        [
            establishment(F, etat_administratif="F"),
            establishment(F, 2, est_siege=True, departement="25", date_creation="2009-01-01"),
        ],
    )
    compat.write(
        "insee__unite_legale",
        [company(F, activite_principale="2841Z", denomination=None, nom="DUPRE", prenom="CAMILLE", categorie_juridique="1000", etat_administratif="C")],
    )
    assert shown(compat, "clean_sirene_ul", F) == [
        (F, "DUPRE CAMILLE EI", "1000", "Entrepreneur individuel", "28.41Z", "Fabrication de machines-outils pour le travail des métaux", "C",
         "Industrie manufacturière", "25", date(2010, 1, 1), False),
    ]  # fmt: skip


def test_companies_that_the_service_does_not_follow_are_left_out(compat: Warehouse) -> None:
    public, bank, abroad = "000000101", "000000102", "000000103"
    compat.write(
        "insee__unite_legale",
        [
            company(public, categorie_juridique="7210"),
            company(bank, activite_principale="64.19Z"),
            company(abroad),
        ],
    )
    compat.write("insee__etablissement", [establishment(abroad, departement=None, code_pays_etranger="99100")])
    unknown = "000000104"
    for siren in (public, bank, abroad, unknown):
        compat.write("urssaf__effectif_ent", [{"siren": siren, "periode": "2020-01-01", "effectif": 50, "known": "2020-06-01"}])
    sirens = {row[0] for row in compat.query("select siren from compat_sfor.clean_effectif_ent")}
    assert sirens & {public, bank, abroad, unknown} == {unknown}


def test_a_version_of_the_perimeter_takes_nobody_s_data_away_before_its_month(compat: Warehouse) -> None:
    """Written ahead, it hid at once the debts and headcounts of companies that the lists still showed."""
    garage = "000000105"
    compat.write("insee__unite_legale", [company(garage, activite_principale="45.20A")])
    compat.write("insee__etablissement", [establishment(garage)])
    compat.write("urssaf__effectif_ent", [{"siren": garage, "periode": "2020-01-01", "effectif": 50, "known": "2020-06-01"}])
    compat.execute(
        "insert into reference.perimetre (version, applicable_depuis) values ('next', '2021-02-01');"
        "insert into reference.perimetre_exclusion (version, nature, code) values ('next', 'naf_rev2', '45.20A')"
    )
    seen = []
    for number, month in ((80, "2021-01-01"), (81, "2021-02-01")):
        publish(compat, number, month)
        seen.append(compat.query(f"select siren from compat_sfor.clean_effectif_ent where siren = '{garage}'"))
    compat.execute(
        "delete from publication.month; delete from reference.perimetre_exclusion where version = 'next';"
        "delete from reference.perimetre where version = 'next'"
    )
    assert seen == [[(garage,)], []]


def procol(siren: str, day: str, action: str, stade: str, nic: int = 1) -> dict[str, Any]:
    return {
        "siret": siret(siren, nic), "siren": siren, "date_effet": day, "libelle": f"{action}_{stade}", "action_procol": action or None,
        "stade_procol": stade or None, "known": "2020-01-01",
    }  # fmt: skip


def test_procedures_have_the_words_of_the_front_end(compat: Warehouse) -> None:
    """Defect 9: an opening and its end on one day came in any order. An unknown label gave an empty line."""
    compat.write(
        "urssaf__procol",
        [
            procol(A, "2015-01-01", "sauvegarde", "ouverture"),
            procol(A, "2015-06-01", "sauvegarde", "plan_continuation"),
            procol(A, "2015-06-01", "sauvegarde", "plan_continuation", nic=2),
            procol(A, "2017-01-01", "redressement", "ouverture"),
            procol(A, "2018-01-01", "redressement", "plan_continuation"),
            procol(A, "2019-01-01", "redressement", "inclusion_autre_procedure"),
            procol(A, "2019-01-01", "liquidation", "ouverture"),
            procol(A, "2019-05-01", "liquidation", "ouverture"),
            procol(A, "2019-05-01", "liquidation", "fin_procedure", nic=2),
            procol(A, "2019-06-01", "liquidation", "solde_procedure"),
            procol(A, "2019-07-01", "", ""),
        ],
    )
    rows = shown(compat, "clean_procol", A, "date_effet, libelle_procol, action_procol")
    assert rows == [
        (date(2015, 1, 1), "Sauvegarde", "sauvegarde"),
        (date(2015, 6, 1), "Plan de sauvegarde", "sauvegarde"),
        (date(2017, 1, 1), "Redressement judiciaire", "redressement"),
        (date(2018, 1, 1), "Plan de redressement", "redressement"),
        (date(2019, 1, 1), "In bonis", "redressement"),
        (date(2019, 1, 1), "Liquidation judiciaire", "liquidation"),
        (date(2019, 5, 1), "In bonis", "liquidation"),
    ]


def publish(compat: Warehouse, number: int, month: str, status: str = "published") -> None:
    compat.execute(
        f"insert into publication.month values ({number}, '{month}', '{status}', 'hazard-x', 0.2805, 0.0746, '2020-12-03 23:30+00')"
    )


def test_the_status_at_a_date_knows_ends_and_the_ten_years_of_a_plan(compat: Warehouse) -> None:
    compat.write(
        "urssaf__procol",
        [
            procol(B, "2010-03-10", "redressement", "plan_continuation"),
            procol(C, "2016-02-01", "redressement", "ouverture"),
            procol(C, "2016-04-15", "liquidation", "ouverture"),
            procol(C, "2016-06-15", "liquidation", "fin_procedure"),
        ],
    )
    publish(compat, 90, "2021-01-01")
    plan = [row[:2] for row in shown(compat, "clean_procol_at_date", B, "periode, libelle_procol, siren")]
    assert (plan[0], plan[-1]) == (
        (date(2016, 1, 1), "Plan de redressement"),
        (date(2020, 3, 1), "Plan de redressement"),
    )
    assert [row[:2] for row in shown(compat, "clean_procol_at_date", C, "periode, libelle_procol, siren")] == [
        (date(2016, 2, 1), "Redressement judiciaire"),
        (date(2016, 3, 1), "Redressement judiciaire"),
        (date(2016, 4, 1), "Redressement judiciaire"),
        (date(2016, 5, 1), "Liquidation judiciaire"),
        (date(2016, 6, 1), "Liquidation judiciaire"),
    ]
    compat.execute("delete from publication.month")


@pytest.fixture
def lists(compat: Warehouse) -> Warehouse:
    """Two published lists, a replaced one and a withdrawn one; four companies in alert."""
    compat.execute("truncate publication.month, publication.detection, publication.entreprise, publication.montant, publication.raison")
    publish(compat, 1, "2020-11-01", "replaced")
    publish(compat, 2, "2020-11-01")
    publish(compat, 3, "2020-12-01")
    publish(compat, 4, "2021-01-01", "withdrawn")
    for number in (1, 2, 3, 4):
        for siren, alerte, p18, first in (
            (A, "Alerte seuil F1", 0.4, True), (B, "Alerte seuil F2", 0.1, True),
            (C, "Alerte seuil F2", 0.2, True), (D, "Alerte seuil F1", 0.5, False),
        ):  # fmt: skip
            compat.execute(
                "insert into publication.detection values "
                f"({number}, '2020-12-01', '{siren}', '{alerte}', '25', '27', '28.41X', {p18}, {first});"
                f"insert into publication.entreprise values ({number}, '{siren}', '25056', '{'2019' if siren == B else '2001'}-01-01');"
                f"insert into publication.montant values ({number}, '{siren}', {siren == C});"
            )
        compat.execute(
            f"insert into publication.raison select {number}, * from (values "
            f"('{A}', 1, 'Dettes sociales', 'dette_eur', 2.0, 'aggravant'), ('{A}', 2, 'Dettes sociales', 'nb_ecarts_12m', -0.5, 'favorable'), "
            f"('{A}', 3, 'Effectif', 'effectif', -1.5, 'favorable'), ('{A}', 4, 'Contexte', 'age_mois', 9.0, 'aggravant'), "
            f"('{B}', 1, 'Contexte', 'age_mois', 1.0, 'aggravant'), ('{B}', 2, 'Effectif', 'effectif', -0.2, 'favorable')) as v"
        )
    return compat


def test_lists_are_those_published_and_their_codes_sort_by_date(lists: Warehouse) -> None:
    """A candidate, a replaced or a withdrawn list is never shown. Codes sort after those that the front end holds (« 2310 »)."""
    rows = lists.query("select label, code, list_date, sjcf_filter_active from compat_sfor.lists order by code")
    assert rows == [
        ("Décembre 2020", "2012", date(2020, 12, 1), True),
        ("Janvier 2021", "2101", date(2021, 1, 1), True),
    ]


def test_score_entries_hold_alerts_only_with_the_exact_words(lists: Warehouse) -> None:
    rows = lists.query(
        "select siren, score, alert, region, code_commune, periode, batch, algo, seuil_modere, seuil_fort, list_name, "
        "created_at::text from compat_sfor.company_score_entries where code_naf = '28.41X' and batch = '2101' order by siren"
    )
    assert [row[:3] for row in rows] == [
        (A, Decimal("40.0000000000"), "Alerte seuil F1"),
        (B, Decimal("10.0000000000"), "Alerte seuil F2"),
        (C, Decimal("20.0000000000"), "Alerte seuil F2"),
        (D, Decimal("50.0000000000"), "Alerte seuil F1"),
    ]
    assert rows[0][3:] == (
        "Bourgogne-Franche-Comté", "25056", "2020-12-01", "2101", "hazard-x", Decimal("0.07"), Decimal("0.28"), "Janvier 2021",
        "2020-12-03 23:30:00",
    )  # fmt: skip
    keys = "siren, list_name, periode"
    assert lists.query(f"select {keys} from compat_sfor.company_score_entries group by {keys} having count(*) > 1") == []


def test_the_bars_of_the_waterfall_keep_their_sign_and_add_up_to_the_score(lists: Warehouse) -> None:
    """A division by the signed sum of contributions blows up when they cancel: here 1.5 - 1.5."""
    explained = {
        row[0]: row[1:]
        for row in lists.query(
            "select siren, macro_expl, micro_expl from compat_sfor.company_score_entries where batch = '2101'"
        )
    }
    debts, staff = "Dettes-sociales", "Variation-de-l'effectif-de-l'entreprise"
    macro, micro = explained[A]
    assert macro == {debts: pytest.approx(60.0), staff: pytest.approx(-20.0)}
    assert micro[staff] == {"effectif": pytest.approx(-20.0)}
    assert micro[debts] == {"dette_eur": pytest.approx(72.0), "nb_ecarts_12m": pytest.approx(-12.0)}
    assert explained[B] == (None, None), "only the context aggravates: no bar can say so"


def test_the_reworked_list_keeps_what_a_codefi_can_use(lists: Warehouse) -> None:
    """B is recent, C has a payment plan, D is not a first alert."""
    assert lists.query("select * from compat_sfor.sjcf_companies order by libelle_liste") == [
        (A, "Décembre 2020"),
        (A, "Janvier 2021"),
    ]


def test_the_reworked_list_is_cut_at_200_companies_a_departement(lists: Warehouse) -> None:
    """Degraded accounts first, then moderate alerts, then high ones."""
    lists.execute(
        "insert into publication.detection select 3, '2020-12-01', 'X' || n, case when n % 2 = 0 then 'Alerte seuil F1' "
        "else 'Alerte seuil F2' end, '21', '27', '28.41X', 0.1, true from generate_series(1, 450) as n;"
        "insert into publication.entreprise select 3, 'X' || n, '21231', '2001-01-01' from generate_series(1, 450) as n;"
        "insert into publication.montant select 3, 'X' || n, null from generate_series(1, 450) as n;"
        "insert into publication.raison select 3, 'X' || n, 1, 'Données financières', 'v', 1, 'aggravant' "
        "from generate_series(2, 20, 2) as n"
    )
    kept = {
        int(siren[1:]) for (siren,) in lists.query("select siren from compat_sfor.sjcf_companies where siren like 'X%'")
    }
    assert len(kept) == 200
    assert {n for n in kept if n % 2 == 0} == set(range(2, 21, 2))


def test_imports_say_how_far_the_data_go(compat: Warehouse) -> None:
    names = compat.query("select name from compat_sfor.imports order by 1")
    assert [name for (name,) in names] == ["osf_ap", "osf_cotisation", "osf_debit", "osf_delai", "osf_effectif", "osf_effectif_ent"]
    assert compat.query("select data_freshness from compat_sfor.imports where name = 'osf_ap'") == compat.query(
        "select max(periode) from compat_sfor.clean_ap where etp_consomme > 0"
    )


def test_changes_of_state_follow_each_other_without_hole(compat: Warehouse) -> None:
    row = {"siret": siret(A), "known": "2020-01-01"}
    compat.write(
        "insee__etablissement_historique",
        [
            row | {"date_debut": "1900-01-01", "etat_administratif": "A", "changement_etat": False},
            row | {"date_debut": "2015-01-01", "etat_administratif": "A", "changement_etat": False},
            row | {"date_debut": "2018-01-01", "etat_administratif": "F", "changement_etat": True},
        ],
    )
    rows = compat.query(f"select * from compat_sfor.clean_sirene_histo where siret = '{siret(A)}' order by date_fin")
    assert rows == [(siret(A), None, date(2017, 12, 31), True), (siret(A), date(2018, 1, 1), None, False)]


def columns_of(warehouse: Warehouse, view: str) -> list[str]:
    found = warehouse.query(f"select attname from pg_attribute where attrelid = '{view}'::regclass order by attnum")
    return [name for (name,) in found]


def test_a_view_stays_in_place_unless_its_definition_changes(compat: Warehouse) -> None:
    """Dropped and made again, it would take along the views built on it and wait for a reader's cursor."""
    ids = "select 'compat_sfor.clean_procol'::regclass::oid, 'staging.stg_urssaf__procol'::regclass::oid"
    before = compat.query(ids)
    compat._succeed(compat.dbt("run", "--select", "stg_urssaf__procol"))
    assert compat.query(ids) == before


def test_a_view_that_gains_columns_is_replaced_under_its_readers_and_any_other_is_made_again(compat: Warehouse) -> None:
    view = "staging.stg_urssaf__ccsf"
    wanted = columns_of(compat, view)
    compat.execute(
        f"drop view {view}; create view {view} as select siret from raw.urssaf__ccsf;"
        f"create view public.of_a_reader as select siret from {view}"
    )
    compat._succeed(compat.dbt("run", "--select", "stg_urssaf__ccsf"))
    assert columns_of(compat, view) == wanted
    assert compat.query("select * from public.of_a_reader") == []


def test_a_view_that_becomes_another_takes_its_dependents_and_gives_them_back_in_the_same_build(compat: Warehouse) -> None:
    staging, shown_by = "staging.stg_urssaf__procol", "compat_sfor.clean_procol"
    definition = compat.query(f"select pg_get_viewdef('{shown_by}'::regclass)")
    compat.execute(
        f"drop view {staging} cascade; create view {staging} as select 1 as something_else;"
        f"create view {shown_by} as select something_else as siren from {staging}"
    )
    compat._succeed(compat.dbt("run", "--select", "stg_urssaf__procol", "clean_procol", "clean_procol_at_date"))
    assert compat.query(f"select pg_get_viewdef('{shown_by}'::regclass)") == definition
    assert compat.query("select to_regclass('compat_sfor.clean_procol_at_date') is not null") == [(True,)]
