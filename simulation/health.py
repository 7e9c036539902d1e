"""The latent health of companies, month by month, and what becomes of them: help, procedures, closures.

Distress is a quality of the company plus a slow AR process (with momentum) and occasional shocks; the hazard of a
procedure follows its smoothed value, so that arrears, lay-offs and slow payments show some months before. A part of the
failures comes without warning, and help (délais, short-time work) lets some of the worst recover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.nomenclature import ACTIVITIES, LATER_YEARS, YEARLY_FAILURES
from simulation.population import Population
from simulation.timeline import NEVER, Timeline

KINDS = ("liquidation", "redressement", "sauvegarde")
STEPS = ("ouverture", "conversion", "plan", "cloture", "resolution")

# Tuned by measure (see tests/simulation/test_region.py): about 2 % of company-months at risk fail within 18 months, and
# the true distress ranks failures at 18 months with an AUC near 0.9.
PERSISTENCE, MOMENTUM = 0.98, 0.9  # companies decline and recover over quarters, not from one month to the next
STATE_DEVIATION = 1.1
INNOVATION = STATE_DEVIATION * np.sqrt(
    (1 - PERSISTENCE * MOMENTUM) * (1 - PERSISTENCE**2) * (1 - MOMENTUM**2) / (1 + PERSISTENCE * MOMENTUM)
)
BURN_IN = 120
SHOCK_RATE = 0.004
HAZARD_SLOPE = 3.0
HAZARD_LEVEL = 1.75e-5
HAZARD_UNFORESEEN = 6.0e-5
SURVIVORSHIP = 0.06
CLOSURE_RATE = 0.0011
NEVER_MONTH = 1_000_000


@dataclass(frozen=True)
class Fate:
    """What happened to the ``n`` companies of a block over ``T`` months.

    ``distress`` (n, T) latent state, high is bad; ``smooth`` (n, T) its average over some six months; ``hazard`` (n, T)
    monthly probability of a first procedure; ``active`` (n, T) has an activity; ``headcount`` (n, T) employees (0 when
    inactive). ``fail_month`` month of the first procedure (or NEVER_MONTH), ``fail_date`` its judgment,
    ``fail_kind`` index in KINDS. ``stop_month`` first month without activity; ``end_date`` end of the legal unit (NEVER:
    still there). ``delai_start`` and ``ap_start`` (n, T) booleans: help asked that month. ``steps``: see ``Steps``.
    """

    distress: np.ndarray
    smooth: np.ndarray
    hazard: np.ndarray
    active: np.ndarray
    headcount: np.ndarray
    fail_month: np.ndarray
    fail_date: np.ndarray
    fail_kind: np.ndarray
    stop_month: np.ndarray
    end_date: np.ndarray
    delai_start: np.ndarray
    ap_start: np.ndarray
    steps: Steps


@dataclass(frozen=True)
class Steps:
    """Judgments of all procedures: company, date, index in STEPS, index in KINDS (of the procedure then open)."""

    company: np.ndarray
    date: np.ndarray
    step: np.ndarray
    kind: np.ndarray


def failure_level(timeline: Timeline) -> np.ndarray:
    """Hazard of each month relative to 2016-19: published yearly levels, interpolated from mid-year to mid-year.

    The weakest leave first, so a closed population fails less and less: ``SURVIVORSHIP`` a year makes up for it.
    """
    years = np.arange(2015, int(timeline.years[-1]) + 2)
    levels = np.array([YEARLY_FAILURES.get(int(y), LATER_YEARS) for y in years])
    position = timeline.years + (timeline.calendar_month - 0.5) / 12
    level = np.interp(position, years + 0.5, levels)
    spring = (timeline.years == 2020) & (timeline.calendar_month >= 4) & (timeline.calendar_month <= 8)
    survivors = np.exp(SURVIVORSHIP * (np.minimum(np.arange(timeline.months) / 12, 10) - 5))
    settling = 1 - 0.45 * np.exp(-np.arange(timeline.months) / 15)  # nobody was screened before the first month
    return np.where(spring, 0.4, level) * survivors * settling


def pandemic(timeline: Timeline) -> np.ndarray:
    """Strength (0..1) of the 2020-21 restrictions in each month, for activities that can be shut."""
    strength = np.zeros(timeline.months)
    for year, month, value in (
        (2020, 3, 0.6), (2020, 4, 1.0), (2020, 5, 0.8), (2020, 6, 0.35), (2020, 7, 0.1), (2020, 10, 0.15),
        (2020, 11, 0.5), (2020, 12, 0.4),
        (2021, 1, 0.4), (2021, 2, 0.4), (2021, 3, 0.4), (2021, 4, 0.5), (2021, 5, 0.35),
    ):  # fmt: skip
        if 0 <= (index := timeline.index(year, month)) < timeline.months:
            strength[index] = value
    return strength


def live(people: Population, timeline: Timeline, rng: np.random.Generator) -> Fate:
    """Run the months of a block of companies; all draws come from ``rng`` in a fixed order."""
    n, months = people.n, timeline.months
    risk = np.array([a.risk for a in ACTIVITIES])[people.activity]
    quality = risk + rng.normal(0, 0.55, n)
    levels, covid = failure_level(timeline), pandemic(timeline)
    ap_taste = np.array([a.ap for a in ACTIVITIES])[people.activity]
    out = {name: np.zeros((n, months), dtype=np.float32) for name in ("distress", "smooth", "hazard")}
    delai, ap = np.zeros((n, months), dtype=bool), np.zeros((n, months), dtype=bool)
    fail_month, close_month = np.full(n, NEVER_MONTH), np.full(n, NEVER_MONTH)
    state, momentum = _settled(n, rng)
    smooth = quality + state
    help_left = np.zeros(n)
    size_effect = -0.12 * (np.log(people.size) - 3.0)
    for t in range(months):
        shock = (rng.random(n) < SHOCK_RATE) * rng.exponential(1.2, n)
        momentum = MOMENTUM * momentum + INNOVATION * rng.normal(0, 1, n)
        state = PERSISTENCE * state + momentum + shock - 0.06 * (help_left > 0) * (state > 0)
        z = quality + state + 0.25 * covid[t] * ap_taste
        smooth = 0.84 * smooth + 0.16 * z
        age = t - people.birth_month
        young = 0.35 * ((age > 12) & (age < 72))
        hazard = levels[t] * (HAZARD_UNFORESEEN + HAZARD_LEVEL * np.exp(HAZARD_SLOPE * smooth + young + size_effect))
        hazard = np.clip(hazard, 0, 0.25) * (age >= 6) * (risk > -2)
        alive = (fail_month == NEVER_MONTH) & (close_month == NEVER_MONTH) & (age >= 0)
        fails = alive & (rng.random(n) < hazard)
        closes = alive & ~fails & (age > 18) & (rng.random(n) < CLOSURE_RATE * (1 + 0.5 * (smooth > 1)) * (risk > -2))
        fail_month[fails], close_month[closes] = t, t
        out["distress"][:, t], out["smooth"][:, t], out["hazard"][:, t] = z, smooth, np.where(alive, hazard, 0)
        draw = rng.random((2, n))
        delai[:, t] = alive & (draw[0] < 0.03 / (1 + np.exp(-2.0 * (smooth - 1.6))))
        ap[:, t] = alive & (draw[1] < 0.05 * ap_taste / (1 + np.exp(-2.0 * (smooth - 1.5))))
        help_left = np.maximum(help_left - 1, 0) + 9 * delai[:, t] + 3 * ap[:, t]
    return _conclude(people, timeline, rng, out, delai, ap, fail_month, close_month)


def _settled(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """State and momentum drawn after a long run, so that the first months look like the later ones."""
    state, momentum = np.zeros(n), np.zeros(n)
    for _ in range(BURN_IN):
        momentum = MOMENTUM * momentum + INNOVATION * rng.normal(0, 1, n)
        state = PERSISTENCE * state + momentum
    return state, momentum


def _conclude(
    people: Population,
    timeline: Timeline,
    rng: np.random.Generator,
    out: dict[str, np.ndarray],
    delai: np.ndarray,
    ap: np.ndarray,
    fail_month: np.ndarray,
    close_month: np.ndarray,
) -> Fate:
    """Dates, kinds and following judgments of the procedures; then who is active when, and with how many employees."""
    n = people.n
    days = timeline.first_days
    failed = fail_month < NEVER_MONTH
    fail_date = np.where(failed, _weekday(days[np.where(failed, fail_month, 0)] + rng.integers(0, 28, n)), NEVER)
    fail_date = np.maximum(fail_date, people.birth + 100)
    small = people.size < 11
    draw = rng.random(n)
    fail_kind = np.where(draw < np.where(small, 0.72, 0.46), 0, np.where(draw < np.where(small, 0.97, 0.93), 1, 2))
    steps, stop_date, end_date = _procedures(failed, fail_date, fail_kind, rng)
    closed = close_month < NEVER_MONTH
    close_date = days[np.where(closed, close_month, 0)] + rng.integers(0, 28, n)
    end_date = np.where(closed, close_date, end_date)
    stop_date = np.where(closed, close_date, stop_date)
    stop_month = ((stop_date.astype("datetime64[M]") - days[0].astype("datetime64[M]")).astype(int) + 1).clip(
        0, NEVER_MONTH
    )
    month = np.arange(timeline.months)
    active = (month >= people.birth_month[:, None] + 1) & (month < stop_month[:, None])
    headcount = _headcount(people, timeline, out["smooth"], active, rng)
    return Fate(
        out["distress"], out["smooth"], out["hazard"], active, headcount, fail_month, fail_date, fail_kind, stop_month,
        end_date, delai, ap, steps,
    )  # fmt: skip


def _weekday(day: np.ndarray) -> np.ndarray:
    """Saturday and Sunday moved to Monday: courts do not sit."""
    rank = (day.astype("datetime64[D]").astype(int) + 3) % 7  # 0 = Monday
    return day + np.where(rank == 5, 2, np.where(rank == 6, 1, 0))


def _procedures(
    failed: np.ndarray, opening: np.ndarray, kind: np.ndarray, rng: np.random.Generator
) -> tuple[Steps, np.ndarray, np.ndarray]:
    """Judgments after the opening; the date when activity stops; the date when the legal unit ends (NEVER: goes on).

    Redressement and sauvegarde: six to twelve months of observation, then plan or conversion to liquidation; some plans
    are broken one to four years later. Liquidations close one to three years after they opened.
    """
    n = len(failed)
    company = np.arange(n)
    observed = _weekday(opening + rng.integers(150, 380, n))
    early = rng.random(n) < 0.25  # converted within weeks: nothing left to observe
    observed = np.where(early, _weekday(opening + rng.integers(25, 120, n)), observed)
    planned = (rng.random(n) < np.where(kind == 2, 0.62, 0.40)) & ~early & (kind > 0)
    converted = (kind > 0) & ~planned
    broken = planned & (rng.random(n) < 0.25)
    broken_on = _weekday(observed + rng.integers(300, 1_500, n))
    liquidated_on = np.where(kind == 0, opening, np.where(converted, observed, np.where(broken, broken_on, NEVER)))
    liquidated = failed & (liquidated_on < NEVER)
    closing = _weekday(np.where(liquidated, liquidated_on, opening) + rng.integers(330, 1_000, n))
    parts = (
        (failed, opening, 0, kind),
        (failed & converted, observed, 1, kind),
        (failed & planned, observed, 2, kind),
        (failed & broken, broken_on, 4, kind),
        (liquidated, closing, 3, np.zeros(n, dtype=int)),
    )
    steps = Steps(
        np.concatenate([company[m] for m, *_ in parts]),
        np.concatenate([d[m] for m, d, *_ in parts]),
        np.concatenate([np.full(m.sum(), s) for m, _, s, _ in parts]),
        np.concatenate([k[m] for m, _, _, k in parts]),
    )
    stop = np.where(liquidated, liquidated_on + rng.integers(5, 60, n), NEVER)
    end = np.where(liquidated, closing + rng.integers(0, 30, n), NEVER)
    return steps, stop, end


def _headcount(
    people: Population, timeline: Timeline, smooth: np.ndarray, active: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Employees by month: a level that erodes under distress, lay-offs by steps, summer season, rounding."""
    n, months = people.n, timeline.months
    season = np.array([a.season for a in ACTIVITIES])[people.activity]
    summer = np.cos((timeline.calendar_month - 7) / 12 * 2 * np.pi)
    target = np.log(people.size)
    level = target + rng.normal(0, 0.08, n)
    drift = rng.normal(0.0006, 0.0012, n)
    erosion = np.zeros(n)
    result = np.empty((n, months), dtype=np.int32)
    for t in range(months):
        lagged = smooth[:, max(t - 2, 0)]
        layoff = (rng.random(n) < 0.004 + 0.02 * (lagged > 1.8)) * rng.uniform(0.05, 0.3, n)
        erosion = 0.99 * erosion + 0.016 * np.maximum(lagged - 0.7, 0) + layoff
        level = target + 0.97 * (level - target) + rng.normal(0, 0.013, n)
        target = target + drift
        starting = np.clip((t - people.birth_month) / 18, 0.25, 1.0)
        exact = np.exp(level - erosion + season * summer[t]) * starting
        result[:, t] = np.floor(np.minimum(exact, 2_000) + 0.5)
    return np.where(active, np.maximum(result, 0), 0).astype(np.int32)
