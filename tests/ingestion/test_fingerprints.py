"""The quick road of a load (hashes, direct COPY, reading ahead) gives what the slow one gives."""

from __future__ import annotations

import random
from collections.abc import Generator
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from delivery_base import Base

from ingestion import ingest as ingest_module
from ingestion import load as load_module
from ingestion.ahead import ahead
from ingestion.fingerprints import KnownRows, Marks, SeenKeys

HEADER = "Siret;Compte;periode;mer;enc_direct;cotis_due"
DAYS = [date(2026, month, 15) for month in range(1, 6)]


def marks(keys: list[int], *, spread: int = 1) -> Marks:
    key = np.array(keys, dtype=np.uint64) * np.uint64(spread)
    return Marks(key, np.zeros(len(keys), dtype=np.uint32), key)


@pytest.mark.parametrize("run_max", [100, 10**6], ids=["on disk", "in memory"])
@pytest.mark.parametrize("spread", [1, 0x9E3779B97F4A7C15], ids=["one word of the filter", "all words"])
def test_a_repeated_key_points_to_its_first_line_within_and_across_batches(
    run_max: int, spread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are merged and put on disk: the first line must not be forgotten, nor replaced by a later one."""
    monkeypatch.setattr("ingestion.fingerprints._RUN_MAX", run_max)
    draw = random.Random(20260115)
    seen, first, line = SeenKeys(10_000), {}, 0
    for _ in range(60):
        keys = [draw.randrange(400) for _ in range(draw.randrange(0, 30))]
        lines = list(range(line + 1, line + 1 + len(keys)))
        line += len(keys)
        expected = []
        for key, number in zip(keys, lines, strict=True):
            expected.append(first.get(key, 0))
            first.setdefault(key, number)
        assert seen.first_lines(marks(keys, spread=spread), np.array(lines, dtype=np.int64)).tolist() == expected


def test_versions_that_no_hash_tells_apart_are_left_to_the_server() -> None:
    """Two rows of one hash, or a row without any, loaded by an earlier version: never known, never forgotten."""
    hashes, addresses = np.array([5, 2, 5, 9], dtype=np.uint64), np.array([50, 20, 51, 90])
    known = KnownRows.build(hashes, addresses, np.array([7]))
    assert known.unchanged(np.array([9, 5, 3], dtype=np.uint64)).tolist() == [True, False, False]
    assert known.absent().tolist() == [7, 20, 50, 51]


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


@pytest.mark.parametrize("lost", ["null", "0", "_hash + 1"], ids=["never written", "all the same", "of another Polars"])
def test_hashes_that_say_nothing_change_no_version_and_are_written_again(
    base: Base, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade every row seems unknown: none may be closed or opened again for that, and once is enough."""
    monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", 0)
    results, sent = [], []
    real = load_module.apply_versions
    monkeypatch.setattr(
        load_module,
        "apply_versions",
        lambda connection, *a, **k: (
            sent.append(connection.execute("select count(*) from incoming").fetchone()[0]) or real(connection, *a, **k)
        ),
    )
    for damage in (None, lost):
        for position, (text, day) in enumerate(zip(deliveries(), DAYS, strict=True)):
            base.deliver(text, "sigfaible_cotisdues.csv", received=day)
            if damage and position == 1:
                base.execute(f"update raw.urssaf__cotisation set _hash = {damage}")
                base.execute("vacuum full raw.urssaf__cotisation")
        results.append(cotisations(base))
        base.execute("truncate raw.urssaf__cotisation, ingest.delivery, ingest.rejected_row")
        base.execute("analyze raw.urssaf__cotisation")
    assert results[0] == results[1]
    untouched, damaged = sent[: len(DAYS) - 1], sent[len(DAYS) - 1 :]
    assert damaged[0] == untouched[0]
    assert damaged[1] > 250 > 50 > untouched[1]
    assert max(damaged[2:]) < 50  # the versions of lines that were unreadable meanwhile seem unknown once more


def test_an_amount_written_otherwise_is_the_same_amount(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """12.5 this month, 12.50 the next: nothing changed, and no version may say so."""
    monkeypatch.setattr(ingest_module, "_KNOWN_ROWS_MIN", 0)
    line = "01234567400019;000000000000000001;202010;0;;"
    for day, amount, opened in (
        (DAYS[0], "12.5", 1),
        (DAYS[1], "12.50", 0),
        (DAYS[2], "012.5", 0),
        (DAYS[3], "12.51", 1),
    ):
        account = base.deliver(f"{HEADER}\n{line}{amount}\n", "sigfaible_cotisdues.csv", received=day)
        assert account.rows_opened == opened, amount
    assert base.open_rows("urssaf__cotisation", "cotisation_due_eur") == [(Decimal("12.51"),)]


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
