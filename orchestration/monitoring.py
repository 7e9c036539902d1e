"""What each run sees of the model in operation, in `ml.monitoring`: has the population moved, do the failures come as announced,
how many alerts, how many change from one month to the next. The limits are those of the gate (`expectations.score_suite`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from ingestion.database import connect
from models_ml import drift
from orchestration import panel, registry
from orchestration.instance import Instance
from orchestration.months import shift
from orchestration.panel import HORIZONS, ROLE
from orchestration.registry import UsedModel

#: Months before a judgment is surely known (see mart_outcome), and closed vintages measured again by each run: labels obey corrections.
_DELAY, _VINTAGES = 2, 12


def record_drift(
    instance: Instance,
    model: UsedModel,
    months: Sequence[date],
    frame: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    seen: date,
) -> None:
    """Stability index of each variable and of p18 in these months, against the last twelve months that the model learned from."""
    reference = registry.profile_of(instance, model)
    if not reference or not months:
        return
    rows: list[dict[str, Any]] = []
    scored = frame.with_columns(p18=scores["p18"])
    for month in months:
        part = scored.filter(pl.col("period") == month)
        for name, index in drift.stability(reference, part).items():
            rows.append(
                {
                    "month": month,
                    "mesure": "psi_score" if name == "p18" else "psi_variable",
                    "objet": name,
                    "model_id": model.model_id,
                    "effectif": part.height,
                    "valeur": index,
                }
            )
    _write(instance, rows, seen, f"mesure in ('psi_score', 'psi_variable') and month in ({panel.dates(months)})")


def record_outcomes(instance: Instance, months: Sequence[date]) -> None:
    """Observed over expected failures of the vintages closed at these months; volume and renewal of their alerts."""
    first, last = min(months), max(months)
    for horizon in HORIZONS:
        since, until = shift(first, -horizon - _DELAY - _VINTAGES + 1), shift(last, -horizon - _DELAY)
        vintages = f"month between {panel.dates([since])} and {panel.dates([until])}"
        closed = panel.read(
            instance,
            f"""
            select month, model_id, sum(defaillance_{horizon}m::int) as observees, sum(p{horizon}) as attendues
            from ml.run_month inner join ml.score using (month, model_id) inner join marts.mart_outcome using (siren, month)
            where defaillance_{horizon}m is not null and {vintages}
            group by month, model_id order by month
            """,
        )
        rows = [_level(row, horizon) for row in closed.iter_rows(named=True)]
        _write(instance, rows, last, f"mesure = 'observe_sur_attendu' and objet = '{horizon}' and {vintages}")
    condition = f"mesure in ('part_alertes', 'renouvellement') and month in ({panel.dates(months)})"
    _write(instance, _alerts(instance, months), last, condition)


def _level(row: dict[str, Any], horizon: int) -> dict[str, Any]:
    """Observed over expected with its interval; the count of a vintage is one Poisson draw, as each company is in it once."""
    observed, expected = int(row["observees"]), float(row["attendues"])
    low, high = drift.poisson_interval(observed)
    return {
        "month": row["month"],
        "mesure": "observe_sur_attendu",
        "objet": str(horizon),
        "model_id": row["model_id"],
        "effectif": observed,
        "valeur": observed / expected,
        "bas": low / expected,
        "haut": high / expected,
    }


def _alerts(instance: Instance, months: Sequence[date]) -> list[dict[str, Any]]:
    """Share of the companies followed that are in alert; entries and exits of the month over the alerts of the month before,
    both lists by the model of the month, so that a change of model is no change of companies.
    """
    counted = panel.read(
        instance,
        f"""
        with noted as (
            select r.month, r.model_id, s.siren, s.month = r.month as est_courant, s.p18 >= m.seuil_f2 as en_alerte,
                s.p18 >= m.seuil_f1 as en_alerte_forte
            from ml.run_month as r
            inner join ml.model as m on m.model_id = r.model_id
            inner join ml.score as s
                on s.model_id = r.model_id and s.month in (r.month, (r.month - interval '1 month')::date)
            where r.month in ({panel.dates(months)})
        ),
        company as (
            select month, model_id, siren, bool_or(est_courant) as est_suivie, bool_or(est_courant and en_alerte) as maintenant,
                bool_or(est_courant and en_alerte_forte) as forte, bool_or(not est_courant and en_alerte) as avant
            from noted group by month, model_id, siren
        )
        select month, model_id, count(*) filter (where est_suivie) as suivies, count(*) filter (where maintenant) as alertes,
            count(*) filter (where forte) as fortes, count(*) filter (where avant) as avant,
            count(*) filter (where maintenant <> avant) as mouvements
        from company group by month, model_id order by month
        """,
    )
    rows = []
    for row in counted.iter_rows(named=True):
        shared = {"month": row["month"], "model_id": row["model_id"]}
        for objet, count in (("F1", row["fortes"]), ("F1 et F2", row["alertes"])):
            rows.append(
                shared
                | {
                    "mesure": "part_alertes",
                    "objet": objet,
                    "effectif": row["suivies"],
                    "valeur": count / row["suivies"],
                }
            )
        if row["avant"]:
            renewal = row["mouvements"] / row["avant"]
            rows.append(
                shared | {"mesure": "renouvellement", "objet": "F1 et F2", "effectif": row["avant"], "valeur": renewal}
            )
    return rows


def _write(instance: Instance, rows: Sequence[dict[str, Any]], seen: date, condition: str) -> None:
    """Replace the rows that fulfil the condition."""
    names = ("month", "mesure", "objet", "model_id", "effectif", "valeur", "bas", "haut")
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute(f"delete from ml.monitoring where {condition}".encode())
        statement = f"copy ml.monitoring ({', '.join(names)}, mesure_en) from stdin"
        with connection.cursor().copy(statement.encode()) as stream:
            for row in rows:
                stream.write_row([*(row.get(name) for name in names), seen])
