"""The Typer application, its common options, and what an exit code means."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from orchestration.cli import (
    connectors,
    contracts,
    deliveries,
    demo,
    digests,
    models,
    months,
    operations,
    quarantine,
    reading,
)
from orchestration.cli.console import Refused, errors, print_error, visible

#: Exit codes, a stable interface.
DONE, REFUSED, USAGE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="vigie",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""Vigie finds French companies in difficulty early enough to help them.

Start with [bold]vigie demo[/bold]; look with [bold]vigie up[/bold]; use your own files with [bold]vigie ingest[/bold],
then [bold]vigie run[/bold].

Exit codes: 0 done · 1 refused by a gate or by the data (the reason is printed) · 2 wrong usage · 3 a fault of ours.""",
)
for part in (demo, operations, connectors, deliveries, quarantine, contracts, months, digests, models, reading):
    part.register(app)


@app.callback()
def common(
    context: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="VIGIE_HOME", help="Folder of the instance: database, landing, reports, settings.")
    ] = Path(".vigie"),
) -> None:
    """Options that every command takes."""
    context.obj = home


def main() -> None:
    """Run the command; exit with a code that means something."""
    warnings.filterwarnings("ignore", module="dagster")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    try:
        code = app(standalone_mode=False) or DONE
        if code == INTERRUPTED:  # what Typer makes of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code)
    except Refused as refusal:
        print_error("Refused.", str(refusal))
        sys.exit(REFUSED)
    except TyperException as wrong:
        if str(wrong):  # empty when the help was shown because nothing was asked
            print_error("Wrong usage.", f"{wrong.format_message()}  (see --help)")
        sys.exit(USAGE)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        print_error(
            "Interrupted.", "Nothing half done is seen by readers; the same command takes the work up again.", "yellow"
        )
        sys.exit(INTERRUPTED)
    except Exception as fault:  # the last border: whatever happens, a script gets a code and a person a sentence
        print_error("A fault of ours:", f"{type(fault).__name__}: {fault}")
        errors.print(visible(traceback.format_exc()), style="dim", highlight=False)
        sys.exit(FAULT)
