"""The proof of the proof: a model that looks into the future, one source at a time, must make the point-in-time test fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt_warehouse import PROJECT, Warehouse, new_warehouse
from test_time_and_range import FIRST, LAST, MONTHS, cells_of, fill

AS_OF, AS_OF_END = "2019-12-01", "2019-12-31"

#: source: (model, its text, the text of the same model when it believes that facts are known the day they are about).
LEAKS = {
    "urssaf__debit": (
        "int_debit__segment",
        "{{ known_months() }}",
        "{{ month_index('mois_comptable') }} as valid_from, {{ month_index_open('known_to') }} as valid_to",
    ),
    "urssaf__cotisation": (
        "int_cotisation__siren_delta",
        "{{ known_months() }}",
        "{{ month_index('periode_debut') }} as valid_from, {{ month_index_open('known_to') }} as valid_to",
    ),
    "urssaf__effectif_ent": (
        "int_effectif__version",
        "{{ known_months() }}\n    from {{ ref('stg_urssaf__effectif_ent') }}",
        "{{ month_index('periode') }} as valid_from, {{ month_index_open('known_to') }} as valid_to"
        "\n    from {{ ref('stg_urssaf__effectif_ent') }}",
    ),
    "urssaf__delai": (
        "int_delai__version",
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
        "        greatest(annonce.known_from, span.open_from) as known_from,\n",
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
    "ellisphere__groupe": (
        "int_groupe__siren_month",
        "{{ known_months() }}",
        "0 as valid_from, {{ month_index_open('known_to') }} as valid_to",
    ),
    "insee__etablissement_historique": (
        "int_etablissement__version",
        "{{ known_months('historique') }}",
        "{{ month_index('historique.date_debut') }} as valid_from, {{ month_index_open('historique.known_to') }} as valid_to",
    ),
}  # fmt: skip


def _late_facts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Three followed companies; each source learns in January 2020 something about December 2019, or before."""
    late, late2, taker = "000000901", "000000902", "000000903"
    learned = "2020-01-20"
    for siren in (late, late2, taker):
        yield "insee__unite_legale", {"siren": siren, "categorie_juridique": "5499", "activite_principale": "25.11Z",
            "nomenclature_activite": "NAFRev2", "date_creation": "2010-01-01", "known": "2010-02-01"}  # fmt: skip
        yield "insee__etablissement", {"siren": siren, "nic": "00001", "siret": f"{siren}00001", "est_siege": True,
            "etat_administratif": "A", "date_creation": "2010-01-01", "departement": "21", "known": "2010-02-01"}  # fmt: skip
        for month in MONTHS[:11]:
            yield "urssaf__effectif_ent", {"siren": siren, "periode": month, "effectif": 20, "known": month + timedelta(days=20)}
        yield "urssaf__cotisation", {"siret": f"{siren}00001", "compte": f"C{siren}", "periode_debut": "2019-10-01",
            "periode_fin": "2019-11-01", "mise_en_recouvrement": "0", "cotisation_due_eur": 1000, "known": "2019-11-12"}  # fmt: skip
    yield "urssaf__effectif_ent", {"siren": late, "periode": "2019-12-01", "effectif": 99, "known": learned}
    yield "urssaf__cotisation", {"siret": f"{late}00001", "compte": f"C{late}", "periode_debut": "2019-11-01",
        "periode_fin": "2019-12-01", "mise_en_recouvrement": "0", "cotisation_due_eur": 5000, "known": learned}  # fmt: skip
    debt = {"periode_debut": "2019-10-01", "periode_fin": "2019-11-01", "numero_ecart_negatif": "101", "numero_historique": 1,
        "part_ouvriere_eur": 100, "part_patronale_eur": 200}  # fmt: skip
    yield "urssaf__debit", debt | {"siret": f"{late}00001", "compte": f"C{late}", "date_traitement": "2019-12-05", "known": learned}
    yield "urssaf__debit", debt | {"compte": "MOVED", "date_traitement": "2019-11-05", "known": "2019-11-20"}
    yield "urssaf__compte", {"compte": "MOVED", "siren": late, "siret": f"{late}00001", "date_creation": "2015-01-01", "known": "2015-02-01"}
    yield "urssaf__compte", {"compte": "MOVED", "siren": taker, "siret": f"{taker}00001", "date_creation": "2019-12-05", "known": learned}
    yield "urssaf__delai", {"siret": f"{late}00001", "compte": f"C{late}", "numero_structure": "1", "date_creation": "2019-12-05",
        "date_echeance": "2020-06-05", "montant_echeancier_eur": 900, "stade": "APPROB", "action": "SUR PO", "known": learned}  # fmt: skip
    yield "urssaf__procol", {"siren": late, "siret": f"{late}00001", "date_effet": "2019-12-05", "libelle": "redressement_ouverture",
        "action_procol": "redressement", "stade_procol": "ouverture", "known": learned}  # fmt: skip
    yield "bodacc__annonce", {"siren": late2, "numero_annonce": "L1", "date_parution": learned, "type_annonce": "Avis initial",
        "jugement_type": "initial", "jugement_famille": "Jugement d'ouverture", "jugement_date": "2019-12-05",
        "jugement_nature": "Jugement d'ouverture d'une procédure de sauvegarde", "known": learned}  # fmt: skip
    yield "dgefp__consommation_ap", {"id_demande": "L1", "siret": f"{late}00001", "periode": "2019-10-15", "heures": 500, "known": learned}
    yield "dgefp__demande_ap", {"id_demande": "L1", "siret": f"{late}00001", "date_statut": "2019-12-20",
        "periode_debut": "2019-12-01", "periode_fin": "2019-12-31", "heures_autorisees": 900, "known": learned}  # fmt: skip
    yield "altares__paydex", {"siren": late, "date_valeur": "2019-12-01", "nb_jours": 45, "known": learned}
    yield "inpi__ratio", {"siren": late, "date_cloture_exercice": "2019-06-30", "type_bilan": "C", "marge_ebe": -12, "known": learned}
    for filiale, known in ((taker, "2019-11-20"), (late, learned)):
        yield "ellisphere__groupe", {"code_groupe": "G", "siren_groupe": taker, "code_filiale": filiale, "siren_filiale": filiale,
            "niveau_detention": 1, "part_financiere": 80, "known": known}  # fmt: skip
    yield "insee__etablissement_historique", {"siret": f"{late2}00001", "date_debut": "2019-12-05", "etat_administratif": "F",
        "changement_etat": True, "known": learned}  # fmt: skip


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
            for source, row in _late_facts():
                warehouse.write(source, [row])
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
