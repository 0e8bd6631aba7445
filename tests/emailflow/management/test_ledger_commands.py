"""``reprocess_mail``, ``explain_mail`` and ``import_mail`` as people at a terminal use them."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import Incoming, receive_many
from emailflow.models import Mailbox
from tests.mailboxes import mail
from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_wrong_date_is_named_before_anything_else() -> None:
    with pytest.raises(CommandError, match="--since: 'yesterday' is not a date"):
        said("reprocess_mail", "--since", "yesterday")


def test_an_unknown_outcome_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match=r"nonsense.*unrouted"):
        said("reprocess_mail", "--outcome", "nonsense")


def test_an_import_names_the_tickets(tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(mail("The printer is broken"))
    shown = said("import_mail", str(file), "--verbosity", "0")
    assert f"{file}: ticket_created {Ticket.objects.get().ticket_number}" in shown
    assert "1 mail: 1 ticket_created" in shown


def test_two_mails_with_one_message_id_are_both_explained_and_it_is_said() -> None:
    box = Mailbox.objects.get(slug="import")
    raw = mail("First")
    receive_many([Incoming(raw, box), Incoming(raw.replace(b"First", b"Other"), box)])
    while process_due():
        pass
    wanted = next(line for line in raw.decode().splitlines() if line.lower().startswith("message-id"))
    shown = said("explain_mail", wanted.partition(":")[2].strip())
    assert "2 mails have this Message-ID" in shown
