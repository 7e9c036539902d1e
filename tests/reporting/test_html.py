"""The HTML page of a report and the index of a month."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from page_structure import Page
from report_samples import (
    FRESHNESS,
    METHOD,
    company,
    department_report,
    report,
    siren,
)

from reporting import html
from reporting.model import NATURAL_PERSON, Clignotant, MethodFigures, MonthlyReport, Reason, SeriesPoint

NARROW, NO_BREAK = "\u202f", "\u00a0"


def one_company(**changes: object) -> MonthlyReport:
    return department_report((company(1, departement="21", **changes),))


REPORTS = {
    "region": report,
    "one company": one_company,
    "no company": department_report,
    "no history, no map, no source, no figure": lambda: department_report(
        history=(), territories=(), freshness=(), missing_sources=(), method=MethodFigures(), simulation=False
    ),
    "nothing known of the company": lambda: one_company(
        siret_siege=None, libelle_commune=None, naf=None, naf_libelle=None, tranche_effectif=None, effectif=None,
        dette_eur=None, dette_part_ouvriere_eur=None, dette_part_patronale_eur=None, a_delai=None, reasons=(),
        series=(), offers=(), premiere_alerte_le=None,
    ),
}  # fmt: skip


@pytest.fixture(params=REPORTS, ids=str)
def any_page(request: pytest.FixtureRequest) -> tuple[str, Page]:
    text = html.render(REPORTS[request.param]())
    return text, Page(text)


def test_every_page_is_closed_properly_and_says_its_language_and_title(any_page: tuple[str, Page]) -> None:
    text, page = any_page
    assert text.startswith("<!doctype html>")
    assert [element.attributes["lang"] for element in page.find("html")] == ["fr"]
    assert "Vigie" in page.find("title")[0].all_text


def test_headings_never_skip_a_level_and_there_is_one_first_level(any_page: tuple[str, Page]) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", any_page[0])]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_landmarks_and_skip_link_lead_to_the_content(any_page: tuple[str, Page]) -> None:
    _, page = any_page
    first_link = page.find("body")[0].find("a")[0]
    assert first_link.attributes["href"] == "#contenu"
    assert [element.attributes["id"] for element in page.find("main")] == ["contenu"]
    assert len(page.find("header")) == len(page.find("footer")) == 1
    assert all(element.attributes["aria-label"] for element in page.find("nav"))


def test_every_internal_link_has_its_target_and_no_id_is_used_twice(any_page: tuple[str, Page]) -> None:
    text, page = any_page
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    targets = [element.attributes["href"] for element in page.find("a")]
    assert all(target and target[0] == "#" and target[1:] in ids for target in targets)
    labelled = re.findall(r'aria-labelledby="([^"]+)"', text)
    assert labelled
    assert set(labelled) <= set(ids)


def test_the_page_asks_nothing_from_the_network_and_runs_no_script(any_page: tuple[str, Page]) -> None:
    text, page = any_page
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", text)
    assert not any(page.find(tag) for tag in ("script", "link", "img", "iframe", "object", "form"))
    policy = [meta.attributes["content"] for meta in page.find("meta") if "http-equiv" in meta.attributes]
    assert policy
    assert "default-src 'none'" in (policy[0] or "")
    assert "script-src" not in (policy[0] or "")


def test_every_chart_has_a_label_and_a_data_table_in_its_section(any_page: tuple[str, Page]) -> None:
    """A chart without its table twin fails RGAA criterion 1.6; decorative icons must be hidden instead."""
    _, page = any_page
    for section in [*page.find("section"), *page.find("article")]:
        charts = [svg for svg in section.find("svg") if svg.attributes.get("role") == "img"]
        assert all(svg.attributes.get("aria-label", "").strip() for svg in charts)
        if charts:
            assert section.find("table"), section.attributes
    assert all(
        svg.attributes.get("role") == "img" or svg.attributes.get("aria-hidden") == "true" for svg in page.find("svg")
    )


def test_what_came_and_went_is_counted_and_what_was_not_counted_is_not_said() -> None:
    """Without the other entries, the movements do not make the difference of two lists; a list that did not count them had not none."""
    sample = report()

    def movements(each: MonthlyReport) -> dict[str, str]:
        table = next(t for t in Page(html.render(each)).find("table") if "flux" in t.attributes.get("class", ""))
        return {row.find("th")[0].all_text: row.find("td")[0].all_text for row in table.find("tr")[1:]}

    assert movements(sample) == {
        "Premières alertes": str(sample.counts.nb_premieres), "Aggravations": str(sample.counts.nb_aggravations),
        "Retours": "3", "Autres entrées": "2", "Sorties": "9",
    }  # fmt: skip
    uncounted = sample.counts.model_copy(update={"nb_autres_entrees": None})
    assert "Autres entrées" not in movements(sample.model_copy(update={"counts": uncounted}))


def test_the_tables_of_charts_hold_the_values_of_the_charts() -> None:
    sample = report()
    page = Page(html.render(sample))
    tables = {table.find("caption")[0].all_text: table for table in page.find("table")}
    history = next(table for caption, table in tables.items() if caption.startswith("Nouvelles détections"))
    rows = [[cell.all_text for cell in row.find("td")] for row in history.find("tr")[1:]]
    assert rows == [[str(point.nb_nouvelles), str(point.nb_f1), str(point.nb_f2)] for point in sample.history]
    first = next(table for caption, table in tables.items() if caption.startswith(sample.companies[0].nom))
    assert len(first.find("tr")) == 25
    assert next(cell.all_text for cell in first.find("tr")[7].find("td")) == "n.c.", "an unknown headcount is not zero"


def test_every_table_has_a_caption_and_scoped_headers(any_page: tuple[str, Page]) -> None:
    _, page = any_page
    for table in page.find("table"):
        assert table.find("caption")[0].all_text.strip()
        assert table.find("th")
        assert all(cell.attributes.get("scope") in {"col", "row"} for cell in table.find("th"))


def test_golden_counts_of_the_region_are_on_the_cards() -> None:
    page = Page(html.render(report()))
    cards = next(element for element in page.find("dl") if element.attributes["class"] == "cartes-chiffres")
    words = [term.all_text for term in cards.find("dt")]
    figures = [figure.all_text for figure in cards.find("dd")]
    assert dict(zip(words, figures, strict=True)) == {
        "entreprises nouvellement détectées": "12",
        "à contacter ce mois-ci": "5",
        "alertes fortes": "84",
        "alertes modérées": "163",
        "sorties d’alerte": "9",
        "entreprises suivies": f"11{NARROW}482",
    }


def test_retained_companies_are_full_cards_in_order_and_the_others_are_short() -> None:
    page = Page(html.render(report()))
    cards = [element.attributes["id"] for element in page.find("article")]
    assert cards == [f"e-{siren(1_200_000 + rank)}" for rank in range(1, 6)]
    short = next(element for element in page.find("ol") if element.attributes["class"] == "autres")
    assert [li.attributes["id"] for li in short.find("li")] == [f"e-{siren(1_200_000 + r)}" for r in range(6, 13)]
    assert f"5{NO_BREAK}entreprises retenues sur 12 nouvellement détectées" in page.words


def test_a_lit_rule_comes_with_what_it_was_worth() -> None:
    """« Allumé » alone frightens; with too few cases nothing is claimed."""
    lit = (
        Clignotant(phrase="Deux exercices en perte", origine="Belgique", precision_18m=0.12, taux_de_base_18m=0.03),
        Clignotant(phrase="Liquidité faible", origine="Belgique", taux_de_base_18m=0.03),
    )
    words = Page(html.render(one_company(clignotants=lit))).words
    assert (
        f"Deux exercices en perte. Procédure dans les 18{NO_BREAK}mois{NO_BREAK}: 12{NO_BREAK}entreprises sur{NO_BREAK}100 quand il est "
        f"allumé, 3{NO_BREAK}entreprises sur{NO_BREAK}100 dans l’ensemble." in words
    )
    assert "Liquidité faible. Trop peu de cas pour dire ce que vaut ce signal." in words
    assert "Clignotants allumés" not in Page(html.render(one_company())).words


@pytest.mark.parametrize(("a_delai", "words"), [(None, "non connu"), (False, "aucun en cours"), (True, "en cours")])
def test_delais_that_were_never_delivered_are_not_said_to_be_none(a_delai: bool | None, words: str) -> None:
    assert f"Délai de paiement Urssaf{words} " in Page(html.render(one_company(a_delai=a_delai))).words


def test_the_sources_that_the_model_does_without_are_named() -> None:
    """A month scored without Altares reads like any other, unless the freshness box says it."""
    unused = tuple(each.model_copy(update={"est_ecartee": each.source == "altares__paydex"}) for each in FRESHNESS)
    words = Page(html.render(report(freshness=unused))).words
    assert (
        f"a été appris sans cette source, absente ou trop ancienne{NO_BREAK}: Retards de paiement aux fournisseurs."
        in words
    )
    assert "a été appris sans" not in Page(html.render(report())).words


def test_figures_follow_french_typography() -> None:
    page = Page(html.render(one_company(p12=0.05, p18=0.07, p24=0.09, dette_eur=1234567.4, effectif=1250)))
    assert (
        f"7{NO_BREAK}entreprises sur{NO_BREAK}100 dans cette situation ont connu une procédure collective"
        f" dans les 18{NO_BREAK}mois" in page.words
    )
    assert f"1{NARROW}234{NARROW}567{NO_BREAK}€" in page.words
    assert f"1{NARROW}250{NO_BREAK}salariés" in page.words
    assert "0,912" in page.words
    assert f"7{NARROW}%" in page.words
    visible = re.sub(r"<style>.*?</style>", "", html.render(report()), flags=re.S)
    assert not re.search(r"[0-9]\.[0-9]+ ?(%|€|ETP|sur)", visible), "a decimal point in a French figure"
    assert not re.search(r" [;!?»%€]|« ", Page(visible).text), "a breaking space before double punctuation"


def test_no_line_breaks_before_double_punctuation(any_page: tuple[str, Page]) -> None:
    assert not re.search(r" [;:!?%»€]|« ", any_page[1].text)


@pytest.mark.parametrize("categorie", [None, "1000"])
def test_the_name_of_a_natural_person_is_never_shown(categorie: str | None) -> None:
    """A sole trader's name in `denomination` must not reach the page when the legal category says who it is."""
    name = "PRENOM INVENTE NOM INVENTE" if categorie else None
    text = html.render(one_company(denomination=name, categorie_juridique=categorie))
    assert NATURAL_PERSON in text
    assert "NOM INVENTE" not in text


