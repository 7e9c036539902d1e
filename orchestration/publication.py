"""The publication transaction: a candidate becomes what readers see, all or nothing, and one command takes it back.

Belongs here: moving `publication.candidate_*` (built by dbt, passed by the gate) into the long-lived tables, the
status of each month, and the withdrawal. What is a detection is decided in dbt; who sees it, by row security.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from ingestion.database import connect

ROLE = "vigie_publication"
_LOCK = 0x5055_424C  # "PUBL": one publisher at a time

#: Published table <- candidate table.
TABLES = {
    "detection": "candidate_detection",
    "montant": "candidate_detection",
    "entreprise": "candidate_entreprise",
    "score": "candidate_score",
    "raison": "candidate_raison",
    "clignotant": "candidate_clignotant",
    "serie": "candidate_serie",
    "offre": "candidate_offre",
    "territoire": "candidate_territoire",
    "fraicheur": "candidate_fraicheur",
}


class PublicationRefused(RuntimeError):
    """There is nothing to publish, or nothing to take back; the message (French) says why."""


@dataclass(frozen=True)
class Published:
    """One month after `publish`: whether something changed, and what readers now see."""

    month: date
    publication_id: int
    changed: bool
    scored: int
    alerts: int
    new_detections: int


@dataclass(frozen=True)
class TakenBack:
    """One month after `rollback`: what readers see of it now (None: nothing), and the later lists that compare with another one."""

    publication_id: int | None
    outdated: tuple[date, ...]


def publish(url: str, months: Sequence[date], *, simulation: bool, run_id: str | None) -> list[Published]:
    """Publish the candidate of these months in one transaction; a month whose content is already seen stays as it is.

    Raises:
        PublicationRefused: a month has no candidate.
    """
    with connect(url, role=ROLE) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        return [_publish_month(connection, month, simulation=simulation, run_id=run_id) for month in sorted(months)]


def rollback(url: str, month: date) -> TakenBack:
    """Take back the publication of `month`; the one it replaced, if any, is seen again.

    Raises:
        PublicationRefused: the month is not published, or readers would be left without it under a later one.
    """
    with connect(url, role=ROLE) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        withdrawn = connection.execute(
            "update publication.month set status = 'withdrawn' where month = %s and status = 'published' "
            "returning publication_id",
            [month],
        ).fetchone()
        if withdrawn is None:
            raise PublicationRefused(f"Le mois {month:%Y-%m} n’est pas publié : il n’y a rien à retirer.")
        restored = connection.execute(
            "update publication.month set status = 'published' where publication_id = (select max(publication_id) "
            "from publication.month where month = %s and status = 'replaced') returning publication_id",
            [month],
        ).fetchone()
        later = connection.execute(
            "select month, publication_id from publication.month where status = 'published' and month > %s order by month",
            [month],
        ).fetchall()
        if later and restored is None:
            last = later[-1][0]
            raise PublicationRefused(
                f"Le mois {month:%Y-%m} n’est pas retiré : {last:%Y-%m}, publié après lui, s’y compare. Retirez d’abord {last:%Y-%m}."
            )
        # Those published between the two compare with the one that is seen again.
        outdated = [one for one, number in later if restored and not restored[0] < number < withdrawn[0]]
        return TakenBack(int(restored[0]) if restored else None, tuple(outdated))


def lists_before(url: str, month: date) -> list[date]:
    """Months of the lists that readers see before `month`, in order."""
    with connect(url, role=ROLE) as connection:
        rows = connection.execute(
            "select month from publication.month where status = 'published' and month < %s order by month", [month]
        ).fetchall()
    return [listed for (listed,) in rows]


def outdated_lists(url: str, months: Sequence[date]) -> list[date]:
    """Later months that were published before the list of one of these months was: they compare with what it was then."""
    with connect(url, role=ROLE) as connection:
        rows = connection.execute(
            "select month from publication.month where status = 'published' and month > %s and publication_id < "
            "(select max(publication_id) from publication.month where status = 'published' and month = any(%s)) order by month",
            [max(months), list(months)],
        ).fetchall()
    return [month for (month,) in rows]


def outdated_fr(month: date, later: Sequence[date]) -> str:
    """What is wrong with later lists that do not compare with the list seen for `month`, and the commands that put it right."""
    names = ", ".join(f"{one:%Y-%m}" for one in later)
    commands = ", ".join(f"vigie publish --month {one:%Y-%m}" for one in later)
    return (
        f"Des listes des mois suivants ne se comparent pas à celle de {month:%Y-%m} que les lecteurs voient : {names}. Une entreprise peut "
        f"y être annoncée nouvelle une seconde fois, ou ne l’être nulle part. Publiez-les à nouveau, dans cet ordre : {commands}."
    )


def withdrawn_months(url: str, first: date, last: date) -> list[date]:
    """Months from `first` to `last` whose list was taken back and not replaced since, in order."""
    with connect(url, role=ROLE) as connection:
        rows = connection.execute(
            "select month from publication.month where month between %s and %s "
            "group by month having not bool_or(status = 'published') order by month",
            [first, last],
        ).fetchall()
    return [month for (month,) in rows]


def _publish_month(connection: psycopg.Connection, month: date, *, simulation: bool, run_id: str | None) -> Published:
    model = connection.execute(
        "select model_id, seuil_f1, seuil_f2 from ml.model natural join ml.run_month where month = %s", [month]
    ).fetchone()
    scored = _one(connection, "select count(*) from publication.candidate_score where month = %s", month)
    if model is None or not scored:
        raise PublicationRefused(f"Le mois {month:%Y-%m} n’a pas de liste candidate : il n’y a rien à publier.")
    digest = _digest(connection, month, model)
    seen = connection.execute(
        "select publication_id, content_sha256 from publication.month where month = %s and status = 'published'",
        [month],
    ).fetchone()
    if seen is None or seen[1] != digest:
        connection.execute(
            "update publication.month set status = 'replaced' where month = %s and status = 'published'", [month]
        )
        inserted = connection.execute(
            "insert into publication.month (month, status, model_id, seuil_f1, seuil_f2, simulation, content_sha256, run_id) "
            "values (%s, 'published', %s, %s, %s, %s, %s, %s) returning publication_id",
            [month, *model, simulation, digest, run_id],
        ).fetchone()
        assert inserted is not None
        publication_id, changed = int(inserted[0]), True
        for table, candidate in TABLES.items():
            _move(connection, table, candidate, publication_id, month)
    else:
        publication_id, changed = int(seen[0]), False
    counts = connection.execute(
        "select count(*), count(*) filter (where est_nouvelle_detection) from publication.detection "
        "where publication_id = %s",
        [publication_id],
    ).fetchone()
    assert counts is not None
    return Published(month, publication_id, changed, int(scored), int(counts[0]), int(counts[1]))


def _move(connection: psycopg.Connection, table: str, candidate: str, publication_id: int, month: date) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, table)))
    connection.execute(
        sql.SQL(
            "insert into publication.{} (publication_id, {}) select %s, {} from publication.{} where month = %s"
        ).format(sql.Identifier(table), columns, columns, sql.Identifier(candidate)),
        [publication_id, month],
    )


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped "
        "and attname <> 'publication_id' order by attnum",
        [f"publication.{table}"],
    ).fetchall()
    return [name for (name,) in rows]


def _digest(connection: psycopg.Connection, month: date, model: tuple[object, ...]) -> str:
    """SHA-256 of everything that would be published for the month, in a fixed order."""
    digest = hashlib.sha256(repr(model).encode())
    for table, candidate in TABLES.items():
        columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, table)))
        query = sql.SQL(
            "copy (select {columns} from publication.{table} where month = {month} order by {columns}) to stdout"
        )
        with connection.cursor().copy(
            query.format(columns=columns, table=sql.Identifier(candidate), month=sql.Literal(month))
        ) as stream:
            for chunk in stream:
                digest.update(chunk)
    return digest.hexdigest()


def _one(connection: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(query.encode(), list(parameters)).fetchone()
    assert row is not None
    return row[0]
