"""From published rows to report files: the region of the instance and each of its départements.

Belongs here: reading `published.*` and naming files. How a report looks is `reporting`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

import psycopg
from psycopg.rows import dict_row

from ingestion.database import connect
from orchestration.instance import Instance
from orchestration.months import shift
from orchestration.publication import ROLE, PublicationRefused
from reporting import html, xlsx
from reporting.model import (
    Clignotant,
    Company,
    Counts,
    HorizonFigures,
    Interval,
    MethodFigures,
    MonthlyCount,
    MonthlyReport,
    Offer,
    Reason,
    SeriesPoint,
    SourceFreshness,
    TerritoryCounts,
)

HISTORY_MONTHS = 24
Row = dict[str, Any]


@dataclass(frozen=True)
class ReportFile:
    """One file written: where, its SHA-256 and its size in bytes."""

    path: Path
    sha256: str
    size: int


def folder(instance: Instance, month: date) -> Path:
    """Folder of the month's reports."""
    return instance.reports / f"{month:%Y-%m}"


def write(instance: Instance, month: date) -> list[ReportFile]:
    """Write the reports of a published month; each file appears whole under its name, or not at all.

    Raises:
        PublicationRefused: the month is not published.
    """
    reports = build(instance, month)
    root = folder(instance, month)
    files = []
    for report in reports:
        target = root / report.folder
        files.append(_write(target / f"{report.file_stem}.html", html.render(report).encode()))
        files.append(_write(target / f"{report.file_stem}.xlsx", xlsx.render(report)))
    return [_write(root / "index.html", html.render_index(reports).encode()), *files]


def follow_rollback(instance: Instance, month: date) -> None:
    """Reports of a list that was taken back, where there are some: written again from the one that is seen, or removed with it."""
    if not folder(instance, month).exists():
        return
    try:
        write(instance, month)
    except PublicationRefused:
        shutil.rmtree(folder(instance, month))


def build(instance: Instance, month: date) -> list[MonthlyReport]:
    """The reports of a published month: the region first, then its départements by code.

    Raises:
        PublicationRefused: the month is not published, or the region has no company in it.
    """
    with connect(instance.database_url, role=ROLE) as connection:
        data = _Month(connection, month, instance.settings.region)
        return [data.report(territory) for territory in data.territories]


