"""The one partition of Vigie: the month. A key is the first day of a month; the month a run works on is explicit."""

from datetime import date

import dagster as dg

from orchestration.months import FIRST_MONTH, TIMEZONE, months_between, parse_month

#: The current month is a partition too: it is scored before it ends when an operator asks for it.
MONTHS = dg.MonthlyPartitionsDefinition(start_date=f"{FIRST_MONTH}", timezone=TIMEZONE, end_offset=1)
#: A range of months is one run: the history costs one run, not one a month.
ONE_RUN = dg.BackfillPolicy.single_run()


def months_of(context: dg.AssetExecutionContext) -> list[date]:
    """The months of the run's partition or range of partitions, in order; also for assets that have no partition themselves.

    Raises:
        dg.Failure: the run has neither, so nobody said which month is meant.
    """
    tags = context.run.tags
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or tags.get("dagster/partition")
    if not first or not last:
        raise dg.Failure(
            "Aucun mois n’est donné : lancez le job « mensuel » pour une partition, ou `vigie run --month AAAA-MM`."
        )
    return months_between(parse_month(first), parse_month(last))
