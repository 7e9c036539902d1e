"""From the mart to `ml.*`: which model a month uses, the scores of its companies, the reasons of its alerts.

Belongs here: reading the mart, calling `models_ml`, writing `ml.*`. How a risk is estimated is in `models_ml`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import polars as pl
from psycopg import sql

from ingestion.database import connect
from models_ml import artefact, card, explain, train
from models_ml.features import feature_hash, load_features
from models_ml.train import NotEnoughHistory, TrainedModel
from orchestration.instance import Instance, as_role
from orchestration.months import last_day, shift

ROLE = "vigie_scoring"
#: Reasons kept for each alert.
TOP_REASONS = 6


class NothingToScore(Exception):
    """No company at risk in the month; the message (French) says what is missing."""


@dataclass(frozen=True)
class UsedModel:
    """The model of a month, as `ml.model` knows it."""

    model_id: str
    seuil_f1: float
    seuil_f2: float
    artefact: str
    artefact_sha256: str


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

    When the yearly date has too little history (a new instance), what is known at the end of the month before is used.

    Raises:
        NotEnoughHistory: neither date has enough; the reason gives the numbers.
        NothingToScore: the mart has no company at risk in a month.
    """
    chosen: dict[date, UsedModel] = {}
    last = last_day(shift(max(months), -1))

    @cache
    def panel() -> pl.DataFrame:
        """Read once for all the models of the range: each training leaves out what is later than its date."""
        return _training_panel(instance, last)

    for month in sorted(months):
        require_companies(instance, month)
        try:
            chosen[month] = _model_as_of(instance, training_date(month), panel, run_id)
        except NotEnoughHistory:
            chosen[month] = _model_as_of(instance, last_day(shift(month, -1)), panel, run_id)
    with connect(instance.database_url, role=ROLE) as connection:
        for month, model in chosen.items():
            connection.execute(
                "insert into ml.run_month (month, model_id) values (%s, %s) "
                "on conflict (month) do update set model_id = excluded.model_id",
                [month, model.model_id],
            )
    return chosen


def score_months(instance: Instance, months: Sequence[date]) -> Written:
    """Score the companies at risk in each month with its model, and explain those above the moderate threshold.

    The month before is scored with the same model too when its own was another one: "new" then means that the company
    changed, not the model.
    """
    used = _models_of(instance, [*months, *(shift(month, -1) for month in months)])
    changed = [month for month in months if used.get(shift(month, -1)) != used[month]]
    wanted = {(month, used[month]) for month in months} | {(shift(month, -1), used[month]) for month in changed}
    scores = reasons = 0
    for model in sorted({model for _, model in wanted}, key=lambda item: item.model_id):
        scored_months = sorted(month for month, by in wanted if by == model)
        frame, why = _score(instance, model, scored_months)
        _replace(instance, "ml.score", frame, model.model_id, scored_months)
        _replace(instance, "ml.explanation", why, model.model_id, scored_months)
        scores, reasons = scores + frame.height, reasons + why.height
    return Written(scores, reasons)


def _model_as_of(instance: Instance, as_of: date, panel: Callable[[], pl.DataFrame], run_id: str) -> UsedModel:
    known = _known_models(instance, "as_of = %s and feature_hash = %s", [as_of, feature_hash(load_features())])
    return known[0] if known else _train(instance, as_of, panel(), run_id)


def _train(instance: Instance, as_of: date, panel: pl.DataFrame, run_id: str) -> UsedModel:
    trained = train.train(panel, as_of=as_of, features=load_features(), seed=instance.settings.seed)
    assert trained.thresholds is not None
    folder = instance.models / trained.model_id
    saved = artefact.save(trained, folder)
    (folder / "fiche.md").write_text(card.render(trained, simulation=instance.settings.simulation), encoding="utf-8")
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(
            "insert into ml.model (model_id, as_of, fitted_rows, fitted_events, seuil_f1, seuil_f2, metrics, feature_hash, "
            "artefact, artefact_sha256, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (model_id) do nothing",
            [
                trained.model_id, as_of, trained.trained_on["lignes"], trained.trained_on["defaillances"],
                trained.thresholds["f1"], trained.thresholds["f2"], json.dumps(_figures(trained)), trained.feature_hash,
                str(saved.path.relative_to(instance.models)), saved.sha256, run_id,
            ],
        )  # fmt: skip
    return _known_models(instance, "model_id = %s", [trained.model_id])[0]


