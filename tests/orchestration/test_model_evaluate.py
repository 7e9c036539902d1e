"""`vigie model evaluate` as a person types it: exit codes, French reasons, report and JSON that agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from orchestration.cli.application import app
from orchestration.cli.console import Refused


@pytest.fixture(scope="module")
def panel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 companies over 14 years, about 4 % failing each year as `dette` says."""
    rng = np.random.default_rng(4)
    rows: list[tuple[str, int, float, float, int | None]] = []
    for firm in range(700):
        level, lived = rng.normal(), []
        failed = None
        for year in range(2000, 2014):
            level = 0.9 * level + 0.44 * rng.normal()
            lived.append((f"F{firm}", year, round(level, 3), rng.normal()))
            if rng.random() < 1 / (1 + np.exp(3.9 - 1.2 * level)):
                failed = year + 1
                break
        rows += [(*line, failed) for line in lived]
    path = tmp_path_factory.mktemp("panel") / "panel.csv"
    pl.DataFrame(rows, schema=["firm", "year", "dette", "bruit", "event"], orient="row").write_csv(path)
    return path


def run(path: Path, *more: str) -> Any:
    columns = ["--entity", "firm", "--period", "year", "--event", "event", "--horizons", "1,2"]
    return CliRunner().invoke(app, ["model", "evaluate", "--panel", str(path), *columns, "--bootstrap", "20", *more])


def test_a_panel_is_evaluated_out_of_time_with_intervals_and_a_report(panel_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "rapport.md"
    done = run(panel_file, "--split", "2007:2009", "--json", "--out", str(report))
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["partage"] == [{"appris": "2007-12", "connu": "2009-12", "juge": "2009-12"}]
    assert result["violations"] == {"additive": 0, "interactions": 0, "scorecard": 0}
    for horizon in ("1", "2"):
        for figures in result["horizons"][horizon].values():
            assert figures["auc"]["bas"] < figures["auc"]["valeur"] < figures["auc"]["haut"]
            assert figures["auc"]["valeur"] > 0.65
            assert figures["periode_min"] == "2009-12-01"
    assert set(result["ecarts"]["1"]) == {"interactions", "scorecard"}
    text = report.read_text(encoding="utf-8")
    auc = f"{result['horizons']['1']['additive']['auc']['valeur']:.3f}".replace(".", ",")
    assert f"| AUC | {auc} [" in text


def test_the_order_of_the_rows_changes_no_byte(panel_file: Path, tmp_path: Path) -> None:
    """Whoever sorts the file otherwise must not get other figures to quote."""
    shuffled = tmp_path / "shuffled.csv"
    pl.read_csv(panel_file).sample(fraction=1, shuffle=True, seed=3).write_csv(shuffled)
    options = ("--split", "2007:2009", "--lags", "1", "--seeds", "2", "--families", "additive,ensemble", "--json")
    first, second = (run(path, *options) for path in (panel_file, shuffled))
    assert first.exit_code == second.exit_code == 0, first.output
    assert first.stdout == second.stdout


def test_rolling_origins_judge_each_year_with_what_was_known_before(panel_file: Path) -> None:
    done = run(panel_file, "--families", "scorecard", "--json")
    result = json.loads(done.stdout)
    assert [part["juge"] for part in result["partage"]] == ["2010-12", "2011-12", "2012-12", "2013-12"]
    assert all(part["connu"] == part["juge"] for part in result["partage"])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--split", "2007:2008"], "au moins le plus long horizon"),
        (["--split", "2007:"], "une période était attendue"),
        (["--split", "1999"], "trop peu d'événements"),
        (["--event", "bruit"], "nombres non entiers"),
        (["--entity", "siren"], "colonne absente : siren"),
        (["--horizons", "7,30"], "intervalles"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_reason(panel_file: Path, more: list[str], reason: str) -> None:
    done = run(panel_file, *more)
    assert isinstance(done.exception, Refused)
    assert reason in str(done.exception)


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_computed(
    panel_file: Path, tmp_path: Path
) -> None:
    """Some minutes of models were followed by a fault of ours and no report."""
    (tmp_path / "file").touch()
    assert run(panel_file, "--out", str(tmp_path / "file" / "page.md")).exit_code == 2
    assert run(panel_file, "--out", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("more", [["--horizons", "un"], ["--families", "foret"], ["--panel", "absent.csv"]])
def test_wrong_usage_is_told_from_bad_data(panel_file: Path, more: list[str]) -> None:
    assert run(panel_file, *more).exit_code == 2
