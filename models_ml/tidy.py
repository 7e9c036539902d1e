"""Any tidy panel (one row per entity and period, the period of the event or nothing, variables) brought to the form of `panel`.

Nothing here knows where a panel comes from. What cannot be right is refused with its reason; what can be set right is set right and
said (`Tidy.notes`): nothing is dropped or filled in silence. Messages are French, they reach the person who brought the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import polars.selectors as cs

from models_ml.panel import KEY
from models_ml.panel_file import PanelRefused, parsed_period, period_months, text_cells

UNITS = {1: "mois", 3: "trimestre", 6: "semestre", 12: "an"}
# Names that the person-period table gives a meaning to: a column of the file that bears one is renamed with a `_`.
_RESERVED = (*KEY, "event_period", "exit_period", "event_known", "exit_known", "interval", "event")
# Months after the last line from which an event can only be a mark for "none", such as 2099-12-31.
_FAR = 120
# Entities or rows with an event below which a column that tells them all apart may do so by chance.
_ENOUGH = 10
# Share of the other rows that may hold what every last row holds, when that is the mark of an end.
_SELDOM = 0.05


@dataclass(frozen=True)
class Tidy:
    """`frame`: entity, period (first of month), event_period, exit_period (null), features as floats. `step`: months of a period.

    `until`: month index to which events are known. `notes`: what was changed or left out, in French. `warnings`: what looks wrong.
    """

    frame: pl.DataFrame
    step: int
    until: int
    names: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """Name of a period: « an », « mois »…"""
        return UNITS.get(self.step, f"{self.step} mois")


def _require_event_periods(column: pl.Series) -> None:
    """A 0/1 flag says that a company fails, not when: taken for a period, it would put all failures in the year 1."""
    values = set(column.drop_nulls().cast(pl.String).str.strip_chars().str.strip_suffix(".0").unique().to_list())
    if column.dtype == pl.Boolean or values <= {"0", "1", "true", "false", "True", "False"}:
        if not values:
            raise PanelRefused(f"la colonne {column.name} est vide : aucun événement, il n'y a rien à apprendre")
        raise PanelRefused(
            f"la colonne {column.name} ne contient que {', '.join(sorted(values))} : un indicateur ne dit pas quand. Donnez la période de "
            "l'événement (année, mois ou date), vide pour une entité qui n'en a pas, la même sur toutes les lignes de l'entité"
        )


def tidy(
    table: pl.DataFrame,
    *,
    entity: str,
    period: str,
    event: str,
    features: Sequence[str] | None = None,
    until: str | None = None,
    lags: int = 0,
) -> Tidy:
    """The panel of a table. `features`: the columns to use, all usable ones otherwise. `until`: last period in which events are
    known (otherwise the later of the last row and the last event). `lags`: adds the values of that many periods before, by exact
    period, and the last change. Raises PanelRefused.
    """
    keys = (entity, period, event)
    for column in (*keys, *(features or ())):
        if column not in table.columns:
            raise PanelRefused(f"colonne absente : {column} (colonnes : {', '.join(table.columns)})")
    if taken := [column for column in features or () if column in keys]:
        raise PanelRefused(f"l'entité, la période et l'événement ne sont pas des variables : {', '.join(taken)}")
    if not table.height:
        raise PanelRefused("le panel n'a aucune ligne")
    _require_event_periods(table.get_column(event))
    notes: list[str] = []
    clash = _free_names([c for c in table.columns if c in _RESERVED and c not in keys], table.columns)
    table = table.rename(clash)
    wanted = [clash.get(c, c) for c in dict.fromkeys(features)] if features else None
    rows = table.with_columns(
        _entity=text_cells(table.get_column(entity).cast(pl.String)),
        _period=period_months(table.get_column(period)),
        _event=period_months(table.get_column(event)),
    )
    rows = _unique_rows(_events_of_entities(rows, notes), notes)
    known = _known_until(rows, until)
    kept = _rows_at_risk(rows, known, notes)
    step = _step(kept)
    warnings: list[str] = []
    names = _usable(kept, keys, wanted, notes)
    if names:
        names = _without_leaks(kept, names, step, explicit=features is not None, warnings=warnings)
    if not names:
        raise PanelRefused(
            "aucune variable utilisable ne reste dans le panel" + "".join(f" ; {said}" for said in (*notes, *warnings))
        )
    frame, added = _with_past(_canonical(kept, names, notes), names, step, lags)
    return Tidy(frame, step, known, (*names, *added), notes, warnings)


def _free_names(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Each of these names with as many `_` as make it new."""
    free = {}
    for name in names:
        free[name] = f"{name}_"
        while free[name] in taken:
            free[name] += "_"
    return free


