"""`model evaluate`: the families of the library on any tidy panel, without an instance nor a database.

What loads scikit-learn is imported inside functions: it takes seconds, which no other command must wait for.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from models_ml.panel import month_index
from models_ml.panel_file import PanelRefused, period_months, read_table
from models_ml.tidy import Tidy, tidy
from orchestration.cli.console import AsJson, Refused, console, file_argument, print_json

if TYPE_CHECKING:
    from models_ml.backtest import Split

_DEFAULT = "additive,interactions,scorecard"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def horizons_argument(text: str) -> list[int]:
    """Whole numbers of periods, growing (a Typer parser)."""
    try:
        horizons = sorted({int(part) for part in _names(text)})
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: whole numbers of periods were expected, such as 1,2,3") from error
    if not horizons or horizons[0] < 1:
        raise typer.BadParameter(f"{text!r}: horizons start at 1")
    return horizons


def families_argument(text: str) -> list[str]:
    """Names of families (a Typer parser)."""
    from models_ml.families import FAMILIES

    if (unknown := [name for name in _names(text) if name not in FAMILIES]) or not _names(text):
        raise typer.BadParameter(f"unknown family {', '.join(unknown)} (families: {', '.join(FAMILIES)})")
    return _names(text)


def model_evaluate(
    panel: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A tidy panel, parquet or CSV.")],
    entity: Annotated[str, typer.Option(help="Column of the entity.")],
    period: Annotated[str, typer.Option(help="Column of the period: year, month, quarter or date.")],
    event: Annotated[str, typer.Option(help="Column of the period of the event, empty for an entity without one.")],
    horizons: Annotated[
        Any,
        typer.Option(parser=horizons_argument, metavar="N,N…", help="In periods of the panel: years of a yearly one."),
    ],
    features: Annotated[str, typer.Option(help="Columns to use, separated by commas; all usable ones otherwise.")] = "",
    families: Annotated[
        Any,
        typer.Option(parser=families_argument, metavar="NAME,…", help="Side by side; differences are to the first."),
    ] = _DEFAULT,
    split: Annotated[
        str,
        typer.Option(
            metavar="rolling|LEARNED[:FIRST]",
            help="rolling: yearly origins. Otherwise the last period learned and the first judged (as early as the embargo allows).",
        ),
    ] = "rolling",
    until: Annotated[str, typer.Option(help="Last period in which events are known.")] = "",
    lags: Annotated[
        int, typer.Option(min=0, max=12, help="Adds the values of that many periods before, and the change.")
    ] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Models averaged.")] = 1,
    bootstrap: Annotated[int, typer.Option(min=0, max=2000, help="Draws of the intervals.")] = 100,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(parser=file_argument, metavar="FILE", help="Write the report as Markdown.")
    ] = None,
) -> None:
    """Families side by side on your own panel, out of time: discrimination, calibration, capacity, with intervals.

    One line per entity and period; the line holds what was known at the end of the period. Lines at or after the event are left out.
    """
    from models_ml import backtest, backtest_report

    try:
        ready = tidy(
            read_table(panel, entity), entity=entity, period=period, event=event,
            features=_names(features) or None, until=until or None, lags=lags,
        )  # fmt: skip
        splits = _splits(ready, split, horizons)
        result = backtest.compare(
            ready, families, horizons, splits, seeds=range(seeds), bootstrap=bootstrap, paired=2 * bootstrap
        )
    except PanelRefused as refusal:
        raise Refused(str(refusal)) from refusal
    result = {"panel": _description(ready), "partage": [_told(part) for part in splits], **result}
    report = backtest_report.render(result)
    if out is not None:
        out.write_text(report, encoding="utf-8")
    if as_json:
        print_json(result)
    else:
        console.print(report, highlight=False)


def _splits(ready: Tidy, text: str, horizons: list[int]) -> list[Split]:
    from models_ml import backtest

    if text == "rolling":
        return backtest.rolling_splits(ready, horizons)
    learned, *first = (period_months(pl.Series("--split", [part]))[0] for part in text.split(":", 1))
    if learned is None or None in first:
        raise PanelRefused(f"--split « {text} » : une période était attendue, comme 2011, ou deux, comme 2011:2014")
    return backtest.fixed_split(ready, learned, first[0] if first else learned + max(horizons) * ready.step, horizons)


def _month(index: int) -> str:
    return f"{date(index // 12, index % 12 + 1, 1):%Y-%m}"


def _told(split: Split) -> dict[str, str]:
    return {"appris": _month(split.learned), "connu": _month(split.known), "juge": _month(split.first)}


def _description(ready: Tidy) -> dict[str, Any]:
    frame = ready.frame
    first, last = frame.select(first=pl.col("period").min(), last=pl.col("period").max()).row(0)
    return {
        "lignes": frame.height,
        "entites": frame.get_column("entity").n_unique(),
        "evenements": frame.filter(pl.col("event_period").is_not_null()).get_column("entity").n_unique(),
        "premiere": _month(month_index(first)),
        "derniere": _month(month_index(last)),
        "unite": ready.unit,
        "connu_jusqu_a": _month(ready.until),
        "variables": list(ready.names),
        "remarques": ready.notes,
        "avertissements": ready.warnings,
    }
