"""The debt of the marts against a second calculation in Python, to the cent, on random lives of accounts.

The lives hold what goes wrong in real files: events out of order, corrections, withdrawals, an account that moves to another
establishment or another company, two layouts (with and without SIRET), two accounts with the same period and number.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dbt_warehouse import Warehouse

FOREVER = date.max
SIRENS = [f"0000{i:05d}" for i in range(300, 330)]
MONTHS = [date(2019 + m // 12, m % 12 + 1, 1) for m in range(30)]
FIRST, LAST = MONTHS[6], MONTHS[29]
MAX_AGE = 62


@dataclass(frozen=True)
class Event:
    """One line of the file: the balance of an ecart after an event, known during [known, until)."""

    compte: str
    periode: date
    ecart: str
    rank: int
    treated: date
    ouvriere: Decimal
    patronale: Decimal
    siret: str | None
    known: date
    until: date


@dataclass(frozen=True)
class Joined:
    """An account joined an establishment on a day, known from another."""

    compte: str
    siret: str
    on: date
    known: date


def _siret(siren: str, rank: int) -> str:
    return f"{siren}{rank:05d}"


def _euros(dice: random.Random) -> Decimal:
    return Decimal(dice.choice([0, dice.randrange(1, 500_000)])) / 100


def _lives(dice: random.Random) -> tuple[list[Event], list[Joined]]:
    events: list[Event] = []
    joined: list[Joined] = []
    for number in range(50):
        compte, siren = f"K{number:02d}", dice.choice(SIRENS)
        siret = _siret(siren, dice.randrange(1, 3))
        moves = [Joined(compte, siret, date(2015, 1, 1), date(2015, 1, 12))]
        for _ in range(dice.choice([0, 0, 1, 2])):
            on = date(2019, 1, 5) + timedelta(days=dice.randrange(800))
            target = siren if dice.random() < 0.6 else dice.choice([*SIRENS, "000099999"])
            known = on + timedelta(days=dice.randrange(5, 70))
            moves.append(Joined(compte, _siret(target, dice.randrange(1, 4)), on, known))
        joined += list({move.on: move for move in moves}.values())
        says_siret = dice.random() < 0.6
        for month in MONTHS:
            for ecart in dice.sample(["101", "102"], dice.choice([0, 0, 0, 1, 2])):
                events += _ecart(dice, compte, month, ecart, siret if says_siret else None)
    return events, joined


def _ecart(dice: random.Random, compte: str, month: date, ecart: str, siret: str | None) -> Iterator[Event]:
    treated = month + timedelta(days=dice.randrange(10, 60))
    for rank in range(1, dice.randrange(2, 6)):
        known = treated + timedelta(days=dice.choice([1, 4, 11, 11, 45]))
        shape = (compte, month, ecart, rank, treated)
        luck = dice.random()
        until = FOREVER if luck < 0.8 else known + timedelta(days=dice.randrange(3, 200))
        yield Event(*shape, _euros(dice), _euros(dice), siret, known, until)
        if 0.8 <= luck < 0.93:
            yield Event(*shape, _euros(dice), _euros(dice), siret, until, FOREVER)
        # Out of order: a later rank may be treated earlier.
        treated += timedelta(days=dice.randrange(-15, 60))


def _accounting_month(treated: date) -> date:
    first = treated.replace(day=1)
    return first if treated.day <= 20 else (first + timedelta(days=31)).replace(day=1)


def _last_day(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


def _holder(joined: list[Joined], event: Event, end: date) -> str | None:
    """Establishment that owes: the last that the account joined, by `end`, when it did so after the period began."""
    known = sorted((j for j in joined if j.known <= end), key=lambda j: j.on)
    if not known:
        return event.siret
    in_force = [known[0], *(j for j in known[1:] if j.on <= end)][-1]
    if event.siret is not None and (in_force is known[0] or in_force.on <= event.periode):
        return event.siret
    return in_force.siret


def _oracle(events: list[Event], joined: list[Joined]) -> dict[tuple[date, str, str], tuple[Decimal, Decimal]]:
    """(month, compte, siret) to the open balances, parts ouvrière and patronale."""
    by_account: dict[str, list[Joined]] = defaultdict(list)
    for entry in joined:
        by_account[entry.compte].append(entry)
    balances: dict[tuple[date, str, str], tuple[Decimal, Decimal]] = {}
    for month in MONTHS:
        if not FIRST <= month <= LAST:
            continue
        end = _last_day(month)
        speaking: dict[tuple[str, date, str], Event] = {}
        for event in events:
            if event.known <= end < event.until and _accounting_month(event.treated) <= month:
                key = (event.compte, event.periode, event.ecart)
                if key not in speaking or event.rank > speaking[key].rank:
                    speaking[key] = event
        for event in speaking.values():
            siret = _holder(by_account[event.compte], event, end)
            if siret is not None:
                po, pp = balances.get((month, event.compte, siret), (Decimal(0), Decimal(0)))
                balances[month, event.compte, siret] = (po + event.ouvriere, pp + event.patronale)
    return balances


def _raw(event: Event) -> dict[str, Any]:
    return {
        "siret": event.siret, "siren": event.siret and event.siret[:9], "compte": event.compte,
        "periode_debut": event.periode, "periode_fin": (event.periode + timedelta(days=31)).replace(day=1),
        "numero_ecart_negatif": event.ecart, "numero_historique": event.rank, "date_traitement": event.treated,
        "part_ouvriere_eur": event.ouvriere, "part_patronale_eur": event.patronale,
        "known": (event.known, "infinity" if event.until == FOREVER else event.until),
    }  # fmt: skip


Lives = tuple[list[Event], list[Joined]]


@pytest.fixture(scope="module")
def lives() -> Lives:
    return _lives(random.Random(20_20))


@pytest.fixture(scope="module")
def built(warehouse: Warehouse, lives: Lives) -> Warehouse:
    events, joined = lives
    warehouse.write("urssaf__debit", map(_raw, events))
    warehouse.write(
        "urssaf__compte",
        [
            {"compte": j.compte, "siren": j.siret[:9], "siret": j.siret, "date_creation": j.on, "known": j.known}
            for j in joined
        ],
    )
    warehouse.write(
        "urssaf__effectif_ent",
        [
            {"siren": siren, "periode": month, "effectif": 20, "known": month + timedelta(days=20)}
            for siren in SIRENS
            for month in MONTHS
        ],
    )
    warehouse.features(f"{FIRST}", f"{LAST}")
    return warehouse


def test_the_debt_of_an_account_is_the_sum_of_its_open_balances(built: Warehouse, lives: Lives) -> None:
    """Every account, every month, every establishment that held it: a balance counted twice, or left behind, shows here."""
    expected = {
        (month, compte, siret): amounts
        for (month, compte, siret), amounts in _oracle(*lives).items()
        if siret[:9] in SIRENS and any(amounts)
    }
    rows = built.query(
        "select month, compte, siret, sum(part_ouvriere_eur), sum(part_patronale_eur)"
        " from intermediate.int_debit__segment"
        " inner join intermediate.int_month on month_index >= valid_from and month_index < valid_to"
        " group by 1, 2, 3 having sum(part_ouvriere_eur) <> 0 or sum(part_patronale_eur) <> 0"
    )
    assert {(month, compte, siret): (po, pp) for month, compte, siret, po, pp in rows} == expected
    assert len(expected) > 500


def test_the_debt_of_a_company_is_the_sum_of_its_accounts(built: Warehouse, lives: Lives) -> None:
    """At any month, to the cent; unknown, never zero and never prolonged, when the file is older than its freshness."""
    debts: dict[tuple[date, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for (month, _, siret), (po, pp) in _oracle(*lives).items():
        debts[month, siret[:9]][0] += po
        debts[month, siret[:9]][1] += pp
    news = {event.known for event in lives[0]}
    expected = {}
    for month in (m for m in MONTHS if FIRST <= m <= LAST):
        end = _last_day(month)
        fresh = (end - max(day for day in news if day <= end)).days <= MAX_AGE
        for siren in SIRENS:
            expected[month, siren] = tuple(debts[month, siren]) if fresh else (None, None)
    rows = built.query(
        "select month, siren, dette_part_ouvriere_eur, dette_part_patronale_eur from marts.mart_company_month"
    )
    assert {(month, siren): (po, pp) for month, siren, po, pp in rows} == expected


def test_the_debt_of_an_establishment_is_that_of_the_accounts_it_holds(built: Warehouse, lives: Lives) -> None:
    """The last month of the range only; a debt left with the establishment that the account has quit shows here."""
    debts: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    indebted: dict[str, int] = defaultdict(int)
    for (month, _, siret), (po, pp) in _oracle(*lives).items():
        if month == LAST and siret[:9] in SIRENS:
            debts[siret][0] += po
            debts[siret][1] += pp
            indebted[siret] += bool(po or pp)
    rows = built.query(
        "select siret, nb_comptes_en_dette, dette_part_ouvriere_eur, dette_part_patronale_eur"
        f" from marts.mart_establishment_month where month = '{LAST}'"
    )
    assert {siret: (n, [po, pp]) for siret, n, po, pp in rows} == {s: (indebted[s], debts[s]) for s in debts}
    assert built.query("select distinct month from marts.mart_establishment_month") == [(LAST,)]
