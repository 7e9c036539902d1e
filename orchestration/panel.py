"""From the marts to the frames of `models_ml`: companies at risk, their variables, what became of them.

Belongs here: the queries on the marts. What a model makes of the rows is in `models_ml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl

from ingestion.database import connect
from models_ml.features import Feature, load_features
from orchestration.instance import Instance, as_role
from orchestration.months import last_day

#: Horizons of `mart_outcome` and of what is published, in months.
HORIZONS = (12, 18, 24)
#: Role of the sessions that read the marts and write `ml.*`.
ROLE = "vigie_scoring"


class NothingToScore(Exception):
    """No company at risk in the month; the message (French) says what is missing."""


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
            "minimal (`reference.perimetre`) : vérifiez que les fichiers d’effectif et Sirene connus au "
            f"{last_day(month):%d/%m/%Y} sont là."
        )


def variables(instance: Instance, months: Sequence[date], features: Sequence[Feature]) -> pl.DataFrame:
    """entity, period, features of the companies at risk in these months, in a fixed order."""
    return read(
        instance,
        f"select {_columns(features)} from marts.mart_company_month where a_risque and month in ({dates(months)}) "
        "order by siren, month",
    )


def training(instance: Instance, as_of: date) -> pl.DataFrame:
    """The panel of `models_ml`: every company at risk in every month up to `as_of`, events with the day they were known."""
    return read(
        instance,
        f"""
        select {_columns(load_features(), "mart.")},
            outcome.date_defaillance as event_period, outcome.defaillance_connue_le as event_known,
            outcome.date_sortie as exit_period, outcome.sortie_connue_le as exit_known
        from marts.mart_company_month as mart
        inner join marts.mart_outcome as outcome using (siren, month)
        where mart.a_risque and month <= {dates([as_of])}
        order by siren, month
        """,
    )


def withheld_sources(instance: Instance, months: Sequence[date]) -> dict[date, tuple[str, ...]]:
    """The sources that say nothing in each month: never delivered, or too old by their contract, in order of name.

    Before its first delivery a source is known from its own dates only: a silence there is no delay.
    """
    with connect(instance.database_url, role=ROLE) as connection:
        rows = connection.execute(
            """
            select month, source from marts.mart_source_freshness
            where month = any(%s) and en_retard and (
                lignes is not null
                or source not in (select source from marts.mart_source_freshness where derniere_livraison is not null)
            )
            order by month, source
            """,
            [list(months)],
        ).fetchall()
    return {month: tuple(source for at, source in rows if at == month) for month in months}


def rules_worth(instance: Instance, first: date, last: date) -> list[dict[str, Any]]:
    """What each clignotant was worth over these months of observation (18 months, closed windows); empty when none is closed."""
    return read(
        instance,
        f"""
        select libelle as clignotant, sum(nb_connus)::bigint as nb_connus, sum(nb_allumes)::bigint as nb_allumes,
            sum(nb_touchees)::double precision / nullif(sum(nb_allumes), 0) as precision_18m,
            sum(nb_touchees)::double precision / nullif(sum(nb_defaillances), 0) as rappel_18m,
            sum(nb_touchees)::double precision * sum(nb_connus)
                / nullif(sum(nb_allumes) * sum(nb_defaillances), 0)::double precision as lift_18m,
            percentile_cont(0.5) within group (order by avance_mediane_mois) as avance_mediane_mois
        from marts.mart_clignotant_valeur as valeur
        inner join reference.clignotant as texte on texte.code = valeur.clignotant
        where month between {dates([first])} and {dates([last])}
        group by texte.ordre, libelle order by texte.ordre
        """,
    ).to_dicts()


def read(instance: Instance, query: str) -> pl.DataFrame:
    """Rows of a query on the marts or on `ml.*`, as a frame."""
    return pl.read_database_uri(query, as_role(instance.database_url, ROLE), engine="adbc")


def dates(days: Iterable[date]) -> str:
    """SQL list of dates."""
    return ", ".join(f"date '{day:%Y-%m-%d}'" for day in days)


def _columns(features: Sequence[Feature], prefix: str = "") -> str:
    listed = ", ".join(f"{prefix}{feature.name}::double precision as {feature.name}" for feature in features)
    return f"siren as entity, month as period, {listed}"
