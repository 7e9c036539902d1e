from __future__ import annotations

from pathlib import Path

import pytest

from expectations.contract import load_contracts
from models_ml.explain import phrase
from models_ml.features import THEMES, Feature, feature_hash, features_without, load_features


def test_every_variable_says_something_true_for_every_kind_of_value() -> None:
    """A template with a wrong placeholder only failed the month a company reached that reason."""
    for feature in load_features():
        for value in (None, float("nan"), 0.0, 1.0, 3.24, -0.12, 1234567.8):
            for contribution in (0.5, -0.5):
                sentence = phrase(feature, value, contribution)
                assert "{" not in sentence, feature.name
                assert "None" not in sentence, feature.name
                assert "nan" not in sentence.split(), feature.name
                assert sentence[0].isupper(), feature.name


def test_every_theme_that_readers_know_has_variables() -> None:
    assert {feature.theme for feature in load_features()} == set(THEMES)


def test_every_variable_with_a_number_shows_it() -> None:
    """« La dette sociale est élevée » without its amount cannot be checked by the agent who reads it."""
    for feature in load_features():
        if feature.unit != "booleen":
            for template in (feature.phrase_aggravant, feature.phrase_favorable):
                assert "{valeur}" in template or "{evolution}" in template, feature.name


def test_a_reworded_sentence_keeps_the_hash_and_a_new_direction_changes_it(small_features: tuple[Feature, ...]) -> None:
    """A comma in a sentence must not refuse last month's model; a flipped constraint must."""
    first, *rest = small_features
    reworded = first.model_copy(update={"phrase_aggravant": "Autre phrase : {valeur}", "label_fr": "autre"})
    flipped = first.model_copy(update={"monotone": -1})
    assert feature_hash([reworded, *rest]) == feature_hash(small_features)
    assert feature_hash([flipped, *rest]) != feature_hash(small_features)
    assert feature_hash([*rest, first]) != feature_hash(small_features)


def test_a_variable_given_twice_is_refused(tmp_path: Path) -> None:
    line = (
        "- {nom: dette, theme: Contexte, libelle: dette, unite: mois, monotone: 0, "
        'aggravant: "{valeur}", favorable: "{valeur}", manquant: x}\n'
    )
    file = tmp_path / "features.yml"
    file.write_text(line * 2, encoding="utf-8")
    with pytest.raises(ValueError, match="dette"):
        load_features(file)


def test_every_variable_names_sources_that_exist() -> None:
    """A misspelt source would leave its variables in the model the month it disappears."""
    contracts = set(load_contracts())
    for feature in load_features():
        assert feature.sources, feature.name
        assert {name for needed in feature.sources for name in needed.split("|")} <= contracts, feature.name


def test_a_source_that_is_missing_takes_its_variables_and_no_other() -> None:
    left = {feature.name for feature in features_without(["altares__paydex"])}
    assert {feature.name for feature in load_features()} - left == {
        "paydex_jours", "paydex_moyenne_6m", "paydex_variation_12m"
    }  # fmt: skip
    assert features_without(["urssaf__effectif"]) == load_features(), "the other headcount file is enough"
    assert "dette_sur_cotisation" not in {feature.name for feature in features_without(["urssaf__cotisation"])}
    with pytest.raises(ValueError, match="aucune variable"):
        features_without(list(load_contracts()))
