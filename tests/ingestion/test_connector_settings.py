"""`connectors.yml`: a mistake is told with its line, a secret is never in it, and nothing starts half right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from expectations.contract import load_contracts
from ingestion.connectors.faults import ConnectorError, PeerFault
from ingestion.connectors.settings import Credential, load_connectors

SFTP = {
    "kind": "sftp",
    "host": "depot.exemple.test",
    "path": "/",
    "user": "vigie",
    "known_hosts": "/etc/vigie/known_hosts",
    "password": {"env": "DEPOT_SFTP"},
}
POSTGRESQL = {
    "kind": "postgresql",
    "contract": "altares__paydex",
    "file_name": "base_paydex",
    "host": "127.0.0.1",
    "database": "metier",
    "user": "vigie",
    "table": "metier.mesure",
    "columns": {"SIREN": "siren", "DATE_VALEUR": "jour", "NB_JOURS": "retard"},
}
EXPLORE = {
    "kind": "explore",
    "contract": "bodacc__annonce",
    "file_name": "api_bodacc",
    "url": "https://portail.exemple.test/api/explore/v2.1",
    "dataset": "annonces-commerciales",
    "date_field": "dateparution",
    "order_by": "dateparution,id",
    "since": "2024-01-01",
}
S3 = {
    "kind": "s3",
    "endpoint": "https://s3.exemple.test",
    "region": "eu-west-3",
    "bucket": "depot",
    "access_key": {"env": "A"},
    "secret_key": {"env": "B"},
}


def load(folder: Path, values: dict[str, Any], name: str = "depot") -> Any:
    path = folder / "connectors.yml"
    path.write_text(yaml.safe_dump({"connectors": {name: values}}, sort_keys=False))
    return load_connectors(path, load_contracts())[name]


def test_no_file_no_connector(tmp_path: Path) -> None:
    assert load_connectors(tmp_path / "connectors.yml", load_contracts()) == {}


@pytest.mark.parametrize("values", [SFTP, POSTGRESQL, EXPLORE, S3], ids=["sftp", "postgresql", "explore", "s3"])
def test_the_examples_of_this_page_are_right(tmp_path: Path, values: dict[str, Any]) -> None:
    """Each refusal below must come from the one thing it changes."""
    assert load(tmp_path, values).kind == values["kind"]


def test_the_examples_of_the_documentation_are_right(tmp_path: Path) -> None:
    """A reader copies them."""
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "connectors.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    kinds = set()
    for block in blocks:
        path = tmp_path / "connectors.yml"
        path.write_text(block)
        kinds |= {settings.kind for settings in load_connectors(path, load_contracts()).values()}
    assert kinds == {"local", "sftp", "s3", "postgresql", "explore"}


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "connectors.yml"
    path.write_text(
        "connectors:\n  depot:\n    kind: local\n    path: /x\n\n    settle_seconds: soon\n    patern: '*'\n"
    )
    with pytest.raises(ConnectorError) as told:
        load_connectors(path, load_contracts())
    assert "ligne 6 : connectors.depot.settle_seconds" in str(told.value)
    assert "ligne 7 : connectors.depot.patern" in str(told.value)
    path.write_text("connectors:\n  depot:\n    host: x\n    kind: ftp\n")
    with pytest.raises(ConnectorError, match=r"ligne 2 : connectors.depot : kind : 'local', 'sftp', .* attendu"):
        load_connectors(path, load_contracts())
    path.write_text(yaml.safe_dump({"connectors": {"depot": EXPLORE | {"file_name": "annonces"}}}, sort_keys=False))
    with pytest.raises(ConnectorError, match=r"ligne 5 : connectors.depot.file_name : annonces… est reconnu par aucun"):
        load_connectors(path, load_contracts())
    path.write_text("connectors:\n  depot: {kind: local\n")
    with pytest.raises(ConnectorError, match="ligne 3 : YAML illisible"):
        load_connectors(path, load_contracts())


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as told:
        load(tmp_path, SFTP | dict.fromkeys(["password"], "azerty-1234"))
    assert "un secret ne s'écrit pas ici" in str(told.value)
    assert "azerty" not in str(told.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "local", "path": "depot"}, "chemin absolu attendu"),
        (SFTP | {"key_file": "/k"}, "l'un des deux"),
        ({name: value for name, value in SFTP.items() if name != "known_hosts"}, "known_hosts"),
        (S3 | {"endpoint": "http://s3.exemple.test"}, "https:// attendue"),
        (EXPLORE | {"url": "http://portail.exemple.test/api"}, "https:// attendue"),
        (EXPLORE | {"url": "https://a:b" + "@portail.exemple.test/api"}, "ni compte ni mot de passe"),
        (EXPLORE | {"contract": "bodacc__anonce"}, "aucun contrat ne s'appelle"),
        (EXPLORE | {"file_name": "annonces"}, "est reconnu par aucun contrat"),
        (EXPLORE | {"dataset": "../x"}, "dataset"),
        (EXPLORE | {"contract": "urssaf__debit", "file_name": "debits"}, "stock complet"),
        (POSTGRESQL | {"host": "base.exemple.test", "sslmode": "disable"}, "TLS"),
        (POSTGRESQL | {"query": "select 1"}, "l'un des deux"),
        (POSTGRESQL | {"columns": {"SIREN": "siren", "NB_JOURS": "retard"}}, "sans source : date_valeur"),
        (POSTGRESQL | {"columns": POSTGRESQL["columns"] | {"NBJOURS": "x"}}, "en-tête inconnu du contrat"),  # type: ignore[operator]
        (
            POSTGRESQL
            | {
                "contract": "urssaf__delai",
                "file_name": "delais",
                "columns": {
                    "Compte": "a",
                    "Date_creation": "b",
                    "Date_echeance": "c",
                    "Montant_global_echeancier": "d",
                },
                "watermark": {"column": "modifie_le"},
            },
            "un extrait en fermerait le reste",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_what_could_lose_data_or_leak_is_refused_at_once(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConnectorError) as told:
        load(tmp_path, values)
    assert message in str(told.value)


@pytest.mark.parametrize("name", ["../depot", "depot-1", "Depot", ""])
def test_a_name_is_a_plain_word(tmp_path: Path, name: str) -> None:
    """It becomes the name of a sensor and of a file that is being written."""
    with pytest.raises(ConnectorError):
        load(tmp_path, SFTP, name)


def test_a_secret_file_is_read_only_when_its_owner_alone_can(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    credential = Credential(file=path)
    with pytest.raises(PeerFault, match="identifiants absents"):
        credential.value()
    path.write_text("of-the-test\n")
    path.chmod(0o640)
    with pytest.raises(PeerFault, match="chmod 600"):
        credential.value()
    path.chmod(0o600)
    assert credential.value() == "of-the-test"
