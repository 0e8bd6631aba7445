"""No service writes in silence. Every public function of both apps' services stands here, with a call of it."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from emailflow.models import Label, Mailbox, Message, Suppression, Template, Workflow
from emailflow.services import labels, mailboxes, messages, outbox, templates, workflow_files, workflows
from emailflow.workflow import store
from emailflow.workflow.base import Step
from tests.flows.conftest import Deliver
from tests.mailboxes import drop, maildir_mailbox
from tests.mails import mail
from tests.outgoing import outgoing
from tests.tickets.making import HUB, comment_on, contact_of, open_one, team_of
from tickets.models import AuditEntry, Comment, Customer, Participant, User
from tickets.services import comments, customers, email_log, groups, publishing, requester, staff, tickets
from tickets.services.unit import UnitOfWork

SERVICES = ("tickets.services", "emailflow.services")
_WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)

# Machinery of the services themselves: they queue rows for a caller that is in this list, or write nothing.
PARTS = {
    "emailflow.services.mailbox_smtp.check_smtp",
    "tickets.services.comments.write_comment",
    "tickets.services.email_log.log_incoming",
    "tickets.services.email_log.log_outgoing",
    "tickets.services.files.attach",
    "tickets.services.publishing.tell",
    "tickets.services.files.clean_name",
    "tickets.services.files.sniff",
    "tickets.services.files.store",
    "tickets.services.tickets.clean_tags",
    "tickets.services.unit.in_unit",
    "tickets.services.unit.locked",
    "tickets.services.unit.send_changed",
    "tickets.services.unit.send_comment",
    "tickets.services.unit.send_opened",
}
# They ask; what a look at a mailbox brings is in the ledger, which is a log itself.
READERS = {
    "emailflow.services.mailbox_smtp.kept_smtp_secret",
    "emailflow.services.mailbox_smtp.smtp_sentences",
    "emailflow.services.mailboxes.test_connection",
    "emailflow.services.templates.preview_template",
    "emailflow.services.workflow_files.default_threshold",
    "emailflow.services.workflow_files.export_workflows",
    "emailflow.services.workflows.describe_workflow",
    "emailflow.services.workflows.missing_rows",
    "tickets.services.customers.customers_of_domains",
    "tickets.services.publishing.held_until",
    "tickets.services.search_texts.wrong",
    "tickets.services.search_texts.wrong_now",
    "tickets.services.tickets.default_assignee",
}
LEDGER = {"emailflow.services.mailboxes.pull_mailbox"}
# Makes an index anew from rows that are there: nothing that staff know has changed.
DERIVED = {"tickets.services.search_texts.rebuild"}

WRITERS: dict[str, Callable[..., Callable[[], object]]] = {}


def writes(service: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a function that prepares rows and returns the call of ``service``."""

    def register(prepare: Callable[..., Any]) -> Callable[..., Any]:
        WRITERS[f"{service.__module__}.{service.__name__}"] = prepare
        return prepare

    return register


@writes(tickets.open_ticket)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: open_one(tags=["a"], contact=None)


@writes(tickets.change_ticket)
def _(_: Deliver) -> Callable[[], object]:
    ticket = open_one()
    return lambda: tickets.change_ticket(actor=HUB, ticket=ticket, changes={"tags": ["b"]})


@writes(tickets.add_tags)
def _(_: Deliver) -> Callable[[], object]:
    ticket = open_one()
    return lambda: tickets.add_tags(actor=HUB, ticket=ticket, names=["b"])


@writes(comments.add_comment)
def _(_: Deliver) -> Callable[[], object]:
    ticket = open_one()
    return lambda: comment_on(ticket)


@writes(comments.accept_comment)
def _(_: Deliver) -> Callable[[], object]:
    comment = comment_on(open_one(), is_unverified=True)
    return lambda: comments.accept_comment(actor=HUB, comment=comment, join=False)


def _answer(state: str) -> Comment:
    comment = comment_on(open_one())
    Comment.objects.filter(pk=comment.pk).update(state=state, held_until=timezone.now())
    comment.refresh_from_db()
    return comment


@writes(publishing.publish_due)
def _(_: Deliver) -> Callable[[], object]:
    _answer("held")
    return publishing.publish_due


@writes(publishing.take_back)
def _(_: Deliver) -> Callable[[], object]:
    comment = _answer("held")
    return lambda: publishing.take_back(actor=HUB, comment=comment)


@writes(publishing.send_draft)
def _(_: Deliver) -> Callable[[], object]:
    comment = _answer("draft")
    return lambda: publishing.send_draft(actor=HUB, comment=comment, body_text="After all.")


