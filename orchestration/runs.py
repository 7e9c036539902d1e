"""Running Dagster jobs in this process, with progress, and saying afterwards why one failed.

Belongs here: which jobs make a month, in which order, and what an outcome means for a person or a script.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import psutil
import psycopg

from expectations.gates import gate_mart
from ingestion.database import connect
from orchestration import publication, schema
from orchestration.instance import PROJECT, Instance
from orchestration.months import months_between, shift

if TYPE_CHECKING:
    import dagster as dg

#: Told as a run advances: job, step that just ended, steps done, steps in all.
Progress = Callable[[str, str, int, int], None]

#: Process that works on a run, and when it began; a run whose process is gone has failed.
PROCESS_TAG = "vigie/process"
#: Errors that mean "the data or a gate says no" rather than "we are broken".
REFUSALS = frozenset(
    {"DagsterAssetCheckFailedError", "MartRefused", "NotEnoughHistory", "PublicationRefused", "NothingToScore"}
)
#: Months of feature history that the first run of an instance builds: lags need 24, the model needs outcomes.
HISTORY_DEPTH = 120
_LAST_LISTED = "select max(month) from publication.month where status = 'published'"


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `refused`: a gate or the data said no; `reasons` (French) then say why, `causes` name the errors.

    `warnings` (French): what went on without, or is to be done again, for a person to know.
    """

    run_id: str
    job: str
    success: bool
    refused: bool
    reasons: tuple[str, ...]
    causes: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it: Dagster turns Ctrl-C into the failure of a step."""
        return "DagsterExecutionInterruptedError" in self.causes

    @property
    def too_young(self) -> bool:
        """Whether the only thing wrong is that too little was known in the oldest months asked for."""
        return self.causes == {"NotEnoughHistory"}


@contextlib.contextmanager
def opened(instance: Instance) -> Iterator[str]:
    """The instance ready for work: database reachable, schemas complete, Dagster configured."""
    with instance.running() as url:
        schema.create(url)
        shutil.copyfile(PROJECT / "deploy" / "dagster.yaml", instance.dagster_home / "dagster.yaml")
        yield url


def run_job(job: str, first: date, last: date, *, progress: Progress | None = None) -> Outcome:
    """Run one job for the months from `first` to `last`, in this process, recorded in the instance's Dagster.

    Must be called inside `opened()`.
    """
    import dagster as dg

    from orchestration.definitions import defs

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as dagster_instance:
        definition = defs.resolve_job_def(job)
        if progress is not None:
            _follow(dagster_instance, run_id, job, len(definition.nodes), progress)
        result = definition.execute_in_process(
            instance=dagster_instance,
            run_id=run_id,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={
                "dagster/asset_partition_range_start": f"{first:%Y-%m-%d}",
                "dagster/asset_partition_range_end": f"{last:%Y-%m-%d}",
                "vigie/mois": f"{last:%Y-%m}",
            },
            raise_on_error=False,
        )
        return _outcome(job, result)


def run_month(instance: Instance, month: date, *, progress: Progress | None = None) -> Outcome:
    """Everything for one month, from the landing folder to the reports; on a new instance, its past first.

    The past is features for as long as the data go back, then lists for `history_months`, so that "new" has something to
    be compared with. A month whose past is there costs one month. Once there are lists, a past month that a gate refuses, or
    that was taken back, is told and gone without: the month compares with the list before it.
    """
    reap()
    warnings: list[str] = []
    last_listed = _scalar(instance, _LAST_LISTED)
    if last_listed is None or last_listed < shift(month, -1):
        # The past is built from what has arrived, so what has arrived comes in first.
        outcome = run_job("ingestion", month, month, progress=progress)
        if not outcome.success:
            return outcome
        stopped = (
            _first_past(instance, month, warnings, progress)
            if last_listed is None
            else _past_since(instance, last_listed, month, warnings, progress)
        )
        if stopped is not None:
            return stopped
    outcome = run_job("mensuel", month, month, progress=progress)
    return replace(outcome, warnings=(*warnings, *outcome.warnings))


def reap() -> int:
    """Mark as failed the runs of dead processes (a kill, a reboot), so that nothing waits for them; how many there were."""
    import dagster as dg

    reaped = 0
    with dg.DagsterInstance.get() as dagster_instance:
        unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
        for run in dagster_instance.get_runs(unfinished):
            worker = run.tags.get(PROCESS_TAG)
            if worker is not None and worker != process_of(int(worker.partition(" ")[0])):
                dagster_instance.report_run_failed(run, f"the process {worker} that worked on this run is gone")
                reaped += 1
    return reaped


def at_work() -> list[dict[str, str]]:
    """Runs that wait or work, whoever started them: job, month, state and identifier, oldest first."""
    import dagster as dg

    from orchestration.automation import UNFINISHED

    with dg.DagsterInstance.get() as dagster_instance:
        found = dagster_instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), ascending=True)
    return [
        {
            "job": run.job_name,
            "month": (run.tags.get("vigie/mois") or run.tags.get("dagster/partition", ""))[:7],
            "state": run.status.value.lower(),
            "run_id": run.run_id,
        }
        for run in found
    ]


def process_of(pid: int) -> str:
    """The process of that number and when it began ('' when there is none): after a reboot the number is another's."""
    try:
        return f"{pid} {psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""


