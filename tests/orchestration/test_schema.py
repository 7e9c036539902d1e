"""The schemas are completed when something is missing, and wait for nobody when nothing is."""

from __future__ import annotations

import psycopg
import pytest

from orchestration import schema


def test_nobody_is_waited_for_when_all_is_there(vigie_url: str) -> None:
    with psycopg.connect(vigie_url) as reader:
        tables = reader.execute(
            "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace in "
            "('raw'::regnamespace, 'ml'::regnamespace, 'publication'::regnamespace)"
        ).fetchall()
        for (table,) in tables:
            reader.execute(f"lock table {table} in access share mode".encode())
        schema.create(f"{vigie_url}?options=-c%20lock_timeout%3D1s")


def test_a_new_project_completes_what_an_older_one_made(vigie_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(vigie_url) as connection:
        connection.execute("comment on schema publication is 'made by another release'")
        connection.execute("alter table ml.model drop column profil")
    schema.create(vigie_url)
    with psycopg.connect(vigie_url) as connection:
        connection.execute("select profil from ml.model")


@pytest.mark.parametrize(
    ("damage", "whole"),
    [
        ("drop table ml.explanation cascade", "to_regclass('ml.explanation') is not null"),
        ("drop view published.detections cascade", "to_regclass('published.detections') is not null"),
        (
            "alter table raw.altares__paydex drop column nb_jours cascade",
            "exists (select from pg_attribute where attrelid = 'raw.altares__paydex'::regclass and attname = 'nb_jours')",
        ),
        ("drop schema marts cascade", "to_regclass('marts.recalcul') is not null"),
        (
            "revoke select on ml.score from vigie_publication",
            "has_table_privilege('vigie_publication', 'ml.score', 'select')",
        ),
        ("revoke usage on schema marts from vigie_scoring", "has_schema_privilege('vigie_scoring', 'marts', 'usage')"),
        (
            "alter table publication.detection disable row level security",
            "(select relrowsecurity from pg_class where oid = 'publication.detection'::regclass)",
        ),
        (
            "alter default privileges for role vigie_transformation in schema marts revoke select on tables from vigie_scoring",
            "exists (select from pg_default_acl where defaclnamespace = 'marts'::regnamespace)",
        ),
    ],
)
def test_what_is_missing_is_made_again(vigie_url: str, damage: str, whole: str) -> None:
    with psycopg.connect(vigie_url) as connection:
        connection.execute(damage.encode())
        assert connection.execute(f"select coalesce({whole}, false)".encode()).fetchone() == (False,)
    schema.create(vigie_url)
    with psycopg.connect(vigie_url) as connection:
        assert connection.execute(f"select {whole}".encode()).fetchone() == (True,)
