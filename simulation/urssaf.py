"""URSSAF accounts, headcounts and contributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from simulation.health import Fate
from simulation.nomenclature import ACTIVITIES, COMMUNES
from simulation.population import Population, make_siret, padded
from simulation.timeline import NEVER, Timeline, urssaf, urssaf_period, urssaf_quarter

MONTHLY_DUE_PER_EMPLOYEE = 1_150.0  # euros, both shares, for a wage near the median
LATE_SHARE = 0.003
MISSING_CELLS = 0.004
PSEUDO_EVERY = 397

COMPTE_HEADER = tuple("Urssaf_gestion;Dep;Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret".split(";"))
COTISATION_HEADER = tuple("Urssaf_gestion;Dep;Siret;Compte;periode;mer;enc_direct;cotis_due".split(";"))


@dataclass(frozen=True)
class Accounts:
    """URSSAF accounts of a block, flat. ``site`` (accounts, T) establishment of each account in each month."""

    company: np.ndarray
    rank: np.ndarray
    number: np.ndarray
    site: np.ndarray
    office: np.ndarray
    departement: np.ndarray
    headcount: np.ndarray  # (accounts, T)
    due: np.ndarray  # (accounts, T) cents
    monthly: np.ndarray  # bool: monthly periods, else quarterly
    site_headcount: np.ndarray  # (establishments, T)


def text_column(values: np.ndarray, index: np.ndarray) -> pl.Series:
    """Text ``values[index]`` as a column: converted once per distinct value, then gathered."""
    return pl.Series(values.tolist(), dtype=pl.String).gather(index)


def departements(communes: np.ndarray) -> np.ndarray:
    """Département of each commune index."""
    return np.array([c.departement for c in COMMUNES])[communes]


def open_accounts(people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator) -> Accounts:
    """Accounts, their establishments over time, employees and contributions due (cents) by month."""
    sites = _site_headcount(people, fate, timeline)
    first = np.flatnonzero(people.site_rank == 1)
    second = np.flatnonzero(people.site_account == 1)
    company = np.concatenate([np.arange(people.n), people.site_company[second]])
    rank = np.concatenate([np.ones(people.n, dtype=int), np.full(len(second), 2)])
    order = np.lexsort((rank, company))
    before = np.concatenate([first, second])[order]
    after = np.concatenate([people.head_site, second])[order]
    company, rank = company[order], rank[order]
    move = people.move_month[company]
    moves = (move >= 0) & (rank == 1) & (move < fate.stop_month[company])  # the others ended before they moved
    moved_on = np.where(moves, move, timeline.months + 99)
    site = np.where(np.arange(timeline.months)[None, :] < moved_on[:, None], before[:, None], after[:, None])
    headcount = np.zeros((len(company), timeline.months), dtype=np.int32)
    account_of_site = np.searchsorted(company * 4 + rank, people.site_company * 4 + 1 + people.site_account)
    np.add.at(headcount, account_of_site, sites)
    wage = MONTHLY_DUE_PER_EMPLOYEE * np.exp(rng.normal(0, 0.22, people.n))[company]
    inflation = 1.018 ** (np.arange(timeline.months) / 12)
    noise = np.exp(rng.normal(0, 0.03, headcount.shape))
    due = np.round(headcount * wage[:, None] * inflation * noise * 100).astype(np.int64)
    dep = departements(people.site_commune[before])
    office = np.where(np.isin(dep, ["25", "39", "70", "90"]), "437", "267")
    number = np.char.add(np.char.add(office, people.siren[company]), padded(rank, 6))
    return Accounts(company, rank, number, site, office, dep, headcount, due, people.size[company] >= 10, sites)


def _site_headcount(people: Population, fate: Fate, timeline: Timeline) -> np.ndarray:
    """Employees by establishment and month: secondary ones hold their share while open, the head office the rest."""
    days = timeline.first_days[: timeline.months]
    opened = (days[None, :] >= people.site_open[:, None]) & (days[None, :] <= people.site_close[:, None])
    share = people.site_share[:, None] * opened
    part = np.floor(share * fate.headcount[people.site_company]).astype(np.int32)
    rest = fate.headcount.astype(np.int32).copy()
    np.subtract.at(rest, people.site_company, part)
    month = np.arange(timeline.months)[None, :]
    move = people.move_month[people.site_company][:, None]
    head = people.site_head[:, None] & ((move < 0) | (month >= move))
    old_head = ((people.site_rank == 1) & ~people.site_head)[:, None] & (month < move)
    return np.where(head | old_head, rest[people.site_company], part)


# ---------------------------------------------------------------- accounts file


def compte_items(people: Population, accounts: Accounts, fate: Fate, timeline: Timeline) -> pl.DataFrame:
    """One row per account and establishment held: dates in and out (out null while there). Known 11 days after each."""
    before, after = accounts.site[:, 0], accounts.site[:, -1]
    moved = np.flatnonzero(before != after)
    holder = np.concatenate([np.arange(len(before)), moved])
    site = np.concatenate([before, after[moved]])
    company = accounts.company[holder]
    is_second = np.arange(len(holder)) >= len(before)
    has_moved = np.isin(holder, moved)
    move_day = timeline.first_days[np.maximum(people.move_month[company], 0)]
    start = np.where(is_second, move_day, people.site_open[site])
    stop = timeline.first_days[np.clip(fate.stop_month[company], 0, timeline.months + 35)] + 40
    gone = fate.stop_month[company] < timeline.months
    end = np.where(has_moved & ~is_second, move_day, np.where(gone, stop, NEVER))
    end = np.where(end < start, start + 1, end)
    return pl.DataFrame(
        {
            "Urssaf_gestion": text_column(accounts.office, holder),
            "Dep": text_column(departements(people.site_commune), site),
            "Compte": text_column(accounts.number, holder),
            "Siren": text_column(people.siren, company),
            "Siret": text_column(people.site_siret, site),
            "start": start,
            "end": end,
            "known": start + 11,
        }
    )


def render_compte(items: pl.DataFrame, received: pl.Expr) -> pl.DataFrame:
    """The accounts file as URSSAF would deliver it at ``received``: an end is there only once known."""
    ended = pl.col("end") + pl.duration(days=11) <= received
    return items.filter(pl.col("known") <= received).with_columns(
        pl.when(ended).then(pl.lit("3")).otherwise(pl.lit("1")).alias("Etat_compte"),
        urssaf("start").alias("Date_crea_siret"),
        pl.when(ended).then(urssaf("end")).alias("Date_disp_siret"),
    )


# ---------------------------------------------------------------- headcounts


def render_effectif(people: Population, accounts: Accounts, last: int, seed: int) -> pl.DataFrame:
    """Wide headcounts by account and establishment up to month index ``last``; some months missing.

    One row in ``PSEUDO_EVERY`` comes again under a pseudo-SIRET (10th digit 9), as ACOSS uses for its own needs.
    """
    counts = accounts.site_headcount[:, : last + 1]
    keep = np.flatnonzero(counts.any(axis=1))
    company = people.site_company[keep]
    owner = np.searchsorted(accounts.company * 4 + accounts.rank, company * 4 + 1 + people.site_account[keep])
    naf = np.char.replace(np.array([a.naf for a in ACTIVITIES]), ".", "")
    rank = people.number[company] * 4 + people.site_rank[keep]
    pseudo = np.flatnonzero(rank % PSEUDO_EVERY == 7)
    siret = people.site_siret[keep]
    frame = pl.DataFrame(
        {
            "compte": text_column(accounts.number, owner),
            "siret": siret.tolist(),
            "rais_soc": text_column(people.name, company),
            "ape_ins": text_column(naf, people.activity[company]),
            "dep": text_column(departements(people.site_commune), keep),
            **_wide(counts, keep, seed),
            "base": pl.repeat("116", len(keep), eager=True),
            "UR_EMET": text_column(accounts.office, owner),
        }
    )
    other = make_siret(people.siren[company[pseudo]], 9_000 + people.site_rank[keep][pseudo])
    return pl.concat([frame, frame[pseudo].with_columns(pl.Series("siret", other.tolist(), dtype=pl.String))])


def render_effectif_ent(people: Population, fate: Fate, last: int, seed: int) -> pl.DataFrame:
    """Wide headcounts by company up to month index ``last``."""
    counts = fate.headcount[:, : last + 1]
    keep = np.flatnonzero(counts.any(axis=1))
    return pl.DataFrame(
        {
            "siren": text_column(people.siren, keep),
            **_wide(counts, keep, seed + 1),
            "rais_soc": text_column(people.name, keep),
        }
    )


def _wide(counts: np.ndarray, keep: np.ndarray, seed: int) -> dict[str, pl.Series]:
    """One column per month, one row per kept row of ``counts``.

    Empty before the first employee, after the last month with one (plus two zeros), and in some cells (the same ones in
    every delivery: what was never declared stays missing).
    """
    n, months = counts.shape
    some = counts > 0
    first = some.argmax(axis=1)[:, None]
    last = months - 1 - some[:, ::-1].argmax(axis=1)[:, None]
    month = np.arange(months)[None, :]
    lost = np.empty((n, months), dtype=bool)
    for t in range(months):  # a generator a month, all rows: the draw does not depend on what is delivered
        lost[:, t] = np.random.default_rng([seed, t, 77]).random(n) < MISSING_CELLS
    cells = np.where((month < first) | (month > last + 2) | lost, -1, counts)[keep]
    return {f"eff{urssaf_period(t)}": pl.Series(cells[:, t]).replace(-1, None) for t in range(months)}


def missing_months(frame: pl.DataFrame) -> int:
    """Cells left empty between the first and the last month that a row of a wide frame holds."""
    held = frame.select(pl.col("^eff[0-9]+$").is_not_null()).to_numpy()
    begun, going_on = np.maximum.accumulate(held, axis=1), np.maximum.accumulate(held[:, ::-1], axis=1)[:, ::-1]
    return int((begun & going_on & ~held).sum())


# ---------------------------------------------------------------- contributions


def period_labels(quarterly: np.ndarray, start: np.ndarray, timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """(index, names) with ``names[index]`` the ``YYYYQM`` of periods that begin at month ``start``."""
    months = timeline.months
    names = [urssaf_period(t) for t in range(months)] + [urssaf_quarter(t) for t in range(0, months, 3)]
    return np.where(quarterly, months + start // 3, start), np.array(names)


def cotisation_items(
    people: Population, accounts: Accounts, paid_share: np.ndarray, timeline: Timeline, rng: np.random.Generator
) -> pl.DataFrame:
    """Contributions by account and period: monthly from ten employees, else quarterly. ``paid_share`` (accounts, T)."""
    due = accounts.due
    quarter_due = due[:, : timeline.months // 3 * 3].reshape(len(due), -1, 3).sum(axis=2)
    m_account, m_month = np.nonzero((due > 0) & accounts.monthly[:, None])
    q_account, quarter = np.nonzero((quarter_due > 0) & ~accounts.monthly[:, None])
    account = np.concatenate([m_account, q_account])
    start = np.concatenate([m_month, quarter * 3])
    end = np.concatenate([m_month + 1, quarter * 3 + 3])
    cents = np.concatenate([due[m_account, m_month], quarter_due[q_account, quarter]])
    paid = np.round(cents * paid_share[account, end - 1]).astype(np.int64)
    credit = np.flatnonzero(rng.random(len(account)) < 0.002)  # negative regularisations, under another `mer`
    back = -np.round(cents[credit] * rng.uniform(0.01, 0.2, len(credit))).astype(np.int64)
    order = np.concatenate([np.arange(len(account)), credit])
    late = np.where(rng.random(len(order)) < LATE_SHARE, rng.integers(28, 75, len(order)), 0)
    label, names = period_labels(~accounts.monthly[account], start, timeline)
    names = np.array([name[2:] for name in names.tolist()])  # this file writes the year on two digits
    values = np.concatenate([cents, back]) / 100
    return pl.DataFrame(
        {
            "Urssaf_gestion": text_column(accounts.office, account[order]),
            "Dep": text_column(accounts.departement, account[order]),
            "Siret": text_column(people.site_siret, accounts.site[account, start][order]),
            "Compte": text_column(accounts.number, account[order]),
            "periode": text_column(names, label[order]),
            "mer": pl.Series(["0", "2"], dtype=pl.String).gather((np.arange(len(order)) >= len(account)).astype(int)),
            "enc_direct": np.concatenate([paid, np.zeros(len(credit), dtype=np.int64)]) / 100,
            "cotis_due": values,
            "due_for_knowledge": timeline.first_days[end[order]] + 11,
            "known": timeline.first_days[end[order]] + 11 + late,
        }
    )
