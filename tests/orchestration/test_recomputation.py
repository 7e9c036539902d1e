"""A month computed again: the cells that changed are told, and only those."""

from __future__ import annotations

from datetime import date

import psycopg

from orchestration import recomputation

FIRST, LAST = date(2025, 1, 1), date(2025, 2, 1)


def _mart(url: str, rows: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "drop table if exists marts.mart_company_month;"
            "create table marts.mart_company_month (siren text, month date, dette_eur numeric(18, 2), effectif float8);"
            "grant select on marts.mart_company_month to vigie_transformation;"
            f"insert into marts.mart_company_month values {rows}".encode()
        )


def test_a_month_never_computed_is_not_a_recomputation(vigie_url: str) -> None:
    assert not recomputation.set_aside(vigie_url, FIRST, LAST)
    _mart(vigie_url, "('000000001', '2024-12-01', 1, 20)")
    assert not recomputation.set_aside(vigie_url, FIRST, LAST)


def test_each_cell_that_changed_is_told_with_both_values(vigie_url: str) -> None:
    """A recomputation that says "done" hides that a frozen month is no longer what readers had seen."""
    _mart(
        vigie_url,
        "('000000001', '2025-01-01', 100, 20), ('000000002', '2025-01-01', null, 30), ('000000003', '2025-02-01', 5, 40),"
        " ('000000004', '2025-02-01', 7, 50), ('000000001', '2025-03-01', 1, 20)",
    )
    assert recomputation.set_aside(vigie_url, FIRST, LAST)
    _mart(
        vigie_url,
        "('000000001', '2025-01-01', 250.5, 20), ('000000002', '2025-01-01', 0, 30), ('000000003', '2025-02-01', 5, 40),"
        " ('000000005', '2025-02-01', 9, 60), ('000000001', '2025-03-01', 2, 20)",
    )
    assert recomputation.record(vigie_url, FIRST, LAST, "run") == 4
    with psycopg.connect(vigie_url) as connection:
        cells = connection.execute("select siren, colonne, avant, apres from marts.recalcul order by 1").fetchall()
    assert cells == [
        ("000000001", "dette_eur", "100.00", "250.50"),
        ("000000002", "dette_eur", None, "0.00"),
        ("000000004", "ligne", "présente", None),
        ("000000005", "ligne", None, "présente"),
    ]
    assert recomputation.changed_columns(vigie_url, "run") == {"dette_eur": 2, "ligne": 2}


def test_the_same_cells_again_are_no_change(vigie_url: str) -> None:
    _mart(vigie_url, "('000000001', '2025-01-01', 100, 20)")
    assert recomputation.set_aside(vigie_url, FIRST, LAST)
    assert recomputation.record(vigie_url, FIRST, LAST, "run") == 0
