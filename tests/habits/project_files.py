"""The files that the habits look at: those of the project, not those that tools leave in its folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("expectations", "ingestion", "models_ml", "orchestration", "reporting", "simulation")
LEFT_BY_TOOLS = {".git", ".venv", ".vigie", "__pycache__", "build", "logs", "target", "node_modules"}
TEXT = {
    ".cfg",
    ".css",
    ".csv",
    ".html",
    ".in",
    ".j2",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
TEXT_NAMES = {"Makefile", "LICENSE", "Dockerfile", ".sqlfluff", ".gitignore"}


def text_files(*folders: str) -> list[Path]:
    """Text files of the project, or of some of its folders, in the order of their names."""
    starts = [ROOT / folder for folder in folders] or [ROOT]
    return sorted(
        path
        for start in starts
        for path in start.rglob("*")
        if path.is_file()
        and not (LEFT_BY_TOOLS & set(path.relative_to(ROOT).parts))
        and not any(part.endswith(("_cache", ".egg-info", ".hypothesis")) for part in path.relative_to(ROOT).parts)
        and (path.suffix in TEXT or path.name in TEXT_NAMES)
    )


def python_files(*folders: str) -> list[Path]:
    """Python modules of some folders (default: the packages)."""
    return [path for path in text_files(*(folders or PACKAGES)) if path.suffix == ".py"]


def name_of(path: Path) -> str:
    """Path as a reader of the repository writes it."""
    return path.relative_to(ROOT).as_posix()


def run_tool(*arguments: str) -> str:
    """Run `python -m <tool> …` at the root; return its output when it complains, an empty text when it does not."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    return "" if result.returncode == 0 else (result.stdout + result.stderr)[-6000:] or f"exit code {result.returncode}"
