"""SQL analysts and the existing front end, on what one demonstration published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fastexcel
import psycopg
import pytest
from vigie_command import HISTORY, Vigie

from orchestration.instance import PROJECT, Instance, as_role
from orchestration.runs import opened

Demo = tuple[Vigie, dict[str, Any]]
QUERIES = sorted((PROJECT / "docs" / "queries").glob("*.sql"))
LAST = "2022-12-01"
VIEWS = (
    "clean_sirene clean_sirene_ul clean_ap clean_cotisation clean_debit clean_delai clean_effectif clean_effectif_ent clean_procol "
    "clean_procol_at_date clean_sirene_histo clean_filter lists company_score_entries imports import_logs"
).split()


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
        for row in vigie.sql(f"select siren, dette_eur::float from published.montants where mois = '{LAST}'")
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
