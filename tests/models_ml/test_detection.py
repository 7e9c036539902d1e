from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from models_ml.detection import companies_recalled, lead_times, monthly_lists, new_detections


def alerts(**months_in_alert: list[int]) -> pl.DataFrame:
    """Companies scored each month of 2020 and 2021; the months (1 to 24) in which each is in alert."""
    return pl.DataFrame(
        [
            {"entity": name, "period": date(2020 + (m - 1) // 12, (m - 1) % 12 + 1, 1), "alert": m in chosen}
            for name, chosen in months_in_alert.items()
            for m in range(1, 25)
        ]
    )


EVENTS = pl.DataFrame({"entity": ["a", "b", "c", "z"], "event_period": [date(2022, 1, 15)] * 3 + [None]})


def test_recall_counts_companies_and_only_alerts_given_in_time() -> None:
    """Counting rows, a company in alert for its last six months alone weighed as much as six companies."""
    given = alerts(a=[7, 8, 24], b=[20, 21, 22, 23, 24], c=[], z=[1, 2, 3])
    recalled = companies_recalled(given, EVENTS, (4, 6, 12, 18))
    # a was flagged 18 months before, b 5 months before, c never, z did not fail
    assert [recalled[k]["entreprises"] for k in ("4", "6", "12", "18")] == [3, 3, 3, 3]
    assert [recalled[k]["rappel"]["valeur"] for k in ("4", "6", "12", "18")] == pytest.approx(
        [2 / 3, 1 / 3, 1 / 3, 1 / 3]
    )
    assert recalled["6"]["rappel"]["bas"] <= 1 / 3 <= recalled["6"]["rappel"]["haut"]


def test_a_company_that_was_not_scored_early_enough_is_not_a_miss() -> None:
    late = alerts(a=[24]).filter(pl.col("period") >= date(2021, 10, 1))
    recalled = companies_recalled(late, EVENTS, (1, 12))
    assert recalled["12"] == {"entreprises": 0}
    assert recalled["1"]["rappel"]["valeur"] == 1


def test_lead_times_start_at_the_first_alert_and_tell_who_was_never_seen() -> None:
    result = lead_times(alerts(a=[7, 24], b=[20], c=[], z=[5]), EVENTS)
    assert (result["entreprises"], result["vues"]) == (3, 2)
    assert result["tranches"] == {"0-3": 0, "4-6": 1, "7-12": 0, "13-18": 1, "19-24": 0, "jamais": 1}
    assert result["mediane"]["valeur"] == np.median([18, 5])


def test_a_new_detection_follows_a_quiet_year_and_the_start_of_the_history_makes_none() -> None:
    given = alerts(a=[3, 20, 21], b=[13], c=[10, 14], z=[14])
    outcomes = given.select("entity", "period", defaillance_12m=(pl.col("entity") == "b").cast(pl.Int8))
    result = new_detections(given, outcomes, 12)
    # a at 20 (17 months after 3), b at 13, z at 14; not a at 3 (unknown before), not c at 14 (four months after)
    assert (result["detections"], result["entreprises"]) == (3, 3)
    assert result["precision"]["valeur"] == pytest.approx(1 / 3)
    still_open = outcomes.with_columns(defaillance_12m=pl.lit(None, dtype=pl.Int8))
    assert new_detections(given, still_open, 12) == {"detections": 0, "entreprises": 0}


def test_a_monthly_list_takes_the_highest_that_it_did_not_take_in_the_year_before() -> None:
    """A capacity spent each month on the same companies would find no new one."""
    months = [date(2024 + n // 12, n % 12 + 1, 1) for n in range(15)]
    scores = pl.DataFrame(
        [(entity, month, p) for month in months for entity, p in (("B", 0.9), ("A", 0.9), ("C", 0.5), ("D", 0.1))],
        schema=["entity", "period", "p18"],
        orient="row",
    )
    listed = monthly_lists(scores, "p18", 1, quiet_months=12)
    assert listed.height == scores.height
    taken = listed.filter("alert").sort("period").select("entity", "period").rows()
    # A wins the tie; after D nobody is free until A comes back, thirteen months after it was listed.
    assert taken == [
        ("A", months[0]), ("B", months[1]), ("C", months[2]), ("D", months[3]), ("A", months[13]), ("B", months[14]),
    ]  # fmt: skip
