"""The model on the public American panel (`../shared/reference/model.md` 5.1), its speed beside LightGBM, and a national batch.

`python -m benchmarks.model`: everything on the test years. `--validation`: the same tables on 2012-2014, where every choice was made.
`--home`: also what the champion of a demonstration finds of the simulated truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import model_speed, model_truth, us_models, us_panel
from models_ml.backtest import Split, count_violations, free_features, hazard_params, score_split
from models_ml.evaluate import evaluate, paired_difference
from models_ml.hazard import HazardParams
from models_ml.tidy import Tidy

PANEL = Path("../shared/data/us_bankruptcy/panel.parquet")
HORIZONS = (1, 2, 3)
SEEDS = (0, 1, 2)
LEARNED, KNOWN = 2011, 2014
# Chosen on 2012-2014 and on 2009-2011 after learning to 2006, see docs/model.md; never on the test years.
PARAMS = HazardParams(
    learning_rate=0.06, iterations=150, leaves=12, min_samples_leaf=60, l2=5.0, column_share=0.4, own_heads=True,
    members=("interactions", "forest"), spread_folds=2,
)  # fmt: skip
OURS = "ensemble"
FAMILIES = ("additive", "scorecard", "interactions", OURS)
DIRECT: Mapping[str, us_models.Model] = {
    "existing service's recipe": us_models.existing_recipe,
    "logistic regression": us_models.logistic,
}
SEPARATE = "separate boosted classifiers"
Scores = dict[str, list[pl.DataFrame]]


@dataclass(frozen=True)
class Years:
    """Fiscal years judged at each horizon: those whose window is wholly observed."""

    first: int
    last: Mapping[int, int]

    def of(self, horizon: int) -> pl.Expr:
        """Rows judged at a horizon."""
        return pl.col("period").dt.year().is_between(self.first, self.last[horizon])


TEST = Years(2015, {1: 2018, 2: 2017, 3: 2016})
# Windows closed by 2015: their events are not those of the test rows.
VALIDATION = Years(2012, {1: 2014, 2: 2013, 3: 2012})


def _tidy(rows: pl.DataFrame, names: Sequence[str]) -> Tidy:
    december = lambda name: pl.date(pl.col(name), 12, 1)  # noqa: E731
    frame = rows.select(
        entity=pl.col("company").cast(pl.String),
        period=december("fyear"),
        event_period=pl.when(pl.col("event_year").is_not_null()).then(december("event_year")),
        exit_period=pl.lit(None, dtype=pl.Date),
        **{name: pl.col(name).cast(pl.Float64) for name in names},
    )
    return Tidy(frame, 12, 2019 * 12 + 11, tuple(names))


def _outcomes(rows: pl.DataFrame, years: Years) -> pl.DataFrame:
    """Filing within k years after the fiscal year, null outside the years judged at that horizon."""
    gap = pl.col("event_year") - pl.col("fyear")
    labelled = rows.select(
        entity=pl.col("company").cast(pl.String),
        period=pl.date(pl.col("fyear"), 12, 1),
        **{f"_{k}": gap.is_between(1, k).fill_null(value=False).cast(pl.Int8) for k in HORIZONS},
    )
    return labelled.select(
        "entity", "period", **{f"defaillance_{12 * k}m": pl.when(years.of(k)).then(pl.col(f"_{k}")) for k in HORIZONS}
    )


def _family_scores(tidy: Tidy, family: str, years: Years) -> list[pl.DataFrame]:
    month = lambda year: year * 12 + 11  # noqa: E731
    params = hazard_params(HORIZONS, 12, PARAMS)
    split = Split(month(LEARNED), month(KNOWN), month(years.first), month(years.last[1]) + 1)
    features = free_features(tidy.names)
    seeds = SEEDS[:1] if family == "scorecard" else SEEDS  # a scorecard draws nothing
    return [score_split(tidy, family, features, params, split, seed) for seed in seeds]


def _direct_scores(
    rows: pl.DataFrame, names: Sequence[str], model: us_models.Model, years: Years, horizons: Sequence[int] = (1,)
) -> list[pl.DataFrame]:
    """Scores of one classifier per horizon, for each seed."""
    learned = rows.filter(pl.col("fyear") <= LEARNED)
    judged = rows.filter(pl.col("fyear").is_between(years.first, years.last[1]))
    X, later = (part.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy() for part in (learned, judged))
    gap = (learned.get_column("event_year") - learned.get_column("fyear")).fill_null(99).to_numpy()
    key = judged.select(entity=pl.col("company").cast(pl.String), period=pl.date(pl.col("fyear"), 12, 1))
    return [
        key.with_columns(**{f"p{12 * k}": pl.Series(model(X, gap <= k, later, seed)) for k in horizons})
        for seed in SEEDS
    ]


def _mean(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    names = [f"p{12 * k}" for k in HORIZONS if f"p{12 * k}" in frames[0].columns]
    stacked = {name: np.mean([frame.get_column(name).to_numpy() for frame in frames], axis=0) for name in names}
    return frames[0].with_columns(**{name: pl.Series(values) for name, values in stacked.items()})


def _figure(value: Mapping[str, float | None], decimals: int = 3) -> str:
    if value["valeur"] is None:
        return "–"
    return f"{value['valeur']:.{decimals}f} [{value['bas']:.{decimals}f}; {value['haut']:.{decimals}f}]"


def _figures(
    frames: Sequence[pl.DataFrame], outcomes: pl.DataFrame, horizon: int, bootstrap: int = 100
) -> dict[str, Any]:
    return evaluate(_mean(frames), outcomes, [12 * horizon], threshold_horizon=0, bootstrap=bootstrap)[
        str(12 * horizon)
    ]


def _table(scores: Scores, outcomes: pl.DataFrame, horizon: int) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Rows of a horizon and the figures behind them."""
    found = {
        name: _figures(frames, outcomes, horizon) for name, frames in scores.items() if f"p{12 * horizon}" in frames[0]
    }
    some = next(iter(found.values()))
    lines = [
        f"\n{horizon} year{'s' * (horizon > 1)}: {some['lignes']:,} rows, {some['defaillances']} events.\n",
        "| model | AUC | AP | AP by seed | P@1% | R@1% | R@5% | R@10% | Brier | O/E | slope | ECE10 |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---|---|---:|",
    ]
    for name, figure in found.items():
        seeds = [_figures([frame], outcomes, horizon, 0)["ap"]["valeur"] for frame in scores[name]]
        shares = [
            f"{figure[key]['valeur']:.3f}"
            for key in ("precision_part_1%", "rappel_part_1%", "rappel_part_5%", "rappel_part_10%")
        ]
        ranks_only = name.startswith("Altman")
        level = (
            ["–"] * 4
            if ranks_only
            else [f"{figure['brier']['valeur']:.5f}", _figure(figure["observe_sur_attendu"], 2), _figure(figure["pente"], 2),
                  f"{figure['ece10']['valeur']:.4f}"]
        )  # fmt: skip
        by_seed = f"{np.mean(seeds):.3f} ± {np.std(seeds, ddof=1):.3f}" if len(seeds) > 1 else "–"
        cells = [name, _figure(figure["auc"]), _figure(figure["ap"]), by_seed, *shares, *level]
        lines.append("| " + " | ".join(cells) + " |")
    return lines, found


