"""Short ways to deliver a file to a test database and to look at what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from expectations.contract import Contract
from ingestion.ingest import ingest_file
from ingestion.ledger import DeliveryAccount

OPEN = "select count(*) from raw.urssaf__debit where _known_to = 'infinity'"


@dataclass(frozen=True, repr=False)
class Base:
    """One database and a folder where deliveries land."""

    url: str
    folder: Path
    contracts: Mapping[str, Contract]

    def deliver(
        self, content: str | bytes | Path, name: str | None = None, received: date = date(2026, 1, 15), **options: Any
    ) -> DeliveryAccount:
        """Ingests a text (as UTF-8), bytes, or an existing file; the accounting equation is checked every time."""
        if isinstance(content, Path):
            path = content
        else:
            path = self.folder / (name or "sigfaible_debits.csv")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        account = ingest_file(self.url, path, received_on=received, contracts=self.contracts, **options)
        assert account.lines == account.loaded + account.unchanged + account.rejected + account.out_of_scope
        in_quarantine = self.query(
            "select count(*) filter (where kind = 'rejet'), count(*) filter (where kind = 'hors_perimetre') "
            "from ingest.rejected_row where delivery_id = %s",
            account.delivery_id,
        )[0]
        assert in_quarantine == (account.rejected, account.out_of_scope)
        return account

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, parameters).fetchall()  # type: ignore[arg-type]

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[arg-type]

    def open_rows(self, source: str, columns: str, order: str | None = None) -> list[tuple[Any, ...]]:
        return self.query(
            f"select {columns} from raw.{source} where _known_to = 'infinity' order by {order or '_delivery_id, _line'}"
        )

    def quarantine(self, account: DeliveryAccount) -> list[tuple[Any, ...]]:
        """(line, kind, column, rule, value, message, raw text) of each line kept apart."""
        return self.query(
            "select line, kind, column_name, rule, value, message, raw_text from ingest.rejected_row "
            "where delivery_id = %s order by line",
            account.delivery_id,
        )


def refused(base: Base, account: DeliveryAccount, rule: str, text: str) -> list[tuple[Any, ...]]:
    """The file is refused as a whole: reason in the ledger, each line in quarantine with its raw text."""
    assert account.status == "refused"
    assert text in account.reason
    assert account.reason.endswith(f"(règle {rule})")
    assert account.rejected == account.lines
    rows = base.quarantine(account)
    assert [row[3] for row in rows] == [rule] * account.lines
    assert base.query("select status, reason from ingest.delivery where delivery_id = %s", account.delivery_id) == [
        ("refused", account.reason)
    ]
    return rows
