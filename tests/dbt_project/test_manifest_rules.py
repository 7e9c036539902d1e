"""House rules of the dbt project, read from its manifest: names, sources, descriptions. No database."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest
from dbt_warehouse import PROJECT

from expectations.contract import load_contracts

# Names of `compat` are those that the existing front end asks for.
PREFIX = {
    "staging": "stg_", "intermediate": "int_", "marts": "mart_", "publication": ("candidate_", "int_"), "compat": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from dbt.cli.main import dbtRunner

    folder = str(tmp_path_factory.mktemp("manifest"))
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        result = dbtRunner().invoke([
            "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", folder,
            "--log-path", folder, "--log-level", "none", "--no-version-check",
        ])  # fmt: skip
    finally:
        os.environ.update(kept)
    assert result.success, result.exception
    return result.result


@pytest.fixture(scope="module")
def models(manifest: Any) -> list[Any]:
    return [node for node in manifest.nodes.values() if node.resource_type == "model"]


def _sources_of(model: Any) -> list[str]:
    return [parent for parent in model.depends_on.nodes if parent.startswith("source.")]


def test_every_model_bears_the_prefix_of_its_folder(models: list[Any]) -> None:
    """A model in the wrong room is found by nobody."""
    assert models
    assert [m.name for m in models if not m.name.startswith(PREFIX[m.fqn[1]])] == []


def test_every_table_is_made_with_the_settings_of_the_project(manifest: Any, models: list[Any]) -> None:
    """Nested loops off among them: a model that forgets its settings is the one whose plan takes an hour, on some data."""
    steps = [m for m in models if m.config.materialized == "step"]
    others = [m for m in models if m.config.materialized not in ("view", "lasting_view", "step")]
    assert steps and others
    assert "macro.vigie.session_settings" in manifest.macros["macro.vigie.materialization_step_postgres"].depends_on.macros
    assert [m.name for m in steps if m.config.pre_hook or m.config.post_hook] == [], "a step runs no hook"
    assert [m.name for m in others if not any("session_settings()" in hook.sql for hook in m.config.pre_hook)] == []


def test_every_staging_model_reads_one_source_and_bears_its_name(models: list[Any]) -> None:
    staging = [m for m in models if m.fqn[1] == "staging"]
    for model in staging:
        parents = list(model.depends_on.nodes)
        assert len(parents) == 1, model.name
        *_, table = parents[0].split(".")
        assert model.name in (f"stg_{table}", f"stg_ingest__{table}")
    assert {m.name.removeprefix("stg_") for m in staging} - {"ingest__delivery"} == set(load_contracts())


def test_what_the_front_end_reads_stays_in_place(models: list[Any]) -> None:
    """A view dropped and made again takes its dependents along, and waits for a synchronisation that lasts hours."""
    for model in models:
        if model.fqn[1] in ("staging", "compat"):
            assert model.config.materialized == "lasting_view", model.name


def test_no_model_outside_staging_reads_a_raw_source(models: list[Any]) -> None:
    """A join straight to raw skips the renaming and the knowledge dates."""
    for model in models:
        if model.fqn[1] != "staging":
            assert all(s.split(".")[2] in ("ml", "publication", "ingest") for s in _sources_of(model)), model.name
        if model.fqn[1] in ("intermediate", "marts"):
            assert _sources_of(model) == [], model.name


def test_every_model_says_its_grain_in_french(models: list[Any]) -> None:
    assert [m.name for m in models if not m.description.startswith("Une ligne par ")] == []


def test_every_column_that_leaves_is_described_and_typed(models: list[Any]) -> None:
    """persist_docs shows the descriptions in every SQL tool; the contract keeps names and types still."""
    for model in models:
        if model.name.startswith(("mart_", "candidate_")) or (model.fqn[1] == "compat" and str(model.access) != "private"):
            assert model.config.contract.enforced, model.name
            assert all(column.description and column.data_type for column in model.columns.values()), model.name


def test_intermediate_models_are_private(models: list[Any]) -> None:
    assert [m.name for m in models if m.name.startswith("int_") and str(m.access) != "private"] == []


def test_every_model_that_leaves_has_a_key(manifest: Any, models: list[Any]) -> None:
    """A unique index, which PostgreSQL holds as it writes, or a data test where there is no table of its own."""
    tested = {
        parent
        for node in manifest.nodes.values()
        if node.resource_type == "test" and node.test_metadata and node.test_metadata.name in ("unique", "unique_key")
        for parent in node.depends_on.nodes
    }
    keyed = tested | {m.unique_id for m in models if any(index.get("unique") for index in m.config.extra.get("indexes", []))}
    assert [m.name for m in models if m.name.startswith(("mart_", "candidate_")) and m.unique_id not in keyed] == []


def test_sources_seed_repeats_the_contracts() -> None:
    """The age beyond which a source is no longer prolonged has one owner: its contract."""
    with (PROJECT / "seeds" / "source.csv").open(encoding="utf-8") as lines:
        seed = {row["code"]: (int(row["max_age_jours"]), row["facultative"] == "true") for row in csv.DictReader(lines)}
    assert seed == {name: (c.max_age_days, c.optional) for name, c in load_contracts().items()}


def test_features_of_the_model_are_columns_of_the_mart(models: list[Any]) -> None:
    from models_ml.features import load_features

    mart = next(m for m in models if m.name == "mart_company_month")
    names = {feature.name for feature in load_features()}
    assert names <= set(mart.columns)


def test_every_clignotant_has_its_text(models: list[Any]) -> None:
    """A rule without its text would be lit in the report without a word; a text without its rule would never be."""
    mart = next(m for m in models if m.name == "mart_clignotant")
    rules = {name for name, column in mart.columns.items() if column.data_type == "boolean"}
    with (PROJECT / "seeds" / "clignotant.csv").open(encoding="utf-8") as lines:
        assert rules == {row["code"] for row in csv.DictReader(lines)}


def test_territories_are_complete() -> None:
    """101 départements and 18 régions; Burgundy-Franche-Comté says how many companies it can contact."""
    with (PROJECT / "seeds" / "territoire.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    departements = {r["code"]: r for r in rows if r["type"] == "departement"}
    regions = {r["code"]: r for r in rows if r["type"] == "region"}
    assert (len(departements), len(regions)) == (101, 18)
    assert {"2A", "2B", "971", "972", "973", "974", "976"} <= departements.keys()
    assert regions["27"]["capacite"] == "5"
    bfc = {code for code, r in departements.items() if r["region"] == "27"}
    assert bfc == {"21", "25", "39", "58", "70", "71", "89", "90"}
    assert {departements[code]["capacite"] for code in bfc} == {"2"}


def test_sql_never_reads_the_clock() -> None:
    """A month built on another day must hold the same cells."""
    for path in sorted(Path(PROJECT, "models").rglob("*.sql")):
        text = path.read_text(encoding="utf-8").lower()
        assert not any(word in text for word in ("now()", "current_date", "current_timestamp")), path.name
