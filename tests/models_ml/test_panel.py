from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from models_ml.panel import (
    build_person_periods,
    label_outcomes,
    last_complete_month,
    month_index,
    months_before,
    thin_periods,
)

M = date(2020, 1, 1)
SCHEMA = {
    "entity": pl.String,
    "period": pl.Date,
    "event_period": pl.Date,
    "exit_period": pl.Date,
    "event_known": pl.Date,
}


def one(
    event: date | None = None, leave: date | None = None, known: date | None = None, period: date = M
) -> pl.DataFrame:
    return pl.DataFrame([("A", period, event, leave, known)], schema=SCHEMA, orient="row")


def table(panel: pl.DataFrame, as_of: date = date(2024, 12, 31), **options: object) -> list[tuple[int, int]]:
    return build_person_periods(panel, as_of, **{"lag_months": 0, **options}).select("interval", "event").rows()  # type: ignore[arg-type]


def test_a_survivor_is_at_risk_in_every_interval() -> None:
    assert table(one()) == [(1, 0), (2, 0), (3, 0), (4, 0)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (date(2020, 2, 3), [(1, 1)]),
        (date(2020, 7, 31), [(1, 1)]),  # sixth month after the period: last of interval 1
        (date(2020, 8, 1), [(1, 0), (2, 1)]),
        (date(2022, 1, 31), [(1, 0), (2, 0), (3, 0), (4, 1)]),
        (date(2022, 2, 1), [(1, 0), (2, 0), (3, 0), (4, 0)]),
    ],
)
def test_the_event_closes_its_own_interval(event: date, expected: list[tuple[int, int]]) -> None:
    """An off-by-one month moves every horizon and only shows as a bad calibration a year later."""
    assert table(one(event)) == expected


def test_a_company_that_already_failed_or_left_is_not_at_risk() -> None:
    """Months after the judgment labelled 1 made the existing model look far better than it was (model.md 1.1)."""
    assert table(one(event=date(2020, 1, 15))) == []
    assert table(one(leave=date(2019, 11, 1))) == []
    assert table(one(leave=date(2019, 11, 1)), exits="non_event") == []


def test_a_competing_exit_censors_its_interval() -> None:
    """A closed company counted as a survivor lowers the hazard of all that look like it."""
    assert table(one(leave=date(2020, 10, 1))) == [(1, 0)]
    assert table(one(leave=date(2020, 10, 1)), exits="non_event") == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_an_event_before_the_exit_of_the_same_interval_counts() -> None:
    assert table(one(event=date(2020, 9, 1), leave=date(2020, 11, 1))) == [(1, 0), (2, 1)]
    assert table(one(event=date(2020, 11, 1), leave=date(2020, 9, 1))) == [(1, 0)]


def test_an_interval_that_is_still_open_counts_for_nobody() -> None:
    """Keeping the events of an open interval but not its survivors inflates the hazard of the last months."""
    assert table(one(), as_of=date(2020, 12, 31)) == [(1, 0)]
    assert table(one(event=date(2020, 9, 1)), as_of=date(2020, 12, 31)) == [(1, 0)]
    assert table(one(), as_of=date(2020, 7, 30)) == []
    assert table(one(), as_of=date(2020, 7, 31)) == [(1, 0)]
    assert table(one(), as_of=date(2020, 7, 31), lag_months=1) == []


def test_an_event_known_after_as_of_is_not_used() -> None:
    """A judgment published late would otherwise be in the training set of a month that could not know it."""
    late = one(event=date(2020, 5, 10), known=date(2021, 3, 1))
    assert table(late, as_of=date(2021, 2, 28)) == [(1, 0), (2, 0)]
    assert table(late, as_of=date(2021, 3, 1)) == [(1, 1)]


def test_intervals_may_be_years() -> None:
    yearly = one(event=date(2022, 1, 1))
    assert table(yearly, interval_months=12, intervals=3) == [(1, 0), (2, 1)]


def test_an_outcome_is_null_while_its_window_is_open_even_for_a_known_event() -> None:
    outcomes = label_outcomes(one(event=date(2020, 5, 1)), date(2021, 1, 31), lag_months=0).row(0, named=True)
    assert (outcomes["defaillance_12m"], outcomes["defaillance_18m"], outcomes["defaillance_24m"]) == (1, None, None)


def test_a_company_that_left_without_failing_is_a_zero() -> None:
    outcomes = label_outcomes(one(leave=date(2020, 5, 1)), date(2022, 1, 31), lag_months=0).row(0, named=True)
    assert (outcomes["defaillance_12m"], outcomes["defaillance_24m"]) == (0, 0)


def test_a_doubled_row_or_a_period_inside_a_month_is_refused() -> None:
    with pytest.raises(ValueError, match="plusieurs lignes"):
        table(pl.concat([one(), one()]))
    with pytest.raises(ValueError, match="premier jour"):
        table(one(period=date(2020, 1, 2)))
    with pytest.raises(ValueError, match="exit_period"):
        table(one().drop("exit_period"))


def test_months_are_counted_from_the_last_complete_one() -> None:
    assert last_complete_month(date(2021, 2, 28)) == month_index(date(2021, 2, 1))
    assert last_complete_month(date(2021, 2, 27)) == month_index(date(2021, 1, 1))
    assert months_before(date(2021, 2, 28), 24) == date(2019, 2, 28)
    assert months_before(date(2020, 3, 31), 1) == date(2020, 2, 29)
    assert months_before(date(2021, 2, 1), 0) == date(2021, 1, 31)


def test_thinning_keeps_the_latest_period_and_the_prevalence(panel: pl.DataFrame) -> None:
    """Thinning rows instead of periods would change who is in the training set from one run to the next."""
    thin = thin_periods(panel, 5)
    assert thin.get_column("period").max() == panel.get_column("period").max()
    assert thin.get_column("period").n_unique() == 15
    assert thin.get_column("period").dt.month().n_unique() == 12
    share = [frame.select(pl.col("event_period").is_not_null().mean()).item() for frame in (panel, thin)]
    assert share[0] == pytest.approx(share[1], rel=0.05)