def _first_past(instance: Instance, month: date, warnings: list[str], progress: Progress | None) -> Outcome | None:
    """Features, then lists, of the months before `month` on an instance that has no list; the outcome that stops it, if one does.

    Each stage goes on from where it stands, so a first run that was killed half way is resumed and not skipped. Months that the gate
    refused are built again, with what was corrected since.
    """
    before = shift(month, -1)
    jobs = []
    oldest = _first_month(instance, month)
    first_built = _scalar(instance, "select min(month) from marts.mart_company_month")
    last_built = _scalar(instance, "select max(month) from marts.mart_company_month")
    if first_built is None or last_built is None or first_built > oldest:
        # A month that came before its past (the schedule's, on a new instance) was computed without it: it is built again.
        first_built = oldest
        jobs.append(("features", oldest, before))
    elif last_built < before:
        jobs.append(("features", shift(last_built, 1), before))
    elif not gate_mart(instance.database_url, first_built, before).passed:
        jobs.append(("features", first_built, before))
    if instance.settings.history_months:
        start = max(shift(month, -instance.settings.history_months), first_built)
        withdrawn = publication.withdrawn_months(instance.database_url, start, before)
        warnings += [_withdrawn_fr(one, month) for one in withdrawn]
        for stop in (*withdrawn, month):
            jobs.append(("historique", start, shift(stop, -1)))
            start = shift(stop, 1)
    for job, first, last in [(job, first, last) for job, first, last in jobs if first <= last]:
        outcome = run_job(job, first, last, progress=progress)
        if outcome.too_young and first < last:
            # The month before is enough to tell what is new; a gate that says no to the past is another matter.
            warnings.append(
                f"Listes de {first:%Y-%m} à {shift(last, -1):%Y-%m} non établies. {' '.join(outcome.reasons)}"
            )
            outcome = run_job(job, last, last, progress=progress)
        if outcome.too_young:
            warnings.append(f"Aucune liste avant {month:%Y-%m} : rien n’y est nouveau. {' '.join(outcome.reasons)}")
        elif not outcome.success:
            return outcome
    return None


