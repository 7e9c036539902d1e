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
        ("max_age_days: 62", "max_age_dayz: 62", 8, "max_age_dayz : champ inconnu"),
        ("max_age_days: 62\n", "", 1, "max_age_days : champ obligatoire, absent"),
        ("mode: snapshot", "mode: instantane", 10, "mode : 'snapshot' ou 'append' attendu, reçu 'instantane'"),
        ("type: integer", "type: entier", 24, "columns.8.type : 'text', 'siren'"),
        ("max_reject_share: 0.02", "max_reject_share: 3", 9, "max_reject_share : 1.0 au plus attendu, reçu 3"),
        ("max_reject_share: 0.02", "max_reject_share: -1", 9, "max_reject_share : 0.0 au moins attendu, reçu -1"),
        (
            "deadline_day: 25",
            "deadline_day: bientôt",
            7,
            "deadline_day : il faut ici un nombre entier, reçu 'bientôt'",
        ),
        ("min: 1980-01-01", "min: hier", 25, "columns.9.min : "),
        ("owner: Urssaf caisse nationale", "owner: [a]", 5, "owner : il faut ici un texte"),
        ("file_names: [", "file_names: '.*' #", 12, "file_names : il faut ici une liste"),
        (
            "knowledge: {column: date_traitement, lag_days: 11}",
            "knowledge: 3",
            11,
            "knowledge : il faut ici une suite de champs",
        ),
        ("name: urssaf__debit", "name: Débit", 1, "name : texte de la forme"),
        ("key: [compte,", "key: [comte,", 14, "key : colonne inconnue : comte"),
        (
            "key: [compte,",
            "key: [siret,",
            14,
            "key : une colonne de la clé doit être obligatoire ou avoir un `default` : siret",
        ),
        ("key: [", "key: [] #", 14, "key : 1 valeur au moins attendue"),
        ("column: date_traitement", "column: date_perdue", 11, "knowledge : colonne inconnue : date_perdue"),
        ("column: date_traitement", "column: compte", 11, "knowledge : compte n'est pas une date"),
        ("name: siren,", "name: siret,", 15, "columns : deux colonnes portent le même nom"),
        ("'.*debits.*'", "'*debits'", 12, "file_names : expression régulière illisible : *debits"),
        ('delimiters: [";"]', 'delimiters: [";;"]', 13, "delimiters.0 : texte de la forme"),
        ('delimiters: [";"]', 'delimiters: [";"', 14, "YAML illisible"),
        ("mode: snapshot", "mode: snapshot\nmode: append", 11, "mode : champ écrit deux fois"),
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
    assert f"{path}, ligne {line} : {message}" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"\xff\xfe\xe9"])
def test_a_file_that_is_not_a_contract_at_all_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "urssaf__debit.yml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="ligne 1 : "):
        load_contract(path)


def test_every_mistake_of_a_contract_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "urssaf__debit.yml"
    path.write_text(DEBIT.replace("mode: snapshot", "mode: x").replace("max_age_days: 62", "max_age_days: 0"))
    with pytest.raises(ContractError) as error:
        load_contract(path)
    assert [line.split(" : ")[0].rpartition(" ")[2] for line in str(error.value).splitlines()] == ["8", "10"]


def test_a_contract_is_named_like_its_file(tmp_path: Path) -> None:
    (tmp_path / "autre__nom.yml").write_text(DEBIT, encoding="utf-8")
    with pytest.raises(ContractError, match="autre__nom"):
        load_contracts(tmp_path)


def test_a_contract_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError):
        load_contracts()["urssaf__debit"].mode = "append"