@writes(publishing.discard_draft)
def _(_: Deliver) -> Callable[[], object]:
    comment = _answer("draft")
    return lambda: publishing.discard_draft(actor=HUB, comment=comment)


@writes(requester.make_requester)
def _(_: Deliver) -> Callable[[], object]:
    ticket = open_one()
    return lambda: requester.make_requester(actor=HUB, ticket=ticket, address="first@nordwind.example")


@writes(comments.decide_participant)
def _(_: Deliver) -> Callable[[], object]:
    person = Participant.objects.create(
        ticket=open_one(), address="a@x.example", role="cc", state="pending", created_at=timezone.now()
    )
    return lambda: comments.decide_participant(actor=HUB, participant=person, confirm=True)


@writes(customers.save_customer)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: customers.save_customer(actor=HUB, customer=Customer(name="N"), domains=["n.example"])


@writes(customers.delete_customer)
def _(_: Deliver) -> Callable[[], object]:
    customer = Customer.objects.create(name="N")
    return lambda: customers.delete_customer(actor=HUB, customer=customer)


@writes(customers.save_contact)
def _(_: Deliver) -> Callable[[], object]:
    return contact_of


@writes(customers.delete_contact)
def _(_: Deliver) -> Callable[[], object]:
    contact = contact_of()
    return lambda: customers.delete_contact(actor=HUB, contact=contact)


@writes(email_log.move_mail)
def _(deliver: Deliver) -> Callable[[], object]:
    message, target = deliver(mail()), open_one()
    assert message.ticket

    def move() -> None:
        with transaction.atomic():
            unit = UnitOfWork()
            key = f"in:{message.pk}"
            email_log.move_mail(unit, actor=HUB, source_key=key, source=message.ticket, target=target)
            unit.flush()

    return move


@writes(staff.save_user)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: staff.save_user(actor=HUB, user=User(username="kim", password="!"))


@writes(staff.set_password)
def _(_: Deliver) -> Callable[[], object]:
    user = User.objects.create_user("kim")
    return lambda: staff.set_password(actor=HUB, user=user, password="a long enough one")


@writes(staff.save_team)
def _(_: Deliver) -> Callable[[], object]:
    return team_of


@writes(staff.delete_team)
def _(_: Deliver) -> Callable[[], object]:
    team = team_of()
    return lambda: staff.delete_team(actor=HUB, team=team)


@writes(groups.save_group)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: groups.save_group(actor=HUB, group=Group(name="Helpers"))


@writes(groups.delete_group)
def _(_: Deliver) -> Callable[[], object]:
    group = Group.objects.create(name="Helpers")
    return lambda: groups.delete_group(actor=HUB, group=group)


@writes(staff.make_token)
def _(_: Deliver) -> Callable[[], object]:
    user = User.objects.create_user("kim")
    return lambda: staff.make_token(actor=HUB, user=user, name="n")


@writes(staff.revoke_token)
def _(_: Deliver) -> Callable[[], object]:
    token, _plain = staff.make_token(actor=HUB, user=User.objects.create_user("kim"), name="n")
    return lambda: staff.revoke_token(actor=HUB, token=token)


@writes(labels.save_label)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: labels.save_label(actor=HUB, label=Label(slug="complaint", name="Complaint"))


@writes(labels.delete_label)
def _(_: Deliver) -> Callable[[], object]:
    label = labels.save_label(actor=HUB, label=Label(slug="complaint", name="Complaint"))
    return lambda: labels.delete_label(actor=HUB, label=label)


@writes(templates.save_template)
def _(_: Deliver) -> Callable[[], object]:
    return lambda: templates.save_template(actor=HUB, template=Template(kind="acknowledgement", body="Thanks"))


@writes(templates.delete_template)
def _(_: Deliver) -> Callable[[], object]:
    template = templates.save_template(actor=HUB, template=Template(kind="acknowledgement", body="Thanks"))
    return lambda: templates.delete_template(actor=HUB, template=template)


@writes(mailboxes.save_mailbox)
def _(_: Deliver, tmp_path: Path) -> Callable[[], object]:
    return lambda: maildir_mailbox(tmp_path)


@writes(mailboxes.archive_mailbox)
def _(_: Deliver, tmp_path: Path) -> Callable[[], object]:
    mailbox = maildir_mailbox(tmp_path)
    return lambda: mailboxes.archive_mailbox(actor=HUB, mailbox=mailbox)


@writes(mailboxes.bring_back_mailbox)
def _(_: Deliver, tmp_path: Path) -> Callable[[], object]:
    mailbox = mailboxes.archive_mailbox(actor=HUB, mailbox=maildir_mailbox(tmp_path))
    return lambda: mailboxes.bring_back_mailbox(actor=HUB, mailbox=mailbox)


