"""Quarantine taken up again after a contract was corrected: what now passes is loaded, what does not stays there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from expectations.contract import Contract
from ingestion.content import Refusal
from ingestion.database import connect
from ingestion.ingest import ingest_file, recognise
from ingestion.ledger import DeliveryAccount
from ingestion.lines import Identity
from ingestion.quarantine import FINAL_RULES, Taken

# Deliveries that have waiting lines, oldest first, and what their replay depends on.
_CANDIDATES = """
select
    root.delivery_id,
    root.source,
    root.file_name,
    root.header,
    root.status = 'loaded' or exists (
        select from ingest.delivery as before where before.replay_of = root.delivery_id and before.status = 'loaded'
    ) as partial,
    (
        select min(later.delivery_id) from ingest.delivery as later
        where
            later.source = root.source
            and later.status = 'loaded'
            and later.delivery_id <> root.delivery_id
            and later.replay_of is distinct from root.delivery_id
            and (later.received_on, later.delivery_id) > (root.received_on, root.delivery_id)
    ) as later
from ingest.delivery as root
where
    root.replay_of is null
    and root.status in ('loaded', 'refused')
    and (%(delivery)s::bigint is null or root.delivery_id = %(delivery)s)
    and exists (
        select from ingest.rejected_row as r inner join ingest.delivery as d using (delivery_id)
        where
            (d.delivery_id = root.delivery_id or d.replay_of = root.delivery_id)
            and d.status in ('loaded', 'refused')
            and r.kind = 'rejet'
            and r.replayed_by is null
            and r.rule <> all(%(final)s)
    )
order by root.received_on, root.delivery_id
"""


@dataclass(frozen=True)
class Replay:
    """What became of the waiting lines of one delivery: the account of the new delivery, or (French) why there is none."""

    delivery_id: int
    source: str | None
    file_name: str
    account: DeliveryAccount | None
    reason: str | None


def replay_quarantine(
    url: str,
    *,
    received_on: date,
    contracts: Mapping[str, Contract],
    identity: Identity = "luhn",
    source: str | None = None,
    delivery_id: int | None = None,
    run_id: str | None = None,
    role: str | None = None,
) -> list[Replay]:
    """Reads again the refused lines of every delivery (of one `source`, or only `delivery_id`), oldest first.

    What passes is known from `received_on` (the day of the replay) as if a corrected file had come that day; a replay
    on the day of a first delivery is part of it. Of a stock only the latest file is taken up: a later one has replaced
    the others. Each replay is one transaction; one that brings nothing leaves no trace.
    """
    with connect(url, role=role) as connection:
        rows = connection.execute(_CANDIDATES, {"delivery": delivery_id, "final": list(FINAL_RULES)}).fetchall()
    done = []
    for root_id, recorded, file_name, header, partial, later in rows:
        contract = contracts.get(recorded) if recorded else recognise(Path(file_name), contracts)
        name = contract.name if contract else recorded
        if source is not None and name != source:
            continue
        account, reason = None, None
        if contract is None:
            reason = "aucun contrat ne reconnaît ce fichier"
        elif header is None:
            reason = "l'en-tête de ce fichier n'a pas été gardé : il faut le livrer de nouveau"
        elif contract.mode == "snapshot" and later is not None:
            reason = f"un stock plus récent a remplacé ce fichier (livraison {later})"
        else:
            # The lines that were refused are not the whole file: they close nothing, and no footer counts them.
            taken_under = contract.model_copy(update={"mode": "append", "footer": None}) if partial else contract
            try:
                account = _replay(
                    url, role, Taken(root_id, partial), header, file_name, taken_under, received_on, identity, run_id
                )
            except Refusal as refusal:
                reason = refusal.message
        done.append(Replay(root_id, name, file_name, account, reason))
    return done


def _replay(
    url: str,
    role: str | None,
    taken: Taken,
    header: str,
    file_name: str,
    contract: Contract,
    received_on: date,
    identity: Identity,
    run_id: str | None,
) -> DeliveryAccount:
    with tempfile.TemporaryDirectory(prefix="vigie-reprise-") as folder:
        path = Path(folder) / (Path(file_name).name or "reprise")
        with connect(url, role=role) as connection:
            taken.write(connection, header, path)
        return ingest_file(
            url,
            path,
            received_on=received_on,
            contracts={contract.name: contract},
            identity=identity,
            source=contract.name,
            run_id=run_id,
            role=role,
            taken=taken,
        )
