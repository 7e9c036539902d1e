"""The samples of the existing service and their expected values. Its known defects get the right value here, and the
test says which (`reference/sources.md`, section 2.3)."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from delivery_base import Base

from ingestion.ledger import DeliveryAccount

RECEIVED = date(2026, 1, 15)
OLD = "_old_account_based_2024"


@pytest.fixture
def formats(shared_data: Path) -> Path:
    return shared_data / "formats"


def golden(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["tuples"]


def day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def money(value: float | int) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def load(base: Base, path: Path) -> DeliveryAccount:
    return base.deliver(path, received=RECEIVED, identity="format")


@pytest.mark.parametrize("folder", ["cotisation", f"{OLD}/urssaf"])
def test_contributions(base: Base, formats: Path, folder: str) -> None:
    assert load(base, formats / folder / "cotisationTestData.csv").loaded == 3
    expected = []
    for t in golden(formats / folder / "expectedCotisation.json"):
        period = t.get("periode") or {"start": t["periode_debut"], "end": t["periode_fin"]}
        expected.append(
            (t["numero_compte"], day(period["start"]), day(period["end"]), money(t["encaisse"]), money(t["du"]))
        )
    columns = "compte, periode_debut, periode_fin, encaissement_direct_eur, cotisation_due_eur"
    assert base.open_rows("urssaf__cotisation", columns) == expected


@pytest.mark.parametrize("folder", ["debit", f"{OLD}/urssaf"])
@pytest.mark.parametrize("name", ["debitTestData.csv", "debitCorrompuTestData.csv"])
def test_debits_and_the_defect_that_a_period_was_not_validated(
    base: Base, formats: Path, folder: str, name: str
) -> None:
    """The sample holds the period 199904 (quarter 0, month 4): upstream read January 1999, it is not a period.

    In the corrupt file the truncated record and the stray quote lose their own line and no other.
    """
    account = load(base, formats / folder / name)
    expected_name = name.replace("TestData.csv", ".json").replace("debit", "expectedDebit")
    tuples = golden(formats / folder / expected_name)
    expected = [
        (
            t["numero_compte"], t["numero_ecart_negatif"], t["numero_historique"], day(t["date_traitement"]),
            money(t["part_ouvriere"]), money(t["part_patronale"]), str(t["etat_compte"]), t["code_procedure_collective"],
            day((t.get("periode") or {"start": t.get("periode_debut")})["start"]),
            day((t.get("periode") or {"end": t.get("periode_fin")})["end"]),
            t["code_operation_ecart_negatif"], t["code_motif_ecart_negatif"], t["recours_en_cours"],
        )
        for t in tuples
        if t["numero_compte"] != "450359886246036238"
    ]  # fmt: skip
    columns = (
        "compte, numero_ecart_negatif, numero_historique, date_traitement, part_ouvriere_eur, part_patronale_eur, etat_compte, "
        "code_procedure_collective, periode_debut, periode_fin, code_operation, code_motif, recours_en_cours"
    )
    assert base.open_rows("urssaf__debit", columns) == expected
    wrong_periods = sum(t["numero_compte"] == "450359886246036238" for t in tuples)
    assert account.rejects_by_rule["periode"] == wrong_periods
    assert [row[4] for row in base.quarantine(account) if row[3] == "periode"] == ["199904"] * wrong_periods
    if "Corrompu" in name:
        assert (account.lines, account.rejects_by_rule["nombre_de_champs"]) == (5, 2)
        assert [row[0] for row in base.quarantine(account)] == [3, 4, 5, 6]


def test_the_same_debit_in_latin_and_in_utf_8_is_the_same_row(base: Base, formats: Path) -> None:
    """Upstream wrote the test and took the support back."""
    assert load(base, formats / "debit/debitIsoTestData.csv").encoding == "iso-8859-15"
    account = load(base, formats / "debit/debitUtf8TestData.csv")
    assert (account.encoding, account.unchanged, account.rows_opened) == ("utf-8", 1, 0)
    [(code,)] = base.open_rows("urssaf__debit", "code_procedure_collective")
    assert code.endswith("""àéèîñôùü !@#$%^&*()_+-=/':;,?><""")


