"""Root of the Dagster definitions: what `workspace.yaml` points at.

Belongs here: assembling. Assets are in `assets/`, jobs and schedules in `automation`.
"""

import dagster as dg

from orchestration import automation
from orchestration.assets import features, ingestion, publication, scoring
from orchestration.resources import Vigie

defs = dg.Definitions(
    assets=[*ingestion.ASSETS, *features.ASSETS, *scoring.ASSETS, *publication.ASSETS],
    jobs=[*automation.JOBS, automation.collect_job, automation.digest_job],
    schedules=automation.SCHEDULES,
    sensors=automation.SENSORS,
    resources={"vigie": Vigie()},
    # One process for a run: a step does not pay for its own, and a killed run leaves no worker behind.
    executor=dg.in_process_executor,
)
