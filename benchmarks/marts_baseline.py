"""The named baseline of the marts: Polars computes their core features from the same raw tables and copies them into a table.

Core features: perimeter by headcount, effectif, mean contribution, debt (both parts) by event deltas, and the lags, moving means,
slope and counts of debt, the supplier delay and its mean: COLUMNS. Accounts, partial activity, procedures, identity and medians of
peers are left out, so the baseline does less than the mart. It serves rows that are never corrected (`marts_region`).
"""

from __future__ import annotations

from datetime import date

import polars as pl
import psycopg

COLUMNS = (
    "effectif", "effectif_evolution_12m", "cotisation_moyenne_12m_eur", "dette_part_ouvriere_eur", "dette_part_patronale_eur",
    "dette_eur", "dette_sur_cotisation", "dette_sur_cotisation_lag_1m", "dette_sur_cotisation_lag_3m",
    "dette_sur_cotisation_lag_6m", "dette_sur_cotisation_lag_12m", "dette_sur_cotisation_lag_24m",
    "dette_sur_cotisation_moyenne_3m", "dette_sur_cotisation_moyenne_12m", "nb_mois_dette_12m", "nb_mois_dette_24m",
    "paydex_jours", "paydex_moyenne_6m",
)  # fmt: skip
TABLE = "public.polars_company_month"
KEYS = ["siren", "m"]


def build(url: str, first: date, last: date) -> None:
    """Read raw, compute the months from `first` to `last`, write them to TABLE."""
    months = pl.DataFrame({"m": range(_index(first), _index(last) + 1)}, schema={"m": pl.Int32})
    effectif = _read(
        url, "select siren, periode, effectif::float8 as effectif, _known_from as known from raw.urssaf__effectif_ent"
    )
    companies = effectif.filter(pl.col("effectif") >= 10).select("siren").unique(maintain_order=True)
    spine = companies.join(months, how="cross").sort(KEYS)
    panel = (
        spine.join_asof(_last_value(effectif, "periode", "effectif"), on="m", by="siren", check_sortedness=False)
        .join(_contributions(url, months), on=KEYS, how="left")
        .join_asof(_last_value(_paydex(url), "date_valeur", "paydex_jours"), on="m", by="siren", check_sortedness=False)
    )
    panel = _cumulated(panel, _debts(url, _index(first)))
    _write(url, _features(panel))


