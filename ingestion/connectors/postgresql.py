"""Rows of an administration's operational PostgreSQL, as a file in the form of their contract.

One read-only REPEATABLE READ transaction sees one state of the base. The rows come by COPY: bounded memory on both
sides, numbers to the last decimal, and text that means the same for every setting of the server.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import psycopg
from psycopg import sql

from expectations.contract import Contract, DateFormat
from ingestion.connectors.faults import PeerFault
from ingestion.connectors.memory import Memory
from ingestion.connectors.offers import Extract, Look, Offer
from ingestion.connectors.settings import Postgresql
from ingestion.layout import normalised

# Types whose text we choose, and how far back an overlap goes in each (PostgreSQL type numbers).
_LOOK_SECONDS = 30
_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
_DATE_TYPES = {_DATE, _TIMESTAMP, _TIMESTAMPTZ}
_OVERLAPS = {
    _DATE: sql.SQL("{}::int"),
    _TIMESTAMP: sql.SQL("make_interval(mins => {})"),
    _TIMESTAMPTZ: sql.SQL("make_interval(mins => {})"),
    20: sql.SQL("{}"),
    21: sql.SQL("{}"),
    23: sql.SQL("{}"),
    1700: sql.SQL("{}"),
}
_DATE_FORMATS: dict[DateFormat, str] = {
    "iso": "YYYY-MM-DD",
    "jj/mm/aaaa": "DD/MM/YYYY",
    "jj/mm/aa": "DD/MM/YY",
    "urssaf": "YYYYMMDD",
    "jjmmmaaaa": "DDMONYYYY",
}


class Rows:
    """The rows of one table or query. `patient`: a statement may take as long as the settings say, else half a minute."""

    def __init__(self, settings: Postgresql, contract: Contract, *, patient: bool) -> None:
        self.settings = settings
        self.contract = contract
        self._seconds = settings.statement_timeout_seconds if patient else _LOOK_SECONDS

    def look(self, memory: Memory, day: date, now: datetime) -> Look:
        """With a watermark: whether it has moved. Without: the whole, once a day."""
        del now
        with self._transaction() as connection:
            types = self._types(connection)
            mark = self._last_mark(connection) if self.settings.watermark else day.isoformat()
            if self.settings.watermark and types[self.settings.watermark.column] not in _OVERLAPS:
                raise PeerFault("watermark : une date, un horodatage ou un nombre entier est attendu")
        offers = [Offer(self._name, mark)] if mark is not None and (self._name, mark) not in memory.known() else []
        return Look(ready=offers, position=memory.position)

    def fetch(self, offer: Offer, memory: Memory) -> Extract:
        """Write the rows as a CSV of the contract: header, delimiter, formats of dates, order of the key."""
        with self._transaction() as connection, memory.part.open("wb") as target:
            types = self._types(connection)
            header = io.StringIO()
            csv.writer(header, delimiter=self.contract.delimiters[0], lineterminator="\n").writerow(
                self.settings.columns
            )
            target.write(header.getvalue().encode())
            cursor = connection.cursor()
            with cursor.copy(self._copy(types, offer, memory)) as copy:
                for block in copy:
                    target.write(block)
        position = {"watermark": offer.version} if self.settings.watermark else {}
        file_name = f"{self.settings.file_name}_{_stamp(offer.version)}.csv"
        return Extract(file_name, position, cursor.rowcount)

    def _copy(self, types: dict[str, int], offer: Offer, memory: Memory) -> sql.Composed:
        cells = [self._cell(header, column, types[column]) for header, column in self.settings.columns.items()]
        return sql.SQL(
            "copy (select {} from {} where {} order by {}) to stdout with (format csv, delimiter {})"
        ).format(
            sql.SQL(", ").join(cells),
            self._source,
            self._since(types, offer, memory),
            sql.SQL(", ").join(map(sql.Identifier, self._key_columns)),
            sql.Literal(self.contract.delimiters[0]),
        )

    def _cell(self, header: str, column: str, type_number: int) -> sql.Composable:
        """A column, as the contract reads it: a date in its first format. What is no day at all stays as it is."""
        wanted = next((c for c in self.contract.columns if normalised(header) in map(normalised, c.headers)), None)
        cell = sql.Identifier(column)
        if wanted is None or wanted.type != "date" or type_number not in _DATE_TYPES:
            return cell
        text = sql.SQL("to_char({}, {})").format(cell, sql.Literal(_DATE_FORMATS[wanted.formats[0]]))
        if wanted.formats[0] == "urssaf":
            text = sql.SQL("({}::int - 19000000)::text").format(text)
        return sql.SQL("case when isfinite({0}) then {1} else {0}::text end").format(cell, text)

    def _since(self, types: dict[str, int], offer: Offer, memory: Memory) -> sql.Composable:
        """Rows up to the offered mark, from the last one less the overlap on; rows without a mark come each time."""
        watermark, last = self.settings.watermark, memory.position.get("watermark")
        if watermark is None:
            return sql.SQL("true")
        column = sql.Identifier(watermark.column)
        condition = sql.SQL("{} <= {}").format(column, sql.Literal(offer.version))
        if last is not None:
            back = _OVERLAPS[types[watermark.column]].format(sql.Literal(watermark.overlap))
            type_name = sql.SQL(psycopg.adapters.types[types[watermark.column]].regtype)
            start = sql.SQL("{}::{} - {}").format(sql.Literal(last), type_name, back)
            condition = sql.SQL("{} and {} >= {}").format(condition, column, start)
        return sql.SQL("(({}) or {} is null)").format(condition, column)

    def _last_mark(self, connection: psycopg.Connection) -> str | None:
        assert self.settings.watermark is not None
        row = connection.execute(
            sql.SQL("select max({})::text from {}").format(sql.Identifier(self.settings.watermark.column), self._source)
        ).fetchone()
        return row[0] if row else None

    def _types(self, connection: psycopg.Connection) -> dict[str, int]:
        """Type number of each column of the table or query.

        Raises:
            PeerFault: a column of the settings is not there.
        """
        described = connection.execute(sql.SQL("select * from {} limit 0").format(self._source)).description or []
        types = {column.name: column.type_code for column in described}
        wanted = [
            *self.settings.columns.values(),
            *([self.settings.watermark.column] if self.settings.watermark else []),
        ]
        if absent := sorted(set(wanted) - set(types)):
            raise PeerFault(f"colonne absente de la base : {', '.join(absent)}")
        return types

    @property
    def _key_columns(self) -> list[str]:
        """Columns that make the order of the rows, so that the same rows make the same bytes."""
        keys = {normalised(h) for c in self.contract.columns if c.name in self.contract.key for h in c.headers}
        found = [column for header, column in self.settings.columns.items() if normalised(header) in keys]
        return list(dict.fromkeys(found)) or list(self.settings.columns.values())

    @property
    def _name(self) -> str:
        return self.settings.table or self.settings.file_name

    @property
    def _source(self) -> sql.Composable:
        if self.settings.table is not None:
            return sql.SQL("{} as source").format(sql.Identifier(*self.settings.table.split(".")))
        assert self.settings.query is not None
        # Written by the owner of this instance; the session may only read, whatever it says.
        return sql.SQL("({}) as source").format(sql.SQL(self.settings.query))

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        timeout = self._seconds * 1000
        try:
            with psycopg.connect(
                host=self.settings.host,
                port=self.settings.port,
                dbname=self.settings.database,
                user=self.settings.user,
                # Never the password of our own database, which the environment of this process may hold.
                password=self.settings.password.value() if self.settings.password else "",
                passfile=os.devnull,
                sslmode=self.settings.sslmode,
                sslrootcert=str(self.settings.sslrootcert) if self.settings.sslrootcert else None,
                connect_timeout=10,
                application_name="vigie-connecteur",
                client_encoding="utf-8",
                keepalives_idle=30,
                # Days of a timestamp with time zone are French days.
                options=f"-c statement_timeout={timeout} -c timezone=Europe/Paris -c datestyle=ISO -c lc_time=C",
            ) as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield connection
        except psycopg.errors.QueryCanceled as error:
            raise PeerFault(f"lecture interrompue après {self._seconds} s") from error
        except psycopg.Error as error:
            raise PeerFault(f"base : {type(error).__name__} : {str(error).strip()[:500]}") from error


def _stamp(version: str) -> str:
    """A mark as a part of a file name: '2026-11-20 08:15:00.25+01' gives '2026-11-20T081500.25'."""
    return "".join(sign for sign in version.replace(" ", "T").partition("+")[0] if sign.isalnum() or sign in "-.")
