"""The life of the region: rates of failure, warning signs, cycle, help. Measured against the truth, with wide margins."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from region_reading import Region
from sklearn.metrics import roc_auc_score

from simulation.region import PERIMETER_HEADCOUNT, PERIMETER_MONTHS


@pytest.fixture(scope="module")
def at_risk(region: Region) -> pl.DataFrame:
    """Company-months of the perimeter before any procedure, with the outcome within 18 months where it is closed."""
    end = pl.lit(region.summary.last_month)
    panel = (
        region.truth("health")
        .join(region.truth("companies").select("siren", "excluded", "date_fin"), on="siren")
        .join(region.truth("failures"), on="siren", how="left")
        .sort("siren", "month")
        .with_columns(
            pl.col("headcount").rolling_max(PERIMETER_MONTHS, min_samples=1).over("siren").alias("most"),
        )
        .filter(
            ~pl.col("excluded"),
            pl.col("most") >= PERIMETER_HEADCOUNT,
            pl.col("headcount") > 0,
            pl.col("failure_date").is_null() | (pl.col("failure_date") > pl.col("month").dt.month_end()),
        )
    )
    horizon = pl.col("month").dt.offset_by("19mo")
    return panel.with_columns(
        (pl.col("failure_date") < horizon).fill_null(value=False).alias("fails"), (horizon <= end).alias("closed")
    )


def test_about_two_per_cent_of_company_months_fail_within_eighteen_months(at_risk: pl.DataFrame) -> None:
    """Bug: a change of the latent process that makes failures three times too frequent or too rare."""
    rate = at_risk.filter("closed")["fails"].mean()
    assert isinstance(rate, float)
    assert 0.015 < rate < 0.027


def test_half_of_the_companies_are_in_the_perimeter(region: Region) -> None:
    """Bug: a population of dwarfs, so that nothing is left to score."""
    assert 0.48 < region.summary.in_perimeter / region.summary.companies < 0.60
    companies = region.truth("companies")
    assert companies["in_perimeter"].sum() == region.summary.in_perimeter
    assert region.truth("failures").height == region.summary.failures


def test_health_ranks_failures_without_settling_them(at_risk: pl.DataFrame) -> None:
    """Bug: failures that are pure luck (no model can learn) or that nobody could miss (any model looks perfect)."""
    panel = at_risk.filter("closed").gather_every(3)
    auc = roc_auc_score(panel["fails"], -panel["health"])
    assert 0.80 < auc < 0.94
    surprises = panel.filter("fails")
    assert 0.02 < (surprises["health"] > 0).mean() < 0.35  # type: ignore[operator]


def test_support_lowers_failures_and_they_catch_up(region: Region, at_risk: pl.DataFrame) -> None:
    """Bug: a flat decade, on which a model never meets the change of regime that the real series holds."""
    hazard = region.truth("health").join(at_risk.select("siren", "month"), on=["siren", "month"])
    same_health = hazard.filter(pl.col("health").is_between(-2.5, -1.5))
    by_year = same_health.group_by(pl.col("month").dt.year()).agg(pl.col("hazard").mean()).sort("month")
    mean = dict(by_year.iter_rows())
    assert mean[2021] < 0.75 * mean[2019]
    assert mean[2024] > 1.5 * mean[2021]


def test_debts_headcounts_and_delays_warn_before_failures(region: Region, at_risk: pl.DataFrame) -> None:
    """Bug: sources that do not follow the same health, so that joining them teaches nothing."""
    month = date(2023, 6, 1)
    panel = at_risk.filter(pl.col("month") == month)
    debts = region.files("urssaf__debit")[-1].table
    dated = debts.with_columns((pl.col("Dt_trt_ecn").cast(pl.Int64) + 19_000_000).alias("day"))
    last = (
        dated.filter(pl.col("day") < 20230701)
        .sort(pl.col("Num_Hist_Ecn").cast(pl.Int64))
        .group_by("num_cpte", "Periode", "Num_Ecn", maintain_order=True)
        .last()
    )
    owed = last.group_by("Siren").agg(
        (pl.col("Mt_PO").cast(pl.Int64) + pl.col("Mt_PP").cast(pl.Int64)).sum().alias("owed")
    )
    paydex = region.files("altares__paydex")[0].table.filter(pl.col("DATE_VALEUR") == "15/06/2023")
    panel = panel.join(owed, left_on="siren", right_on="Siren", how="left").join(
        paydex.select("SIREN", pl.col("NB_JOURS").cast(pl.Int64)), left_on="siren", right_on="SIREN", how="left"
    )
    indebted = panel.group_by("fails").agg(
        (pl.col("owed") > 0).fill_null(value=False).mean(), pl.col("NB_JOURS").mean()
    )
    sound, failing = indebted.sort("fails").iter_rows(named=True)
    assert failing["owed"] > 2.5 * sound["owed"]
    assert 0.04 < sound["owed"] < 0.25
    assert failing["NB_JOURS"] > 1.5 * sound["NB_JOURS"]


def test_spring_2020_is_a_wave_of_short_time_work(region: Region) -> None:
    """Bug: short-time work that only the sick ask for, whereas in 2020 everybody did."""
    hours = region.files("dgefp__consommation_ap")[-1].table.with_columns(
        pl.col("MOIS").str.head(7).alias("month"), pl.col("HEURES").cast(pl.Float64)
    )
    by_month = dict(hours.group_by("month").agg(pl.col("ETAB_SIRET").n_unique()).iter_rows())
    assert by_month["2020-04"] > 8 * by_month["2019-04"]
    assert by_month["2020-04"] > 0.3 * region.summary.companies


def test_all_kinds_of_procedures_and_what_follows_them_are_there(region: Region) -> None:
    """Bug: openings only, so that plans, conversions and closures are never read."""
    failures = region.truth("failures")
    share = dict(failures["kind"].value_counts(normalize=True).iter_rows())
    assert 0.4 < share["liquidation"] < 0.75
    assert 0.2 < share["redressement"] < 0.5
    assert 0.01 < share["sauvegarde"] < 0.12
    labels = {text.lower() for text in region.files("urssaf__procol")[-1].table["Lib_actx_stdx"]}
    assert {"redressement_plan_continuation", "liquidation_fin_procedure", "solde_procedure_redressement"} <= labels
    natures = set(region.files("bodacc__annonce")[0].table["jugement_nature"])
    assert "Jugement de conversion en liquidation judiciaire" in natures


def test_nobody_works_in_a_company_that_is_gone(region: Region) -> None:
    """Bug: contributions or headcounts after the end, which would make dead companies look alive."""
    ended = region.truth("companies").filter(pl.col("date_fin") < pl.col("date_fin").max()).select("siren", "date_fin")
    late = region.truth("health").join(ended, on="siren").filter(pl.col("month") > pl.col("date_fin"))
    assert late.height > 0
    assert late["headcount"].max() == 0


def test_a_small_region_still_has_failures(small: object) -> None:
    """Bug: a region for quick tests in which nothing happens."""
    failures = pl.read_parquet(small("tiny") / "truth/failures.parquet")  # type: ignore[operator]
    assert failures.height >= 4