@pytest.mark.parametrize("folder", ["delai", f"{OLD}/urssaf"])
def test_payment_plans(base: Base, formats: Path, folder: str) -> None:
    load(base, formats / folder / "delaiTestData.csv")
    expected = [
        (
            t["numero_compte"], t["numero_contentieux"], day(t["date_creation"]), day(t["date_echeance"]), t["duree_delai"],
            money(t["montant_echeancier"]), t["stade"], t["action"],
        )
        for t in golden(formats / folder / "expectedDelai.json")
    ]  # fmt: skip
    columns = (
        "compte, numero_structure, date_creation, date_echeance, duree_jours, montant_echeancier_eur, stade, action"
    )
    assert base.open_rows("urssaf__delai", columns) == expected


@pytest.mark.parametrize("folder", ["ccsf", f"{OLD}/urssaf"])
def test_ccsf_plans_which_upstream_parsed_and_threw_away(base: Base, formats: Path, folder: str) -> None:
    load(base, formats / folder / "ccsfTestData.csv")
    expected = [
        (day(t["date_traitement"]), t["stade"], t["action"]) for t in golden(formats / folder / "expectedCcsf.json")
    ]
    assert base.open_rows("urssaf__ccsf", "date_traitement, stade, action") == expected


@pytest.mark.parametrize("name", ["ccsf/ccsfTestData.csv.gz", "debit/debitTestData.csv.gz"])
def test_the_compressed_samples_hold_the_layout_without_siret(base: Base, formats: Path, name: str) -> None:
    account = load(base, formats / name)
    assert (account.compression, account.lines) == ("gz", 3)
    assert "absentes : Siret" in account.layout


def test_accounts_and_their_establishments(base: Base, formats: Path) -> None:
    load(base, formats / "admin_urssaf/comptesTestData.csv")
    assert base.open_rows("urssaf__compte", "compte, siret, date_creation, date_disparition") == [
        ("111982477292496174", "0" * 14, date(2013, 8, 28), None),
        ("636043216536562844", "1" * 14, date(2012, 5, 24), None),
        ("450359886246036238", "2" * 14, date(2011, 7, 1), date(2011, 8, 1)),
    ]


@pytest.mark.parametrize("folder", ["procol", f"{OLD}/urssaf"])
def test_collective_procedures(base: Base, formats: Path, folder: str) -> None:
    load(base, formats / folder / "procolTestData.csv")
    expected = [
        (day(t["date_effet"]), t["action_procol"], t["stade_procol"])
        for t in golden(formats / folder / "expectedProcol.json")
    ]
    assert base.open_rows("urssaf__procol", "date_effet, action_procol, stade_procol") == expected


@pytest.mark.parametrize("folder", ["effectif", f"{OLD}/urssaf"])
def test_headcounts_by_establishment(base: Base, formats: Path, folder: str) -> None:
    """The 2024 version dropped months at zero; they are values (upstream agreed in November 2025)."""
    assert load(base, formats / folder / "effectifTestData.csv").loaded == 3
    expected = sorted(
        (t["numero_compte"], day(t["periode"]), t["effectif"])
        for t in golden(formats / "effectif" / "expectedEffectif.json")
    )
    assert sorted(base.open_rows("urssaf__effectif", "compte, periode, effectif")) == expected


@pytest.mark.parametrize(
    ("name", "expected_name"),
    [
        ("effectifEntTestData.csv", "expectedEffectifEnt.json"),
        ("effectifEntTestDataShort.csv", "expectedEffectifEntShort.json"),
    ],
)
def test_headcounts_by_company(base: Base, formats: Path, name: str, expected_name: str) -> None:
    load(base, formats / "effectif_ent" / name)
    expected = sorted((day(t["periode"]), t["effectif"]) for t in golden(formats / "effectif_ent" / expected_name))
    assert sorted(base.open_rows("urssaf__effectif_ent", "periode, effectif")) == expected


def test_headcounts_by_company_in_the_current_layout(base: Base, formats: Path) -> None:
    load(base, formats / "effectif_ent/e2e_current/effectifEntTestData.csv")
    rows = base.open_rows("urssaf__effectif_ent", "siren, periode, effectif", "periode")
    assert [row[2] for row in rows] == [629, 536, 209, 0, 585]
    assert rows[0][:2] == ("542368702", date(2010, 1, 1))


