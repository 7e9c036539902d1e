"""The comparison of `backtest`, as a French Markdown page. Every figure comes from the result; none is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models_ml.explain import french_number
from models_ml.families import FAMILIES

_COLUMNS = (
    ("auc", "AUC", 3),
    ("ap", "Précision moyenne", 3),
    ("precision_part_1%", "Précision à 1 %", 3),
    ("rappel_part_1%", "Rappel à 1 %", 3),
    ("rappel_part_5%", "Rappel à 5 %", 3),
    ("rappel_part_10%", "Rappel à 10 %", 3),
    ("precision_premiers_20", "Précision des 20 premiers", 3),
    ("rappel_premiers_20", "Rappel des 20 premiers", 3),
    ("brier", "Brier", 5),
    ("observe_sur_attendu", "Observé / attendu", 2),
    ("pente", "Pente", 2),
    ("ece10", "ECE10", 4),
)
_PAIRED = {"ap": "Précision moyenne", "auc": "AUC"}


def render(result: Mapping[str, Any]) -> str:
    """The page of a result of `backtest.compare` with the description of its panel (`panel`, `partage`, see the command)."""
    lines = ["# Évaluation sur panel", "", *_description(result["panel"], result["partage"]), ""]
    for horizon, families in result["horizons"].items():
        lines += _horizon(horizon, result["panel"]["unite"], families)
        lines += _differences(result["ecarts"].get(horizon, {}))
    violations = sum(result["violations"].values())
    lines.append(
        f"Probabilités qui baissent quand l'horizon s'allonge : {violations} (lignes, toutes familles confondues)."
    )
    return "\n".join(lines) + "\n"


def _description(panel: Mapping[str, Any], splits: list[Mapping[str, str]]) -> list[str]:
    return [
        f"{panel['lignes']} lignes de {panel['entites']} entités, du {panel['premiere']} au {panel['derniere']} ; une période : "
        f"{panel['unite']}. {panel['evenements']} entités ont un événement, connu jusqu'au {panel['connu_jusqu_a']}. "
        f"Variables : {len(panel['variables'])}.",
        "",
        *(
            f"- Appris jusqu'au {split['appris']}, issues connues au {split['connu']} ; jugé à partir du {split['juge']}."
            for split in splits
        ),
        *(f"- **Attention** : {warning}." for warning in panel["avertissements"]),
        *(f"- {note[0].upper()}{note[1:]}." for note in panel["remarques"]),
        "",
        "Entre crochets : intervalle à 95 % par tirage d'entités. Une entité dont les lignes s'arrêtent sans événement est un "
        "non-événement.",
    ]


def _horizon(horizon: str, unit: str, families: Mapping[str, Any]) -> list[str]:
    first = next(iter(families.values()))
    lines = [
        f"## Horizon : {horizon} × {unit}",
        "",
        f"Lignes closes : {first['lignes']}, dont suivies d'un événement : {first['defaillances']} "
        f"(entités : {first['entreprises_defaillantes']}).",
        "",
    ]
    if "auc" not in first:
        return [
            *lines,
            "Sans événement et sans survivant dans les fenêtres closes, rien ne se mesure à cet horizon.",
            "",
        ]
    lines += [
        "| mesure | " + " | ".join(FAMILIES[name].label for name in families) + " |",
        "|---" * (len(families) + 1) + "|",
    ]
    for key, label, decimals in _COLUMNS:
        cells = [_figure(figures[key], decimals) for figures in families.values()]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _differences(differences: Mapping[str, Any]) -> list[str]:
    if not differences:
        return []
    lines = ["Écart à la première famille, sur les mêmes entités tirées :", ""]
    for family, metrics in differences.items():
        told = " ; ".join(f"{_PAIRED[name]} {_figure(gap, 3, signed=True)}" for name, gap in metrics.items())
        lines.append(f"- {FAMILIES[family].label} : {told}")
    return [*lines, ""]


def _figure(figure: Mapping[str, float | None], decimals: int, *, signed: bool = False) -> str:
    """« 0,912 [0,895 ; 0,930] », « – » when it does not exist."""
    value, low, high = (figure[name] for name in ("valeur", "bas", "haut"))
    if value is None:
        return "–"
    text = french_number(value, decimals, signed=signed)
    if low is None or high is None:
        return text
    return f"{text} [{french_number(low, decimals, signed=signed)} ; {french_number(high, decimals, signed=signed)}]"
