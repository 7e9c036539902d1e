"""Panels of other people: each test is a file that somebody will bring."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from models_ml.panel_file import PanelRefused, period_months, read_table
from models_ml.tidy import Tidy, tidy


def table(years: int = 6, **columns: Any) -> pl.DataFrame:
    """Ten companies, yearly from 2010; `a` fails in 2014; a variable `x`."""
    rows = [{"firm": name, "year": 2010 + y, "x": ord(name) * 10.0 + y} for name in "abcdefghij" for y in range(years)]
    frame = pl.DataFrame(rows).with_columns(event=pl.when(pl.col("firm") == "a").then(pl.lit(2014)))
    return frame.with_columns(**columns)


def read(frame: pl.DataFrame, **options: Any) -> Tidy:
    return tidy(frame, entity="firm", period="year", event="event", **options)


@pytest.mark.parametrize(
    ("written", "month"),
    [
        (2011, 12), (2011.0, 12), (201103, 3), (20110331, 3), ("2011", 12), ("2011-03", 3), ("2011/3", 3), (" 201103 ", 3),
        ("2011-03-31", 3), ("2011-03-31T00:00:00", 3), ("31/03/2011", 3), ("2011-Q1", 3), ("2011T4", 12),
    ],
)  # fmt: skip
def test_a_period_is_read_in_the_forms_that_people_write(written: object, month: int) -> None:
    assert period_months(pl.Series("p", [written, None])).to_list() == [2011 * 12 + month - 1, None]


@pytest.mark.parametrize("written", ["2011-13", "mars 2011", "201113", "12", "2011-Q5"])
def test_what_is_not_a_period_is_shown(written: str) -> None:
    with pytest.raises(PanelRefused, match=f"« {written} »"):
        period_months(pl.Series("p", ["2011", written]))


def test_an_indicator_instead_of_a_period_is_refused_with_what_to_give() -> None:
    """Read as periods, 0 and 1 would be two years of antiquity and nobody would fail."""
    for flag in (pl.col("firm") == "a", (pl.col("firm") == "a").cast(pl.Int8), (pl.col("firm") == "a").cast(pl.String)):
        with pytest.raises(PanelRefused, match="ne dit pas quand"):
            read(table(event=flag))
    with pytest.raises(PanelRefused, match="ne contient que 0, 1 :"):
        read(table(event=(pl.col("firm") == "a").cast(pl.Float64)))


def test_lines_from_the_event_on_are_left_out_and_said() -> None:
    ready = read(table())
    assert ready.frame.filter(pl.col("entity") == "a").height == 4
    assert any("le connaissent déjà : 2" in note for note in ready.notes)
    assert (ready.unit, ready.until) == ("an", 2015 * 12 + 11)


def test_an_event_written_on_the_last_line_only_is_that_of_the_whole_company() -> None:
    """Otherwise the years before a failure are learned as years of health."""
    last = pl.when((pl.col("firm") == "a") & (pl.col("year") == 2013)).then(pl.lit(2014))
    ready = read(table(event=last))
    assert ready.frame.filter(pl.col("event_period").is_not_null()).height == 4
    assert any("reporté" in note for note in ready.notes)


def test_doubled_lines_count_once_and_contradictory_ones_are_refused() -> None:
    frame = table()
    assert read(pl.concat([frame, frame])).frame.height == read(frame).frame.height
    with pytest.raises(PanelRefused, match=r"l'entité a, 2010-12"):
        read(pl.concat([frame, frame.head(1).with_columns(x=pl.lit(-1.0))]))


def test_columns_that_cannot_serve_are_left_out_and_named() -> None:
    frame = table(
        sector=pl.lit("C"), flat=pl.lit(3), empty=pl.lit(None, dtype=pl.Float64), all_nan=pl.lit(float("nan")),
        infinite=pl.when(pl.col("year") == 2011).then(float("inf")).otherwise(pl.col("x")), period=pl.col("x") * 2,
    )  # fmt: skip
    ready = read(frame)
    assert ready.names == ("x", "infinite", "period_")
    told = " ".join(ready.notes)
    assert "sector" in told
    assert "flat, empty, all_nan" in told
    assert ready.frame.get_column("infinite").null_count() == 10
    with pytest.raises(PanelRefused, match="sector"):
        read(frame, features=["x", "sector"])


def test_columns_that_only_the_future_can_write_are_left_out_unless_named() -> None:
    """`failed` and `last_fyear` of the American panel: constant per company, they give the answer to every row."""
    stopped = table().filter((pl.col("firm") != "b") | (pl.col("year") < 2013))
    frame = stopped.with_columns(
        failed=(pl.col("firm") == "a").cast(pl.Int8),
        last_year=pl.col("year").max().over("firm"),
        reason=pl.when(pl.col("firm") == "a").then(pl.lit(7)),
        founded=pl.lit(1990) + pl.col("x").min().over("firm") % 7,
    )
    ready = read(frame)
    assert ready.names == ("x", "founded")
    assert [warning.split(" ")[0] for warning in ready.warnings] == ["failed", "last_year", "reason"]
    named = read(frame, features=["x", "failed"])
    assert named.names == ("x", "failed")
    assert "gardée" in named.warnings[0]


def crowd(**columns: Any) -> pl.DataFrame:
    """Sixty companies, yearly from 2010 to 2019; one in three fails, each of them in a year from 2013 to 2019."""
    frame = pl.DataFrame({"firm": [f"f{n}" for n in range(60)]}).join(
        pl.DataFrame({"year": range(2010, 2020)}), how="cross"
    )
    number = pl.col("firm").str.slice(1).cast(pl.Int64)
    frame = frame.with_columns(
        event=pl.when(number % 3 == 0).then(2013 + number // 3 % 7), x=(number * 37 + pl.col("year") * 11) % 101
    )
    return frame.filter(pl.col("event").is_null() | (pl.col("year") < pl.col("event"))).with_columns(**columns)


def test_columns_that_change_and_still_come_from_the_future_are_left_out() -> None:
    """Years to the failure, to the last line, the value of the line after: each gave an AUC near 1 without a word."""
    left = pl.col("event") - pl.col("year")
    frame = crowd(
        to_failure=left,
        to_failure_or_none=left.fill_null(-1),
        to_the_end=pl.col("year").max().over("firm") - pl.col("year"),
        next_x=pl.col("x").shift(-1).over("firm"),
        before_x=pl.col("x").shift(1).over("firm"),
        late=pl.when(pl.col("year") < 2019).then(pl.col("x")),
    )
    ready = read(frame)
    assert ready.names == ("x", "before_x", "late")
    assert len(ready.warnings) == 4
    assert read(frame, features=["x", "next_x"]).names == ("x", "next_x")


def test_a_date_far_ahead_for_no_event_is_refused() -> None:
    """« 2099 » for companies without a failure closed every window that was still open: survivors that nobody had seen."""
    with pytest.raises(PanelRefused, match=r"2099-12.*laissez la case vide"):
        read(crowd(event=pl.col("event").fill_null(2099)))
    marked = read(crowd(event=pl.col("event").fill_null(2099)), until="2019")
    assert marked.frame.equals(read(crowd(), until="2019").frame)
    assert any("postérieur à 2019-12 : 40" in note for note in marked.notes)


def test_a_panel_without_a_variable_is_refused_with_what_was_left_out() -> None:
    with pytest.raises(PanelRefused, match=r"aucune variable utilisable.*pas des nombres : x"):
        read(table(x=pl.lit("sain")))
    with pytest.raises(PanelRefused, match="ne sont pas des variables : year"):
        read(table(), features=["x", "year"])
    assert read(table(), features=["x", "x"]).names == ("x",)


def test_names_that_clash_with_ours_are_set_apart_and_row_numbers_left_out() -> None:
    frame = table(interval=pl.col("x") * 2, interval_=pl.col("x") * 3).with_row_index("")
    ready = read(frame)
    assert ready.names == ("x", "interval__", "interval_")
    assert any("(sans nom)" in note for note in ready.notes)
    with pytest.raises(PanelRefused, match="x_retard1"):
        read(table(x_retard1=pl.col("x") + 1), lags=1)


def test_lags_follow_exact_periods_across_a_gap() -> None:
    frame = table().filter((pl.col("firm") != "b") | (pl.col("year") != 2012))
    ready = read(frame, lags=2)
    assert ready.names == ("x", "x_retard1", "x_retard2", "x_variation")
    row = ready.frame.filter(pl.col("entity") == "b", pl.col("period").dt.year() == 2013)
    assert row.select("x", "x_retard1", "x_retard2", "x_variation").row(0) == (983.0, None, 981.0, None)


def test_companies_with_one_line_and_periods_of_other_lengths_are_understood() -> None:
    alone = table().filter((pl.col("firm") > "c") | (pl.col("year") == 2011))
    assert read(alone).unit == "an"
    monthly = table().with_columns(
        year=pl.format("2015-{}", pl.col("year") - 2009), event=pl.when(pl.col("firm") == "a").then(pl.lit("2015-05"))
    )
    assert read(monthly).unit == "mois"
    quarterly = table(4).with_columns(
        year=pl.format("2015-Q{}", pl.col("year") - 2009), event=pl.when(pl.col("firm") == "a").then(pl.lit("2015-Q4"))
    )
    assert read(quarterly).unit == "trimestre"


def test_a_panel_without_an_event_ahead_of_a_line_is_refused() -> None:
    with pytest.raises(PanelRefused, match="aucune ligne ne précède"):
        read(table(event=pl.when(pl.col("firm") == "a").then(pl.lit(2005))))
    with pytest.raises(PanelRefused, match="est vide"):
        read(table(event=pl.lit(None, dtype=pl.Int64)))
    with pytest.raises(PanelRefused, match="colonne absente : event"):
        read(table().drop("event"))
    with pytest.raises(PanelRefused, match="aucune ligne"):
        read(table().clear())


def test_csv_of_french_and_other_spreadsheets_are_read(tmp_path: Path) -> None:
    """One `NA` made a text of a column of numbers, a point in a file of semicolons made texts of all: the variables were left out."""
    french = tmp_path / "fr.csv"
    french.write_text("\ufefffirm;year;x;event\na;2010;1,5;2014\nb;2010;2,5;\n", encoding="utf-8")
    assert read_table(french).get_column("x").to_list() == [1.5, 2.5]
    other = tmp_path / "en.csv"
    other.write_text("firm,year,x,event\na,2010,1.5,2014\n", encoding="utf-8")
    assert read_table(other).columns == ["firm", "year", "x", "event"]
    dotted = tmp_path / "dots.csv"
    dotted.write_text("firm|year; x |event\n007; 2010 ; 1.5;2014\n7;2010;NA;\n".replace("|", ";"), encoding="utf-8")
    assert read_table(dotted, "firm").to_dict(as_series=False) == {
        "firm": ["007", "7"], "year": [2010, 2010], "x": [1.5, None], "event": [2014, None],
    }  # fmt: skip
    packed = tmp_path / "en.csv.gz"
    packed.write_bytes(gzip.compress(other.read_bytes()))
    assert read_table(packed).equals(read_table(other))
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(PanelRefused, match=r"cut\.csv\.gz"):
        read_table(cut)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not a table")
    with pytest.raises(PanelRefused, match=r"broken\.parquet"):
        read_table(broken)
