"""From scores to what readers see: the candidate, its gate, the publication transaction, the reports."""

from collections.abc import Iterator

import dagster as dg

from expectations.gates import gate_list
from orchestration import publication, reports
from orchestration.assets import dbt_assets
from orchestration.assets.ingestion import gate_check
from orchestration.partitions import MONTHS, ONE_RUN, months_of
from orchestration.resources import Vigie

GROUP = "publication"
CANDIDATE = dg.AssetKey(["publication", "candidate_detection"])
MONTH = dg.AssetKey(["publication", "month"])
REPORTS = dg.AssetKey(["reports", "monthly"])
_SPECS = dbt_assets.specs(GROUP, tag="publication")


@dg.multi_asset(
    name="build_candidate",
    specs=_SPECS,
    check_specs=[
        dg.AssetCheckSpec(
            "liste",
            asset=CANDIDATE,
            blocking=True,
            description="La liste candidate est publiable : volume, nouveauté, capacité, raisons.",
        )
    ],
)
def candidate(context: dg.AssetExecutionContext, vigie: Vigie) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Build the candidate lists of the months, unseen by readers, then check them."""
    months = months_of(context)
    yield from dbt_assets.build(vigie.instance, tag="publication", months=months, keys={spec.key for spec in _SPECS})
    yield gate_check("liste", CANDIDATE, gate_list(vigie.instance.database_url, months[0], months[-1]))


@dg.asset(
    key=MONTH,
    deps=[spec.key for spec in _SPECS if spec.key.path[-1].startswith("candidate_")],
    group_name=GROUP,
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    kinds={"postgres"},
    owners=["team:donnees"],
    check_specs=[
        dg.AssetCheckSpec(
            "listes_suivantes",
            asset=MONTH,
            description="Les listes des mois suivants se comparent à la liste que les lecteurs voient.",
        )
    ],
    description="Les mois que les lecteurs voient. La candidate devient visible en une transaction ; `vigie rollback` la retire.",
)
def published_months(context: dg.AssetExecutionContext, vigie: Vigie) -> dg.MaterializeResult:
    """Publish the candidate lists of the months in one transaction; tell which later lists compare with the old ones."""
    instance, months = vigie.instance, months_of(context)
    done = publication.publish(
        instance.database_url, months, simulation=instance.settings.simulation, run_id=context.run_id
    )
    outdated = publication.outdated_lists(instance.database_url, months)
    rows = "\n".join(
        f"| {item.month:%Y-%m} | {item.scored} | {item.alerts} | {item.new_detections} | {'oui' if item.changed else 'non'} |"
        for item in done
    )
    return dg.MaterializeResult(
        metadata={
            "mois": dg.MetadataValue.md(
                f"| mois | suivies | alertes | nouvelles | changé |\n|---|---|---|---|---|\n{rows}"
            ),
            "alertes": done[-1].alerts,
            "nouvelles détections": done[-1].new_detections,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="listes_suivantes",
                asset_key=MONTH,
                passed=not outdated,
                severity=dg.AssetCheckSeverity.WARN,
                description=publication.outdated_fr(months[-1], outdated) if outdated else None,
            )
        ],
    )


@dg.asset(
    key=REPORTS,
    deps=[MONTH],
    group_name=GROUP,
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    kinds={"html", "xlsx"},
    owners=["team:donnees"],
    description="Les rapports du dernier mois de la période : région et départements, HTML et XLSX.",
)
def monthly_reports(context: dg.AssetExecutionContext, vigie: Vigie) -> dg.MaterializeResult:
    """Write the reports of the run's last month (an older one is written again by `vigie report`)."""
    month = months_of(context)[-1]
    files = reports.write(vigie.instance, month)
    listing = "\n".join(f"| {file.path.name} | {file.sha256[:12]} | {file.size} |" for file in files)
    return dg.MaterializeResult(
        metadata={
            "index": dg.MetadataValue.path(str(reports.folder(vigie.instance, month) / "index.html")),
            "fichiers": dg.MetadataValue.md(f"| fichier | sha256 | octets |\n|---|---|---|\n{listing}"),
        }
    )


ASSETS = [candidate, published_months, monthly_reports]
