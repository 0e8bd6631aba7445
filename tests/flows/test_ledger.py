"""Every mail has a row, a state, an end, and never takes another one with it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from emailflow.inbound import claim as claiming
from emailflow.inbound import house, settle
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.receive import Incoming, receive_many
from emailflow.models import Execution, Label, Mailbox, Message, Outcome, State, Workflow
from emailflow.services import messages as ledger
from emailflow.services.mailboxes import pull_mailbox
from emailflow.services.workflows import save_workflow
from emailflow.workflow import registry, store
from emailflow.workflow.base import Facts, Step
from emailflow.workflow.context import ApplyContext
from tests.flows.conftest import Deliver
from tests.mailboxes import drop, maildir_mailbox
from tests.mails import mail
from tickets import blobs
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.models import AuditEntry, Customer, EmailLog, Tag, Team, Ticket, User

pytestmark = pytest.mark.django_db

STAFF = Actor.of_system("test")


def lapse() -> None:
    """As if the lease had run out and every pause were over."""
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.filter(state__in=["processing", "waiting", "received"]).update(
        next_attempt_at=past, lease_until=past
    )


def drain() -> None:
    while process_due():
        pass


class Trap:
    """An action of another app that does something bad to one mail."""

    slug = "trap"
    label = "Trap"
    help = "For tests."

    def __init__(self, act: Callable[[ApplyContext], None]) -> None:
        from django import forms

        self.act = act
        self.ParamsForm = forms.Form

    def plan(self, facts: Facts, params: object) -> list[object]:
        if "trap" not in facts.mail.subject:
            return []
        act = self.act

        class Spring:
            def describe(self) -> str:
                return "Spring the trap."

            def apply(self, context: ApplyContext) -> dict[str, object]:
                act(context)
                return {}

        return [Spring()]


@pytest.fixture
def trap(mailbox: Mailbox) -> Iterator[Callable[[Callable[[ApplyContext], None]], None]]:
    def set_trap(act: Callable[[ApplyContext], None]) -> None:
        registry.actions["trap"] = Trap(act)  # type: ignore[assignment]
        rule = Workflow(name="Trap", classification_trigger="*", confidence_threshold=0, order=1)
        save_workflow(actor=STAFF, workflow=rule, conditions=[], steps=[Step("trap")])
        store.forget()

    yield set_trap
    registry.actions.pop("trap", None)


def raise_(error: Exception) -> Callable[[ApplyContext], None]:
    def act(context: ApplyContext) -> None:
        raise error

    return act


def test_rule_that_raises_is_a_failed_execution_and_the_mail_gets_its_ticket(deliver: Deliver, trap: object) -> None:
    trap(raise_(RuntimeError("boom")))  # type: ignore[operator]

    message = deliver(mail(subject="trap"))

    assert (message.state, message.outcome) == (State.PROCESSED, Outcome.TICKET_CREATED)
    failed = Execution.objects.get(status="failed")
    assert (failed.workflow_name, "boom" in failed.error) == ("Trap", True)


def test_one_bad_mail_in_a_group_costs_the_others_nothing(deliver: Deliver, trap: object) -> None:
    trap(raise_(RuntimeError("boom")))  # type: ignore[operator]
    good = [deliver(mail(subject=f"good {index}"), process=False) for index in range(6)]
    deliver(mail(subject="trap"))

    assert Ticket.objects.count() == 7
    for message in Message.objects.all():
        assert (message.state, message.attempts, message.outcome) == ("processed", 1, "ticket_created")
    assert Execution.objects.filter(status="failed").count() == 1
    assert len(good) == 6
    numbers = sorted(int(number[-3:]) for number in Ticket.objects.values_list("ticket_number", flat=True))
    assert numbers == list(range(1, 8))


def test_what_a_failed_rule_had_done_is_undone(deliver: Deliver, trap: object) -> None:
    def half_way(context: ApplyContext) -> None:
        context.open_or_link(customer_id=None, assigned_to_user_id=None, priority="critical")
        context.add_tags(("half",))
        raise RuntimeError("boom")

    trap(half_way)  # type: ignore[operator]

    message = deliver(mail(subject="trap"))

    ticket = Ticket.objects.get()
    assert message.ticket == ticket
    assert (ticket.priority, ticket.tags.count(), ticket.comments.count()) == ("normal", 0, 1)
    assert ticket.ticket_number.endswith("-001")


def test_wishes_of_a_failed_rule_reach_no_ticket(deliver: Deliver, trap: object) -> None:
    def wish(context: ApplyContext) -> None:
        context.set_priority("critical")
        context.add_tags(("half",))
        raise RuntimeError("boom")

    trap(wish)  # type: ignore[operator]

    ticket = deliver(mail(subject="trap")).ticket

    assert ticket is not None
    assert (ticket.priority, ticket.tags.count()) == ("normal", 0)


def test_rows_that_a_failed_rule_has_written_are_gone(deliver: Deliver, trap: object) -> None:
    def write(context: ApplyContext) -> None:
        Tag.objects.create(name="written")
        raise RuntimeError("boom")

    trap(write)  # type: ignore[operator]
    deliver(mail(subject="trap"))

    assert not Tag.objects.filter(name="written").exists()


def test_mail_whose_worker_dies_is_taken_alone_and_failed_after_five_tries(deliver: Deliver) -> None:
    message = deliver(mail(), process=False)
    other = deliver(mail(), process=False)
    for attempt in range(1, 6):
        taken = claiming.claim_group(50) if attempt == 1 else claiming.claim_lapsed()
        assert message.pk in [row.pk for row in taken.messages]
        lapse()
        if attempt == 1:
            Message.objects.filter(pk=other.pk).update(state="received", lease_token="", attempts=0, alone=False)
            Message.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now() - timedelta(hours=1))
    drain()

    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.state, "5 times" in message.last_error) == (State.FAILED, True)
    assert other.outcome == Outcome.TICKET_CREATED


def test_worker_that_lost_its_lease_writes_nothing(deliver: Deliver, trap: object) -> None:
    def steal(context: ApplyContext) -> None:
        Message.objects.filter(pk=context.facts.message_pk).update(lease_token="somebody else")

    trap(steal)  # type: ignore[operator]

    message = deliver(mail(subject="trap"))

    assert Ticket.objects.count() == 0
    assert (message.state, EmailLog.objects.count()) == ("processing", 0)


def test_missing_blob_is_a_failure_in_words_and_replayable(deliver: Deliver) -> None:
    raw = mail()
    message = deliver(raw, process=False)
    blobs.path_of(message.sha256).unlink()
    drain()

    message.refresh_from_db()
    assert (message.state, "not in the store" in message.last_error) == (State.FAILED, True)
    blobs.put(raw)
    ledger.reprocess(actor=STAFF, messages=[message])
    drain()
    message.refresh_from_db()
    assert message.outcome == Outcome.TICKET_CREATED


def test_disk_error_waits_and_gives_the_attempt_back(deliver: Deliver) -> None:
    message = deliver(mail(), process=False)
    path = blobs.path_of(message.sha256)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()  # reading it is an OSError that is not "missing"
    drain()

    message.refresh_from_db()
    assert (message.state, message.attempts, message.trouble_since is not None) == (State.WAITING, 0, True)
    path.rmdir()
    path.write_bytes(content)
    lapse()
    drain()
    message.refresh_from_db()
    assert (message.outcome, message.trouble_since) == (Outcome.TICKET_CREATED, None)


@pytest.fixture
def second(db: None) -> Mailbox:
    return Mailbox.objects.create(slug="sales", name="Sales", protocol="maildir", addresses=["sales@hub.example"])


def test_same_mail_through_two_mailboxes_is_one_ticket(deliver: Deliver, second: Mailbox) -> None:
    raw = mail(to="support@hub.example, sales@hub.example")

    first = deliver(b"Received: by a; Mon, 1 Dec 2025 10:00:00 +0100\n" + raw)
    again = deliver(b"Received: by b; Mon, 1 Dec 2025 10:00:01 +0100\n" + raw, into=second)

    assert (again.outcome, again.duplicate_of, again.ticket) == (Outcome.DUPLICATE, first, first.ticket)
    assert Ticket.objects.count() == 1


def test_same_mail_twice_in_one_group_is_one_ticket(deliver: Deliver, second: Mailbox) -> None:
    raw = mail()
    first = deliver(raw, process=False)
    again = deliver(raw, into=second)
    lapse()  # the second waits until it is known what became of the first
    drain()

    first.refresh_from_db()
    again.refresh_from_db()
    assert {first.outcome, again.outcome} == {Outcome.TICKET_CREATED, Outcome.DUPLICATE}
    assert first.ticket is not None and first.ticket == again.ticket


def test_lists_footer_makes_no_second_ticket(deliver: Deliver, second: Mailbox) -> None:
    fixed = {"message_id": "<f@x.example>", "date": timezone.now()}
    text = "A long text that everybody on the list reads. " * 20
    deliver(mail(text, **fixed))  # type: ignore[arg-type]

    text += "\n_____\nTo leave this list, write to us."
    again = deliver(mail(text, headers={"Precedence": "list", "List-Id": "<l.x.example>"}, **fixed), into=second)  # type: ignore[arg-type]

    assert again.outcome == Outcome.DUPLICATE


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ("x" * 4000, "x" * 4000 + "y" * 790, True),
        ("x" * 4000, "x" * 4000 + "y" * 810, False),
        ("x" * 9000, "x" * 9000 + "y" * 1010, False),
        ("", "something", False),
        ("", "", True),
    ],
)
def test_footer_may_be_so_long_and_no_longer(
    deliver: Deliver, second: Mailbox, first: str, again: str, same: bool
) -> None:
    fixed = {"message_id": "<f@x.example>", "date": timezone.now(), "headers": {"List-Id": "<l.x.example>"}}
    deliver(mail(first, **fixed))  # type: ignore[arg-type]

    message = deliver(mail(again, **fixed), into=second)  # type: ignore[arg-type]

    assert (message.outcome == Outcome.DUPLICATE) is same


@pytest.mark.parametrize("add", ["text", "html"])
def test_who_adds_something_has_more_to_say(deliver: Deliver, second: Mailbox, add: str) -> None:
    fixed = {"message_id": "<f@x.example>", "date": timezone.now()}
    text = "A long text about an order. " * 20
    deliver(mail(text, html="<p>one</p>", **fixed))  # type: ignore[arg-type]
    more = {"text": text + "\nPS: do not ship!"} if add == "text" else {"text": text, "html": "<p>other</p>"}

    message = deliver(mail(**({"html": "<p>one</p>"} | more | fixed)), into=second)  # type: ignore[arg-type]

    assert message.outcome == Outcome.TICKET_CREATED


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Spam-Flag": "YES"},
        {"Return-Path": "<>", "X-Failed-Recipients": "a@b.example"},
        {"In-Reply-To": "<x-{number}@y.example>"},
    ],
)
def test_copy_that_was_seen_by_nobody_swallows_no_mail(
    deliver: Deliver, second: Mailbox, headers: dict[str, str]
) -> None:
    """One of two delivery paths calls it spam, or a stranger has slipped a copy into his own thread."""
    eves = deliver(mail(sender="eve@elsewhere.example")).ticket
    assert eves is not None
    headers = {name: value.replace("{number}", eves.ticket_number) for name, value in headers.items()}
    fixed = {"subject": "Server is down", "message_id": "<d@n.example>", "date": timezone.now()}
    deliver(mail("please help", headers=headers, **fixed))  # type: ignore[arg-type]

    message = deliver(mail("please help", **fixed), into=second)  # type: ignore[arg-type]

    assert (message.outcome, message.ticket != eves) == (Outcome.TICKET_CREATED, True)


def test_tag_that_no_ticket_can_have_costs_no_ticket(deliver: Deliver) -> None:
    assert deliver(mail("help #İSTANBUL #server")).outcome == Outcome.TICKET_CREATED


def test_rule_with_a_bad_tag_is_the_one_that_fails(deliver: Deliver, trap: object) -> None:
    trap(lambda context: context.add_tags(("kaffe, mokka",)))  # type: ignore[operator]

    message = deliver(mail(subject="trap"))

    assert message.outcome == Outcome.TICKET_CREATED
    assert Execution.objects.get(status="failed").workflow_name == "Trap"


def test_big_mails_are_not_held_in_memory_together(
    deliver: Deliver, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "MAX_BATCH", 5_000)
    for index in range(4):
        deliver(mail("x" * 3_000, subject=f"big {index}"), process=False)
    with CaptureQueriesContext(connection) as queries:
        process_due()

    tickets = [query for query in queries if query["sql"].startswith('INSERT INTO "tticket_tickets"')]
    assert (len(tickets), Ticket.objects.count()) == (4, 4)


def test_claim_that_takes_too_long_gives_back_what_nobody_has_touched(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "MAX_BATCH", 1)
    monkeypatch.setattr(settle, "ENOUGH", -1.0)
    message = deliver(mail(), process=False)

    process_due()

    message.refresh_from_db()
    assert (message.state, message.attempts, message.lease_token) == (State.WAITING, 0, "")


def test_copied_message_id_does_not_swallow_the_confirmed_original(deliver: Deliver, mailbox: Mailbox) -> None:
    """A stranger was faster with a copy: the true mail, which our server confirms, must still arrive."""
    mailbox.authserv_ids = ["mx.hub.example"]
    mailbox.save()
    fixed = {"message_id": "<copied@nordwind.example>", "date": timezone.now(), "text": "Pay now", "subject": "Bill"}
    deliver(mail(**fixed))  # type: ignore[arg-type]
    passed = {"Authentication-Results": "mx.hub.example; dmarc=pass header.from=nordwind.example"}

    message = deliver(mail(**fixed, headers=passed))  # type: ignore[arg-type]

    assert message.outcome != Outcome.DUPLICATE


def test_other_mail_with_a_reused_message_id_is_one_ticket_through_two_mailboxes(
    deliver: Deliver, second: Mailbox
) -> None:
    fixed: dict[str, object] = {"message_id": "<reused@parcels.example>", "date": timezone.now()}
    deliver(mail("Parcel 1", **fixed))  # type: ignore[arg-type]
    other = mail("Parcel 2", **fixed)  # type: ignore[arg-type]

    one = deliver(b"Received: by a; Mon, 1 Dec 2025 10:00:00 +0100\n" + other)
    two = deliver(b"Received: by b; Mon, 1 Dec 2025 10:00:01 +0100\n" + other, into=second)

    assert (one.outcome, two.outcome) == (Outcome.TICKET_CREATED, Outcome.DUPLICATE)
    assert two.ticket == one.ticket


def test_longest_ids_and_addresses_of_the_world_cost_no_mail(deliver: Deliver) -> None:
    """PostgreSQL indexes no value above 2,700 bytes."""
    letters = "".join(chr(0x10000 + index * 7919 % 90000) for index in range(990)).encode()
    head = b"From: a@" + b"b" * 3000 + b".example\nTo: x@y.example\nSubject: long\n"
    first = deliver(head + b"Message-ID: <" + letters + b"@x.example>\n\nhello\n")
    reply = deliver(head + b"Message-ID: <r@x.example>\nIn-Reply-To: <" + letters + b"@x.example>\n\nagain\n")

    assert first.outcome == Outcome.TICKET_CREATED
    assert reply.ticket is not None
    assert EmailLog.objects.filter(ticket=first.ticket, email_message_id__endswith="@too-long.invalid>").exists()


@pytest.mark.parametrize("differs", ["text", "subject", "files"])
def test_reused_message_id_with_other_content_is_another_mail(deliver: Deliver, differs: str) -> None:
    """Parcel services do that."""
    fixed: dict[str, object] = {"message_id": "<reused@parcels.example>", "date": timezone.now()}
    one: dict[str, object] = {"text": "Your parcel 1 is on its way.", "subject": "Parcel", "files": {"a.txt": b"1"}}
    other: dict[str, object] = (
        one
        | {
            "text": {"text": "Another text altogether."},
            "subject": {"subject": "Other parcel"},
            "files": {"files": {"a.txt": b"2"}},
        }[differs]
    )  # type: ignore[dict-item]
    deliver(mail(**one, **fixed))  # type: ignore[arg-type]

    message = deliver(mail(**other, **fixed))  # type: ignore[arg-type]

    assert message.outcome == Outcome.TICKET_CREATED


def test_reprocess_opens_no_second_ticket_and_adds_no_comment(deliver: Deliver) -> None:
    message = deliver(mail())
    assert message.ticket is not None

    ledger.reprocess(actor=STAFF, messages=[message])
    drain()

    again = Message.objects.get(pk=message.pk)
    assert (again.outcome, again.ticket, again.run, again.live) == (Outcome.TICKET_CREATED, message.ticket, 2, False)
    assert (Ticket.objects.count(), message.ticket.comments.count()) == (1, 1)
    assert AuditEntry.objects.filter(action="mail.reprocessed").count() == 1


def test_link_rule_moves_a_mail_that_is_already_linked(deliver: Deliver) -> None:
    target = deliver(mail(subject="target")).ticket
    message = deliver(mail("please move me", subject="move me"))
    assert target is not None and message.ticket is not None
    rule = Workflow(name="Move", classification_trigger="*", confidence_threshold=0, order=1, stop=True)
    steps = [Step("link_email_to_ticket", {"ticket_number": target.ticket_number})]
    save_workflow(actor=STAFF, workflow=rule, conditions=[], steps=steps)
    store.forget()

    ledger.reprocess(actor=STAFF, messages=[message])
    drain()

    moved = Message.objects.get(pk=message.pk)
    assert moved.ticket == target
    assert target.comments.filter(body_text__contains="please move me").count() == 1
    assert not message.ticket.comments.exists()


def test_unrouted_mail_can_be_made_a_ticket_or_ignored(deliver: Deliver) -> None:
    Workflow.objects.all().delete()
    store.forget()
    one, two = deliver(mail(subject="one")), deliver(mail(subject="two"))
    assert {one.outcome, two.outcome} == {Outcome.UNROUTED}

    made = ledger.make_ticket(actor=Actor.of_user(User.objects.create_user("ida")), message=one)
    ledger.ignore(actor=STAFF, messages=[two])

    assert made.ticket is not None and made.ticket.subject == "one"
    two.refresh_from_db()
    assert two.outcome == Outcome.IGNORED
    with pytest.raises(ServiceError):
        ledger.ignore(actor=STAFF, messages=[made])


def test_mail_in_a_workers_hands_cannot_be_reprocessed(deliver: Deliver) -> None:
    message = deliver(mail(), process=False)
    claiming.claim_group(50)

    with pytest.raises(Conflict):
        ledger.reprocess(actor=STAFF, messages=[message])


def test_tickets_off_keeps_mail_until_they_are_on_again(deliver: Deliver, settings: LazySettings) -> None:
    settings.TICKET_ENABLED = False
    message = deliver(mail())
    assert (message.state, message.ticket) == (State.RECEIVED, None)

    settings.TICKET_ENABLED = True
    drain()
    message.refresh_from_db()
    assert message.outcome == Outcome.TICKET_CREATED


def test_email_integration_off_classifies_and_files_nothing(deliver: Deliver, settings: LazySettings) -> None:
    ticket = deliver(mail(message_id="<a@x.example>")).ticket
    settings.TICKET_EMAIL_INTEGRATION = False

    message = deliver(mail("Can you help me?", in_reply_to="<a@x.example>"))

    assert (message.outcome, message.ticket) == (Outcome.UNROUTED, None)
    assert message.label == "support_request"
    assert ticket is not None and ticket.comments.count() == 1


def test_workflows_off_links_replies_and_leaves_the_rest(deliver: Deliver, settings: LazySettings) -> None:
    ticket = deliver(mail(message_id="<a@x.example>")).ticket
    settings.EMAIL_WORKFLOWS_ENABLED = False

    reply, fresh = deliver(mail(in_reply_to="<a@x.example>")), deliver(mail())

    assert (reply.outcome, reply.ticket) == (Outcome.LINKED, ticket)
    assert (fresh.outcome, fresh.ticket) == (Outcome.UNROUTED, None)


def test_auto_assign_gives_new_tickets_to_the_active_default_user(deliver: Deliver, settings: LazySettings) -> None:
    user = User.objects.create_user("default")
    settings.TICKET_AUTO_ASSIGN, settings.TICKET_DEFAULT_ASSIGNEE_ID = True, user.pk
    one = deliver(mail()).ticket
    User.objects.update(is_active=False)
    two = deliver(mail()).ticket

    assert one is not None and one.assigned_to_user == user
    assert two is not None and two.assigned_to_user is None


def test_default_priority_is_the_setting(deliver: Deliver, settings: LazySettings) -> None:
    settings.TICKET_DEFAULT_PRIORITY = "low"

    ticket = deliver(mail("hello there", subject="hello")).ticket

    assert ticket is not None and ticket.priority == "low"


def test_label_that_is_switched_off_is_not_given(deliver: Deliver) -> None:
    Label.objects.filter(slug="support_request").update(enabled=False)

    assert deliver(mail("Can you help me?")).label == "general"


def test_old_and_imported_mail_is_not_live(deliver: Deliver) -> None:
    old = b"Received: by mx; Mon, 1 Dec 2025 10:00:00 +0100\n" + mail()

    assert deliver(old).live is False
    assert deliver(mail(), into=Mailbox.objects.get(slug="import")).live is False
    assert deliver(mail()).live is True


def test_reprocess_command_dry_run_writes_nothing(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    message = deliver(mail("Can you help me?"), process=False)
    before = list(Message.objects.values())

    call_command("reprocess_mail", str(message.pk), "--dry-run")

    assert "Open a ticket" in capsys.readouterr().out
    assert (Ticket.objects.count(), list(Message.objects.values())) == (0, before)
    with pytest.raises(CommandError, match="Say which mails"):
        call_command("reprocess_mail")


NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")


def counted(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if not query["sql"].startswith(NOT_COUNTED)]


@pytest.fixture
def warm_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine must not look at mailboxes and rules again in the middle."""
    monkeypatch.setattr(house, "SECONDS_BETWEEN_LOOKS", 3600.0)
    monkeypatch.setattr(store, "SECONDS_BETWEEN_LOOKS", 3600.0)


