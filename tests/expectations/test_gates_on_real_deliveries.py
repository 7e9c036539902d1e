"""Gate 1 on deliveries that were really read and loaded, with the tables that `ingestion` really makes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from expectations.contract import load_contracts
from expectations.gates import gate_raw
from ingestion.database import create_schemas
from ingestion.ingest import ingest_file
from simulation import simulate


def test_no_clean_delivery_of_the_simulated_region_is_refused(database_url: str, tmp_path: Path) -> None:
    """One bad line in a small file, then a new URSSAF layout that corrects every row, were refused for nothing."""
    contracts = load_contracts()
    simulate(tmp_path, companies=200, months=60, seed=7)
    create_schemas(database_url, contracts)
    refused, judged = [], set()
    for folder in sorted((tmp_path / "deliveries").iterdir())[:2]:
        deliveries: dict[str, list[int]] = {}
        for path in sorted(folder.iterdir()):
            account = ingest_file(database_url, path, received_on=date.fromisoformat(folder.name), contracts=contracts)
            if account.source is not None:
                deliveries.setdefault(account.source, []).append(account.delivery_id)
        for source, ids in deliveries.items():
            result = gate_raw(database_url, contracts[source], ids)
            judged.add(source)
            refused += [] if result.passed else [result.summary_fr()]
    assert not refused, "\n".join(refused)
    assert judged == {name for name, contract in contracts.items() if not contract.optional}