@pytest.mark.parametrize("folder", ["apdemande", f"{OLD}/apdemande"])
def test_requests_of_short_time_work(base: Base, formats: Path, folder: str) -> None:
    load(base, formats / folder / "apdemandeTestData.csv")
    expected = []
    for t in golden(formats / folder / "expectedApdemande.json"):
        period = t.get("periode") or {"start": t["periode_debut"], "end": t["periode_fin"]}
        hours = t.get("heures_consommees", t.get("heure_consommee"))
        amount = t.get("montant_consomme", t.get("montant_consommee"))
        expected.append(
            (
                t["id_demande"], t["effectif_entreprise"], t["effectif"], day(t["date_statut"]), day(period["start"]),
                day(period["end"]), Decimal(str(t["hta"])), money(t["mta"]), t["effectif_autorise"], str(t["motif_recours_se"]),
                str(t["perimetre"]), Decimal(str(hours)), t["effectif_consomme"], money(amount),
            )
        )  # fmt: skip
    columns = (
        "id_demande, effectif_entreprise, effectif_etablissement, date_statut, periode_debut, periode_fin, heures_autorisees, "
        "montant_autorise_eur, effectif_autorise, motif_recours, perimetre, heures_consommees, effectif_consomme, montant_consomme_eur"
    )
    assert base.open_rows("dgefp__demande_ap", columns) == expected


def test_blank_lines_between_requests_are_not_lines(base: Base, formats: Path) -> None:
    assert load(base, formats / "apdemande/apdemandeTestData.csv").lines == 3
    again = load(base, formats / "apdemande/e2e_current/apdemandeTestData.csv")
    assert (again.lines, again.unchanged) == (3, 3)


@pytest.mark.parametrize("folder", ["apconso", f"{OLD}/apconso"])
def test_consumption_of_short_time_work_keeps_its_raw_date(base: Base, formats: Path, folder: str) -> None:
    load(base, formats / folder / "apconsoTestData.csv")
    assert base.open_rows("dgefp__consommation_ap", "id_demande, heures, montant_eur, effectif, periode") == [
        ("d363954866", Decimal("311.54"), Decimal("214.00"), 0, date(2004, 12, 1)),
        ("u90q913412", Decimal("44.11"), Decimal("659.00"), 2, date(2019, 1, 1)),
        ("p95a076375", Decimal("780.0"), Decimal("62.00"), 16, date(2020, 12, 30)),
    ]


def test_short_time_work_came_in_workbooks_in_2019(base: Base, formats: Path) -> None:
    """33 and 52 columns, dates as serial numbers; upstream dropped the form."""
    account = base.deliver(
        formats / "apconso/_xlsx_2019/apconso.excelsheet",
        received=RECEIVED, source="dgefp__consommation_ap", identity="format",
    )  # fmt: skip
    assert (account.lines, account.loaded, account.encoding) == (1, 1, None)
    columns = "_line, id_demande, siret, periode, heures, montant_eur, effectif"
    assert base.open_rows("dgefp__consommation_ap", columns) == [
        (2, "123456789", "12345678901234", date(2009, 11, 1), 100, Decimal("200.00"), 30)
    ]
    account = base.deliver(
        formats / "apdemande/_xlsx_2019/apdemande.excelsheet",
        received=RECEIVED, source="dgefp__demande_ap", identity="format",
    )  # fmt: skip
    assert (account.lines, account.loaded) == (1, 1)
    columns = "id_demande, siret, date_statut, periode_debut, periode_fin, heures_autorisees, motif_recours"
    assert base.open_rows("dgefp__demande_ap", columns) == [
        ("0210377020", "37215938570251", date(2016, 7, 29), date(2016, 8, 16), date(2017, 1, 15), 0, "1")
    ]


