"""The fictional companies, their establishments and their URSSAF accounts, before anything happens to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.nomenclature import (
    ACTIVITIES,
    COMMUNES,
    EXCLUDED_NAF,
    IN_REGION,
    LEGAL_FORMS,
    PUBLIC_FORM,
    PUBLIC_NAF,
    SOLE_TRADER,
)
from simulation.timeline import NEVER, Timeline

# Coprime with the range, so that consecutive companies get scattered and distinct numbers.
_SCATTER, _RANGE, _LOWEST = 3_704_957, 9_980_001, 10_000


@dataclass(frozen=True)
class Population:
    """A block of ``n`` companies; arrays are indexed by company unless said.

    ``number`` rank in the whole region; ``birth`` date of creation; ``birth_month`` its month index (negative: before
    the first month); ``size`` headcount around which the company turns; ``accounts`` 1 or 2; ``move_month`` month of
    the head office's move (-1: none). Establishments (``site_*``) are flat arrays, sorted by company then rank.
    """

    number: np.ndarray
    siren: np.ndarray
    activity: np.ndarray
    legal: np.ndarray
    name: np.ndarray
    birth: np.ndarray
    birth_month: np.ndarray
    size: np.ndarray
    accounts: np.ndarray
    move_month: np.ndarray
    site_company: np.ndarray
    site_rank: np.ndarray
    site_siret: np.ndarray
    site_commune: np.ndarray
    site_open: np.ndarray
    site_close: np.ndarray
    site_head: np.ndarray
    site_share: np.ndarray
    site_account: np.ndarray

    @property
    def n(self) -> int:
        """Number of companies."""
        return len(self.number)

    def head_at(self, company: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Index, in the establishment arrays, of the head office of each of ``company`` on each ``day``."""
        first, last = np.flatnonzero(self.site_rank == 1)[company], self.head_site[company]
        return np.where(self.site_open[last] <= day, last, first)

    @property
    def head_site(self) -> np.ndarray:
        """Index of the last head office of each company in the establishment arrays."""
        return np.flatnonzero(self.site_head)


def luhn_digit(number: np.ndarray) -> np.ndarray:
    """Digit which, appended to ``number`` (non-negative integers), makes it pass Luhn's check."""
    total, rest, double = np.zeros_like(number), number.copy(), True
    while rest.any():
        digit = rest % 10
        digit = np.where(double, np.where(digit > 4, 2 * digit - 9, 2 * digit), digit)
        total, rest, double = total + digit, rest // 10, not double
    return (10 - total % 10) % 10


def padded(values: np.ndarray, width: int) -> np.ndarray:
    """Non-negative integers as text of ``width`` digits, zeros in front (numpy's own ``zfill`` refuses empty arrays)."""
    text = values.astype(f"U{width}")
    return np.char.zfill(text, width) if len(text) else text


def make_siren(number: np.ndarray, seed: int) -> np.ndarray:
    """Distinct nine-digit identifiers starting with ``0`` (no real company has one) that pass Luhn; text."""
    body = _LOWEST + (number.astype(np.int64) * _SCATTER + seed * 7_919) % _RANGE
    value = body * 10 + luhn_digit(body)
    return padded(value, 9)


