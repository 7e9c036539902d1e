"""Layouts of which no sample is at hand, written from the description of their producers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from delivery_base import Base

INCREMENT = (
    "Référence Client;Siren;Siret;Raison sociale 1;Raison sociale 2;Enseigne;Sigle;Complément d'adresse;Adresse;"
    "Distribution spéciale;Code postal et bureau distributeur;Pays;Code postal;Ville;Qualité Etablissement;"
    "Code type d'établissement;Libellé type d'établissement;Etat d'activité établissement;Etat d'activité entreprise;"
    "Etat de procédure collective;Diffusible;Paydex;Retard moyen de paiements (j);Nombre de fournisseurs analysés;"
    "Montant total des encours étudiés (€);Montant total des encours échus non réglés (€);FPI 30+;FPI 90+;"
    "Code du mouvement;Libellé du mouvement;Date d'effet du mouvement;\n"
)


def increment(footer: str) -> bytes:
    """Two movements in ISO-8859-15, which has the euro sign, then a last line."""
    line = ";{siren};;SOCIÉTÉ;;;;;;;;FRANCE;;;;;;;Actif;;O;70;{days};5;1000;10;12;3,5;M;Mise à jour;2024-03-31;\n"
    lines = [line.format(siren=siren, days=days) for siren, days in (("012345674", 12), ("023456783", 0))]
    return (INCREMENT + "".join(lines) + footer).encode("iso-8859-15")


def test_the_monthly_increment_of_supplier_delays_is_read_up_to_its_footer(base: Base) -> None:
    account = base.deliver(increment("Fin du fichier : total 2 ligne(s);\n"), "paydex_increment.csv")
    assert (account.lines, account.loaded, account.rejected, account.encoding) == (2, 2, 0, "iso-8859-15")
    columns = "siren, nb_jours, nb_fournisseurs, note_fpi_30, note_fpi_90, date_valeur"
    assert base.open_rows("altares__paydex", columns) == [
        ("012345674", 12, 5, 12, Decimal("3.5"), date(2024, 3, 31)),
        ("023456783", 0, 5, 12, Decimal("3.5"), date(2024, 3, 31)),
    ]


@pytest.mark.parametrize(
    ("footer", "rule"),
    [
        ("Fin du fichier : total 3 ligne(s);\n", "nombre_de_lignes"),
        ("", "fin_absente"),
        ("Fin du fichier : total 2 ligne(s);\n;034567891;;;;;;;;;;;;;;;;;;;;70;1;5;;;;;;;2024-03-31;\n", "fin_absente"),
        ("Fin du fichier : total 2 ligne(s);\nFin du fichier : total 2 ligne(s);\n", "nombre_de_lignes"),
    ],
    ids=["another number", "cut", "lines after the end", "two ends"],
)
def test_an_increment_that_its_footer_does_not_confirm_is_refused(base: Base, footer: str, rule: str) -> None:
    """The number was logged and never compared: half a file loaded as a whole one."""
    account = base.deliver(increment(footer), "paydex_increment.csv")
    assert (account.status, account.loaded) == ("refused", 0)
    assert f"(règle {rule})" in str(account.reason)
    assert account.lines == 2 + footer.count("\n")
    assert base.query("select count(*) from raw.altares__paydex") == [(0,)]


def test_a_stock_of_supplier_delays_needs_no_footer(base: Base) -> None:
    stock = (
        "SIREN;ETAT_ORGANISATION;CODE_PAYDEX;PAYDEX;NBR_JRS_RETARD;NBR_FOURNISSEURS;ENCOURS_ETUDIES;NBR_EXPERIENCES_PAIEMENT;"
        "NOTE100_ALERTEUR_PLUS_30;NOTE100_ALERTEUR_PLUS_90_JOURS;DATE_VALEUR\n012345674;Actif;070;70;15;4;;;20;5;15/01/2024\n"
    )
    assert base.deliver(stock, "stock_paydex.csv").loaded == 1
    columns = "nb_jours, nb_fournisseurs, note_fpi_30, date_valeur"
    assert base.open_rows("altares__paydex", columns) == [(15, 4, 20, date(2024, 1, 15))]


DIANE = (
    '"Marquée";"Numéro Siren";"Nombre d\'ES";"Chiffre d\'affaires net (H.T.) kEUR 2017";'
    '"Chiffre d\'affaires  net (H.T.) kEUR 2016";"Bénéfice ou perte kEUR 2017"\r\n'
)


def test_accounts_put_one_after_the_other_repeat_their_header_and_no_year_borrows_a_column(base: Base) -> None:
    """A year missing for an indicator took the value of the column « Marquée »."""
    text = DIANE + '"6";"012345674";"2";"10,5";"9";"-1"\r\n' + DIANE + '"8";"023456783";"0";"";"0";""\r\n'
    account = base.deliver(text.encode("utf-16"), "Diane_Export_1.txt")
    assert (account.lines, account.loaded, account.rejects_by_rule) == (3, 2, {"entete_repetee": 1})
    assert [(row[0], row[1]) for row in base.quarantine(account)] == [(3, "hors_perimetre")]
    columns = "siren, exercice, chiffre_affaires_keur, resultat_net_keur"
    assert base.open_rows("diane__bilan", columns, "siren, exercice") == [
        ("012345674", 2016, 9, None),
        ("012345674", 2017, Decimal("10.5"), -1),
        ("023456783", 2016, 0, None),
    ]


def test_an_unreadable_figure_rejects_the_company_and_names_its_year(base: Base) -> None:
    """All errors were swallowed and the value left empty."""
    account = base.deliver(DIANE + '"";"012345674";"2";"10";"n.d.";"-1"\r\n', "diane.csv")
    assert (account.loaded, account.rejects_by_rule) == (0, {"nombre": 1})
    [(line, _, column, rule, value, _, _)] = base.quarantine(account)
    assert (line, column, rule, value) == (2, "Chiffre d'affaires  net (H.T.) kEUR 2016", "nombre", "n.d.")


def test_ratios_of_the_banque_de_france_write_their_months_in_french_too(base: Base) -> None:
    header = (
        "D1;ANNEE;ARRETE_BILAN;SECTEUR;POIDS_FRNG;TX_MARGE;DELAI_FRS;POIDS_DFISC_SOC;POIDS_FIN_CT;POIDS_FRAIS_FIN\n"
    )
    months = ["31janv2012", "29févr2012", "31déc2012", "31août2012", "31DEC2013", "30 juin 2014"]
    lines = [f"012 345 674;2012;{month};;-37,5;;;;;\n" for month in months]
    assert base.deliver((header + "".join(lines)).encode("iso-8859-15"), "bdf.csv").loaded == 6
    assert base.open_rows("banque_de_france__ratio", "arrete_bilan", "_line") == [
        (date(2012, 1, 31),), (date(2012, 2, 29),), (date(2012, 12, 31),), (date(2012, 8, 31),), (date(2013, 12, 31),),
        (date(2014, 6, 30),),
    ]  # fmt: skip


SIRENE = (
    "siren,statutDiffusionUniteLegale,dateCreationUniteLegale,nomUniteLegale,prenom1UniteLegale,denominationUniteLegale,"
    "categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,nomenclatureActivitePrincipaleUniteLegale,"
    "etatAdministratifUniteLegale{naf25}\n012345674,P,2010-01-01,[ND],[ND],,1000,43.21A,NAFRev2,A{code}\n"
    "023456783,O,2010-01-01,,,SOCIETE FICTIVE,5710,[ND],NAFRev2,A{code}\n"
)


def test_a_masked_cell_is_empty_and_the_company_says_that_it_is_masked(base: Base) -> None:
    """« [ND] » was taken for a name, and for an activity that no nomenclature has."""
    base.deliver(SIRENE.format(naf25="", code=""), "sireneUL.csv")
    columns = "siren, statut_diffusion, nom, prenom, denomination, activite_principale, activite_principale_naf25"
    assert base.open_rows("insee__unite_legale", columns) == [
        ("012345674", "P", None, None, None, "43.21A", None),
        ("023456783", "O", None, None, "SOCIETE FICTIVE", None, None),
    ]
    later = SIRENE.format(naf25=",activitePrincipaleNAF25UniteLegale", code=",43.21H")
    account = base.deliver(later, "sireneUL.csv", received=date(2026, 2, 15))
    assert (account.rows_opened, account.rows_closed) == (2, 2)
    assert base.open_rows("insee__unite_legale", "distinct activite_principale_naf25", "1") == [("43.21H",)]


def test_a_first_column_without_a_name_hides_no_line_and_no_repeated_header(base: Base) -> None:
    """Index columns of pandas have no name: comparing their cells with nothing stopped the whole load."""
    header = ";SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
    text = f"{header}0;012345674;2;2 jours;15/12/2018\n{header};023456783;3;3 jours;15/12/2018\n"
    account = base.deliver(text, "paydex_1.csv")
    assert (account.lines, account.loaded, account.rejects_by_rule) == (3, 2, {"entete_repetee": 1})
