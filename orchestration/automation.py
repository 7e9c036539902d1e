"""What runs by itself: the jobs, the sensor that sees deliveries arrive, the monthly schedule."""

import hashlib
import json
from collections.abc import Iterator

import dagster as dg

from orchestration import landing
from orchestration.instance import Instance
from orchestration.months import TIMEZONE

#: The whole month, from the landing folder to the reports.
MONTHLY = dg.define_asset_job("mensuel", selection=dg.AssetSelection.all())
#: What has arrived, into `raw.*`, as soon as it is there.
INGESTION = dg.define_asset_job("ingestion", selection=dg.AssetSelection.groups("ingestion"))
#: From `raw.*` to the marts, for a range of months.
FEATURES = dg.define_asset_job("features", selection=dg.AssetSelection.groups("features"))
#: From the marts to published lists, for a range of past months; their reports are written on demand.
HISTORY = dg.define_asset_job(
    "historique",
    selection=dg.AssetSelection.groups("scoring", "publication") - dg.AssetSelection.assets("reports/monthly"),
)
JOBS = [MONTHLY, INGESTION, FEATURES, HISTORY]


@dg.schedule(
    job=MONTHLY,
    cron_schedule="0 6 1 * *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Le 1er du mois à 6 h (heure de Paris) : le mois qui vient de finir, de l’arrivée des fichiers aux rapports.",
)
def monthly_publication(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Run the month that has just ended."""
    tick = context.scheduled_execution_time
    ended = tick.replace(year=tick.year - (tick.month == 1), month=12 if tick.month == 1 else tick.month - 1, day=1)
    key = f"{ended:%Y-%m-%d}"
    return dg.RunRequest(run_key=key, partition_key=key)


@dg.sensor(
    job=INGESTION,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Voit arriver les livraisons ; un fichier n’est pris que si sa taille n’a pas changé entre deux passages.",
)
def arrivals(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the ingestion of the months in which settled files were received."""
    instance = Instance.from_environment()
    sizes = {
        str(path.relative_to(instance.landing)): path.stat().st_size
        for path in landing.deliveries_in([instance.landing])
    }
    settled, context_cursor = settled_files(sizes, context.cursor)
    context.update_cursor(context_cursor)
    months = sorted(
        {
            received.replace(day=1)
            for name in settled
            if (received := landing.received_from_folder(instance.landing / name)) is not None
        }
    )
    if not months:
        yield dg.SkipReason(
            "rien de nouveau, ou des fichiers encore en cours d’arrivée" if sizes else "le dossier d’arrivée est vide"
        )
    fingerprint = hashlib.sha256(json.dumps(settled).encode()).hexdigest()[:16]
    for month in months:
        yield dg.RunRequest(run_key=f"{month:%Y-%m}-{fingerprint}", partition_key=f"{month:%Y-%m-%d}")


def settled_files(sizes: dict[str, int], cursor: str | None) -> tuple[list[str], str]:
    """Files whose size is the same as at the previous look, and the cursor for the next look."""
    before: dict[str, int] = json.loads(cursor) if cursor else {}
    settled = sorted(name for name, size in sizes.items() if before.get(name) == size)
    return settled, json.dumps(sizes, sort_keys=True)


SCHEDULES = [monthly_publication]
SENSORS = [arrivals]
