"""What the demo promises: all that Hub does with mail can be seen, and a second run changes nothing."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from emailflow.models import Mailbox, Message, Outcome, State
from hub.demo.letters import FIRST, WITH_NUMBER
from tickets.models import Attachment, Comment, Participant, Ticket, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def said(settings: Any, tmp_path: Path) -> str:
    settings.DROP_DIR = tmp_path / "drop"
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


def outcome(subject: str) -> str:
    return Message.objects.get(subject__startswith=subject).outcome


def test_every_mail_has_gone_the_whole_way(said: str) -> None:
    assert Message.objects.filter(mailbox__slug="drop").count() == len(FIRST) + len(WITH_NUMBER) >= 40
    assert not Message.objects.exclude(state=State.PROCESSED).exists()
    assert not Message.objects.filter(outcome=Outcome.UNROUTED).exists()


def test_each_kind_of_mail_is_treated_as_its_kind(said: str) -> None:
    assert outcome("Undelivered Mail") == Outcome.BOUNCE
    assert outcome("Autosvar: Printeren") == Outcome.AUTO_REPLY
    assert outcome("Nyhedsbrev") == Outcome.IGNORED
    assert outcome("CONGRATULATIONS") == Outcome.IGNORED
    assert outcome("Faktura 20417") == Outcome.TICKET_CREATED
    assert outcome("SV: Printeren") == Outcome.LINKED
    assert outcome("Re: TKT-") == Outcome.LINKED


def test_the_urgent_mail_is_critical_with_its_tags(said: str) -> None:
    ticket = Ticket.objects.get(subject="URGENT: Server down!")
    assert ticket.priority == "critical"
    assert sorted(tag.name for tag in ticket.tags.all()) == ["critical", "server"]


def test_a_thread_holds_its_replies(said: str) -> None:
    ticket = Ticket.objects.get(subject="Printeren i butikken virker ikke")
    assert Comment.objects.filter(ticket=ticket).count() == 4


def test_a_stranger_with_a_number_takes_no_part(said: str) -> None:
    ticket = Ticket.objects.get(subject="URGENT: Server down!")
    confirmed = Participant.objects.filter(ticket=ticket, address="ole@nysgerrig.example", state="confirmed")
    assert not confirmed.exists()


def test_letters_of_other_character_sets_come_out_right(said: str) -> None:
    assert Ticket.objects.filter(subject="Blæseren larmer på serveren").exists()
    assert Attachment.objects.filter(name="årsrapport æøå 2025.pdf").exists()


def test_rules_of_the_demo_hand_alarms_and_invoices_to_their_team(said: str) -> None:
    teams = Ticket.objects.filter(subject__in=["Faktura 20417", "Backup of srv-file-02 failed"])
    assert {ticket.assigned_team.name for ticket in teams if ticket.assigned_team} == {"Operations"}
    assert len(teams) == 2


def test_staff_of_the_demo_can_log_in_with_the_password_that_is_told_once(said: str) -> None:
    line = next(line for line in said.splitlines() if line.startswith("demo user agent"))
    password = line.split("password ")[1].split()[0]
    agent = User.objects.get(username="agent")
    assert agent.check_password(password)
    assert not agent.is_superuser


def test_there_is_a_drop_folder(said: str, settings: Any) -> None:
    mailbox = Mailbox.objects.get(slug="drop")
    assert mailbox.path == str(settings.DROP_DIR)
    assert all((Path(mailbox.path) / name).is_dir() for name in ("tmp", "new", "cur"))


def test_a_second_run_adds_nothing(said: str) -> None:
    before = (Message.objects.count(), Ticket.objects.count(), User.objects.count(), Mailbox.objects.count())
    out = StringIO()
    call_command("seed_demo", stdout=out)
    after = (Message.objects.count(), Ticket.objects.count(), User.objects.count(), Mailbox.objects.count())
    assert after == before
    assert "password" not in out.getvalue()
