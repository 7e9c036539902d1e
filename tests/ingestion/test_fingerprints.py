"""The quick road of a load (hashes, direct COPY, reading ahead) gives what the slow one gives."""

from __future__ import annotations

import random
from collections.abc import Generator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from delivery_base import Base

from expectations.contract import load_contracts
from ingestion import ingest as ingest_module
from ingestion import load as load_module
from ingestion.ahead import ahead
from ingestion.fingerprints import KnownRows, Marks, SeenKeys, marks_of

COTISATION = load_contracts()["urssaf__cotisation"]
HEADER = "Siret;Compte;periode;mer;enc_direct;cotis_due"
DAYS = [date(2026, month, 15) for month in range(1, 6)]


def marks(keys: list[int]) -> Marks:
    key = np.array(keys, dtype=np.uint64)
    return Marks(key, np.zeros(len(keys), dtype=np.uint32), key)


@pytest.mark.parametrize("run_max", [100, 10**6])
def test_a_repeated_key_points_to_its_first_line_within_and_across_batches(
    run_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are merged as they grow, up to a size: the first line must not be forgotten, nor replaced by a later one."""
    monkeypatch.setattr("ingestion.fingerprints._RUN_MAX", run_max)
    draw = random.Random(20260115)
    seen, first, line = SeenKeys(), {}, 0
    for _ in range(60):
        keys = [draw.randrange(400) for _ in range(draw.randrange(0, 30))]
        lines = list(range(line + 1, line + 1 + len(keys)))
        line += len(keys)
        expected = []
        for key, number in zip(keys, lines, strict=True):
            expected.append(first.get(key, 0))
            first.setdefault(key, number)
        assert seen.first_lines(marks(keys), np.array(lines, dtype=np.int64)).tolist() == expected


def test_two_keys_with_the_same_hash_are_left_to_the_server() -> None:
    assert KnownRows.build([(marks([1, 2, 1]), np.arange(3))], 1) is None
    known = KnownRows.build([(marks([3, 1]), np.array([30, 10])), (marks([2]), np.array([20]))], 1)
    assert known is not None
    assert known.unchanged(marks([2, 9])).tolist() == [True, False]
    assert known.absent().tolist() == [10, 30]


def amounts(texts: list[str | None]) -> list[int]:
    rows = pl.DataFrame({"cotisation_due_eur": texts}, schema={"cotisation_due_eur": pl.String})
    others = [pl.lit(None, dtype=pl.String).alias(c.name) for c in COTISATION.columns if c.name not in rows.columns]
    return marks_of(rows.with_columns(others), COTISATION).content.tolist()


def test_an_amount_has_one_writing_and_different_amounts_have_different_ones() -> None:
    """A file says 12.5 or 1250e-2, PostgreSQL 12.50; beyond the precision of a double, texts are compared."""
    same = amounts(["12.5", "12.50", "1250e-2", "012.5"])
    assert len(set(same)) == 1
    long = amounts(["12.5", "12.51", None, "0", "9007199254740993.00", "9007199254740992.00", "9007199254740993"])
    assert len(set(long)) == 7


def deliveries() -> list[str]:
    """Five stocks of 300 keys: changed, new and removed rows, repeated keys, unreadable cells."""
    draw = random.Random(7)
    amount = {key: f"{draw.randrange(10**6) / 100:.2f}" for key in range(300)}
    texts = []
    for _ in DAYS:
        lines = [HEADER]
        for key in sorted(amount):
            wrong = draw.random()
            period = "202050" if wrong < 0.01 else f"20{20 + key % 4}{key % 3 + 1}0"
            due = "x" if 0.01 < wrong < 0.03 else amount[key]
            lines.append(f"01234567400019;{key:018d};{period};{key % 2};;{due}")
            if 0.03 < wrong < 0.05:
                lines.append(lines[-1])
        texts.append("\n".join(lines) + "\n")
        for key in draw.sample(sorted(amount), 20):
            amount[key] = amount[key].rstrip("0") if draw.random() < 0.5 else f"{draw.randrange(10**6) / 100:.1f}"
        for key in draw.sample(sorted(amount), 10):
            del amount[key]
        amount[1000 + len(texts)] = "1.5"
    return texts


def cotisations(base: Base) -> list[tuple[Any, ...]]:
    """Every version, without the number of its delivery."""
    return base.query(
        "select _known_from::text, _known_to::text, _line, compte, periode_debut, mise_en_recouvrement, "
        "cotisation_due_eur from raw.urssaf__cotisation order by compte, 1, 2, 3"
    )


def test_comparing_here_or_on_the_server_gives_the_same_versions(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[Any] = []
    read: list[KnownRows | None] = []
    real = load_module.read_known
    monkeypatch.setattr(load_module, "read_known", lambda *a: read.append(real(*a)) or read[-1])
    for minimum in (0, 10**9):
        monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", minimum)
        base_accounts = [
            base.deliver(text, "sigfaible_cotisdues.csv", received=day)
            for text, day in zip(deliveries(), DAYS, strict=True)
        ]
        accounts = [(a.loaded, a.unchanged, a.rejects_by_rule, a.rows_opened, a.rows_closed) for a in base_accounts]
        results.append((accounts, cotisations(base)))
        base.execute("truncate raw.urssaf__cotisation, ingest.delivery, ingest.rejected_row")
        base.execute("analyze raw.urssaf__cotisation")
    assert len(read) == len(DAYS) - 1
    assert None not in read
    assert results[0] == results[1]
    assert all(account[0] and account[4] for account in results[0][0][1:])


def test_a_table_rewritten_after_it_was_read_is_compared_on_the_server(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VACUUM FULL moves rows: an address read before it would close another row."""
    monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", 0)
    first, second = deliveries()[:2]
    base.deliver(first, "sigfaible_cotisdues.csv", received=DAYS[0])
    real = load_module.read_known

    def rewritten(*arguments: Any) -> KnownRows | None:
        known = real(*arguments)
        base.execute("vacuum full raw.urssaf__cotisation")
        return known

    monkeypatch.setattr(load_module, "read_known", rewritten)
    account = base.deliver(second, "sigfaible_cotisdues.csv", received=DAYS[1])
    assert account.rows_closed
    moved = cotisations(base)
    base.execute("truncate raw.urssaf__cotisation, ingest.delivery, ingest.rejected_row")
    monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", 10**9)
    base.deliver(first, "sigfaible_cotisdues.csv", received=DAYS[0])
    base.deliver(second, "sigfaible_cotisdues.csv", received=DAYS[1])
    assert moved == cotisations(base)


def test_characters_that_copy_gives_a_meaning_to_are_stored_as_they_are(base: Base) -> None:
    r"""The text format of COPY reads \N as null, \t as a tabulation: cells must come out as they came in."""
    names = [r"\N", r"A\tB", "A\tB", "A\nB", "\\", r"\.", 'guillemet "droit"', "x"]
    sirens = [f"{n:09d}" for n in range(1, len(names) + 1)]
    header = (
        "siren,denominationUniteLegale,categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,"
        "nomenclatureActivitePrincipaleUniteLegale,dateCreationUniteLegale,etatAdministratifUniteLegale,"
        "nomUniteLegale,prenom1UniteLegale,nicSiegeUniteLegale\n"
    )
    for received, end in ((DAYS[0], "00019"), (DAYS[1], "00027")):  # straight into the table, then through a staging
        text = header
        for siren, name in zip(sirens, names, strict=True):
            quoted = name.replace('"', '""')
            text += f'{siren},"{quoted}",5710,43.21A,NAFRev2,2015-01-01,A,,,{end}\n'
        account = base.deliver(text, "StockUniteLegale_utf8.csv", received=received, identity="format")
        assert (account.loaded, account.rejected) == (len(names), 0)
        assert base.open_rows("insee__unite_legale", "denomination, nom, nic_siege", "siren") == [
            (name, None, end) for name in names
        ]


def test_the_first_delivery_knows_each_row_from_its_own_date_plus_the_lag(base: Base) -> None:
    """Computed here for a direct load, on the server for the second file of the day."""
    header = "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n"
    for name, siren in (("paydex_1.csv", "012345674"), ("paydex_2.csv", "023456783")):
        base.deliver(f"{header}{siren};2;x;15/12/2018\n{siren};2;x;10/01/2026\n", name, received=DAYS[0])
    assert (
        base.open_rows("altares__paydex", "_known_from", "siren, date_valeur")
        == [
            (date(2019, 1, 14),),
            (DAYS[0],),
        ]
        * 2
    )


def test_reading_ahead_keeps_the_order_and_raises_in_the_caller() -> None:
    def numbers() -> Generator[int, None, None]:
        yield from range(50)
        raise KeyError("la fin")

    batches = ahead(numbers())
    assert [next(batches) for _ in range(50)] == list(range(50))
    with pytest.raises(KeyError, match="la fin"):
        next(batches)


def test_a_caller_who_stops_early_closes_what_is_read_ahead() -> None:
    """A file left open would keep its folder busy, a thread left running the process."""
    closed = []

    def numbers() -> Generator[int, None, None]:
        try:
            yield from range(10**9)
        finally:
            closed.append(True)

    batches = ahead(numbers())
    assert next(batches) == 0
    batches.close()
    assert closed == [True]
