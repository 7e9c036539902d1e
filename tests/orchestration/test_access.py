"""Promise 5: nobody sees more than their habilitation, enforced by PostgreSQL. Tested through sessions of each role."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import date

import psycopg
import pytest
from psycopg import sql

from models_ml.features import load_features
from orchestration import dictionary, publication, schema

MONTH = date(2025, 11, 1)
DIJON, BESANCON = "052000001", "052000002"
VIEWS = ("detections", "entreprises", "scores", "raisons", "montants", "series", "offres")
NUMBERS = {"integer", "bigint", "numeric", "double precision"}
AS_OF = ("score_au", "detections_au", "entreprises_au")
Candidate = Callable[..., None]


@pytest.fixture
def published_url(vigie_url: str, candidate: Candidate) -> str:
    candidate(MONTH, {DIJON: ("21", "Alerte seuil F1"), BESANCON: ("25", "Alerte seuil F2")})
    publication.publish(vigie_url, [MONTH], simulation=True, run_id=None)
    return vigie_url


@pytest.fixture
def agent(published_url: str) -> Iterator[Callable[..., str]]:
    """`agent("21", "B")` makes a role that reads the published views with that habilitation; its name."""
    made: list[str] = []

    def make(departement: str | None, niveau: str = "A") -> str:
        name = f"agent_{uuid.uuid4().hex[:10]}"
        with psycopg.connect(published_url) as connection:
            identifier = sql.Identifier(name)
            connection.execute(sql.SQL("create role {} nologin").format(identifier))
            connection.execute(sql.SQL("grant vigie_agent to {}").format(identifier))
            if departement is not None:
                connection.execute(
                    "insert into publication.habilitation values (%s, %s, %s)", [name, departement, niveau]
                )
        made.append(name)
        return name

    yield make
    with psycopg.connect(published_url) as connection:
        for name in made:
            connection.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(name)))


def rows(url: str, role: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        return connection.execute(query.encode()).fetchall()


def test_an_agent_of_a_departement_sees_its_companies_only(published_url: str, agent: Callable[..., str]) -> None:
    role = agent("21")
    for view in ("detections", "entreprises", "scores", "raisons", "montants"):
        assert {row[0] for row in rows(published_url, role, f"select siren from published.{view}")} == {DIJON}


@pytest.mark.parametrize("function", AS_OF)
def test_the_past_is_under_the_same_habilitation(published_url: str, agent: Callable[..., str], function: str) -> None:
    """A function that ran with its owner's rights would show every département to anyone."""
    query = f"select siren from published.{function}('2100-01-01')"
    assert rows(published_url, agent("21"), query) == [(DIJON,)]
    assert rows(published_url, agent(None), query) == []
    assert len(rows(published_url, "vigie_lecteur", query)) == 2


def test_functions_of_readers_run_with_the_reader_s_rights(published_url: str) -> None:
    with psycopg.connect(published_url) as connection:
        functions = connection.execute(
            "select proname, prosecdef, provolatile from pg_proc where pronamespace = 'published'::regnamespace"
        ).fetchall()
    assert {name for name, _, _ in functions} >= {*AS_OF, "publication_au"}
    assert {(definer, volatility) for _, definer, volatility in functions} == {(False, "s")}


def test_the_tables_behind_the_views_are_protected_too(published_url: str, agent: Callable[..., str]) -> None:
    role = agent("21")
    assert rows(published_url, role, "select distinct siren from publication.detection") == [(DIJON,)]
    assert rows(published_url, role, "select distinct siren from publication.montant") == [(DIJON,)]


def test_level_b_sees_no_urssaf_amount_and_no_reason_drawn_from_one(
    published_url: str, agent: Callable[..., str]
) -> None:
    role = agent("21", "B")
    assert rows(published_url, role, "select siren from published.detections") == [(DIJON,)]
    assert rows(published_url, role, "select * from published.montants") == []
    for table in ("published.raisons", "publication.raison"):
        seen = rows(published_url, role, f"select variable from {table} order by rang")
        assert seen == [("effectif",), ("caf_sur_ca",)]


def test_the_first_reason_that_level_b_sees_has_rank_one(published_url: str, agent: Callable[..., str]) -> None:
    """`where rang = 1` gave level B no reason for a company whose strongest one is its debt, and 2, 4 told that there are others."""
    query = "select rang, variable from published.raisons order by rang"
    assert rows(published_url, agent("21", "B"), query) == [(1, "effectif"), (2, "caf_sur_ca")]
    assert rows(published_url, agent("21"), query)[:2] == [(1, "dette_eur"), (2, "effectif")]


def test_level_a_sees_every_reason(published_url: str, agent: Callable[..., str]) -> None:
    seen = rows(published_url, agent("21"), "select variable from published.raisons order by rang")
    assert [name for (name,) in seen] == ["dette_eur", "effectif", "bdf_poids_frng", "caf_sur_ca", "ap_etp_consomme"]


def test_level_b_routes_a_company_without_learning_of_its_debts(published_url: str, agent: Callable[..., str]) -> None:
    """« Délai de paiement des cotisations » says that there is a debt, and so would an order that begins at 2."""
    query = "select administration, priorite from published.offres order by priorite"
    assert rows(published_url, agent("21", "B"), query) == [("DGFiP (CDED)", 1), ("Banque de France", 2)]
    assert rows(published_url, agent("21"), query) == [("Urssaf", 1), ("DGFiP (CDED)", 2), ("Banque de France", 3)]
    behind = "select administration, priorite from publication.offre order by priorite"
    assert rows(published_url, agent("21", "B"), behind) == [("DGFiP (CDED)", 4), ("Banque de France", 6)]


