"""The message to readers: what it says in each case, that it names nobody, that its French counts well."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from reporting.digest import Digest, TerritoryNews, message

MONTH = date(2025, 8, 1)


def news(nature: str, **more: Any) -> TerritoryNews:
    """News of Côte-d'Or."""
    return TerritoryNews.model_validate(
        {"type": "departement", "code": "21", "libelle": "Côte-d’Or", "nature": nature, **more}
    )


def digest(*told: TerritoryNews, **more: Any) -> Digest:
    """A message of August 2025."""
    return Digest.model_validate({"month": MONTH, "simulation": False, "news": told, "contact": "le service", **more})


def plain(text: str) -> str:
    """The text with ordinary spaces, easier to compare with."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_a_list_is_told_with_its_counts_and_where_the_report_is() -> None:
    told = digest(
        news("liste", nb_nouvelles=3, nb_retenues=2, nb_f1=1, nb_f2=1234), reports_url="https://r.example/vigie"
    )
    assert plain(told.subject) == "Vigie, août 2025, Côte-d’Or : 3 entreprises nouvellement détectées"
    assert plain(told.body).splitlines() == [
        "Bonjour,",
        "",
        "Côte-d’Or : la liste d’août 2025 est publiée.",
        "- 3 entreprises nouvellement détectées, dont 2 à contacter ce mois-ci.",
        "- En tout, 1 alerte forte et 1 234 alertes modérées.",
        "- Rapport : https://r.example/vigie/2025-08/departement-21/vigie-2025-08-departement-21.html",
        "",
        "Ce message ne nomme aucune entreprise : elles sont dans le rapport.",
        "Une question, ou ne plus le recevoir : le service.",
    ]


@pytest.mark.parametrize(
    ("told", "subject", "line"),
    [
        (
            news("liste"),
            "Vigie, août 2025, Côte-d’Or : aucune entreprise nouvellement détectée",
            "- Aucune entreprise nouvellement détectée.",
        ),
        (
            news("correction", nb_nouvelles=2, nb_ajoutees=1, nb_retirees=0),
            "Vigie, août 2025, Côte-d’Or : liste modifiée",
            "- 1 entreprise ajoutée, aucune retirée : reprenez le rapport avant d’appeler.",
        ),
        (
            news("correction", nb_ajoutees=0, nb_retirees=2),
            "Vigie, août 2025, Côte-d’Or : liste modifiée",
            "- Aucune entreprise ajoutée, 2 retirées : reprenez le rapport avant d’appeler.",
        ),
        (
            news("retrait", nb_annoncees=1),
            "Vigie, août 2025, Côte-d’Or : liste retirée",
            "- N’appelez plus d’après ce rapport (1 entreprise nouvellement détectée y figurait).",
        ),
        (
            news("retrait", nb_annoncees=4),
            "Vigie, août 2025, Côte-d’Or : liste retirée",
            "- N’appelez plus d’après ce rapport (4 entreprises nouvellement détectées y figuraient).",
        ),
        (
            news("retrait", nb_annoncees=0),
            "Vigie, août 2025, Côte-d’Or : liste retirée",
            "- N’appelez plus d’après ce rapport (aucune entreprise nouvellement détectée n’y figurait).",
        ),
    ],
)
def test_each_case_is_said_in_french_that_counts_well(told: TerritoryNews, subject: str, line: str) -> None:
    assert plain(digest(told).subject) == subject
    assert line in plain(digest(told).body).splitlines()


def test_several_territories_are_one_message() -> None:
    nievre = {"code": "58", "libelle": "Nièvre"}
    told = digest(news("liste"), news("retrait", **nievre))
    assert plain(told.subject) == "Vigie, août 2025 : listes modifiées"
    assert (
        plain(digest(news("liste"), news("liste", **nievre)).subject) == "Vigie, août 2025 : les listes sont publiées"
    )
    assert "Nièvre : la liste d’août 2025 a été retirée." in plain(told.body)


def test_late_sources_and_simulation_are_said() -> None:
    told = digest(news("liste"), simulation=True, sources_en_retard=("débits", "effectifs"))
    assert plain(told.subject).startswith("SIMULATION – ")
    assert "SIMULATION : tout ce qui suit vient de données fictives" in plain(told.body)
    assert "Données incomplètes : 2 sources en retard (débits et effectifs)." in plain(told.body)
    assert told.body.count("vigie-2025-08-departement-21-simulation.html") == 1


def test_the_message_is_the_same_bytes_for_the_same_news() -> None:
    moment = datetime(2025, 9, 1, 6, tzinfo=UTC)

    def made() -> bytes:
        return message(
            digest(news("liste", nb_nouvelles=3)),
            sender="vigie@service.example",
            recipient="agent@service.example",
            message_id="<1@vigie>",
            moment=moment,
        ).as_bytes()

    assert made() == made()
    assert b"Auto-Submitted: auto-generated" in made()
    assert b"Message-ID: <1@vigie>" in made()
