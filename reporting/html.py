"""The report as one self-contained HTML page, and the index of a month.

No script, no request to anywhere (a Content-Security-Policy in the page forbids both), everything escaped by Jinja2.
Follows RGAA 4.1: language, title, headings in order, landmarks, skip link, table twin of every chart, `caption` and
`scope`, meaning never carried by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reporting import charts, department_map, french, nomenclature
from reporting.glossary import TERMS
from reporting.model import Company, MonthlyReport, Offer

TEMPLATES = Path(__file__).parent / "templates"

STRONG_EFFECT, MODERATE_EFFECT = 0.7, 0.3
"""Log-odds from which a reason has a strong effect (it doubles the odds) or a moderate one (it raises them by 35 %)."""


@dataclass(frozen=True)
class Sparkline:
    """A small chart of one measure and the words that say the same."""

    title: str
    latest: str
    words: str
    svg: Markup | None


@dataclass(frozen=True)
class CompanyView:
    """A company and what the template needs besides: its charts, and its offers with the first contact apart."""

    company: Company
    dots: Markup
    times_average: int | None
    sparklines: tuple[Sparkline, ...]
    first_contact: Offer | None
    other_offers: tuple[Offer, ...]


def render(report: MonthlyReport) -> str:
    """HTML page of `report`, UTF-8 text ending with a newline. Pure: same report, same text."""
    base_rate = _base_rate(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            css=_style(),
            retained=[_company_view(company, base_rate) for company in report.retained],
            others=[_company_view(company, base_rate) for company in report.others],
            map=_map(report),
            map_credit=department_map.attribution(),
            alerts_chart=_alerts_chart(report),
            detections_chart=_detections_chart(report),
            terms=TERMS,
        )
    )


def render_index(reports: Sequence[MonthlyReport]) -> str:
    """Index page of one month: each territory with its counts and links to its files (`folder/file_stem.html|.xlsx`).

    Regions first, then départements, by code. Raises ValueError when `reports` is empty, mixes months, simulated and
    real reports, or holds a territory twice.
    """
    if len({(report.month, report.simulation) for report in reports}) != 1:
        raise ValueError("un sommaire porte sur un seul mois, tout simulé ou tout réel, avec au moins un rapport")
    if len({report.folder for report in reports}) != len(reports):
        raise ValueError("un territoire figure deux fois dans le sommaire")
    ordered = sorted(reports, key=lambda report: (report.territoire_type != "region", report.territoire_code))
    return _environment().get_template("index.html.j2").render(reports=ordered, report=ordered[0], css=_style())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=french.number, rounded=french.rounded, trimmed=french.trimmed, euros=french.euros, percent=french.percent, day=french.day,
        month=french.month, short_month=french.short_month, siren=french.siren, siret=french.siret,
        spaced=french.spaced, enumeration=french.enumeration, of=french.of, alert_word=nomenclature.alert_word,
        novelty_word=nomenclature.novelty_word, effect=effect_word,
    )  # fmt: skip
    environment.globals.update(
        plural=french.plural, counted=french.counted, probability_sentence=french.probability_sentence,
        out_of_hundred=french.out_of_hundred, hundred_words=french.hundred_words, legal_form=nomenclature.legal_form,
        size_class=nomenclature.size_class, activity=activity_words,
    )  # fmt: skip
    return environment


@cache
def _style() -> Markup:
    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))


def effect_word(contribution: float) -> str:
    """« effet fort », « effet moyen » or « effet faible » of a contribution in log-odds."""
    size = abs(contribution)
    return "effet fort" if size >= STRONG_EFFECT else "effet moyen" if size >= MODERATE_EFFECT else "effet faible"


def activity_words(company: Company) -> str:
    """« 25.62B – Mécanique industrielle »; falls back on the label of the NAF section, then on « non connue »."""
    section = company.naf_section or nomenclature.naf_section(company.naf)
    label = company.naf_libelle or nomenclature.NAF_SECTIONS.get(section or "")
    if not company.naf and not label:
        return "non connue"
    return " – ".join(words for words in (company.naf, label) if words)


def _base_rate(report: MonthlyReport) -> float | None:
    figures = report.method.horizon(18)
    return figures.taux_base if figures else None


def _company_view(company: Company, base_rate: float | None) -> CompanyView:
    offers = company.ranked_offers
    times = int(french.rounded(company.p18 / base_rate)) if base_rate else None
    return CompanyView(
        company=company,
        dots=charts.dots(company.p18, f"100 points, dont {french.out_of_hundred(company.p18)} remplis."),
        times_average=times if times and times >= 2 else None,
        sparklines=_sparklines(company),
        first_contact=offers[0] if offers else None,
        other_offers=offers[1:],
    )


def _sparklines(company: Company) -> tuple[Sparkline, ...]:
    return (_headcount_sparkline(company), _debt_sparkline(company), _partial_activity_sparkline(company))


def _headcount_sparkline(company: Company) -> Sparkline:
    values = [point.effectif for point in company.series]
    words = charts.known_range(values, 0)
    highest = french.rounded(max((value for value in values if value is not None), default=0.0))
    text = f"{words}{french.NO_BREAK}{french.plural(highest, 'salarié')}" if words else ""
    return Sparkline(
        "Effectif",
        _latest(company, values, lambda value: french.counted(int(french.rounded(value)), "salarié"), "non connu"),
        text,
        charts.line_sparkline(values, f"Effectif sur {len(values)} mois, {text}. Données dans le tableau qui suit."),
    )


def _debt_sparkline(company: Company) -> Sparkline:
    employee = [point.dette_po for point in company.series]
    employer = [point.dette_pp for point in company.series]
    totals = [
        None if po is None and pp is None else (po or 0.0) + (pp or 0.0)
        for po, pp in zip(employee, employer, strict=True)
    ]
    words = charts.known_range(totals, 0)
    text = f"{words}{french.NO_BREAK}€" if words else ""
    label = f"Dette sociale sur {len(totals)} mois, {text}. Données dans le tableau qui suit."
    svg = charts.bar_sparkline([("part-salariale", employee), ("part-patronale", employer)], label)
    return Sparkline("Dette sociale", _latest(company, totals, french.euros, "non connue"), text, svg)


def _partial_activity_sparkline(company: Company) -> Sparkline:
    values = [point.ap_etp for point in company.series]
    words = charts.known_range(values, 1)
    text = f"{words}{french.NO_BREAK}ETP" if words else ""
    label = f"Activité partielle sur {len(values)} mois, {text}. Données dans le tableau qui suit."
    return Sparkline(
        "Activité partielle",
        _latest(company, values, lambda value: f"{french.trimmed(value)}{french.NO_BREAK}ETP", "non connue"),
        text,
        charts.bar_sparkline([("activite-partielle", values)], label),
    )


def _latest(company: Company, values: Sequence[float | None], shown: Callable[[float], str], unknown: str) -> str:
    """The last known value, with its month when it is not the month of the report."""
    for point, value in zip(reversed(company.series), reversed(values), strict=True):
        if value is not None:
            is_last = point is company.series[-1]
            return shown(value) if is_last else f"{shown(value)} en {french.month(point.periode)}"
    return unknown


def _map(report: MonthlyReport) -> Markup | None:
    if not report.territories:
        return None
    own = report.territoire_code if report.territoire_type == "departement" else None
    label = "Carte du nombre d’entreprises nouvellement détectées par département. Données dans le tableau qui suit."
    return department_map.region_map(report.territories, label, own)


def _detections_chart(report: MonthlyReport) -> Markup | None:
    if not report.history:
        return None
    label = "Nouvelles détections par mois, en barres. Données dans le tableau qui suit."
    return charts.history_chart(report.history, [("barre", [point.nb_nouvelles for point in report.history])], label)


def _alerts_chart(report: MonthlyReport) -> Markup | None:
    if not report.history:
        return None
    label = (
        "Entreprises en alerte par mois, alertes fortes en bas et modérées en haut. Données dans le tableau qui suit."
    )
    layers = [
        ("barre-forte", [point.nb_f1 for point in report.history]),
        ("barre-moderee", [point.nb_f2 for point in report.history]),
    ]
    return charts.history_chart(report.history, layers, label)
