"""The features of the marts against a second calculation in Polars, which is also the pace that `make bench-marts` compares with."""

from __future__ import annotations

from datetime import date

import pytest
from dbt_warehouse import Warehouse

from benchmarks import marts_baseline, marts_region

FIRST, LAST = date(2010, 1, 1), date(2013, 4, 1)
#: What a region cannot vary: there is one version of the perimeter.
CONSTANT = {"version_perimetre"}
OTHER_VALUE = {
    "text": "{0} || '?'",
    "boolean": "not {0}",
    "date": "{0} + 1",
    "numeric": "{0} + 1",
    "double precision": "{0} + greatest(1, abs({0})) * 2e-6",
}


@pytest.fixture(scope="module")
def region(warehouse: Warehouse) -> Warehouse:
    """Forty months of a small region, computed by both sides."""
    marts_region.fill(warehouse.url, 150, 40, FIRST)
    warehouse.features(str(FIRST), str(LAST))
    marts_baseline.build(warehouse.url, FIRST, LAST)
    return warehouse


def test_polars_finds_every_cell_of_the_mart(region: Warehouse) -> None:
    assert region.query(f"select count(*) from {marts_baseline.MART}") == [(150 * 40,)]
    assert marts_baseline.differing_cells(region.url) == {}


def test_every_column_varies_in_the_region(region: Warehouse) -> None:
    """A column that is empty, or the same everywhere, would be equal on both sides whatever they compute."""
    names = list(marts_baseline.columns(region.url))
    counts = ", ".join(f"count(distinct {name})" for name in names)
    values = region.query(f"select {counts} from {marts_baseline.MART}")[0]
    assert {name for name, count in zip(names, values, strict=True) if count < 2} == CONSTANT


def test_another_value_is_seen_in_each_column(region: Warehouse) -> None:
    compared = marts_baseline.columns(region.url)
    region.execute(f"create table before as select * from {marts_baseline.TABLE}")
    for name, kind in compared.items():
        region.execute(
            f"update {marts_baseline.TABLE} set {name} = {OTHER_VALUE[kind].format(name)} where (siren, month) ="
            f" (select siren, month from {marts_baseline.TABLE} where {name} is not null order by siren, month limit 1)"
        )
    seen = marts_baseline.differing_cells(region.url)
    region.execute(f"truncate {marts_baseline.TABLE}; insert into {marts_baseline.TABLE} select * from before")
    assert seen == dict.fromkeys(compared, 1)
    assert len(compared) == len(region.query(f"select * from {marts_baseline.MART} limit 1")[0]) - 2
