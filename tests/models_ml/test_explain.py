from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from models_ml.explain import evolution, french_number, french_value, phrase, reasons, theme_contributions
from models_ml.features import Feature, load_features
from models_ml.train import TrainedModel

NNBSP = "\u202f"


def rows(*lines: tuple[str, str, float | None, float]) -> pl.DataFrame:
    schema = {"entity": pl.String, "feature": pl.String, "value": pl.Float64, "contribution": pl.Float64}
    return pl.DataFrame(lines, schema=schema, orient="row").with_columns(period=pl.lit(date(2020, 1, 1)))


def feature(name: str) -> Feature:
    return next(f for f in load_features() if f.name == name)


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "text"),
    [
        (1234.56, 1, False, f"1{NNBSP}234,6"),
        (-1234.0, 0, False, f"−1{NNBSP}234"),
        (-0.04, 1, False, "0,0"),
        (0.5, 1, True, "+0,5"),
        (0.0, 1, True, "0,0"),
    ],
)
def test_numbers_are_written_as_in_french(value: float, decimals: int, signed: bool, text: str) -> None:
    assert french_number(value, decimals, signed=signed) == text


def test_units_are_written_with_the_value() -> None:
    assert french_value(12300.4, "eur") == f"12{NNBSP}300{NNBSP}€"
    assert french_value(0.045, "part") == f"4,5{NNBSP}%"
    assert french_value(4.5, "pct") == f"4,5{NNBSP}%"
    assert french_value(-0.021, "points") == "−2,1 points"
    assert french_value(-0.0199, "points") == "−2,0 points"
    assert french_value(1.94, "pct_points") == "+1,9 point"
    assert french_value(0.0, "jours") == "0,0 jour"
    assert french_value(12.0, "jours_signe") == "+12,0 jours"
    assert evolution(-0.124) == f"a baissé de 12{NNBSP}%"
    assert evolution(0.03) == f"a augmenté de 3{NNBSP}%"
    assert evolution(-0.001) == "est stable"


def test_a_reason_carries_the_number_behind_it() -> None:
    assert phrase(feature("dette_sur_cotisation"), 3.24, 0.8) == "La dette sociale représente 3,2 mois de cotisations"
    assert phrase(feature("dette_sur_cotisation"), 0.0, -0.2) == "Aucune dette sociale"
    assert phrase(feature("effectif_evolution_12m"), -0.18, 0.4) == f"L'effectif a baissé de 18{NNBSP}% en un an"
    assert phrase(feature("paydex_jours"), None, 0.1) == "Le retard de paiement des fournisseurs n'est pas connu"


def test_a_ratio_names_what_it_is_a_ratio_to() -> None:
    """A debt that fell in euros while contributions fell more must not read as a debt that rose."""
    assert (
        phrase(feature("dette_variation_3m"), 0.375, 0.4)
        == "Variation, en 3 mois, de la dette sociale rapportée aux cotisations : +0,4 mois de cotisations"
    )
    assert (
        phrase(feature("bdf_poids_dettes_fiscales_sociales"), 26.0, 0.4)
        == f"Les dettes fiscales et sociales représentent 26,0{NNBSP}% de la valeur ajoutée"
    )


def test_reasons_are_ranked_by_strength_and_ties_follow_the_list(small_features: tuple[Feature, ...]) -> None:
    """Equal contributions in dictionary order gave another first reason on another day."""
    found = reasons(
        rows(("A", "bilan", 1.0, 0.3), ("A", "marge", 2.0, -0.3), ("A", "dette", 3.0, 0.9), ("A", "bruit", 0.0, 0.0)),
        small_features,
    )
    assert found.get_column("variable").to_list() == ["dette", "marge", "bilan"]
    assert found.get_column("rang").to_list() == [1, 2, 3]
    assert found.get_column("sens").to_list() == ["aggravant", "favorable", "aggravant"]
    assert found.get_column("phrase").to_list()[0] == "dette vaut 3,0"


def test_one_reason_per_family() -> None:
    """Five reasons that all say « dette » leave no room for the other signs."""
    found = reasons(
        rows(("A", "dette_eur", 9000.0, 0.5), ("A", "dette_sur_cotisation", 3.0, 0.7), ("A", "marge_ebe", -2.0, 0.1)),
        load_features(),
        top=5,
    )
    assert found.get_column("variable").to_list() == ["dette_sur_cotisation", "marge_ebe"]


def test_reasons_may_be_relative_to_another_population(small_features: tuple[Feature, ...]) -> None:
    company = rows(("A", "dette", 1.0, 0.4), ("A", "marge", 1.0, 0.1))
    population = rows(("B", "dette", 1.0, 0.5), ("C", "dette", 1.0, 0.7), ("B", "marge", 1.0, 0.0))
    found = reasons(company, small_features, reference=population)
    assert found.select("variable", "sens").rows() == [("dette", "favorable"), ("marge", "aggravant")]
    assert found.get_column("contribution").to_list() == pytest.approx([-0.2, 0.1])


def test_themes_add_up_to_the_logit(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    themes = theme_contributions(trained.model.contributions(last_month), trained.features)
    total = themes.group_by("entity").agg(pl.col("contribution").sum()).sort("entity").get_column("contribution")
    logit = trained.model.predict(last_month).sort("entity").get_column("logit")
    assert (total + trained.model.base - logit).abs().max() < 1e-9
    assert themes.group_by("entity").len().get_column("len").unique().to_list() == [4]


def test_a_variable_that_is_not_in_the_list_is_refused(small_features: tuple[Feature, ...]) -> None:
    with pytest.raises(ValueError, match="inconnue"):
        reasons(rows(("A", "inconnue", 1.0, 0.4)), small_features)


def test_reasons_do_not_depend_on_the_rest_of_the_batch(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    batch = reasons(trained.model.contributions(last_month), trained.features)
    alone = last_month.slice(9, 1)
    name = alone.get_column("entity").item()
    assert reasons(trained.model.contributions(alone), trained.features).equals(batch.filter(pl.col("entity") == name))


def test_a_company_that_did_not_change_keeps_its_reasons(trained: TrainedModel, last_month: pl.DataFrame) -> None:
    """The month, the list around it and the news of others are no reason: an agent who reads two reports sees one company."""
    company = last_month.slice(3, 1)
    later = company.with_columns(period=pl.col("period").dt.offset_by("1mo"))
    others = last_month.slice(10, 20).with_columns(period=pl.col("period").dt.offset_by("1mo"))
    now = reasons(trained.model.contributions(company), trained.features)
    then = reasons(trained.model.contributions(pl.concat([others, later])), trained.features)
    then = then.filter(pl.col("entity") == company.get_column("entity").item())
    assert now.drop("period").equals(then.drop("period"))
    assert {"aggravant", "favorable"} <= set(now.get_column("sens")), "both what worries and what reassures"
