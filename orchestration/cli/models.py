"""The risk model: `model list|card|backtest|promote`; `model evaluate` is in `panels`.

The model's libraries are imported inside functions: they take seconds, which no other command must wait for.
"""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion.database import connect
from orchestration import runs
from orchestration.cli import panels
from orchestration.cli.console import AsJson, Refused, console, instance_of, print_json
from orchestration.cli.deliveries import print_rows


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="model", help="The risk models of the instance.", no_args_is_help=True)
    group.command("list")(model_list)
    group.command("card")(model_card)
    group.command("evaluate")(panels.model_evaluate)
    group.command("backtest")(model_backtest)
    group.command("promote")(model_promote)
    app.add_typer(group)


def model_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Every trained model: date of knowledge, size of its training, thresholds, figures at 18 months."""
    query = """
        select model_id, famille,
            case
                when exists (select from ml.run_month as r where r.model_id = m.model_id) then 'champion'
                when exists (select from ml.run_month as r where r.challenger_id = m.model_id) then 'challenger'
            end as role,
            array_to_string(sources_ecartees, ', ') as sources_ecartees, as_of, dernier_mois, fitted_rows, fitted_events,
            round(seuil_f1::numeric, 4) as seuil_f1, round(seuil_f2::numeric, 4) as seuil_f2,
            round((metrics #>> '{horizons,18,auc,valeur}')::numeric, 3) as auc_18m,
            round((metrics #>> '{horizons,18,ap,valeur}')::numeric, 3) as ap_18m,
            round((metrics #>> '{horizons,18,observe_sur_attendu,valeur}')::numeric, 2) as observe_sur_attendu_18m,
            artefact_sha256, code_version
        from ml.model as m order by as_of, recorded_at
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
    console.print(path.read_text(encoding="utf-8"))


def model_backtest(
    context: typer.Context,
    months: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM..YYYY-MM", help="Months to score; default: the last three closed years."),
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(help="Family to compare with the champion (may be repeated).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the past as it would have been scored, and say what came true; kept in ml.backtest, page in the home's reports."""
    from models_ml import backtest_page
    from models_ml.families import FAMILIES
    from orchestration import backtest

    families = family or []
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise typer.BadParameter(f"unknown family {', '.join(unknown)}; known: {', '.join(FAMILIES)}")
    instance = instance_of(context)
    with runs.opened(instance):
        try:
            first, last = backtest.months_of(months) if months else backtest.default_months(instance)
            result = backtest.run(instance, first, last, families)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        except backtest.NothingToTest as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json(result)
        return
    text = backtest_page.render(result, simulation=instance.settings.simulation)
    path = instance.reports / "modele" / f"backtest-{result['premier_mois'][:7]}-{result['dernier_mois'][:7]}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    console.print(text)
    console.print(f"Page: {path}", soft_wrap=True)


def model_promote(
    context: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="MODEL|FAMILY", help="Model or family that is to replace the champion.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make a family the champion, if the last backtest says so by the written rule; refused with the reason otherwise."""
    from orchestration import promotion

    instance = instance_of(context)
    with runs.opened(instance):
        try:
            row = promotion.promote(instance, wanted)
        except promotion.PromotionRefused as error:
            raise Refused(str(error)) from error
    if as_json:
        print_json(row)
    else:
        console.print(
            f"« {row['famille']} » replaces « {row['remplace']} » from the next run on (backtest {row['backtest_id']})."
        )
