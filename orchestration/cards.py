"""The card of the model in service, written again by each run: what its training said, then what its operation says."""

from __future__ import annotations

from datetime import date
from typing import Any

from psycopg.rows import dict_row

from ingestion.database import connect
from models_ml import card, in_service
from orchestration import backtest, panel, registry
from orchestration.instance import Instance
from orchestration.months import shift
from orchestration.panel import ROLE


def write(instance: Instance, month: date) -> str:
    """Write `fiche.md` of the model of the month; its text (French Markdown)."""
    model = registry.of_months(instance, [month])[month]
    text = card.render(registry.load(instance, model), simulation=instance.settings.simulation)
    text += "\n" + in_service.render(_service(instance, month))
    (instance.models / model.model_id / "fiche.md").write_text(text, encoding="utf-8")
    return text


def _service(instance: Instance, month: date) -> dict[str, Any]:
    with connect(instance.database_url, role=ROLE) as connection, connection.cursor(row_factory=dict_row) as cursor:
        service = cursor.execute(
            "select m.famille, m.code_version, m.artefact_sha256, m.data_sha256, r.sources_ecartees, c.famille as challenger "
            "from ml.run_month as r inner join ml.model as m on m.model_id = r.model_id "
            "left join ml.model as c on c.model_id = r.challenger_id where r.month = %s",
            [month],
        ).fetchone()
        assert service is not None
        monitored = cursor.execute(
            "select month, mesure, objet, effectif, valeur, bas, haut from ml.monitoring where month = %(month)s "
            "and mesure <> 'observe_sur_attendu' or mesure = 'observe_sur_attendu' and mesure_en = %(month)s "
            "order by mesure, objet, month",
            {"month": month},
        ).fetchall()
        tested = cursor.execute(
            "select resultat from ml.backtest where dernier_mois <= %s order by backtest_id desc limit 1", [month]
        ).fetchone()
    closed = shift(month, -backtest.CLOSED)
    return service | {
        "mois": month.isoformat(),
        "suivi": monitored,
        "clignotants": panel.rules_worth(instance, shift(closed, -11), closed),
        "backtest": tested["resultat"] if tested else None,
        "contact": instance.settings.contact,
    }
