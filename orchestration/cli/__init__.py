"""The `vigie` command: a person's and a script's way in, without the Dagster UI.

Belongs here: arguments, progress bars, tables, `--json`, exit codes. What a command does is a call to another module;
an asset calls the same function. Names and JSON fields, once shipped, stay.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command. Its libraries take a second or two to be read: Ctrl-C then ends it without a traceback too."""
    try:
        from orchestration.cli.application import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
