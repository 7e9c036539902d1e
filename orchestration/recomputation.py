"""A frozen month that is computed again, on demand: which cells of the mart changed, from what to what.

Belongs here: setting the month aside before the features are built, and comparing afterwards. Nothing compares by itself later:
what a recomputation changed is told by the run that did it.
"""

from __future__ import annotations

from datetime import date

from psycopg import sql

from ingestion.database import connect
from orchestration.dbt import ROLE

_BEFORE = sql.SQL("intermediate.mart_company_month_avant")

_RECORD = """
insert into marts.recalcul (run_id, month, siren, colonne, avant, apres)
with changed as (
    select month, siren, to_jsonb(earlier) as avant, to_jsonb(later) as apres
    from {before} as earlier
    full join (
        select * from marts.mart_company_month where month between {first} and {last}
    ) as later using (siren, month)
    where to_jsonb(earlier) is distinct from to_jsonb(later)
)
select {run_id}, changed.month, changed.siren, cell.colonne, cell.avant, cell.apres
from changed
cross join lateral (
    select earlier.key as colonne, earlier.value as avant, later.value as apres
    from jsonb_each_text(changed.avant) as earlier
    inner join jsonb_each_text(changed.apres) as later on later.key = earlier.key
    where earlier.value is distinct from later.value
    union all
    select 'ligne', case when changed.avant is not null then 'présente' end, case when changed.apres is not null then 'présente' end
    where changed.avant is null or changed.apres is null
) as cell
"""


def set_aside(url: str, first: date, last: date) -> bool:
    """Keep the mart's rows of the months from `first` to `last`; whether there were any, that is, whether this is a recomputation."""
    with connect(url, role=ROLE) as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(_BEFORE))
        if connection.execute("select to_regclass('marts.mart_company_month')").fetchone() == (None,):
            return False
        months = sql.SQL("month between {} and {}").format(sql.Literal(first), sql.Literal(last))
        query = sql.SQL("select 1 from marts.mart_company_month where {} limit 1").format(months)
        if connection.execute(query).fetchone() is None:
            return False
        connection.execute(
            sql.SQL("create unlogged table {} as select * from marts.mart_company_month where {}").format(
                _BEFORE, months
            )
        )
    return True


def record(url: str, first: date, last: date, run_id: str) -> int:
    """Write to `marts.recalcul` the cells that differ from what was set aside; how many there are."""
    with connect(url, role=ROLE) as connection:
        cells = connection.execute(
            sql.SQL(_RECORD).format(
                before=_BEFORE, first=sql.Literal(first), last=sql.Literal(last), run_id=sql.Literal(run_id)
            )
        ).rowcount
        connection.execute(sql.SQL("drop table {}").format(_BEFORE))
    return cells


def changed_columns(url: str, run_id: str) -> dict[str, int]:
    """Companies whose value changed, for each column of the mart, in the recomputation that a run did."""
    with connect(url) as connection:
        rows = connection.execute(
            "select colonne, count(distinct siren) from marts.recalcul where run_id = %s group by 1 order by 1",
            [run_id],
        ).fetchall()
    return dict(rows)