def _figures(trained: TrainedModel) -> Mapping[str, object]:
    return {"horizons": trained.metrics, "apprentissage": trained.trained_on, "validation": trained.validation}


def _score(instance: Instance, model: UsedModel, months: Sequence[date]) -> tuple[pl.DataFrame, pl.DataFrame]:
    hazard = artefact.load(instance.models / model.artefact, model.artefact_sha256).model
    frame = _features(instance, months)
    predicted = hazard.predict(frame)
    alerts = frame.filter((predicted["p18"] >= model.seuil_f2).alias("alert"))
    reasons = explain.reasons(hazard.contributions(alerts), load_features(), top=TOP_REASONS)
    return (
        predicted.select(siren="entity", month="period", p12="p12", p18="p18", p24="p24", logit="logit"),
        reasons.rename({"entity": "siren", "period": "month"}),
    )


def _features(instance: Instance, months: Sequence[date]) -> pl.DataFrame:
    """entity, period, features of the companies at risk in these months, in a fixed order."""
    return _read(
        instance,
        f"select {_feature_columns()} from marts.mart_company_month where a_risque and month in ({_dates(months)}) order by siren, month",
    )


def _training_panel(instance: Instance, as_of: date) -> pl.DataFrame:
    """The panel of `models_ml`: every company at risk in every month up to `as_of`, events with the day they were known."""
    return _read(
        instance,
        f"""
        select {_feature_columns("mart.")},
            outcome.date_defaillance as event_period, outcome.defaillance_connue_le as event_known,
            outcome.date_sortie as exit_period, outcome.sortie_connue_le as exit_known
        from marts.mart_company_month as mart
        inner join marts.mart_outcome as outcome using (siren, month)
        where mart.a_risque and month <= {_dates([as_of])}
        order by siren, month
        """,
    )


def _feature_columns(prefix: str = "") -> str:
    features = ", ".join(f"{prefix}{feature.name}::double precision as {feature.name}" for feature in load_features())
    return f"siren as entity, month as period, {features}"


def _dates(days: Iterable[date]) -> str:
    return ", ".join(f"date '{day:%Y-%m-%d}'" for day in days)


def _read(instance: Instance, query: str) -> pl.DataFrame:
    return pl.read_database_uri(query, as_role(instance.database_url, ROLE), engine="adbc")


def require_companies(instance: Instance, month: date) -> None:
    """Go on when the mart has companies at risk in the month.

    Raises:
        NothingToScore: it has none; the reason (French) says what to look at.
    """
    with connect(instance.database_url, role=ROLE) as connection:
        row = connection.execute(
            "select count(*), count(*) filter (where a_risque) from marts.mart_company_month where month = %s", [month]
        ).fetchone()
    followed, at_risk = row or (0, 0)
    if not at_risk:
        raise NothingToScore(
            f"{month:%Y-%m} : aucune entreprise à suivre ({followed} dans le périmètre). Le périmètre demande un effectif "
            "d’au moins 10 salariés dans les 36 derniers mois : vérifiez que les fichiers d’effectif et Sirene connus au "
            f"{last_day(month):%d/%m/%Y} sont là."
        )


def _models_of(instance: Instance, months: Sequence[date]) -> dict[date, UsedModel]:
    with connect(instance.database_url, role=ROLE) as connection:
        rows = connection.execute(
            "select month, model_id, seuil_f1, seuil_f2, artefact, artefact_sha256 from ml.run_month natural join ml.model "
            "where month = any(%s)",
            [list(months)],
        ).fetchall()
    return {month: UsedModel(*rest) for month, *rest in rows}


def _known_models(instance: Instance, condition: str, parameters: list[object]) -> list[UsedModel]:
    query = f"select model_id, seuil_f1, seuil_f2, artefact, artefact_sha256 from ml.model where {condition} order by recorded_at desc"
    with connect(instance.database_url, role=ROLE) as connection:
        return [UsedModel(*row) for row in connection.execute(query.encode(), parameters).fetchall()]


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
