"""What runs by itself: the jobs, the sensors that see deliveries arrive, the monthly schedule."""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from ingestion.connectors.faults import ConnectorError, PeerFault
from ingestion.connectors.settings import Connector
from orchestration import collection, digests, landing, mail, runs
from orchestration.instance import HOME_VARIABLE, Instance
from orchestration.months import FIRST_MONTH, TIMEZONE, shift
from orchestration.partitions import MONTHS
from orchestration.resources import Vigie

#: The whole month, from the landing folder to the reports.
MONTHLY = dg.define_asset_job(
    "mensuel",
    selection=dg.AssetSelection.all(),
    description="Un mois entier : de l’arrivée des fichiers aux listes publiées et à leurs rapports.",
)
#: What has arrived, into `raw.*`, as soon as it is there.
INGESTION = dg.define_asset_job(
    "ingestion",
    selection=dg.AssetSelection.groups("ingestion"),
    description="Ce qui est arrivé jusqu’à la fin du mois, contrôlé et chargé dans « raw ».",
)
#: From `raw.*` to the marts, for a range of months.
FEATURES = dg.define_asset_job(
    "features",
    selection=dg.AssetSelection.groups("features"),
    description="De « raw » aux marts : ce que l’on savait des entreprises à la fin de chaque mois.",
)
#: From the marts to published lists, for a range of past months; their reports are written on demand.
HISTORY = dg.define_asset_job(
    "historique",
    selection=dg.AssetSelection.groups("scoring", "publication") - dg.AssetSelection.assets("reports/monthly"),
    description="Des marts aux listes publiées, pour plusieurs mois passés ; leurs rapports s’écrivent à la demande.",
)
JOBS = [MONTHLY, INGESTION, FEATURES, HISTORY]
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.schedule(
    job=MONTHLY,
    cron_schedule="0 6 1 * *",
    execution_timezone=TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Le 1er du mois à 6 h (heure de Paris) : le mois qui vient de finir, de l’arrivée des fichiers aux rapports ; "
    "avant lui, les mois qui n’ont pas eu de liste depuis la dernière.",
)
def monthly_publication(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Run the month that has just ended, after those that were refused or cut short: it reads what they left in the marts."""
    ended = shift(context.scheduled_execution_time.date().replace(day=1), -1)
    for month in runs.months_to_list(Instance.from_environment(), ended):
        key = f"{month:%Y-%m-%d}"
        same = dg.RunsFilter(job_name=MONTHLY.name, tags={"dagster/partition": key}, statuses=UNFINISHED)
        # After days without a daemon, each first of the month is caught up with, at once: what one has asked for waits.
        if month == ended or not context.instance.get_runs(same, limit=1):
            yield dg.RunRequest(run_key=f"{ended:%Y-%m}:{key}", partition_key=key)


#: A run that did not take what was there is asked for again after this time, doubled each time.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)


@dg.sensor(
    job=INGESTION,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Voit arriver les livraisons ; un fichier n’est pris que s’il n’a pas changé entre deux passages.",
)
def arrivals(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the ingestion of the months in which settled files were received."""
    instance = Instance.from_environment()
    states = {
        str(path.relative_to(instance.landing)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in landing.deliveries_in([instance.landing])
    }
    seen = json.loads(context.cursor) if context.cursor else {}
    settled = settled_files(states, seen.get("states", {}))
    received = {day for name in settled if (day := landing.received_from_folder(Path(name))) is not None}
    # What was received before the first month comes with it; a folder dated after this month waits (`vigie doctor` tells it).
    months = sorted({max(day.replace(day=1), FIRST_MONTH) for day in received})
    keys = [key for month in months if MONTHS.has_partition_key(key := f"{month:%Y-%m-%d}")]
    # With size and time: a file corrected under its name is another delivery, and asks for another run. So does one that still
    # lies there after a while, when nothing runs: the run that should have taken it failed.
    moment, offered = collection.now(), [json.dumps(item) for item in settled.items()] if keys else []
    asked, memory = due(offered, seen.get("asked"), moment)
    if asked and json.loads(memory)["times"] and context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1):
        asked, memory = False, seen["asked"]
    context.update_cursor(json.dumps({"states": states, "asked": memory}, sort_keys=True))
    if not keys:
        yield dg.SkipReason(
            "rien de nouveau, ou des fichiers encore en cours d’arrivée" if states else "le dossier d’arrivée est vide"
        )
    elif not asked:
        yield dg.SkipReason("ingestion déjà demandée")
    else:
        wanted = json.loads(memory)["offered"]
        for key in keys:
            yield dg.RunRequest(run_key=f"{key[:7]}-{wanted}-{moment:%Y%m%dT%H%M%S}", partition_key=key)


def settled_files(states: dict[str, list[int]], before: dict[str, list[int]]) -> dict[str, list[int]]:
    """Files whose state (size, time of change) is the same as at the previous look."""
    return {name: state for name, state in sorted(states.items()) if before.get(name) == state}


CONNECTOR_TAG = "vigie/connecteur"


class Collecte(dg.Config):
    """Which connector a run of the job « collecte » fetches."""

    connector: str


@dg.op(description="Prend ce qui est complet dans la base d’un connecteur et le dépose dans le dossier d’arrivée.")
def collecter(context: dg.OpExecutionContext, config: Collecte, vigie: Vigie) -> None:
    """Fetch one connector; what was taken stays taken when something else fails the run."""
    instance = vigie.instance
    settings = collection.connectors(instance).get(config.connector)
    if settings is None:
        raise dg.Failure(f"Aucun connecteur ne s’appelle {config.connector!r} dans connectors.yml.")
    try:
        report = collection.fetch(instance, config.connector, settings, collection.now())
    except PeerFault as fault:
        raise dg.Failure(f"{config.connector} : {fault}") from fault
    for taken in report.taken:
        context.log.info(f"{taken.name} : déposé dans {taken.path} ({taken.bytes} octets)")
    for name, reason in (report.waiting | report.refused).items():
        context.log.warning(f"{name} : {reason}")
    if report.faults:
        raise dg.Failure("\n".join(report.faults.values()))


@dg.job(name="collecte", description="Un connecteur : de la base d’une administration au dossier d’arrivée.")
def collect_job() -> None:
    """The job that a connector's sensor asks for."""
    collecter()


def connector_sensors() -> list[dg.SensorDefinition]:
    """One sensor for each connector of the instance that the environment names; none without an instance.

    Settings that cannot be used make one sensor whose every tick fails with the reason: the rest goes on.
    """
    if not os.environ.get(HOME_VARIABLE):
        return []
    try:
        return [
            _connector_sensor(name, settings)
            for name, settings in collection.connectors(Instance.from_environment()).items()
        ]
    except ConnectorError as error:
        return [_broken_settings(str(error))]


def _connector_sensor(name: str, settings: Connector) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"connecteur_{name}",
        job=collect_job,
        minimum_interval_seconds=60 * settings.every_minutes,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Regarde la base « {name} » ({settings.kind}) et demande une collecte quand quelque chose y est complet.",
    )
    def watch(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Look; ask for a fetch when there is something to take."""
        unfinished = dg.RunsFilter(tags={CONNECTOR_TAG: name}, statuses=UNFINISHED)
        if context.instance.get_runs(unfinished, limit=1):
            yield dg.SkipReason("une collecte de ce connecteur est en cours")
            return
        moment = collection.now()
        seen = collection.look(Instance.from_environment(), name, settings, moment)
        offered = [f"{offer.name} {offer.version}" for offer in seen.ready]
        asked, cursor = due(offered, context.cursor, moment)
        context.update_cursor(cursor)
        if asked:
            config = {"ops": {"collecter": {"config": {"connector": name}}}}
            yield dg.RunRequest(run_config=config, tags={CONNECTOR_TAG: name})
            return
        told = [f"{file} : {reason}" for file, reason in (seen.waiting | seen.refused).items()]
        yield dg.SkipReason("\n".join(told) or ("collecte déjà demandée" if offered else "rien de nouveau"))

    return watch


def due(offered: list[str], cursor: str | None, moment: datetime) -> tuple[bool, str]:
    """Whether a run is to be asked for, and the next cursor.

    Something new is asked for at once; what is still there after a run (it failed) after longer and longer waits.
    """
    fingerprint = hashlib.sha256(json.dumps(offered).encode()).hexdigest()[:16] if offered else ""
    last = json.loads(cursor) if cursor else {"offered": "", "times": 0, "again_at": moment.isoformat()}
    if fingerprint and last["offered"] == fingerprint and moment < datetime.fromisoformat(last["again_at"]):
        return False, json.dumps(last)
    times = last["times"] + 1 if last["offered"] == fingerprint and fingerprint else 0
    again_at = moment + min(FIRST_WAIT * 2 ** min(times, 10), LONGEST_WAIT)
    return bool(fingerprint), json.dumps({"offered": fingerprint, "times": times, "again_at": again_at.isoformat()})


def _broken_settings(reason: str) -> dg.SensorDefinition:
    @dg.sensor(
        name="connecteurs",
        job=collect_job,
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="connectors.yml ne peut pas être lu : aucun connecteur ne travaille.",
    )
    def watch(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Say at each tick why no connector works."""
        raise ConnectorError(reason)

    return watch


@dg.op(description="Dit aux abonnés que des listes sont publiées, corrigées ou retirées.")
def diffuser(context: dg.OpExecutionContext, vigie: Vigie) -> None:
    """Send the messages that wait; what left stays told when something else fails the run."""
    instance = vigie.instance
    server = mail.mail_server(instance.home)
    if server is None:
        raise dg.Failure("Aucun serveur de courrier n’est réglé (mail.yml).")
    try:
        done = digests.send(instance, server, collection.now())
    except PeerFault as fault:
        raise dg.Failure(str(fault)) from fault
    context.log.info(f"{done.sent} message(s) parti(s)")
    if done.refused:
        raise dg.Failure("\n".join(done.refused))


@dg.job(name="diffusion", description="Les messages aux abonnés : listes publiées, corrigées ou retirées.")
def digest_job() -> None:
    """The job that the sensor of the messages asks for."""
    diffuser()


@dg.sensor(
    name="avis",
    job=digest_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Voit ce que les abonnés ne savent pas encore, et demande de le leur dire.",
)
def notices(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the messages to leave; again after longer and longer waits while they do not."""
    instance = Instance.from_environment()
    if mail.mail_server(instance.home) is None:
        yield dg.SkipReason("aucun serveur de courrier n’est réglé (mail.yml)")
        return
    if context.instance.get_runs(dg.RunsFilter(job_name=digest_job.name, statuses=UNFINISHED), limit=1):
        yield dg.SkipReason("une diffusion est en cours")
        return
    messages = sorted(notice.message_id for notice in digests.waiting(instance))
    asked, cursor = due(messages, context.cursor, collection.now())
    context.update_cursor(cursor)
    if asked:
        yield dg.RunRequest()
    else:
        yield dg.SkipReason("diffusion déjà demandée" if messages else "rien à dire")


@dg.run_failure_sensor(
    name="echecs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Dit aux exploitants (« operators » de mail.yml) qu’une exécution a échoué ou qu’un contrôle l’a arrêtée.",
)
def failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Tell that a run failed, and where to read why: the reason itself may hold delivered values, and stays here."""
    server = mail.mail_server(Instance.from_environment().home)
    if server is None or not server.operators:
        return dg.SkipReason("personne à qui le dire (« operators » de mail.yml)")
    run = context.dagster_run
    month = (run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_end") or "")[:7]
    what = f"« {run.job_name} »{f' de {month}' if month else ''}"
    mail.tell_operators(
        server,
        f"Vigie : l’exécution {what} n’est pas allée au bout",
        f"L’exécution {what} a échoué, ou un contrôle l’a arrêtée. Les lecteurs voient ce qu’ils voyaient avant.\n\n"
        f"La raison est dans l’interface de Dagster : exécution {run.run_id}.\n",
        collection.now(),
    )
    return None


SCHEDULES = [monthly_publication]
SENSORS = [arrivals, notices, failures, *connector_sensors()]
