"""The models of an instance: trained when due, recorded with what made them, read back only as they were written.

Belongs here: `ml.model`, `ml.promotion`, the artefacts and the cards in the home folder. How a risk is estimated is in `models_ml`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from psycopg import sql

from ingestion.database import connect
from ingestion.ledger import code_version
from models_ml import artefact, card, drift, train
from models_ml.features import Feature, feature_hash, features_without
from models_ml.train import TrainedModel
from orchestration.instance import Instance
from orchestration.months import shift
from orchestration.panel import ROLE

#: Who is scored beside the champion, to measure what the champion's simplicity costs; the family of origin when it is champion itself.
CHALLENGER, ORIGIN = "interactions", "additive"
#: Rows of the reference population, at most: its tenths are known to a thousandth.
_PROFILE_ROWS = 50_000
_COLUMNS = "m.model_id, m.famille, m.seuil_f1, m.seuil_f2, m.artefact, m.artefact_sha256, m.sources_ecartees"

Profile = Mapping[str, Mapping[str, list[float]]]


@dataclass(frozen=True)
class UsedModel:
    """A model as `ml.model` knows it."""

    model_id: str
    famille: str
    seuil_f1: float
    seuil_f2: float
    artefact: str
    artefact_sha256: str
    sources_ecartees: tuple[str, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """The variables that it was learned on."""
        return features_without(self.sources_ecartees)


def champion_family(instance: Instance) -> str:
    """The family whose scores are published."""
    with connect(instance.database_url, role=ROLE) as connection:
        row = connection.execute("select famille from ml.promotion order by promotion_id desc limit 1").fetchone()
    assert row is not None
    return str(row[0])


def challenger_family(instance: Instance) -> str:
    """The family scored beside the champion."""
    return CHALLENGER if champion_family(instance) != CHALLENGER else ORIGIN


def model_as_of(
    instance: Instance,
    as_of: date,
    panel: Callable[[], pl.DataFrame],
    *,
    family: str,
    withheld: Sequence[str] = (),
    run_id: str | None = None,
) -> UsedModel:
    """The model of a family that could be fitted on a date without some sources; trained now when it is missing.

    Raises:
        NotEnoughHistory: too little was known by then.
    """
    features = features_without(withheld)
    known = find(
        instance,
        "as_of = %s and famille = %s and feature_hash = %s",
        [as_of, family, feature_hash(features)],
    )
    if known:
        return known[0]
    trained = train.train(panel(), as_of=as_of, features=features, seed=instance.settings.seed, family=family)
    _record(instance, trained, withheld, _profile(trained, panel()), run_id)
    return find(instance, "model_id = %s", [trained.model_id])[0]


def find(instance: Instance, condition: str, parameters: Sequence[object]) -> list[UsedModel]:
    """Models of the register that fulfil a condition, the latest first."""
    query = f"select {_COLUMNS} from ml.model as m where {condition} order by recorded_at desc"
    with connect(instance.database_url, role=ROLE) as connection:
        rows = connection.execute(query.encode(), parameters).fetchall()
    return [_used(row) for row in rows]


def of_months(instance: Instance, months: Sequence[date]) -> dict[date, UsedModel]:
    """The model whose scores are published in each of these months (`ml.run_month`)."""
    return _of_months(instance, months, "model_id")


def challengers_of_months(instance: Instance, months: Sequence[date]) -> dict[date, UsedModel]:
    """The challenger of each of these months that has one."""
    return _of_months(instance, months, "challenger_id")


def load(instance: Instance, model: UsedModel) -> TrainedModel:
    """The fitted model, from its artefact. Raises ArtefactRefused when it is not the one recorded."""
    return artefact.load(instance.models / model.artefact, model.artefact_sha256, features=model.features)


def profile_of(instance: Instance, model: UsedModel) -> Profile:
    """Reference population of a model, see `models_ml.drift.profile`; empty for a model recorded before there were profiles."""
    with connect(instance.database_url, role=ROLE) as connection:
        row = connection.execute("select profil from ml.model where model_id = %s", [model.model_id]).fetchone()
    assert row is not None
    profile: Profile = row[0]
    return profile


def _used(row: Sequence[Any]) -> UsedModel:
    model_id, famille, seuil_f1, seuil_f2, file, sha256, withheld = row
    return UsedModel(model_id, famille, seuil_f1, seuil_f2, file, sha256, tuple(withheld))


def _of_months(instance: Instance, months: Sequence[date], role: str) -> dict[date, UsedModel]:
    query = f"select r.month, {_COLUMNS} from ml.run_month as r inner join ml.model as m on m.model_id = r.{role} where month = any(%s)"
    with connect(instance.database_url, role=ROLE) as connection:
        rows = connection.execute(query.encode(), [list(months)]).fetchall()
    return {month: _used(row) for month, *row in rows}


def _profile(trained: TrainedModel, panel: pl.DataFrame) -> Profile:
    """Variables and p18 of the companies at risk in the twelve months before the model's date."""
    first = shift(trained.as_of.replace(day=1), -11)
    rows = panel.filter(pl.col("period").is_between(first, trained.as_of)).sort("entity", "period")
    rows = rows.gather_every(max(1, -(-rows.height // _PROFILE_ROWS)))
    scored = rows.with_columns(p18=trained.model.predict(rows)["p18"])
    return drift.profile(scored, [*trained.model.names, "p18"])


def _record(
    instance: Instance, trained: TrainedModel, withheld: Sequence[str], profile: Profile, run_id: str | None
) -> None:
    assert trained.thresholds is not None
    folder = instance.models / trained.model_id
    saved = artefact.save(trained, folder)
    (folder / "fiche.md").write_text(card.render(trained, simulation=instance.settings.simulation), encoding="utf-8")
    row = {
        "model_id": trained.model_id,
        "as_of": trained.as_of,
        "famille": trained.family,
        "sources_ecartees": list(withheld),
        "fitted_rows": trained.trained_on["lignes"],
        "fitted_events": trained.trained_on["defaillances"],
        "seuil_f1": trained.thresholds["f1"],
        "seuil_f2": trained.thresholds["f2"],
        "metrics": json.dumps(_figures(trained)),
        "feature_hash": trained.feature_hash,
        "data_sha256": trained.data_hash,
        "dernier_mois": trained.trained_on["periode_max"],
        "profil": json.dumps(profile),
        "artefact": str(saved.path.relative_to(instance.models)),
        "artefact_sha256": saved.sha256,
        "code_version": code_version(),
        "run_id": run_id,
    }
    statement = sql.SQL("insert into ml.model ({}) values ({}) on conflict (model_id) do nothing").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(statement, row)


def _figures(trained: TrainedModel) -> Mapping[str, object]:
    return {"horizons": trained.metrics, "apprentissage": trained.trained_on, "validation": trained.validation}
