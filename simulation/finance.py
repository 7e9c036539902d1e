"""Yearly accounts (INPI ratios), Banque de France ratios and supplier delays (Altares Paydex)."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulation.health import Fate
from simulation.nomenclature import ACTIVITIES, COMMUNES
from simulation.population import Population
from simulation.timeline import FIRST_MONTH, Timeline, compact, iso, slashed
from simulation.urssaf import text_column

RATIO_HEADER = tuple(
    "siren;date_cloture_exercice;chiffre_d_affaires;marge_brute;ebe;ebit;resultat_net;taux_d_endettement;"
    "ratio_de_liquidite;ratio_de_vetuste;autonomie_financiere;poids_bfr_exploitation_sur_ca;couverture_des_interets;"
    "caf_sur_ca;capacite_de_remboursement;marge_ebe;resultat_courant_avant_impots_sur_ca;"
    "poids_bfr_exploitation_sur_ca_jours;rotation_des_stocks_jours;credit_clients_jours;credit_fournisseurs_jours;"
    "type_bilan;confidentiality".split(";")
)
BDF_HEADER = tuple(
    "D1;ANNEE;ARRETE_BILAN;DENOM;CP;REGION;SECTEUR;POIDS_FRNG;TX_MARGE;DELAI_FRS;POIDS_DFISC_SOC;POIDS_FIN_CT;"
    "POIDS_FRAIS_FIN".split(";")
)
PAYDEX_RETRO_HEADER = ("SIREN", "NB_JOURS", "NB_JOURS_LIB", "DATE_VALEUR")
PAYDEX_STOCK_HEADER = tuple(
    "SIREN;ETAT_ORGANISATION;CODE_PAYDEX;PAYDEX;NBR_JRS_RETARD;NBR_FOURNISSEURS;ENCOURS_ETUDIES;ENCOURS_ECHUS;"
    "NOTE100_ALERTEUR_PLUS_30;NOTE100_ALERTEUR_PLUS_90_JOURS;DATE_VALEUR".split(";")
)
RATIO_LAG, BDF_LAG, PAYDEX_LAG = 210, 240, 30


def accounts_items(
    people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Yearly accounts as INPI and Banque de France would show them: two frames with their own knowledge dates.

    Many companies keep theirs confidential; those in distress file late or not at all.
    """
    n, months = people.n, timeline.months
    years = np.arange(2014, FIRST_MONTH.year + (months - 1) // 12 + 1)
    closing_month = rng.choice([12, 6, 9, 3], n, p=[0.7, 0.12, 0.12, 0.06])
    company = np.repeat(np.arange(n), len(years))
    year = np.tile(years, n)
    end = (year - FIRST_MONTH.year) * 12 + closing_month[company]  # index of the month after the closing
    lived = (end - 9 >= people.birth_month[company]) & (end <= np.minimum(fate.stop_month[company], months))
    lived &= closing_date(end) < fate.fail_date[company]
    company, year, end = company[lived], year[lived], end[lived]
    m = len(company)
    total = np.cumsum(np.concatenate([np.zeros((n, 1)), fate.smooth], axis=1), axis=1)
    low, high = np.maximum(end - 12, 0), np.maximum(end, 1)
    z = (total[company, high] - total[company, low]) / np.maximum(high - low, 1)
    style = rng.normal(0, 1, (6, n))
    noise = rng.normal(0, 1, (10, m))
    ratios = _ratios(people, fate, company, end, z, style, noise)
    closing = closing_date(end)

    public = rng.random(n) < np.clip(0.45 + 0.12 * np.log(people.size / 10), 0.35, 0.8)
    filed = rng.random(m) < 1 / (1 + np.exp(-(2.4 - 0.9 * np.clip(z, -1, 3))))
    delay = np.maximum(RATIO_LAG, 175 + np.round(rng.exponential(25 + 35 * np.clip(z, 0, 3)))).astype(int)
    kind = np.where(people.size[company] > 50, "C", np.where(rng.random(m) < 0.45, "S", "C"))
    kind = np.where((people.size[company] > 200) & (rng.random(m) < 0.2), "K", kind)
    inpi = (
        ratios.with_columns(
            pl.Series("type_bilan", kind.tolist(), dtype=pl.String),
            pl.lit("Public").alias("confidentiality"),
            pl.Series("known", closing + delay),
            pl.Series("closing", closing),
        )
        .with_columns(iso("closing").alias("date_cloture_exercice"))
        .filter(pl.Series(public[company] & filed))
    )
    return inpi, _bdf(people, company, year, closing, z, style, rng)


def closing_date(end: np.ndarray) -> np.ndarray:
    """Last day of the financial year whose following month has index ``end``."""
    return (np.datetime64(FIRST_MONTH, "M") + end).astype("datetime64[D]") - 1


def _turnover(people: Population, fate: Fate, company: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Turnover in euros expected from the headcount at the end of the year."""
    last = np.clip(end - 1, 0, fate.headcount.shape[1] - 1)
    staff = np.where(end < 1, people.size[company], fate.headcount[company, last])
    return np.maximum(staff, 1) * 130_000.0


def _ratios(
    people: Population,
    fate: Fate,
    company: np.ndarray,
    end: np.ndarray,
    z: np.ndarray,
    style: np.ndarray,
    noise: np.ndarray,
) -> pl.DataFrame:
    """Ratios in per cent, days in days, amounts in whole euros, each drawn around the year's mean distress."""
    turnover = _turnover(people, fate, company, end) * np.exp(0.5 * style[0][company] + 0.08 * noise[0] - 0.05 * z)
    ebitda_margin = 8.5 - 4.5 * z + 2.4 * style[1][company] + 2.2 * noise[1]
    ebit_margin = ebitda_margin - 3.0 - np.abs(1.2 * noise[2])
    net_margin = 0.75 * ebit_margin - 0.6 + 1.0 * noise[3]
    equity = np.clip(36 - 13 * z + 8 * style[2][company] + 5 * noise[4], -80, 90)
    debt = np.clip(60 + 40 * z + 35 * style[3][company] + 25 * noise[5], 0, 900)
    liquidity = np.clip(170 - 32 * z + 30 * style[4][company] + 18 * noise[6], 15, 900)
    working = 18 + 6 * z + 12 * style[5][company] + 6 * noise[7]
    columns = {
        "chiffre_d_affaires": np.round(turnover),
        "marge_brute": np.round(turnover * (0.5 + 0.1 * style[0][company]).clip(0.1, 1)),
        "ebe": np.round(turnover * ebitda_margin / 100), "ebit": np.round(turnover * ebit_margin / 100),
        "resultat_net": np.round(turnover * net_margin / 100),
    }  # fmt: skip
    rates = {
        "taux_d_endettement": debt, "ratio_de_liquidite": liquidity,
        "ratio_de_vetuste": np.clip(55 + 15 * style[3][company] + 4 * noise[8], 1, 99), "autonomie_financiere": equity,
        "poids_bfr_exploitation_sur_ca": working,
        "couverture_des_interets": np.clip(12 + 10 * np.clip(z, -1, 3) + 12 * np.abs(noise[8]), 0, 400),
        "caf_sur_ca": 0.8 * ebitda_margin - 0.5 + 0.8 * noise[9],
        "capacite_de_remboursement": np.clip(debt / np.maximum(ebitda_margin, 0.8) / 6, 0, 99),
        "marge_ebe": ebitda_margin, "resultat_courant_avant_impots_sur_ca": ebit_margin - 0.7,
        "poids_bfr_exploitation_sur_ca_jours": working * 3.6,
        "rotation_des_stocks_jours": np.clip(35 + 20 * style[5][company] + 4 * z, 0, 400),
        "credit_clients_jours": np.clip(48 + 12 * style[0][company] + 4 * noise[6], 0, 300),
        "credit_fournisseurs_jours": np.clip(52 + 11 * z + 10 * style[1][company] + 6 * noise[5], 0, 400),
    }  # fmt: skip
    return pl.DataFrame(
        {
            "siren": text_column(people.siren, company),
            **{name: values.astype(np.int64) for name, values in columns.items()},
            **{name: np.round(values, 3) for name, values in rates.items()},
        }
    )


def _bdf(
    people: Population,
    company: np.ndarray,
    year: np.ndarray,
    closing: np.ndarray,
    z: np.ndarray,
    style: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Banque de France ratios for part of the companies of some size; SIREN with spaces, as delivered."""
    covered = (rng.random(people.n) < 0.45) & (people.size > 12)
    keep = np.flatnonzero(covered[company] & (rng.random(len(company)) < 0.93))
    company, z = company[keep], z[keep]
    k = len(keep)
    noise = rng.normal(0, 1, (6, k))
    spaced = np.array([f"{s[:3]} {s[3:6]} {s[6:]}" for s in people.siren.tolist()])
    commune = people.site_commune[people.head_site][company]
    industry = np.array([a.naf[:2] for a in ACTIVITIES]) <= "33"
    sector = np.where(industry, "01 Industrie et Transports (Hors TRM)", "02 Commerce, construction et services")
    return pl.DataFrame(
        {
            "D1": text_column(spaced, company),
            "ANNEE": year[keep] + 1,
            "closing": closing[keep],
            "DENOM": text_column(people.name, company),
            "CP": text_column(np.array([c.postal_code for c in COMMUNES]), commune),
            "REGION": pl.repeat("BOURGOGNE-FRANCHE-COMTE", k, eager=True),
            "SECTEUR": text_column(sector, people.activity[company]),
            "POIDS_FRNG": np.round(22 - 11 * z + 9 * style[2][company] + 8 * noise[0], 1),
            "TX_MARGE": np.round(24 - 9 * z + 9 * style[1][company] + 7 * noise[1], 1),
            "DELAI_FRS": np.round(np.clip(55 + 11 * z + 9 * style[1][company] + 9 * noise[2], 0, 500), 1),
            "POIDS_DFISC_SOC": np.round(np.clip(26 + 10 * z + 6 * style[3][company] + 7 * noise[3], 0, 300), 1),
            "POIDS_FIN_CT": np.round(np.clip(6 + 4 * z + 5 * style[4][company] + 4 * noise[4], 0, 200), 1),
            "POIDS_FRAIS_FIN": np.round(np.clip(4 + 2.2 * z + 2 * noise[5], -20, 100), 1),
            "known": closing[keep] + BDF_LAG,
        }
    )


def render_bdf(items: pl.DataFrame, french: bool) -> pl.DataFrame:
    """Closing dates in one of the two spellings seen."""
    return items.with_columns(compact("closing", french).alias("ARRETE_BILAN"))


def paydex_items(people: Population, fate: Fate, timeline: Timeline, rng: np.random.Generator) -> pl.DataFrame:
    """Average days of late payment to suppliers by month, for three companies in four above ten employees."""
    n, months = people.n, timeline.months
    covered = (rng.random(n) < 0.75) & (people.size >= 10)
    style = rng.gamma(2.0, 1.6, n)
    lagged = np.concatenate([fate.smooth[:, :1], fate.smooth[:, :-1]], axis=1)
    wander = np.empty((n, months), dtype=np.float32)
    current = rng.normal(0, 1, n)
    for t in range(months):
        current = 0.85 * current + 0.53 * rng.normal(0, 1, n)
        wander[:, t] = current
    days = np.maximum(np.round(style[:, None] + 7.5 * np.maximum(lagged + 0.2, 0) ** 1.2 + 2.0 * wander), 0).astype(int)
    seen = covered[:, None] & fate.active & (fate.headcount > 0) & (rng.random((n, months)) < 0.97)
    seen &= np.arange(months)[None, :] >= people.birth_month[:, None] + 9
    company, month = np.nonzero(seen)
    value = timeline.first_days[month] + 14
    suppliers = 3 + (people.size[company] / 4).astype(int) + people.number[company] % 5
    late = days[company, month]
    return pl.DataFrame(
        {
            "SIREN": text_column(people.siren, company),
            "NB_JOURS": late,
            "NBR_JRS_RETARD": late,
            "NBR_FOURNISSEURS": suppliers,
            "PAYDEX": np.clip(80 - late, 0, 80),
            "value": value,
            "known": value + PAYDEX_LAG,
        }
    )


def render_paydex(items: pl.DataFrame, header: tuple[str, ...]) -> pl.DataFrame:
    """Columns of either layout: retrospective (days and their text) or stock (with the number of suppliers)."""
    frame = items.with_columns(
        slashed("value").alias("DATE_VALEUR"),
        pl.concat_str(pl.col("NB_JOURS"), pl.lit(" jours")).alias("NB_JOURS_LIB"),
        pl.lit("Actif").alias("ETAT_ORGANISATION"),
    )
    return frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in header if name not in frame.columns)
