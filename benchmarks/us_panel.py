"""Variables of the public American panel (../shared/data/us_bankruptcy): ratios, relative sizes and their past.

Of this benchmark only: the library knows none of these names. Everything is of the row's fiscal year or before it; the only figure
of other companies is the median of the same year. Missing stays missing; a ratio without a denominator is missing.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

C = pl.col
(
    CURRENT_ASSETS, COST_OF_SALES, DEPRECIATION, EBITDA, STOCKS, NET_INCOME, RECEIVABLES, MARKET_VALUE, SALES,
) = (C(f"X{k}") for k in range(1, 10))  # fmt: skip
(
    ASSETS, LONG_DEBT, EBIT, GROSS_PROFIT, CURRENT_DEBT, RETAINED, REVENUE, DEBT, EXPENSES,
) = (C(f"X{k}") for k in range(10, 19))  # fmt: skip
_EQUITY = ASSETS - DEBT
_CASH = CURRENT_ASSETS - STOCKS - RECEIVABLES
_MARKET_ASSETS = MARKET_VALUE + DEBT

# Name, expression, whether it uses the market value: 29 ratios.
RATIOS: dict[str, pl.Expr] = {
    "working_capital": (CURRENT_ASSETS - CURRENT_DEBT) / ASSETS,
    "retained": RETAINED / ASSETS,
    "ebit": EBIT / ASSETS,
    "ebitda": EBITDA / ASSETS,
    "net_income": NET_INCOME / ASSETS,
    "turnover": SALES / ASSETS,
    "leverage": DEBT / ASSETS,
    "long_leverage": LONG_DEBT / ASSETS,
    "short_leverage": CURRENT_DEBT / ASSETS,
    "long_share": LONG_DEBT / DEBT,
    "liquidity": CURRENT_ASSETS / CURRENT_DEBT,
    "quick": (CURRENT_ASSETS - STOCKS) / CURRENT_DEBT,
    "cash": _CASH / ASSETS,
    "cash_cover": _CASH / CURRENT_DEBT,
    "stocks": STOCKS / SALES,
    "receivables": RECEIVABLES / SALES,
    "gross_margin": GROSS_PROFIT / SALES,
    "expenses": EXPENSES / SALES,
    "cost": COST_OF_SALES / SALES,
    "net_margin": NET_INCOME / SALES,
    "debt_cover": EBITDA / DEBT,
    "depreciation": DEPRECIATION / ASSETS,
}
MARKET_RATIOS: dict[str, pl.Expr] = {
    "market_leverage": DEBT / _MARKET_ASSETS,
    "market_equity": MARKET_VALUE / DEBT,
    "market_income": NET_INCOME / _MARKET_ASSETS,
    "market_ebitda": EBITDA / _MARKET_ASSETS,
    "market_cash": _CASH / _MARKET_ASSETS,
    "market_to_book": MARKET_VALUE / _EQUITY,
    "market_to_sales": MARKET_VALUE / SALES,
}
_RELATIVE = {"assets_relative": ASSETS, "sales_relative": SALES}
_MARKET_RELATIVE = {"market_relative": MARKET_VALUE}
# What the past is computed of.
CORE = (
    "working_capital", "retained", "ebit", "ebitda", "net_income", "turnover", "leverage", "liquidity", "cash", "debt_cover",
    "gross_margin", "assets_relative", "sales_relative",
)  # fmt: skip
MARKET_CORE = ("market_leverage", "market_income", "market_relative")


def _finite(expression: pl.Expr) -> pl.Expr:
    return pl.when(expression.is_finite()).then(expression)


def _relative(amount: pl.Expr) -> pl.Expr:
    """Log of an amount over the median of its year: nominal growth would move a raw log out of the years learned."""
    return _finite(amount.log()) - _finite(amount.log()).median().over("fyear")


def _past(name: str) -> dict[str, pl.Expr]:
    """Lags, change, slope, worst and spread of a variable; `name__1` … `name__3` are its values 1 to 3 fiscal years before."""
    now, one, two, three = C(name), C(f"{name}__1"), C(f"{name}__2"), C(f"{name}__3")
    return {
        f"{name}_lag1": one,
        f"{name}_lag2": two,
        f"{name}_change": now - one,
        f"{name}_slope": (now - two) / 2,
        f"{name}_min": pl.when(one.is_not_null()).then(pl.min_horizontal(now, one, two)),
        f"{name}_spread": pl.when(one.is_not_null() & two.is_not_null()).then(
            pl.concat_list(now, one, two, three).list.drop_nulls().list.std()
        ),
    }


def read(path: Path) -> pl.DataFrame:
    """The panel with its variables: company, fyear, event_year (null for a company that did not fail), and every feature."""
    rows = pl.read_parquet(path).sort("company", "fyear")
    rows = rows.with_columns(
        event_year=pl.when(C("failed") == 1).then(C("last_fyear") + 1),
        **{name: _finite(value) for name, value in (RATIOS | MARKET_RATIOS).items()},
        **{name: _relative(value) for name, value in (_RELATIVE | _MARKET_RELATIVE).items()},
        years=(C("fyear") - C("fyear").min().over("company")).cast(pl.Float64),
    )
    core = [*CORE, *MARKET_CORE]
    for lag in (1, 2, 3):
        before = rows.select(
            "company", C("fyear") + lag, *(C(name).alias(f"{name}__{lag}") for name in core)
        )  # by exact fiscal year: a gap gives a missing value, not an older one
        rows = rows.join(before, on=["company", "fyear"], how="left", maintain_order="left")
    return rows.with_columns(**{name: value for source in core for name, value in _past(source).items()}).select(
        "company", "fyear", "event_year", *(f"X{k}" for k in range(1, 19)), *features(market=True)
    )


def features(*, market: bool) -> list[str]:
    """Names of the variables, with or without those that use the market value."""
    now = [*RATIOS, *_RELATIVE, "years", *((*MARKET_RATIOS, *_MARKET_RELATIVE) if market else ())]
    core = (*CORE, *MARKET_CORE) if market else CORE
    return [*now, *(name for source in core for name in _past(source))]
