"""What commands share on the screen: consoles, the common context, progress of a Dagster run, JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from orchestration.instance import Instance
from orchestration.months import parse_month
from orchestration.runs import Outcome
from orchestration.runs import Progress as RunProgress

# Delivered texts hold brackets (« [ND] »), which would be taken for styles: markup is asked for where it is ours.
#: Into a file or a pipe there is no screen to fit: tables keep their columns whole.
console = Console(width=None if sys.stdout.isatty() else 220, markup=False)
errors = Console(stderr=True, markup=False)

# A terminal obeys control characters; their pictures (U+2400…) can be read. Line feeds and tabs only lay out.
_PICTURES = {code: 0x2400 + code for code in range(32) if code not in (9, 10)} | {127: 0x2421}
_PICTURES |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of a table.")]


class Refused(Exception):
    """A gate or the data said no: the command prints this reason and exits with 1."""


def instance_of(context: typer.Context) -> Instance:
    """The instance that `--home` names."""
    home: Path = context.obj
    make_folder(home)
    return Instance(home)


def make_folder(folder: Path) -> None:
    """Create a folder that a person named, and its parents.

    Raises:
        typer.BadParameter: it cannot be.
    """
    try:
        folder.expanduser().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}") from error


def month_argument(text: str) -> date:
    """First day of the month written YYYY-MM (a Typer parser: anything else is wrong usage)."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a month written YYYY-MM") from error


def day_argument(text: str) -> date:
    """A day written YYYY-MM-DD (a Typer parser)."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date written YYYY-MM-DD") from error


def file_argument(text: str) -> Path:
    """A file to write, told before the work when it cannot be; its folder is made (a Typer parser)."""
    file = Path(text).expanduser()
    if file.is_dir():
        raise typer.BadParameter(f"{text!r} is a folder")
    make_folder(file.parent)
    return file


Month = Annotated[date, typer.Option("--month", parser=month_argument, metavar="YYYY-MM", help="Month to work on.")]


def visible(text: str) -> str:
    """A text that somebody delivered, without the characters that a terminal would obey."""
    return text.translate(_PICTURES)


def print_error(label: str, text: str, style: str = "bold red") -> None:
    """One sentence on standard error, after a word that says what it is; a pipe gets whole lines."""
    errors.print(Text.assemble((label, style), " ", visible(text)), soft_wrap=True)


def print_json(content: Any) -> None:
    """One JSON document on standard output, dates as ISO text, in the order given."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n")


@contextlib.contextmanager
def bars() -> Iterator[Progress]:
    """Progress bars on standard error, so that standard output stays clean for `--json`."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=not errors.is_terminal) as progress:
        yield progress


def follow(progress: Progress, label: str) -> RunProgress:
    """A listener that shows each Dagster job of a run as one bar."""
    tasks: dict[str, Any] = {}

    def heard(job: str, step: str, done: int, steps: int) -> None:
        if job not in tasks:
            tasks[job] = progress.add_task(f"{label} · {job}", total=steps)
        progress.update(tasks[job], completed=min(done, steps), description=f"{label} · {job} · {step}"[:60].ljust(60))

    return heard


def tell(outcome: Outcome) -> None:
    """Print the warnings of a run, on standard error."""
    for warning in outcome.warnings:
        print_error("Warning.", warning, "yellow")


def require(outcome: Outcome) -> None:
    """Go on when the run succeeded.

    Raises:
        KeyboardInterrupt: somebody stopped it.
        Refused: a gate or the data said no.
        RuntimeError: a fault of ours.
    """
    if outcome.success:
        return
    if outcome.interrupted:
        raise KeyboardInterrupt
    reasons = "\n".join(outcome.reasons) or "no reason was recorded; see the run in the Dagster UI"
    if outcome.refused:
        raise Refused(reasons)
    raise RuntimeError(f"run {outcome.run_id} of job « {outcome.job} » failed:\n{reasons}")
