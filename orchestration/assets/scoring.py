"""From the mart to risk scores: the month's model (trained when due), its scores, the reasons, and the gate."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from expectations.gates import gate_scores
from orchestration import cards, scoring
from orchestration.assets.features import MART, OUTCOME, require_plausible_mart
from orchestration.assets.ingestion import gate_check
from orchestration.partitions import MONTHS, ONE_RUN, months_of
from orchestration.resources import Vigie

GROUP = "scoring"
MODEL = dg.AssetKey(["ml", "model"])
SCORE = dg.AssetKey(["ml", "score"])
EXPLANATION = dg.AssetKey(["ml", "explanation"])
OWNER = "team:modele"
_COMMON: dict[str, Any] = {"kinds": {"scikitlearn", "postgres"}, "owners": [OWNER]}


@dg.asset(
    key=MODEL,
    deps=[MART, OUTCOME],
    group_name=GROUP,
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    **_COMMON,
    description="Le modèle de chaque mois : réentraîné une fois par an, avec ce qui était connu au 31 décembre précédent.",
)
def models(context: dg.AssetExecutionContext, vigie: Vigie) -> dg.MaterializeResult:
    """Choose the model of each month; train the missing ones."""
    instance = vigie.instance
    require_plausible_mart(instance, months_of(context))
    used = scoring.choose_models(instance, months_of(context), run_id=context.run_id)
    last = used[max(used)]
    return dg.MaterializeResult(
        metadata={
            "modèle": last.model_id,
            "modèles de la période": len({model.model_id for model in used.values()}),
            "seuil F1": last.seuil_f1,
            "seuil F2": last.seuil_f2,
            "sha256": last.artefact_sha256,
            "famille": last.famille,
            "sources écartées": ", ".join(last.sources_ecartees) or "aucune",
        }
    )


@dg.multi_asset(
    name="score_months",
    specs=[
        dg.AssetSpec(
            SCORE, deps=[MODEL, MART], description="Probabilité de procédure collective à 12, 18 et 24 mois.", **_COMMON
        ),
        dg.AssetSpec(
            EXPLANATION, deps=[MODEL, MART], description="Les raisons de chaque alerte, en français.", **_COMMON
        ),
    ],
    group_name=GROUP,
    partitions_def=MONTHS,
    backfill_policy=ONE_RUN,
    check_specs=[
        dg.AssetCheckSpec(
            "scores",
            asset=SCORE,
            blocking=True,
            description="Chaque entreprise suivie a un score, croissant avec l’horizon, sans dérive.",
        )
    ],
)
def scores(context: dg.AssetExecutionContext, vigie: Vigie) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Score the companies at risk in each month and explain the alerts."""
    instance, months = vigie.instance, months_of(context)
    written = scoring.score_months(instance, months)
    text = cards.write(instance, months[-1])
    yield dg.MaterializeResult(
        SCORE, metadata={"dagster/row_count": written.scores, "mois": len(months), "fiche": dg.MetadataValue.md(text)}
    )
    yield dg.MaterializeResult(EXPLANATION, metadata={"dagster/row_count": written.reasons})
    yield gate_check("scores", SCORE, gate_scores(instance.database_url, months[0], months[-1]))


ASSETS = [models, scores]