class _Month:
    """All the published rows of one month and one region, read once for its nine reports."""

    def __init__(self, connection: psycopg.Connection, month: date, region: str) -> None:
        self.connection, self.month, self.region = connection, month, region
        headers = self._rows("select * from published.publications where mois = %(month)s")
        if not headers:
            raise PublicationRefused(f"Le mois {month:%Y-%m} n’est pas publié : il n’y a pas de rapport à écrire.")
        self.header = headers[0]
        self.names = {
            row["code"]: row["libelle"]
            for row in self._rows("select code, libelle from reference.territoire where type = 'region'")
        }
        departements = "select code from reference.territoire where type = 'departement' and region = %(region)s"
        in_region = f"(type = 'region' and territoire = %(region)s) or (type = 'departement' and territoire in ({departements}))"
        self.territories = self._rows(
            f"select * from published.territoires where mois = %(month)s and ({in_region}) order by type desc, territoire"
        )
        if not self.territories:
            raise PublicationRefused(
                f"Aucune entreprise suivie dans la région {region} en {month:%Y-%m} : vérifiez le réglage « region »."
            )
        self.past = self._rows(
            f"select * from published.territoires where mois between %(since)s and %(month)s and ({in_region}) order by mois"
        )
        self.detections = self._rows(
            "select detection.*, montant.dette_eur, montant.dette_part_ouvriere_eur, montant.dette_part_patronale_eur, "
            "montant.a_delai, montant.ap_etp_consomme_12m, division.libelle as naf_libelle "
            "from published.detections as detection left join published.montants as montant using (mois, siren) "
            "left join reference.naf_division as division on division.code = left(detection.naf, 2) "
            "where mois = %(month)s and est_nouvelle_detection and region = %(region)s"
        )
        self.reasons = self._by_siren("select * from published.raisons where mois = %(month)s order by siren, rang")
        self.clignotants = self._by_siren(
            "select * from published.clignotants where mois = %(month)s order by siren, ordre"
        )
        self.series = self._by_siren("select * from published.series where mois = %(month)s order by siren, periode")
        self.offers = self._by_siren("select * from published.offres where mois = %(month)s order by siren, priorite")
        self.freshness = self._rows(
            "select * from published.fraicheur_sources where mois = %(month)s order by producteur, source"
        )
        metrics = self._rows("select metrics from ml.model where model_id = %(model)s", model=self.header["modele"])
        self.metrics: Mapping[str, Any] = metrics[0]["metrics"] if metrics else {}

    def report(self, territory: Row) -> MonthlyReport:
        """The report of one territory."""
        kind, code = territory["type"], territory["territoire"]
        companies = self._companies(kind, code)
        return MonthlyReport(
            month=self.month,
            territoire_code=code,
            territoire_libelle=territory["libelle"],
            territoire_type=kind,
            region_code=self.region,
            region_libelle=self.names.get(self.region),
            simulation=self.header["simulation"],
            seuil_f1=self.header["seuil_f1"],
            seuil_f2=self.header["seuil_f2"],
            model_id=self.header["modele"],
            capacite=territory["capacite"],
            counts=Counts(
                nb_retenues=sum(company.retenue for company in companies),
                **{name: territory[name] for name in Counts.model_fields if name != "nb_retenues"},
            ),
            territories=tuple(
                TerritoryCounts(
                    code=row["territoire"],
                    **{name: row[name] for name in TerritoryCounts.model_fields if name != "code"},
                )
                for row in self.territories
                if row["type"] == "departement"
            ),
            history=tuple(
                MonthlyCount(
                    month=row["mois"], nb_f1=row["nb_f1"], nb_f2=row["nb_f2"], nb_nouvelles=row["nb_nouvelles"]
                )
                for row in self.past
                if row["type"] == kind and row["territoire"] == code
            ),
            companies=companies,
            freshness=tuple(_take(SourceFreshness, row) for row in self.freshness),
            method=method_figures(self.metrics),
        )

    def _companies(self, kind: str, code: str) -> tuple[Company, ...]:
        rows = [row for row in self.detections if kind == "region" or row["departement"] == code]
        made = [
            _take(
                Company,
                row,
                rang=row[f"rang_{kind}"],
                retenue=row[f"retenue_{kind}"],
                reasons=tuple(_take(Reason, reason) for reason in self.reasons[row["siren"]]),
                clignotants=tuple(_take(Clignotant, lit) for lit in self.clignotants[row["siren"]]),
                series=tuple(
                    SeriesPoint(
                        periode=point["periode"],
                        effectif=point["effectif"],
                        dette_po=point["dette_part_ouvriere_eur"],
                        dette_pp=point["dette_part_patronale_eur"],
                        ap_etp=point["ap_etp_consomme"],
                    )
                    for point in self.series[row["siren"]]
                ),
                offers=tuple(_take(Offer, offer) for offer in self.offers[row["siren"]]),
            )
            for row in rows
        ]
        return tuple(sorted(made, key=lambda company: (not company.retenue, company.rang)))

    def _rows(self, query: str, **parameters: object) -> list[Row]:
        values = {
            "month": self.month,
            "region": self.region,
            "since": shift(self.month, 1 - HISTORY_MONTHS),
            **parameters,
        }
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def _by_siren(self, query: str) -> defaultdict[str, list[Row]]:
        grouped: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows(query):
            grouped[row["siren"]].append(row)
        return grouped


def method_figures(metrics: Mapping[str, Any]) -> MethodFigures:
    """What the report says of the model, from the metrics that its training wrote."""

    def interval(figures: Mapping[str, Any], name: str) -> Interval | None:
        found = figures.get(name)
        if not isinstance(found, Mapping) or found.get("valeur") is None:
            return None
        return Interval(valeur=found["valeur"], bas=found.get("bas"), haut=found.get("haut"))

    horizons: Mapping[str, Mapping[str, Any]] = metrics.get("horizons", {})
    fitted, main = metrics.get("apprentissage", {}), horizons.get("18", {})
    return MethodFigures(
        apprentissage_debut=fitted.get("periode_min"),
        apprentissage_fin=fitted.get("periode_max"),
        evaluation_debut=main.get("periode_min"),
        evaluation_fin=main.get("periode_max"),
        horizons=tuple(
            HorizonFigures(
                mois=cast(Literal[12, 18, 24], int(months)),
                auc=interval(figures, "auc"),
                ap=interval(figures, "ap"),
                oe=interval(figures, "observe_sur_attendu"),
                taux_base=figures.get("prevalence", {}).get("valeur"),
                nb_observations=figures["lignes"],
                nb_defaillances=figures["defaillances"],
            )
            for months, figures in horizons.items()
        ),
    )


def _take(model: type[Any], row: Row, **more: object) -> Any:
    """A model made of the fields that the row has under the same names."""
    return model(**{name: row[name] for name in model.model_fields if name in row and name not in more}, **more)


def _write(path: Path, content: bytes) -> ReportFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return ReportFile(path, hashlib.sha256(content).hexdigest(), len(content))
