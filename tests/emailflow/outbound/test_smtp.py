"""The dialogue with a mail server: encrypted or not at all, and words for what goes wrong."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from emailflow.outbound.smtp import Connections, Letter, SendError, Server, greet
from tests.postgresql import free_port
from tests.scripted_smtp import ScriptedSmtp
from tests.smtpsink import Sink
from tests.tls import server_context

CONTENT = b"Subject: Test\r\n\r\nHello\r\n"
LETTER = Letter("support@hub.example", "mette@nordwind.example", CONTENT)


def send(server: Server, letter: Letter = LETTER) -> int:
    with Connections() as connections:
        return connections.send(server, letter, last_moment=lambda: None)


def refused(server: Server, letter: Letter = LETTER) -> SendError:
    with pytest.raises(SendError) as caught:
        send(server, letter)
    return caught.value


def at(port: int, **changes: Any) -> Server:
    values: dict[str, Any] = {"host": "localhost", "port": port, "security": "plain"}
    return Server(**values | changes)


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"hub", b"right")
    return AuthResult(success=known, handled=False)


# aiosmtpd does not count a line that is encrypted from the start.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_over_tls_with_a_login(trusted: Path, make_sink: Callable[..., Sink]) -> None:
    sink = make_sink(server_hostname="localhost", ssl_context=server_context(trusted), authenticator=login,
                     auth_required=True, auth_require_tls=False)  # fmt: skip
    server = at(sink.port, security="tls", username="hub", password="right")
    assert send(server) == 250
    assert sink.raw(0) == CONTENT
    wrong = refused(at(sink.port, security="tls", username="hub", password="wrong"))
    assert (wrong.code, wrong.permanent, wrong.whole_server) == (535, False, True)
    assert "wrong" not in wrong.message


def test_over_starttls_with_a_login_behind_it(trusted: Path, make_sink: Callable[..., Sink]) -> None:
    sink = make_sink(tls_context=server_context(trusted), require_starttls=True, authenticator=login,
                     auth_required=True)  # fmt: skip
    assert send(at(sink.port, security="starttls", username="hub", password="right")) == 250
    assert sink.recipients == ["mette@nordwind.example"]
    greet(at(sink.port, security="starttls", username="hub", password="right"))
    assert len(sink.envelopes) == 1


def nothing_was_said(server: ScriptedSmtp) -> bool:
    return not any(word in b" ".join(server.commands).upper() for word in (b"AUTH", b"MAIL", b"RCPT", b"DATA"))


def test_a_server_that_does_not_offer_starttls_gets_neither_mail_nor_password() -> None:
    with ScriptedSmtp() as server:
        error = refused(at(server.port, security="starttls", username="hub", password="secret"))
        assert nothing_was_said(server)
    assert "offers no encryption (STARTTLS), so no mail was sent" in error.message
    assert (error.permanent, error.whole_server) == (False, True)


def test_a_server_that_refuses_starttls_gets_neither(certificate: Path) -> None:
    def on(stage: str, recipient: str) -> bytes | None:
        return b"454 4.7.0 not now\r\n" if stage == "STARTTLS" else None

    with ScriptedSmtp(on, upgrade=server_context(certificate)) as server:
        error = refused(at(server.port, security="starttls"))
        assert nothing_was_said(server)
    assert "refuses to begin encryption (454 4.7.0 not now)" in error.message


def test_what_was_slipped_in_before_the_encryption_is_not_believed(trusted: Path) -> None:
    # CVE-2011-0411 and its kind: an answer in clear text behind the 220 must not count as one from inside.
    def on(stage: str, recipient: str) -> bytes | None:
        return b"220 go on\r\n250 AUTH PLAIN\r\n" if stage == "STARTTLS" else None

    with ScriptedSmtp(on, upgrade=server_context(trusted)) as server:
        with pytest.raises(SendError):
            send(at(server.port, security="starttls", username="hub", password="secret"))
        assert nothing_was_said(server)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_of_nobody_we_trust_ends_it(certificate: Path, security: str) -> None:
    way: dict[str, ssl.SSLContext] = {"tls" if security == "tls" else "upgrade": server_context(certificate)}
    with ScriptedSmtp(**way) as server:  # type: ignore[arg-type]
        error = refused(at(server.port, security=security))
        assert nothing_was_said(server)
    assert error.message.startswith("No TLS certificate that fits localhost")
    assert error.whole_server


def test_no_password_leaves_this_machine_in_clear_text() -> None:
    error = refused(Server("mail.example.com", 25, "plain", "hub", "secret"))
    assert "without TLS the password could be read on the way" in error.message


def test_where_nobody_answers() -> None:
    error = refused(at(free_port()))
    assert "Nobody answers" in error.message
    assert error.whole_server
    assert "no machine called" in refused(at(25, host="no-such-host.invalid")).message


def test_a_password_outside_of_ascii_goes_as_utf8() -> None:
    with ScriptedSmtp(extensions=(b"AUTH PLAIN LOGIN",)) as server:
        assert send(at(server.port, username="bjørn", password="smørrebrød")) == 250
        assert any(command.startswith(b"AUTH PLAIN ") for command in server.commands)


def test_a_server_without_a_login_is_told_in_words() -> None:
    with ScriptedSmtp() as server:
        assert refused(at(server.port, username="hub", password="x")).message == "localhost offers no login"


def test_a_mail_larger_than_the_server_takes_is_not_begun() -> None:
    with ScriptedSmtp(extensions=(b"SIZE 20",)) as server:
        error = refused(at(server.port))
        assert nothing_was_said(server)
    assert (error.code, error.permanent) == (552, True)
    assert "too large" in error.message


def test_a_domain_of_other_letters_goes_as_the_name_system_knows_it() -> None:
    with ScriptedSmtp() as server:
        assert send(at(server.port), Letter("", "mette@smørrebrød.example", CONTENT)) == 250
        assert server.recipients == ["mette@xn--smrrebrd-64af.example"]
        assert b"MAIL FROM:<> SIZE=24" in server.commands


def test_letters_before_the_at_need_a_server_that_takes_them() -> None:
    letter = Letter("support@hub.example", "søren@kunde.example", CONTENT)
    with ScriptedSmtp() as server:
        assert refused(at(server.port), letter).permanent
    with ScriptedSmtp(extensions=(b"SMTPUTF8", b"8BITMIME")) as server:
        assert send(at(server.port), letter) == 250
        assert any(b"SMTPUTF8" in command for command in server.commands)


@pytest.mark.parametrize(
    "address", ["a@b.example>\r\nRCPT TO:<eve@evil.example", "a b@c.example", "<a@b.example", "a@b..c"]
)
def test_an_address_that_would_end_its_command_goes_nowhere(address: str) -> None:
    with ScriptedSmtp() as server:
        error = refused(at(server.port), Letter("support@hub.example", address, CONTENT))
        assert error.permanent
        assert not any(b"evil" in command for command in server.commands)


def test_what_the_last_moment_says_no_to_is_not_sent() -> None:
    class No(Exception):
        pass

    def no() -> None:
        raise No

    with ScriptedSmtp() as server, Connections() as connections:
        with pytest.raises(No):
            connections.send(at(server.port), LETTER, last_moment=no)
        assert connections.send(at(server.port), LETTER, last_moment=lambda: None) == 250
        assert len(server.mails) == 1


def test_an_answer_of_many_lines_is_one_line_in_words() -> None:
    def on(stage: str, recipient: str) -> bytes | None:
        return b"550-5.7.1 Go away\r\n550-5.7.1 really\r\n550 now\r\n" if stage == "RCPT" else None

    with ScriptedSmtp(on) as server:
        error = refused(at(server.port))
    assert error.message == "localhost said: 550 5.7.1 Go away 5.7.1 really now"
    assert error.permanent


def test_a_server_with_a_small_limit_of_mails_is_called_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emailflow.outbound.smtp.MAILS_A_CONNECTION", 2)
    with ScriptedSmtp() as server, Connections() as connections:
        for _ in range(5):
            connections.send(at(server.port), LETTER, last_moment=lambda: None)
        assert (len(server.mails), server.connections) == (5, 3)
