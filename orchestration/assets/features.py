"""From `raw.*` to the marts: one dbt op, and the gate at its edge."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from expectations.gates import gate_mart
from ingestion.database import connect
from orchestration import recomputation
from orchestration.assets import dbt_assets
from orchestration.assets.ingestion import gate_check
from orchestration.instance import Instance
from orchestration.panel import ROLE, require_companies
from orchestration.partitions import months_of
from orchestration.resources import Vigie

GROUP = "features"
MART = dg.AssetKey(["marts", "mart_company_month"])
OUTCOME = dg.AssetKey(["marts", "mart_outcome"])
_SPECS = dbt_assets.specs(GROUP, tag="features")


@dg.multi_asset(
    name="build_features",
    specs=_SPECS,
    check_specs=[
        dg.AssetCheckSpec(
            "mart", asset=MART, blocking=True, description="Le mart du mois est complet et vraisemblable."
        )
    ],
)
def features(context: dg.AssetExecutionContext, vigie: Vigie) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Build staging, intermediate and marts for the months, then check the mart. Months that were there are compared."""
    months = months_of(context)
    url = vigie.instance.database_url
    again = recomputation.set_aside(url, months[0], months[-1])
    yield from dbt_assets.build(vigie.instance, tag="features", months=months, keys={spec.key for spec in _SPECS})
    if again:
        cells = recomputation.record(url, months[0], months[-1], context.run_id)
        context.log.info(f"computed again from {months[0]:%Y-%m} to {months[-1]:%Y-%m}: {cells} cells changed")
    require_companies(vigie.instance, months[-1])
    yield gate_check(
        "mart", MART, gate_mart(vigie.instance.database_url, _first_followed(vigie.instance, months), months[-1])
    )


class MartRefused(Exception):
    """Months whose mart the gate refuses; the message (French) is the gate's."""


def require_plausible_mart(instance: Instance, months: list[date]) -> None:
    """Go on when gate `mart` lets these months through, whichever run built them: a refused month stays in the mart.

    Raises:
        MartRefused: it does not.
    """
    result = gate_mart(instance.database_url, _first_followed(instance, months), months[-1])
    if not result.passed:
        raise MartRefused(result.summary_fr())


def _first_followed(instance: Instance, months: list[date]) -> date:
    """First month of the range with companies: a history may start before the first source does, never have a hole."""
    with connect(instance.database_url, role=ROLE) as connection:
        row = connection.execute(
            "select min(month) from marts.mart_company_month where month between %s and %s", [months[0], months[-1]]
        ).fetchone()
    return row[0] if row and row[0] else months[0]


ASSETS = [features]
