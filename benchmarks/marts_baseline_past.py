"""What a month is beside the months before it and beside its peers: the other columns of the baseline."""

from __future__ import annotations

import polars as pl

#: Weight of the whole economy in a division's failure rate, in company-months (50 companies over 24 months).
WHOLE_ECONOMY = 1200


def with_past_and_peers(panel: pl.DataFrame, first: int) -> pl.DataFrame:
    """`panel` (all months of each company from month `first`, one after the other) with the columns that look further than a month."""
    return panel.pipe(_past, first).pipe(_against_peers).pipe(_failures_of_the_sector, first)


def _before(name: str, months: int, first: int) -> pl.Expr:
    """A value as it was some months before: the row so many lines above, once the panel goes back that far."""
    return pl.when(pl.col("m") - first >= months).then(pl.col(name).shift(months))


def _summed(value: pl.Expr, months: int) -> pl.Expr:
    return value.cast(pl.Float64).rolling_sum(months, min_samples=1).over("siren")


def _past(panel: pl.DataFrame, first: int) -> pl.DataFrame:
    effectif, contribution, debt, ratio, paydex = (
        pl.col(name)
        for name in ("effectif", "cotisation_moyenne_12m_eur", "dette_eur", "dette_sur_cotisation", "paydex_jours")
    )
    x = pl.when(ratio.is_not_null()).then((pl.col("m") - first).cast(pl.Float64))
    n, sx, sy, sxx, sxy = (_summed(v, 12) for v in (ratio.is_not_null(), x, ratio, x * x, x * ratio))
    spread = n * sxx - sx * sx
    is_high = debt > contribution

    def while_known(value: pl.Expr, feature: pl.Expr) -> pl.Expr:
        return pl.when(value.is_not_null()).then(feature)

    return panel.with_columns(
        *[(effectif / _before("effectif", k, first) - 1).alias(f"effectif_evolution_{k}m") for k in (6, 12, 24)],
        (contribution / _before("cotisation_moyenne_12m_eur", 12, first) - 1).alias("cotisation_evolution_12m"),
        *[_before("dette_sur_cotisation", k, first).alias(f"dette_sur_cotisation_lag_{k}m") for k in (1, 3, 6, 12, 24)],
        *[
            while_known(ratio, ratio.rolling_mean(k, min_samples=1).over("siren")).alias(
                f"dette_sur_cotisation_moyenne_{k}m"
            )
            for k in (3, 12)
        ],
        while_known(ratio, pl.when(spread > 0).then((n * sxy - sx * sy) / spread)).alias("dette_tendance_12m"),
        *[(ratio - _before("dette_sur_cotisation", k, first)).alias(f"dette_variation_{k}m") for k in (3, 6, 12)],
        *[_summed(debt > 0, k).round().alias(f"nb_mois_dette_{k}m") for k in (12, 24)],
        _summed(is_high, 12).round().alias("nb_mois_dette_elevee_12m"),
        while_known(is_high, (_summed(is_high, 3).round() == 3)).alias("en_defaut_urssaf"),
        while_known(paydex, paydex.rolling_mean(6, min_samples=1).over("siren")).alias("paydex_moyenne_6m"),
        (paydex - _before("paydex_jours", 12, first)).alias("paydex_variation_12m"),
    )


def _against_peers(panel: pl.DataFrame) -> pl.DataFrame:
    """The distance to the median of the same section and class of headcount, that month."""
    peers = ["m", "naf_section", "tranche_effectif"]
    compared = ("dette_sur_cotisation", "marge_ebe", "effectif_evolution_12m", "paydex_jours")
    return panel.with_columns(
        (pl.col(name) - pl.col(name).median().over(peers)).alias(f"{name}_ecart_secteur") for name in compared
    )


def _failures_of_the_sector(panel: pl.DataFrame, first: int) -> pl.DataFrame:
    """Yearly share of the followed companies of the division that entered a procedure, over 24 months, near to that of all."""
    followed = _before("a_risque", 1, first).fill_null(False)
    both = ["followed", "entered"]
    companies = panel.select("naf_division", "m", followed=followed, entered=followed & pl.col("en_procedure"))
    by_month = companies.group_by("naf_division", "m").agg(pl.col(both).sum())
    every_month = by_month.select("naf_division").unique().join(by_month.select("m").unique(), how="cross")
    by_month = every_month.join(by_month, on=["naf_division", "m"], how="left", nulls_equal=True).sort(
        "naf_division", "m"
    )
    by_month = by_month.with_columns(pl.col(both).fill_null(0).rolling_sum(24, min_samples=1).over("naf_division"))
    by_month = by_month.with_columns(pl.col(both).sum().over("m").name.suffix("_anywhere"))
    anywhere = pl.when(pl.col("followed_anywhere") > 0).then(pl.col("entered_anywhere") / pl.col("followed_anywhere"))
    rate = 12 * (pl.col("entered") + WHOLE_ECONOMY * anywhere) / (pl.col("followed") + WHOLE_ECONOMY)
    rates = by_month.select("naf_division", "m", rate.alias("secteur_taux_defaillance_24m"))
    return panel.join(rates, on=["naf_division", "m"], how="left", nulls_equal=True, maintain_order="left")
