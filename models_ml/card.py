"""The model card: what the model is for, what it was learned from, how good it is and where it stops. Every figure comes from the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from models_ml.explain import NARROW_SPACE, french_number
from models_ml.families import FAMILIES
from models_ml.features import THEMES
from models_ml.train import TrainedModel

_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_ROWS = (
    ("prevalence", "Prévalence", 2, True),
    ("auc", "AUC", 3, False),
    ("ap", "Précision moyenne (AP)", 3, False),
    ("brier", "Score de Brier", 4, False),
    ("observe_sur_attendu", "Défaillances observées / attendues", 2, False),
    ("pente", "Pente de calibration", 2, False),
    ("ece10", "Écart de calibration (ECE, 10 groupes)", 4, False),
    ("precision_part_1%", "Précision sur le 1 % le plus risqué", 1, True),
    ("rappel_part_5%", "Rappel sur les 5 % les plus risqués", 1, True),
    ("rappel_part_10%", "Rappel sur les 10 % les plus risqués", 1, True),
    ("precision_premiers_5", "Précision sur les 5 premières de chaque mois", 1, True),
    ("precision_premiers_20", "Précision sur les 20 premières de chaque mois", 1, True),
)


def month_name(text: str | None) -> str:
    """« mars 2024 » of an ISO date."""
    if not text:
        return "inconnu"
    day = date.fromisoformat(text)
    return f"{_MONTHS[day.month - 1]} {day.year}"


def _span(entry: Mapping[str, Any]) -> str:
    first, last = month_name(entry["periode_min"]), month_name(entry["periode_max"])
    return first if first == last else f"{first} à {last}"


def _day(day: date) -> str:
    return f"{'1er' if day.day == 1 else day.day} {_MONTHS[day.month - 1]} {day.year}"


def number(value: float | None, decimals: int, percent: bool) -> str:
    """A figure as French writes it; a dash when it could not be computed."""
    if value is None:
        return "—"
    return french_number(value * 100, decimals) + NARROW_SPACE + "%" if percent else french_number(value, decimals)


def with_interval(metric: Mapping[str, Any] | None, decimals: int, percent: bool) -> str:
    """« 0,742 [0,681 ; 0,809] »; a dash when the figure could not be computed."""
    if not metric or metric.get("valeur") is None:
        return "—"
    value = number(metric["valeur"], decimals, percent)
    if metric.get("bas") is None:
        return value
    return f"{value} [{number(metric['bas'], decimals, percent)} ; {number(metric['haut'], decimals, percent)}]"


def metric_table(evaluation: Mapping[str, Any]) -> list[str]:
    """Figures of `evaluate` at each horizon."""
    horizons = sorted(evaluation, key=int)
    lines = ["| | " + " | ".join(f"{h} mois" for h in horizons) + " |", "|---|" + "---|" * len(horizons)]
    counts = (
        ("lignes", "Observations (entreprise × mois)"),
        ("entreprises", "Entreprises"),
        ("entreprises_defaillantes", "dont défaillantes dans la fenêtre"),
    )
    for key, label in counts:
        lines.append(f"| {label} | " + " | ".join(french_number(evaluation[h][key]) for h in horizons) + " |")
    lines.append("| Mois évalués | " + " | ".join(_span(evaluation[h]) for h in horizons) + " |")
    for key, label, decimals, percent in _ROWS:
        cells = (with_interval(evaluation[h].get(key), decimals, percent) for h in horizons)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _threshold_table(trained: TrainedModel, evaluation: Mapping[str, Any]) -> list[str]:
    main = trained.params.hazard.main_horizon
    if not trained.thresholds:
        return ["Aucun seuil : le modèle a été appris sans validation."]
    entry = evaluation.get(str(main), {})
    lines = [
        f"Les seuils portent sur la probabilité à {main} mois. Ils sont choisis sur les mois de validation, donc sur le passé : "
        "ils maximisent la mesure F attendue, calculée avec les probabilités ramenées au niveau de ces mois.",
        "",
        "| Alerte | Seuil | Précision | Rappel | Entreprises défaillantes vues | Avance médiane (mois) |",
        "|---|---|---|---|---|---|",
    ]
    for name, label in (
        ("f1", "Alerte seuil F1 (F0,5 attendue maximale)"),
        ("f2", "Alerte seuil F2 (F2 attendue maximale)"),
    ):
        seen = entry.get("entreprises_vues", {}).get(name, {})
        cells = [
            number(trained.thresholds[name], 1, True),
            with_interval(entry.get(f"precision_seuil_{name}"), 1, True),
            with_interval(entry.get(f"rappel_seuil_{name}"), 1, True),
            with_interval(seen.get("rappel"), 1, True),
            with_interval(seen.get("avance_mediane_mois"), 0, False),
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def _data_section(trained: TrainedModel) -> list[str]:
    on = trained.trained_on
    themes = Counter(feature.theme for feature in trained.features)
    listed = ", ".join(f"{theme} ({themes[theme]})" for theme in THEMES if themes[theme])
    first, last = month_name(on["periode_min"]), month_name(on["periode_max"])
    return [
        "## Données",
        "",
        f"- Ce qui était connu au {_day(trained.as_of)}, rien de plus récent.",
        f"- {french_number(on['observations'])} observations (entreprise × mois) de {french_number(on['entreprises'])} entreprises, de "
        f"{first} à {last}, à la prévalence naturelle (ni sur- ni sous-échantillonnage des défaillances).",
        f"- {french_number(on['entreprises_defaillantes'])} entreprises défaillantes ; entreprises actives, hors procédure collective.",
        f"- {len(trained.features)} variables : {listed}.",
        "- Une valeur manquante reste manquante ; elle n'est remplacée par aucune constante.",
    ]


def _method_section(trained: TrainedModel) -> list[str]:
    hazard = trained.params.hazard
    constrained = sum(feature.monotone != 0 for feature in trained.features)
    horizons = ", ".join(str(h) for h in hazard.horizons)
    reasons = (
        "Modèle additif : les contributions des variables s'ajoutent exactement (log-cote)."
        if trained.model.additive
        else "Modèle avec interactions : ses contributions ne s'ajoutent pas exactement, aucune raison n'est donnée."
    )
    return [
        "## Méthode",
        "",
        f"- Modèle de durée à temps discret ({hazard.intervals} intervalles de {hazard.interval_months} mois), "
        f"{FAMILIES[trained.family].label} ; probabilités à {horizons} mois croissantes avec l'horizon par construction.",
        "- Défaillance : première procédure collective, à la date du jugement. Une sortie sans procédure interrompt l'observation.",
        f"- {reasons} Variables dont le sens est imposé : {constrained}.",
        f"- Graine {trained.seed} ; empreinte des données `{trained.data_hash[:12]}`, des variables `{trained.feature_hash[:12]}`.",
    ]


def _level_section(trained: TrainedModel) -> list[str]:
    """What the correction of level did and from which failures; nothing when the model has none."""
    level = trained.calibration.get("niveau") or {}
    if not level.get("first"):
        return []
    params = trained.params.calibration
    change = (level["ratio"] - 1) * 100
    sense = "relevées" if change > 0 else "abaissées"
    before = (trained.validation.get("niveau") or {}).get("ratio")
    lines = [
        "## Niveau",
        "",
        f"- De {month_name(level['first'])} à {month_name(level['last'])} (mois d'observation), "
        f"{french_number(level['observed'])} entreprises ont défailli dans le mois suivant ; sans correction, le modèle en attendait "
        f"{french_number(level['expected'], 1)}.",
        f"- Les cotes de défaillance sont {sense} de {french_number(abs(change), 1)}{NARROW_SPACE}% pour toutes les entreprises et tous "
        "les intervalles : le classement et les contributions n'en dépendent pas.",
        "- L'écart est ramené vers 1 selon le nombre de défaillances (peu de défaillances, peu de correction), puis réduit à la puissance "
        f"{french_number(params.persistence, 2)} : les mois notés viennent un à deux ans plus tard, et un cycle s'est en partie retourné.",
        f"- Seules comptent les défaillances connues au {_day(trained.as_of)}. Un retournement plus rapide n'est pas anticipé.",
    ]
    if before is not None:
        lines.append(
            "- La validation applique la même règle à sa propre date : facteur "
            f"{french_number(before, 2)} sur les cotes, estimé avant les mois évalués."
        )
    return [*lines, ""]


def _limits_section(evaluation: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Limites",
        "",
        "- Le modèle apprend du passé : un choc nouveau (crise, mesure de soutien) change le niveau des défaillances sans qu'il le sache.",
        "- Les mois d'une même entreprise se ressemblent : les intervalles, à 95 %, tirent des entreprises et non des lignes.",
        "- Une contribution dit ce que le modèle a utilisé, pas la cause de la difficulté.",
        "- Les seuils sont choisis sur les mois qui servent aux mesures : précision et rappel aux seuils sont légèrement optimistes.",
        "- Une entreprise aidée à temps peut ne pas défaillir : l'aide n'est pas observée.",
    ]
    for horizon in sorted(evaluation, key=int):
        metric = evaluation[horizon].get("observe_sur_attendu") or {}
        low, high = metric.get("bas"), metric.get("haut")
        if low is not None and high is not None and (high < 0.9 or low > 1.1):
            sense = "surestimées" if high < 0.9 else "sous-estimées"
            lines.append(
                f"- **À {horizon} mois, les probabilités sont {sense}** : "
                f"observé / attendu = {with_interval(metric, 2, False)}, hors de 0,9–1,1."
            )
        if evaluation[horizon]["entreprises_defaillantes"] < 100:
            count = french_number(evaluation[horizon]["entreprises_defaillantes"])
            lines.append(
                f"- À {horizon} mois, peu d'entreprises défaillantes dans la validation ({count}) : chiffres peu précis."
            )
    return lines


def render(trained: TrainedModel, evaluation: Mapping[str, Any] | None = None, *, simulation: bool = False) -> str:
    """French Markdown. `evaluation`: output of `evaluate` (default: the validation metrics of the run)."""
    figures = trained.metrics if evaluation is None else evaluation
    lines = [f"# Fiche du modèle {trained.model_id}", ""]
    if simulation:
        lines += [
            "> **SIMULATION.** Modèle appris sur une région fictive : ces chiffres ne disent rien d'entreprises réelles.",
            "",
        ]
    lines += [
        "## Usage",
        "",
        "Classer les entreprises suivies selon leur risque de défaillance pour aider les agents à choisir qui contacter, et dire pourquoi.",
        "**La décision appartient à un agent** : aucun score n'ouvre, ne ferme ni ne refuse un droit. Le score n'est ni une notation de "
        "crédit ni une information à communiquer à des tiers.",
        "",
        *_data_section(trained),
        "",
        *_method_section(trained),
        "",
        *_level_section(trained),
        "## Qualité",
        "",
    ]
    if figures:
        known = trained.validation.get("connu_au")
        if evaluation is None and known:
            lines += [
                f"Mesurée par un modèle appris avec ce qui était connu au {_day(date.fromisoformat(known))}, sur les mois suivants dont la "
                f"fenêtre est close (embargo de {trained.validation['embargo_mois']} mois). Entre crochets, l'intervalle à 95 %.",
                "",
            ]
        lines += [*metric_table(figures), "", "## Seuils", "", *_threshold_table(trained, figures), ""]
    else:
        lines += ["Non mesurée : modèle appris sans validation.", ""]
    lines += _limits_section(figures)
    return "\n".join(lines) + "\n"
