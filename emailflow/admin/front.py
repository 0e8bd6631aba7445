"""What the front page and the head of every admin page say about mail that waits for people. Only reads."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from emailflow import querysets
from emailflow.inbound.pull_report import sentence
from emailflow.models import Mailbox, Message, OutboxState, Outcome, Outgoing, Protocol, State
from emailflow.workflow.alerts import failing_workflows
from tickets.models import User
from tickets.services.tickets import default_assignee

# A count for the eye costs the same with a hundred mails and with a million.
MOST = 99
TROUBLE = timedelta(hours=24)
# One failed look may be the server's own moment.
FAILED_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Capped:
    number: int

    @property
    def any(self) -> bool:
        return self.number > 0

    def __str__(self) -> str:
        return f"{MOST}+" if self.number > MOST else str(self.number)


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the front page: how bad, what, and where to look."""

    tone: str
    text: str
    link: str = ""


def unrouted(user: User) -> QuerySet[Message]:
    return querysets.messages_for(user).filter(outcome=Outcome.UNROUTED)


def failed(user: User) -> QuerySet[Message]:
    return querysets.messages_for(user).filter(state=State.FAILED)


def in_trouble(user: User) -> QuerySet[Message]:
    since = timezone.now() - TROUBLE
    return querysets.messages_for(user).filter(state=State.WAITING, trouble_since__lt=since)


def unsent(user: User) -> QuerySet[Outgoing]:
    rows = querysets.outgoing_for(user).filter(state=OutboxState.FAILED)
    return rows if user.has_perm("emailflow.view_outgoing") else rows.none()


def counts(*lists: QuerySet[Any]) -> list[Capped]:
    """How long each list is, up to 99. One statement for all of them."""
    parts: list[str] = []
    params: list[Any] = []
    for rows in lists:
        # One row more than is shown: "99+" is another thing than 99.
        limited = rows.order_by().select_related(None).prefetch_related(None).values("pk")[: MOST + 1]
        sql, values = limited.query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS few)")
        params += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        return [Capped(number) for number in cursor.fetchone()]


def mail_counts(user: User) -> dict[str, Capped]:
    both = counts(unrouted(user), failed(user))
    return {"unrouted": both[0], "failed": both[1]}


def mailboxes_in_trouble(user: User) -> list[tuple[Mailbox, str]]:
    """Mailboxes that are read and give no mail, with what is wrong in words."""
    now = timezone.now()
    rows = querysets.mailboxes_for(user).filter(enabled=True, archived_at=None).exclude(protocol=Protocol.BUILTIN)
    found = []
    for row in rows:
        if (row.last_success_at or row.created_at) < now - timedelta(hours=row.silent_after):
            found.append((row, f"has been silent for more than {row.silent_after} hours. {row.last_error}".strip()))
        elif row.failures and (row.failures >= FAILED_LOOKS or row.last_success_at is None):
            found.append((row, f"cannot be read: {sentence(row.last_error)}"))
    return found


def notices(user: User) -> list[Notice]:
    """Everything that wants a person's eye, the worst first. At most three statements beside the counts."""
    if not user.has_perm("emailflow.view_message"):
        return _settings()
    ledger = reverse("admin:emailflow_message_changelist")
    late, bad, lost, stuck = counts(in_trouble(user), failed(user), unrouted(user), unsent(user))
    found = _settings()
    if bad.any:
        found.append(
            Notice("bad", f"{_mails(bad)} failed and can be processed again.", f"{ledger}?state__exact=failed")
        )
    if late.any:
        text = f"{_mails(late)} could not be processed for more than 24 hours, and {_is(late)} still tried."
        found.append(Notice("bad", text, f"{ledger}?trouble=1"))
    if stuck.any:
        outbox = reverse("admin:emailflow_outgoing_changelist")
        found.append(Notice("bad", f"{_mails(stuck)} could not be sent.", f"{outbox}?state__exact=failed"))
    found += _mailboxes(user) + _rules()
    if lost.any:
        text = f"{_mails(lost)} {_is(lost)} unrouted: no rule took {'it' if lost.number == 1 else 'them'}."
        found.append(Notice("warn", text, f"{ledger}?outcome__exact=unrouted"))
    return found


def _settings() -> list[Notice]:
    found = []
    if not settings.TICKET_ENABLED:
        text = "Tickets are off (TICKET_ENABLED=false): mail is stored and waits, tickets can only be read."
        found.append(Notice("warn", text))
    elif not settings.TICKET_EMAIL_INTEGRATION:
        text = "Mail makes no tickets (TICKET_EMAIL_INTEGRATION=false): it is stored and stays unrouted."
        found.append(Notice("warn", text))
    if not settings.EMAIL_WORKFLOWS_ENABLED:
        found.append(Notice("warn", "Rules are off (EMAIL_WORKFLOWS_ENABLED=false): only replies find their ticket."))
    if settings.TICKET_AUTO_ASSIGN and default_assignee() is None:
        text = "TICKET_DEFAULT_ASSIGNEE_ID names no active user: new tickets stay unassigned."
        found.append(Notice("bad", text))
    if settings.OUTGOING_MAIL == "hold":
        found.append(Notice("", "Outgoing mail is held (OUTGOING_MAIL=hold): nothing leaves this machine."))
    elif settings.EMAIL_BACKEND.endswith((".console.EmailBackend", ".dummy.EmailBackend")):
        words = "No mail server is named (EMAIL_URL): mail of mailboxes without SMTP is printed to the log, not sent."
        found.append(Notice("", words))
    return found


def _mailboxes(user: User) -> list[Notice]:
    if not user.has_perm("emailflow.view_mailbox"):
        return []
    return [
        Notice(
            "bad",
            f"The mailbox {mailbox.name} {words}",
            reverse("admin:emailflow_mailbox_change", args=[mailbox.pk]),
        )
        for mailbox, words in mailboxes_in_trouble(user)
    ]


def _rules() -> list[Notice]:
    page = reverse("admin:emailflow_execution_changelist")
    return [
        Notice(
            "bad",
            f"The rule {workflow.name} failed {failures} times within the last hour.",
            f"{page}?workflow__id__exact={workflow.pk}&status__exact=failed",
        )
        for workflow, failures in failing_workflows(timezone.now())
    ]


def _mails(count: Capped) -> str:
    return f"{count} mail{'' if count.number == 1 else 's'}"


def _is(count: Capped) -> str:
    return "is" if count.number == 1 else "are"
