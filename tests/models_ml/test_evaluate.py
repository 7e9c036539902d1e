from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score, roc_auc_score

from models_ml.calibrate import logistic_slope
from models_ml.evaluate import Slice, best_thresholds, evaluate, paired_difference, segments


def frames(
    p: np.ndarray, y: list[int | None] | np.ndarray, entity: list[str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores and outcomes at 18 months, all in one month unless entities repeat."""
    names = entity or [f"E{i:05d}" for i in range(len(p))]
    seen: dict[str, int] = {}
    periods = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        periods.append(date(2020 + seen[name] // 12, seen[name] % 12 + 1, 1))
    key = {"entity": names, "period": periods}
    return pl.DataFrame({**key, "p18": p}), pl.DataFrame({**key, "defaillance_18m": pl.Series(y, dtype=pl.Int8)})


@pytest.fixture
def noisy() -> tuple[np.ndarray, np.ndarray]:
    """2,000 calibrated probabilities with many ties, and their outcomes."""
    rng = np.random.default_rng(3)
    p = np.round(rng.beta(0.6, 6, 2000), 2) * 0.9 + 0.01
    return p, (rng.random(2000) < p).astype(int)


def test_metrics_agree_with_scikit_learn_ties_included(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    """Ties cut by row order gave another AUC on each sort."""
    p, y = noisy
    result = evaluate(*frames(p, y), [18], bootstrap=0)["18"]
    assert result["auc"]["valeur"] == pytest.approx(roc_auc_score(y, p))
    assert result["ap"]["valeur"] == pytest.approx(average_precision_score(y, p))
    assert result["brier"]["valeur"] == pytest.approx(brier_score_loss(y, p))
    assert result["observe_sur_attendu"]["valeur"] == pytest.approx(y.sum() / p.sum())
    assert 0.8 < result["pente"]["valeur"] < 1.2
    assert result["ece10"]["valeur"] < 0.03


def test_the_slope_is_that_of_a_logistic_regression_when_events_are_rare() -> None:
    """The fit stopped at the first step that raised the loss: 1.6 was reported for slopes of 1.04 and 1.16."""
    rng = np.random.default_rng(6)
    x = rng.normal(-5.2, 1.2, 40_000)
    x[:60] = 1.5  # a few rows far to the right, as companies in heavy debt are
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-x))).astype(int)
    p = 1 / (1 + np.exp(-x))
    found = evaluate(*frames(p, y), [18], bootstrap=0)["18"]["pente"]["valeur"]
    exact = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], y).coef_[0, 0]
    assert found == pytest.approx(exact, rel=1e-4)


def test_the_interval_of_the_slope_is_that_of_refitted_draws(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    """Draws take one Newton step from the slope of the slice; a refit of each draw is the reference."""
    p, y = noisy
    found = evaluate(*frames(p, y), [18], bootstrap=100, seed=2)["18"]["pente"]
    rng = np.random.default_rng(2)
    weights = rng.multinomial(len(p), np.full(len(p), 1 / len(p)), size=100).astype(float)
    refits = [logistic_slope(np.log(p / (1 - p)), y.astype(float), w)[0] for w in weights]
    low, high = np.quantile(refits, [0.025, 0.975])
    assert (found["bas"], found["haut"]) == pytest.approx((low, high), abs=0.04)


def test_bold_probabilities_have_a_slope_below_one(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = noisy
    logit = np.log(p / (1 - p))
    bold = 1 / (1 + np.exp(-2 * logit))
    slope, honest = (evaluate(*frames(q, y), [18], bootstrap=0)["18"]["pente"]["valeur"] for q in (bold, p))
    assert slope == pytest.approx(honest / 2, rel=1e-3)


def test_an_open_window_is_left_out_and_not_a_survivor() -> None:
    """Open windows counted as 0 hide the last failures and flatter nothing but the prevalence (model.md 1.1)."""
    p = np.array([0.9, 0.8, 0.1, 0.2])
    result = evaluate(*frames(p, [1, None, 0, None]), [18], bootstrap=0)["18"]
    assert (result["lignes"], result["defaillances"]) == (2, 1)
    assert result["auc"]["valeur"] == 1.0


def test_a_horizon_without_event_has_counts_only() -> None:
    result = evaluate(*frames(np.array([0.1, 0.2]), [0, 0]), [18], bootstrap=5)["18"]
    assert result["lignes"] == 2
    assert "auc" not in result


def test_intervals_draw_companies_and_not_rows(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    """Twelve identical months of a company are one company: drawing rows would make the interval 3.5 times too narrow."""
    p, y = noisy
    once = evaluate(*frames(p, y), [18], bootstrap=200)["18"]["auc"]
    names = [f"E{i:05d}" for i in range(len(p)) for _ in range(12)]
    repeated = evaluate(*frames(np.repeat(p, 12), np.repeat(y, 12), names), [18], bootstrap=200)["18"]["auc"]
    assert repeated["valeur"] == pytest.approx(once["valeur"])
    assert repeated["haut"] - repeated["bas"] == pytest.approx(once["haut"] - once["bas"], rel=0.25)
    assert once["bas"] < once["valeur"] < once["haut"]


def test_the_same_seed_gives_the_same_intervals_whatever_the_row_order(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    scores, outcomes = frames(*noisy)
    first = evaluate(scores, outcomes, [18], bootstrap=10, seed=4, thresholds={"f1": 0.3, "f2": 0.1})
    second = evaluate(
        scores.reverse(),
        outcomes.sample(fraction=1, shuffle=True, seed=1),
        [18],
        bootstrap=10,
        seed=4,
        thresholds={"f1": 0.3, "f2": 0.1},
    )
    assert first == second


def test_precision_and_recall_at_a_threshold_and_at_the_top() -> None:
    p = np.linspace(0.99, 0.01, 100)
    y = np.array([1] * 4 + [0] * 96)
    result = evaluate(*frames(p, y), [18], bootstrap=0, thresholds={"f1": p[1], "f2": p[7]})["18"]
    assert result["precision_seuil_f1"]["valeur"] == 1.0
    assert result["rappel_seuil_f1"]["valeur"] == 0.5
    assert result["precision_seuil_f2"]["valeur"] == 0.5
    assert result["precision_part_5%"]["valeur"] == 0.8
    assert result["precision_premiers_20"]["valeur"] == 0.2
    assert result["rappel_premiers_20"]["valeur"] == 1.0


def test_the_first_places_are_counted_in_each_month() -> None:
    """A capacity is per month: the 20 highest of the whole slice may all be of one month."""
    p = np.concatenate([np.linspace(0.9, 0.5, 30), np.linspace(0.4, 0.1, 30)])
    y = np.zeros(60, dtype=int)
    y[30:40] = 1
    key = {"entity": [f"E{i}" for i in range(60)], "period": [date(2020, 1, 1)] * 30 + [date(2020, 2, 1)] * 30}
    result = evaluate(pl.DataFrame({**key, "p18": p}), pl.DataFrame({**key, "defaillance_18m": y}), [18], bootstrap=0)[
        "18"
    ]
    assert result["rappel_premiers_20"]["valeur"] == 1.0
    assert result["precision_premiers_20"]["valeur"] == 10 / 40


def observed_argmax(p: np.ndarray, y: np.ndarray, beta: float) -> float:
    """Threshold that maximises the observed F: the old rule."""
    levels, at_least = np.unique(p)[::-1], np.argsort(-p, kind="stable")
    flagged = np.searchsorted(-p[at_least], -levels, side="right")
    hits = np.cumsum(y[at_least])[flagged - 1]
    return float(levels[np.argmax((1 + beta**2) * hits / (flagged + beta**2 * y.sum()))])


def test_thresholds_lose_almost_nothing_of_the_best_f_and_red_is_above_orange(
    noisy: tuple[np.ndarray, np.ndarray],
) -> None:
    p, y = noisy
    found = best_thresholds(*frames(p, y))
    for name, beta in (("f1", 0.5), ("f2", 2.0)):
        best = fbeta_score(y, p >= observed_argmax(p, y, beta), beta=beta)
        assert fbeta_score(y, p >= found[name] - 0.02, beta=beta) > 0.95 * best
    assert found["f1"] > found["f2"]


def test_thresholds_move_less_from_year_to_year_than_the_observed_argmax() -> None:
    """0.44, 0.31, 0.32 then 0.14 for the same population: each was the top of a noisy plateau on about 130 failures."""
    rng = np.random.default_rng(8)
    moves: dict[str, list[float]] = {"f1": [], "f2": [], "argmax_f1": [], "argmax_f2": []}
    for _ in range(12):
        p = np.round(1 / (1 + np.exp(-rng.normal(-4.5, 1.4, 3000))), 3) + 0.001
        y = (rng.random(3000) < p).astype(int)
        for name, value in best_thresholds(*frames(p, y)).items():
            moves[name].append(np.log(value))
        for name, beta in (("f1", 0.5), ("f2", 2.0)):
            moves[f"argmax_{name}"].append(np.log(observed_argmax(p, y, beta)))
    for name in ("f1", "f2"):
        assert np.std(moves[name]) < 0.5 * np.std(moves[f"argmax_{name}"])


def test_thresholds_are_those_of_a_model_at_the_level_of_the_slice() -> None:
    """A model that announces half of the failures must not halve the thresholds of the next one, which has another level."""
    rng = np.random.default_rng(9)
    logit = rng.normal(-4, 1.4, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-logit))).astype(int)
    right, low = (best_thresholds(*frames(1 / (1 + np.exp(-(logit - shift))), y)) for shift in (0.0, 0.7))
    assert low == pytest.approx(right, rel=1e-6)


def test_red_stays_above_orange_when_one_level_is_best_for_both() -> None:
    p = np.array([0.9, 0.5, 0.5, 0.1, 0.05, 0.01])
    found = best_thresholds(*frames(p, [1, 1, 1, 0, 0, 0]))
    assert found["f1"] > found["f2"]
    with pytest.raises(ValueError, match="distincts"):
        best_thresholds(*frames(np.array([0.2, 0.2]), [1, 0]))


def test_companies_seen_counts_companies_and_the_months_won() -> None:
    """A row-level recall counts a company up to 18 times and says nothing of how early it was seen (model.md 2)."""
    month = [date(2020, m, 1) for m in range(1, 7)]
    rows = [("A", m, p, 1, date(2020, 10, 5)) for m, p in zip(month, (0.1, 0.1, 0.6, 0.1, 0.7, 0.8), strict=True)]
    rows += [("B", m, 0.1, 1, date(2020, 12, 1)) for m in month] + [("C", m, 0.9, 0, None) for m in month]
    names = ["entity", "period", "p18", "defaillance_18m", "event_period"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    result = evaluate(frame.select(names[:3]), frame.drop("p18"), [18], bootstrap=20, thresholds={"f1": 0.5})["18"]
    seen = result["entreprises_vues"]["f1"]
    assert seen["entreprises"] == 2
    assert seen["rappel"]["valeur"] == 0.5
    assert seen["avance_mediane_mois"]["valeur"] == 7


def test_a_slice_is_sorted_downwards(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    scores, outcomes = frames(*noisy)
    part = Slice.of(scores.join(outcomes, on=["entity", "period"]), "p18", "defaillance_18m")
    assert (np.diff(part.p) <= 0).all()
    assert part.entity.max() == 1999


def test_the_interval_of_a_paired_difference_is_narrower_than_those_of_the_two(
    noisy: tuple[np.ndarray, np.ndarray],
) -> None:
    """Two overlapping intervals were read as "no difference" between models that share their hard cases."""
    p, y = noisy
    rng = np.random.default_rng(1)
    worse = np.clip(p * np.exp(rng.normal(0, 0.8, len(p))), 0.001, 0.999)
    (a, outcomes), (b, _) = frames(p, y), frames(worse, y)
    gap = paired_difference(a, b, outcomes, "auc", 18)
    single = evaluate(a, outcomes, [18], bootstrap=200)["18"]["auc"]
    assert gap["valeur"] == pytest.approx(roc_auc_score(y, p) - roc_auc_score(y, worse))
    assert 0 < gap["bas"] < gap["valeur"] < gap["haut"]  # type: ignore[operator]
    assert gap["haut"] - gap["bas"] < single["haut"] - single["bas"]  # type: ignore[operator]
    assert paired_difference(a, a, outcomes, "ap", 18) == {"valeur": 0.0, "bas": 0.0, "haut": 0.0}
    same = evaluate(a, outcomes, [18], bootstrap=0)["18"]["rappel_part_10%"]["valeur"]
    other = evaluate(b, outcomes, [18], bootstrap=0)["18"]["rappel_part_10%"]["valeur"]
    assert paired_difference(a, b, outcomes, "rappel_part_10%", 18)["valeur"] == pytest.approx(same - other)
    with pytest.raises(ValueError, match="gini"):
        paired_difference(a, b, outcomes, "gini", 18)


def test_a_segment_with_few_events_has_its_counts_only(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = noisy
    scores, outcomes = frames(p, y)
    sector = pl.Series(["C"] * 1000 + ["F"] * 990 + [None] * 10)
    by = outcomes.select("entity", "period", secteur=sector)
    result = segments(scores, outcomes, by, "secteur", 18, bootstrap=10)
    assert list(result) == ["(inconnu)", "C", "F"]
    assert result["C"]["auc"]["valeur"] == pytest.approx(roc_auc_score(y[:1000], p[:1000]))
    assert sum(entry["lignes"] for entry in result.values()) == 2000
    assert result["(inconnu)"]["lignes"] == 10
    assert "auc" not in result["(inconnu)"]
