"""The mail server of the tests keeps its own promises: else a red flow says nothing about Hub."""

import poplib

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from tests.dovecot import HOST, Account

pytestmark = pytest.mark.dovecot
MAIL = b"From: anna@kunde.example\r\nSubject: Hej\r\nMessage-ID: <1@kunde.example>\r\n\r\nEn linje\r\n"


def test_a_mail_delivered_by_lmtp_is_there_over_imap(mail_account: Account) -> None:
    mail_account.deliver(MAIL)
    with IMAPClient(HOST, port=mail_account.server.imap_port, ssl=False) as client:
        client.login(mail_account.user, mail_account.password)
        client.select_folder("INBOX")
        uids = client.search()
        assert MAIL in client.fetch(uids, ["BODY.PEEK[]"])[uids[0]][b"BODY[]"]


def test_a_mail_delivered_by_lmtp_is_there_over_pop3(mail_account: Account) -> None:
    mail_account.deliver(MAIL, MAIL)
    client = poplib.POP3(HOST, mail_account.server.pop3_port)
    client.user(mail_account.user)
    client.pass_(mail_account.password)
    assert client.stat()[0] == 2
    client.quit()


def test_a_wrong_password_is_refused(mail_account: Account) -> None:
    with IMAPClient(HOST, port=mail_account.server.imap_port, ssl=False) as client, pytest.raises(LoginError):
        client.login(mail_account.user, "wrong")
