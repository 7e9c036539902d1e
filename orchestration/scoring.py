"""From the mart to `ml.*`: which model a month uses, the scores of its companies, the reasons of its alerts.

Belongs here: the choice of the models of a month and the rows that they write. The models themselves are in `registry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import islice

import polars as pl
from psycopg import sql

from ingestion.database import connect
from models_ml import explain
from models_ml.train import NotEnoughHistory, TrainedModel
from orchestration import monitoring, panel, publication, registry
from orchestration.instance import Instance
from orchestration.months import last_day, shift
from orchestration.panel import ROLE
from orchestration.registry import UsedModel

#: Reasons kept for each alert.
TOP_REASONS = 6


@dataclass(frozen=True)
class Written:
    """Rows written by `score_months`."""

    scores: int
    reasons: int


def training_date(month: date) -> date:
    """Day whose knowledge trains the model of `month`: the model changes in January only, so that lists compare."""
    return date(month.year - 1, 12, 31)


def choose_models(instance: Instance, months: Sequence[date], *, run_id: str) -> dict[date, UsedModel]:
    """The model of each month: the yearly one, trained now when it is missing, recorded in `ml.run_month`.

    When the yearly date has too little history (a new instance), what is known at the end of the month before is used. A month
    whose sources are not all there has the yearly model learned without them. The last month also gets its challenger.

    Raises:
        NotEnoughHistory: neither date has enough; the reason gives the numbers.
        NothingToScore: the mart has no company at risk in a month.
    """
    last = last_day(shift(max(months), -1))
    family, withheld = registry.champion_family(instance), panel.withheld_sources(instance, months)

    @cache
    def known() -> pl.DataFrame:
        """Read once for all the models of the range: each training leaves out what is later than its date."""
        return panel.training(instance, last)

    def fitted(as_of: date, family: str, month: date) -> UsedModel:
        return registry.model_as_of(instance, as_of, known, family=family, withheld=withheld[month], run_id=run_id)

    def chosen(month: date, family: str) -> UsedModel:
        try:
            return fitted(training_date(month), family, month)
        except NotEnoughHistory:
            return fitted(last_day(shift(month, -1)), family, month)

    for month in months:
        panel.require_companies(instance, month)
    champions = {month: chosen(month, family) for month in sorted(months)}
    challenger = chosen(max(months), registry.challenger_family(instance))
    with connect(instance.database_url, role=ROLE) as connection:
        for month, model in champions.items():
            connection.execute(
                "insert into ml.run_month (month, model_id, challenger_id, sources_ecartees) values (%s, %s, %s, %s) "
                "on conflict (month) do update set model_id = excluded.model_id, sources_ecartees = excluded.sources_ecartees, "
                "challenger_id = coalesce(excluded.challenger_id, ml.run_month.challenger_id)",
                [
                    month,
                    model.model_id,
                    challenger.model_id if month == max(months) else None,
                    list(withheld[month]),
                ],
            )
    return champions


def score_months(instance: Instance, months: Sequence[date]) -> Written:
    """Score the companies at risk in each month with its model, and explain those above the moderate threshold.

    The month before, and those of the lists that the month is compared with, are scored with the same model too when their own
    was another one: "new" then means that the company changed, not the model nor a file that came late. The challenger of a
    month scores it without being explained. What moved is told to `monitoring`.
    """
    lists = [*publication.lists_before(instance.database_url, min(months)), *sorted(months)]
    used = registry.of_months(instance, [*lists, *(shift(month, -1) for month in months)])
    wanted = {(month, used[month]) for month in months}
    for month in months:
        compared = _compared_lists([before for before in lists if before < month], used, used[month])
        _record_comparison(instance, month, compared)
        wanted |= {(before, used[month]) for before in (shift(month, -1), *compared) if used.get(before) != used[month]}
    scores = reasons = 0
    for model, scored_months in _by_model(wanted):
        fitted = registry.load(instance, model)
        frame = panel.variables(instance, scored_months, model.features)
        predicted = _score(fitted, frame)
        why = _reasons(fitted, model, frame, predicted)
        _replace(instance, "ml.score", predicted, model.model_id, scored_months)
        _replace(instance, "ml.explanation", why, model.model_id, scored_months)
        own = [month for month in months if used[month] == model]
        monitoring.record_drift(instance, model, own, frame, predicted, seen=max(months))
        scores, reasons = scores + predicted.height, reasons + why.height
    for model, scored_months in _by_model(registry.challengers_of_months(instance, months).items()):
        predicted = _score(registry.load(instance, model), panel.variables(instance, scored_months, model.features))
        _replace(instance, "ml.score", predicted, model.model_id, scored_months)
    monitoring.record_outcomes(instance, months)
    return Written(scores, reasons)


def _compared_lists(lists: Sequence[date], used: Mapping[date, UsedModel], model: UsedModel) -> tuple[date, ...]:
    """The lists that one of this model is compared with, best first, of those before it: the last one in which every variable of
    the model spoke, and the previous one, that knows the companies that are followed since.

    Without a source, the level that the model gives rests on values that nobody observed: its file, once there, would make
    companies new.
    """
    names = {feature.name for feature in model.features}
    whole = (
        before
        for before in reversed(lists)
        if before in used and names <= {feature.name for feature in used[before].features}
    )
    return tuple(dict.fromkeys([*islice(whole, 1), *lists[-1:]]))


def _record_comparison(instance: Instance, month: date, compared: Sequence[date]) -> None:
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(
            "update ml.run_month set liste_comparee = %s where month = %s", [next(iter(compared), None), month]
        )


def _by_model(wanted: Iterable[tuple[date, UsedModel]]) -> list[tuple[UsedModel, list[date]]]:
    """Each model once, with its months in order."""
    pairs = sorted(wanted, key=lambda pair: (pair[1].model_id, pair[0]))
    return [(model, [month for month, by in pairs if by == model]) for model in dict.fromkeys(by for _, by in pairs)]


def _score(fitted: TrainedModel, frame: pl.DataFrame) -> pl.DataFrame:
    """The scores of these rows, in their order and as `ml.score` names them."""
    predicted = fitted.model.predict(frame)
    return predicted.select(siren="entity", month="period", p12="p12", p18="p18", p24="p24", logit="logit")


def _reasons(fitted: TrainedModel, model: UsedModel, frame: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The reasons of the companies in alert, as `ml.explanation` names them."""
    contributions = fitted.model.contributions(frame.filter(scores["p18"] >= model.seuil_f2))
    reasons = explain.reasons(contributions, model.features, top=TOP_REASONS)
    return reasons.rename({"entity": "siren", "period": "month"})


def _replace(instance: Instance, table: str, frame: pl.DataFrame, model_id: str, months: Sequence[date]) -> None:
    """Write the rows of a model and months in place of those it had, in one transaction."""
    columns = [*frame.columns, "model_id"]
    content = frame.with_columns(model_id=pl.lit(model_id)).write_csv(include_header=False)
    target = sql.SQL(".").join(map(sql.Identifier, table.split(".")))
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(
            sql.SQL("delete from {} where model_id = %s and month = any(%s)").format(target), [model_id, list(months)]
        )
        statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
            target, sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with connection.cursor().copy(statement) as stream:
            stream.write(content)