def american(panel: Path, years: Years) -> str:
    """Tables of every model at every horizon, paired differences, and the goals: reached or not."""
    rows = us_panel.read(panel)
    names, without = us_panel.features(market=True), us_panel.features(market=False)
    outcomes = _outcomes(rows, years)
    tidy = _tidy(rows, names)
    scores: Scores = {family: _family_scores(tidy, family, years) for family in FAMILIES}
    scores |= {name: _direct_scores(rows, names, model, years) for name, model in DIRECT.items()}
    scores[SEPARATE] = _direct_scores(rows, names, us_models.direct_boosting, years, HORIZONS)
    judged = rows.filter(pl.col("fyear").is_between(years.first, years.last[1]))
    scores["Altman Z''"] = [scores[SEPARATE][0].select("entity", "period", p12=pl.Series(us_models.altman(judged)))]
    span = f"{years.first}-{years.last[1]}"
    lines = [f"American panel, learned to {LEARNED}, judged on {span}, {len(names)} variables, seeds {SEEDS}."]
    figures: dict[int, dict[str, dict[str, Any]]] = {}
    for horizon in HORIZONS:
        table, figures[horizon] = _table(scores, outcomes, horizon)
        lines += table
    bare: Scores = {OURS: _family_scores(_tidy(rows, without), OURS, years)}
    lines.append(f"\nWithout market value, {len(without)} variables:")
    table, unlisted = _table(bare, outcomes, 1)
    lines += table
    lines += _paired(scores, bare, outcomes)
    violations = {name: [count_violations(f, [12, 24, 36]) for f in scores[name]] for name in (*FAMILIES, SEPARATE)}
    total = scores[OURS][0].height
    lines += [
        "\nRows whose probability falls with the horizon: "
        + "; ".join(f"{name} {np.mean(found) / total:.1%}" for name, found in violations.items())
        + ".\n"
    ]
    lines += _goals({k: figures[k][OURS] for k in HORIZONS}, unlisted[OURS], sum(violations[OURS]))
    return "\n".join([*lines, ""])


