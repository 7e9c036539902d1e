"""An administration's operational PostgreSQL: its rows come as a file of their contract, exact and in one state."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from connector_base import DAY, MINUTE, NOW, Desk, fresh_database

from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import Connector
from ingestion.database import create_schemas
from ingestion.ingest import ingest_file

TABLES = """
    drop schema if exists metier cascade;
    create schema metier;
    create table metier.delai (
        compte text, siret text, ouvert_le timestamptz, ferme_le date, duree integer, montant numeric, stade text, note text
    );
    create table metier.mesure (siren text, mesure_le date, retard integer, modifie_le timestamptz);
"""
SIREN_A, SIREN_B, SIREN_C = "012345674", "023456783", "034567892"


@pytest.fixture(scope="module")
def peer(server_url: str) -> Iterator[str]:
    """URL of the administration's own database: another one than ours, on the same server."""
    with fresh_database(server_url) as url:
        yield url


@pytest.fixture
def change(peer: str) -> Callable[[str], None]:
    """`change(sql)`: the administration works in its database, whose tables are empty at first."""

    def run(statement: str) -> None:
        with psycopg.connect(peer) as connection:
            connection.execute(statement.encode())

    run(TABLES)
    return run


@pytest.fixture
def connector(desk: Desk, peer: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Connector]:
    """`connector(**values)`: that database, with what the test adds."""
    parts = psycopg.conninfo.conninfo_to_dict(peer)
    monkeypatch.setenv("METIER_PG", str(parts.get("password") or "unused"))
    base = {
        "kind": "postgresql",
        "host": parts["host"],
        "port": int(parts["port"] or 5432),
        "database": parts["dbname"],
        "user": parts["user"],
        "password": {"env": "METIER_PG"},
        "sslmode": "disable",
    }
    return lambda **values: desk.settings(**(base | values))


@pytest.fixture
def delais(connector: Callable[..., Connector]) -> Connector:
    """A whole table, for a contract that is a stock."""
    return connector(
        contract="urssaf__delai",
        file_name="base_delais",
        table="metier.delai",
        columns={
            "Siret": "siret",
            "Numero_compte_externe": "compte",
            "Date_creation": "ouvert_le",
            "Date_echeance": "ferme_le",
            "Duree_delai": "duree",
            "Montant_global_echeancier": "montant",
            "Code_externe_stade": "stade",
        },
    )


@pytest.fixture
def mesures(connector: Callable[..., Connector]) -> Callable[..., Connector]:
    """`mesures(overlap)`: a table whose changes are followed by the column `modifie_le`."""
    return lambda overlap=60: connector(
        contract="altares__paydex",
        file_name="base_paydex",
        table="metier.mesure",
        columns={"SIREN": "siren", "DATE_VALEUR": "mesure_le", "NB_JOURS": "retard"},
        watermark={"column": "modifie_le", "overlap": overlap},
    )


def rows_of(content: bytes) -> list[list[str]]:
    """Records of a landed file, without its header."""
    return list(csv.reader(content.decode().splitlines(keepends=True), delimiter=";"))[1:]


def test_a_table_lands_in_the_form_of_its_contract(
    desk: Desk, change: Callable[[str], None], delais: Connector
) -> None:
    """Exact decimals, the contract's dates on the French day, quoting; a date that is none is kept for the quarantine."""
    change(
        """
        insert into metier.delai values
        ('2', '02345678300010', '2026-01-31 23:30+00', '2026-09-01', 212, 12345678901234567.89, 'A;"B"' || chr(10) || 'C'),
        ('1', null, '2026-03-01 12:00+00', 'infinity', null, 0.10, '')
        """
    )
    (taken,) = desk.fetch(delais).taken
    assert taken.rows == 2
    ((name, content),) = desk.landed()
    assert name == f"base_delais_{DAY}.csv"
    assert content.decode().splitlines()[0] == (
        "Siret;Numero_compte_externe;Date_creation;Date_echeance;Duree_delai;Montant_global_echeancier;Code_externe_stade"
    )
    assert rows_of(content) == [
        ["", "1", "01/03/2026", "infinity", "", "0.10", ""],
        ["02345678300010", "2", "01/02/2026", "01/09/2026", "212", "12345678901234567.89", 'A;"B"\nC'],
    ]


def test_the_same_rows_make_the_same_bytes_whatever_their_order_in_the_base(
    desk: Desk, change: Callable[[str], None], delais: Connector
) -> None:
    change(
        "insert into metier.delai select n::text, null, '2026-01-01', '2026-02-01', n, n, 'APPROB' from generate_series(1, 50) n"
    )
    desk.fetch(delais)
    change("create table metier.keep as table metier.delai; truncate metier.delai")
    change("insert into metier.delai select * from metier.keep order by duree desc")
    desk.fetch(delais, day=DAY + timedelta(days=1), now=NOW + timedelta(days=1))
    (_, first), (_, second) = desk.landed()
    assert first == second


def test_a_whole_table_is_taken_once_a_day(desk: Desk, change: Callable[[str], None], delais: Connector) -> None:
    change("insert into metier.delai values ('1', null, '2026-01-01', '2026-02-01', 31, 1, 'APPROB')")
    assert len(desk.fetch(delais).taken) == 1
    assert desk.fetch(delais, NOW + MINUTE).taken == []
    assert len(desk.fetch(delais, NOW + timedelta(days=1), day=DAY + timedelta(days=1)).taken) == 1


