"""What assets need from outside: the instance they work for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from orchestration.instance import Instance
from orchestration.runs import PROCESS_TAG, process_of

_LOCK = 0x5255_4E53  # "RUNS": one run of an instance at a time


class Vigie(dg.ConfigurableResource):
    """The instance named by VIGIE_HOME. No field: nothing of it, and no secret, goes through run configuration."""

    @property
    def instance(self) -> Instance:
        """The instance; resolved when an asset runs, so that definitions load with an empty environment."""
        return Instance.from_environment()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Vigie"]:
        """Runs of one instance follow each other, whoever starts them: the daemon, the UI, a command.

        Two at once would build their candidates in the same tables, and one could publish what the gate of the other has yet to
        see. A run that is killed lets go by itself; who works on it is written, so that `reap` knows.
        """
        if context.instance is not None and context.run is not None:
            context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_of(os.getpid())})
        with psycopg.connect(self.instance.database_url, autocommit=True) as connection:
            if connection.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone() == (False,):
                if context.log:
                    context.log.info("Une autre exécution travaille sur cette instance : celle-ci commence après elle.")
                connection.execute("select pg_advisory_lock(%s)", [_LOCK])
            yield self