def _paired(scores: Scores, bare: Scores, outcomes: pl.DataFrame) -> list[str]:
    lines = ["\nPaired difference at one year, 200 draws of firms:\n", "| comparison | AP | AUC |", "|---|---|---|"]
    ours = _mean(scores[OURS])
    others = {name: frames for name, frames in scores.items() if name != OURS} | {
        "itself without market value": bare[OURS]
    }
    for name, frames in others.items():
        gaps = [_figure(paired_difference(ours, _mean(frames), outcomes, metric, 12)) for metric in ("ap", "auc")]
        lines.append(f"| {OURS} − {name} | {gaps[0]} | {gaps[1]} |")
    return lines


def _goals(ours: Mapping[int, Mapping[str, Any]], unlisted: Mapping[str, Any], violations: int) -> list[str]:
    """Goal, measured, interval, reached."""
    above = [
        ("AP, 1 year", 0.282, ours[1]["ap"]),
        ("AUC, 1 year", 0.931, ours[1]["auc"]),
        ("AP, 2 years", 0.267, ours[2]["ap"]),
        ("AP, 3 years", 0.288, ours[3]["ap"]),
        ("AP, 1 year, without market value", 0.165, unlisted["ap"]),
        ("AUC, 1 year, without market value", 0.888, unlisted["auc"]),
    ]
    lines = ["| figure | goal | measured [95 %] | reached |", "|---|---|---|---|"]
    for name, goal, figure in above:
        lines.append(f"| {name} | > {goal} | {_figure(figure)} | {_yes(figure['valeur'] > goal)} |")
    for horizon, figures in ours.items():
        for key, name in (("observe_sur_attendu", "O/E"), ("pente", "slope")):
            inside = 0.9 <= figures[key]["valeur"] <= 1.1
            lines.append(f"| {name}, {horizon} y | 0.9 to 1.1 | {_figure(figures[key], 2)} | {_yes(inside)} |")
    return [*lines, f"| probabilities that fall with the horizon | 0 | {violations} | {_yes(violations == 0)} |"]


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--panel", type=Path, default=PANEL, help="the public American panel")
    parser.add_argument("--validation", action="store_true", help="judge on 2012-2014 instead of the test years")
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        default=[1_000_000, 5_000_000],
        help="rows of the speed comparisons, smallest first",
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of the smallest comparison, interleaved; medians")
    parser.add_argument(
        "--home", type=Path, help="a home that `vigie demo` filled: the champion beside the simulated truth"
    )
    parser.add_argument(
        "--only", choices=["american", "speed", "batch", "truth"], help="one of the four (truth: with --home)"
    )
    options = parser.parse_args()
    if options.only in (None, "american"):
        print(american(options.panel, VALIDATION if options.validation else TEST), flush=True)
    if options.only in (None, "speed"):
        for position, rows in enumerate(options.rows):
            print(model_speed.beside_lightgbm(rows, 1 if position else options.runs), flush=True)
    if options.only in (None, "batch"):
        print(model_speed.national_batch(), flush=True)
    if options.home is not None and options.only in (None, "truth"):
        print(model_truth.against_truth(options.home), flush=True)


if __name__ == "__main__":
    main()
