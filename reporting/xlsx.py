"""The report as an Excel workbook: typed cells, auto-filters, frozen headers, and no cell that Excel could execute.

Formula and URL conversion are off and every text goes through `write_string`, so a name such as `=HYPERLINK(…)` or
`+33…` stays a text (CWE-1236). Metadata are constant and dated from the report's month: same report, same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Literal

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from reporting import french, nomenclature
from reporting.model import Company, MonthlyReport

Kind = Literal["text", "integer", "decimal", "euros", "share", "date", "month"]
Value = str | int | float | date | None

EXCEL_TEXT_LIMIT = 32_767
"""Longest text that a cell holds; a longer one is cut, with « … », rather than silently dropped by the writer."""

EXCEL_FIRST_YEAR = 1900
"""A date before it, such as the creation of an old company, is written as a text: Excel shows only #####."""

_FORMATS: dict[Kind, dict[str, object]] = {
    "text": {},
    "integer": {"num_format": "#,##0"},
    "decimal": {"num_format": "#,##0.00"},
    "euros": {"num_format": "#,##0.00\u00a0€"},
    "share": {"num_format": "0.0%"},
    "date": {"num_format": "dd/mm/yyyy"},
    "month": {"num_format": "mm/yyyy"},
}
_THEMES = ("Effectif", "Données financières", "Dettes sociales", "Activité partielle", "Contexte")


@dataclass(frozen=True)
class Column:
    """A column of a sheet: header, how its cells are typed, width in characters."""

    header: str
    kind: Kind = "text"
    width: int = 14


