"""A report that contradicts itself cannot be built."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from report_samples import company, department_report, history, report

from reporting.model import NATURAL_PERSON, UNNAMED, Counts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seuil_f1": 0.05}, "seuil F1"),
        ({"capacite": 4}, "capacité"),
        ({"history": history(date(2026, 2, 1))}, "historique"),
        ({"month": date(2025, 12, 15)}, "premier jour"),
        ({"territoire_code": "../27"}, "territoire_code"),
    ],
)
def test_a_report_whose_parts_contradict_one_another_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        report(**changes)


@pytest.mark.parametrize("field", ["nb_nouvelles", "nb_retenues"])
def test_counts_that_differ_from_the_list_are_refused(field: str) -> None:
    counts = report().counts.model_dump()
    with pytest.raises(ValidationError, match=field):
        report(counts=Counts(**(counts | {field: counts[field] + 1})))


def test_a_company_twice_or_out_of_order_is_refused() -> None:
    with pytest.raises(ValidationError, match="deux fois"):
        report((company(1), company(2, siren=company(1).siren)))
    with pytest.raises(ValidationError, match="d'abord"):
        report((company(6), company(1)))


@pytest.mark.parametrize(
    "changes",
    [{"p12": 0.9}, {"p24": 1.2}, {"siren": "12345678"}, {"alerte": "Alerte seuil F1/2"}, {"p18": float("nan")}],
)
def test_a_company_with_an_impossible_value_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        company(1, **changes)


@pytest.mark.parametrize(
    ("denomination", "categorie", "shown"),
    [
        ("ATELIER  FICTIF\n", "5710", "ATELIER FICTIF"),
        ("ATELIER FICTIF", None, "ATELIER FICTIF"),
        ("QUELQU UN", "1000", NATURAL_PERSON),
        (None, None, NATURAL_PERSON),
        (None, "1000", NATURAL_PERSON),
        (" ", "5710", UNNAMED),
    ],
)
def test_only_the_name_of_a_legal_person_is_shown(denomination: str | None, categorie: str | None, shown: str) -> None:
    assert company(1, denomination=denomination, categorie_juridique=categorie).nom == shown


def test_file_names_say_the_month_the_territory_and_the_simulation() -> None:
    sample = department_report(territoire_code="2A", simulation=False)
    assert (sample.folder, sample.file_stem) == ("departement-2A", "vigie-2025-12-departement-2A")
    assert report().file_stem == "vigie-2025-12-region-27-simulation"


def test_reasons_are_split_by_direction_strongest_first() -> None:
    sample = company(2)
    assert [reason.contribution for reason in sample.aggravating] == [1.12, 0.46, 0.21]
    assert [reason.contribution for reason in sample.favourable] == [-0.33, -0.18]
