"""A small mart made of arithmetic and a seed: companies whose debt and supplier delays announce their failure."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import psycopg

from models_ml.features import load_features
from orchestration.months import last_day, months_between, shift

FIRST, LAST = date(2018, 1, 1), date(2023, 12, 1)
COMPANIES = 200
SOURCES = ("urssaf__debit", "altares__paydex", "urssaf__ccsf")


def write(url: str) -> None:
    """Marts and reference tables of 200 companies over six years, readable by the scoring role."""
    months = months_between(FIRST, LAST)
    rows, outcomes = _rows(months)
    names = [feature.name for feature in load_features()]
    with psycopg.connect(url) as connection:
        connection.execute(
            "create table marts.mart_company_month (siren text, month date, a_risque boolean, naf_section text, "
            "tranche_effectif text, departement text, "
            f"{', '.join(f'{name} double precision' for name in names)}, primary key (siren, month));"
            "create table marts.mart_outcome (siren text, month date, date_defaillance date, defaillance_connue_le date, "
            "date_sortie date, sortie_connue_le date, defaillance_12m boolean, defaillance_18m boolean, defaillance_24m boolean, "
            "primary key (siren, month));"
            "create table marts.mart_source_freshness (month date, source text, lignes bigint, derniere_livraison date, en_retard boolean);"
            "create table marts.mart_clignotant (siren text, month date, nb_allumes int);"
            "create table marts.mart_clignotant_valeur (month date, clignotant text, nb_connus bigint, nb_allumes bigint, "
            "nb_defaillances bigint, nb_touchees bigint, avance_mediane_mois double precision);"
            "create table reference.clignotant (code text, ordre int, libelle text);"
            "insert into reference.clignotant values ('regle', 1, 'Une règle');".encode()
        )
        for table, frame in (("mart_company_month", rows), ("mart_outcome", outcomes)):
            with connection.cursor().copy(
                f"copy marts.{table} ({', '.join(frame.columns)}) from stdin csv".encode()
            ) as stream:
                stream.write(frame.write_csv(include_header=False))
        connection.execute(
            "insert into marts.mart_source_freshness select month, source, 100, month + 20, false "
            "from (select distinct month from marts.mart_company_month) as months, unnest(%s::text[]) as source",
            [list(SOURCES)],
        )
        connection.execute(
            "insert into marts.mart_clignotant select siren, month, (dette_sur_cotisation > 2)::int from marts.mart_company_month;"
            "insert into marts.mart_clignotant_valeur select month, 'regle', 100, 20, 10, 4, 7 from marts.mart_source_freshness "
            "where source = 'urssaf__debit' and month <= date '2022-04-01';"
            "grant select on all tables in schema marts, reference to vigie_scoring"
        )


def _rows(months: list[date]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(5)
    weight = rng.normal(size=COMPANIES)
    rows, outcomes = [], []
    for company in range(COMPANIES):
        siren = f"0{company:08d}"
        failing = _failing_month(rng, weight[company], len(months) + 24)
        judged = date(shift(FIRST, failing).year, shift(FIRST, failing).month, 15)
        for position, month in enumerate(months):
            if position >= failing:
                break
            near = max(0.0, 12 - (failing - position)) / 6
            debt = max(0.0, weight[company] + near + rng.normal(scale=0.5))
            rows.append(
                {
                    "siren": siren, "month": month, "a_risque": True, "naf_section": "CF"[company % 2],
                    "tranche_effectif": "10-19", "departement": ("21", "25")[company % 2],
                    "dette_sur_cotisation": debt, "paydex_jours": 10 * max(0.0, weight[company] + rng.normal()),
                    "age_mois": float(24 + company), "effectif": float(10 + company % 40),
                }
            )  # fmt: skip
            outcomes.append({"siren": siren, "month": month, **_outcome(judged, month)})
    return pl.DataFrame(rows), pl.DataFrame(outcomes, infer_schema_length=None)


def _failing_month(rng: np.random.Generator, weight: float, longest: int) -> int:
    """Month in which the company fails, `longest` when it does not."""
    drawn = int(rng.exponential(1 / (0.006 * np.exp(1.2 * weight))))
    return min(max(drawn, 1), longest)


def _outcome(judged: date, month: date) -> dict[str, object]:
    """What is known at the end of the last month: a judgment a month later at most."""
    known = judged <= last_day(LAST)
    closed = {h: shift(month, h) <= shift(LAST, -2) for h in (12, 18, 24)}
    return {
        "date_defaillance": judged if known else None,
        "defaillance_connue_le": judged if known else None,
        **{f"defaillance_{h}m": (judged <= last_day(shift(month, h))) if closed[h] else None for h in closed},
    }
