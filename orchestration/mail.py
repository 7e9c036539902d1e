"""The mail server of an instance: `mail.yml` of its home, and one session with it.

Belongs here: how a message leaves. What messages say is in `reporting`; when one is due, in `digests`.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from expectations.located_yaml import read_model
from expectations.mistakes import Misplaced
from ingestion.connectors.faults import PeerFault
from ingestion.connectors.settings import LOOPBACK, Credential, private_url

#: A server that says nothing for this long is taken to be gone.
TIMEOUT_SECONDS = 30


Address = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]


class MailError(ValueError):
    """`mail.yml` cannot be used; the message names the line."""


class MailServer(BaseModel):
    """Where messages go out, from whom, and where their readers find the reports. It holds no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    #: `starttls` and `tls` verify the server's certificate; `none` is for a relay on this machine.
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Credential | None = None
    sender: Address
    #: Who is told that a run failed: those who keep Vigie going, not its readers.
    operators: tuple[Address, ...] = ()
    #: Address under which the folder of reports is served, to those who may read them.
    reports_url: str | None = None

    @field_validator("reports_url")
    @classmethod
    def _reports_are_private(cls, value: str | None) -> str | None:
        return value and private_url(value).rstrip("/")

    @model_validator(mode="after")
    def _nothing_goes_in_clear(self) -> MailServer:
        if (self.user is None) != (self.password is None):
            raise ValueError("donner `user` et `password`, ou aucun des deux")
        if self.security == "none" and self.host not in LOOPBACK:
            raise Misplaced("security", "le courrier d'une autre machine part en TLS")
        return self


def mail_server(home: Path) -> MailServer | None:
    """The mail server of the instance in `home`; None when it has none.

    Raises:
        MailError: `mail.yml` cannot be used.
    """
    path = home / "mail.yml"
    if not path.exists():
        return None
    # A password written here by mistake must not reach a log.
    return read_model(path, MailServer, error=MailError, subject="courrier", quote_values=False)


@contextlib.contextmanager
def session(server: MailServer) -> Iterator[smtplib.SMTP]:
    """A session with the server, encrypted and logged in as its settings say.

    Raises:
        PeerFault: it cannot be reached, is not the one it should be, or does not let us in.
    """
    try:
        with contextlib.ExitStack() as stack:
            context = ssl.create_default_context()
            if server.security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
                )
            else:
                smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
            stack.callback(_leave, smtp)
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.user is not None and server.password is not None:
                smtp.login(server.user, server.password.value())
            yield smtp
    except (smtplib.SMTPException, OSError) as fault:
        raise PeerFault(f"courrier : {server.host}:{server.port} : {_reason(fault)}") from fault


def tell_operators(server: MailServer, subject: str, body: str, moment: datetime) -> None:
    """One message to those who keep Vigie going.

    Raises:
        PeerFault: the server cannot be reached, or refused it.
    """
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = server.sender, ", ".join(server.operators), subject
    made["Date"], made["Auto-Submitted"] = moment, "auto-generated"
    made.set_content(body)
    with session(server) as smtp:
        smtp.send_message(made)


def _leave(smtp: smtplib.SMTP) -> None:
    with contextlib.suppress(smtplib.SMTPException, OSError):
        smtp.quit()


def _reason(fault: Exception) -> str:
    """What a server answered, without the addresses that it may repeat."""
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"refus {fault.smtp_code}"
    return str(fault) if isinstance(fault, OSError) and fault.strerror else type(fault).__name__
