"""Who is told of the lists, and telling them: subscriptions, what still has to be said, and the messages that say it.

What must be told is the view `publication.alert_outbox`: what readers see, less what each was last told. A message that left is
written down at once. Killed between the two, the sender tells it again, under the same Message-ID; it forgets nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ingestion.database import connect
from orchestration import mail
from orchestration.instance import Instance
from orchestration.publication import ROLE
from reporting.digest import Digest, TerritoryNews, message

_LOCK = 0x4156_4953  # "AVIS": one sender at a time
Row = dict[str, Any]


class SubscriptionRefused(ValueError):
    """A subscription that cannot be taken; the message (French) says why."""


@dataclass(frozen=True)
class Notice:
    """One message that waits: its reader, what it says, its identity, and the rows of the outbox that it settles."""

    address: str
    digest: Digest
    message_id: str
    rows: Sequence[Row]

    def message(self, sender: str, moment: datetime) -> EmailMessage:
        """The message, from `sender`, dated `moment`."""
        return message(self.digest, sender=sender, recipient=self.address, message_id=self.message_id, moment=moment)


@dataclass(frozen=True)
class Sent:
    """Messages that left, and those that the server refused: a territory and its answer for each, never an address."""

    sent: int
    refused: tuple[str, ...]


def subscribe(instance: Instance, address: str, kind: str, code: str, since: date | None) -> date:
    """Tell `address` of the lists of a territory from the month `since` on (default: the last list that readers see).

    The first month that it is told of is returned; a subscription that exists takes the new one.

    Raises:
        SubscriptionRefused: no list is published yet, the territory has no report, or the address is none.
    """
    with connect(instance.database_url, role=ROLE) as connection:
        last = _value(connection, "select max(month) from publication.month where status = 'published'")
        if last is None:
            raise SubscriptionRefused("Aucune liste n’est publiée : un abonnement commence par une liste.")
        reported = _value(
            connection,
            "select count(*) from reference.territoire where type = %(type)s and code = %(code)s "
            "and %(region)s = case type when 'region' then code else region end",
            type=kind, code=code, region=instance.settings.region,
        )  # fmt: skip
        if not reported:
            raise SubscriptionRefused(
                f"Aucun rapport n’est fait pour {kind} {code} : l’instance suit la région {instance.settings.region} et ses départements."
            )
        try:
            return _value(
                connection,
                "insert into publication.abonnement values (%(address)s, %(type)s, %(code)s, %(since)s) "
                "on conflict (adresse, type, territoire) do update set depuis = excluded.depuis returning depuis",
                address=address.strip().lower(), type=kind, code=code, since=since or last,
            )  # fmt: skip
        except psycopg.errors.CheckViolation as error:
            raise SubscriptionRefused("Ce n’est pas une adresse de courrier.") from error


def unsubscribe(instance: Instance, address: str) -> int:
    """Stop telling `address`; how many territories it was told of. What it was told stays written."""
    with connect(instance.database_url, role=ROLE) as connection:
        return connection.execute(
            "delete from publication.abonnement where adresse = %s", [address.strip().lower()]
        ).rowcount


def subscriptions(instance: Instance) -> list[Row]:
    """Each subscription, with the last month it was told of and how many lists it has yet to be told of."""
    query = """
        select adresse as address, type, territoire as code, depuis as since,
            (select max(month) from publication.avis where (avis.adresse, avis.type, avis.territoire)
                = (abonnement.adresse, abonnement.type, abonnement.territoire)) as last_told,
            (select count(*) from publication.alert_outbox as o where (o.adresse, o.type, o.territoire)
                = (abonnement.adresse, abonnement.type, abonnement.territoire)) as waiting
        from publication.abonnement order by type, territoire, adresse
    """
    with connect(instance.database_url, role=ROLE) as connection:
        return _rows(connection, query)


def waiting(instance: Instance) -> list[Notice]:
    """The messages that have yet to leave: one for each reader and month, oldest month first."""
    with connect(instance.database_url, role=ROLE) as connection:
        return _waiting(connection, instance, mail.mail_server(instance.home))


def send(instance: Instance, server: mail.MailServer, moment: datetime) -> Sent:
    """Send what waits; each message that the server took is written down at once, one that it refused waits on.

    Raises:
        PeerFault: the server cannot be reached, or went away; what had left by then is written down.
    """
    sent, refused = 0, []
    with connect(instance.database_url, role=ROLE) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        notices = _waiting(connection, instance, server)
        connection.commit()
        if not notices:
            return Sent(0, ())
        with mail.session(server) as smtp:
            for notice in notices:
                try:
                    smtp.send_message(notice.message(server.sender, moment))
                except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as answer:
                    places = ", ".join(f"{row['type']} {row['territoire']}" for row in notice.rows)
                    refused.append(f"{notice.digest.month:%Y-%m}, {places} : refus {_code(answer)}")
                    continue
                connection.cursor().executemany(
                    "insert into publication.avis (message_id, adresse, type, territoire, month, sirens) "
                    "values (%(message_id)s, %(adresse)s, %(type)s, %(territoire)s, %(month)s, %(sirens)s)",
                    [row | {"message_id": notice.message_id} for row in notice.rows],
                )
                connection.commit()
                sent += 1
    return Sent(sent, tuple(refused))


def alarms(instance: Instance, moment: datetime) -> list[str]:
    """What a watchdog should tell: messages that wait without a server, or longer than a day, and `mail.yml` when it is wrong."""
    with connect(instance.database_url, role=ROLE) as connection:
        rows = _rows(connection, "select publie_le from publication.alert_outbox")
    try:
        server = mail.mail_server(instance.home)
    except mail.MailError as error:
        return [f"mail: {error}"]
    if rows and server is None:
        return [f"digests: {len(rows)} list(s) to tell and no mail server (mail.yml)"]
    late = [row for row in rows if row["publie_le"] is None or (moment - row["publie_le"]).days >= 1]
    return [f"digests: {len(late)} list(s) not told yet"] if late else []


def _waiting(connection: psycopg.Connection, instance: Instance, server: mail.MailServer | None) -> list[Notice]:
    rows = _rows(connection, _OUTBOX)
    settings = instance.settings
    late: dict[date, list[str]] = {}
    for source in _rows(
        connection,
        "select mois, libelle from published.fraicheur_sources where (en_retard or derniere_livraison is null) and mois = any(%(months)s) "
        "order by mois, libelle",
        months=sorted({row["month"] for row in rows}),
    ):
        late.setdefault(source["mois"], []).append(source["libelle"])
    notices = []
    for (month, address), group in itertools.groupby(rows, key=lambda row: (row["month"], row["adresse"])):
        told = list(group)
        digest = Digest(
            month=month,
            simulation=settings.simulation,
            news=tuple(_news(row) for row in told),
            sources_en_retard=tuple(late.get(month, ())),
            reports_url=server.reports_url if server else None,
            contact=settings.contact,
        )
        notices.append(Notice(address, digest, _message_id(address, told), told))
    return notices


_OUTBOX = """
    select outbox.*, territoire.libelle,
        coalesce(counts.nb_f1, 0) as nb_f1, coalesce(counts.nb_f2, 0) as nb_f2,
        (
            select count(*) from published.detections as detection
            where detection.mois = outbox.month and detection.siren = any(outbox.sirens)
                and case outbox.type when 'region' then detection.retenue_region else detection.retenue_departement end
        ) as nb_retenues
    from publication.alert_outbox as outbox
    inner join reference.territoire as territoire on outbox.type = territoire.type and outbox.territoire = territoire.code
    left join published.territoires as counts
        on outbox.month = counts.mois and outbox.type = counts.type and outbox.territoire = counts.territoire
    order by outbox.month, outbox.adresse, outbox.type desc, outbox.territoire
