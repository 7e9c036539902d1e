"""Synthetic panels whose hazard is known, written here: no delivered file is needed to test the model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from models_ml.features import Feature
from models_ml.hazard import HazardParams
from models_ml.train import TrainedModel, TrainParams, train

PanelMaker = Callable[..., pl.DataFrame]
AS_OF = date(2021, 12, 31)
QUICK = TrainParams(hazard=HazardParams(iterations=60, min_samples_leaf=50), bootstrap=20, max_rows=20_000)


def _feature(name: str, monotone: int, theme: str = "Dettes sociales", **more: str) -> Feature:
    """A line of features.yml written in code."""
    text = {"aggravant": name + " vaut {valeur}", "favorable": name + " vaut {valeur}", "manquant": name + " inconnu"}
    return Feature.model_validate(
        {
            "nom": name,
            "theme": theme,
            "libelle": f"variable {name}",
            "unite": "mois",
            "monotone": monotone,
            **text,
            **more,
        }
    )


@pytest.fixture(scope="session")
def small_features() -> tuple[Feature, ...]:
    """Four variables: two that matter, one that only adds noise, one often missing."""
    return (
        _feature("dette", 1),
        _feature("marge", -1, "Données financières"),
        _feature("bruit", 0, "Contexte"),
        _feature("bilan", 0, "Effectif"),
    )


def make_panel(
    companies: int = 800,
    months: int = 72,
    seed: int = 1,
    *,
    start: int = 2016,
    monthly_hazard: float = 0.004,
    exit_rate: float = 0.002,
) -> pl.DataFrame:
    """Panel of companies that fail each month with a hazard driven by slow `dette` and `marge`; the truth is column `vraie_p18`.

    The state of a company moves slowly (AR 0.97), so 18 months ahead is predictable. Nobody is observed after failure or exit.
    """
    rng = np.random.default_rng(seed)
    state = np.zeros((companies, months + 24, 2))
    state[:, 0] = rng.normal(size=(companies, 2))
    for t in range(1, months + 24):
        state[:, t] = 0.97 * state[:, t - 1] + np.sqrt(1 - 0.97**2) * rng.normal(size=(companies, 2))
    logit = np.log(monthly_hazard) + 0.9 * state[..., 0] - 0.5 * state[..., 1] - 0.53
    hazard = 1 / (1 + np.exp(-logit))
    fails = rng.random(hazard.shape) < hazard
    leaves = rng.random(hazard.shape) < exit_rate
    never = months + 24
    event = np.where(fails.any(1), fails.argmax(1), never)
    leave = np.where(leaves.any(1), leaves.argmax(1), never)
    month = np.array([date(start + m // 12, m % 12 + 1, 1) for m in range(never)])
    entity, period = (grid.ravel() for grid in np.meshgrid(np.arange(companies), np.arange(months), indexing="ij"))
    bilan = rng.normal(size=entity.size)
    bilan[rng.random(entity.size) < 0.4] = np.nan
    dates = lambda index: [month[i] if i < never else None for i in index]  # noqa: E731
    return (
        pl.DataFrame(
            {
                "entity": [f"S{e:06d}" for e in entity],
                "period": pl.Series(month[period].tolist(), dtype=pl.Date),
                "dette": np.round(state[entity, period, 0], 3),
                "marge": np.round(state[entity, period, 1], 3),
                "bruit": np.round(rng.normal(size=entity.size), 3),
                "bilan": bilan,
                "event_period": pl.Series(dates(event[entity]), dtype=pl.Date),
                "exit_period": pl.Series(dates(leave[entity]), dtype=pl.Date),
                "vraie_p18": 1 - np.stack([1 - hazard[:, m + 1 : m + 19] for m in range(months)], 1).prod(2).ravel(),
            },
            strict=False,
        )
        .filter(pl.Series((period < event[entity]) & (period < leave[entity])))
        .with_columns(pl.col("bilan").fill_nan(None))
    )


@pytest.fixture(scope="session")
def panel() -> pl.DataFrame:
    """800 companies, 2016-01 to 2021-12, about 4 % failing a year."""
    return make_panel()


@pytest.fixture(scope="session")
def panel_maker() -> PanelMaker:
    """`make_panel`, for tests that need another population."""
    return make_panel


@pytest.fixture(scope="session")
def as_of() -> date:
    """Last day of the panel's last month."""
    return AS_OF


@pytest.fixture(scope="session")
def quick() -> TrainParams:
    """Parameters of production but fewer trees and draws: enough to learn two variables."""
    return QUICK


@pytest.fixture(scope="session")
def trained(panel: pl.DataFrame, small_features: tuple[Feature, ...]) -> TrainedModel:
    """A model of the synthetic panel, with its validation."""
    return train(panel, as_of=AS_OF, features=small_features, seed=7, params=QUICK)


@pytest.fixture(scope="session")
def last_month(panel: pl.DataFrame) -> pl.DataFrame:
    """Companies still at risk in the last month: what a monthly run scores."""
    return panel.filter(pl.col("period") == date(2021, 12, 1))


@pytest.fixture(scope="session")
def feature_of() -> Callable[..., Feature]:
    """Makes a feature from a name and a direction."""
    return _feature
