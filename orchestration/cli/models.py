"""The risk model: `model list`, `model card`; `model evaluate` is in `panels`."""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion.database import connect
from orchestration import runs
from orchestration.cli import panels
from orchestration.cli.console import AsJson, Refused, console, instance_of
from orchestration.cli.deliveries import print_rows


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="model", help="The risk models of the instance.", no_args_is_help=True)
    group.command("list")(model_list)
    group.command("card")(model_card)
    group.command("evaluate")(panels.model_evaluate)
    app.add_typer(group)


def model_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Every trained model: date of knowledge, size of its training, thresholds, figures at 18 months."""
    query = """
        select model_id, as_of, fitted_rows, fitted_events,
            round(seuil_f1::numeric, 4) as seuil_f1, round(seuil_f2::numeric, 4) as seuil_f2,
            round((metrics #>> '{horizons,18,auc,valeur}')::numeric, 3) as auc_18m,
            round((metrics #>> '{horizons,18,ap,valeur}')::numeric, 3) as ap_18m,
            round((metrics #>> '{horizons,18,observe_sur_attendu,valeur}')::numeric, 2) as observe_sur_attendu_18m,
            artefact_sha256
        from ml.model order by as_of, recorded_at
    """
    with runs.opened(instance_of(context)) as url, connect(url) as connection:
        cursor = connection.execute(query)
        names = [column.name for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    print_rows(rows, as_json)


def model_card(
    context: typer.Context, model_id: Annotated[str, typer.Argument(help="Identifier, see `vigie model list`.")]
) -> None:
    """The card that the training wrote: purpose, data, figures with intervals, limits."""
    path = instance_of(context).models / model_id / "fiche.md"
    if not path.is_file():
        raise Refused(f"no model {model_id!r} in this instance; see `vigie model list`")
    console.print(path.read_text(encoding="utf-8"), markup=False)
