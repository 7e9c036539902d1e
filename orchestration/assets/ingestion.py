"""From the landing folder to `raw.*`: one asset for each source, made from its contract."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
from psycopg import sql

from expectations.contract import Contract, load_contracts
from expectations.gates import GateResult, gate_raw
from ingestion.database import connect
from ingestion.ingest import ingest_file
from ingestion.ledger import DeliveryAccount
from orchestration import landing
from orchestration.instance import Instance, as_role
from orchestration.months import last_day
from orchestration.partitions import MONTHS, ONE_RUN, months_of
from orchestration.resources import Vigie
from orchestration.schema import INGESTION_ROLE

GROUP = "ingestion"
LANDING = dg.AssetKey(["ingest", "landing"])
PREVIEW_ROWS = 5


@dg.asset(
    key=LANDING,
    group_name=GROUP,
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    kinds={"python", "postgres"},
    owners=["team:donnees"],
    description="Ce qui attend dans le dossier d’arrivée. Un fichier qu’aucun contrat ne reconnaît est inscrit au registre, refusé.",
)
def landed_files(context: dg.AssetExecutionContext, vigie: Vigie) -> dg.MaterializeResult:
    """Record the files that no contract knows; list the others for the sources that take them."""
    instance, contracts = vigie.instance, load_contracts()
    files = landing.waiting(instance, contracts, last_day(months_of(context)[-1]))
    for file in files:
        if file.source is None:
            account = ingest_file(
                as_role(instance.database_url, INGESTION_ROLE),
                file.path,
                received_on=file.received_on,
                contracts=contracts,
                run_id=context.run_id,
            )
            context.log.warning(f"{file.path.name} : {account.reason}")
            landing.archive(instance, file)
    undated = landing.undated(instance)
    for path in undated:
        context.log.warning(
            f"{path.name} : déposé hors d’un dossier AAAA-MM-JJ, date de réception inconnue ; le fichier attend."
        )
    listing = "\n".join(f"| {file.received_on} | {file.path.name} | {file.source or '(inconnu)'} |" for file in files)
    return dg.MaterializeResult(
        metadata={
            "fichiers": len(files),
            "inconnus": sum(file.source is None for file in files),
            "sans date": ", ".join(path.name for path in undated) or "aucun",
            "liste": dg.MetadataValue.md(f"| reçu le | fichier | source |\n|---|---|---|\n{listing}"),
        }
    )


def load_waiting(instance: Instance, contract: Contract, *, until: date, run_id: str) -> list[DeliveryAccount]:
    """Load every waiting file of one source received by that day, oldest first."""
    contracts = load_contracts()
    accounts = []
    for file in landing.waiting(instance, contracts, until):
        if file.source != contract.name:
            continue
        accounts.append(
            ingest_file(
                as_role(instance.database_url, INGESTION_ROLE),
                file.path,
                received_on=file.received_on,
                contracts=contracts,
                identity=instance.settings.identity,
                source=contract.name,
                run_id=run_id,
            )
        )
        landing.archive(instance, file)
    return accounts


def _source_asset(contract: Contract) -> dg.AssetsDefinition:
    key = dg.AssetKey(["raw", contract.name])
    checks = [
        dg.AssetCheckSpec(
            "contrat", asset=key, blocking=True, description="Ce qui vient d’être chargé respecte le contrat."
        ),
        dg.AssetCheckSpec("livraison", asset=key, description="Aucun fichier de la source n’a été refusé en entier."),
    ]

    @dg.asset(
        key=key,
        deps=[LANDING],
        group_name=GROUP,
        partitions_def=MONTHS,
        backfill_policy=ONE_RUN,
        kinds={"polars", "postgres"},
        owners=["team:donnees"],
        tags={"producer": contract.name.partition("__")[0], "personal_data": "yes" if contract.personal_data else "no"},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=contract.max_age_days)),
        description=f"{contract.label}. {contract.description}",
        check_specs=checks,
        metadata={
            "contrat": f"expectations/contracts/{contract.name}.yml",
            "cadence": contract.cadence,
            "producteur": contract.owner,
        },
    )
    def load(context: dg.AssetExecutionContext, vigie: Vigie) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        instance = vigie.instance
        accounts = load_waiting(instance, contract, until=last_day(months_of(context)[-1]), run_id=context.run_id)
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(instance, contract, accounts))
        yield gate_check("contrat", key, _gate(instance, contract))
        refused = [account for account in accounts if account.status == "refused"]
        yield dg.AssetCheckResult(
            check_name="livraison",
            asset_key=key,
            passed=not refused,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "fichiers refusés": "\n".join(f"{item.file_name} : {item.reason}" for item in refused) or "aucun"
            },
        )

    return load


def _gate(instance: Instance, contract: Contract) -> GateResult | None:
    """Check the deliveries of the source that have not passed yet, whoever loaded them; None when there is none."""
    with connect(instance.database_url, role=INGESTION_ROLE) as connection:
        rows = connection.execute(
            "select delivery_id from ingest.delivery left join ingest.gate using (delivery_id) "
            "where source = %s and status = 'loaded' and passed is not true order by delivery_id",
            [contract.name],
        ).fetchall()
        if not rows:
            return None
        result = gate_raw(instance.database_url, contract, [delivery_id for (delivery_id,) in rows])
        for row in rows:
            connection.execute(
                "insert into ingest.gate (delivery_id, passed, summary) values (%s, %s, %s) "
                "on conflict (delivery_id) do update set passed = excluded.passed, summary = excluded.summary, checked_at = now()",
                [*row, result.passed, result.summary_fr()],
            )
    return result


def gate_check(name: str, key: dg.AssetKey, result: GateResult | None) -> dg.AssetCheckResult:
    """The asset check that a gate's result makes; None = nothing new came in, so nothing was to be checked."""
    if result is None:
        return dg.AssetCheckResult(check_name=name, asset_key=key, passed=True, metadata={"résumé": "rien de nouveau"})
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=None if result.passed else result.summary_fr(),
        metadata={
            "résumé": dg.MetadataValue.md(result.summary_fr()),
            "attentes": result.n_expectations,
            "secondes": round(result.seconds, 2),
        },
    )


