"""Who is champion: a written rule on evidence, never an opinion.

A family replaces the champion when all of this holds in the last backtest that has both: (1) its reasons add up exactly, since every
company published is shown why; (2) the months are at least a year, closed at 18 months, with enough failures; (3) the interval of the
paired difference of average precision at 18 months is above zero; (4) at each horizon its observed over expected failures are within
[0.9, 1.1], or no farther from 1 than the champion's; (5) the evidence is about the variables of today.
"""

from __future__ import annotations

import getpass
import json
import math
from collections.abc import Mapping
from typing import Any

from ingestion.database import connect
from models_ml.families import FAMILIES
from models_ml.features import feature_hash, load_features
from orchestration import registry
from orchestration.instance import Instance
from orchestration.panel import ROLE

LEVEL_BOUNDS = (0.9, 1.1)
MIN_MONTHS, MIN_FAILING = 12, 50


class PromotionRefused(Exception):
    """The rule is not fulfilled; the message (French) says which part of it and with which figures."""


def promote(instance: Instance, wanted: str) -> Mapping[str, Any]:
    """Make a family (or the family of a model) the champion of the months to come; the row written in `ml.promotion`.

    Raises:
        PromotionRefused: unknown, already champion, not tested, or not better.
    """
    known = registry.find(instance, "m.model_id = %s", [wanted])
    family, champion = (known[0].famille if known else wanted), registry.champion_family(instance)
    if family not in FAMILIES:
        raise PromotionRefused(f"« {wanted} » n’est ni un modèle ni une famille ({', '.join(FAMILIES)}).")
    if family == champion:
        raise PromotionRefused(f"La famille « {family} » est déjà la championne.")
    backtest_id, result = _evidence(instance, family, champion)
    if reasons := refusals(family, champion, result):
        raise PromotionRefused(f"La famille « {family} » ne remplace pas « {champion} » : {' '.join(reasons)}")
    evidence = {"ecart": result["ecarts"][family], "horizons": result["familles"][family]["horizons"]}
    row = {
        "famille": family,
        "remplace": champion,
        "decide_par": getpass.getuser(),
        "motif": "règle de promotion remplie",
        "preuve": json.dumps(evidence),
        "backtest_id": backtest_id,
    }
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(
            "insert into ml.promotion (famille, remplace, decide_par, motif, preuve, backtest_id) values "
            "(%(famille)s, %(remplace)s, %(decide_par)s, %(motif)s, %(preuve)s, %(backtest_id)s)",
            row,
        )
    return row | {"preuve": evidence}


def refusals(family: str, champion: str, result: Mapping[str, Any]) -> list[str]:
    """What the rule finds wrong with a challenger in a backtest (`backtest.run`), in French; empty when it may replace the champion."""
    reasons = []
    if not FAMILIES[family].additive:
        reasons.append(
            "Ses raisons ne s’additionnent pas exactement, or chaque entreprise publiée est expliquée : elle mesure ce que coûte la "
            "transparence, elle n’est pas publiée."
        )
    own, held = (result["familles"][name]["horizons"] for name in (family, champion))
    months = sum("auc" in entry for entry in result["familles"][family]["mois"].values())
    failing = own["18"]["entreprises_defaillantes"]
    if months < MIN_MONTHS or failing < MIN_FAILING:
        reasons.append(
            f"Preuve trop courte : {months} mois et {failing} entreprises défaillantes, il en faut {MIN_MONTHS} et {MIN_FAILING}."
        )
    gain = result["ecarts"][family]["ap"]
    if not (gain["bas"] is not None and gain["bas"] > 0):
        reasons.append(
            f"L’écart de précision moyenne à 18 mois est de {_number(gain['valeur'])} [{_number(gain['bas'])} ; {_number(gain['haut'])}] : "
            "son intervalle devrait être au-dessus de zéro."
        )
    reasons += [reason for horizon in own if (reason := _level_refusal(horizon, own[horizon], held[horizon]))]
    return reasons


def _level_refusal(horizon: str, own: Mapping[str, Any], held: Mapping[str, Any]) -> str | None:
    values = [entry.get("observe_sur_attendu", {}).get("valeur") for entry in (own, held)]
    if None in values:
        return f"À {horizon} mois, le niveau des probabilités n’est pas mesuré."
    mine, theirs = values
    low, high = LEVEL_BOUNDS
    if low <= mine <= high or abs(math.log(mine)) <= abs(math.log(theirs)):
        return None
    return (
        f"À {horizon} mois, observé sur attendu vaut {_number(mine)} (championne : {_number(theirs)}), hors de "
        f"{_number(low)}–{_number(high)} et plus loin de 1."
    )


def _evidence(instance: Instance, family: str, champion: str) -> tuple[int, Mapping[str, Any]]:
    with connect(instance.database_url, role=ROLE) as connection:
        row = connection.execute(
            "select backtest_id, resultat from ml.backtest where familles @> %s and resultat ->> 'championne' = %s "
            "and feature_hash = %s order by backtest_id desc limit 1",
            [[family, champion], champion, feature_hash(load_features())],
        ).fetchone()
    if row is None:
        raise PromotionRefused(
            f"Aucune preuve : lancez d’abord `vigie model backtest --family {family}` avec les variables d’aujourd’hui."
        )
    return row


def _number(value: float | None) -> str:
    return "non mesuré" if value is None else f"{value:.3f}".replace(".", ",")
