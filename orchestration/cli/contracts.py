"""Contracts, for those who deliver and those who add a source: `contract list`, `contract check`, `contract infer`, `contract export`."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from expectations.contract import CONTRACT_NAME, Contract, ContractError, load_contract, load_contracts
from expectations.schemas import json_schema, table_schema
from ingestion.check import BrokenRule, FileCheck, check_file
from ingestion.content import Refusal
from ingestion.infer import infer_contract
from orchestration.cli.console import AsJson, Refused, bars, console, file_argument, print_json, visible
from orchestration.cli.deliveries import print_rows

#: One line, several lines.
KINDS = {
    "rejet": ("ligne rejetée", "lignes rejetées"),
    "hors_perimetre": ("ligne hors périmètre", "lignes hors périmètre"),
    "avertissement": ("ligne chargée avec un avertissement", "lignes chargées avec un avertissement"),
}


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="contract", help="What each delivered file must look like.", no_args_is_help=True)
    group.command("list")(contract_list)
    group.command("check")(contract_check)
    group.command("infer")(contract_infer)
    group.command("export")(contract_export)
    app.add_typer(group)


def contract_list(as_json: AsJson = False) -> None:
    """The sources: who produces them, how often, under which file names."""
    rows = [
        {
            "source": item.name,
            "producer": item.producer,
            "label": item.label,
            "cadence": item.cadence,
            "mode": item.mode,
            "files": ", ".join(item.file_names),
        }
        for item in load_contracts().values()
    ]
    print_rows(rows, as_json)


def contract_check(
    paths: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files to check.")],
    source: Annotated[
        str | None, typer.Option(help="Name of the contract, when the file's own name does not tell.")
    ] = None,
    contract: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A contract in this YAML file, rather than one of ours."),
    ] = None,
    identity: Annotated[Literal["luhn", "format"], typer.Option(help="Check of SIREN and SIRET.")] = "luhn",
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong with files before they are delivered, in French, without a database (exit 1: something is)."""
    contracts = load_contracts()
    if contract is not None:
        drafted = _contract_in(contract)
        contracts, source = {drafted.name: drafted}, drafted.name
    if source is not None and source not in contracts:
        raise typer.BadParameter(f"no contract is called {source!r}; see `vigie contract list`")
    checks = []
    with bars() as progress:
        for path in paths:
            task = progress.add_task(path.name, total=None)
            checks.append(
                check_file(
                    path,
                    contracts,
                    source=source,
                    identity=identity,
                    progress=lambda done, task=task: progress.update(task, completed=done),  # type: ignore[misc]
                )
            )
            progress.remove_task(task)
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        for check in checks:
            console.print(visible("\n".join(_report(check))), highlight=False, soft_wrap=True)
    if wrong := [check.file_name for check in checks if not check.conforming]:
        raise Refused(f"non conforme : {', '.join(wrong)}")


def contract_infer(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A sample of what will be delivered.")],
    name: Annotated[str | None, typer.Option(help="<producer>__<file>, the name of the contract.")] = None,
    out: Annotated[
        Path | None, typer.Option(parser=file_argument, metavar="FILE", help="File to write instead of the screen.")
    ] = None,
) -> None:
    """Draft a contract from a sample: encoding, delimiter, types, key, personal data; for a person to correct."""
    if name is not None and not re.fullmatch(CONTRACT_NAME, name):
        raise typer.BadParameter(f"{name!r} is not <producer>__<file>, in lower case letters and underscores")
    try:
        draft = infer_contract(file, name=name)
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal
    if out is not None:
        out.write_text(draft, encoding="utf-8")
    else:
        sys.stdout.write(draft)


def contract_export(
    name: Annotated[str | None, typer.Argument(help="Name of one contract; without it, all of them by name.")] = None,
    form: Annotated[
        Literal["table-schema", "json-schema"], typer.Option("--format", help="What to write.")
    ] = "table-schema",
) -> None:
    """Write contracts in a form that producers' tools read: Frictionless Table Schema, or JSON Schema of a line."""
    contracts = load_contracts()
    if name is not None and name not in contracts:
        raise typer.BadParameter(f"no contract is called {name!r}; see `vigie contract list`")
    write = table_schema if form == "table-schema" else json_schema
    print_json(write(contracts[name]) if name else {key: write(contract) for key, contract in contracts.items()})


def _contract_in(path: Path) -> Contract:
    try:
        return load_contract(path)
    except ContractError as error:
        raise Refused(str(error)) from error


def _report(check: FileCheck) -> list[str]:
    """One file for its producer: verdict, layout, counts, then each broken rule with its first lines."""
    verdict = "conforme" if check.conforming else "NON CONFORME"
    lines = [f"{check.file_name} : {verdict} (contrat {check.source or 'inconnu'})"]
    if check.refusal:
        lines.append(f"  Fichier refusé : {check.refusal}")
    if check.columns_read:
        form = [
            check.encoding,
            check.delimiter and f"séparateur « {check.delimiter} »",
            check.compression and f"archive {check.compression}",
        ]
        lines.append(f"  Format : {', '.join(item for item in form if item)}")
        for label, names in (
            ("lues", check.columns_read),
            ("ignorées", check.columns_ignored),
            ("absentes", check.columns_absent),
        ):
            if names:
                lines.append(f"  Colonnes {label} ({len(names)}) : {', '.join(names)}")
    lines.append(
        f"  Lignes : {check.lines} (acceptées : {check.accepted}, rejetées : {check.rejected}, "
        f"hors périmètre : {check.out_of_scope})"
    )
    if check.period:
        lines.append(f"  Période couverte : du {check.period[0]:%d/%m/%Y} au {check.period[1]:%d/%m/%Y}")
    if not check.tolerated and check.refusal is None:
        lines.append("  Trop de lignes rejetées : la livraison serait bloquée.")
    for broken in check.rules:
        lines += _rule_report(broken)
    return lines


def _rule_report(broken: BrokenRule) -> list[str]:
    place = f", colonne {broken.column}" if broken.column else ""
    lines = [f"  Règle {broken.rule}{place} : {broken.lines} {KINDS[broken.kind][broken.lines > 1]}"]
    lines += [f"    {example.message}" for example in broken.examples]
    if broken.lines > len(broken.examples):
        lines.append(f"    … et encore {broken.lines - len(broken.examples)}")
    return lines
