"""The named baseline of the marts: Polars computes half of their features from the same raw tables and copies them into a table.

Here: headcount, mean contribution, debt (both parts) by event deltas, supplier delays, accounts, age, and what is derived from them
(lags, moving means, slope, counts, changes, distance to the median of the peers): COLUMNS. Identity, partial activity, délais,
procedures, establishments and groups are left out, so the baseline does less than the mart. It serves rows that are never corrected
(`marts_region`), where it is also a second opinion: a cell that differs from the mart stops the benchmark.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import psycopg

COLUMNS = (
    "effectif", "effectif_anciennete_mois", "effectif_lacune", "effectif_evolution_6m", "effectif_evolution_12m",
    "effectif_evolution_24m", "effectif_evolution_12m_ecart_secteur", "cotisation_moyenne_12m_eur", "cotisation_evolution_12m",
    "cotisation_mois_manquants_12m", "dette_part_ouvriere_eur", "dette_part_patronale_eur", "dette_eur", "dette_sur_cotisation",
    "dette_ouvriere_sur_cotisation", "dette_par_salarie_eur", "dette_sur_cotisation_lag_1m", "dette_sur_cotisation_lag_3m",
    "dette_sur_cotisation_lag_6m", "dette_sur_cotisation_lag_12m", "dette_sur_cotisation_lag_24m",
    "dette_sur_cotisation_moyenne_3m", "dette_sur_cotisation_moyenne_12m", "dette_tendance_12m", "dette_variation_3m",
    "dette_variation_6m", "dette_variation_12m", "dette_sur_cotisation_ecart_secteur", "nb_mois_dette_12m", "nb_mois_dette_24m",
    "nb_mois_dette_elevee_12m", "nb_ecarts_12m", "mois_depuis_dernier_ecart", "paydex_jours", "paydex_anciennete_mois",
    "paydex_moyenne_6m", "paydex_variation_12m", "paydex_jours_ecart_secteur", "bilan_anciennete_mois", "ca_evolution", "marge_ebe",
    "marge_ebe_ecart_secteur", "resultat_net_sur_ca", "bilans_manquants", "age_mois",
)  # fmt: skip
TABLE = "public.polars_company_month"
KEYS = ["siren", "m"]
ECART = ["siren", "compte", "periode_debut", "numero_ecart_negatif"]


def build(url: str, first: date, last: date) -> None:
    """Read raw, compute the months from `first` to `last`, write them to TABLE."""
    months = pl.DataFrame({"m": range(_index(first), _index(last) + 1)}, schema={"m": pl.Int32})
    effectif = _read(
        url, "select siren, periode, effectif::float8 as effectif, _known_from as known from raw.urssaf__effectif_ent"
    )
    companies = effectif.filter(pl.col("effectif") >= 10).select("siren").unique(maintain_order=True)
    panel = (
        companies.join(months, how="cross")
        .sort(KEYS)
        .pipe(_last_value, effectif, "periode", ["effectif"])
        .join(_last_period(effectif, months), on="m")
        .join(_contributions(url, months), on=KEYS, how="left")
        .pipe(_last_value, _paydex(url), "date_valeur", ["paydex_jours"])
        .pipe(
            _last_value, _accounts(url), "date_cloture_exercice", ["ca_evolution", "marge_ebe", "resultat_net_sur_ca"]
        )
        .join(_identity(url), on="siren", how="left")
    )
    events = _debit_events(url)
    ecarts = events.group_by(ECART).agg(pl.col("m", "treated").first())
    begun = ecarts.select("siren", _first_day("treated").alias("began"), _first_day("m").alias("known"))
    panel = panel.pipe(_cumulated, _debts(events, ecarts, _index(first))).pipe(_last_value, begun, "began", [])
    _write(url, panel.pipe(_features, _index(first)).pipe(_against_peers))


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


def _last_value(panel: pl.DataFrame, rows: pl.DataFrame, period: str, values: list[str]) -> pl.DataFrame:
    """`panel` with `values` of the latest period known each month, and `<period>_index`, the month of that period."""
    index = _month(period).alias(f"{period}_index")
    latest = (
        rows.select("siren", _month("known").alias("m"), period, index, *values)
        .sort("siren", "m", period)
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(f"{period}_index", *values).last())
    )
    return panel.join_asof(latest, on="m", by="siren", check_sortedness=False)


def _last_period(effectif: pl.DataFrame, months: pl.DataFrame) -> pl.DataFrame:
    """m, last period of the file then."""
    of_a_month = (
        effectif.group_by(_month("known").alias("m")).agg(_month("periode").max().alias("last_period")).sort("m")
    )
    return months.join_asof(of_a_month.with_columns(pl.col("last_period").cum_max()), on="m")


def _identity(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select siren, section, date_creation from raw.insee__unite_legale"
        " left join reference.naf_division on left(activite_principale, 2) = code",
    )


def _paydex(url: str) -> pl.DataFrame:
    return _read(
        url,
        "select siren, date_valeur, nb_jours::float8 as paydex_jours, _known_from as known from raw.altares__paydex",
    )


def _accounts(url: str) -> pl.DataFrame:
    """Accounts beside those before them, when these closed 550 days before at most."""
    accounts = _read(
        url,
        "select siren, date_cloture_exercice, chiffre_affaires_eur::float8 as ca, resultat_net_eur::float8 as resultat,"
        " marge_ebe::float8 as marge_ebe, _known_from as known from raw.inpi__ratio",
    ).sort("siren", "date_cloture_exercice")
    before = pl.col("ca", "date_cloture_exercice").shift(1).over("siren").name.suffix("_before")
    recent = pl.col("date_cloture_exercice") - pl.col("date_cloture_exercice_before") <= pl.duration(days=550)
    return accounts.with_columns(before).with_columns(
        pl.when((pl.col("ca_before") > 0) & recent).then(pl.col("ca") / pl.col("ca_before") - 1).alias("ca_evolution"),
        pl.when(pl.col("ca") > 0).then(pl.col("resultat") / pl.col("ca")).alias("resultat_net_sur_ca"),
    )


def _contributions(url: str, months: pl.DataFrame) -> pl.DataFrame:
    """siren, m, mean of the contributions known for the twelve periods before, to the cent, and the number of these."""
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
    return grid.join_asof(summed, on="m", by="siren", check_sortedness=False).select(*KEYS, "n", mean)


def _debit_events(url: str) -> pl.DataFrame:
    events = _read(
        url,
        "select siren, compte, periode_debut, numero_ecart_negatif, numero_historique, date_traitement, _known_from as known,"
        " part_ouvriere_eur::float8 as po, part_patronale_eur::float8 as pp from raw.urssaf__debit",
    ).sort("siren", "compte", "periode_debut", "numero_ecart_negatif", "numero_historique")
    treated = _month("date_traitement") + (pl.col("date_traitement").dt.day() > 20).cast(pl.Int32)
    return events.with_columns(treated.alias("treated"), pl.max_horizontal(_month("known"), treated).alias("m"))


def _debts(events: pl.DataFrame, ecarts: pl.DataFrame, first: int) -> pl.DataFrame:
    """siren, m, changes of both parts (each event replaces the balance before it) and of the number of écarts under a year old."""
    deltas = events.select(
        "siren",
        "m",
        *[(pl.col(part) - pl.col(part).shift(1, fill_value=0).over(ECART)).alias(part) for part in ("po", "pp")],
    )
    year = [
        ecarts.select("siren", month.alias("m"), pl.lit(n).alias("nb"))
        for month, n in ((pl.col("m"), 1.0), (pl.max_horizontal("m", pl.col("treated") + 12), -1.0))
    ]
    return _changes(pl.concat([deltas, *year], how="diagonal"), ["po", "pp", "nb"], first)


def _first_day(month: str) -> pl.Expr:
    return pl.date(pl.col(month) // 12, pl.col(month) % 12 + 1, 1)


def _changes(deltas: pl.DataFrame, values: list[str], first: int) -> pl.DataFrame:
    """One row for each siren and month of change; what came before the first month is put on it."""
    clipped = deltas.with_columns(pl.col("m").clip(lower_bound=first))
    return clipped.group_by(KEYS, maintain_order=True).agg(pl.col(values).sum()).sort(KEYS)


def _cumulated(panel: pl.DataFrame, debts: pl.DataFrame) -> pl.DataFrame:
    joined = panel.join(debts, on=KEYS, how="left").sort(KEYS)
    part = [pl.col(c).fill_null(0).cum_sum().over("siren").round(2) for c in ("po", "pp", "nb")]
    names = {"po": "dette_part_ouvriere_eur", "pp": "dette_part_patronale_eur", "nb": "nb_ecarts_12m"}
    return joined.with_columns(part).rename(names)


def _features(panel: pl.DataFrame, first: int) -> pl.DataFrame:
    month, effectif, contribution, debt, ratio, paydex = (
        pl.col(c)
        for c in ("m", "effectif", "cotisation_moyenne_12m_eur", "dette_eur", "dette_sur_cotisation", "paydex_jours")
    )
    spoken = pl.col("date_cloture_exercice_index") + 24 >= month
    panel = panel.with_columns(
        (pl.col("dette_part_ouvriere_eur") + pl.col("dette_part_patronale_eur")).round(2).alias("dette_eur"),
        pl.when(month - pl.col("date_valeur_index") <= 12).then(paydex).alias("paydex_jours"),
        *[pl.when(spoken).then(pl.col(c)).alias(c) for c in ("ca_evolution", "marge_ebe", "resultat_net_sur_ca")],
    )
    panel = panel.with_columns(pl.when(contribution > 0).then(debt / contribution).alias("dette_sur_cotisation"))

    def before(value: pl.Expr, months: int) -> pl.Expr:
        return value.shift(months).over("siren")

    def summed(value: pl.Expr, months: int) -> pl.Expr:
        return value.cast(pl.Float64).rolling_sum(months, min_samples=1).over("siren")

    x = pl.when(ratio.is_not_null()).then((month - first).cast(pl.Float64))
    n, sx, sy, sxx, sxy = (summed(v, 12) for v in (ratio.is_not_null(), x, ratio, x * x, x * ratio))
    spread = n * sxx - sx * sx
    return panel.with_columns(
        (month - pl.col("periode_index")).alias("effectif_anciennete_mois"),
        (pl.col("periode_index") < pl.col("last_period")).cast(pl.Float64).alias("effectif_lacune"),
        *[(effectif / before(effectif, k) - 1).alias(f"effectif_evolution_{k}m") for k in (6, 12, 24)],
        (contribution / before(contribution, 12) - 1).alias("cotisation_evolution_12m"),
        (12 - pl.col("n").fill_null(0)).alias("cotisation_mois_manquants_12m"),
        (pl.when(contribution > 0).then(pl.col("dette_part_ouvriere_eur") / contribution)).alias(
            "dette_ouvriere_sur_cotisation"
        ),
        (debt / effectif).alias("dette_par_salarie_eur"),
        *[before(ratio, k).alias(f"dette_sur_cotisation_lag_{k}m") for k in (1, 3, 6, 12, 24)],
        *[
            ratio.rolling_mean(k, min_samples=1).over("siren").alias(f"dette_sur_cotisation_moyenne_{k}m")
            for k in (3, 12)
        ],
        pl.when(spread > 0).then((n * sxy - sx * sy) / spread).alias("dette_tendance_12m"),
        *[(ratio - before(ratio, k)).alias(f"dette_variation_{k}m") for k in (3, 6, 12)],
        *[summed(debt > 0, k).round().alias(f"nb_mois_dette_{k}m") for k in (12, 24)],
        summed(debt > contribution, 12).round().alias("nb_mois_dette_elevee_12m"),
        (month - pl.col("began_index")).alias("mois_depuis_dernier_ecart"),
        pl.when(paydex.is_not_null()).then(month - pl.col("date_valeur_index")).alias("paydex_anciennete_mois"),
        paydex.rolling_mean(6, min_samples=1).over("siren").alias("paydex_moyenne_6m"),
        (paydex - before(paydex, 12)).alias("paydex_variation_12m"),
        pl.when(spoken).then(month - pl.col("date_cloture_exercice_index")).alias("bilan_anciennete_mois"),
        spoken.fill_null(False).not_().cast(pl.Float64).alias("bilans_manquants"),
        (month - _month("date_creation")).alias("age_mois"),
        _first_day("m").alias("month"),
    )


def _against_peers(panel: pl.DataFrame) -> pl.DataFrame:
    """The distance to the median of the same section and class of headcount, that month."""
    peers = ["m", "section", pl.col("effectif").cut([10, 20, 50, 100, 250], left_closed=True)]
    compared = {
        "dette_sur_cotisation": "dette_sur_cotisation_ecart_secteur",
        "marge_ebe": "marge_ebe_ecart_secteur",
        "effectif_evolution_12m": "effectif_evolution_12m_ecart_secteur",
        "paydex_jours": "paydex_jours_ecart_secteur",
    }
    distances = [(pl.col(value) - pl.col(value).median().over(peers)).alias(name) for value, name in compared.items()]
    return panel.with_columns(distances).select("siren", "month", pl.col(COLUMNS).cast(pl.Float64))


def _write(url: str, frame: pl.DataFrame) -> None:
    with psycopg.connect(url) as connection:
        columns = ", ".join(f"{name} float8" for name in COLUMNS)
        connection.execute(
            f"drop table if exists {TABLE}; create unlogged table {TABLE} (siren text, month date, {columns})".encode()
        )
    frame.write_database(TABLE, url, engine="adbc", if_table_exists="append")
