"""Contracts: complete, in French, and a mistake in one is found with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from expectations.contract import CONTRACTS, ContractError, load_contract, load_contracts

SOURCES = sorted(load_contracts())
DEBIT = (CONTRACTS / "urssaf__debit.yml").read_text(encoding="utf-8")


def test_there_is_a_contract_for_each_of_the_twenty_files() -> None:
    assert len(SOURCES) == 20


@pytest.mark.parametrize("source", SOURCES)
def test_every_column_is_described_and_every_amount_says_its_unit(source: str) -> None:
    contract = load_contracts()[source]
    for column in contract.columns:
        assert len(column.description) > 5, column.name
        if column.name.endswith("_eur"):
            assert "euros" in column.description, column.name
            assert column.sql_type == "numeric(18,2)", column.name
    assert contract.label
    assert contract.description.endswith(".")


def test_names_and_first_names_are_marked_as_personal_data() -> None:
    assert load_contracts()["insee__unite_legale"].personal_data == ("nom", "prenom")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("max_age_days: 62", "max_age_dayz: 62", 8, "max_age_dayz"),
        ("mode: snapshot", "mode: instantane", 10, "mode"),
        ("type: integer", "type: entier", 24, "columns.8.type"),
        ("max_reject_share: 0.02", "max_reject_share: 3", 9, "max_reject_share"),
        ("key: [compte,", "key: [comte,", 1, "comte"),
        ("key: [compte,", "key: [siret,", 1, "siret"),
        ('delimiters: [";"]', 'delimiters: [";"', 14, "YAML"),
    ],
)
def test_a_mistake_in_a_contract_names_the_file_and_the_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = tmp_path / "urssaf__debit.yml"
    assert old in DEBIT
    path.write_text(DEBIT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContractError) as error:
        load_contract(path)
    assert f"{path}, ligne {line} " in str(error.value)
    assert message in str(error.value)


def test_a_contract_is_named_like_its_file(tmp_path: Path) -> None:
    (tmp_path / "autre__nom.yml").write_text(DEBIT, encoding="utf-8")
    with pytest.raises(ContractError, match="autre__nom"):
        load_contracts(tmp_path)


def test_a_contract_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError):
        load_contracts()["urssaf__debit"].mode = "append"
