"""Imports go one way; each heavy library lives in one room."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from project_files import PACKAGES, ROOT


def test_import_linter_keeps_every_contract() -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_is_under_the_rules() -> None:
    """A package that nobody added to the rules would be free of them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert found == set(PACKAGES)
    assert found == set(settings["tool"]["importlinter"]["root_packages"])
    assert found == set(settings["tool"]["mypy"]["packages"])
    assert found == set(settings["tool"]["coverage"]["run"]["source"])


SLOW = ("dagster", "dbt", "great_expectations", "sklearn", "skops", "pandas")


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "orchestration"])
def test_importing_a_library_room_loads_no_heavy_library(package: str) -> None:
    """Great Expectations alone takes seconds to import: at module level it would slow each command and each run."""
    allowed = {"models_ml": ("sklearn", "skops", "pandas")}.get(package, ())
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name not in {"__init__.py", "__main__.py"}
    ]
    forbidden = [name for name in SLOW if name not in allowed]
    code = (
        f"import importlib, sys\nfor name in {[package, *modules]!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {forbidden!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [], f"importing {package} loads {result.stdout}"


def test_no_command_waits_for_the_libraries_of_another() -> None:
    """`vigie --help` and `vigie doctor` took three seconds to load what only the model uses."""
    code = f"import sys, orchestration.cli.application\nprint(*[name for name in {SLOW!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
