"""Why a company is there: its largest contributions, in French, with the number behind each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from models_ml.features import Feature, Unit

NARROW_SPACE = "\u202f"
_SIGNED = {"mois_signe", "jours_signe", "points", "pct_points"}
_WORDS = {"jours": "jour", "jours_signe": "jour", "points": "point", "pct_points": "point"}
_NEGLIGIBLE = 1e-12


def french_number(value: float, decimals: int = 0, *, signed: bool = False) -> str:
    """`-1234.56` with 1 decimal -> « −1 234,6 » (narrow no-break spaces, decimal comma, true minus sign; never « −0 »)."""
    rounded = round(value, decimals) + 0.0
    text = f"{abs(rounded):,.{decimals}f}".replace(",", NARROW_SPACE).replace(".", ",")
    sign = "−" if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + text


def french_value(value: float, unit: Unit) -> str:
    """Value with its sign, and its unit when the sentence does not say it: « 12 300 € », « 3,2 », « −4,5 % », « 1,5 jour »."""
    signed = unit in _SIGNED
    if unit == "eur":
        return french_number(value) + NARROW_SPACE + "€"
    if unit in ("part", "pct"):
        return french_number(value * (100 if unit == "part" else 1), 1) + NARROW_SPACE + "%"
    if unit in _WORDS:
        figure = value * (100 if unit == "points" else 1)
        ending = "s" if abs(round(figure, 1)) >= 2 else ""
        return f"{french_number(figure, 1, signed=signed)} {_WORDS[unit]}{ending}"
    if unit in ("nombre", "mois_entier", "booleen"):
        return french_number(value)
    return french_number(value, 1, signed=signed)


def evolution(change: float) -> str:
    """« a baissé de 12 % », « a augmenté de 3 % », « est stable » for a relative change."""
    percent = round(change * 100)
    if percent == 0:
        return "est stable"
    return f"a {'augmenté' if percent > 0 else 'baissé'} de {french_number(abs(percent))}{NARROW_SPACE}%"


def phrase(feature: Feature, value: float | None, contribution: float) -> str:
    """Sentence for one reason. True whatever the value: the direction chooses the template, zero and missing have their own."""
    if value is None or math.isnan(value):
        return feature.phrase_missing
    if value == 0 and feature.phrase_zero is not None:
        return feature.phrase_zero
    template = feature.phrase_aggravant if contribution > 0 else feature.phrase_favorable
    return template.format(valeur=french_value(value, feature.unit), evolution=evolution(value))


def _described(
    contributions: pl.DataFrame, features: Sequence[Feature], reference: pl.DataFrame | None
) -> pl.DataFrame:
    """Contributions with theme, family and file order; relative to the mean of `reference` when it is given."""
    about = pl.DataFrame(
        {
            "feature": [f.name for f in features],
            "theme": [f.theme for f in features],
            "family": [f.family for f in features],
            "order": range(len(features)),
        }
    )
    unknown = set(contributions.get_column("feature").unique()) - {f.name for f in features}
    if unknown:
        raise ValueError(f"contributions of unknown variables: {', '.join(sorted(unknown))}")
    rows = contributions.join(about, on="feature", how="inner", maintain_order="left")
    if reference is None:
        return rows
    means = reference.group_by("feature").agg(mean=pl.col("contribution").mean())
    rows = rows.join(means, on="feature", how="left", maintain_order="left")
    return rows.with_columns(contribution=pl.col("contribution") - pl.col("mean").fill_null(0.0)).drop("mean")


def reasons(
    contributions: pl.DataFrame, features: Sequence[Feature], top: int = 5, *, reference: pl.DataFrame | None = None
) -> pl.DataFrame:
    """entity, period, rang (1..top), theme, variable, valeur, contribution, sens, phrase: the strongest first.

    `contributions`: output of `HazardModel.contributions`, already relative to the model's at-risk population; `reference`, the
    contributions of another population, recentres them on it. Of one family only the strongest variable is kept; ties follow the
    order of the list of variables. A variable without effect is no reason, so a company may have fewer than `top`.
    """
    by_name = {feature.name: feature for feature in features}
    rows = (
        _described(contributions, features, reference)
        .filter(pl.col("contribution").abs() > _NEGLIGIBLE)
        .with_columns(strength=pl.col("contribution").abs())
        .sort(["entity", "period", "strength", "order"], descending=[False, False, True, False])
        .unique(["entity", "period", "family"], keep="first", maintain_order=True)
        .with_columns(rang=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("entity", "period"))
        .filter(pl.col("rang") <= top)
    )
    sentences = [
        phrase(by_name[name], value, contribution)
        for name, value, contribution in rows.select("feature", "value", "contribution").iter_rows()
    ]
    return rows.select(
        "entity",
        "period",
        "rang",
        "theme",
        variable=pl.col("feature"),
        valeur=pl.col("value"),
        contribution=pl.col("contribution"),
        sens=pl.when(pl.col("contribution") > 0).then(pl.lit("aggravant")).otherwise(pl.lit("favorable")),
        phrase=pl.Series(sentences, dtype=pl.String),
    )


def theme_contributions(
    contributions: pl.DataFrame, features: Sequence[Feature], *, reference: pl.DataFrame | None = None
) -> pl.DataFrame:
    """entity, period, theme, contribution: all variables of a theme summed; base + the five themes == logit."""
    rows = _described(contributions, features, reference)
    return (
        rows.group_by("entity", "period", "theme", maintain_order=True)
        .agg(pl.col("contribution").sum())
        .sort("entity", "period", "theme")
    )
