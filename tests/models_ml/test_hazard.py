from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from models_ml.evaluate import evaluate
from models_ml.explain import reasons
from models_ml.families import fit
from models_ml.features import Feature, load_features
from models_ml.hazard import HazardModel, HazardParams
from models_ml.panel import label_outcomes
from models_ml.train import TrainedModel, TrainParams, train

PanelMaker = Callable[..., pl.DataFrame]


def test_contributions_add_up_exactly_to_the_logit(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """Rescaled or squashed contributions made the existing explanations disagree with the score (model.md 1.11)."""
    total = (
        trained.model.contributions(last_month)
        .group_by("entity", maintain_order=True)
        .agg(pl.col("contribution").sum())
    )
    logit = trained.model.predict(last_month).get_column("logit")
    assert (total.get_column("contribution") + trained.model.base - logit).abs().max() < 1e-9


def test_contributions_do_not_depend_on_the_other_variables(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """The same debt must count the same whatever the margin: this is what additive means to a reader."""
    twin = pl.concat(
        [last_month.head(1), last_month.head(1).with_columns(entity=pl.lit("Z"), marge=pl.lit(2.5), bilan=None)]
    )
    rows = trained.model.contributions(twin).filter(pl.col("feature") == "dette").get_column("contribution")
    assert rows[0] == rows[1]


def test_probabilities_grow_with_the_horizon(trained: TrainedModel, panel: pl.DataFrame) -> None:
    """11 to 14 % of rows break this with one classifier per horizon (model.md 5.B)."""
    scores = trained.model.predict(panel)
    assert scores.select((pl.col("p12") <= pl.col("p18")).all() & (pl.col("p18") <= pl.col("p24")).all()).item()
    assert scores.select(pl.min_horizontal("p12", "p24").min()).item() > 0
    assert scores.get_column("p24").max() < 1


def test_a_company_scored_alone_gets_the_score_of_the_batch(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """A scaler fitted on the batch made a risk depend on who else was scored that day."""
    batch = trained.model.predict(last_month)
    contributions = trained.model.contributions(last_month)
    for row in (0, 17, last_month.height - 1):
        alone = last_month.slice(row, 1)
        assert trained.model.predict(alone).equals(batch.slice(row, 1))
        assert trained.model.contributions(alone).equals(contributions.slice(4 * row, 4))


def test_a_month_without_alert_has_no_reason_and_no_error(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """A quiet month for a small territory is not a failure of the run."""
    nobody = last_month.clear()
    assert trained.model.predict(nobody).height == 0
    assert reasons(trained.model.contributions(nobody), trained.features).height == 0


def test_more_debt_never_lowers_the_risk(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    ladder = pl.concat(
        last_month.slice(3, 1).with_columns(entity=pl.lit(f"E{step:03d}"), dette=pl.lit(-3 + step / 10))
        for step in range(60)
    )
    scores = trained.model.predict(ladder)
    for horizon in ("p12", "p18", "p24"):
        assert (np.diff(scores.get_column(horizon).to_numpy()) >= 0).all()


def test_an_infinite_or_absent_variable_is_refused_by_name(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """A division by zero in the mart must be seen, not sorted among the largest values."""
    with pytest.raises(ValueError, match="marge"):
        trained.model.predict(last_month.with_columns(marge=pl.lit(float("inf"))))
    with pytest.raises(ValueError, match="dette"):
        trained.model.predict(last_month.drop("dette"))


def test_a_horizon_that_is_not_a_whole_number_of_intervals_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples"):
        HazardParams(horizons=(12, 15, 24))
    with pytest.raises(ValueError, match="beyond"):
        HazardParams(horizons=(12, 30))


@pytest.fixture(scope="module")
def calibrated(
    panel_maker: PanelMaker, small_features: tuple[Feature, ...], quick: TrainParams
) -> tuple[TrainedModel, pl.DataFrame]:
    """A model of 2,500 companies with many exits, and another 2,500 companies it never saw."""
    learned = panel_maker(2500, 48, seed=11, exit_rate=0.008)
    unseen = panel_maker(2500, 48, seed=12, exit_rate=0.008)
    return train(
        learned, as_of=date(2019, 12, 31), features=small_features, seed=0, validation=False, params=quick
    ), unseen


def test_the_hazard_recovers_the_true_probability_in_spite_of_exits(
    calibrated: tuple[TrainedModel, pl.DataFrame],
) -> None:
    """Exits counted as survivors would announce about a tenth too little; shares of 20-35 % positives, ten times too much."""
    model, unseen = calibrated
    scores = model.model.predict(unseen).with_columns(truth=unseen.get_column("vraie_p18"))
    ratio = scores.get_column("truth").mean() / scores.get_column("p18").mean()  # type: ignore[operator]
    assert 0.9 < ratio < 1.1
    fifth = (pl.col("p18").rank("ordinal") - 1) * 5 // pl.len()
    by_risk = scores.group_by(fifth.alias("fifth")).agg(pl.col("truth", "p18").mean())
    assert by_risk.select(((pl.col("truth") / pl.col("p18")).is_between(0.75, 1.3)).all()).item()
    assert np.corrcoef(scores.get_column("truth").to_numpy(), scores.get_column("p18").to_numpy())[0, 1] > 0.7


def test_the_noise_variable_matters_least(calibrated: tuple[TrainedModel, pl.DataFrame]) -> None:
    model, unseen = calibrated
    spread = model.model.contributions(unseen.head(2000)).group_by("feature").agg(pl.col("contribution").std())
    ranked = spread.sort("contribution", descending=True).get_column("feature").to_list()
    assert ranked[:2] == ["dette", "marge"]


def test_scores_rank_unseen_companies_at_every_horizon(calibrated: tuple[TrainedModel, pl.DataFrame]) -> None:
    model, unseen = calibrated
    result = evaluate(model.model.predict(unseen), label_outcomes(unseen, date(2021, 12, 31)), bootstrap=0)
    for horizon in ("12", "18", "24"):
        assert result[horizon]["auc"]["valeur"] > 0.65


def test_contributions_of_a_few_hundred_companies_take_seconds() -> None:
    """Shape functions are read once per distinct value, in stacked predictions: 300 companies x 60 variables."""
    features = load_features()
    rng = np.random.default_rng(5)
    values = rng.normal(size=(1500, len(features)))
    values[rng.random(values.shape) < 0.2] = np.nan
    interval = rng.integers(1, 5, size=(1500, 1))
    outcome = rng.random(1500) < 1 / (1 + np.exp(3 - np.nan_to_num(values[:, 6])))
    rows = np.hstack([values, interval])
    estimator = fit("additive", rows, outcome.astype(np.int8), np.arange(1500), features, HazardParams(), 0)
    model = HazardModel(estimator, [f.name for f in features], HazardParams())
    frame = pl.DataFrame({f.name: values[:300, k] for k, f in enumerate(features)}).with_columns(
        entity=pl.Series([f"E{i}" for i in range(300)]), period=pl.lit(date(2020, 1, 1))
    )
    start = time.process_time()
    contributions = model.contributions(frame)
    assert time.process_time() - start < 4  # CPU seconds on two threads; about 0.4 measured
    total = (
        contributions.group_by("entity", maintain_order=True)
        .agg(pl.col("contribution").sum())
        .get_column("contribution")
    )
    assert (
        total + model.raw_contributions(values[:1])[1] - model.predict(frame).get_column("logit")
    ).abs().max() < 1e-9
