"""A database with all schemas, and candidate lists made by hand: what dbt would have built, in a few rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import psycopg
import pytest

from orchestration import publication, schema

MODEL = "hazard-test-00000000"
MONTH = date(2025, 11, 1)
_REASONS = (
    ("Dettes sociales", "dette_eur"), ("Effectif", "effectif"), ("Données financières", "bdf_poids_frng"),
    ("Données financières", "caf_sur_ca"), ("Activité partielle", "ap_etp_consomme"),
)  # fmt: skip


@pytest.fixture
def vigie_url(database_url: str) -> str:
    """URL of a database whose schemas are complete."""
    schema.create(database_url)
    return database_url


@pytest.fixture
def candidate(vigie_url: str) -> Callable[..., None]:
    """`candidate(month, {"052000001": ("21", "Alerte seuil F1"), …})` writes a candidate list as dbt would."""
    with psycopg.connect(vigie_url) as connection:
        connection.execute(
            "insert into ml.model values (%s, '2024-12-31', 1000, 30, 0.2, 0.05, '{}', 'hash', 'artefact', 'sha', null, now())",
            [MODEL],
        )
        for table, name in publication.TABLES.items():
            if table != "montant":
                connection.execute(
                    f"create table publication.{name} as select * from publication.{table} with no data; "
                    f"alter table publication.{name} drop column publication_id; "
                    f"grant select on publication.{name} to vigie_publication".encode()
                )
        connection.execute(
            b"alter table publication.candidate_detection add dette_eur numeric, add dette_part_ouvriere_eur numeric, "
            b"add dette_part_patronale_eur numeric, add a_delai boolean, add ap_etp_consomme_12m double precision"
        )

    def write(month: date, companies: dict[str, tuple[str, str]]) -> None:
        with psycopg.connect(vigie_url) as connection:
            connection.execute("insert into ml.run_month values (%s, %s) on conflict do nothing", [month, MODEL])
            for name in publication.TABLES.values():
                connection.execute(f"delete from publication.{name} where month = %s".encode(), [month])
            for rank, (siren, (departement, alert)) in enumerate(sorted(companies.items()), start=1):
                _write_company(connection, month, siren, departement, alert, rank)

    return write


def _write_company(
    connection: psycopg.Connection, month: date, siren: str, departement: str, alert: str, rank: int
) -> None:
    connection.execute(
        "insert into publication.candidate_detection (month, siren, departement, region, alerte, p12, p18, p24, est_premiere_alerte, "
        "est_aggravation, est_retour, est_nouvelle_detection, motif_nouveaute, premiere_alerte_le, nb_alertes_4_listes, rang_region, "
        "rang_departement, retenue_region, retenue_departement, dette_eur) values (%s, %s, %s, '27', %s, 0.1, 0.2, 0.3, true, false, "
        "false, true, 'premiere_alerte', %s, 1, %s, 1, true, true, 1234.56)",
        [month, siren, departement, alert, month, rank],
    )
    connection.execute(
        "insert into publication.candidate_score values (%s, %s, %s, 0.1, 0.2, 0.3, %s, %s)",
        [month, siren, departement, alert, MODEL],
    )
    connection.execute(
        "insert into publication.candidate_entreprise (month, siren, departement, region, naf) values (%s, %s, %s, '27', '25.11Z')",
        [month, siren, departement],
    )
    for order, (theme, variable) in enumerate(_REASONS, start=1):
        connection.execute(
            "insert into publication.candidate_raison values (%s, %s, %s, %s, %s, %s, 1, 0.5, 'aggravant', 'Une phrase.')",
            [month, siren, departement, order, theme, variable],
        )
    for priority, administration, level in ((1, "Urssaf", "A"), (4, "DGFiP (CDED)", "B"), (6, "Banque de France", "B")):
        connection.execute(
            "insert into publication.candidate_offre values (%s, %s, %s, %s, 'Offre', 'Motif.', %s, %s)",
            [month, siren, departement, administration, priority, level],
        )
