"""Unpaid contributions (débits), payment plans (délais) and departmental commissions (CCSF)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from simulation.health import Fate
from simulation.nomenclature import ACTIVITIES
from simulation.population import Population, padded
from simulation.timeline import NEVER, Timeline, slashed, urssaf
from simulation.urssaf import LATE_SHARE, Accounts, period_labels, text_column

DEBIT_HEADER = tuple(
    "Urssaf_gestion;Dep;num_cpte;Siren;Siret;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;"
    "Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours".split(";")
)
DELAI_HEADER = tuple(
    "Urssaf_gestion;Dep;Siret;Numero_compte_externe;Numero_structure;Date_creation;Date_echeance;Duree_delai;"
    "Denomination_premiere_ligne;Indic_6M;Annee_creation;Montant_global_echeancier;Code_externe_stade;"
    "Code_externe_action".split(";")
)
CCSF_HEADER = tuple(
    "Urssaf_gestion;Dep;Siret;Compte;Date_de_traitement;Code_externe_stade;Code_externe_action".split(";")
)
CORRECTED_SHARE = 0.0005
MAX_EVENTS = 4


@dataclass(frozen=True)
class Arrears:
    """Unpaid periods and what became of them.

    Per écart négatif: ``account``, ``month`` (index of the period's last month), ``start`` (its first), ``number``.
    Per event, (écarts, 5): ``date`` (NEVER: no event), ``po`` and ``pp`` remaining balance in cents, ``operation``.
    ``paid_share`` (accounts, T): part of the contributions paid on time.
    """

    account: np.ndarray
    start: np.ndarray
    month: np.ndarray
    number: np.ndarray
    motive: np.ndarray
    date: np.ndarray
    po: np.ndarray
    pp: np.ndarray
    operation: np.ndarray
    paid_share: np.ndarray


def fall_behind(
    people: Population, fate: Fate, accounts: Accounts, timeline: Timeline, rng: np.random.Generator
) -> Arrears:
    """Which periods are not paid in full, and the payments, remissions, cancellations and write-offs that follow."""
    company = accounts.company
    n, months = len(company), timeline.months
    habit = rng.normal(0, 0.7, people.n)[company]  # some always pay late and never fail
    mood = np.empty((n, months), dtype=np.float32)
    current = rng.normal(0, 1, n)
    for t in range(months):
        current = 0.8 * current + 0.6 * rng.normal(0, 1, n)
        mood[:, t] = current
    lin = -5.2 + 2.6 * fate.smooth[company] + 0.8 * (fate.distress - fate.smooth)[company] + habit[:, None] + 0.7 * mood
    chance = 1 / (1 + np.exp(-lin))
    deferral = np.zeros(months)
    for number, part in ((3, 0.14), (4, 0.16), (5, 0.12), (6, 0.05)):  # contributions of spring 2020 could be put off
        if timeline.index(2020, number) < months:
            deferral[timeline.index(2020, number)] = part
    taste = np.array([a.ap for a in ACTIVITIES])[people.activity][company]
    deferred = rng.random((n, months)) < deferral * taste[:, None]
    period_end = accounts.monthly[:, None] | (np.arange(months) % 3 == 2)[None, :]
    amount = accounts.due.copy()
    quarters = months // 3 * 3
    sums = accounts.due[:, :quarters].reshape(n, -1, 3).sum(axis=2)
    amount[:, 2:quarters:3] = np.where(accounts.monthly[:, None], amount[:, 2:quarters:3], sums)
    unpaid = ((rng.random((n, months)) < chance) | deferred) & (amount > 0) & period_end
    share = np.where(unpaid, np.where(rng.random((n, months)) < 0.45, 1.0, rng.uniform(0.1, 0.95, (n, months))), 0.0)
    return _histories(fate, accounts, timeline, unpaid, share, amount, deferred, rng)


def _histories(
    fate: Fate,
    accounts: Accounts,
    timeline: Timeline,
    unpaid: np.ndarray,
    share: np.ndarray,
    amount: np.ndarray,
    deferred: np.ndarray,
    rng: np.random.Generator,
) -> Arrears:
    """Events of each écart négatif; a second écart for some periods."""
    account, month = np.nonzero(unpaid)
    cents = np.round(amount[account, month] * share[account, month]).astype(np.int64)
    number = np.full(len(account), 101)
    again = np.flatnonzero(rng.random(len(account)) < 0.06)
    account, month = np.concatenate([account, account[again]]), np.concatenate([month, month[again]])
    number = np.concatenate([number, rng.choice([102, 201], len(again))])
    extra = np.round(cents[again] * rng.uniform(0.05, 0.3, len(again))).astype(np.int64) + 1
    cents = np.concatenate([cents, extra])
    m = len(account)
    company = accounts.company[account]
    employee_part = np.where(rng.random(m) < 0.4, 0.0, rng.uniform(0.12, 0.34, m))
    po = np.round(cents * employee_part).astype(np.int64)
    pp = cents - po

    z = np.clip(fate.smooth[company, month], -1.5, 3.5)
    issue = timeline.first_days[month + 1] + 19 + rng.integers(0, 26, m)
    wait = 32 * np.exp(0.75 * z) + 240 * deferred[account, month]
    dates, left, operation = _settle(issue, wait, z, fate.fail_date[company], fate.end_date[company], rng)
    motive = rng.choice([1, 2, 3, 5, 6, 13, 24], m, p=[0.55, 0.22, 0.06, 0.04, 0.06, 0.05, 0.02])
    start = np.where(accounts.monthly[account], month, month - 2)
    paid_share = 1 - share
    return Arrears(
        account, start, month, number, motive, dates, np.round(po[:, None] * left).astype(np.int64),
        np.round(pp[:, None] * left).astype(np.int64), operation, paid_share.astype(np.float32),
    )  # fmt: skip


def _settle(
    issue: np.ndarray,
    wait: np.ndarray,
    z: np.ndarray,
    fail_date: np.ndarray,
    end_date: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events of each écart, (écarts, 5): date (NEVER: none), share left after it, operation code.

    ``wait`` days until all is paid, on average. Most clear at once, plans by instalments take up to four payments;
    nothing is paid after the opening of a procedure, and what a liquidated company owes ends as irrecoverable.
    """
    m = len(issue)
    gaps = np.maximum(rng.exponential(wait[:, None] / 2.2, (m, MAX_EVENTS)), 3).astype(int)
    dates = np.concatenate([issue[:, None], issue[:, None] + np.cumsum(gaps, axis=1)], axis=1)
    steps = 1 + rng.binomial(3, np.where(z > 0.8, 0.45, 0.15))
    rank = np.arange(MAX_EVENTS + 1)[None, :]
    left = np.clip(1 - rank / steps[:, None], 0, 1)
    left[:, 1:] *= np.where(left[:, 1:] > 0, rng.uniform(0.75, 1.0, (m, MAX_EVENTS)), 1.0)
    left = np.minimum.accumulate(left, axis=1)
    # 2 payment; the last one may be a cancellation (11), a remission (4) or the abandon of a small balance (5).
    last = rng.choice([2, 11, 4, 5], m, p=[0.94, 0.03, 0.02, 0.01])
    operation = np.where(rank == 0, 1, np.where(rank == steps[:, None], last[:, None], 2))
    happens = (rank <= steps[:, None]) & ((rank == 0) | (dates < fail_date[:, None]))
    slot = happens.sum(axis=1)
    rows = np.flatnonzero((slot <= steps) & (end_date < NEVER))
    slot = slot[rows]
    dates[rows, slot] = np.maximum(end_date[rows] + 20, dates[rows, slot - 1] + 1)
    left[rows, slot], operation[rows, slot], happens[rows, slot] = 0.0, 3, True
    return np.where(happens, dates, NEVER), left, operation


def debit_items(
    people: Population, fate: Fate, accounts: Accounts, arrears: Arrears, timeline: Timeline, rng: np.random.Generator
) -> pl.DataFrame:
    """One row per event, by account, period and history; ``wrong_PP`` is what the first delivery says of some."""
    order = np.lexsort((arrears.number, arrears.month, arrears.account))
    row, rank = np.nonzero(arrears.date[order] < NEVER)
    row = order[row]
    account = arrears.account[row]
    company = accounts.company[account]
    date = arrears.date[row, rank]
    late = np.where(rng.random(len(row)) < LATE_SHARE, rng.integers(28, 75, len(row)), 0)
    pp = arrears.pp[row, rank]
    wrong = (rng.random(len(row)) < CORRECTED_SHARE) & (pp > 100)
    label, names = period_labels(~accounts.monthly[account], arrears.start[row], timeline)
    birth = np.datetime_as_string(people.birth)
    return pl.DataFrame(
        {
            "Urssaf_gestion": text_column(accounts.office, account),
            "Dep": text_column(accounts.departement, account),
            "num_cpte": text_column(accounts.number, account),
            "Siren": text_column(people.siren, company),
            "Siret": text_column(people.site_siret, accounts.site[account, arrears.start[row]]),
            "Dt_immat": text_column(np.char.replace(birth, "-", ""), company),
            "Etat_cpte": pl.Series(["1", "3"], dtype=pl.String).gather((date > fate.end_date[company]).astype(int)),
            "Cd_pro_col": pl.Series(["0", "1"], dtype=pl.String).gather((date >= fate.fail_date[company]).astype(int)),
            "Periode": text_column(names, label),
            "Num_Ecn": arrears.number[row],
            "Num_Hist_Ecn": rank + 1,
            "date": date,
            "Mt_PO": arrears.po[row, rank],
            "Mt_PP": pp,
            "wrong_PP": np.where(wrong, pp * 10, -1),
            "Cd_op_ecn": arrears.operation[row, rank],
            "Motif_ecn": arrears.motive[row],
            "Recours_en_cours": np.where(arrears.motive[row] == 5, 1, 0),
            "due_for_knowledge": date + 11,
            "known": date + 11 + late,
        }
    ).with_columns(urssaf("date").alias("Dt_trt_ecn"))


def outstanding(arrears: Arrears, accounts: Accounts, timeline: Timeline) -> np.ndarray:
    """(accounts, T) balance in cents at the end of each month."""
    change = np.zeros((len(accounts.company), timeline.months + 1), dtype=np.int64)
    balance = arrears.po + arrears.pp
    delta = np.diff(balance, axis=1, prepend=0)
    row, rank = np.nonzero(arrears.date < NEVER)
    first = timeline.first_days[0].astype("datetime64[M]")
    month = (arrears.date[row, rank].astype("datetime64[M]") - first).astype(int)
    np.add.at(change, (arrears.account[row], np.clip(month, 0, timeline.months)), delta[row, rank])
    return np.cumsum(change[:, :-1], axis=1)


def _asked(fate: Fate, accounts: Accounts, timeline: Timeline, rng: np.random.Generator) -> np.ndarray:
    """(accounts, T) months in which a plan is asked for; the autumn of 2020 spread out the debts of the spring."""
    asked = fate.delai_start[accounts.company].copy()
    for number in (9, 10, 11, 12):
        if (t := timeline.index(2020, number)) < timeline.months:
            asked[:, t] |= rng.random(len(accounts.company)) < 0.09
    return asked


def plan_items(
    people: Population, fate: Fate, accounts: Accounts, arrears: Arrears, timeline: Timeline, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Délais and CCSF: asked by companies in debt when their help starts, or in the autumn of 2020."""
    debt = outstanding(arrears, accounts, timeline)
    asked = _asked(fate, accounts, timeline, rng)
    account, month = np.nonzero(asked & (debt > 50_000))
    n = len(account)
    company = accounts.company[account]
    created = timeline.first_days[month + 1] + rng.integers(0, 27, n)
    ok = created < fate.fail_date[company]
    to_ccsf = rng.random(n) < 0.10
    keep = np.flatnonzero(ok & ~to_ccsf)
    length = rng.choice([90, 180, 270, 360, 540, 720], n, p=[0.1, 0.2, 0.2, 0.3, 0.1, 0.1])
    refused = rng.random(n) < 0.12
    name = np.array([f"SOCIÉTÉ {text}" if text != "[ND]" else text for text in people.name.tolist()])
    case = padded(people.number[company] * 1_000 + month * 2 + accounts.rank[account] - 1, 13)
    delais = pl.DataFrame(
        {
            "Urssaf_gestion": text_column(accounts.office, account),
            "Dep": text_column(accounts.departement, account),
            "Siret": text_column(people.site_siret, accounts.site[account, month]),
            "Numero_compte_externe": text_column(accounts.number, account),
            "Numero_structure": pl.Series(case.tolist(), dtype=pl.String),
            "created": created,
            "due": created + length,
            "Duree_delai": length,
            "Denomination_premiere_ligne": text_column(name, company),
            "Indic_6M": pl.Series(["INF", "SUP"]).gather((length > 180).astype(int)),
            "Montant_global_echeancier": debt[account, month] / 100,
            "Code_externe_stade": pl.Series(["APPROB", "REFUS"]).gather(refused.astype(int)),
            "Code_externe_action": pl.Series(["SUR PP", "SUR PO"]).gather((rng.random(n) < 0.3).astype(int)),
            "known": created + 11,
        }
    )[keep].with_columns(
        slashed("created").alias("Date_creation"),
        slashed("due").alias("Date_echeance"),
        pl.col("created").dt.year().alias("Annee_creation"),
    )
    return delais, _ccsf(people, accounts, account, month, created, np.flatnonzero(ok & to_ccsf), fate, rng)


def _ccsf(
    people: Population,
    accounts: Accounts,
    account: np.ndarray,
    month: np.ndarray,
    created: np.ndarray,
    keep: np.ndarray,
    fate: Fate,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Commission plans: start, decision weeks later, end of the approved ones; nothing once a procedure is open."""
    account, month, created = account[keep], month[keep], created[keep]
    n = len(keep)
    decided = created + rng.integers(30, 110, n)
    verdict = rng.choice(3, n, p=[0.68, 0.2, 0.12])
    ended = decided + rng.integers(330, 760, n)
    fail = fate.fail_date[accounts.company[account]]
    rows = np.concatenate(
        [np.arange(n), np.flatnonzero(decided < fail), np.flatnonzero((verdict == 0) & (ended < fail))]
    )
    stage = np.concatenate(
        [np.zeros(n, dtype=int), 1 + verdict[decided < fail], np.full(((verdict == 0) & (ended < fail)).sum(), 4)]
    )
    date = np.concatenate([created, decided[decided < fail], ended[(verdict == 0) & (ended < fail)]])
    return pl.DataFrame(
        {
            "Urssaf_gestion": text_column(accounts.office, account[rows]),
            "Dep": text_column(accounts.departement, account[rows]),
            "Siret": text_column(people.site_siret, accounts.site[account, month][rows]),
            "Compte": text_column(accounts.number, account[rows]),
            "date": date,
            "Code_externe_stade": pl.Series(["DEBUT", "APPROB", "REFUS", "REJ", "FIN"], dtype=pl.String).gather(stage),
            "Code_externe_action": pl.repeat("CCSF", len(rows), eager=True),
            "known": date + 11,
        }
    ).with_columns(urssaf("date").alias("Date_de_traitement"))