@dataclass(frozen=True)
class Sheet:
    """A sheet: its columns and its rows, in order."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Value]]


def render(report: MonthlyReport) -> bytes:
    """Bytes of the workbook of `report`: sheets Entreprises, Raisons, Clignotants, Offres, Séries, Fraîcheur, Paramètres."""
    buffer = BytesIO()
    workbook = xlsxwriter.Workbook(
        buffer,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    _set_metadata(workbook, report)
    for sheet in _sheets(report):
        _write_sheet(workbook, sheet)
    workbook.close()
    return buffer.getvalue()


def _set_metadata(workbook: Workbook, report: MonthlyReport) -> None:
    simulation = "SIMULATION – " if report.simulation else ""
    workbook.set_properties(
        {
            "title": f"{simulation}Vigie – {report.territoire_libelle} – {french.month(report.month)}",
            "subject": "Entreprises nouvellement détectées",
            "author": "Vigie",
            "comments": "Document protégé par le secret professionnel.",
            "created": datetime(report.month.year, report.month.month, 1, tzinfo=UTC),
        }
    )


def _sheets(report: MonthlyReport) -> tuple[Sheet, ...]:
    return (
        _companies_sheet(report),
        _reasons_sheet(report),
        _clignotants_sheet(report),
        _offers_sheet(report),
        _series_sheet(report),
        _freshness_sheet(report),
        _parameters_sheet(report),
    )


def _write_sheet(workbook: Workbook, sheet: Sheet) -> None:
    worksheet = workbook.add_worksheet(sheet.name)
    header = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EFF8", "bottom": 1})
    formats = [workbook.add_format(_FORMATS[column.kind]) for column in sheet.columns]
    for index, column in enumerate(sheet.columns):
        worksheet.set_column(index, index, column.width)
        worksheet.write_string(0, index, column.header, header)
    last = 0
    for last, row in enumerate(sheet.rows, start=1):
        for index, (value, cell_format) in enumerate(zip(row, formats, strict=True)):
            _write_cell(worksheet, last, index, value, cell_format)
    worksheet.freeze_panes(1, 0)
    worksheet.autofilter(0, 0, last, len(sheet.columns) - 1)
    # Identifiers are digits kept as text (leading zeros): no green triangle to invite the reader to convert them.
    worksheet.ignore_errors({"number_stored_as_text": f"A1:XFD{last + 1}"})
    worksheet.set_landscape()
    worksheet.set_paper(9)
    worksheet.fit_to_pages(1, 0)
    worksheet.repeat_rows(0)


def _write_cell(worksheet: Worksheet, row: int, column: int, value: Value, cell_format: Format) -> None:
    if value is None:
        worksheet.write_blank(row, column, None, cell_format)
    elif isinstance(value, str):
        worksheet.write_string(row, column, _fitting(value), cell_format)
    elif isinstance(value, date) and value.year < EXCEL_FIRST_YEAR:
        worksheet.write_string(row, column, f"{value:%d/%m/%Y}", cell_format)
    elif isinstance(value, date):
        worksheet.write_datetime(row, column, value, cell_format)
    else:
        worksheet.write_number(row, column, value, cell_format)


def _fitting(text: str) -> str:
    return text if len(text) <= EXCEL_TEXT_LIMIT else text[: EXCEL_TEXT_LIMIT - 1] + "…"


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "Oui" if value else "Non"


_COMPANY_COLUMNS: tuple[tuple[Column, Callable[[MonthlyReport, Company], Value]], ...] = (
    (Column("Liste de détection", "month", 10), lambda report, _: report.month),
    (Column("Rang", "integer", 7), lambda _, company: company.rang),
    (Column("À contacter ce mois-ci", "text", 12), lambda _, company: _yes_no(company.retenue)),
    (Column("Siren", "text", 11), lambda _, company: company.siren),
    (Column("Siret (siège)", "text", 17), lambda _, company: company.siret_siege),
    (Column("Raison sociale", "text", 38), lambda _, company: company.nom),
    (Column("Code département", "text", 13), lambda _, company: company.departement),
    (Column("Commune", "text", 22), lambda _, company: company.libelle_commune),
    (Column("Date de création", "date", 12), lambda _, company: company.date_creation),
    (Column("Forme juridique", "text", 28), lambda _, company: nomenclature.legal_form(company.categorie_juridique)),
    (Column("Dernier effectif entreprise", "integer", 12), lambda _, company: company.effectif),
    (Column("Tranche d’effectif", "text", 18), lambda _, company: nomenclature.size_class(company.tranche_effectif)),
    (Column("Dette sociale", "euros", 15), lambda _, company: company.dette_eur),
    (Column("Dont part salariale", "euros", 15), lambda _, company: company.dette_part_ouvriere_eur),
    (Column("Dont part patronale", "euros", 15), lambda _, company: company.dette_part_patronale_eur),
    (Column("Code secteur", "text", 9), lambda _, company: _section(company)),
    (Column("Libellé secteur", "text", 30), lambda _, company: nomenclature.NAF_SECTIONS.get(_section(company) or "")),
    (Column("Code NAF", "text", 10), lambda _, company: company.naf),
    (Column("Libellé NAF", "text", 36), lambda _, company: company.naf_libelle),
    (Column("Niveau d’alerte", "text", 16), lambda _, company: company.alerte),
    (Column("Alerte de la liste précédente", "text", 16), lambda _, company: company.alerte_precedente),
    (Column("Nouveauté", "text", 18), lambda _, company: nomenclature.novelty_word(company.motif_nouveaute)),
    (Column("Première alerte", "month", 11), lambda _, company: company.premiere_alerte_le),
    (Column("Alertes dans les 4 dernières listes", "integer", 12), lambda _, company: company.nb_alertes_4_listes),
    (Column("Probabilité à 12 mois", "share", 12), lambda _, company: company.p12),
    (Column("Probabilité à 18 mois", "share", 12), lambda _, company: company.p18),
    (Column("Probabilité à 24 mois", "share", 12), lambda _, company: company.p24),
    (Column("Délai de paiement Urssaf", "text", 12), lambda _, company: _yes_no(company.a_delai)),
    (Column("Activité partielle 12 mois (ETP)", "decimal", 12), lambda _, company: company.ap_etp_consomme_12m),
    (Column("Premier contact", "text", 20), lambda _, company: _first_offer(company, "administration")),
    (Column("Offre proposée", "text", 32), lambda _, company: _first_offer(company, "offre")),
)


def _section(company: Company) -> str | None:
    return company.naf_section or nomenclature.naf_section(company.naf)


def _first_offer(company: Company, field: Literal["administration", "offre"]) -> str | None:
    offers = company.ranked_offers
    return getattr(offers[0], field) if offers else None


def _theme_contribution(company: Company, theme: str) -> float | None:
    """Sum of the contributions shown for `theme`, in log-odds; None when none is shown."""
    found = [reason.contribution for reason in company.reasons if reason.theme == theme]
    return sum(found) if found else None


def _companies_sheet(report: MonthlyReport) -> Sheet:
    themes = [Column(f"Contribution : {theme}", "decimal", 13) for theme in _THEMES]
    return Sheet(
        "Entreprises",
        [*(column for column, _ in _COMPANY_COLUMNS), *themes],
        [
            [
                *(value(report, company) for _, value in _COMPANY_COLUMNS),
                *(_theme_contribution(company, theme) for theme in _THEMES),
            ]
            for company in report.companies
        ],
    )


def _reasons_sheet(report: MonthlyReport) -> Sheet:
    columns = [
        Column("Siren", "text", 11), Column("Raison sociale", "text", 38), Column("Ordre", "integer", 7),
        Column("Thème", "text", 22), Column("Raison", "text", 80), Column("Sens", "text", 11),
        Column("Contribution (log-cote)", "decimal", 13),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [company.siren, company.nom, order, reason.theme, reason.phrase, reason.sens, reason.contribution]
        for company in report.companies
        for order, reason in enumerate(company.aggravating + company.favourable, start=1)
    ]
    return Sheet("Raisons", columns, rows)


def _clignotants_sheet(report: MonthlyReport) -> Sheet:
    columns = [
        Column("Siren", "text", 11), Column("Raison sociale", "text", 38), Column("Clignotant allumé", "text", 80),
        Column("Origine", "text", 12), Column("Procédure à 18 mois quand il est allumé", "share", 16),
        Column("Procédure à 18 mois dans l’ensemble", "share", 16),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [company.siren, company.nom, lit.phrase, lit.origine, lit.precision_18m, lit.taux_de_base_18m]
        for company in report.companies
        for lit in company.clignotants
    ]
    return Sheet("Clignotants", columns, rows)


def _offers_sheet(report: MonthlyReport) -> Sheet:
    columns = [
        Column("Siren", "text", 11), Column("Raison sociale", "text", 38), Column("Priorité", "integer", 9),
        Column("Premier contact", "text", 10), Column("Administration", "text", 24), Column("Offre", "text", 40),
        Column("Motif", "text", 60),
    ]  # fmt: skip
    rows = [
        [
            company.siren,
            company.nom,
            offer.priorite,
            _yes_no(first == 0),
            offer.administration,
            offer.offre,
            offer.motif,
        ]
        for company in report.companies
        for first, offer in enumerate(company.ranked_offers)
    ]
    return Sheet("Offres", columns, rows)


def _series_sheet(report: MonthlyReport) -> Sheet:
    columns = [
        Column("Siren", "text", 11), Column("Raison sociale", "text", 38), Column("Mois", "month", 10),
        Column("Effectif", "integer", 10), Column("Dette, part salariale", "euros", 15),
        Column("Dette, part patronale", "euros", 15), Column("Activité partielle (ETP)", "decimal", 12),
    ]  # fmt: skip
    rows = [
        [company.siren, company.nom, point.periode, point.effectif, point.dette_po, point.dette_pp, point.ap_etp]
        for company in report.companies
        for point in company.series
    ]
    return Sheet("Séries", columns, rows)


def _freshness_sheet(report: MonthlyReport) -> Sheet:
    columns = [
        Column("Source", "text", 26), Column("Libellé", "text", 44), Column("Producteur", "text", 20),
        Column("État", "text", 14), Column("Âge (jours)", "integer", 9), Column("Dernière livraison", "date", 12),
        Column("Dernière période", "month", 12), Column("Lignes", "integer", 12), Column("Rejets", "integer", 10),
    ]  # fmt: skip
    rows: list[list[Value]] = []
    for source in report.freshness:
        state = "Jamais reçue" if source.missing else "En retard" if source.en_retard else "À jour"
        rows.append(
            [source.source, source.libelle, source.producteur, state, source.age_jours, source.derniere_livraison,
             source.derniere_periode, source.lignes, source.rejets]
        )  # fmt: skip
    rows.extend([None, label, None, "Jamais reçue", None, None, None, None, None] for label in report.missing_sources)
    return Sheet("Fraîcheur", columns, rows)


def _parameters_sheet(report: MonthlyReport) -> Sheet:
    counts = report.counts
    rows: list[list[Value]] = [
        ["Nature des données", "SIMULATION : données fictives" if report.simulation else "Données réelles"],
        ["Mois", french.month(report.month)],
        ["Territoire", f"{report.territoire_libelle} ({report.territoire_code})"],
        ["Région", report.region_libelle or report.region_code],
        ["Entreprises listées", "Nouvelles détections du mois, retenues d’abord, puis par risque décroissant"],
        ["Capacité de contact par mois", "non déclarée" if report.capacite is None else report.capacite],
        ["Modèle", report.model_id],
        ["Seuil d’alerte forte F1 (probabilité à 18 mois)", report.seuil_f1],
        ["Seuil d’alerte modérée F2 (probabilité à 18 mois)", report.seuil_f2],
        ["Entreprises suivies", counts.nb_suivies],
        ["Alertes fortes", counts.nb_f1],
        ["Alertes modérées", counts.nb_f2],
        ["Nouvelles détections", counts.nb_nouvelles],
        ["Premières alertes", counts.nb_premieres],
        ["Aggravations", counts.nb_aggravations],
        ["Retours", counts.nb_retours],
        ["Autres entrées", "non comptées" if counts.nb_autres_entrees is None else counts.nb_autres_entrees],
        ["Sorties", counts.nb_sorties],
        ["À contacter ce mois-ci", counts.nb_retenues],
        ["Contribution", "En log-cote : positive, elle augmente le risque ; somme des raisons affichées par thème"],
        [
            "Secret professionnel",
            "Réservé aux agents habilités au niveau A pour ce territoire (article 226-13 du code pénal)",
        ],
    ]
    return Sheet("Paramètres", [Column("Paramètre", "text", 50), Column("Valeur", "text", 80)], rows)
