"""From a delivered file to the raw tables, with every line accounted for.

Belongs here: recognising a delivery, decompressing, decoding and splitting it into records, checking and typing the
cells against the contract, comparing with what is known, opening and closing versions, the ledger of deliveries and
the quarantine. Does not belong here: what a source means (contracts are in `expectations`), what features need (dbt),
scheduling (`orchestration`), reports. No Dagster, no model.
"""
