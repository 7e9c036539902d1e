"""Short-time work (activité partielle): requests and consumption, with the wave of 2020."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulation.health import Fate, pandemic
from simulation.nomenclature import ACTIVITIES
from simulation.population import Population, padded
from simulation.timeline import Timeline, iso
from simulation.urssaf import text_column

DEMANDE_HEADER = tuple(
    "ID_DA,ETAB_SIRET,EFF_ENT,EFF_ETAB,DATE_STATUT,DATE_DEB,DATE_FIN,HTA,MTA,EFF_AUTO,MOTIF_RECOURS_SE,PERIMETRE_AP,"
    "S_HEURE_CONSOM_TOT,S_EFF_CONSOM_TOT,S_MONTANT_CONSOM_TOT,RECOURS_ANTERIEUR".split(",")
)
CONSOMMATION_HEADER = tuple("ID_DA,ETAB_SIRET,HEURES,MONTANTS,EFFECTIFS,MOIS".split(","))
HOURS_PER_MONTH, EUROS_PER_HOUR = 151.67, 8.4


def ap_items(
    people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Requests (known 15 days after their status) and monthly consumptions (known 60 days after the month's start)."""
    company, month, in_wave, length = _asked(people, fate, timeline, rng)
    n = len(company)
    rank = np.arange(n) - np.searchsorted(company, company)
    start = timeline.first_days[month] + np.where(in_wave, 15 if n else 0, rng.integers(0, 20, n))
    end = timeline.first_days[np.minimum(month + length, timeline.months + 35)] - 1
    status = start + rng.integers(2, 25, n)
    ident = _identifiers(people.number[company], rank)
    headcount = fate.headcount[company, month]
    concerned = np.maximum(
        1, np.round(headcount * np.where(in_wave, rng.uniform(0.4, 1, n), rng.uniform(0.15, 0.8, n)))
    )
    hours = np.round(concerned * HOURS_PER_MONTH * length * rng.uniform(0.3, 0.9, n), 2)
    motive = np.where(in_wave, "5", rng.choice(["1", "1", "1", "2", "3", "4"], n))
    scope = rng.choice(["1", "2", "3"], n, p=[0.6, 0.3, 0.1])
    consumption = _consumption(fate, timeline, pandemic(timeline), company, month, length, in_wave, concerned, rng)
    site = people.head_at(company, start)
    requests = pl.DataFrame(
        {
            "request": np.arange(n),
            "ID_DA": pl.Series(ident.tolist(), dtype=pl.String),
            "ETAB_SIRET": text_column(people.site_siret, site),
            "EFF_ENT": headcount.astype(float),
            "EFF_ETAB": headcount.astype(float),
            "status": status,
            "start": start,
            "end": end,
            "HTA": hours,
            "MTA": np.round(hours * EUROS_PER_HOUR, 2),
            "EFF_AUTO": concerned,
            "MOTIF_RECOURS_SE": pl.Series(motive.tolist(), dtype=pl.String),
            "PERIMETRE_AP": pl.Series(scope.tolist(), dtype=pl.String),
            "RECOURS_ANTERIEUR": pl.Series(["2", "1"]).gather((rank > 0).astype(int)),
            "known": status + 15,
        },
    ).with_columns(iso("status").alias("DATE_STATUT"), iso("start").alias("DATE_DEB"), iso("end").alias("DATE_FIN"))
    index = consumption["request"].to_numpy()
    consumption = consumption.with_columns(
        text_column(ident, index).alias("ID_DA"), text_column(people.site_siret, site[index]).alias("ETAB_SIRET")
    )
    return requests, consumption


def _identifiers(number: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """ID_DA of the ``rank``-th request of a company: nine digits shared by a request and its amendments, then 00."""
    return np.char.add(padded(number * 100 + rank % 100, 9), "00")


def _asked(
    people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Requests in order of company and month: company, month, whether of the wave of 2020-21, length in months."""
    wave = _wave(people, timeline, rng)
    company, month = np.nonzero((fate.ap_start | wave) & (fate.headcount > 0))
    n = len(company)
    in_wave = wave[company, month]
    return company, month, in_wave, np.where(in_wave, rng.integers(3, 7, n), rng.integers(1, 7, n))


def _wave(people: Population, timeline: Timeline, rng: np.random.Generator) -> np.ndarray:
    """(companies, T) requests of the restrictions of 2020-21, in all activities."""
    taste = np.array([a.ap for a in ACTIVITIES])[people.activity]
    wave = np.zeros((people.n, timeline.months), dtype=bool)
    for year, number, share in ((2020, 3, 0.55), (2020, 4, 0.15), (2020, 10, 0.1), (2020, 11, 0.25), (2021, 4, 0.15)):
        if (t := timeline.index(year, number)) < timeline.months:
            wave[:, t] = rng.random(people.n) < share * np.minimum(0.45 + 0.55 * taste, 1.6)
    return wave


def _consumption(
    fate: Fate,
    timeline: Timeline,
    covid: np.ndarray,
    company: np.ndarray,
    month: np.ndarray,
    length: np.ndarray,
    in_wave: np.ndarray,
    concerned: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Hours, amounts and employees by request and month; four requests in five are used at all."""
    n = len(company)
    used = rng.random(n) < np.where(in_wave, 0.9, 0.75)
    request = np.repeat(np.arange(n), length)
    offset = np.arange(len(request)) - np.repeat(np.cumsum(length) - length, length)
    when = month[request] + offset
    inside = when < timeline.months
    request, when = request[inside], when[inside]
    keep = used[request] & (rng.random(len(request)) < 0.85) & (fate.headcount[company[request], when] > 0)
    request, when = request[keep], when[keep]
    m = len(request)
    intensity = np.where(in_wave[request], 0.25 + 0.6 * covid[when], rng.uniform(0.15, 0.7, m))
    staff = np.minimum(concerned[request], fate.headcount[company[request], when])
    hours = np.round(np.maximum(staff, 1) * HOURS_PER_MONTH * intensity * rng.uniform(0.6, 1.0, m), 2)
    # Not always the first of the month: seen in the real files.
    day = timeline.first_days[when] + np.where(rng.random(m) < 0.01, 29, 0)
    day = np.minimum(day, timeline.first_days[when + 1] - 1)
    return pl.DataFrame(
        {
            "request": request,
            "HEURES": hours,
            "MONTANTS": np.round(hours * EUROS_PER_HOUR, 2),
            "EFFECTIFS": np.maximum(staff, 1).astype(float),
            "day": day,
            "due_for_knowledge": day + 60,
            "known": day + 60 + np.where(rng.random(m) < 0.004, rng.integers(28, 70, m), 0),
        }
    ).with_columns(iso("day").alias("MOIS"))


def render_demande(requests: pl.DataFrame, consumption: pl.DataFrame, received: pl.Expr) -> pl.DataFrame:
    """Requests known at ``received``, with the totals consumed so far (never the future ones)."""
    totals = (
        consumption.filter(pl.col("known") <= received)
        .group_by("request", maintain_order=True)
        .agg(
            pl.col("HEURES").sum().round(2).alias("S_HEURE_CONSOM_TOT"),
            pl.col("EFFECTIFS").max().alias("S_EFF_CONSOM_TOT"),
            pl.col("MONTANTS").sum().round(2).alias("S_MONTANT_CONSOM_TOT"),
        )
    )
    known = requests.filter(pl.col("known") <= received).join(totals, on="request", how="left", maintain_order="left")
    return known.with_columns(pl.col("S_HEURE_CONSOM_TOT", "S_EFF_CONSOM_TOT", "S_MONTANT_CONSOM_TOT").fill_null(0.0))