def _known_until(rows: pl.DataFrame, until: str | None) -> int:
    """Month index to which events are known. A date far beyond every line is a mark, and would close windows still open."""
    if until is not None:
        (known,) = period_months(pl.Series("until", [until]))
        if known is None:
            raise PanelRefused(f"« {until} » n'est pas la dernière période dont les événements sont connus")
        return int(known)
    last_period, last_event = rows.select(pl.col("_period").max(), pl.col("_event").max().fill_null(0)).row(0)
    if last_event > last_period + _FAR:
        raise PanelRefused(
            f"le dernier événement est de {_year_month(last_event)}, la dernière ligne de {_year_month(last_period)} : si cette date veut "
            "dire qu'il n'y en a pas, laissez la case vide ; sinon, donnez la dernière période dont les événements sont connus"
        )
    return int(max(last_period, last_event))


def _rows_at_risk(rows: pl.DataFrame, known: int, notes: list[str]) -> pl.DataFrame:
    """The rows before the event of their entity, events later than `known` left out: nobody knew them."""
    later = rows.filter(pl.col("_event") > known).get_column("_entity").n_unique()
    if later:
        notes.append(f"entités dont l'événement est ignoré, car postérieur à {_year_month(known)} : {later}")
        rows = rows.with_columns(_event=pl.when(pl.col("_event") <= known).then("_event"))
    kept = rows.filter(pl.col("_event").is_null() | (pl.col("_event") > pl.col("_period")))
    if dropped := rows.height - kept.height:
        notes.append(
            f"lignes écartées, de la période de l'événement ou postérieures, qui le connaissent déjà : {dropped}"
        )
    if kept.get_column("_event").drop_nulls().is_empty():
        raise PanelRefused("aucune ligne ne précède un événement : il n'y a rien à apprendre")
    return kept


