"""Lines that wait in quarantine, written back as a file, and what becomes of them when that file is loaded.

A replay is a delivery of its own: the reader, the rules and the accounting are those of any file. Only three things
are special: it never overrules what a later delivery said of a key, its lines no longer wait under the delivery that
they came with, and it is undone when it brings nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from expectations.contract import Contract
from ingestion.content import Refusal
from ingestion.database import raw_table

#: Whatever the contract says, these lines stay refused: their text is damaged, or only their producer can choose.
FINAL_RULES = (
    "archive",
    "caractere_nul",
    "cle_en_double",
    "encodage",
    "fichier_illisible",
    "fichier_modifie",
    "fichier_tronque",
    "guillemet_mal_place",
    "guillemet_non_ferme",
    "ligne_trop_longue",
    "stock_partiel",
)
OVERRULED = "depassee"

# Lines of a delivery and of its replays that wait: %(delivery)s is the delivery that the file came with.
_WAITING = """
    from ingest.rejected_row as r inner join ingest.delivery as d using (delivery_id)
    where (d.delivery_id = %(delivery)s or d.replay_of = %(delivery)s)
        and d.status in ('loaded', 'refused') and r.kind = 'rejet' and r.replayed_by is null
        and r.rule <> all(%(final)s)
"""


@dataclass(frozen=True)
class Taken:
    """The waiting lines of a delivery. `partial`: the others of its file were loaded; else it was refused whole."""

    delivery_id: int
    partial: bool

    @property
    def _parameters(self) -> dict[str, object]:
        return {"delivery": self.delivery_id, "final": list(FINAL_RULES)}

    def write(self, connection: psycopg.Connection, header: str, path: Path) -> int:
        """Writes the lines as a file, each at the physical line it had; returns how many there are.

        The byte order mark says the encoding, whatever those of the contract.
        """
        count, at = 0, 2
        with path.open("w", encoding="utf-8-sig", newline="\n") as file, connection.cursor("waiting") as cursor:
            file.write(_original(header) + "\n")
            query = sql.SQL("select r.line, r.raw_text {} order by r.line").format(sql.SQL(_WAITING))
            for line, raw in cursor.execute(query, self._parameters):
                file.write("\n" * (line - at) + _original(raw) + "\n")
                at = line + raw.count("\n") + 1
                count += 1
        return count

    def set_aside(self, connection: psycopg.Connection, contract: Contract, replay_id: int) -> Counter[tuple[str, str]]:
        """Takes out of `incoming` the lines whose key was told since, by this file or a later one; their rejects."""
        key = _equal(contract.key, "i", "r")
        same = _equal([column.name for column in contract.columns], "i", "o", "is not distinct from")
        connection.execute(
            sql.SQL(
                "create temp table overruled on commit drop as select distinct i._line from incoming i "
                "join {table} r on {key} join ingest.delivery d on d.delivery_id = r._delivery_id "
                "join ingest.delivery root on root.delivery_id = %(delivery)s "
                "where (d.received_on, d.delivery_id) >= (root.received_on, root.delivery_id) "
                "and not exists (select from {table} o where o._known_to = 'infinity' and {same})"
            ).format(table=raw_table(contract), key=key, same=same),
            self._parameters,
        )
        connection.execute("delete from incoming where _line in (select _line from overruled)")
        rejected = connection.execute(
            sql.SQL(
                "insert into ingest.rejected_row (delivery_id, line, rule, message, raw_text) "
                "select %(replay)s, r.line, %(rule)s, d.file_name || ', ligne ' || r.line || "
                "' : clé apportée depuis par une autre ligne ou une autre livraison (règle ' || %(rule)s || ')', "
                "r.raw_text {waiting} and d.delivery_id <> %(replay)s and r.line in (select _line from overruled) "
                "on conflict (delivery_id, line) do update "
                "set kind = 'rejet', column_name = null, value = null, rule = excluded.rule, message = excluded.message"
            ).format(waiting=sql.SQL(_WAITING)),
            self._parameters | {"replay": replay_id, "rule": OVERRULED},
        ).rowcount
        return Counter({("rejet", OVERRULED): rejected})

    def settle(self, connection: psycopg.Connection, replay_id: int, lines: int) -> None:
        """Marks the lines as replayed; Refusal when none of the `lines` passes, so that nothing is recorded."""
        still = connection.execute(
            "select count(*) from ingest.rejected_row where delivery_id = %s and kind = 'rejet'", [replay_id]
        ).fetchone()
        if still is not None and still[0] == lines:
            raise Refusal("rien_a_reprendre", "aucune ligne ne passe sous le contrat d'aujourd'hui")
        connection.execute(
            sql.SQL(
                "update ingest.rejected_row set replayed_by = %(replay)s where (delivery_id, line) in "
                "(select r.delivery_id, r.line {}) and delivery_id <> %(replay)s"
            ).format(sql.SQL(_WAITING)),
            self._parameters | {"replay": replay_id},
        )


def _original(text: str) -> str:
    return text.replace("␀", "\0")


def _equal(names: list[str] | tuple[str, ...], left: str, right: str, operator: str = "=") -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} {} {}").format(sql.Identifier(left, name), sql.SQL(operator), sql.Identifier(right, name))
        for name in names
    )