"""


def _news(row: Row) -> TerritoryNews:
    seen, told = set(row["sirens"] or ()), set(row["sirens_dits"] or ())
    return TerritoryNews(
        type=row["type"],
        code=row["territoire"],
        libelle=row["libelle"],
        nature=row["nature"],
        nb_nouvelles=len(seen),
        nb_retenues=row["nb_retenues"],
        nb_f1=row["nb_f1"],
        nb_f2=row["nb_f2"],
        nb_ajoutees=len(seen - told),
        nb_retirees=len(told - seen),
        nb_annoncees=len(told),
    )


def _message_id(address: str, rows: Sequence[Row]) -> str:
    """The same for the same news of the same reader, so that a message that left twice is seen once."""
    said = [(row["type"], row["territoire"], row["month"], row["sirens"], row["dernier_avis_id"]) for row in rows]
    return f"<{hashlib.sha256(repr((address, said)).encode()).hexdigest()[:40]}@vigie>"


def _code(answer: smtplib.SMTPException) -> int:
    if isinstance(answer, smtplib.SMTPRecipientsRefused):
        ((code, _text),) = answer.recipients.values()
        return int(code)
    assert isinstance(answer, smtplib.SMTPResponseException)
    return answer.smtp_code


def _rows(connection: psycopg.Connection, query: str, **parameters: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()


def _value(connection: psycopg.Connection, query: str, **parameters: object) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]
