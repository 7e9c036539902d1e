"""Each contract, its table, and a small delivery written by us."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from delivery_base import Base

from expectations.contract import load_contracts
from ingestion.database import connect, create_schemas

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


@pytest.mark.parametrize("source", sorted(load_contracts()))
def test_the_fixture_of_every_contract_loads_fully(base: Base, source: str) -> None:
    account = base.deliver(FIXTURES / f"{source}.csv", source=source)
    assert (account.status, account.rejected, account.out_of_scope) == ("loaded", 0, 0), base.quarantine(account)
    assert account.loaded == account.lines > 0
    assert base.query(f"select count(*) from raw.{source}") == [(account.rows_opened,)]
    again = base.deliver(FIXTURES / f"{source}.csv", source=source, received=date(2026, 2, 15))
    assert (again.status, again.unchanged, again.rows_opened) == ("identical", account.lines, 0)
    replayed = base.deliver(FIXTURES / f"{source}.csv", source=source, received=date(2026, 2, 15), again=True)
    assert (replayed.unchanged, replayed.rows_opened, replayed.rows_closed) == (account.lines, 0, 0)


def test_amounts_in_cents_become_exact_euros(base: Base) -> None:
    base.deliver(FIXTURES / "urssaf__debit.csv", source="urssaf__debit")
    rows = base.open_rows("urssaf__debit", "part_ouvriere_eur, part_patronale_eur, recours_en_cours")
    assert rows[0] == (Decimal("1959.07"), Decimal("8644.97"), False)
    assert rows[2] == (Decimal("0.05"), Decimal("-0.12"), True)


def test_wide_headcounts_give_one_row_per_month_and_zero_is_kept_but_empty_is_not(base: Base) -> None:
    base.deliver(FIXTURES / "urssaf__effectif.csv", source="urssaf__effectif")
    rows = base.open_rows("urssaf__effectif", "siret, periode, effectif, ape", "siret, periode")
    assert rows == [
        ("01234567400019", date(2019, 1, 1), 12, "4321A"),
        ("01234567400019", date(2019, 2, 1), 13, "4321A"),
        ("01234567400019", date(2019, 4, 1), 0, "4321A"),
        ("02345678300010", date(2019, 4, 1), 1204, "1071C"),
    ]


def test_an_announcement_about_two_companies_gives_a_row_for_each(base: Base) -> None:
    account = base.deliver(FIXTURES / "bodacc__annonce.csv", source="bodacc__annonce")
    assert (account.lines, account.loaded, account.rows_opened) == (2, 2, 3)
    rows = base.open_rows("bodacc__annonce", "siren, _line", "_line, siren")
    assert rows == [("012345674", 2), ("012345674", 3), ("023456783", 3)]


def test_the_departement_comes_from_the_commune_corsica_and_overseas_included(base: Base) -> None:
    base.deliver(FIXTURES / "insee__etablissement.csv", source="insee__etablissement")
    rows = base.open_rows("insee__etablissement", "departement, libelle_commune, activite_principale")
    assert rows == [
        ("25", "BESANCON", "43.21A"),
        ("2A", "AJACCIO, CORSE", "43.21A"),
        ("974", "SAINT-PIERRE", None),  # [ND]: not disclosed
        (None, None, "10.7C"),
    ]


def test_the_label_of_a_procedure_gives_action_and_stage_and_an_unknown_one_gives_none(base: Base) -> None:
    base.deliver(FIXTURES / "urssaf__procol.csv", source="urssaf__procol")
    assert base.open_rows("urssaf__procol", "libelle, action_procol, stade_procol") == [
        ("Solde_procedure_redressement", "redressement", "solde_procedure"),
        ("sauvegarde_plan_continuation", "sauvegarde", "plan_continuation"),
        ("Liquidation_ouverture", "liquidation", "ouverture"),
        ("inconnu", None, None),
    ]


def test_a_first_delivery_rebuilds_the_knowledge_date_and_a_later_one_does_not(base: Base, debits: str) -> None:
    base.deliver(debits, received=date(2026, 1, 15))
    assert base.open_rows("urssaf__debit", "min(_known_from), max(_known_from)", "1") == [
        (date(2019, 4, 12), date(2020, 6, 26))  # date_traitement + 11 days
    ]
    later = debits + "217;39;100000000000000003;034567891;03456789100014;19990115;3;;201862;102;1;1190401;1;0;1;0;0\n"
    base.deliver(later, received=date(2026, 2, 15))
    assert base.open_rows("urssaf__debit", "_known_from", "_delivery_id desc limit 1") == [(date(2026, 2, 15),)]


def test_a_fact_dated_after_its_delivery_is_known_on_the_day_of_the_delivery(base: Base, debits: str) -> None:
    base.deliver(debits, received=date(2019, 6, 1))
    assert base.query("select max(_known_from) from raw.urssaf__debit") == [(date(2019, 6, 1),)]


def test_every_raw_column_has_a_french_comment(base: Base) -> None:
    missing = base.query(
        "select table_name, column_name from information_schema.columns where table_schema in ('raw') "
        "and col_description((quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass, ordinal_position) is null"
    )
    assert missing == []


def test_creating_the_schemas_again_adds_the_column_that_a_contract_gained_and_keeps_the_rows(
    base: Base, debits: str
) -> None:
    base.deliver(debits)
    contract = base.contracts["urssaf__debit"]
    extra = contract.columns[0].model_copy(update={"name": "nouvelle", "headers": ("Nouvelle",)})
    grown = contract.model_copy(update={"columns": (*contract.columns, extra)})
    create_schemas(base.url, {"urssaf__debit": grown})
    create_schemas(base.url, {"urssaf__debit": grown})
    assert base.query("select count(*), count(nouvelle) from raw.urssaf__debit") == [(4, 0)]


def test_two_open_versions_of_one_key_are_refused_by_the_database(base: Base, debits: str) -> None:
    base.deliver(debits)
    with pytest.raises(psycopg.errors.UniqueViolation), connect(base.url) as connection:
        connection.execute("insert into raw.urssaf__debit select * from raw.urssaf__debit limit 1")


def test_an_account_that_does_not_add_up_is_refused_by_the_database(base: Base) -> None:
    with pytest.raises(psycopg.errors.CheckViolation), connect(base.url) as connection:
        connection.execute(
            "insert into ingest.delivery (file_name, received_on, lines, loaded, unchanged, rejected, out_of_scope, "
            "rows_opened, rows_closed, status, code_version) values ('f', '2026-01-01', 3, 1, 1, 0, 0, 0, 0, 'loaded', '0')"
        )


def test_a_connection_acts_as_the_role_it_was_given(base: Base) -> None:
    with connect(base.url, role="pg_read_all_data") as connection:
        assert connection.execute("select current_user").fetchone() == ("pg_read_all_data",)


def test_a_period_is_found_without_reading_the_others(base: Base) -> None:
    """Months of deliveries lie one after the other: the rows of one period are a few blocks, in an older instance too."""
    base.execute(
        "insert into raw.urssaf__effectif_ent (siren, periode, effectif, _delivery_id, _line, _known_from)"
        " select lpad(n::text, 9, '0'), (date '2020-01-01' + m * interval '1 month')::date, 10, m, n, date '2020-02-01' + 30 * m"
        " from generate_series(0, 49) as m, generate_series(1, 1000) as n"
    )
    base.execute("drop index raw.urssaf__effectif_ent_blocks")
    base.execute("create index urssaf__effectif_ent_delivery on raw.urssaf__effectif_ent using brin (_delivery_id)")
    create_schemas(base.url, base.contracts)
    base.execute("analyze raw.urssaf__effectif_ent")
    for condition in ("periode = '2022-03-01'", "_known_from >= '2024-01-01'", "_delivery_id = 7"):
        plan = base.query(f"explain (costs off) select * from raw.urssaf__effectif_ent where {condition}")
        assert "urssaf__effectif_ent_blocks" in str(plan)
    assert base.query("select to_regclass('raw.urssaf__effectif_ent_delivery')") == [(None,)]
    # Dates that are no part of the key, too: the freshness of a source is asked of them.
    assert "date_traitement" in str(base.query("select pg_get_indexdef('raw.urssaf__debit_blocks'::regclass)"))
