"""The months of the past scored as they would have been, and what came true: the evidence behind a model in operation.

Rolling origin: the scores of a month come from the model that was, or would have been, in use that month, fitted on what was known by
its own date (`scoring.training_date`); none of its labels looks past that date, so the embargo is the horizon. Thresholds are the
model's own, fixed on its past. Outcomes are those known at the end of the last month of the mart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import polars as pl

from ingestion.database import connect
from ingestion.ledger import code_version
from models_ml import detection
from models_ml.evaluate import evaluate, paired_difference, segments
from models_ml.features import feature_hash, load_features
from models_ml.panel import label_outcomes
from models_ml.train import NotEnoughHistory
from orchestration import panel, registry, scoring
from orchestration.instance import Instance
from orchestration.months import last_day, months_between, shift
from orchestration.panel import HORIZONS, ROLE

MAIN = 18
#: Months behind the last one of the mart where the 18-month window is closed (judgments take up to two months to be known).
CLOSED = MAIN + 2
#: Draws of companies: more for what decides than for a segment.
DRAWS, SEGMENT_DRAWS = 100, 30
#: What families are compared on, at the main horizon.
COMPARED = ("ap", "auc", "rappel_premiers_5", "rappel_premiers_20")
_SEGMENTS = {
    "naf_section": "Secteur (section NAF)",
    "tranche_effectif": "Effectif",
    "departement": "Département",
    "age": "Âge",
    "signal_fort": "Signal fort (plus d’un mois de cotisations dû, depuis trois mois)",
}


class NothingToTest(Exception):
    """No month can be scored and judged; the message (French) says why."""


@dataclass(frozen=True)
class Past:
    """Companies at risk in the months tested, with what became of them as known at `known_on`."""

    panel: pl.DataFrame
    outcomes: pl.DataFrame
    events: pl.DataFrame
    groups: pl.DataFrame
    months: tuple[date, ...]
    known_on: date


def default_months(instance: Instance) -> tuple[date, date]:
    """The three last years whose 18-month window is closed. Raises NothingToTest on an empty mart."""
    last = _last_month(instance)
    return shift(last, -CLOSED - 35), shift(last, -CLOSED)


def run(instance: Instance, first: date, last: date, families: Sequence[str]) -> dict[str, Any]:
    """Score the months with each family, measure, compare, keep the result in `ml.backtest`; JSON-ready.

    The champion's family is always there, as what the others are compared with. Months before a family can be fitted are left out
    for all.

    Raises:
        NothingToTest: no month can be tested.
    """
    champion = registry.champion_family(instance)
    wanted = tuple(dict.fromkeys((champion, *families)))
    past, scores, months = scored(instance, first, last, wanted)
    result: dict[str, Any] = {
        "premier_mois": min(months).isoformat(),
        "dernier_mois": max(months).isoformat(),
        "connu_au": past.known_on.isoformat(),
        "championne": champion,
        "familles": {family: _measures(scores[family], past, instance.settings.seed) for family in wanted},
        "ecarts": {
            family: _compared(scores[family], scores[champion], past, instance.settings.seed)
            for family in wanted
            if family != champion
        },
        "clignotants": _against_rules(instance, scores[champion], past, months),
    }
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(
            "insert into ml.backtest (premier_mois, dernier_mois, familles, feature_hash, code_version, resultat) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                min(months), max(months), list(wanted), feature_hash(load_features()), code_version(),
                json.dumps(result),
            ],
        )  # fmt: skip
    return result


def scored(
    instance: Instance, first: date, last: date, families: Sequence[str]
) -> tuple[Past, dict[str, pl.DataFrame], tuple[date, ...]]:
    """The companies at risk in the months tested; for each family entity, period, p12, p18, p24, F1, F2 (in alert); the months.

    Raises NothingToTest when no month can be scored.
    """
    past = _past(instance, first, last)
    return past, *_scores(instance, past, families)


def _last_month(instance: Instance) -> date:
    with connect(instance.database_url, role=ROLE) as connection:
        built = connection.execute("select to_regclass('marts.mart_company_month')").fetchone() != (None,)
        row = connection.execute("select max(month) from marts.mart_company_month").fetchone() if built else None
    if row is None or row[0] is None:
        raise NothingToTest("Aucun mois calculé : lancez d’abord `vigie run`.")
    month: date = row[0]
    return month


def _past(instance: Instance, first: date, last: date) -> Past:
    known_on = last_day(_last_month(instance))
    whole = panel.training(instance, known_on)
    rows = whole.filter(pl.col("period").is_between(first, last))
    if rows.is_empty():
        raise NothingToTest(f"Aucune entreprise suivie de {first:%Y-%m} à {last:%Y-%m}.")
    outcomes = label_outcomes(rows, known_on, HORIZONS)
    events = outcomes.drop_nulls("event_period").group_by("entity").agg(pl.col("event_period").min()).sort("entity")
    months = rows.get_column("period").unique().sort().to_list()
    return Past(whole, outcomes, events, _groups(instance, first, last), tuple(months), known_on)


def _groups(instance: Instance, first: date, last: date) -> pl.DataFrame:
    """entity, period and the segments by which a figure is given."""
    return panel.read(
        instance,
        f"""
        select siren as entity, month as period, naf_section, tranche_effectif, departement,
            case when age_mois < 36 then 'moins de 3 ans' when age_mois < 120 then '3 à 10 ans' when age_mois >= 120 then 'plus de 10 ans'
            end as age,
            case when dette_sur_cotisation > 1 and dette_sur_cotisation_lag_3m > 1 then 'avec' else 'sans' end as signal_fort
        from marts.mart_company_month
        where a_risque and month between {panel.dates([first])} and {panel.dates([last])} order by siren, month
        """,
    )


def _scores(
    instance: Instance, past: Past, families: Sequence[str]
) -> tuple[dict[str, pl.DataFrame], tuple[date, ...]]:
    """entity, period, p12, p18, p24, F1, F2 (in alert by the thresholds of the month's model) for each family."""
    years = sorted({scoring.training_date(month) for month in past.months})

    @cache
    def fitted(as_of: date, family: str) -> registry.UsedModel | None:
        try:
            return registry.model_as_of(instance, as_of, lambda: past.panel, family=family)
        except NotEnoughHistory:
            return None

    usable = [as_of for as_of in years if all(fitted(as_of, family) for family in families)]
    months = tuple(month for month in past.months if scoring.training_date(month) in usable)
    if not months:
        raise NothingToTest("Aucun mois : l’historique ne suffit à apprendre un modèle avant aucun d’eux.")
    return {
        family: pl.concat(
            [_of_year(instance, past, model, as_of) for as_of in usable if (model := fitted(as_of, family))]
        )
        for family in families
    }, months


def _of_year(instance: Instance, past: Past, model: registry.UsedModel, as_of: date) -> pl.DataFrame:
    months = [month for month in past.months if scoring.training_date(month) == as_of]
    rows = past.panel.filter(pl.col("period").is_in(months))
    predicted = registry.load(instance, model).model.predict(rows).drop("logit")
    return predicted.with_columns(F1=pl.col("p18") >= model.seuil_f1, F2=pl.col("p18") >= model.seuil_f2)


def _measures(scores: pl.DataFrame, past: Past, seed: int) -> dict[str, Any]:
    """Everything that is said of one family."""
    by_month = past.groups.select("entity", "period", mois=pl.col("period").dt.strftime("%Y-%m"))
    return {
        "horizons": evaluate(scores, past.outcomes, HORIZONS, bootstrap=DRAWS, seed=seed),
        "calibration": calibration(scores, past.outcomes),
        "mois": segments(scores, past.outcomes, by_month, "mois", MAIN, min_events=5, bootstrap=0),
        "listes": {level: _list(scores.rename({level: "alert"}), past, seed) for level in ("F1", "F2")},
        "segments": {
            label: segments(
                scores, past.outcomes, past.groups, column, MAIN, min_events=20, bootstrap=SEGMENT_DRAWS, seed=seed
            )
            for column, label in _SEGMENTS.items()
        },
    }


def _list(scores: pl.DataFrame, past: Past, seed: int) -> dict[str, Any]:
    """What the lists of one level of alert were worth for the companies on them."""
    alerts = scores.select("entity", "period", "alert")
    return {
        "retrouvees": detection.companies_recalled(alerts, past.events, bootstrap=DRAWS, seed=seed),
        "avance": detection.lead_times(alerts, past.events, bootstrap=DRAWS, seed=seed),
        "alertes": detection.new_detections(alerts, past.outcomes, MAIN, quiet_months=0, bootstrap=DRAWS, seed=seed),
        "nouvelles": detection.new_detections(alerts, past.outcomes, MAIN, bootstrap=DRAWS, seed=seed),
    }


def calibration(scores: pl.DataFrame, outcomes: pl.DataFrame) -> list[dict[str, float]]:
    """Announced and observed share of failures at 18 months in each tenth of the probabilities, lowest first (closed windows)."""
    closed = scores.join(outcomes, on=["entity", "period"], how="inner").filter(pl.col("defaillance_18m").is_not_null())
    rank = pl.col("p18").rank("ordinal")
    tenths = closed.sort("p18", "entity", "period").with_columns(
        dixieme=((rank - 1) * 10 // pl.len()).cast(pl.Int32) + 1
    )
    grouped = tenths.group_by("dixieme").agg(
        lignes=pl.len(), annoncee=pl.col("p18").mean(), observee=pl.col("defaillance_18m").cast(pl.Float64).mean()
    )
    return grouped.sort("dixieme").to_dicts()


def _compared(a: pl.DataFrame, b: pl.DataFrame, past: Past, seed: int) -> dict[str, Any]:
    """Paired differences of scores `a` minus scores `b` at the main horizon."""
    return {
        metric: paired_difference(a, b, past.outcomes, metric, MAIN, bootstrap=DRAWS, seed=seed) for metric in COMPARED
    }


def _against_rules(instance: Instance, scores: pl.DataFrame, past: Past, months: Sequence[date]) -> Mapping[str, Any]:
    """The model against the number of rules lit (`mart_clignotant`), and what each rule was worth over the same months."""
    count = panel.read(
        instance,
        "select siren as entity, month as period, nb_allumes::double precision as p18 from marts.mart_clignotant "
        f"where month in ({panel.dates(months)}) order by siren, month",
    )
    if count.is_empty():
        return {}
    alone = evaluate(count, past.outcomes, [MAIN], bootstrap=DRAWS, seed=instance.settings.seed)[str(MAIN)]
    kept = ("auc", "ap", "precision_premiers_5", "rappel_premiers_5", "precision_premiers_20", "rappel_premiers_20")
    return {
        "regles": panel.rules_worth(instance, min(months), max(months)),
        "nombre_allume": {name: alone[name] for name in kept if name in alone},
        "ecart_du_modele": _compared(scores, count, past, instance.settings.seed),
    }


def months_of(text: str) -> tuple[date, date]:
    """First and last month of `AAAA-MM..AAAA-MM`. Raises ValueError on anything else."""
    first, separator, last = text.partition("..")
    if not separator:
        raise ValueError(f"{text!r} is not a range of months written YYYY-MM..YYYY-MM")
    both = (date.fromisoformat(f"{first}-01"), date.fromisoformat(f"{last}-01"))
    if not months_between(*both):
        raise ValueError(f"{text!r} ends before it starts")
    return both