def test_establishments_and_the_defect_that_a_bad_longitude_was_loaded_as_zero(base: Base, formats: Path) -> None:
    """Upstream counted the line with NOT_VALID as rejected and loaded it at 0, 0. It also dropped the closed row of an
    older nomenclature, which is a fact like another: it is loaded, with its nomenclature."""
    account = load(base, formats / "sirene/sireneTestData.csv")
    assert (account.loaded, account.rejected) == (4, 1)
    rejects = [row for row in base.quarantine(account) if row[1] == "rejet"]
    assert [(row[0], row[2], row[4]) for row in rejects] == [(6, "longitude", "NOT_VALID")]
    expected = [
        (
            t["siren"], t["siren"] + t["nic"], t.get("siege", False), t["commune"], t["code_commune"], t["code_postal"],
            t["departement"], t["ape"], day(t.get("date_creation")), Decimal(str(t["longitude"])), Decimal(str(t["latitude"])),
        )
        for t in golden(formats / "sirene/expectedSirene.json")
        if t["siren"] != "232323234"
    ]  # fmt: skip
    columns = (
        "siren, siret, est_siege, libelle_commune, code_commune, code_postal, departement, activite_principale, date_creation, "
        "longitude, latitude"
    )
    rows = base.open_rows("insee__etablissement", columns)
    assert [row for row in rows if row[0] != "121212123"] == expected


def test_the_siret_of_an_establishment_is_its_siren_and_nic(base: Base, formats: Path) -> None:
    """In the samples the `siret` column says something else."""
    load(base, formats / OLD / "sirene/sireneTestData.csv")
    assert base.query("select count(*) from raw.insee__etablissement where siret = siren || nic") == [(3,)]


def test_legal_units(base: Base, formats: Path) -> None:
    account = load(base, formats / "sirene_ul/sireneULTestData.csv")
    assert (account.loaded, account.rejected) == (4, 0)
    # An unreadable creation date does not lose the company: the cell is emptied, the line is shown with a warning.
    assert [(row[0], row[1], row[4]) for row in base.quarantine(account)] == [(3, "avertissement", "invalid_date")]
    expected = {
        (
            t["siren"], t["raison_sociale"] or None, t.get("nom_unite_legale"), t.get("prenom1_unite_legale"),
            t["categorie_juridique"], t["ape"], t["ape_naf25"], day(t.get("date_creation")), t.get("est_actif", False),
        )
        for t in golden(formats / "sirene_ul/expectedSireneUL.json")
    }  # fmt: skip
    columns = (
        "siren, denomination, nom, prenom, categorie_juridique, activite_principale, activite_principale_naf25, date_creation, "
        "etat_administratif = 'A'"
    )
    rows = set(base.open_rows("insee__unite_legale", columns))
    assert expected <= rows
    assert {row[0] for row in rows - expected} == {"238307776"}


def test_legal_units_from_before_naf_2025_load_too(base: Base, formats: Path) -> None:
    """The current upstream requires the NAF 2025 column: older files fail."""
    account = load(base, formats / OLD / "sirene_ul/sireneULTestData.csv")
    assert (account.status, account.loaded) == ("loaded", 4)


def test_history_of_establishments(base: Base, formats: Path) -> None:
    load(base, formats / "sirene_histo/sireneHistoTestData.csv")
    expected = [
        (
            t["siret"],
            day(t["date_debut"]),
            day(t.get("date_fin")),
            t.get("est_actif", False),
            t["changement_statut_actif"],
        )
        for t in golden(formats / "sirene_histo/expectedSireneHisto.json")
    ]
    columns = "siret, date_debut, date_fin, etat_administratif = 'A', changement_etat"
    assert base.open_rows("insee__etablissement_historique", columns) == expected


def test_supplier_delays_and_the_date_in_american_order(base: Base, formats: Path) -> None:
    account = load(base, formats / "paydex/paydexTestData.csv")
    expected = [(day(t["date_valeur"]), t["nb_jours"]) for t in golden(formats / "paydex/expectedPaydex.json")]
    assert base.open_rows("altares__paydex", "date_valeur, nb_jours") == expected
    assert [(row[0], row[4]) for row in base.quarantine(account)] == [(4, "01/15/2019")]


def test_a_stock_of_supplier_delays_with_a_header_only_is_an_empty_increment(base: Base, formats: Path) -> None:
    account = base.deliver(formats / "altares/fichierStockVide.csv", received=RECEIVED, source="altares__paydex")
    assert (account.status, account.lines) == ("loaded", 0)


