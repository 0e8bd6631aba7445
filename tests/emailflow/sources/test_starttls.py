"""IMAP with STARTTLS: encrypted, or no login at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emailflow.models import Message
from emailflow.services import mailboxes
from emailflow.services.mailboxes import pull_mailbox
from emailflow.sources.base import SourceError
from emailflow.sources.imap import ImapSource
from tests.dovecot import Dovecot
from tests.mailboxes import imap_mailbox, mail
from tests.scripted_imap import ScriptedImap
from tests.tls import server_context

OFFER = b"IMAP4rev1 STARTTLS"


def refused(server: ScriptedImap) -> SourceError:
    """What staff read; fails when a word of the login went out."""
    wrong = ImapSource(host="localhost", port=server.port, security="starttls", username="anna", password="right")
    with pytest.raises(SourceError) as caught:
        wrong.connect()
    said = b" ".join(server.commands).upper()
    assert b"LOGIN" not in said
    assert b"AUTHENTICATE" not in said
    assert b"RIGHT" not in said
    return caught.value


def test_the_login_waits_for_the_encryption(trusted: Path) -> None:
    with ScriptedImap({1: mail()}, upgrade=server_context(trusted), capabilities=OFFER) as server:
        good = ImapSource(host="localhost", port=server.port, security="starttls", username="anna", password="x")
        good.connect()
        assert good.count() == 1
        good.close()
        names = [command.split()[1].upper() for command in server.commands]
    assert names.index(b"STARTTLS") < names.index(b"LOGIN")


def test_a_server_that_does_not_offer_it_hears_no_password() -> None:
    with ScriptedImap({}) as server:
        assert "offers no encryption (STARTTLS), so the password was not sent" in refused(server).message


def test_a_server_that_refuses_hears_no_password() -> None:
    with ScriptedImap({}, capabilities=OFFER) as server:
        assert "refuses to begin encryption" in refused(server).message


def test_a_line_on_which_everybody_is_logged_in_already_is_not_used(certificate: Path) -> None:
    # RFC 8314, 5.1: somebody in between can greet like this to keep the client from encrypting.
    upgrade = server_context(certificate)
    with ScriptedImap({}, capabilities=OFFER, upgrade=upgrade, greeting=b"* PREAUTH hello\r\n") as server:
        assert "lets everybody in without encryption" in refused(server).message


def test_a_certificate_of_nobody_we_trust_ends_it(certificate: Path) -> None:
    with ScriptedImap({}, capabilities=OFFER, upgrade=server_context(certificate)) as server:
        assert refused(server).message.startswith("No TLS certificate that fits localhost")


class WithTls(Dovecot):
    certificate: Path

    def _config(self) -> str:
        folder = self.folder / "server.pem"
        folder.write_bytes(self.certificate.read_bytes())
        return super()._config().replace("ssl = no", f"ssl = required\nssl_cert = <{folder}\nssl_key = <{folder}")


@pytest.mark.dovecot
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_mail_comes_over_a_line_that_a_real_server_has_encrypted(
    trusted: Path, second_dovecot: Callable[..., Dovecot], protocol: str
) -> None:
    WithTls.certificate = trusted
    server = second_dovecot(WithTls)
    server.start()
    account = server.account()
    account.deliver(mail("Encrypted"))
    port = server.imap_port if protocol == "imap" else server.pop3_port
    mailbox = imap_mailbox(account, protocol=protocol, port=port, host="localhost", security="starttls")
    report = mailboxes.test_connection(mailbox)
    assert report.sentences[0] == "Connected to localhost, with TLS by STARTTLS."
    assert pull_mailbox(mailbox).new == 1
    assert Message.objects.get().subject == "Encrypted"
