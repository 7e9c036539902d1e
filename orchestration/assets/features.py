"""From `raw.*` to the marts: one dbt op, and the gate at its edge."""

from collections.abc import Iterator

import dagster as dg

from expectations.gates import gate_mart
from orchestration.assets import dbt_assets
from orchestration.assets.ingestion import gate_check
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
    """Build staging, intermediate and marts for the months, then check the mart."""
    months = months_of(context)
    yield from dbt_assets.build(vigie.instance, tag="features", months=months, keys={spec.key for spec in _SPECS})
    yield gate_check("mart", MART, gate_mart(vigie.instance.database_url, months[0], months[-1]))


ASSETS = [features]