def unrouted(deliver: Deliver) -> Message:
    Workflow.objects.all().delete()
    store.forget()
    message = deliver(mail())
    assert message.outcome == "unrouted"
    return message


@writes(messages.reprocess)
def _(deliver: Deliver) -> Callable[[], object]:
    message = deliver(mail())
    return lambda: messages.reprocess(actor=HUB, messages=[message])


@writes(messages.ignore)
def _(deliver: Deliver) -> Callable[[], object]:
    message = unrouted(deliver)
    return lambda: messages.ignore(actor=HUB, messages=[message])


@writes(messages.make_ticket)
def _(deliver: Deliver) -> Callable[[], object]:
    message = unrouted(deliver)
    return lambda: messages.make_ticket(actor=HUB, message=message)


@writes(outbox.retry)
def _(_: Deliver) -> Callable[[], object]:
    row = outgoing(state="failed", reason="no")
    return lambda: outbox.retry(actor=HUB, rows=[row])


@writes(outbox.cancel)
def _(_: Deliver) -> Callable[[], object]:
    row = outgoing()
    return lambda: outbox.cancel(actor=HUB, rows=[row])


@writes(outbox.release)
def _(_: Deliver) -> Callable[[], object]:
    row = Suppression.objects.create(address="a@x.example", reason="It bounced.", created_at=timezone.now())
    return lambda: outbox.release(actor=HUB, suppressions=[row])


@writes(workflow_files.import_workflows)
def _(_: Deliver) -> Callable[[], object]:
    data = workflow_files.export_workflows(Workflow.objects.filter(name="Spam → Ignore"))
    data[0]["name"] = "Another"
    return lambda: workflow_files.import_workflows(actor=HUB, data=data)


@writes(workflows.save_workflow)
def _(_: Deliver) -> Callable[[], object]:
    rule = Workflow(name="Mine")
    return lambda: workflows.save_workflow(actor=HUB, workflow=rule, conditions=[], steps=[Step("ignore")])


@writes(workflows.delete_workflow)
def _(_: Deliver) -> Callable[[], object]:
    rule = Workflow.objects.first()
    assert rule
    return lambda: workflows.delete_workflow(actor=HUB, workflow=rule)


def public() -> Iterator[str]:
    for package in SERVICES:
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
            module = importlib.import_module(f"{package}.{found.name}")
            for name, value in vars(module).items():
                if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                    yield f"{module.__name__}.{name}"


def written(job: Callable[[], object]) -> set[str]:
    """The tables that the job writes to."""
    with CaptureQueriesContext(connection) as queries:
        job()
    return {found[1] for query in queries.captured_queries if (found := _WRITE.match(query["sql"]))}


def test_every_public_function_is_named_here() -> None:
    assert set(public()) == set(WRITERS) | PARTS | READERS | LEDGER | DERIVED


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_no_service_writes_without_an_audit_entry(name: str, deliver: Deliver, tmp_path: Path) -> None:
    prepare = WRITERS[name]
    job = prepare(deliver, tmp_path) if len(inspect.signature(prepare).parameters) > 1 else prepare(deliver)
    before = AuditEntry.objects.count()

    tables = written(job)

    assert tables - {"tticket_audit_log"}, "this call writes nothing: it shows nothing"
    assert AuditEntry.objects.count() > before


@pytest.mark.django_db
def test_a_service_that_is_refused_writes_no_audit_entry_either(settings: Any) -> None:
    ticket = open_one()
    before = AuditEntry.objects.count()
    for changes in ({"status": "gone"}, {"tags": ["!"]}, {}):
        try:
            tickets.change_ticket(actor=HUB, ticket=ticket, changes=changes)
        except tickets.ServiceError as error:
            assert error.field
    assert AuditEntry.objects.count() == before


@pytest.mark.django_db
def test_who_only_asks_writes_nothing(tmp_path: Path) -> None:
    box = maildir_mailbox(tmp_path)
    drop(tmp_path, mail())
    rule = Workflow.objects.get(name="Spam → Ignore")

    assert written(lambda: mailboxes.test_connection(box)) == set()
    assert written(lambda: workflow_files.export_workflows(Workflow.objects.all())) == set()
    assert written(lambda: workflows.describe_workflow(rule)) == set()
    assert written(lambda: workflows.missing_rows(conditions=[], steps=[Step("ignore")])) == set()
    assert written(tickets.default_assignee) == set()
    assert written(lambda: customers.customers_of_domains(["a.example"])) == set()
    assert Mailbox.objects.get(pk=box.pk).last_success_at is None
