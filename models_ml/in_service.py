"""What the card says of a model in operation: what it publishes, what came true, what it is compared with, whom to ask.

Every figure comes from `ml.*` and the marts through the caller; none is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models_ml.backtest_page import calibration_table, lists_table, rules_table, segment_table
from models_ml.card import metric_table, month_name, number, with_interval
from models_ml.families import FAMILIES

#: Variables shown, those whose population moved most.
_MOVED = 8


def render(service: Mapping[str, Any]) -> str:
    """French Markdown, to follow `card.render`.

    `service`: mois, famille, sources_ecartees, challenger, code_version, artefact_sha256, data_sha256, contact,
    suivi (rows of ml.monitoring), clignotants (see `backtest_page.rules_table`), backtest (or None).
    """
    beside = FAMILIES[service["challenger"]].label if service["challenger"] else "aucune"
    lines = [
        f"## En service en {month_name(service['mois'])}",
        "",
        f"- Famille publiée : {FAMILIES[service['famille']].label}. Notée à côté, jamais publiée : {beside}.",
        f"- Sources écartées ce mois-ci, absentes ou trop anciennes : {', '.join(service['sources_ecartees']) or 'aucune'}.",
        f"- Versions : programme {service['code_version'] or 'inconnu'}, artefact `{service['artefact_sha256'][:12]}`, données "
        f"`{(service['data_sha256'] or 'inconnu')[:12]}`.",
        "",
        *_monitoring(service["suivi"]),
        "## Clignotants",
        "",
        *(rules_table(service["clignotants"]) if service["clignotants"] else ["Aucun mois clos à 18 mois."]),
        "",
        *_backtest(service["backtest"]),
        *_transparency(service["contact"]),
    ]
    return "\n".join(lines) + "\n"


def _monitoring(rows: list[Mapping[str, Any]]) -> list[str]:
    """Level by vintage, population, alerts."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_kind.setdefault(row["mesure"], []).append(row)
    lines = ["## Suivi", ""]
    if vintages := by_kind.get("observe_sur_attendu"):
        lines += [
            "Défaillances observées / attendues des mois notés dont la fenêtre est close :",
            "",
            "| Mois noté | Délai (mois) | Défaillances | Observé / attendu |",
            "|---|---|---|---|",
        ]
        for row in vintages:
            value = with_interval(row, 2, False)
            lines.append(
                f"| {month_name(str(row['month']))} | {row['objet']} | {number(row['effectif'], 0, False)} | {value} |"
            )
    else:
        lines.append("Aucun mois noté n'a encore sa fenêtre close : le niveau en service n'est pas mesuré.")
    lines += ["", "| Mesure du mois | Valeur |", "|---|---|"]
    for row in by_kind.get("part_alertes", []):
        lines.append(f"| Part des entreprises suivies en alerte ({row['objet']}) | {number(row['valeur'], 1, True)} |")
    for row in by_kind.get("renouvellement", []):
        lines.append(
            f"| Entrées et sorties, rapportées aux alertes du mois précédent | {number(row['valeur'], 1, True)} |"
        )
    for row in by_kind.get("psi_score", []):
        lines.append(f"| Stabilité des scores depuis l'apprentissage (PSI) | {number(row['valeur'], 3, False)} |")
    moved = sorted(by_kind.get("psi_variable", []), key=lambda row: (-row["valeur"], row["objet"]))[:_MOVED]
    lines += [f"| Stabilité de {row['objet']} (PSI) | {number(row['valeur'], 3, False)} |" for row in moved]
    return [*lines, ""]


def _backtest(result: Mapping[str, Any] | None) -> list[str]:
    if result is None:
        return ["## Épreuve du passé", "", "Pas encore faite : `vigie model backtest`.", ""]
    held = result["familles"][result["championne"]]
    lines = [
        f"## Épreuve du passé, de {month_name(result['premier_mois'])} à {month_name(result['dernier_mois'])}",
        "",
        "Chaque mois est noté par le modèle qui aurait servi ce mois-là, appris sur son propre passé.",
        "",
        *metric_table(held["horizons"]),
        "",
        *lists_table(held["listes"]),
        "",
        *calibration_table(held["calibration"]),
        "",
    ]
    for label, parts in held["segments"].items():
        lines += [f"### {label}", "", *segment_table(parts), ""]
    return lines


def _transparency(contact: str) -> list[str]:
    return [
        "## Transparence",
        "",
        "- Traitement algorithmique au sens des articles L. 311-3-1 et R. 311-3-1-1 et suivants du code des relations entre le public et "
        "l'administration. Il classe des entreprises pour proposer tôt un accompagnement ; il ne décide de rien.",
        "- Données : celles des administrations citées dans la fraîcheur des sources, rapprochées par siren. Aucune donnée personnelle "
        "n'est une variable.",
        "- Poids de chaque variable pour une entreprise : dans les raisons publiées avec elle, qui s'additionnent exactement.",
        f"- Questions, désaccord, demande d'explication : {contact}.",
        "",
    ]