def differing_cells(url: str) -> int:
    """Cells of COLUMNS that differ from the mart by more than a cent or a millionth, rows of one side only included."""
    compared = " + ".join(
        f"(abs(coalesce(a.{c}, -1e9)::float8 - coalesce(b.{c}, -1e9)::float8) > 1e-6 * greatest(1, abs(a.{c}::float8)))::int"
        for c in COLUMNS
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(
            f"select coalesce(sum(case when a.siren is null or b.siren is null then {len(COLUMNS)} else {compared} end), 0)"
            " from (select * from marts.mart_company_month where month <= (select max(month) from public.polars_company_month)) a"
            f" full join {TABLE} b using (siren, month)".encode()
        ).fetchone()
    assert row is not None
    return int(row[0])


def _index(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(column: str) -> pl.Expr:
    day = pl.col(column)
    return (day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1).cast(pl.Int32)


def _read(url: str, query: str) -> pl.DataFrame:
    return pl.read_database_uri(query, url, engine="adbc")


def _last_value(rows: pl.DataFrame, period: str, value: str) -> pl.DataFrame:
    """siren, m (month known), value: the value of the latest period known then."""
    return (
        rows.select("siren", _month("known").alias("m"), pl.col(period), pl.col(value))
        .sort("siren", "m", period)
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(value).last())
        .sort(KEYS)
    )


def _paydex(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select siren, date_valeur, nb_jours::float8 as paydex_jours, _known_from as known from raw.altares__paydex",
    )


def _contributions(url: str, months: pl.DataFrame) -> pl.DataFrame:
    """siren, m, mean of the contributions known for the twelve periods before, to the cent."""
    due = _read(
        url,
        "select left(siret, 9) as siren, periode_debut, cotisation_due_eur::float8 as due, _known_from as known"
        " from raw.urssaf__cotisation",
    )
    opened = due.select(
        "siren", "due", pl.max_horizontal(_month("known"), _month("periode_debut") + 1).alias("m"), n=pl.lit(1)
    )
    closed = due.select("siren", -pl.col("due"), (_month("periode_debut") + 13).alias("m"), n=pl.lit(-1))
    changes = _changes(pl.concat([opened, closed]), ["due", "n"], months["m"].min())  # type: ignore[arg-type]
    summed = changes.with_columns(pl.col("due", "n").cum_sum().over("siren"))
    grid = summed.select("siren").unique(maintain_order=True).join(months, how="cross").sort(KEYS)
    mean = pl.when(pl.col("n") > 0).then((pl.col("due") / pl.col("n")).round(2)).alias("cotisation_moyenne_12m_eur")
    return grid.join_asof(summed, on="m", by="siren", check_sortedness=False).select(*KEYS, mean)


def _debts(url: str, first: int) -> pl.DataFrame:
    """siren, m, changes of both parts: each event replaces the balance of the one before it."""
    events = _read(
        url,
        "select siren, compte, periode_debut, numero_ecart_negatif, numero_historique, date_traitement, _known_from as known,"
        " part_ouvriere_eur::float8 as po, part_patronale_eur::float8 as pp from raw.urssaf__debit",
    ).sort("siren", "compte", "periode_debut", "numero_ecart_negatif", "numero_historique")
    ecart = ["siren", "compte", "periode_debut", "numero_ecart_negatif"]
    accounting = _month("date_traitement") + (pl.col("date_traitement").dt.day() > 20).cast(pl.Int32)
    deltas = events.select(
        "siren",
        pl.max_horizontal(_month("known"), accounting).alias("m"),
        *[(pl.col(part) - pl.col(part).shift(1, fill_value=0).over(ecart)).alias(part) for part in ("po", "pp")],
    )
    return _changes(deltas, ["po", "pp"], first)


def _changes(deltas: pl.DataFrame, values: list[str], first: int) -> pl.DataFrame:
    """One row for each siren and month of change; what came before the first month is put on it."""
    clipped = deltas.with_columns(pl.col("m").clip(lower_bound=first))
    return clipped.group_by(KEYS, maintain_order=True).agg(pl.col(values).sum()).sort(KEYS)


def _cumulated(panel: pl.DataFrame, debts: pl.DataFrame) -> pl.DataFrame:
    joined = panel.join(debts, on=KEYS, how="left").sort(KEYS)
    part = [pl.col(c).fill_null(0).cum_sum().over("siren").round(2) for c in ("po", "pp")]
    return joined.with_columns(part).rename({"po": "dette_part_ouvriere_eur", "pp": "dette_part_patronale_eur"})


def _features(panel: pl.DataFrame) -> pl.DataFrame:
    contribution, debt, ratio = (pl.col(c) for c in ("cotisation_moyenne_12m_eur", "dette_eur", "dette_sur_cotisation"))
    panel = panel.with_columns(
        (pl.col("dette_part_ouvriere_eur") + pl.col("dette_part_patronale_eur")).round(2).alias("dette_eur")
    )
    panel = panel.with_columns(pl.when(contribution > 0).then(debt / contribution).alias("dette_sur_cotisation"))
    indebted = (debt > 0).cast(pl.Float64)
    return panel.with_columns(
        (pl.col("effectif") / pl.col("effectif").shift(12).over("siren") - 1).alias("effectif_evolution_12m"),
        *[ratio.shift(lag).over("siren").alias(f"dette_sur_cotisation_lag_{lag}m") for lag in (1, 3, 6, 12, 24)],
        *[
            ratio.rolling_mean(n, min_samples=1).over("siren").alias(f"dette_sur_cotisation_moyenne_{n}m")
            for n in (3, 12)
        ],
        *[indebted.rolling_sum(n, min_samples=1).over("siren").round().alias(f"nb_mois_dette_{n}m") for n in (12, 24)],
        pl.col("paydex_jours").rolling_mean(6, min_samples=1).over("siren").alias("paydex_moyenne_6m"),
        pl.date(pl.col("m") // 12, pl.col("m") % 12 + 1, 1).alias("month"),
    ).select("siren", "month", *COLUMNS)


def _write(url: str, frame: pl.DataFrame) -> None:
    with psycopg.connect(url) as connection:
        columns = ", ".join(f"{name} float8" for name in COLUMNS)
        connection.execute(
            f"drop table if exists {TABLE}; create unlogged table {TABLE} (siren text, month date, {columns})".encode()
        )
    frame.write_database(TABLE, url, engine="adbc", if_table_exists="append")
