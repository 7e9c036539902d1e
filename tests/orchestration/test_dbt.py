"""The kept manifest: several processes ask for it at once (the UI, the daemon, a command)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestration.instance import PROJECT

_ASK = """
import sys
from pathlib import Path
from orchestration import dbt

dbt.MANIFEST = Path(sys.argv[1]) / "manifest.json"
print(len(dbt.manifest()["nodes"]))
"""


def test_processes_that_parse_at_once_each_read_a_whole_manifest(tmp_path: Path) -> None:
    """One wrote while the other read, and a bare clone's first tests failed; whoever loses the race reads the winner's."""
    processes = [
        subprocess.Popen([sys.executable, "-c", _ASK, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(answers)) == 1 and int(answers[0]) > 50
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
