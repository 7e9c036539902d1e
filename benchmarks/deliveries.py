"""Deliveries of any size for the benchmarks, seeded: a URSSAF débit stock, its next month, and a wide effectif stock.

Written block by block, so that a file larger than the memory can be made. SIREN start with 0 and have a right key: none
can be a real company.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

DEBIT_HEADER = (
    "Urssaf_gestion;Dep;num_cpte;Siren;Siret;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;"
    "Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours"
).split(";")
_OFFICES = [("217", "21"), ("257", "25"), ("397", "39"), ("587", "58"), ("707", "70"), ("717", "71"), ("897", "89")]
_BLOCK = 200_000  # rows made at once
_SEED = 20
_FIRST_YEAR = 2016

Numbers = npt.NDArray[np.int64]


def write_debits(path: Path, rows: int, *, changed_share: float = 0.0) -> None:
    """A stock of `rows` events by account, period, écart and history, as URSSAF sorts them.

    A share of the rows, drawn from the seed, has other amounts: the same stock a month later.
    """
    with path.open("wb") as file:
        file.write((";".join(DEBIT_HEADER) + "\n").encode())
        account = 0
        for number, begin in enumerate(range(0, rows, _BLOCK)):
            rng = np.random.default_rng([_SEED, number])
            block, account = _debits(rng, min(_BLOCK, rows - begin), account)
            changed = np.random.default_rng([_SEED, number, 1]).random(block.height) < changed_share
            block = block.with_columns(pl.col("Mt_PP") + pl.Series(changed.astype(np.int64)))
            block.select(DEBIT_HEADER).write_csv(file, separator=";", include_header=False)


def _debits(rng: np.random.Generator, rows: int, account: int) -> tuple[pl.DataFrame, int]:
    """`rows` events of new accounts, and the number of the first account that is still free."""
    events = rng.choice([1, 2, 3, 4], rows, p=[0.35, 0.4, 0.2, 0.05])  # of each écart: issued, then paid in parts
    ecart = np.repeat(np.arange(rows), events)[:rows]
    rank = np.arange(rows) - np.searchsorted(ecart, ecart)
    opens = rng.random(ecart[-1] + 1) < 0.15  # écarts that are the first of an account
    opens[0] = True
    owner = np.cumsum(opens) - 1
    nth = np.arange(len(owner)) - np.flatnonzero(opens)[owner]
    month = rng.integers(0, 60, owner[-1] + 1)[owner] + nth // 2
    issued = rng.choice([0, 1], len(owner), p=[0.3, 0.7]) * rng.integers(1_000, 800_000, len(owner))
    employer = rng.integers(5_000, 4_000_000, len(owner))
    company = 1 + account + owner
    siren = luhn_siren(company)
    office = company % len(_OFFICES)
    left = np.maximum(0, 4 - rank) / 4  # what remains after each event
    day = np.datetime64(f"{_FIRST_YEAR}-02-20") + month * 30 + rng.integers(0, 10, len(owner))
    of_ecart = pl.DataFrame(
        {
            "Urssaf_gestion": pl.Series([o for o, _ in _OFFICES]).gather(office),
            "Dep": pl.Series([d for _, d in _OFFICES]).gather(office),
            "Siren": siren,
            "Siret": siret(siren),
            "Etat_cpte": 1 + 2 * (company % 11 == 0),
            "Cd_pro_col": (company % 23 == 0).astype(int),
            "Periode": (_FIRST_YEAR + month // 12) * 100 + (month % 12 // 3 + 1) * 10 + month % 3 + 1,
            "Num_Ecn": 101 + 100 * (nth % 2),
            "Motif_ecn": rng.choice([1, 2, 3, 5, 13], len(owner)),
            "Dt_immat": 20_000_101 + company % 20 * 10_000,
        }
    ).with_columns((pl.col("Urssaf_gestion") + pl.col("Siren") + "000001").alias("num_cpte"))
    date = pl.Series(day[ecart] + rank * 45)
    return of_ecart[ecart].with_columns(
        pl.Series("Num_Hist_Ecn", rank + 1),
        (date.dt.strftime("%Y%m%d").cast(pl.Int64) - 19_000_000).alias("Dt_trt_ecn"),
        pl.Series("Mt_PO", (issued[ecart] * left).astype(np.int64)),
        pl.Series("Mt_PP", (employer[ecart] * left).astype(np.int64)),
        pl.Series("Cd_op_ecn", np.where(rank == 0, 1, 2)),
        pl.Series("Recours_en_cours", (ecart % 50 == 0).astype(int)),
    ), int(account + owner[-1] + 1)


def write_effectifs(path: Path, lines: int, months: int = 120) -> None:
    """A wide stock: one line per establishment, one column per month; the closed ones have empty cells at the end."""
    periods = [f"eff{_FIRST_YEAR + m // 12}{m % 12 // 3 + 1}{m % 3 + 1}" for m in range(months)]
    with path.open("wb") as file:
        file.write((";".join(["compte", "siret", "rais_soc", "ape_ins", "dep", *periods]) + "\n").encode())
        for number, begin in enumerate(range(0, lines, _BLOCK // 10)):
            rng = np.random.default_rng([_SEED, number, 2])
            size = min(_BLOCK // 10, lines - begin)
            company = 1 + np.arange(begin, begin + size)
            siren = luhn_siren(company)
            staff = rng.geometric(0.05, size)
            closed = np.where(rng.random(size) < 0.2, rng.integers(12, months, size), months)
            cells = {
                period: pl.Series(np.maximum(0, staff + rng.integers(-1, 2, size))).set(pl.Series(closed <= m), None)
                for m, period in enumerate(periods)
            }
            pl.DataFrame(
                {
                    "compte": "217" + siren + "000001",
                    "siret": siret(siren),
                    "rais_soc": pl.Series(company).cast(pl.String) + " SIMULEX SARL",
                    "ape_ins": pl.Series(["4711B", "5610A", "4120A", "4941A"]).gather(company % 4),
                    "dep": pl.Series([d for _, d in _OFFICES]).gather(company % len(_OFFICES)),
                    **cells,
                }
            ).write_csv(file, separator=";", include_header=False)


def luhn_siren(number: Numbers) -> pl.Series:
    """SIREN '0nnnnnnnk' of companies numbered below ten million."""
    return _with_key(number, 8)


def siret(siren: pl.Series) -> pl.Series:
    """SIRET of the first establishment of each SIREN."""
    return _with_key((siren + "0001").cast(pl.Int64).to_numpy(), 13)


def _with_key(body: Numbers, length: int) -> pl.Series:
    """Luhn numbers of `length` digits and their key."""
    total = np.zeros(len(body), dtype=np.int64)
    rest = body.copy()
    for position in range(length):
        digit = rest % 10
        rest //= 10
        if position % 2 == 0:
            digit = digit * 2
            digit -= 9 * (digit > 9)
        total += digit
    key = (10 - total % 10) % 10
    return pl.Series(body * 10 + key).cast(pl.String).str.zfill(length + 1)
