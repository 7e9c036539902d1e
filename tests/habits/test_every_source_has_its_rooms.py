"""Address = name: a source is its contract, its staging model, its fixture and its gate, all of one name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from project_files import ROOT

from expectations.contract import Contract, load_contracts
from expectations.raw_suite import raw_suites

CONTRACTS = load_contracts()
STAGING = ROOT / "dbt_project" / "models" / "staging"


@pytest.fixture(params=CONTRACTS, scope="module")
def contract(request: pytest.FixtureRequest) -> Contract:
    """Each contract in turn."""
    return CONTRACTS[request.param]


def described_in_dbt(kind: str) -> dict[str, dict[str, Any]]:
    """Entries of all YAML files of the staging folder, by name."""
    entries: dict[str, dict[str, Any]] = {}
    for path in STAGING.glob("*.yml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if kind == "models":
            entries |= {model["name"]: model for model in content.get("models", [])}
        else:
            for source in content.get("sources", []):
                entries |= {f"{source['name']}.{table['name']}": table for table in source["tables"]}
    return entries


def test_there_are_contracts_to_look_at() -> None:
    assert len(CONTRACTS) >= 17


def test_the_staging_model_exists_and_is_described(contract: Contract) -> None:
    name = f"stg_{contract.name}"
    assert (STAGING / f"{name}.sql").is_file()
    model = described_in_dbt("models").get(name)
    assert model is not None, f"no entry for {name} in a YAML file of {STAGING.name}/"
    assert model.get("description", "").startswith("Une ligne par "), "a description starts with the grain"
    silent = [column["name"] for column in model.get("columns", []) if not column.get("description", "").strip()]
    assert model.get("columns"), f"{name} has no column described"
    assert not silent, f"columns without description: {silent}"


def test_the_raw_table_is_declared_to_dbt(contract: Contract) -> None:
    assert f"raw.{contract.name}" in described_in_dbt("sources")


def test_the_fixture_exists_and_is_recognised_by_its_header(contract: Contract) -> None:
    path = ROOT / "tests" / "fixtures" / f"{contract.name}.csv"
    assert path.is_file()
    header = path.read_bytes().splitlines()[0].decode("utf-8", errors="replace").lower()
    required = [column for column in contract.columns if column.required and column.headers]
    missing = [column.name for column in required if not any(name.lower() in header for name in column.headers)]
    assert not missing, f"required columns absent from the fixture's header: {missing}"


def test_the_contract_speaks_to_people(contract: Contract) -> None:
    for text in (contract.producer, contract.label, contract.owner, contract.cadence):
        assert text.strip()
    assert len(contract.description) > 30
    silent = [column.name for column in contract.columns if len(column.description.strip()) < 4]
    assert not silent, f"columns without description: {silent}"


def test_the_gate_can_be_built_from_the_contract(contract: Contract) -> None:
    """A contract may hold bounds or values that Great Expectations does not take: better known now than at night."""
    import great_expectations.expectations as classes

    suites = raw_suites(contract, [1, 2])
    checks = [check for suite in suites for check in suite.checks]
    for check in checks:
        getattr(classes, check.expectation)(**check.arguments, severity=check.severity, meta={"check": check.name})
    for suite in suites:
        names = [check.name for check in suite.checks]
        assert len(set(names)) == len(names), "results are found by the name of their check"
    shown = [check.column for check in checks if check.shows_values and check.column in contract.personal_data]
    assert not shown, f"checks that would show personal data: {shown}"


def test_no_room_is_left_without_its_contract() -> None:
    """A source that was dropped must be dropped everywhere."""
    fixtures = {path.stem for path in (ROOT / "tests" / "fixtures").glob("*__*.csv")}
    models = {path.stem.removeprefix("stg_") for path in STAGING.glob("stg_*.sql")} - {"ingest__delivery"}
    assert models == set(CONTRACTS)
    assert fixtures == set(CONTRACTS)