def test_offers_published_before_they_had_a_level_are_for_level_a(
    published_url: str, agent: Callable[..., str]
) -> None:
    with psycopg.connect(published_url) as connection:
        connection.execute(
            "comment on schema publication is null; alter table publication.offre drop column niveau cascade"
        )
    schema.create(published_url)
    assert rows(published_url, agent("21", "B"), "select * from published.offres") == []
    assert len(rows(published_url, agent("21"), "select * from published.offres")) == 3


def test_every_variable_of_a_protected_producer_is_a_reason_for_level_a() -> None:
    """The row security of `raison` goes by theme and name: a new variable must fall under it."""
    free = ("urssaf__effectif", "urssaf__effectif_ent", "urssaf__procol")
    protected = [
        feature
        for feature in load_features()
        if any(
            source.startswith(("urssaf__", "dgefp__", "banque_de_france__")) and source not in free
            for needed in feature.sources
            for source in needed.split("|")
        )
    ]
    assert len(protected) > 20
    assert [
        feature.name
        for feature in protected
        if feature.theme not in ("Dettes sociales", "Activité partielle") and not feature.name.startswith("bdf_")
    ] == []


def test_a_role_without_habilitation_sees_nothing(published_url: str, agent: Callable[..., str]) -> None:
    role = agent(None)
    for view in VIEWS:
        assert rows(published_url, role, f"select * from published.{view}") == []


def test_the_national_reader_sees_every_departement(published_url: str) -> None:
    assert len(rows(published_url, "vigie_lecteur", "select * from published.detections")) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "delete from publication.detection",
        "insert into publication.habilitation values ('vigie_lecteur', '21', 'A')",
        "select * from publication.candidate_detection",
        "select * from publication.habilitation",
        "select * from ml.score",
        "select * from raw.urssaf__debit",
        "select * from ingest.rejected_row",
        "create table published.mine (n int)",
        "create temporary table mine (n int)",
        "copy publication.detection to program 'cat'",
    ],
)
@pytest.mark.parametrize("role", ["vigie_lecteur", "vigie_agent"])
def test_a_reader_can_neither_write_nor_look_behind(published_url: str, role: str, statement: str) -> None:
    """Candidates have no row security: who is given « the tables of publication » one by one must not be given them."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(published_url, role, statement)


def test_dropping_a_policy_would_be_noticed(published_url: str) -> None:
    """Every published table that names companies must have row security on and forced."""
    with psycopg.connect(published_url) as connection:
        open_tables = connection.execute(
            "select relname from pg_class inner join pg_attribute on attrelid = pg_class.oid and attname = 'siren' "
            "where relnamespace = 'publication'::regnamespace and relkind = 'r' and relname not like 'candidate%' "
            "and not (relrowsecurity and relforcerowsecurity)"
        ).fetchall()
    assert open_tables == []


def test_every_published_column_says_in_french_what_it_is_its_unit_and_its_source(vigie_url: str) -> None:
    """A number without its unit is read in cents by one and in euros by another."""
    tables = [table for table in dictionary.read(vigie_url) if table.schema == "published"]
    assert len(tables) > 10
    assert [table.name for table in tables if not table.description.strip()] == []
    silent = [
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if len(column.description) < 4 or not column.source or (column.kind in NUMBERS and not column.unit)
    ]
    assert silent == []


def test_the_account_of_the_existing_front_end_sees_its_schema_only(vigie_url: str) -> None:
    """It names sole traders: no other reader is given it, and it is given nothing else."""
    for statement in (
        "select * from published.detections",
        "select * from raw.urssaf__debit",
        "create table compat_sfor.t (n int)",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
            rows(vigie_url, "vigie_compat_lecteur", statement)
    usage = {
        (role, schema)
        for role, schema in itertools.product(
            ("vigie_compat_lecteur", "vigie_lecteur", "vigie_agent"),
            ("compat_sfor", "published", "publication", "raw", "staging", "marts"),
        )
        if rows(vigie_url, role, f"select has_schema_privilege('{schema}', 'usage')") == [(True,)]
    }
    assert usage == {
        ("vigie_compat_lecteur", "compat_sfor"),
        ("vigie_lecteur", "published"),
        ("vigie_lecteur", "publication"),
        ("vigie_agent", "published"),
        ("vigie_agent", "publication"),
    }


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("vigie_ingestion", "select * from ml.score"),
        ("vigie_ingestion", "delete from publication.detection"),
        ("vigie_transformation", "delete from raw.urssaf__debit"),
        ("vigie_transformation", "insert into publication.month default values"),
        ("vigie_scoring", "select * from raw.urssaf__debit"),
        ("vigie_scoring", "delete from publication.detection"),
        ("vigie_publication", "delete from raw.urssaf__debit"),
        ("vigie_publication", "delete from ml.score"),
    ],
)
def test_each_role_can_do_its_work_and_no_other(vigie_url: str, role: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(vigie_url, role, statement)