def _year_month(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"


def _events_of_entities(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """The first event of an entity on all its rows; rows without entity or period are left out."""
    whole = rows.drop_nulls(["_entity", "_period"])
    if lost := rows.height - whole.height:
        notes.append(f"lignes écartées, sans entité ou sans période : {lost}")
    if not whole.height:
        raise PanelRefused("aucune ligne n'a une entité et une période")
    first = pl.col("_event").min().over("_entity")
    filled = whole.select((pl.col("_event").is_null() & first.is_not_null()).sum()).item()
    several = whole.filter(pl.col("_event") != first).get_column("_entity").n_unique()
    if filled:
        notes.append(f"lignes où l'événement de leur entité est reporté, car il n'y était pas écrit : {filled}")
    if several:
        notes.append(f"entités qui ont plusieurs événements, dont seul le premier compte : {several}")
    return whole.with_columns(_event=first)


def _unique_rows(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    unique = rows.unique(maintain_order=True)
    if same := rows.height - unique.height:
        notes.append(f"lignes répétées à l'identique, qui ne comptent qu'une fois : {same}")
    doubled = unique.filter(pl.struct("_entity", "_period").is_duplicated())
    if doubled.height:
        name, month = doubled.select("_entity", "_period").row(0)
        raise PanelRefused(
            f"{doubled.height} lignes partagent leur entité et leur mois avec une autre, différente (par exemple l'entité {name}, "
            f"{_year_month(month)}) : il faut une ligne par entité et par période"
        )
    return unique.sort("_entity", "_period")


def _step(rows: pl.DataFrame) -> int:
    """Months between two periods: the most frequent gap of an entity, otherwise the smallest gap of the panel."""
    gaps = rows.sort("_entity", "_period").select(pl.col("_period").diff().over("_entity").drop_nulls()).to_series()
    if not gaps.len():
        gaps = rows.get_column("_period").unique().sort().diff().drop_nulls()
        return int(gaps.min()) if gaps.len() else 12  # type: ignore[arg-type]
    return int(gaps.value_counts().sort("count", "_period", descending=[True, False]).item(0, "_period"))


def _usable(rows: pl.DataFrame, keys: Sequence[str], features: Sequence[str] | None, notes: list[str]) -> list[str]:
    """Names of the numeric columns that vary; the others are told."""
    candidates = [c for c in (features or rows.columns) if c not in keys and (features or _is_named(c))]
    unnamed = [c for c in rows.columns if not _is_named(c) and c not in ("_entity", "_period", "_event", *keys)]
    if unnamed and not features:
        told = ", ".join(name or "(sans nom)" for name in unnamed)
        notes.append(f"colonnes laissées de côté, sans nom ou dont le nom commence par _ : {told}")
    numeric = set(rows.select(cs.numeric() | cs.boolean()).columns)
    if features and (text := [c for c in candidates if c not in numeric]):
        raise PanelRefused(f"variables qui ne sont pas des nombres : {', '.join(text)}")
    if text := [c for c in candidates if c not in numeric]:
        notes.append(f"colonnes laissées de côté, qui ne sont pas des nombres : {', '.join(text)}")
    levels = {c: _finite(rows.get_column(c)) for c in candidates if c in numeric}
    # A column of one value may still speak by its absence; one that is never there cannot.
    flat = [c for c, v in levels.items() if v.drop_nulls().n_unique() + (v.drop_nulls().len() and v.has_nulls()) < 2]
    if flat:
        notes.append(f"colonnes laissées de côté, vides ou constantes : {', '.join(flat)}")
    return [c for c in candidates if c in numeric and c not in flat]


def _is_named(column: str) -> bool:
    """A column without a name is the row number that R and pandas write."""
    return bool(column) and not column.startswith("_")


def _finite(column: pl.Series) -> pl.Series:
    values = column.cast(pl.Float64)
    return values.set(~values.is_finite().fill_null(value=False), None)


def _auc(value: pl.Expr, positive: pl.Expr) -> pl.Expr:
    """AUC of a column (missing values lowest), folded to be above 0.5."""
    rank = value.fill_null(float("-inf")).rank("average")
    hits, total = positive.sum().cast(pl.Float64), pl.len().cast(pl.Float64)
    area = (rank.filter(positive).sum() - hits * (hits + 1) / 2) / (hits * (total - hits))
    return pl.max_horizontal(area, 1 - area)


def _without_leaks(
    rows: pl.DataFrame, names: list[str], step: int, *, explicit: bool, warnings: list[str]
) -> list[str]:
    """Warn of the columns that only the future can have written; leave them out unless they were asked for by name."""
    values = rows.select(
        "_entity",
        "_period",
        _failing=pl.col("_event").is_not_null(),
        _soon=((pl.col("_event") - pl.col("_period")) <= step).fill_null(value=False),
        **{name: _finite(rows.get_column(name)) for name in names},
    )
    firms = values.group_by("_entity", maintain_order=True).agg(
        pl.col("_failing").first(), *(pl.col(name).first() for name in names)
    )
    varies = values.group_by("_entity").agg(pl.col(names).n_unique() > 1).select(pl.col(names).any()).row(0, named=True)
    several = values.height > firms.height
    failing = firms.get_column("_failing").sum()
    by_firm = firms.select(_auc(pl.col(name), pl.col("_failing")).alias(name) for name in names).row(0, named=True)
    by_row = values.select(_auc(pl.col(name), pl.col("_soon")).alias(name) for name in names).row(0, named=True)
    ending = _same_at_the_end(values, names)
    reasons = {}
    for name in names:
        if several and not varies[name] and (by_firm[name] or 0) >= 0.98:
            reasons[name] = "constante par entité, elle dit qui a un événement"
        elif _is_later(values, name):
            reasons[name] = "une période postérieure à celle de la ligne"
        elif (by_row[name] or 0) >= 0.995 and values.get_column("_soon").sum() >= _ENOUGH:
            reasons[name] = "elle annonce à elle seule tous les événements de la période suivante"
        elif several and (by_firm[name] or 0) >= 0.995 and failing >= _ENOUGH:
            reasons[name] = "dès la première ligne d'une entité, elle dit si elle aura un événement"
        elif name in ending:
            reasons[name] = "la même ou vide sur la dernière ligne de toutes les entités, elle en connaît la fin"
    end = "gardée, car demandée" if explicit else "laissée de côté"
    warnings.extend(f"{name} ne peut être connue qu'après coup ({why}) : {end}" for name, why in reasons.items())
    return names if explicit else [name for name in names if name not in reasons]


def _same_at_the_end(values: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns that have one value (or none), seldom seen elsewhere, on the last row of every entity: rows left, a value of the row after.

    An end of the panel does not do that: entities with an event end earlier, at different periods. Nor does a rare flag, which is
    0 nearly everywhere.
    """
    is_last = pl.col("_period") == pl.col("_period").max().over("_entity")
    last, earlier = values.filter(is_last), values.filter(~is_last)
    failing = last.get_column("_failing").sum()
    if last.height == values.height or min(failing, last.height - failing) < _ENOUGH:
        return []
    one = [name for name in names if last.get_column(name).n_unique() == 1]
    return [name for name in one if earlier.get_column(name).eq_missing(last.get_column(name)[0]).mean() < _SELDOM]


def _is_later(values: pl.DataFrame, name: str) -> bool:
    """Whether a column of whole numbers reads as periods and lies after the row's own in one row of twenty or more."""
    column = values.get_column(name)
    present = column.drop_nulls()
    if not present.len() or (present % 1 != 0).any() or not present.is_between(1800, 230012).all():
        return False
    parsed = pl.DataFrame({"t": column.cast(pl.Int64).cast(pl.String)}).select(parsed_period(pl.col("t"))).to_series()
    low, high = values.select(low=pl.col("_period").min() - 120, high=pl.col("_period").max() + 120).row(0)
    if parsed.null_count() > column.null_count() or not parsed.drop_nulls().is_between(low, high).all():
        return False
    return (parsed > values.get_column("_period")).sum() >= values.height / 20


def _canonical(rows: pl.DataFrame, names: Sequence[str], notes: list[str]) -> pl.DataFrame:
    infinite = [n for n in names if rows.get_column(n).cast(pl.Float64).is_infinite().any()]
    if infinite:
        notes.append(f"valeurs infinies traitées comme manquantes dans : {', '.join(infinite)}")
    day = lambda c: pl.date(pl.col(c) // 12, pl.col(c) % 12 + 1, 1)  # noqa: E731
    return rows.select(
        entity=pl.col("_entity"),
        period=day("_period"),
        event_period=pl.when(pl.col("_event").is_not_null()).then(day("_event")),
        exit_period=pl.lit(None, dtype=pl.Date),
        **{name: _finite(rows.get_column(name)) for name in names},
    )


def _with_past(frame: pl.DataFrame, names: Sequence[str], step: int, lags: int) -> tuple[pl.DataFrame, list[str]]:
    """Values of the periods before, by exact period: across a gap they are missing, not older."""
    made = [f"{name}_retard{lag}" for name in names for lag in range(1, lags + 1)]
    if clash := sorted({*made, *(f"{name}_variation" for name in names if lags)} & set(names)):
        raise PanelRefused(f"des colonnes du panel ont le nom d'une valeur passée à ajouter : {', '.join(clash)}")
    added = []
    for lag in range(1, lags + 1):
        before = frame.select(
            "entity",
            pl.col("period").dt.offset_by(f"{lag * step}mo"),
            *(pl.col(name).alias(f"{name}_retard{lag}") for name in names),
        )
        frame = frame.join(before, on=list(KEY), how="left", maintain_order="left")
        added += [f"{name}_retard{lag}" for name in names]
    if lags:
        frame = frame.with_columns(
            (pl.col(name) - pl.col(f"{name}_retard1")).alias(f"{name}_variation") for name in names
        )
        added += [f"{name}_variation" for name in names]
    return frame, added
