"""The proof of the proof: a model that looks into the future, one source at a time, must make the point-in-time test fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_warehouse import PROJECT, Warehouse, new_warehouse
from test_time_and_range import FIRST, LAST, cells_of, fill

AS_OF, AS_OF_END = "2019-12-01", "2019-12-31"

#: source: (model, its text, the text of the same model when it believes that facts are known the day they are about).
LEAKS = {
    "urssaf__debit": (
        "int_debit__segment",
        "greatest({{ month_index('known_from') }}, {{ month_index('mois_comptable') }}) as valid_from",
        "{{ month_index('mois_comptable') }} as valid_from",
    ),
    "urssaf__cotisation": (
        "int_cotisation__siren_delta",
        "{{ known_months() }}",
        "{{ month_index('periode_debut') }} as valid_from, {{ month_index_open('known_to') }} as valid_to",
    ),
    "urssaf__effectif_ent": (
        "int_effectif__version",
        "effectif,\n        {{ known_months() }}\n    from effectif_ent",
        "effectif,\n        {{ month_index('periode') }} as valid_from, {{ month_index_open('known_to') }} as valid_to"
        "\n    from effectif_ent",
    ),
    "urssaf__delai": (
        "int_delai__siren_month",
        "montant_echeancier_eur,\n        {{ known_months() }}",
        "montant_echeancier_eur,\n        {{ month_index('date_creation') }} as valid_from, 999999 as valid_to",
    ),
    "urssaf__compte": (
        "int_compte__siren",
        "{{ known_months() }}",
        "{{ month_index('date_creation') }} as valid_from, {{ month_index_open('known_to') }} as valid_to",
    ),
    "urssaf__procol": (
        "int_procedure__evenement",
        "date_effet,\n        known_from,\n        known_to,\n        case\n            when stade_procol",
        "date_effet,\n        date_effet as known_from,\n        known_to,\n        case\n            when stade_procol",
    ),
    "bodacc__annonce": (
        "int_procedure__evenement",
        "        annonce.known_from,\n",
        "        coalesce(annonce.jugement_date, annonce.date_parution) as known_from,\n",
    ),
    "dgefp__consommation_ap": (
        "int_activite_partielle__siren_delta",
        "{{ known_months('consommation') }}",
        "{{ month_index('consommation.mois') }} as valid_from, {{ month_index_open('consommation.known_to') }} as valid_to",
    ),
    "dgefp__demande_ap": (
        "int_activite_partielle__siren_delta",
        "{{ known_months('demande') }}",
        "{{ month_index('demande.periode_debut') }} as valid_from, {{ month_index_open('demande.known_to') }} as valid_to",
    ),
    "altares__paydex": (
        "int_paydex__version",
        "{{ known_months('paydex') }}",
        "{{ month_index('paydex.date_valeur') }} as valid_from, {{ month_index_open('paydex.known_to') }} as valid_to",
    ),
    "inpi__ratio": (
        "int_bilan__siren_month",
        "{{ known_months('ratio') }}",
        "{{ month_index('ratio.date_cloture_exercice') }} as valid_from, {{ month_index_open('ratio.known_to') }} as valid_to",
    ),
    "insee__etablissement_historique": (
        "int_etablissement__siren_delta",
        "{{ known_months('historique') }}",
        "{{ month_index('historique.date_debut') }} as valid_from, {{ month_index_open('historique.known_to') }} as valid_to",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def leaking_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the variable `leak` names the source whose model looks ahead."""
    project = tmp_path_factory.mktemp("leaks") / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for source, (model, honest, leaking) in LEAKS.items():
        path = project / "models" / "intermediate" / f"{model}.sql"
        text = path.read_text(encoding="utf-8")
        assert text.count(honest) == 1, source
        planted = f"{{% if var('leak', '') == '{source}' %}}{leaking}{{% else %}}{honest}{{% endif %}}"
        path.write_text(text.replace(honest, planted), encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def pair(
    server_url: str, tmp_path_factory: pytest.TempPathFactory, leaking_project: Path
) -> Iterator[tuple[Warehouse, Warehouse]]:
    """Two databases built by the copy without a leak: one knows everything, one nothing after the as-of month."""
    with (
        new_warehouse(server_url, tmp_path_factory.mktemp("whole")) as whole,
        new_warehouse(server_url, tmp_path_factory.mktemp("forgetful")) as forgetful,
    ):
        for warehouse, last in ((whole, LAST), (forgetful, AS_OF)):
            warehouse.project, warehouse.manifest = leaking_project, None
            fill(warehouse)
            if warehouse is forgetful:
                warehouse.forget_after(AS_OF_END)
            warehouse.features(FIRST, last)
        yield whole, forgetful


def _differs(pair: tuple[Warehouse, Warehouse]) -> bool:
    whole, forgetful = pair
    return cells_of(whole, "mart_company_month", AS_OF) != cells_of(forgetful, "mart_company_month", AS_OF)


@pytest.mark.long
@pytest.mark.parametrize("source", LEAKS)
def test_a_planted_leak_is_caught(pair: tuple[Warehouse, Warehouse], source: str) -> None:
    """A point-in-time test that a leak passes through proves nothing."""
    for warehouse, last in zip(pair, (LAST, AS_OF), strict=True):
        warehouse.variables = {"leak": source}
        warehouse.features(FIRST, last)
    assert _differs(pair)


@pytest.mark.long
def test_without_a_leak_the_two_agree(pair: tuple[Warehouse, Warehouse]) -> None:
    for warehouse, last in zip(pair, (LAST, AS_OF), strict=True):
        warehouse.variables = {}
        warehouse.features(FIRST, last)
    assert not _differs(pair)