def _metadata(instance: Instance, contract: Contract, accounts: Sequence[DeliveryAccount]) -> dict[str, Any]:
    rows = "\n".join(
        f"| {a.file_name} | {a.received_on} | {a.status} | {a.lines} | {a.loaded} | {a.unchanged} | {a.rejected} "
        f"| {a.out_of_scope} | {a.content_sha256[:12] if a.content_sha256 else ''} |"
        for a in accounts
    )
    head = (
        "| fichier | reçu le | état | lignes | chargées | déjà connues | refusées | hors périmètre | sha256 |\n"
        + "|---" * 9
        + "|"
    )
    rules: dict[str, int] = {}
    for account in accounts:
        for rule, count in account.rejects_by_rule.items():
            rules[rule] = rules.get(rule, 0) + count
    return {
        "livraisons": dg.MetadataValue.md(f"{head}\n{rows}" if accounts else "aucune nouvelle livraison"),
        "dagster/row_count": _open_rows(instance, contract),
        "lignes refusées": sum(account.rejected for account in accounts),
        "refus par règle": dg.MetadataValue.json(rules),
        "aperçu": dg.MetadataValue.md(_preview(instance, contract)),
    }


def _open_rows(instance: Instance, contract: Contract) -> int:
    """Rows known now, from the ledger: what was opened less what was closed (counting millions of rows would take seconds)."""
    with connect(instance.database_url, role=INGESTION_ROLE) as connection:
        row = connection.execute(
            "select coalesce(sum(rows_opened - rows_closed), 0) from ingest.delivery where source = %s", [contract.name]
        ).fetchone()
    return int(row[0]) if row else 0


def _preview(instance: Instance, contract: Contract) -> str:
    """A few rows as a Markdown table, without the columns that name people."""
    names = [column.name for column in contract.columns if not column.personal_data]
    query = sql.SQL("select {} from raw.{} limit {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(contract.name), PREVIEW_ROWS
    )
    with connect(instance.database_url, role=INGESTION_ROLE) as connection:
        lines = [
            "| " + " | ".join("" if value is None else str(value) for value in row) + " |"
            for row in connection.execute(query)
        ]
    return "\n".join(["| " + " | ".join(names) + " |", "|---" * len(names) + "|", *lines])


SOURCES = [_source_asset(contract) for contract in load_contracts().values()]
ASSETS = [landed_files, *SOURCES]
