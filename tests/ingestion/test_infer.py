"""A contract drafted from a sample loads, and reads the very file it came from."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from expectations.contract import Contract, load_contract, load_contracts
from ingestion.check import check_file
from ingestion.content import Refusal
from ingestion.infer import infer_contract

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SOURCES = sorted(load_contracts())


def drafted(path: Path, folder: Path) -> Contract:
    """The contract as a person would use it: written to a file and loaded."""
    text = infer_contract(path)
    file = folder / "producteur__essai.yml"
    file.write_text(text, encoding="utf-8")
    return load_contract(file)


def assert_reads_its_own_file(path: Path, contract: Contract) -> None:
    check = check_file(path, {contract.name: contract}, source=contract.name)
    assert (check.refusal, check.rejected, check.out_of_scope) == (None, 0, 0), (check, contract)
    assert check.lines > 0
    assert contract.recognises(path.name)


@pytest.mark.parametrize("source", SOURCES)
def test_the_draft_of_every_fixture_reads_it(source: str, tmp_path: Path) -> None:
    path = FIXTURES / f"{source}.csv"
    assert_reads_its_own_file(path, drafted(path, tmp_path))


def test_types_formats_key_and_personal_data_are_found(tmp_path: Path) -> None:
    path = tmp_path / "salaries_2026_01.csv"
    path.write_bytes(
        "Siren;Siret;Période;Dt_trt;Créé le;Nom;Montant;Code;Actif;Effectif\n"
        "012345674;01234567400019;201911;1191231;31/12/2019;Éva;12,50;01;1;3\n"
        "023456783;02345678300010;201912;1200131;01/01/2020;Paul;-3;02;0;\n".encode("iso-8859-15")
    )
    contract = drafted(path, tmp_path)
    types = {column.name: (column.type, column.formats) for column in contract.columns}
    assert {name: kind for name, (kind, _) in types.items()} == {
        "siren": "siren", "siret": "siret", "periode": "periode_debut", "dt_trt": "date", "cree_le": "date",
        "nom": "text", "montant": "decimal", "code": "text", "actif": "boolean", "effectif": "integer",
    }  # fmt: skip
    assert (types["dt_trt"][1], types["cree_le"][1]) == (("urssaf",), ("jj/mm/aaaa",))
    assert contract.encodings == ("iso-8859-15",)
    assert contract.key == ("siret",)
    assert contract.personal_data == ("nom",)
    assert not contract.column("effectif").required
    assert contract.recognises("salaries_2027_11.csv")
    assert contract.knowledge is not None and contract.knowledge.column == "periode"
    assert_reads_its_own_file(path, contract)


def test_a_key_is_made_of_as_few_columns_as_tell_lines_apart(tmp_path: Path) -> None:
    path = tmp_path / "mesures.csv"
    path.write_text("SIREN,MOIS,VALEUR\n012345674,2020-01-01,1\n012345674,2020-02-01,1\n023456783,2020-01-01,1\n")
    contract = drafted(path, tmp_path)
    assert contract.key == ("siren", "mois")
    assert_reads_its_own_file(path, contract)


def test_a_key_that_only_the_end_of_the_file_contradicts_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first lines are a sample: the whole file has the last word."""
    monkeypatch.setattr("ingestion.content.BLOCK", 64)
    path = tmp_path / "mesures.csv"
    rows = [f"x{n},2020-01-{n:02}" for n in range(1, 20)]
    path.write_text("\n".join(["code,jour", *rows, "x1,2020-02-01"]) + "\n")
    contract = drafted(path, tmp_path)
    assert contract.key != ("code",)
    assert_reads_its_own_file(path, contract)


def test_a_wrong_luhn_key_makes_a_number_of_nine_digits_a_text(tmp_path: Path) -> None:
    path = tmp_path / "entreprises.csv"
    path.write_text("numero;x\n012345674;a\n012345675;b\n")
    assert drafted(path, tmp_path).column("numero").type == "text"


@pytest.mark.parametrize("content", ["", "\n\n", ";;\n1;2;3\n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vide.csv"
    path.write_text(content)
    with pytest.raises(Refusal):
        infer_contract(path)


headers = st.lists(st.text(alphabet="abéÀ _-.'1#", min_size=1, max_size=8), min_size=1, max_size=6)
values = st.sampled_from(
    ["", "0", "1", "-1", "007", "12,5", "1e3", "1 234", "012345674", "01234567400019", "2020-02-30", "2020-02-29", "31/12/19",
     "01/02/2020", "201911", "1191231", "26MAY2014", "vrai", "false", "NaN", "é", " a ", "9999-01-01", "000000000", "12345678901"]
)  # fmt: skip


@seed(20260117)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=headers,
    table=st.lists(st.lists(values, min_size=6, max_size=6), min_size=1, max_size=8),
    chance=st.integers(),
)
def test_whatever_the_cells_the_draft_reads_its_own_file(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], table: list[list[str]], chance: int
) -> None:
    """Except lines that come twice: a key cannot tell them apart."""
    folder = tmp_path_factory.getbasetemp()
    delimiter = random.Random(chance).choice(";,|")
    names = [*names, "rang"]
    rows = [
        [value.replace(",", " ") if delimiter == "," else value for value in row[: len(names) - 1]] for row in table
    ]
    rows = [[*(row + [""] * (len(names) - 1 - len(row))), f"n{n}"] for n, row in enumerate(rows)]
    path = folder / "essai.csv"
    path.write_text("\n".join(delimiter.join(row) for row in [names, *rows]) + "\n", encoding="utf-8")
    contract = drafted(path, folder)
    assert_reads_its_own_file(path, contract)
