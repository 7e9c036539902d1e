"""The one partition of Vigie: the month. A key is the first day of a month; the month a run works on is explicit."""

from datetime import date

import dagster as dg

from orchestration.months import TIMEZONE, parse_month

#: The current month is a partition too: it is scored before it ends when an operator asks for it.
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2010-01-01", timezone=TIMEZONE, end_offset=1)
#: A range of months is one run: the history costs one run, not one a month.
ONE_RUN = dg.BackfillPolicy.single_run()


def months_of(context: dg.AssetExecutionContext) -> list[date]:
    """The months of the run's partition, in order."""
    return sorted(parse_month(key) for key in context.partition_keys)
