"""One style for all rooms, kept by the tools that `make lint` runs."""

from __future__ import annotations

from project_files import run_tool


def test_ruff_finds_nothing_to_say() -> None:
    complaint = run_tool("ruff", "check", "--output-format", "concise", ".")
    assert not complaint, complaint


def test_the_code_is_formatted() -> None:
    complaint = run_tool("ruff", "format", "--check", "--quiet", ".")
    assert not complaint, f"run `ruff format .`\n{complaint}"


def test_mypy_finds_no_type_error() -> None:
    complaint = run_tool("mypy")
    assert not complaint, complaint