def test_hostile_texts_are_shown_as_text() -> None:
    payload = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    sample = one_company(
        denomination=payload, libelle_commune=payload, naf_libelle=payload, tranche_effectif=payload,
        reasons=(Reason(theme=payload, phrase=payload, contribution=1, sens="aggravant"),),
    )  # fmt: skip
    sample = sample.model_copy(update={"territoire_libelle": payload, "model_id": payload})
    for text in (html.render(sample), html.render_index([sample])):
        page = Page(text)
        assert not page.find("script")
        assert not page.find("img")
        assert payload in page.text


def test_a_mark_of_direction_in_a_name_does_not_turn_the_rest_of_the_line_round() -> None:
    """U+202E in a commune had the Siren beside it read backwards: another company would be called."""
    text = html.render(one_company(denomination="ATELIERS\u202e FICTIFS\x01", libelle_commune="Dijon\u2067"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x01]", text)
    assert "ATELIERS FICTIFS" in text


def test_a_month_without_new_company_says_so_and_says_who_stays_in_alert() -> None:
    words = Page(html.render(department_report())).words
    assert "Aucune entreprise nouvellement détectée ce mois-ci dans le département." in words
    assert f"247{NO_BREAK}entreprises sont en alerte sans être de nouvelles détections." in words
    assert "toutes les sources ne sont pas à jour" in words
    assert "à contacter, dans l’ordre" not in words.lower()


def test_a_value_that_is_not_of_the_month_says_its_month() -> None:
    headlines = [strong.all_text for strong in Page(html.render(one_company())).find("strong")]
    assert next(each for each in headlines if "ETP" in each).endswith(f"ETP en octobre{NO_BREAK}2025")
    assert any(each.endswith("salariés") for each in headlines)


def test_one_is_singular_and_two_are_plural() -> None:
    page = Page(html.render(one_company()))
    single = page.words
    assert page.find("dt")[0].all_text == "entreprise nouvellement détectée"
    assert [h2.all_text for h2 in page.find("h2")][2] == "Entreprise à contacter ce mois-ci"
    assert f"1{NO_BREAK}source en retard" in single
    assert "La nouvelle détection du mois est retenue" in single
    double = Page(html.render(report(tuple(company(rank) for rank in (1, 2))))).words
    assert "Toutes les nouvelles détections du mois sont retenues" in double


def test_counts_of_one_agree_in_every_sentence() -> None:
    """« Autres entreprises » above a single one, « Les 1 derniers mois », « 2 salarié » for 1.6 employees."""
    one = (company(1, departement="21", retenue=False),)
    none_fits = Page(html.render(department_report(one, capacite=0)))
    assert "d’en retenir aucune ce mois-ci. La voici. Les données" in none_fits.words
    assert none_fits.find("h2")[2].all_text == "Entreprise nouvellement détectée"
    both = Page(html.render(department_report((company(1), company(2, retenue=False)), capacite=1)))
    assert "Autre entreprise nouvellement détectée" in [h2.all_text for h2 in both.find("h2")]
    months = (SeriesPoint(periode=date(2025, 12, 1), effectif=1.6),)
    short = Page(html.render(one_company(effectif=1.6, series=months)))
    assert "Le dernier mois" in [h4.all_text for h4 in short.find("h4")]
    assert not re.search(r"2\u00a0salarié\b", short.words)
    assert f"stable à 2{NO_BREAK}salariés" in short.words


def test_late_and_missing_sources_are_said_in_words_at_the_top_and_in_their_section() -> None:
    words = Page(html.render(report())).words
    assert f"1{NO_BREAK}source en retard{NO_BREAK}: Effectifs des entreprises." in words
    assert "Ratios de la Banque de France et Retards de paiement aux fournisseurs" in words
    assert f"Effectifs des entreprises (100{NO_BREAK}jours)" in words
    fresh = Page(html.render(report(freshness=FRESHNESS[:1], missing_sources=()))).words
    assert "Toutes les sources sont à jour." in fresh
    assert "Données incomplètes" not in fresh


def test_a_capacity_of_zero_retains_nobody_and_says_why() -> None:
    listed = (company(1, retenue=False), company(2, retenue=False))
    text = html.render(report(listed, capacite=0))
    assert "ne permet d’en retenir aucune" in Page(text).words
    assert not Page(text).find("article")


def test_simulation_is_said_in_the_banner_the_title_and_the_footer_only_when_it_is_one() -> None:
    page = Page(html.render(report()))
    assert "SIMULATION" in page.find("title")[0].all_text
    assert "SIMULATION" in page.find("footer")[0].all_text
    assert any("Aucune de ces entreprises n’existe" in element.all_text for element in page.find("div"))
    real = html.render(report(simulation=False))
    assert "SIMULATION" not in real
    assert "fictives" not in real


def test_the_method_says_who_decides_and_what_the_law_asks() -> None:
    words = Page(html.render(report())).words
    for expected in ("un agent lit, vérifie et choisit", "L. 311-3-1", "226-13", "secret professionnel", "MapSVG"):
        assert expected in words
    unknown = Page(html.render(report(method=MethodFigures()))).words
    assert "n’a pas encore été évaluée" in unknown
    assert "fois la moyenne" not in unknown


def test_the_risk_is_compared_with_the_average_of_followed_companies() -> None:
    assert METHOD.horizon(18) is not None
    words = Page(html.render(one_company(p12=0.1, p18=0.155, p24=0.2))).words
    assert f"soit environ 5{NO_BREAK}fois la moyenne des entreprises suivies" in words


def test_a_long_name_stays_whole() -> None:
    name = "SOCIETE " + "ANTICONSTITUTIONNELLEMENT" * 12
    assert name in Page(html.render(one_company(denomination=name))).words


def test_the_same_report_gives_the_same_bytes_in_another_process_time_zone_and_hash_seed() -> None:
    """Iterating over a set or calling the clock anywhere would show as a difference between these processes."""
    code = (
        "import hashlib; from report_samples import report; from reporting import html, xlsx;"
        "print(hashlib.sha256(html.render(report()).encode() + xlsx.render(report())).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": f"{root}:{Path(__file__).parent}", "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone, seed in (("UTC", "0"), ("Pacific/Auckland", "1"), ("America/Lima", "2"))
    }
    assert len(digests) == 1


def test_the_index_links_each_territory_once_region_first() -> None:
    page = Page(html.render_index([department_report(), report()]))
    links = [element.attributes["href"] for element in page.find("a")][1:]
    assert links == [
        "region-27/vigie-2025-12-region-27-simulation.html",
        "region-27/vigie-2025-12-region-27-simulation.xlsx",
        "departement-21/vigie-2025-12-departement-21-simulation.html",
        "departement-21/vigie-2025-12-departement-21-simulation.xlsx",
    ]
    assert f"décembre{NO_BREAK}2025" in page.words
    assert "SIMULATION" in page.words


def test_the_index_refuses_two_months_or_a_territory_twice() -> None:
    november = department_report(month=date(2025, 11, 1), history=())
    for reports in ([], [report(), november], [report(), report()], [report(), department_report(simulation=False)]):
        with pytest.raises(ValueError, match="sommaire"):
            html.render_index(reports)


def test_text_colours_have_at_least_the_contrast_of_level_aa() -> None:
    """WCAG 1.4.3 asks 4.5:1; the pairs are those that the style sheet puts together."""
    css = (html.TEMPLATES / "style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", css)) | {"blanc": "#ffffff", "noir": "#101828"}

    def luminance(colour: str) -> float:
        channels = [int(colours[colour][index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = [
        ("encre", "fond"), ("discret", "fond"), ("discret", "papier"), ("discret", "accent-pale"), ("accent", "fond"),
        ("accent", "accent-pale"), ("fort", "fort-pale"), ("modere", "modere-pale"), ("accent", "modere-pale"),
        ("favorable", "papier"), ("blanc", "simulation"), ("blanc", "bande"), ("noir", "t0"), ("noir", "t1"),
        ("noir", "t2"), ("blanc", "t3"), ("blanc", "t4"),
    ]  # fmt: skip
    for pair in pairs:
        light, dark = sorted((luminance(name) for name in pair), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, pair