def make_siret(siren: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """SIRET of the ``rank``-th establishment of each company: SIREN, four digits of rank, Luhn digit; text."""
    body = siren.astype(np.int64) * 10_000 + rank
    return padded(body * 10 + luhn_digit(body), 14)


def make_population(first: int, n: int, timeline: Timeline, seed: int, rng: np.random.Generator) -> Population:
    """Companies ``first`` .. ``first + n - 1`` of the region of ``seed``; draws only from ``rng``."""
    number = np.arange(first, first + n)
    siren = make_siren(number, seed)
    weights = np.array([a.weight for a in ACTIVITIES])
    activity = rng.choice(len(ACTIVITIES), n, p=weights / weights.sum())
    legal = _legal_forms(activity, rng)
    birth, birth_month = _births(n, timeline, rng)
    factor = np.array([a.size for a in ACTIVITIES])[activity]
    medium = rng.random(n) < 0.74
    size = np.where(medium, 11.5 + np.exp(rng.normal(1.6, 1.05, n)) * factor, 1.0 + rng.gamma(1.6, 2.0, n))
    size = np.where(legal == SOLE_TRADER, np.minimum(size, rng.uniform(1, 14, n)), size)
    size = np.minimum(size, 900.0)
    accounts = np.where((rng.random(n) < 0.14) & (size > 15), 2, 1)
    sites = _sites(siren, size, birth, birth_month, accounts, timeline, rng)
    return Population(
        number, siren, activity, legal, _names(number, activity, legal), birth, birth_month, size, accounts, **sites
    )


def _legal_forms(activity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Legal categories; activities of the State get a commune's, the other excluded ones never a sole trader's."""
    codes = np.array([code for code, _, _ in LEGAL_FORMS])
    share = np.array([p for _, p, _ in LEGAL_FORMS])
    legal = rng.choice(codes, len(activity), p=share / share.sum())
    naf = np.array([a.naf for a in ACTIVITIES])[activity]
    legal = np.where(np.isin(naf, sorted(EXCLUDED_NAF)) & (legal == SOLE_TRADER), "5710", legal)
    return np.where(naf == PUBLIC_NAF, PUBLIC_FORM, legal)


def _births(n: int, timeline: Timeline, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dates of creation: most before the first month (ages skewed to the young), the rest spread over the period."""
    old = -(1 + np.minimum(rng.exponential(150, n), 900)).astype(int)
    young = rng.integers(0, max(timeline.months - 6, 1), n)
    month = np.where(rng.random(n) < 0.20 * min(timeline.months / 120, 1.5), young, old)
    start = np.datetime64("2016-01", "M") + month
    return start.astype("datetime64[D]") + rng.integers(0, 28, n), month


def _names(number: np.ndarray, activity: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """Fictional denominations; ``[ND]`` (the mark of INSEE for what is not disclosed) for natural persons."""
    suffix = {code: text for code, _, text in LEGAL_FORMS} | {PUBLIC_FORM: ""}
    names = [
        "[ND]" if code == SOLE_TRADER else f"SIMULEX {ACTIVITIES[a].word} {rank:04d} {suffix[code]}".rstrip()
        for rank, a, code in zip(number.tolist(), activity.tolist(), legal.tolist(), strict=True)
    ]
    return np.array(names)


@dataclass(frozen=True)
class _SiteKinds:
    """What each establishment is; ``rank`` counts from 1 without the later head office."""

    company: np.ndarray
    rank: np.ndarray
    secondary: np.ndarray
    old_head: np.ndarray
    new_head: np.ndarray
    second_account: np.ndarray


def _site_dates(
    sites: _SiteKinds, birth: np.ndarray, move_day: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Opening and closing of each establishment (NEVER: open); those that hold an account do not close alone."""
    company, n = sites.company, len(sites.company)
    opened = birth[company]
    opened = np.where(sites.secondary & (sites.rank > 2), opened + rng.integers(30, 2_000, n), opened)
    opened = np.where(sites.new_head, move_day[company], opened)
    closed = np.where(sites.old_head, move_day[company] - 1, NEVER)
    shuts = sites.secondary & ~sites.second_account & (rng.random(n) < 0.12)
    return opened, np.where(shuts, opened + rng.integers(400, 3_000, n), closed)


def _communes(company: np.ndarray, secondary: np.ndarray, new_head: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Commune of each establishment: the company's, or another one of the region; a few secondary ones lie far away."""
    m = len(company)
    weight = np.array([c.weight for c in COMMUNES])
    home = rng.choice(len(COMMUNES), company[-1] + 1, p=weight / weight.sum())
    other = rng.choice(len(COMMUNES), m, p=weight / weight.sum())
    far = secondary & (rng.random(m) < 0.02)
    elsewhere = (secondary | new_head) & (rng.random(m) < 0.45)
    return np.where(far, rng.integers(IN_REGION, len(COMMUNES), m), np.where(elsewhere, other, home[company]))


def _sites(
    siren: np.ndarray,
    size: np.ndarray,
    birth: np.ndarray,
    birth_month: np.ndarray,
    accounts: np.ndarray,
    timeline: Timeline,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Establishments: the first, a later head office for companies that move, secondary ones, some of which close."""
    n, months = len(siren), timeline.months
    moves = (rng.random(n) < 0.05) & (birth_month < months - 14)
    earliest = np.maximum(birth_month + 6, 2)
    move_month = np.where(moves, earliest + (rng.random(n) * (months - 5 - earliest)).astype(int), -1)
    secondary = np.minimum(rng.poisson(np.clip(np.log(size + 1) / 9, 0.05, 1.5)), 3)
    secondary = np.where(accounts == 2, np.maximum(secondary, 1), secondary)
    count = 1 + moves + secondary
    company = np.repeat(np.arange(n), count)
    rank = np.arange(len(company)) - np.repeat(np.cumsum(count) - count, count) + 1
    is_new_head = moves[company] & (rank == 2)
    is_old_head = moves[company] & (rank == 1)
    is_secondary = ~is_new_head & (rank > 1)
    commune = _communes(company, is_secondary, is_new_head, rng)
    second_account = (accounts[company] == 2) & (rank == 2 + moves[company])
    kinds = _SiteKinds(
        company, rank - moves[company] * (rank > 1), is_secondary, is_old_head, is_new_head, second_account
    )
    opened, closed = _site_dates(kinds, birth, timeline.first_days[np.maximum(move_month, 0)], rng)
    share = np.where(is_secondary, rng.uniform(0.05, 0.3, len(company)), 0.0)
    return {
        "move_month": move_month,
        "site_company": company,
        "site_rank": rank,
        "site_siret": make_siret(siren[company], rank),
        "site_commune": commune,
        "site_open": opened,
        "site_close": closed,
        "site_head": (rank == 1 + moves[company]),
        "site_share": share,
        "site_account": np.where(second_account, 1, 0),
    }
