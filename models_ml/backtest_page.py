"""The page of a backtest, in French Markdown: every figure comes from the result, none is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models_ml.card import metric_table, month_name, number, with_interval
from models_ml.families import FAMILIES

_COMPARED = {
    "ap": "Précision moyenne (AP)",
    "auc": "AUC",
    "rappel_premiers_5": "Rappel des 5 premières de chaque mois",
    "rappel_premiers_20": "Rappel des 20 premières de chaque mois",
}


def render(result: Mapping[str, Any], *, simulation: bool = False) -> str:
    """The page of one result of `orchestration.backtest.run`."""
    champion = result["championne"]
    first, last = month_name(result["premier_mois"]), month_name(result["dernier_mois"])
    lines = [f"# Épreuve du passé, de {first} à {last}", ""]
    if simulation:
        lines += ["> **SIMULATION.** Région fictive : ces chiffres ne disent rien d'entreprises réelles.", ""]
    lines += [
        f"Chaque mois est noté par le modèle qui aurait servi ce mois-là, appris avec ce qui était connu au 31 décembre précédent ; ses "
        f"seuils viennent de son propre passé. Résultats connus au {result['connu_au']}. Entre crochets, l'intervalle à 95 % ; il tire des "
        "entreprises, non des lignes.",
        "",
    ]
    for family, measures in result["familles"].items():
        role = " (championne)" if family == champion else ""
        lines += [f"## Famille « {FAMILIES[family].label} »{role}", "", *metric_table(measures["horizons"]), ""]
        lines += [*lists_table(measures["listes"]), "", *calibration_table(measures["calibration"]), ""]
    for family, gaps in result["ecarts"].items():
        lines += [f"## « {FAMILIES[family].label} » moins « {FAMILIES[champion].label} »", "", *_gap_table(gaps), ""]
    lines += ["## Clignotants", "", *rules_section(result["clignotants"]), ""]
    held = result["familles"][champion]
    for label, parts in held["segments"].items():
        lines += [f"## Par segment : {label}", "", *segment_table(parts), ""]
    lines += ["## Mois par mois", "", *segment_table(held["mois"])]
    return "\n".join(lines) + "\n"


def lists_table(lists: Mapping[str, Any]) -> list[str]:
    """What each level of alert found among the companies that failed, how long before, and how often it was right (18 months)."""
    lines = [
        "| Alerte | Retrouvées 6 mois avant | 12 mois avant | 18 mois avant | Avance médiane (mois) | Précision | dont nouvelles |",
        "|---|---|---|---|---|---|---|",
    ]
    for level, label in (("F1", "forte (F1)"), ("F2", "forte ou modérée (F2)")):
        found = lists[level]
        cells = [with_interval(found["retrouvees"][delay].get("rappel"), 1, True) for delay in ("6", "12", "18")]
        cells.append(with_interval(found["avance"].get("mediane"), 0, False))
        cells += [with_interval(found[name].get("precision"), 1, True) for name in ("alertes", "nouvelles")]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def calibration_table(tenths: Sequence[Mapping[str, Any]]) -> list[str]:
    """Announced and observed share of failures at 18 months in each tenth of the probabilities."""
    lines = ["| Dixième des probabilités | Observations | Annoncé à 18 mois | Observé |", "|---|---|---|---|"]
    for tenth in tenths:
        shares = " | ".join(number(tenth[name], 2, True) for name in ("annoncee", "observee"))
        lines.append(f"| {tenth['dixieme']} | {number(tenth['lignes'], 0, False)} | {shares} |")
    return lines


def rules_section(rules: Mapping[str, Any]) -> list[str]:
    """What each rule was worth alone, then how far the model is above the number of rules lit."""
    if not rules:
        return ["Aucun clignotant n'est calculé pour ces mois."]
    alone = rules["nombre_allume"]
    return [
        *rules_table(rules["regles"]),
        "",
        f"Classer par le nombre de clignotants allumés donne une précision moyenne de {with_interval(alone.get('ap'), 3, False)} et une "
        f"AUC de {with_interval(alone.get('auc'), 3, False)}. Écart du modèle, sur les mêmes lignes :",
        "",
        *_gap_table(rules["ecart_du_modele"]),
    ]


def rules_table(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each rule was worth at 18 months, among the companies where it is known."""
    lines = [
        "Règles simples de pays voisins, lues à côté du modèle (18 mois, entreprises où la règle est connue).",
        "",
        "| Clignotant | Allumé | Précision | Rappel | Lift | Avance médiane (mois) |",
        "|---|---|---|---|---|---|",
    ]
    for rule in rules:
        cells = [
            number(rule["nb_allumes"], 0, False),
            number(rule["precision_18m"], 1, True),
            number(rule["rappel_18m"], 1, True),
            number(rule["lift_18m"], 1, False),
            number(rule["avance_mediane_mois"], 0, False),
        ]
        lines.append(f"| {rule['clignotant']} | " + " | ".join(cells) + " |")
    return lines


def segment_table(parts: Mapping[str, Any]) -> list[str]:
    """Figures at 18 months of each part; a dash where there are too few failures."""
    lines = ["| | Observations | Défaillances | AUC | AP | Observé / attendu |", "|---|---|---|---|---|---|"]
    for name, entry in parts.items():
        counts = " | ".join(number(entry[key], 0, False) for key in ("lignes", "defaillances"))
        figures = [
            with_interval(entry.get("auc"), 3, False),
            with_interval(entry.get("ap"), 3, False),
            with_interval(entry.get("observe_sur_attendu"), 2, False),
        ]
        lines.append(f"| {name} | {counts} | " + " | ".join(figures) + " |")
    return lines


def _gap_table(gaps: Mapping[str, Any]) -> list[str]:
    lines = ["| Mesure à 18 mois | Écart [intervalle apparié] |", "|---|---|"]
    return [*lines, *(f"| {label} | {with_interval(gaps[name], 3, False)} |" for name, label in _COMPARED.items())]
