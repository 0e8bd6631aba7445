"""``send_mail`` says what it did, and why not."""

from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from tests.outgoing import outgoing
from tests.scripted_smtp import ScriptedSmtp
from tests.smtpsink import Sink, use_server

pytestmark = pytest.mark.django_db


def run() -> str:
    out = StringIO()
    call_command("send_mail", stdout=out, stderr=out)
    return out.getvalue().strip()


def test_it_says_how_many_were_sent(sink: Sink) -> None:
    assert run() == "Nothing is due. No mail waits."
    outgoing(), outgoing()
    assert run() == "2 sent. No mail waits."
    assert len(sink.envelopes) == 2


def test_it_says_that_mail_is_held(sink: Sink, settings: LazySettings) -> None:
    settings.OUTGOING_MAIL = "hold"
    outgoing()
    assert run().startswith("Nothing was sent: OUTGOING_MAIL=hold. 1 mail waits, due since ")
    assert sink.envelopes == []


def test_it_names_what_was_not_sent_and_why(settings: LazySettings) -> None:
    def on(stage: str, recipient: str) -> bytes | None:
        answers = {"b@x.example": b"550 No such user\r\n", "c@x.example": b"450 Later\r\n"}
        return answers.get(recipient) if stage == "RCPT" else None

    rows = [outgoing(f"{name}@x.example") for name in "abc"]
    out = StringIO()
    with ScriptedSmtp(on) as server:
        use_server(settings, server.port)
        with pytest.raises(CommandError, match="Not every mail could be sent"):
            call_command("send_mail", stdout=out)
    told = out.getvalue().splitlines()
    assert told[:2] == [
        f"mail {rows[1].pk} to b@x.example: Failed. 127.0.0.1 said: 550 No such user.",
        f"mail {rows[2].pk} to c@x.example: again in 1 minute. 127.0.0.1 said: 450 Later.",
    ]
    assert told[2].startswith("1 sent, 1 to be tried again, 1 failed. 1 mail waits, the first until ")


def test_it_says_when_mail_goes_nowhere(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert run().startswith("EMAIL_URL names no mail server")
