"""The model on a public panel of another country, yearly, to show that nothing in it is tied to Vigie's marts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from models_ml.features import Feature
from models_ml.hazard import HazardParams
from models_ml.train import TrainParams, train

C = pl.col
RATIOS = {
    "fonds_roulement": (-1, (C("X1") - C("X14")) / C("X10")),
    "reserves": (-1, C("X15") / C("X10")),
    "ebit": (-1, C("X12") / C("X10")),
    "resultat": (-1, C("X6") / C("X10")),
    "dette": (1, C("X17") / C("X10")),
    "ventes": (0, C("X9") / C("X10")),
    "marche": (-1, C("X8") / C("X17")),
    "liquidite": (-1, C("X1") / C("X14")),
    "stocks": (0, C("X5") / C("X9")),
    "taille": (0, C("X10").log() - C("X10").log().median().over("fyear")),
}


@pytest.mark.timeout(120)
def test_a_yearly_panel_of_american_companies_is_learned_out_of_time(
    shared_data: Path, feature_of: Callable[..., Feature], record_property: Callable[[str, object], None]
) -> None:
    """Event = filing in the year after a failed company's last one; `failed` itself, constant per company, is the classic leak."""
    source = pl.read_parquet(shared_data / "us_bankruptcy" / "panel.parquet").with_columns(
        **{k: v for k, (_, v) in RATIOS.items()}
    )
    following = pl.date(C("last_fyear") + 1, 12, 1)
    panel = source.select(
        pl.col("company").alias("entity"),
        pl.date(C("fyear"), 12, 1).alias("period"),  # the month in which the year is known
        pl.when(C("failed") == 1).then(following).alias("event_period"),
        pl.when((C("failed") == 0) & (C("last_fyear") < 2018)).then(following).alias("exit_period"),
        *(pl.when(C(name).is_finite()).then(C(name)) for name in RATIOS),
    )
    yearly = HazardParams(interval_months=12, intervals=3, horizons=(12, 24, 36), main_horizon=24, iterations=60)
    result = train(
        panel,
        as_of=date(2019, 12, 31),
        features=[feature_of(name, sign) for name, (sign, _) in RATIOS.items()],
        seed=0,
        params=TrainParams(hazard=yearly, lag_months=0, bootstrap=20),
    )
    assert result.validation["connu_au"] == "2016-12-31"
    for horizon, floor in (("12", 0.85), ("24", 0.82), ("36", 0.78)):
        auc = result.metrics[horizon]["auc"]
        record_property(f"auc_{horizon}", auc["valeur"])
        print(f"AUC {horizon} mois : {auc['valeur']:.3f} [{auc['bas']:.3f} ; {auc['haut']:.3f}]")  # noqa: T201
        assert auc["valeur"] > floor
