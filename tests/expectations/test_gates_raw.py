"""Gate 1 on hand-made tables in a real PostgreSQL: open on clean deliveries, closed for each fault."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from gate_faults import assert_closed, assert_each_measure_is_read, mutate

from expectations.contract import Column, Contract, Knowledge
from expectations.gates import gate_raw
from expectations.raw_suite import SAMPLE_PAGES, raw_suites

CONTRACT = Contract(
    name="essai__debit",
    producer="essai",
    label="Débits d'essai",
    description="Une ligne par compte et par écart négatif.",
    owner="team:essai",
    cadence="mensuelle",
    deadline_day=20,
    max_age_days=40,
    max_reject_share=0.05,
    mode="snapshot",
    knowledge=Knowledge(column="date_traitement", lag_days=11),
    file_names=("essai_debit.*",),
    delimiters=(";",),
    key=("compte",),
    columns=(
        Column(name="compte", type="text", description="Compte", required=True, nullable=False),
        Column(name="siren", type="siren", description="Siren"),
        Column(name="part_eur", type="decimal", scale=2, description="Montant", min=0, max=100_000_000),
        Column(name="etat", type="text", description="État", allowed=("A", "B")),
        Column(name="libelle", type="text", description="Libellé"),
        Column(name="nom", type="text", description="Nom", personal_data=True, allowed=("X", "Y")),
        Column(name="date_traitement", type="date", description="Date", min=date(2000, 1, 1), max=date(2100, 1, 1)),
    ),
)

INCREMENT = CONTRACT.model_copy(update={"mode": "append"})

# Three deliveries of a stock: 200 lines, then 4 new ones, then 4 more. The third is the one under test.
RAW = """
create schema raw;
create schema ingest;
create table ingest.delivery (
    delivery_id bigint primary key, source text, file_name text, received_on date, lines bigint, loaded bigint,
    unchanged bigint, rejected bigint, out_of_scope bigint, rows_opened bigint, rows_closed bigint, status text,
    layout text default 'lues : toutes', replay_of bigint, is_partial boolean not null default false
);
create table ingest.rejected_row (delivery_id bigint, line bigint, kind text, rule text, replayed_by bigint);
create table raw.essai__debit (
    compte text, siren text, part_eur numeric(18, 2), etat text, libelle text, nom text, date_traitement date,
    _delivery_id bigint not null, _line bigint not null, _known_from date not null,
    _known_to date not null default 'infinity'
);
insert into ingest.delivery values
(1, 'essai__debit', 'essai_debit_1.csv', '2025-01-20', 200, 200, 0, 0, 0, 200, 0, 'loaded'),
(2, 'essai__debit', 'essai_debit_2.csv', '2025-02-20', 210, 40, 166, 4, 0, 40, 36, 'loaded'),
(3, 'essai__debit', 'essai_debit_3.csv', '2025-03-20', 214, 40, 170, 4, 0, 40, 36, 'loaded');
insert into raw.essai__debit
select 'C' || g, lpad(cast(g as text), 9, '0'), 100 + (g * 37) % 900, 'A', 'débit n° ' || g, 'X', date '2025-01-01',
    1, g + 1, date '2025-01-12', case when g <= 72 then date '2025-02-20' + 28 * (g / 37) else 'infinity' end
from generate_series(1, 200) as g;
insert into raw.essai__debit
select 'C' || (200 + g), lpad(cast(g as text), 9, '0'), 100 + (g * 41) % 900, 'B', 'débit', 'Y', date '2025-02-10',
    2 + g / 41, g + 1, date '2025-02-20' + 28 * (g / 41), 'infinity'
