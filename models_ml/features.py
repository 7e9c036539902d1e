"""The variables of the model, read from `features.yml`: the only list, used to train, to score and to write the reasons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

FEATURES_FILE = Path(__file__).with_name("features.yml")

Theme = Literal["Dettes sociales", "Données financières", "Activité partielle", "Effectif", "Contexte"]
THEMES: tuple[Theme, ...] = ("Dettes sociales", "Données financières", "Activité partielle", "Effectif", "Contexte")
Unit = Literal[
    "eur", "mois", "mois_signe", "mois_entier", "jours", "jours_signe", "nombre", "etp", "part", "pct", "points",
    "pct_points", "booleen",
]  # fmt: skip


class Feature(BaseModel):
    """One variable: a column of the panel, its direction on the risk, and what a reader is told about it.

    `monotone`: +1 when more of it may only raise the risk, -1 lower it, 0 free. `famille`: reasons of one family say the same
    thing twice, so only the strongest is shown. Phrases hold `{valeur}` or, for a change, `{evolution}`.
    `sources`: the deliveries that it needs, each with its substitutes after a `|`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(alias="nom", pattern=r"^[a-z][a-z0-9_]*$")
    theme: Theme
    label_fr: str = Field(alias="libelle", min_length=3)
    unit: Unit = Field(alias="unite")
    monotone: Literal[-1, 0, 1]
    phrase_aggravant: str = Field(alias="aggravant")
    phrase_favorable: str = Field(alias="favorable")
    phrase_zero: str | None = Field(default=None, alias="zero")
    phrase_missing: str = Field(alias="manquant")
    family: str = Field(default="", alias="famille")
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _family_defaults_to_the_variable(self) -> Feature:
        if not self.family:
            object.__setattr__(self, "family", self.name)
        return self

    def speaks_without(self, withheld: Collection[str]) -> bool:
        """Whether the variable still means something when these sources say nothing."""
        return not any(set(needed.split("|")) <= set(withheld) for needed in self.sources)


@cache
def load_features(path: Path = FEATURES_FILE) -> tuple[Feature, ...]:
    """Variables in the order of the file. Raises ValueError on a name given twice, pydantic.ValidationError on a bad line."""
    features = tuple(Feature.model_validate(line) for line in yaml.safe_load(path.read_text(encoding="utf-8")))
    names = [feature.name for feature in features]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path.name}: variables given twice: {', '.join(doubles)}")
    return features


def features_without(withheld: Collection[str]) -> tuple[Feature, ...]:
    """The variables of the project that these sources leave, in order. Raises ValueError when none is left."""
    left = tuple(feature for feature in load_features() if feature.speaks_without(withheld))
    if not left:
        raise ValueError(f"aucune variable ne reste sans : {', '.join(sorted(withheld))}")
    return left


def feature_hash(features: Sequence[Feature]) -> str:
    """sha256 of what a fitted model depends on: names in order, units, directions. A reworded sentence does not change it."""
    canonical = [[feature.name, feature.unit, feature.monotone] for feature in features]
    return hashlib.sha256(json.dumps(canonical, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
