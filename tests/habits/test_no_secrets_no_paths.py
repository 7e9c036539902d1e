"""Nothing of one machine, one person or one secret is in the repository; nothing depends on the day it runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from project_files import ROOT, name_of, python_files, text_files

# Written in two parts: this file is read as well.
FORBIDDEN = {
    "a machine path": re.compile(r"(?<![\w./:-])/(?:root|work|home/\w|Users/\w|mnt/\w)(?:[/\s\"'`]|\w*/|$)"),
    "a package registry": re.compile(
        r"pypi\.(?:org|python)|python"
        + r"hosted\.org|registry\.npmjs|artifact"
        + r"ory|https?://[^\s\"']*(?:nexus|/simple\b)|"
        r"--(?:extra-)?index-" + r"url"
    ),
    "a password": re.compile(
        r"(?i)\b\w*(?:password|passwd|mot_de_passe|secret|api_?key|token)[\"']?\s*[=:]\s*[\"'](?!password)[^\"'{}$\s<>]{6,}[\"']"
    ),
    "a password in a URL": re.compile(r"://[\w.-]+:[^@\s{}$\"'/*<>]{3,}@"),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE " + "KEY"),
    "something left to do": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
}
EXAMPLES = {
    "a machine path": ['open("/ro' + 'ot/data.csv")', "cd /wo" + "rk/main", "see /ho" + "me/alice/x"],
    "a package registry": ["https://pypi" + ".org/simple", "files.python" + "hosted.org", "--index" + "-url https://x"],
    "a password": ['password="hunter2x"', "API_KEY = 'abcdef123456'", 'mot_de_passe: "azertyuiop"'],
    "a password in a URL": ["postgresql://vigie:azerty@" + "localhost/db"],
    "a private key": ["-----BEGIN RSA PRIVATE" + " KEY-----"],
    "something left to do": ["# TO" + "DO: later", "FIX" + "ME"],
}
HARMLESS = {
    "a machine path": ["xl/worksheets/sheet1.xml", "the network/work ratio", "https://exemple.test/home/"],
    "a package registry": ["the registry of deliveries"],
    "a password": [
        'password=os.environ["PGPASSWORD"]',
        "password: \"{{ env_var('PGPASSWORD') }}\"",
        "secret = secrets.token_urlsafe()",
    ],
    "a password in a URL": ["postgresql://{user}:{password}@{host}/db", "https://exemple.test:443/a@b"],
    "a private key": ["a private key"],
    "something left to do": ["todos los santos"],
}
THIS_FILE = Path(__file__).resolve()


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_repository_is_free_of(what: str) -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:120]}"
        for path in text_files()
        if path.resolve() != THIS_FILE
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_habit_would_see(what: str) -> None:
    """A rule that no line can break keeps nothing; one that harmless lines break is switched off."""
    assert all(FORBIDDEN[what].search(line) for line in EXAMPLES[what])
    assert not any(FORBIDDEN[what].search(line) for line in HARMLESS[what])


def test_no_module_is_a_drawer() -> None:
    """`utils.py` is where code goes that nobody finds again."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert [
        name_of(path) for path in text_files() if path.suffix == ".py" and {path.stem, path.parent.name} & drawers
    ] == []


def test_no_two_test_modules_have_one_name() -> None:
    """Pytest imports test modules by their base name: the second of a name would not run."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in {"conftest.py", "__init__.py"}]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_nothing_that_runs_code_when_loaded_is_imported() -> None:
    """A model is saved with skops, opened with an allow-list; loading a pickle runs whatever is in it."""
    banned = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    found = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{name_of(path)}:{node.lineno}" for name in names if name.split(".")[0] in banned]
    assert not found


WALL_CLOCKS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "strftime"), ("pd", "Timestamp.now"),
}  # fmt: skip
# Where the day of today enters, at the border with people and with the scheduler: file, function, and nothing else.
TODAY_ALLOWED = {
    ("orchestration/cli/deliveries.py", "today"),
    ("orchestration/collection.py", "now"),
}


def wall_clock_reads(source: str) -> list[tuple[str, int]]:
    """(function, line) of each read of the wall clock in a module."""
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST, function: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if (name, node.func.attr) in WALL_CLOCKS:
                found.append((function, node.lineno))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(ast.parse(source), "")
    return found


def test_time_is_an_argument() -> None:
    """Promise 6, same inputs and same bytes on any day: a wall clock in the logic breaks it in silence."""
    reads = {
        (name_of(path), function): line
        for path in python_files()
        for function, line in wall_clock_reads(path.read_text(encoding="utf-8"))
    }
    unexpected = {place: line for place, line in reads.items() if place not in TODAY_ALLOWED}
    assert not unexpected, f"wall clock read outside of the allowed places: {unexpected}"
    assert set(reads) == TODAY_ALLOWED, "the list of allowed places holds one that no longer reads the clock"


def test_the_habit_would_see_a_wall_clock() -> None:
    source = "def f():\n    return dt.datetime.now()\n\nclass A:\n    def g(self):\n        return date.today()\n"
    assert wall_clock_reads(source) == [("f", 2), ("g", 6)]
    assert wall_clock_reads("import time\nstart = time.perf_counter()\n") == []


def test_the_features_do_not_read_the_wall_clock_either() -> None:
    """A model that asks the server for today's date gives other rows tomorrow."""
    clock = re.compile(
        r"\b(?:now\s*\(\)|current_date|current_timestamp|localtimestamp|clock_timestamp|run_started_at)", re.I
    )
    found = [
        f"{name_of(path)}:{number}"
        for path in text_files("dbt_project")
        if path.suffix == ".sql"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if clock.search(line.split("--")[0])
    ]
    assert not found