def warm(deliver: Deliver) -> None:
    deliver(mail(subject="warm", message_id="<warm@nordwind.example>"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("notify", [False, True])
def test_statements_for_a_new_ticket_and_a_reply(
    deliver: Deliver, mailbox: Mailbox, warm_caches: None, notify: bool
) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(acknowledge=notify)
    warm(deliver)
    deliver(mail("new", subject="new"), process=False)
    with CaptureQueriesContext(connection) as new:
        process_due()
    deliver(mail("reply", in_reply_to="<warm@nordwind.example>"), process=False)
    with CaptureQueriesContext(connection) as reply:
        process_due()

    assert len(counted(new)) <= 16 + (6 if notify else 0), "\n".join(counted(new))
    assert len(counted(reply)) <= 14, "\n".join(counted(reply))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [10, 50])
def test_statements_for_a_group_do_not_grow_with_it(
    deliver: Deliver, mailbox: Mailbox, warm_caches: None, size: int
) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(acknowledge=False)
    user, team = User.objects.create_user("agent"), Team.objects.create(name="Team")
    customer = Customer.objects.create(name="Customer")
    rule = Workflow(name="Named", classification_trigger="*", confidence_threshold=0, order=1)
    params = {"customer_id": customer.pk, "assigned_to_user_id": user.pk}
    steps = [Step("assign", {"assigned_team_id": team.pk}), Step("create_ticket", params)]
    save_workflow(actor=STAFF, workflow=rule, conditions=[], steps=steps)
    store.forget()
    warm(deliver)
    mails = [
        mail(f"text {index} #tag{index % 3}x", subject=f"subject {index}", sender=f"p{index}@x.example")
        if index % 5 < 3
        else mail("reply", in_reply_to="<warm@nordwind.example>", files={"a.txt": b"%d" % index})
        for index in range(size)
    ]
    with CaptureQueriesContext(connection) as group:
        receive_many([Incoming(raw, mailbox) for raw in mails])
        assert process_due() == size

    assert not Message.objects.exclude(state="processed").exists()
    limit = 40 if connection.vendor == "postgresql" else 60
    assert len(counted(group)) <= limit, "\n".join(query[:150] for query in counted(group))


def test_one_mail_that_no_index_takes_keeps_no_neighbour_out(tmp_path: Path, mailbox: Mailbox) -> None:
    folder = tmp_path / "box"
    box = maildir_mailbox(folder)
    letters = "".join(chr(0x4E00 + index * 7 % 20000) for index in range(990)).encode()
    for raw in (mail(subject="good"), b"Message-ID: <" + letters + b">\n\nx\n", mail()):
        drop(folder, raw)

    pull_mailbox(box)
    drain()

    assert Message.objects.filter(mailbox=box, state="processed").count() == 3
