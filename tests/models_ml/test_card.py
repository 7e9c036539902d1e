from __future__ import annotations

from dataclasses import replace

import polars as pl

from models_ml.card import render
from models_ml.explain import french_number
from models_ml.features import Feature
from models_ml.train import TrainedModel, train


def test_every_figure_of_the_card_comes_from_the_run(trained: TrainedModel) -> None:
    """A card typed by hand kept the metrics of 2021 for 27 months (model.md 2)."""
    card = render(trained)
    for horizon in ("12", "18", "24"):
        auc = trained.metrics[horizon]["auc"]
        shown = f"{french_number(auc['valeur'], 3)} [{french_number(auc['bas'], 3)} ; {french_number(auc['haut'], 3)}]"
        assert shown in card
    assert trained.model_id in card
    assert french_number(trained.trained_on["observations"]) in card
    changed = {**trained.metrics, "18": {**trained.metrics["18"], "auc": {"valeur": 0.123, "bas": 0.1, "haut": 0.2}}}
    assert "0,123 [0,100 ; 0,200]" in render(trained, changed)


def test_the_card_names_the_family_and_claims_exact_reasons_for_an_additive_one_only(
    trained: TrainedModel, panel: pl.DataFrame, small_features: tuple[Feature, ...]
) -> None:
    """Every challenger was said to be an additive boosting, the forest too."""
    assert "boosting additif" in render(trained)
    assert "s'ajoutent exactement" in render(trained)
    forest = train(panel, as_of=trained.as_of, features=small_features, seed=1, family="forest", params=trained.params)
    card = render(forest)
    assert "forêt d'arbres extrêmes" in card
    assert "boosting" not in card
    assert "ne s'ajoutent pas exactement" in card


def test_the_card_says_who_decides_and_where_the_model_stops(trained: TrainedModel) -> None:
    card = render(trained)
    assert "La décision appartient à un agent" in card
    assert "## Limites" in card
    assert "embargo de 25 mois" in card


def test_a_simulated_model_says_so_and_a_real_one_does_not(trained: TrainedModel) -> None:
    assert "SIMULATION" in render(trained, simulation=True)
    assert "SIMULATION" not in render(trained)


def test_probabilities_out_of_level_are_admitted(trained: TrainedModel) -> None:
    entry = {**trained.metrics["18"], "observe_sur_attendu": {"valeur": 0.6, "bas": 0.5, "haut": 0.7}}
    assert "À 18 mois, les probabilités sont surestimées" in render(trained, {**trained.metrics, "18": entry})
    entry = {**entry, "observe_sur_attendu": {"valeur": 1.0, "bas": 0.95, "haut": 1.05}}
    assert "À 18 mois, les probabilités sont" not in render(trained, {**trained.metrics, "18": entry})


def test_the_card_says_what_the_correction_of_level_did_and_from_what(trained: TrainedModel) -> None:
    """A reader must know that all probabilities were moved, by how much and on which failures."""
    level = trained.calibration["niveau"]
    card = render(trained)
    assert "## Niveau" in card
    assert f"{level['observed']} entreprises ont défailli" in card
    assert french_number(level["expected"], 1) in card
    sense = "relevées" if level["ratio"] > 1 else "abaissées"
    assert f"{sense} de {french_number(abs(level['ratio'] - 1) * 100, 1)}" in card
    assert "connues au 31 décembre 2021" in card
    assert "## Niveau" not in render(replace(trained, calibration={}))


def test_a_model_without_validation_promises_nothing(trained: TrainedModel) -> None:
    card = render(replace(trained, metrics={}, thresholds=None, validation={}))
    assert "Non mesurée" in card
    assert "Seuil" not in card.replace("seuils", "")
