"""The champion on a simulated region, whose truth is known: how much of what could be known it finds.

The ideal ranks companies by the hazard that the simulation drew their failure with, of the month judged: all that anybody could know
that month, which no file tells. A list of k a month takes the k highest of each month among those it did not take in the year before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from models_ml import detection
from models_ml.evaluate import evaluate
from orchestration import backtest, registry
from orchestration.instance import Instance
from orchestration.runs import opened

CAPACITIES = (2, 5)
HORIZON = backtest.MAIN
_SHARED = {
    "auc": "AUC",
    "ap": "AP",
    "rappel_premiers_5": "recall of the 5 first of each month",
    "rappel_premiers_20": "recall of the 20 first of each month",
}


def against_truth(home: Path) -> str:
    """Tables for a home that `vigie demo` filled: the champion beside the ideal, and its calibration by tenth.

    Raises FileNotFoundError when the home holds no simulated truth.
    """
    truth = next(iter(sorted(home.glob("simulation/**/truth/health.parquet"))), None)
    if truth is None:
        raise FileNotFoundError(f"{home}: no simulated truth there; `vigie --home {home} demo` makes one")
    instance = Instance(home)
    with opened(instance):
        champion = registry.champion_family(instance)
        past, scores, tested = backtest.scored(instance, *backtest.default_months(instance), [champion])
    ours = scores[champion]
    ideal = _ideal(truth, ours)
    found = {"champion": _figures(ours, past), "ideal": _figures(ideal, past)}
    span = f"{min(tested):%Y-%m} to {max(tested):%Y-%m}"
    lines = [
        f"SIMULATION, {span}, {ours.height:,} company-months, failures within {HORIZON} months.\n",
        "| figure | champion | ideal | share of the ideal |",
        "|---|---|---|---:|",
    ]
    for name, figure in found["champion"].items():
        best = found["ideal"][name]
        share = figure["valeur"] / best["valeur"] if best["valeur"] else float("nan")
        lines.append(f"| {name} | {_shown(figure)} | {_shown(best)} | {share:.0%} |")
    return "\n".join([*lines, "", *_tenths(ours, past), ""])


def _ideal(truth: Path, ours: pl.DataFrame) -> pl.DataFrame:
    hazard = pl.scan_parquet(truth).select(entity="siren", period=pl.col("month").cast(pl.Date), p18="hazard")
    wanted = ours.lazy().select("entity", "period")
    return wanted.join(hazard, on=["entity", "period"], how="left", validate="1:1", maintain_order="left").collect()


def _figures(scores: pl.DataFrame, past: backtest.Past) -> dict[str, Mapping[str, Any]]:
    """Figures by the name that the table gives them; a figure that nobody can give is left out."""
    rows = evaluate(scores, past.outcomes, [HORIZON], bootstrap=backtest.DRAWS)[str(HORIZON)]
    found = {label: rows[key] for key, label in _SHARED.items()}
    for capacity in CAPACITIES:
        alerts = detection.monthly_lists(scores, f"p{HORIZON}", capacity)
        recalled = detection.companies_recalled(alerts, past.events, (6, 12), bootstrap=backtest.DRAWS)
        for delay, entry in recalled.items():
            found[f"{capacity} new a month: failing companies found {delay} months before"] = entry["rappel"]
        found[f"{capacity} new a month: precision"] = detection.new_detections(
            alerts, past.outcomes, HORIZON, bootstrap=backtest.DRAWS
        )["precision"]
        found[f"{capacity} new a month: median lead (months)"] = detection.lead_times(
            alerts, past.events, bootstrap=backtest.DRAWS
        )["mediane"]
    return found


def _tenths(scores: pl.DataFrame, past: backtest.Past) -> list[str]:
    lines = ["| tenth of the probabilities | company-months | announced | observed |", "|---:|---:|---:|---:|"]
    for row in backtest.calibration(scores, past.outcomes):
        lines.append(f"| {row['dixieme']} | {row['lignes']:,} | {row['annoncee']:.2%} | {row['observee']:.2%} |")
    return lines


def _shown(figure: Mapping[str, Any]) -> str:
    return f"{figure['valeur']:.3f} [{figure['bas']:.3f}; {figure['haut']:.3f}]"
