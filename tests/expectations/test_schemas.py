"""What producers' tools read of a contract says what our reader does."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from expectations.contract import DateFormat, load_contracts
from expectations.schemas import json_schema, table_schema

CONTRACTS = load_contracts()
SOURCES = sorted(CONTRACTS)
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"

# https://specs.frictionlessdata.io/table-schema/: types, and the constraints that each may carry.
COMPARED = {"required", "unique", "enum", "minimum", "maximum"}
CONSTRAINTS = {
    "string": {"required", "unique", "enum", "pattern", "minLength", "maxLength"},
    "integer": COMPARED, "number": COMPARED, "date": COMPARED, "boolean": {"required", "enum"},
}  # fmt: skip


def lines_of(source: str) -> list[dict[str, str]]:
    """Lines of the fixture by canonical header: the first spelling of each column."""
    contract = CONTRACTS[source]
    path = FIXTURES / f"{source}.csv"
    if not path.exists():
        pytest.skip("the fixture of this source is not a text file")
    text = path.read_text(encoding="utf-8-sig").splitlines()
    reader = csv.DictReader(text, delimiter=max(contract.delimiters, key=text[0].count))
    canonical = {spelling.casefold(): c.headers[0] for c in contract.columns for spelling in c.headers}
    return [{canonical.get(name.casefold(), name): value for name, value in row.items()} for row in reader]


@pytest.mark.parametrize("source", SOURCES)
def test_the_json_schema_is_one_and_accepts_every_line_of_the_fixture(source: str) -> None:
    schema = json_schema(CONTRACTS[source])
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for line in lines_of(source):
        assert [error.message for error in validator.iter_errors(line)] == []


@pytest.mark.parametrize("source", SOURCES)
def test_the_json_schema_refuses_a_line_without_a_required_cell_or_with_rubbish(source: str) -> None:
    contract = CONTRACTS[source]
    validator = Draft202012Validator(json_schema(contract))
    good = lines_of(source)[0]
    for column in contract.columns:
        header = column.headers[0] if column.headers else None
        if header is None:
            continue
        if column.required:
            assert not validator.is_valid({name: value for name, value in good.items() if name != header}), header
        if column.type != "text":
            assert not validator.is_valid(good | {header: "n'importe quoi"}), header
        if column.required and not column.nullable and column.default is None:
            assert not validator.is_valid(good | {header: ""}), header


@pytest.mark.parametrize("source", SOURCES)
def test_the_table_schema_has_the_published_structure(source: str) -> None:
    contract = CONTRACTS[source]
    descriptor = table_schema(contract)
    names = [field["name"] for field in descriptor["fields"]]
    assert len(set(names)) == len(names) > 0
    assert "" in descriptor["missingValues"]
    assert set(descriptor.get("primaryKey", [])) <= set(names)
    for field in descriptor["fields"]:
        assert set(field.get("constraints", {})) <= CONSTRAINTS[field["type"]], field
        assert field["description"]
        if pattern := field.get("constraints", {}).get("pattern"):
            re.compile(pattern)
    personal = {c.headers[0] for c in contract.columns if c.personal_data and c.headers}
    assert {field["name"] for field in descriptor["fields"] if field.get("donnee_personnelle")} == personal


def test_every_form_of_date_has_a_pattern() -> None:
    column = CONTRACTS["urssaf__debit"].column("date_traitement").model_copy(update={"formats": get_args(DateFormat)})
    contract = CONTRACTS["urssaf__debit"].model_copy(update={"columns": (column,)})
    validator = Draft202012Validator(json_schema(contract))
    for text in ("2026-01-31", "31/01/2026", "31/01/26", "01/2026", "1260131", "31JAN2026", "31 déc. 2012", "46053"):
        assert validator.is_valid({"Dt_trt_ecn": text}), text


def test_the_debit_file_says_what_a_producer_must_know() -> None:
    fields: dict[str, dict[str, Any]] = {f["name"]: f for f in table_schema(CONTRACTS["urssaf__debit"])["fields"]}
    assert fields["Mt_PO"]["type"] == "integer"
    assert "centimes" in fields["Mt_PO"]["description"]
    assert "autres en-têtes admis : Compte" in fields["num_cpte"]["description"]
    assert fields["Periode"]["constraints"]["required"]
    for text, right in (("201911", True), ("1962", True), ("201750", False), ("2017", False)):
        assert bool(re.match(fields["Periode"]["constraints"]["pattern"], text)) is right