def test_a_watermark_brings_what_changed_and_late_commits_within_the_overlap(
    desk: Desk, change: Callable[[str], None], mesures: Callable[..., Connector]
) -> None:
    """A transaction that began before our reading and committed after it carries an older date."""
    change(
        f"""
        insert into metier.mesure values
        ('{SIREN_A}', '2026-01-31', 4, '2026-03-01 09:00+01'), ('{SIREN_B}', '2026-01-31', 9, '2026-03-01 11:00+01')
        """
    )
    assert desk.fetch(mesures()).taken[0].rows == 2
    assert desk.fetch(mesures(), NOW + MINUTE).taken == []
    change(
        f"""
        insert into metier.mesure values
        ('{SIREN_C}', '2026-01-31', 1, '2026-03-01 10:30+01'), ('{SIREN_A}', '2026-02-28', 7, '2026-03-02 09:00+01')
        """
    )
    desk.fetch(mesures(), NOW + 2 * MINUTE)
    rows = rows_of(desk.landed()[1][1])
    assert rows == [
        [SIREN_A, "28/02/2026", "7"],
        [SIREN_B, "31/01/2026", "9"],
        [SIREN_C, "31/01/2026", "1"],
    ], "the new row, the one committed late, and the one of the last mark again"


def test_rows_without_a_mark_are_never_forgotten(
    desk: Desk, change: Callable[[str], None], mesures: Callable[..., Connector]
) -> None:
    change(
        f"insert into metier.mesure values ('{SIREN_A}', '2026-01-31', 4, null), ('{SIREN_B}', '2026-01-31', 9, now())"
    )
    assert desk.fetch(mesures()).taken[0].rows == 2


def test_a_query_with_a_number_as_mark(
    desk: Desk, change: Callable[[str], None], connector: Callable[..., Connector]
) -> None:
    settings = connector(
        contract="altares__paydex",
        file_name="base_paydex",
        query="select siren, mesure_le, retard, 2 * retard as rang from metier.mesure where siren like '0%'",
        columns={"SIREN": "siren", "DATE_VALEUR": "mesure_le", "NB_JOURS": "retard"},
        watermark={"column": "rang", "overlap": 0},
    )
    change(f"insert into metier.mesure values ('{SIREN_A}', '2026-01-31', 4), ('100000009', '2026-01-31', 5)")
    assert desk.fetch(settings).taken[0].rows == 1
    change(f"insert into metier.mesure values ('{SIREN_B}', '2026-01-31', 6)")
    assert desk.fetch(settings, NOW + MINUTE).taken[0].rows == 2
    assert desk.rows("select position ->> 'watermark' from ingest.connector_state") == [("12",)]


def test_what_lands_loads_without_a_reject(
    desk: Desk, change: Callable[[str], None], mesures: Callable[..., Connector]
) -> None:
    """The connector speaks the contract's language: the accounting is the same as for a file."""
    create_schemas(desk.url, {"altares__paydex": desk.contracts["altares__paydex"]})
    change(
        f"insert into metier.mesure values ('{SIREN_A}', '2026-01-31', 4, '2026-03-01'), ('not one', '2026-01-31', 9, '2026-03-01')"
    )
    (taken,) = desk.fetch(mesures()).taken
    account = ingest_file(desk.url, desk.landing / taken.path, received_on=DAY, contracts=desk.contracts)
    assert (account.source, account.lines, account.loaded, account.rejected) == ("altares__paydex", 2, 1, 1)


def test_the_base_cannot_be_written_through_a_query(
    desk: Desk, change: Callable[[str], None], connector: Callable[..., Connector], peer: str
) -> None:
    """A view may call a function that writes: the session must not be able to."""
    change(
        "create function metier.spy() returns text language plpgsql as "
        "$$ begin insert into metier.mesure values ('x', now(), 1); return 'x'; end $$"
    )
    settings = connector(
        contract="altares__paydex",
        file_name="base_paydex",
        query="select metier.spy() as siren, current_date as mesure_le, 1 as retard",
        columns={"SIREN": "siren", "DATE_VALEUR": "mesure_le", "NB_JOURS": "retard"},
    )
    report = desk.fetch(settings)
    assert "ReadOnlySqlTransaction" in next(iter(report.faults.values()))
    assert desk.landed() == []
    with psycopg.connect(peer) as connection:
        assert connection.execute("select count(*) from metier.mesure").fetchone() == (0,)


def test_a_cut_or_slow_reading_leaves_nothing_visible(
    desk: Desk, change: Callable[[str], None], connector: Callable[..., Connector]
) -> None:
    change(
        f"insert into metier.mesure select '{SIREN_A}', '2026-01-01'::date + n, n, now() from generate_series(1, 9) n"
    )
    common = {
        "contract": "altares__paydex",
        "file_name": "base_paydex",
        "columns": {"SIREN": "siren", "DATE_VALEUR": "mesure_le", "NB_JOURS": "retard"},
    }
    cut = "select siren, mesure_le, retard, case when retard = 8 then pg_terminate_backend(pg_backend_pid()) end from metier.mesure"
    report = desk.fetch(connector(query=f"{cut} offset 0", **common))
    assert "AdminShutdown" in report.faults["base_paydex"]
    slow = "select siren, mesure_le, retard, pg_sleep(30) from metier.mesure offset 0"
    report = desk.fetch(connector(query=slow, statement_timeout_seconds=1, **common))
    assert "interrompue après 1 s" in report.faults["base_paydex"]
    assert desk.landed() == []


def test_a_missing_column_a_missing_secret_and_a_missing_server_are_told(
    desk: Desk, change: Callable[[str], None], delais: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    change("alter table metier.delai drop column montant")
    with pytest.raises(PeerFault, match="colonne absente de la base : montant"):
        desk.look(delais)
    with pytest.raises(PeerFault, match="base : OperationalError"):
        desk.look(delais.model_copy(update={"port": 1}))
    monkeypatch.delenv("METIER_PG")
    with pytest.raises(PeerFault, match="METIER_PG n'est pas définie"):
        desk.look(delais)
