"""Telling readers of the lists: `digest subscribe`, `digest unsubscribe`, `digest list`, `digest send`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from ingestion.connectors.faults import PeerFault
from orchestration import collection, digests, mail, runs
from orchestration.cli.console import AsJson, Refused, console, instance_of, month_argument, print_json, visible
from orchestration.cli.deliveries import print_rows

Address = Annotated[str, typer.Argument(help="Mail address of the reader.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(
        name="digest",
        help="Readers who are told by mail that a list is published, corrected or taken back (mail.yml of the instance).",
        no_args_is_help=True,
    )
    for name, function in (("subscribe", subscribe), ("unsubscribe", unsubscribe), ("list", listed), ("send", send)):
        group.command(name)(function)
    app.add_typer(group)


def subscribe(
    context: typer.Context,
    address: Address,
    departement: Annotated[str | None, typer.Option(help="Code of the département whose lists are told of.")] = None,
    region: Annotated[str | None, typer.Option(help="Code of the region whose lists are told of.")] = None,
    since: Annotated[
        date | None,
        typer.Option(parser=month_argument, metavar="YYYY-MM", help="First list told of. Default: the last published."),
    ] = None,
) -> None:
    """Tell a reader of the lists of one territory."""
    instance = instance_of(context)
    kind, code = ("departement", departement) if departement else ("region", region)
    if code is None or (departement and region):
        raise typer.BadParameter("give --departement or --region, one of the two")
    with runs.opened(instance):
        try:
            first = digests.subscribe(instance, address, kind, code, since)
        except digests.SubscriptionRefused as refusal:
            raise Refused(str(refusal)) from refusal
    console.print(f"{kind} {code}: told of the lists from {first:%Y-%m} on.")


def unsubscribe(context: typer.Context, address: Address) -> None:
    """Tell a reader of nothing any more."""
    instance = instance_of(context)
    with runs.opened(instance):
        stopped = digests.unsubscribe(instance, address)
    if not stopped:
        raise Refused("Cette adresse n’a pas d’abonnement.")
    console.print(f"{stopped} subscription(s) ended.")


def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """Who is told of which territory, what was told last, and what waits."""
    instance = instance_of(context)
    with runs.opened(instance):
        print_rows(digests.subscriptions(instance), as_json)


def send(
    context: typer.Context,
    only_print: Annotated[bool, typer.Option("--print", help="Print the messages that wait; send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send what waits; under `vigie up` a sensor does it."""
    instance = instance_of(context)
    with runs.opened(instance):
        try:
            if only_print:
                notices = digests.waiting(instance)
            elif (server := mail.mail_server(instance.home)) is None:
                raise Refused(f"Aucun serveur de courrier n’est réglé : {instance.home / 'mail.yml'} n’existe pas.")
            else:
                done = digests.send(instance, server, collection.now())
        except (mail.MailError, PeerFault) as error:
            raise Refused(str(error)) from error
    if only_print:
        shown = [{"to": n.address, "subject": n.digest.subject, "body": n.digest.body} for n in notices]
        if as_json:
            print_json(shown)
        for each in [] if as_json else shown:
            console.print(visible(f"{each['to']}\n{each['subject']}\n\n{each['body']}"))
        return
    if as_json:
        print_json({"sent": done.sent, "refused": done.refused})
    else:
        console.print(f"{done.sent} message(s) sent.")
    if done.refused:
        raise Refused("\n".join(done.refused))