def test_ratios_of_the_banque_de_france(base: Base, formats: Path) -> None:
    load(base, formats / "bdf/bdfTestData.csv")
    expected = [
        (
            t["siren"], t["annee_bdf"], day(t["arrete_bilan_bdf"]), t["secteur"],
            *(Decimal(str(t[n])) for n in ("poids_frng", "taux_marge", "delai_fournisseur", "dette_fiscale",
                                           "financier_court_terme", "frais_financier")),
        )
        for t in golden(formats / "bdf/expectedBdfOutput.json")
    ]  # fmt: skip
    columns = (
        "siren, annee, arrete_bilan, secteur, poids_frng, taux_marge, delai_fournisseurs, poids_dettes_fiscales_sociales, "
        "poids_financement_court_terme, poids_frais_financiers"
    )
    assert base.open_rows("banque_de_france__ratio", columns) == expected


def test_ratios_of_published_accounts_behind_a_byte_order_mark(base: Base, shared_data: Path) -> None:
    account = base.deliver(shared_data / "ratios_inpi_bce/ratios_inpi_bce_head.csv", received=RECEIVED)
    assert (account.loaded, account.rejected) == (1, 0)
    columns = "siren, date_cloture_exercice, chiffre_affaires_eur, taux_d_endettement, type_bilan, confidentialite"
    assert base.open_rows("inpi__ratio", columns) == [
        ("316742980", date(2024, 12, 31), Decimal("10418682.00"), Decimal("229.975"), "C", "Public")
    ]


def test_the_real_notices_of_february_2026_are_all_accounted_for(base: Base, shared_data: Path) -> None:
    account = base.deliver(shared_data / "bodacc/flat_no_names.csv", received=date(2026, 3, 2))
    assert (account.lines, account.loaded, account.out_of_scope, account.rejected) == (4220, 3916, 304, 0)
    assert account.rejects_by_rule == {"sans_siren": 304}
    assert base.query("select count(*) from raw.bodacc__annonce where _known_from = date_parution") == [(3916,)]
    openings = "select count(*) from raw.bodacc__annonce where jugement_famille = 'Jugement d''ouverture'"
    assert base.query(openings)[0][0] < 1346


@pytest.mark.parametrize("name", ["StockEtablissement_utf8_geo.csv.gz", "StockUniteLegale_utf8.zip"])
def test_official_stock_files_load_compressed_with_real_identifiers(base: Base, shared_data: Path, name: str) -> None:
    """The upstream parsers do not know these names compressed."""
    account = base.deliver(shared_data / "sirene/goSirene_2024" / name, received=RECEIVED)
    assert (account.status, account.rejected, account.loaded) == ("loaded", 0, account.lines)
    assert account.lines > 30


def test_the_notices_of_the_open_data_api_and_those_of_other_families(base: Base, shared_data: Path) -> None:
    """`jugement` is JSON inside a string, `registre` two spellings of one SIREN; a creation is not a procedure."""
    account = base.deliver(
        shared_data / "bodacc/api_v21_records_2026_09.json", received=date(2026, 9, 10), source="bodacc__annonce"
    )
    assert (account.lines, account.loaded, account.out_of_scope, account.rows_opened) == (3, 2, 1, 2)
    assert [(row[0], row[2], row[4]) for row in base.quarantine(account)] == [(3, "familleavis", "creation")]
    columns = "date_parution, numero_annonce, siren, famille_avis, jugement_type, jugement_nature, jugement_date"
    opening = "Jugement d'ouverture de liquidation judiciaire"
    assert base.open_rows("bodacc__annonce", columns) == [
        (date(2026, 9, 9), "1671", "853479236", "collective", "initial", opening, date(2026, 8, 31)),
        (date(2026, 9, 9), "1583", "502592959", "collective", "initial", "Jugement d'interdiction de gérer", date(2026, 9, 3)),
    ]  # fmt: skip


