"""Every package says in its first lines what belongs in it, and what does not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from project_files import PACKAGES, ROOT, name_of, python_files

INITS = [path for path in python_files() if path.name == "__init__.py"]


@pytest.mark.parametrize("path", INITS, ids=name_of)
def test_a_package_opens_with_its_charter(path: Path) -> None:
    charter = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    assert "elongs here:" in charter, f"{name_of(path)} does not say what belongs here"
    if path.parent.parent == ROOT:
        assert "oes not belong here:" in charter, f"{name_of(path)} does not say what does not belong here"


def test_every_package_has_a_charter_to_read() -> None:
    assert {path.parent.name for path in INITS} >= set(PACKAGES)


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "no docstring at the top"
