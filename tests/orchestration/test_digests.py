"""Readers are told of each list once, of its corrections, and that it was taken back: against a real mail server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from ingestion.connectors.faults import PeerFault
from orchestration import automation, collection, digests, mail, publication
from orchestration.digests import SubscriptionRefused
from orchestration.instance import Instance
from orchestration.mail import MailError
from orchestration.months import shift
from orchestration.resources import Vigie

MONTH = date(2025, 11, 1)
NOW = datetime(2025, 12, 1, 6, tzinfo=UTC)
AGENT, OTHER = "agent@service.example", "autre@service.example"
A, B, C = "052000001", "052000002", "052000003"
F1, F2 = "Alerte seuil F1", "Alerte seuil F2"
Candidate = Callable[..., None]


class Box:
    """What a mail server took; it refuses the addresses of `unknown`, and hangs up after `patience` messages."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.unknown: set[str] = set()
        self.patience = 1000

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802 (the library's name)
        if address in self.unknown:
            return f"550 no such box {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if len(self.messages) >= self.patience:
            server.transport.close()
            return "421 closing"
        assert isinstance(envelope.content, bytes)
        made = message_from_bytes(envelope.content, policy=policy.default)
        self.messages.append(made)
        return "250 OK"

    def taken(self) -> list[tuple[str, str]]:
        """(to, subject) of each message, with ordinary spaces; forgotten after."""
        found = [(str(m["To"]), str(m["Subject"]).replace("\u00a0", " ")) for m in self.messages]
        self.messages.clear()
        return found


@pytest.fixture
def box() -> Box:
    """An empty mail box."""
    return Box()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(box: Box) -> Iterator[mail.MailServer]:
    """A mail server on this machine."""
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mail.MailServer(host="127.0.0.1", port=controller.port, security="none", sender="vigie@service.example")
    finally:
        controller.stop()


@pytest.fixture
def instance(vigie_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """An instance whose database knows two territories."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", vigie_url)
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    with psycopg.connect(vigie_url) as connection:
        connection.execute(
            "create table reference.territoire (code text, type text, libelle text, region text, capacite int); "
            "insert into reference.territoire values ('27', 'region', 'Bourgogne-Franche-Comté', '27', 5), "
            "('21', 'departement', 'Côte-d’Or', '27', 2), ('58', 'departement', 'Nièvre', '27', 2), "
            "('29', 'departement', 'Finistère', '53', 2); "
            "grant select on reference.territoire to vigie_publication"
        )
    return Instance(tmp_path)


def published(instance: Instance, candidate: Candidate, month: date, **companies: tuple[str, str]) -> None:
    """Publish the list of a month; a company is written `_052000001=(département, alert)`."""
    candidate(month, {siren.strip("_"): place for siren, place in companies.items()})
    publication.publish(instance.database_url, [month], simulation=False, run_id=None)


def test_a_reader_is_told_of_each_list_once(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, shift(MONTH, -1), _052000003=("21", F1))
    published(instance, candidate, MONTH, _052000001=("21", F1), _052000002=("58", F2))
    assert digests.subscribe(instance, " Agent@Service.example ", "departement", "21", None) == MONTH
    for expected in ([(AGENT, "Vigie, novembre 2025, Côte-d’Or : 1 entreprise nouvellement détectée")], []):
        digests.send(instance, server, NOW)
        assert box.taken() == expected
    published(instance, candidate, shift(MONTH, 1), _052000002=("58", F2))
    digests.send(instance, server, NOW)
    assert box.taken() == [(AGENT, "Vigie, décembre 2025, Côte-d’Or : aucune entreprise nouvellement détectée")]


def test_no_company_is_named_in_a_message(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    digests.send(instance, server, NOW)
    (message,) = box.messages
    assert A not in message.as_string()
    assert "052" not in message.get_content().replace("\u00a0", "")


def test_a_list_that_changes_is_told_only_where_it_changes(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1), _052000002=("58", F2))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    digests.subscribe(instance, OTHER, "departement", "58", None)
    digests.send(instance, server, NOW)
    box.messages.clear()
    published(instance, candidate, MONTH, _052000003=("21", F1), _052000002=("58", F2))
    digests.send(instance, server, NOW)
    assert "- 1 entreprise ajoutée, 1 retirée : reprenez" in box.messages[0].get_content().replace(
        "\u202f", " "
    ).replace("\u00a0", " ")
    assert box.taken() == [(AGENT, "Vigie, novembre 2025, Côte-d’Or : liste modifiée")]


def test_a_list_taken_back_is_told_to_those_who_were_told_of_it(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    digests.send(instance, server, NOW)
    digests.subscribe(instance, OTHER, "departement", "21", None)  # never told of it
    publication.rollback(instance.database_url, MONTH)
    box.messages.clear()
    digests.send(instance, server, NOW)
    assert box.taken() == [(AGENT, "Vigie, novembre 2025, Côte-d’Or : liste retirée")]
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.send(instance, server, NOW)
    assert [to for to, _ in box.taken()] == [AGENT, OTHER]
    assert digests.send(instance, server, NOW).sent == 0


def test_what_comes_back_after_an_older_list_is_another_message(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    """Same news twice, months apart: a mail program must not take the second for the first."""
    digests_seen = []
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    for siren in ("_052000001", "_052000002", "_052000001"):
        published(instance, candidate, MONTH, **{siren: ("21", F1)})
        digests.send(instance, server, NOW)
        digests_seen.append(box.messages[-1]["Message-ID"])
    assert len(set(digests_seen)) == 3


def test_a_message_whose_departure_was_not_written_leaves_again_under_its_name(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    """What a kill between the server's answer and our commit leaves behind."""
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    with psycopg.connect(instance.database_url) as connection:
        connection.execute(
            "alter table publication.avis add constraint killed check (adresse <> 'agent@service.example')"
        )
    with pytest.raises(psycopg.errors.CheckViolation):
        digests.send(instance, server, NOW)
    with psycopg.connect(instance.database_url) as connection:
        connection.execute("alter table publication.avis drop constraint killed")
    digests.send(instance, server, NOW + timedelta(hours=1))
    first, second = box.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert digests.send(instance, server, NOW).sent == 0


def test_one_address_that_is_refused_does_not_stop_the_others(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    for address in (AGENT, OTHER):
        digests.subscribe(instance, address, "departement", "21", None)
    box.unknown.add(AGENT)
    done = digests.send(instance, server, NOW)
    assert done == digests.Sent(1, ("2025-11, departement 21 : refus 550",))
    assert [to for to, _ in box.taken()] == [OTHER]
    box.unknown.clear()
    digests.send(instance, server, NOW)
    assert [to for to, _ in box.taken()] == [AGENT]


def test_a_server_that_goes_away_keeps_what_it_took_told(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    for address in (AGENT, OTHER):
        digests.subscribe(instance, address, "region", "27", None)
    box.patience = 1
    with pytest.raises(PeerFault, match="courrier"):
        digests.send(instance, server, NOW)
    assert len(box.messages) == 1
    box.patience = 1000
    digests.send(instance, server, NOW)
    assert [to for to, _ in box.taken()] == [AGENT, OTHER]
    absent = server.model_copy(update={"port": 1})
    published(instance, candidate, shift(MONTH, 1), _052000001=("21", F1))
    with pytest.raises(PeerFault, match="courrier : 127"):
        digests.send(instance, absent, NOW)


def test_two_senders_at_once_say_it_once(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    """The sensor's run, and a person who would not wait for it."""
    published(instance, candidate, MONTH, _052000001=("21", F1))
    for number in range(10):
        digests.subscribe(instance, f"agent{number}@service.example", "departement", "21", None)
    with ThreadPoolExecutor(2) as senders:
        done = list(senders.map(lambda _: digests.send(instance, server, NOW).sent, range(2)))
    assert sorted(done) == [0, 10]
    assert len(box.messages) == 10


def test_a_subscription_that_cannot_be_told_is_refused(instance: Instance, candidate: Candidate) -> None:
    with pytest.raises(SubscriptionRefused, match="Aucune liste"):
        digests.subscribe(instance, AGENT, "departement", "21", None)
    published(instance, candidate, MONTH, _052000001=("21", F1))
    for kind, code, address, why in (
        ("departement", "29", AGENT, "la région 27"),
        ("departement", "99", AGENT, "Aucun rapport"),
        ("region", "53", AGENT, "Aucun rapport"),
        ("departement", "21", "agent", "adresse"),
        ("departement", "21", "a@b.example, c@d.example", "adresse"),
        ("departement", "21", "a@b.example\nBcc: c@d.example", "adresse"),
        ("departement", "21", "été@b.example", "adresse"),
    ):
        with pytest.raises(SubscriptionRefused, match=why):
            digests.subscribe(instance, address, kind, code, None)
    assert digests.subscriptions(instance) == []


def test_who_no_longer_follows_is_told_nothing(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    digests.send(instance, server, NOW)
    box.messages.clear()
    assert digests.unsubscribe(instance, AGENT) == 1
    publication.rollback(instance.database_url, MONTH)
    assert digests.send(instance, server, NOW) == digests.Sent(0, ())


def test_a_subscription_that_starts_later_takes_nothing_back(
    instance: Instance, candidate: Candidate, server: mail.MailServer
) -> None:
    """The lists told before its new first month are still the ones that readers see."""
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    digests.send(instance, server, NOW)
    digests.subscribe(instance, AGENT, "departement", "21", shift(MONTH, 1))
    assert digests.send(instance, server, NOW) == digests.Sent(0, ())


def test_no_reader_sees_the_addresses_of_the_others(instance: Instance) -> None:
    with psycopg.connect(instance.database_url, autocommit=True) as connection:
        for role in ("vigie_lecteur", "vigie_agent", "vigie_transformation", "vigie_compat_lecteur"):
            connection.execute(f"set role {role}".encode())
            for table in ("abonnement", "avis", "alert_outbox"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"select * from publication.{table}".encode())


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        ("host: smtp.example\nsender: v@s.example\nsecurity: none\n", 3, "TLS"),
        ("host: smtp.example\nsender: v@s.example\nuser: v\n", 1, "password"),
        ("host: smtp.example\nsender: v@s.example\nuser: v\npassword: secret\n", 4, "un secret ne s'écrit pas ici"),
        ("host: smtp.example\nsender: nobody\n", 2, "sender"),
        ("host: smtp.example\nsender: v@s.example\nreports_url: http://r.example\n", 3, "https"),
        ("host: smtp.example\nsender: v@s.example\nport: 70000\n", 3, "port"),
        ("hote: smtp.example\nsender: v@s.example\n", 1, "hote"),
    ],
)
def test_settings_that_cannot_be_used_name_their_line(tmp_path: Path, content: str, line: int, why: str) -> None:
    (tmp_path / "mail.yml").write_text(content)
    with pytest.raises(MailError) as error:
        mail.mail_server(tmp_path)
    assert f"mail.yml, ligne {line} : " in str(error.value)
    assert why in str(error.value)
    assert "secret\n" not in str(error.value)


def test_no_settings_is_no_server(tmp_path: Path) -> None:
    assert mail.mail_server(tmp_path) is None


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_that_asks_for_a_login_gets_the_one_of_the_environment(
    instance: Instance, candidate: Candidate, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)

    def login(
        _server: object, _session: object, _envelope: object, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (b"vigie", b"right"), handled=False)

    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), authenticator=login, auth_required=True, auth_require_tls=False
    )
    controller.start()
    try:
        (instance.home / "mail.yml").write_text(
            f"host: 127.0.0.1\nport: {controller.port}\nsecurity: none\n"
            "user: vigie\npassword: {env: VIGIE_TEST_SMTP}\nsender: vigie@service.example\n"
        )
        server = mail.mail_server(instance.home)
        assert server is not None
        with pytest.raises(PeerFault, match="VIGIE_TEST_SMTP"):
            digests.send(instance, server, NOW)
        monkeypatch.setenv("VIGIE_TEST_SMTP", "wrong")
        with pytest.raises(PeerFault, match="refus 535"):
            digests.send(instance, server, NOW)
        monkeypatch.setenv("VIGIE_TEST_SMTP", "right")
        assert digests.send(instance, server, NOW).sent == 1
    finally:
        controller.stop()


def test_a_server_without_tls_is_not_written_to(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box
) -> None:
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    with pytest.raises(PeerFault, match="courrier"):
        digests.send(instance, server.model_copy(update={"security": "starttls"}), NOW)
    assert box.messages == []


def tick(cursor: str | None = None) -> tuple[list[dg.RunRequest], list[str], str | None]:
    """One evaluation of the sensor: what it asks for, why it skips, its next cursor."""
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        context = dg.build_sensor_context(dagster_instance, cursor=cursor)
        results = list(automation.notices(context))
        skips = [item.skip_message or "" for item in results if isinstance(item, dg.SkipReason)]
        return [item for item in results if isinstance(item, dg.RunRequest)], skips, context.cursor


def run() -> dg.ExecuteInProcessResult:
    """The run that the sensor asks for."""
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        return automation.digest_job.execute_in_process(
            instance=dagster_instance, resources={"vigie": Vigie()}, raise_on_error=False
        )


def test_the_sensor_has_each_list_told_and_asks_again_later_while_it_is_not(
    instance: Instance, candidate: Candidate, server: mail.MailServer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "now", lambda: NOW)
    assert "mail.yml" in tick()[1][0]
    (instance.home / "mail.yml").write_text(
        f"host: 127.0.0.1\nport: {server.port}\nsecurity: none\nsender: vigie@service.example\n"
    )
    assert tick()[1] == ["rien à dire"]
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    box.unknown.add(AGENT)
    asked, _, cursor = tick()
    assert len(asked) == 1
    assert not run().success
    assert tick(cursor)[1] == ["diffusion déjà demandée"]
    box.unknown.clear()
    monkeypatch.setattr(collection, "now", lambda: NOW + timedelta(minutes=6))
    asked, _, cursor = tick(cursor)
    assert len(asked) == 1
    assert run().success
    assert [to for to, _ in box.taken()] == [AGENT]
    assert tick(cursor)[1] == ["rien à dire"]


def test_operators_are_told_of_a_run_that_failed_and_not_why(
    instance: Instance, server: mail.MailServer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason of a refusal may quote a delivered value: it stays in the UI."""
    monkeypatch.setattr(collection, "now", lambda: NOW)
    with dg.DagsterInstance.ephemeral() as dagster_instance:
        failed = automation.digest_job.execute_in_process(
            instance=dagster_instance,
            resources={"vigie": Vigie()},
            tags={"dagster/partition": "2025-11-01"},
            raise_on_error=False,
        )
        context = dg.build_run_status_sensor_context(
            "echecs", failed.get_run_failure_event(), dagster_instance, failed.dagster_run, resources={}
        ).for_run_failure()
        assert isinstance(automation.failures(context), dg.SkipReason)
        (instance.home / "mail.yml").write_text(
            f"host: 127.0.0.1\nport: {server.port}\nsecurity: none\nsender: vigie@service.example\n"
            "operators: [exploitation@service.example, astreinte@service.example]\n"
        )
        assert automation.failures(context) is None
    (message,) = box.messages
    assert message["To"] == "exploitation@service.example, astreinte@service.example"
    assert message["Subject"] == "Vigie : l’exécution « diffusion » de 2025-11 n’est pas allée au bout"
    assert failed.run_id in message.get_content()
    assert "Aucun serveur de courrier" not in message.get_content()


def test_a_watchdog_hears_of_what_is_not_told(
    instance: Instance, candidate: Candidate, server: mail.MailServer
) -> None:
    assert digests.alarms(instance, NOW) == []
    published(instance, candidate, MONTH, _052000001=("21", F1))
    digests.subscribe(instance, AGENT, "departement", "21", None)
    assert digests.alarms(instance, NOW) == ["digests: 1 list(s) to tell and no mail server (mail.yml)"]
    (instance.home / "mail.yml").write_text(
        f"host: 127.0.0.1\nport: {server.port}\nsecurity: none\nsender: vigie@service.example\n"
    )
    with psycopg.connect(instance.database_url) as connection:
        connection.execute("update publication.month set published_at = %s", [NOW])
    assert digests.alarms(instance, NOW + timedelta(hours=23)) == []
    assert digests.alarms(instance, NOW + timedelta(hours=25)) == ["digests: 1 list(s) not told yet"]
    (instance.home / "mail.yml").write_text("host: 1\n")
    assert "mail.yml" in digests.alarms(instance, NOW)[0]
