"""The main job, from files to reports, as a newcomer runs it; each test reads what one demonstration made."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastexcel
import numpy as np
import polars as pl
import psycopg
import pytest
from sklearn.metrics import roc_auc_score
from vigie_command import COMPANIES, HISTORY, MONTHS, Vigie

from orchestration.instance import PROJECT, Instance, as_role
from orchestration.runs import opened

# The first test waits for the demonstration, which a busy machine makes long.
pytestmark = pytest.mark.timeout(1800)

Demo = tuple[Vigie, dict[str, Any]]
LAST = "2022-12"
QUERIES = sorted((PROJECT / "docs" / "queries").glob("*.sql"))
VIEWS = (
    "clean_sirene clean_sirene_ul clean_ap clean_cotisation clean_debit clean_delai clean_effectif clean_effectif_ent clean_procol "
    "clean_procol_at_date clean_sirene_histo clean_filter lists company_score_entries imports import_logs"
).split()


def test_the_summary_says_what_came_in_and_what_came_out(demo: Demo) -> None:
    _, summary = demo
    assert [len(summary["deliveries"]), summary["months_published"]] == [4, HISTORY + 3]
    assert list(summary["months"]) == ["2022-10", "2022-11", "2022-12"]
    for month in summary["months"].values():
        assert 0 < month["new_detections"] + month["alerts"] <= month["scored"]


def test_every_line_of_every_file_is_accounted_for(demo: Demo) -> None:
    """Promise 1, against an independent counter: the bytes of the simulated files."""
    vigie, _ = demo
    ledger = vigie.json("delivery", "list", "--limit", "500")
    counted = {(item["received_on"], item["file_name"]): item["lines"] for item in ledger}
    files = [
        path
        for path in (vigie.home / "simulation" / "deliveries").rglob("*")
        if path.is_file() and path.name != "SIMULATION.txt"
    ]
    assert len(files) == len(counted)
    for path in files:
        assert counted[path.parent.name, path.name] == _records(path), path.name
    for item in ledger:
        assert item["lines"] == item["loaded"] + item["unchanged"] + item["rejected"] + item["out_of_scope"]
    rejected = sum(item["rejected"] for item in ledger if item["status"] == "loaded")
    quarantine = sum(
        item["lines"] for item in vigie.json("quarantine", "list", "--limit", "500") if item["kind"] == "rejet"
    )
    assert rejected == quarantine > 0


def _records(path: Path) -> int:
    content = path.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return sum(1 for line in content.splitlines() if line.strip()) - 1


def test_running_it_again_changes_nothing(demo: Demo) -> None:
    """Promise 2."""
    vigie, summary = demo
    before = {path: path.read_bytes() for path in vigie.home.joinpath("reports").rglob("*.*")}
    again = vigie.json("demo", "--companies", str(COMPANIES), "--months", str(MONTHS), "--history", str(HISTORY))
    assert again["months"] == summary["months"]
    assert again["deliveries"] == summary["deliveries"]
    assert {path: path.read_bytes() for path in vigie.home.joinpath("reports").rglob("*.*")} == before


def test_the_same_content_renamed_and_compressed_is_recognised(demo: Demo, tmp_path: Path) -> None:
    """Promise 2: only the content counts, not the name nor the compression."""
    vigie, _ = demo
    source = max((vigie.home / "simulation" / "deliveries").rglob("sigfaible_debits*"))
    copy = tmp_path / "Sigfaible_debits_copie.csv.gz"
    copy.write_bytes(gzip.compress(source.read_bytes()))
    (account,) = vigie.json("ingest", str(copy), "--received", "2022-12-28")["deliveries"]
    assert account["status"] == "identical"
    assert account["unchanged"] == account["lines"] > 0


def test_the_reports_are_there_and_say_simulation(demo: Demo) -> None:
    vigie, summary = demo
    index = Path(summary["report"])
    assert index == vigie.home / "reports" / LAST / "index.html"
    pages = sorted(index.parent.rglob("*.html"))
    assert len(pages) == 1 + 1 + 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "SIMULATION" in text
        assert not re.search(r'(?:src|href)="https?:', text), "a report needs nothing from outside"
    assert len(sorted(index.parent.rglob("*.xlsx"))) == 1 + 8


def test_probabilities_grow_with_the_horizon(demo: Demo) -> None:
    """Promise 7."""
    vigie, _ = demo
    assert (
        vigie.sql("select siren from published.scores where not (0 < p12 and p12 <= p18 and p18 <= p24 and p24 < 1)")
        == []
    )


def test_the_scores_find_the_companies_that_will_fail(demo: Demo) -> None:
    """Against the truth of the simulation, which the pipeline never sees."""
    vigie, _ = demo
    failures = pl.read_parquet(vigie.home / "simulation" / "truth" / "failures.parquet")
    first = vigie.sql("select siren, p18 from published.scores where mois = (select min(mois) from published.scores)")
    failing = set(failures.filter(pl.col("failure_date") > pl.date(2022, 6, 30))["siren"].to_list())
    outcome = np.array([row["siren"] in failing for row in first])
    assert outcome.sum() >= 3
    assert roc_auc_score(outcome, [row["p18"] for row in first]) > 0.6


def test_every_new_detection_has_reasons_and_is_one_that_changed(demo: Demo) -> None:
    """Promise 8: new = first alert or aggravation, never a change of model or of perimeter."""
    vigie, _ = demo
    new = vigie.sql("select mois, siren, motif_nouveaute from published.detections where est_nouvelle_detection")
    assert new
    assert {row["motif_nouveaute"] for row in new} <= {"premiere_alerte", "aggravation"}
    explained = {(row["mois"], row["siren"]) for row in vigie.sql("select distinct mois, siren from published.raisons")}
    assert {(row["mois"], row["siren"]) for row in new} <= explained


def test_the_capacity_of_the_region_is_respected(demo: Demo) -> None:
    vigie, _ = demo
    retained = vigie.sql("select mois, count(*) as n from published.detections where retenue_region group by mois")
    assert all(row["n"] <= 5 for row in retained)


def test_no_company_of_the_list_is_closed_or_in_procedure(demo: Demo) -> None:
    vigie, _ = demo
    with_status = _admin(
        vigie,
        "select count(*) from publication.detection as d inner join marts.mart_company_month as m using (siren, month) "
        "where m.en_procedure or not m.est_actif",
    )
    assert with_status == [(0,)]


def test_a_month_is_taken_back_and_published_again_with_the_same_content(demo: Demo) -> None:
    """Promises 4 and 6."""
    vigie, summary = demo
    digest = summary["months"][LAST]["content_sha256"]
    vigie("rollback", "--month", LAST)
    assert vigie.sql(f"select mois from published.publications where mois = '{LAST}-01'") == []
    assert vigie.json("publish", "--month", LAST)["content_sha256"] == digest


def test_a_month_that_a_later_one_counts_on_is_not_taken_back(demo: Demo) -> None:
    vigie, _ = demo
    assert "Retirez d’abord" in vigie.refused("rollback", "--month", "2022-10")


@pytest.fixture
def corrupted(demo: Demo, tmp_path: Path) -> Iterator[Path]:
    """The last débits, all amounts multiplied by 100 (cents taken for euros upstream), as the next delivery."""
    vigie, _ = demo
    source = max((vigie.home / "simulation" / "deliveries").rglob("sigfaible_debits*"))
    content = source.read_bytes()
    lines = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode().splitlines()
    header = lines[0].split(";")
    amounts = [header.index("Mt_PO"), header.index("Mt_PP")]
    target = tmp_path / "2023-01-23" / "sigfaible_debits.csv"
    target.parent.mkdir()
    target.write_text("\n".join([lines[0], *(_times_100(line, amounts) for line in lines[1:])]) + "\n")
    yield target
    shutil.rmtree(target.parent)


def _times_100(line: str, positions: list[int]) -> str:
    cells = line.split(";")
    for position in positions:
        if position < len(cells) and cells[position].isdigit():
            cells[position] += "00"
    return ";".join(cells)


def test_a_delivery_that_a_gate_refuses_is_never_published(demo: Demo, corrupted: Path) -> None:
    """Promise 4: amounts a hundred times too high are stopped, with the reason, and readers keep the last good month."""
    vigie, _ = demo
    vigie("ingest", str(corrupted))
    reason = vigie.refused("run", "--month", "2023-01")
    assert "contrôle" in reason
    assert vigie.sql("select max(mois)::text as mois from published.publications") == [{"mois": f"{LAST}-01"}]
    assert vigie.json("status")["last_published_month"] == LAST
    latest = vigie.json("delivery", "list", "--source", "urssaf__debit", "--limit", "1")[0]
    assert vigie.json("delivery", "withdraw", str(latest["delivery_id"]))["rows_reopened"] > 0


def test_a_home_without_deliveries_says_what_is_missing(embedded: None, tmp_path: Path) -> None:
    vigie = Vigie(tmp_path / "empty")
    reason = vigie.refused("run", "--month", "2025-12")
    assert "2025-12" in reason
    assert "entreprise" in reason


def test_an_unknown_file_is_refused_by_name_and_the_rest_goes_on(demo: Demo, tmp_path: Path) -> None:
    vigie, _ = demo
    (tmp_path / "budget_2022.csv").write_text("a;b\n1;2\n")
    reason = vigie.refused("ingest", str(tmp_path), "--received", "2022-12-29")
    assert "budget_2022.csv" in reason
    latest = vigie.json("delivery", "list", "--limit", "1")[0]
    assert latest["status"] == "refused"
    assert latest["lines"] == latest["rejected"]


def test_a_published_view_is_exported(demo: Demo, tmp_path: Path) -> None:
    vigie, _ = demo
    for suffix in ("parquet", "csv", "xlsx"):
        vigie("export", "detections", str(tmp_path / f"d.{suffix}"))
    exported = pl.read_parquet(tmp_path / "d.parquet")
    assert exported.height == vigie.sql("select count(*) as n from published.detections")[0]["n"] > 0


def test_a_reader_s_query_cannot_write(demo: Demo) -> None:
    vigie, _ = demo
    for statement in ("create table published.x (n int)", "delete from publication.detection"):
        assert "read-only" in vigie.refused("sql", statement)


def test_the_models_have_a_card_and_a_hash(demo: Demo) -> None:
    vigie, _ = demo
    models = vigie.json("model", "list")
    assert all(re.fullmatch(r"[0-9a-f]{64}", model["artefact_sha256"]) for model in models)
    card = vigie("model", "card", models[-1]["model_id"])
    assert "SIMULATION" in card


def test_no_secret_is_kept_in_what_dagster_records(demo: Demo) -> None:
    vigie, _ = demo
    password = (vigie.home / "postgres" / "password").read_text()
    events = _admin(vigie, "select string_agg(event, '') from dagster.event_logs")
    runs = _admin(vigie, "select string_agg(run_body, '') from dagster.runs")
    assert password not in json.dumps([events, runs])
    for path in vigie.home.rglob("*.log"):
        assert password not in path.read_text(errors="replace")


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_an_example_query_answers_its_question(demo: Demo, path: Path) -> None:
    """An example that fails, or answers nothing, is worse than none."""
    vigie, _ = demo
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- [A-ZÀÉÈ].+ \?", text), "the first line is the question, in French"
    answer = vigie.sql(text)
    assert answer
    names = list(answer[0])
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names), names
    assert all(row[names[0]] is not None for row in answer)
    assert [name for name in names if all(row[name] is None for row in answer)] == []


def test_there_are_examples() -> None:
    assert len(QUERIES) >= 8


def as_front_end(vigie: Vigie, query: str) -> list[tuple[Any, ...]]:
    with opened(Instance(vigie.home)) as url, psycopg.connect(as_role(url, "vigie_compat_lecteur")) as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_front_end_finds_every_view_filled(demo: Demo) -> None:
    vigie, _ = demo
    counts = " union all ".join(f"select '{view}', count(*) from compat_sfor.{view}" for view in VIEWS)
    assert [view for view, count in as_front_end(vigie, counts) if count == 0] == []


def test_the_front_end_sees_published_lists_only(demo: Demo) -> None:
    vigie, _ = demo
    published = vigie.sql("select count(distinct mois) as months, count(*) as alerts from published.detections")[0]
    entries = as_front_end(vigie, "select count(distinct list_name), count(*) from compat_sfor.company_score_entries")
    assert entries == [(published["months"], published["alerts"])]
    assert as_front_end(vigie, "select count(*) from compat_sfor.lists") == [(HISTORY + 3,)]


def test_bars_add_up_to_the_score_and_commune_and_words_are_there(demo: Demo) -> None:
    vigie, _ = demo
    wrong = as_front_end(
        vigie,
        "select siren from compat_sfor.company_score_entries where code_commune is null or alert not in "
        "('Alerte seuil F1', 'Alerte seuil F2') or (macro_expl is not null and "
        "abs(score - (select sum(value::numeric) from jsonb_each_text(macro_expl))) > 0.001)",
    )
    assert wrong == []
    assert as_front_end(vigie, "select count(macro_expl) > 0 from compat_sfor.company_score_entries") == [(True,)]


def test_the_debt_of_a_company_is_the_same_for_the_front_end_and_in_the_list(demo: Demo) -> None:
    """Two roads to one amount: events of each establishment for the front end, month deltas of the company for the list."""
    vigie, _ = demo
    listed = {
        row["siren"]: row["dette_eur"]
        for row in vigie.sql(f"select siren, dette_eur::float from published.montants where mois = '{LAST}-01'")
    }
    shown = dict(
        as_front_end(
            vigie,
            "select left(siret, 9), sum(part_ouvriere + part_patronale)::float from compat_sfor.clean_debit where is_last group by 1",
        )
    )
    assert any(listed.values())
    assert {siren: shown.get(siren, 0) for siren in listed} == pytest.approx(listed)


def test_the_dictionary_and_the_site_of_the_models_are_written(demo: Demo, tmp_path: Path) -> None:
    vigie, _ = demo
    vigie("docs", str(tmp_path / "docs"))
    folder = tmp_path / "docs"
    page = (folder / "dictionnaire.md").read_text(encoding="utf-8")
    assert "## published.detections" in page
    assert "## compat_sfor.clean_debit" in page
    rows = fastexcel.read_excel(folder / "dictionnaire.xlsx").load_sheet(0).to_polars()
    columns = rows.drop_nulls("Colonne")
    assert columns.height > 150
    assert columns["Source"].null_count() == 0, "every column of the dictionary names its source"
    site = (folder / "modeles.html").read_text(encoding="utf-8")
    assert "mart_company_month" in site
    assert str(PROJECT) not in site
    assert not re.search(r"<(?:script|link)[^>]+(?:src|href)=.https?://", site), "nothing is fetched from outside"


def _admin(vigie: Vigie, query: str) -> list[tuple[Any, ...]]:
    with opened(Instance(vigie.home)) as url, psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()