from generate_series(1, 80) as g;
insert into ingest.rejected_row select d, 200 + g, 'rejet', 'date' from generate_series(2, 3) as d, generate_series(1, 4) as g;
"""


@pytest.fixture
def raw_url(database_url: str) -> str:
    """Database with three clean deliveries."""
    with psycopg.connect(database_url) as connection:
        connection.execute(RAW)
    return database_url


@pytest.mark.parametrize("deliveries", [[1], [2], [3], [1, 2, 3]])
def test_clean_deliveries_pass(raw_url: str, deliveries: list[int]) -> None:
    """The first delivery, each later one, and all at once (the way of a first import)."""
    result = gate_raw(raw_url, CONTRACT, deliveries)
    assert result.passed, result.summary_fr()
    assert result.failures == ()


RAW_FAULTS = {
    "a key column empty": (
        "update raw.essai__debit set compte = null where _delivery_id = 3 and _line = 42",
        ("compte",),
    ),
    "a mandatory amount below zero": (
        "update raw.essai__debit set part_eur = -1 where _delivery_id = 3 and _line = 42",
        ("part_eur doit rester dans ses bornes", "[delivery_id 3, line 42"),
    ),
    "a date before the age of the source": (
        "update raw.essai__debit set date_traitement = '1899-12-31' where _delivery_id = 3 and _line = 42",
        ("date_traitement doit rester dans ses bornes",),
    ),
    "a value which is not allowed": (
        "update raw.essai__debit set etat = 'Z' where _delivery_id = 3 and _line = 42",
        ("etat doit être l'une des valeurs admises", "etat Z"),
    ),
    "siren read as numbers": (
        "update raw.essai__debit set siren = ltrim(siren, '0') where _delivery_id = 3",
        ("siren doit avoir la forme attendue",),
    ),
    "text of another encoding": (
        "update raw.essai__debit set libelle = 'dÃ©bit' where _delivery_id = 3",
        ("mauvais encodage",),
    ),
    "two open versions of a key": (
        "update raw.essai__debit set _known_to = 'infinity' where compte = 'C1'; "
        "update raw.essai__debit set compte = 'C1' where _delivery_id = 3 and _line = 42",
        ("une seule version ouverte",),
    ),
    "rows doubled": (
        "insert into raw.essai__debit select * from raw.essai__debit where _delivery_id = 3",
        ("une seule version ouverte", "versions ouvertes selon le registre"),
    ),
    "rows lost": (
        "delete from raw.essai__debit where _delivery_id = 3 and _line = 42",
        ("versions ouvertes selon le registre", "Observé : 39 (livraison 3) ; attendu : 40"),
    ),
    "a version closed before it was open": (
        "update raw.essai__debit set _known_to = '2024-01-01' where _delivery_id = 3 and _line = 42",
        ("_known_to doit être supérieur ou égal à _known_from",),
    ),
    "known after it was received": (
        "update raw.essai__debit set _known_from = '2025-03-21' where _delivery_id = 3 and _line = 42",
        ("connue après la réception",),
    ),
    "too many rejects": (
        "update ingest.delivery set rejected = 30, unchanged = 144 where delivery_id = 3",
        ("part de lignes rejetées", "0,1402", "au plus 0,05"),
    ),
    "accounts that do not add up": (
        "update ingest.delivery set unchanged = 100 where delivery_id = 3",
        ("toutes être comptées",),
    ),
    "a reject without its quarantine": (
        "delete from ingest.rejected_row where delivery_id = 3 and line = 201",
        ("en quarantaine",),
    ),
    "a refused delivery": (
        "update ingest.delivery set status = 'refused' where delivery_id = 3",
        ("figurer au registre",),
    ),
    "the delivery of another source": (
        "update ingest.delivery set source = 'autre' where delivery_id = 3",
        ("figurer au registre",),
    ),
    "half of the file": (
        "update ingest.delivery set lines = 107, unchanged = 63 where delivery_id = 3",
        ("livraison précédente", "Observé : 107"),
    ),
    "a doubled file": (
        "update ingest.delivery set lines = 420, unchanged = 376 where delivery_id = 3",
        ("livraison précédente", "Observé : 420"),
    ),
    "most of the known closed at once": (
        "update ingest.delivery set rows_closed = 180 where delivery_id = 3",
        ("remplacer la majeure partie du connu",),
    ),
    "euros read as cents": (
        "update raw.essai__debit set part_eur = part_eur * 100 where _delivery_id = 3",
        ("échelle des livraisons précédentes", "part_eur"),
    ),
    "cents read as euros": (
        "update raw.essai__debit set part_eur = part_eur / 100 where _delivery_id = 3",
        ("échelle des livraisons précédentes",),
    ),
}


@pytest.mark.parametrize("fault", RAW_FAULTS)
def test_a_faulty_delivery_is_stopped(raw_url: str, fault: str) -> None:
    """Faults of files that administrations really sent, and faults of our own loader."""
    statement, fragments = RAW_FAULTS[fault]
    mutate(raw_url, statement)
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), *fragments)


def test_a_new_layout_may_correct_every_row_and_is_told(raw_url: str) -> None:
    """URSSAF added the SIRET to its files in December 2025: every row was rightly corrected by one delivery."""
    mutate(raw_url, "update ingest.delivery set rows_closed = 180, layout = 'lues : avec siret' where delivery_id = 3")
    result = gate_raw(raw_url, CONTRACT, [3])
    assert result.passed
    assert [failure.column for failure in result.failures] == ["bouleversement_format"]


def test_one_bad_line_in_a_small_file_is_not_a_bad_file(raw_url: str) -> None:
    """A monthly increment of three lines with one reject has a share of 33 %: it was refused, for nothing."""
    mutate(
        raw_url,
        """insert into ingest.delivery values (4, 'essai__debit', 'essai_debit_4.csv', '2025-04-20', 3, 0, 2, 1, 0, 0, 0,
        'loaded'); insert into ingest.rejected_row values (4, 2, 'rejet', 'date')""",
    )
    assert gate_raw(raw_url, INCREMENT, [4]).passed
    mutate(raw_url, "update ingest.delivery set unchanged = 1, rejected = 2 where delivery_id = 4")
    mutate(raw_url, "insert into ingest.rejected_row values (4, 3, 'rejet', 'date')")
    assert_closed(gate_raw(raw_url, INCREMENT, [4]), "part de lignes rejetées")


def test_a_first_delivery_that_opens_nothing_is_stopped(raw_url: str) -> None:
    """An empty first file would give a source which looks delivered and holds nothing."""
    mutate(
        raw_url,
        """delete from raw.essai__debit; delete from ingest.rejected_row;
        delete from ingest.delivery where delivery_id > 1;
        update ingest.delivery set lines = 0, loaded = 0, rows_opened = 0""",
    )
    assert_closed(gate_raw(raw_url, CONTRACT, [1]), "première livraison")


def test_a_faulty_row_of_another_delivery_does_not_stop_this_one(raw_url: str) -> None:
    """A gate judges the deliveries it was given: an old fault must not block every month to come."""
    mutate(raw_url, "update raw.essai__debit set etat = 'Z' where _delivery_id = 1 and _line = 150")
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    assert not gate_raw(raw_url, CONTRACT, [1]).passed


def test_values_of_personal_data_are_never_shown(raw_url: str) -> None:
    """The text of a refusal goes to the UI, to logs and to e-mails: names of people have no place there."""
    mutate(raw_url, "update raw.essai__debit set nom = 'PATRONYME' where _delivery_id = 3 and _line = 42")
    result = gate_raw(raw_url, CONTRACT, [3])
    assert_closed(result, "nom doit être l'une des valeurs admises", "1 ligne en défaut sur 40", "donnée personnelle")
    assert "PATRONYME" not in repr(result)


def test_an_odd_increment_is_a_warning_that_does_not_close_the_gate(raw_url: str) -> None:
    """Increments follow the calendar of the producer: an odd one is told, not blocked."""
    mutate(
        raw_url,
        """insert into ingest.delivery values (4, 'essai__debit', 'essai_debit_4.csv', '2025-04-20', 3000, 0, 3000, 0, 0,
        0, 0, 'loaded')""",
    )
    result = gate_raw(raw_url, INCREMENT, [4])
    assert result.passed
    assert [failure.severity for failure in result.failures] == ["warning"]
    assert "Avertissement" in result.summary_fr()


def test_no_delivery_at_all_is_not_a_pass(raw_url: str) -> None:
    """An empty list of deliveries would be vacuously clean: it is a fault of the caller, and closes the gate."""
    result = gate_raw(raw_url, CONTRACT, [])
    assert not result.passed
    assert "aucune livraison à contrôler" in result.summary_fr()


def test_a_key_open_twice_is_found_with_or_without_an_index_that_does_not_forbid_it(raw_url: str) -> None:
    """The unique index of the loader makes the count needless; another index does not."""
    with psycopg.connect(raw_url) as connection:
        connection.execute("create unique index on raw.essai__debit (compte) where _known_to = 'infinity'")
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    with psycopg.connect(raw_url) as connection:
        connection.execute("drop index raw.essai__debit_compte_idx")
        connection.execute("create unique index on raw.essai__debit (compte) where _known_to < '2000-01-01'")
        connection.execute("create unique index on raw.essai__debit (compte, _line) where _known_to = 'infinity'")
    mutate(raw_url, "update raw.essai__debit set compte = 'C200' where _delivery_id = 3 and _line = 42")
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), "une seule version ouverte par clé")


def test_the_scale_is_seen_next_to_a_long_past_of_which_a_sample_is_read(raw_url: str) -> None:
    """A delivery of forty rows must not cost a reading of all that came before, nor lose the check."""
    mutate(
        raw_url,
        """insert into raw.essai__debit select 'D' || g, '000000001', 100 + g % 900, 'A', repeat('x', 200), 'X',
        date '2025-01-01', 1, g + 1, date '2025-01-12', date '2025-02-20' from generate_series(201, 30000) as g;
        update ingest.delivery set lines = 29999, loaded = 29999, rows_opened = 29999 where delivery_id = 1;
        update ingest.delivery set lines = 29999, unchanged = 29955 where delivery_id > 1""",
    )
    with psycopg.connect(raw_url) as connection:
        pages = connection.execute("select pg_relation_size('raw.essai__debit') / 8192").fetchone()
    assert pages
    assert pages[0] > 2 * SAMPLE_PAGES
    assert gate_raw(raw_url, CONTRACT, [3]).passed
    mutate(raw_url, "update raw.essai__debit set part_eur = part_eur * 100 where _delivery_id = 3")
    assert_closed(gate_raw(raw_url, CONTRACT, [3]), "échelle des livraisons précédentes", "part_eur")


def test_values_of_a_contract_are_compared_as_they_are_written(raw_url: str) -> None:
    """A colon, a percent, a brace, a quote or a backslash mean something to one of the layers on the way to the server."""
    odd = ("A", "B", "10:30 :nom", "50 % %s", "{batch} {0}", "l'été", "a\\b \\:c", "$HOME ${X}", "🙂")
    columns = tuple(c.model_copy(update={"allowed": odd}) if c.name == "etat" else c for c in CONTRACT.columns)
    contract = CONTRACT.model_copy(update={"columns": columns})
    with psycopg.connect(raw_url) as connection:
        for line, value in enumerate(odd, start=42):
            connection.execute(
                "update raw.essai__debit set etat = %s where _line = %s and _delivery_id = 3", [value, line]
            )
    assert gate_raw(raw_url, contract, [3]).passed
    mutate(raw_url, "update raw.essai__debit set etat = '50 %' where _delivery_id = 3 and _line = 45")
    assert_closed(gate_raw(raw_url, contract, [3]), "etat 50 %]")


def test_a_fault_of_many_rows_is_counted_and_shown_by_a_few(raw_url: str) -> None:
    """Forty bad rows: forty told, five shown."""
    mutate(raw_url, "update raw.essai__debit set etat = 'Z' where _delivery_id = 3")
    (failure,) = gate_raw(raw_url, CONTRACT, [3]).failures
    assert failure.observed.startswith("40 lignes en défaut sur 40, par exemple [delivery_id 3, line 42, etat Z], ")
    assert failure.observed.count("etat Z") == 5
    assert failure.expected == "parmi A, B"


def test_every_measure_has_its_check_and_every_rule_its_measure(raw_url: str) -> None:
    assert_each_measure_is_read(raw_url, raw_suites(CONTRACT, [2, 3]))
