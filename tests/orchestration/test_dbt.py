"""dbt run by the platform: the kept manifest that several processes ask for at once, and what a month builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.database import connect
from orchestration import dbt
from orchestration.instance import PROJECT, Instance
from orchestration.runs import opened

_ASK = """
import sys
from pathlib import Path
from orchestration import dbt

dbt.TARGET = Path(sys.argv[1])
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
    assert len(list(tmp_path.iterdir())) == 1


def test_a_project_that_cannot_be_parsed_is_told_in_the_words_of_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It showed as an attribute error of ours, and nobody could tell which file was wrong."""
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models" / "marts" / "mart_outcome.sql").write_text("select * from {{ ref('nowhere_to_be_found') }}")
    monkeypatch.setattr(dbt, "DBT_PROJECT", project)
    monkeypatch.setattr(dbt, "TARGET", project / "target")
    with pytest.raises(dbt.DbtFailed, match="nowhere_to_be_found"):
        dbt.manifest()
    assert list((project / "target").iterdir()) == []


def test_a_project_older_than_what_is_kept_is_parsed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files keep the date of their image or copy: by dates, the models of the release before went on being built."""
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(dbt, "DBT_PROJECT", project)
    monkeypatch.setattr(dbt, "TARGET", project / "target")
    dbt.manifest()
    model = project / "models" / "marts" / "mart_outcome.sql"
    model.write_text(model.read_text() + "-- the next release")
    os.utime(model, (0, 0))
    assert "-- the next release" in dbt.manifest()["nodes"]["model.vigie.mart_outcome"]["raw_code"]
    assert len(list((project / "target").iterdir())) == 1, "the manifest of the release before is of no use"


def test_a_month_builds_seeds_and_views_only_when_they_are_not_there(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not depend on the month; a view that was dropped, or a changed project, must bring them back all the same."""
    months = {"month_start": "2020-01-01", "month_end": "2020-01-01", "simulation": True}
    monkeypatch.setenv("DATABASE_URL", database_url)
    instance = Instance(tmp_path)
    with opened(instance):
        schemas = [{node.schema for node in dbt.build(instance, tag="features", variables=months)} for _ in range(2)]
        with connect(instance.database_url) as connection:
            connection.execute("drop view staging.stg_urssaf__ccsf cascade")
        with monkeypatch.context() as cut:
            cut.setattr(dbt, "_runner", _cut_short)
            with pytest.raises(KeyboardInterrupt):
                dbt.build(instance, tag="features", variables=months)
        with connect(instance.database_url) as connection:
            marks = connection.execute("select obj_description('staging'::regnamespace, 'pg_namespace')").fetchall()
        again = {node.schema for node in dbt.build(instance, tag="features", variables=months)}
    assert schemas[0] >= {"staging", "reference", "marts"}
    assert not schemas[1] & {"staging", "reference"}
    assert marks == [(None,)], "a build cut short must not pass for a whole one"
    assert again >= {"staging", "reference"}


_UNDESCRIBED = """
select attrelid::regclass || '.' || attname
from pg_attribute inner join pg_class on pg_class.oid = attrelid
where relnamespace in ('staging'::regnamespace, 'marts'::regnamespace) and relkind in ('r', 'v') and attnum > 0
    and (col_description(attrelid, attnum) is null or obj_description(attrelid, 'pg_class') is null
        or obj_description(attrelid, 'pg_class') = 'of the release before')
"""


def test_what_readers_see_is_described_as_the_project_describes_it(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what differs is written: a table that keeps its months must not keep the comments of the release before."""
    months = {"month_start": "2020-01-01", "month_end": "2020-01-01", "simulation": True}
    monkeypatch.setenv("DATABASE_URL", database_url)
    instance = Instance(tmp_path)
    with opened(instance):
        dbt.build(instance, tag="features", variables=months)
        with connect(instance.database_url) as connection:
            assert connection.execute(_UNDESCRIBED.encode()).fetchall() == []
            connection.execute("comment on table marts.mart_company_month is 'of the release before'")
            connection.execute("comment on column marts.mart_perimetre.siren is null")
        dbt.build(instance, tag="features", variables=months)
        with connect(instance.database_url) as connection:
            assert connection.execute(_UNDESCRIBED.encode()).fetchall() == []


def _cut_short(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