DIANE = {
    "date_cloture": "arrete_bilan_diane", "nombre_mois": "nombre_mois", "chiffre_affaires_keur": "ca",
    "chiffre_affaires_export_keur": "ca_exportation", "production_keur": "production", "consommation_keur": "consommation",
    "valeur_ajoutee_keur": "valeur_ajoutee", "charges_personnel_keur": "charge_personnel",
    "ebe_keur": "excedent_brut_d_exploitation", "dotations_amortissements_keur": "dotation_amortissement",
    "resultat_exploitation_keur": "resultat_expl", "produits_financiers_keur": "produits_financiers",
    "charges_financieres_keur": "charges_financieres", "resultat_courant_keur": "resultat_avant_impot",
    "resultat_net_keur": "benefice_ou_perte", "dettes_fiscales_sociales_keur": "dette_fiscale_et_sociale",
    "concours_bancaires_keur": "concours_bancaire_courant", "independance_financiere": "independance_financiere",
    "endettement": "endettement", "autonomie_financiere": "autonomie_financiere", "liquidite_generale": "liquidite_generale",
    "liquidite_reduite": "liquidite_reduite", "rotation_stocks_jours": "rotation_stocks", "credit_clients_jours": "credit_client",
    "credit_fournisseurs_jours": "credit_fournisseur", "taux_endettement": "taux_endettement",
    "capacite_remboursement": "capacite_remboursement", "capacite_autofinancement": "capacite_autofinancement",
    "poids_bfr_exploitation": "poids_bfr_exploitation", "rentabilite_economique": "rentabilite_economique",
    "rentabilite_nette": "rentabilite_nette", "taux_valeur_ajoutee": "taux_valeur_ajoutee",
}  # fmt: skip


def test_accounts_of_447_columns_are_one_row_per_company_and_year(base: Base, formats: Path) -> None:
    """UTF-16, decimal comma, headers that differ by a double space. A year without any figure gives no row."""
    account = load(base, formats / "diane/dianeTestData.txt")
    assert (account.encoding, account.lines, account.loaded, account.rejected) == ("utf-16-le", 3, 3, 0)
    expected = []
    for t in golden(formats / "diane/expectedDiane.json"):
        values = [t.get(name) for name in DIANE.values()]
        values[0] = None if values[0].startswith("0001") else day(values[0])  # the zero date of Go
        if any(value is not None for value in values):
            exact = (Decimal(str(value)) if isinstance(value, float) else value for value in values)
            expected.append((t["numero_siren"], t["exercice_diane"], *exact))
    assert len(expected) == 15
    rows = base.open_rows("diane__bilan", f"siren, exercice, {', '.join(DIANE)}", "_line, exercice")
    assert rows == expected
    assert base.open_rows("diane__bilan", "distinct nombre_etablissements_secondaires, taille_groupe", "1") == [
        (t.get("nombre_etab_secondaire"), t.get("taille_compo_groupe"))
        for t in sorted(golden(formats / "diane/expectedDiane.json")[::6], key=lambda t: t["nombre_etab_secondaire"])
    ]


def test_the_header_of_the_real_accounts_is_read_with_its_typographic_apostrophe(base: Base, formats: Path) -> None:
    account = base.deliver(formats / "diane/2009_2-Diane_Export_1-header.txt", received=RECEIVED, source="diane__bilan")
    assert (account.status, account.lines) == ("loaded", 0)
    assert account.layout is not None
    assert "absentes" not in account.layout


def test_groups_come_in_a_workbook_whose_header_is_not_a_reject(base: Base, formats: Path) -> None:
    """Upstream read the columns by position and its header as a bad line."""
    account = base.deliver(
        formats / "ellisphere/ellisphereTestData.excel",
        received=RECEIVED, source="ellisphere__groupe", identity="format",
    )  # fmt: skip
    assert (account.lines, account.loaded, account.rejected) == (6, 6, 0)
    expected = [
        (
            t["code_groupe"], t.get("siren_groupe"), t["refid_groupe"], t["personne_pou_m_groupe"], t["niveau_detention"],
            Decimal(str(t["part_financiere"])), t["code_filiere"], t["refid_filiere"], t["personne_pou_m_filiere"],
        )
        for t in golden(formats / "ellisphere/expectedEllisphere.json")
    ]  # fmt: skip
    columns = (
        "code_groupe, siren_groupe, reference_groupe, type_personne_groupe, niveau_detention, part_financiere, "
        "code_filiale, reference_filiale, type_personne_filiale"
    )
    assert base.open_rows("ellisphere__groupe", columns) == expected
    assert base.query("select distinct _known_from from raw.ellisphere__groupe") == [(RECEIVED,)]


def test_procedures_sold_by_altares(base: Base, formats: Path) -> None:
    load(base, formats / "altares/altaresTestData.csv")
    expected = [
        (day(t["date_effet"]), day(t["date_parution"]), t["code_journal"], t["code_evenement"])
        for t in golden(formats / "altares/expectedAltaresOutput.json")
    ]
    columns = "date_effet, date_parution, code_journal, code_evenement"
    assert base.open_rows("altares__procedure", columns) == expected