def _past_since(
    instance: Instance, listed: date, month: date, warnings: list[str], progress: Progress | None
) -> Outcome | None:
    """The lists that are missing between that of `listed` and `month`, one by one; the outcome that stops it, if one does.

    A month without a list was refused or cut short: it is computed again, with what was corrected since. What was taken back was
    wrong: only a person who names its month publishes it again.
    """
    missing, withdrawn = _months_without_a_list(instance, listed, month)
    last_built = _scalar(instance, "select max(month) from marts.mart_company_month")
    for one in missing:
        is_listed_again = bool(instance.settings.history_months) and one not in withdrawn
        jobs = ["features"] if is_listed_again or last_built is None or last_built < one else []
        jobs += ["historique"] if is_listed_again else []
        if one in withdrawn:
            warnings.append(_withdrawn_fr(one, month))
        for job in jobs:
            outcome = run_job(job, one, one, progress=progress)
            if outcome.refused:
                warnings.append(
                    f"La liste de {one:%Y-%m} n’est pas établie, et {month:%Y-%m} se compare à la liste d’avant. "
                    f"{' '.join(outcome.reasons)}"
                )
                break
            if not outcome.success:
                return outcome
    return None


def months_to_list(instance: Instance, month: date) -> list[date]:
    """The months that were refused or cut short since the last list, then `month`: what publishing `month` has to make, in order."""
    listed = _scalar(instance, _LAST_LISTED)
    if listed is None or listed >= month:
        return [month]
    missing, withdrawn = _months_without_a_list(instance, listed, month)
    return [*(one for one in missing if one not in withdrawn), month]


def _months_without_a_list(instance: Instance, listed: date, month: date) -> tuple[list[date], list[date]]:
    """Months between the last list and `month`; those of them whose list was taken back."""
    missing = months_between(shift(listed, 1), shift(month, -1))
    return missing, publication.withdrawn_months(instance.database_url, shift(listed, 1), shift(month, -1))


def _withdrawn_fr(one: date, month: date) -> str:
    return (
        f"La liste de {one:%Y-%m} a été retirée : elle n’est pas publiée à nouveau, et {month:%Y-%m} se compare à la liste "
        f"d’avant. Pour la publier : vigie run --month {one:%Y-%m}."
    )


def _first_month(instance: Instance, month: date) -> date:
    """First month whose perimeter can be known: the one of the oldest effectif, HISTORY_DEPTH months back at most."""
    known = _scalar(
        instance,
        "select least((select min(_known_from) from raw.urssaf__effectif_ent), (select min(_known_from) from raw.urssaf__effectif))",
    )
    return max(shift(month, -HISTORY_DEPTH), known.replace(day=1)) if known else month


def _scalar(instance: Instance, query: str) -> date | None:
    """The one value that the query gives, None when its table does not exist yet."""
    with connect(instance.database_url) as connection:
        try:
            row = connection.execute(query.encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return row[0] if row else None


def _follow(dagster_instance: dg.DagsterInstance, run_id: str, job: str, steps: int, progress: Progress) -> None:
    done = 0

    def heard(entry: dg.EventLogEntry) -> None:
        nonlocal done
        event = entry.dagster_event
        if (
            event is not None
            and event.step_key
            and (event.is_step_success or event.is_step_failure or event.is_step_skipped)
        ):
            done += 1
            progress(job, event.step_key, done, steps)

    dagster_instance.add_event_listener(run_id, heard)


def _outcome(job: str, result: dg.ExecuteInProcessResult) -> Outcome:
    refused, reasons, warnings, causes = True, [], [], set()
    for check in result.get_asset_check_evaluations():
        if not check.passed and not check.blocking and check.description:
            warnings.append(check.description)
        if not check.passed and check.blocking:
            reasons.append(f"{'/'.join(check.asset_key.path)}, contrôle « {check.check_name} » : {check.description}")
    for event in result.filter_events(lambda item: item.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        name = (error.cls_name if error else None) or "unknown"
        causes.add(name)
        if name == "DagsterAssetCheckFailedError":
            continue
        refused = refused and name in REFUSALS
        text = (error.message if error else "cause inconnue").strip()
        reasons.append(text.partition(": ")[2] if name in REFUSALS else f"{event.step_key} : {text}")
    return Outcome(
        result.run_id,
        job,
        result.success,
        not result.success and refused,
        tuple(reasons),
        frozenset(causes),
        tuple(warnings),
    )
