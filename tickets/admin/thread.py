"""What stands below the fields of a ticket's page: messages, mails, participants, history. Only reads."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

from django.urls import NoReverseMatch, reverse

from tickets import querysets
from tickets.admin import words
from tickets.limits import row_id
from tickets.models import (
    Attachment,
    AuditEntry,
    Comment,
    CommentState,
    Direction,
    EmailLog,
    Participant,
    ParticipantState,
    Source,
    Team,
    Ticket,
    User,
)
from tickets.services.files import INLINE_TYPES

# A page is for reading: of a longer thread it shows the newest part, and says so.
MOST_MESSAGES = 200
MOST_ENTRIES = 100


@dataclass(slots=True)
class Entry:
    """One message of the thread, ready to be shown."""

    comment: Comment
    author: str
    verdict: str
    text: str
    rest: str
    rest_label: str
    folded: bool
    files: list[Attachment]
    pictures: list[Attachment] = field(default_factory=list)

    @property
    def title(self) -> str:
        return words.note_title(self.comment)

    @property
    def has_html(self) -> bool:
        return bool(self.comment.body_html)


def entry_of(comment: Comment) -> Entry:
    text = comment.reply_text or comment.body_text
    rest, label = "", ""
    if comment.system_code and not text:
        text = words.system_note(comment)
    elif comment.body_text.strip() != text.strip():
        new, whole = text.strip(), comment.body_text.strip()
        rest, label = (whole[len(new) :].strip("\n"), "Quoted text") if whole.startswith(new) else (whole, "Whole text")
    files = list(comment.attachments.all())
    return Entry(
        comment=comment,
        author=words.author(comment),
        verdict=words.verdict(comment),
        text=text.strip(),
        rest=rest,
        rest_label=label,
        folded=comment.is_internal and comment.source == Source.EMAIL,
        files=[file for file in files if not file.is_inline or not comment.body_html],
        pictures=[file for file in files if file.is_inline and comment.body_html],
    )


@dataclass(slots=True)
class Messages:
    """The newest messages, oldest first; whether older ones were left out; the user's own drafts."""

    entries: list[Entry] = field(default_factory=list)
    cut: bool = False
    drafts: list[Comment] = field(default_factory=list)


def messages_of(ticket: Ticket, user: User) -> Messages:
    """Three statements."""
    newest = querysets.comments_for(user).filter(ticket=ticket.pk).order_by("-created_at", "-id")
    rows = list(newest[: MOST_MESSAGES + 1])
    drafts = [row for row in rows if row.state == CommentState.DRAFT]
    entries = [entry_of(row) for row in reversed(rows[:MOST_MESSAGES]) if row.state != CommentState.DRAFT]
    return Messages(entries, len(rows) > MOST_MESSAGES, drafts)


def mails_of(ticket: Ticket, user: User) -> list[dict[str, Any]]:
    rows = querysets.email_log_for(user).filter(ticket=ticket.pk).order_by("-email_received_at", "-id")
    return [{"mail": row, "ledger": ledger_page(row)} for row in rows[:MOST_MESSAGES]]


def ledger_page(mail: EmailLog) -> str:
    """Where the trace of an incoming mail is shown, or ''."""
    kind, _, key = mail.source_key.partition(":")
    if kind != Direction.IN or row_id(key) is None:
        return ""
    try:
        return reverse("admin:emailflow_message_change", args=[key])
    except NoReverseMatch:
        return ""


def history_of(ticket: Ticket, user: User) -> list[dict[str, Any]]:
    rows: list[AuditEntry] = list(querysets.audit_for(user).filter(ticket_id=ticket.pk).order_by("-id")[:MOST_ENTRIES])
    names = _names(rows)
    return [{"at": row.created_at, "sentence": words.sentence(row, names)} for row in rows]


def _names(rows: list[AuditEntry]) -> words.Names:
    """The staff and teams that the entries speak of by id; at most two statements."""
    wanted: dict[str, set[int]] = {"assigned_to_user": set(), "assigned_team": set()}
    for row in rows:
        for name, ids in wanted.items():
            ids |= {v for v in (row.old_values.get(name), row.new_values.get(name)) if isinstance(v, int)}
    models = {"assigned_to_user": User, "assigned_team": Team}
    return {
        (name, found.pk): str(found)
        for name, ids in wanted.items()
        if ids
        for found in models[name]._default_manager.filter(pk__in=ids)
    }


def forwarded_from(ticket: Ticket) -> tuple[str, str]:
    """Name and address of whoever wrote the forwarded mail that opened the ticket; empty where there is none, or
    where that is the requester."""
    name, address = parseaddr(str(ticket.custom_fields.get("forwarded_from", "")))
    is_requester = ticket.contact is not None and ticket.contact.email == address.lower()
    return ("", "") if is_requester or "@" not in address else (name, address)


def participants_of(ticket: Ticket, user: User) -> list[Participant]:
    return list(querysets.participants_for(user).filter(ticket=ticket.pk).order_by("id"))


def page_of(ticket: Ticket, user: User) -> dict[str, Any]:
    """The context of the template, in at most eight statements whatever the ticket holds.

    What the user may not see is empty.
    """
    messages = messages_of(ticket, user) if user.has_perm("tickets.view_comment") else Messages()
    people = participants_of(ticket, user) if user.has_perm("tickets.view_participant") else []
    return {
        "entries": messages.entries,
        "drafts": messages.drafts,
        "thread_is_cut": messages.cut,
        "most_messages": MOST_MESSAGES,
        "mails": mails_of(ticket, user) if user.has_perm("tickets.view_emaillog") else [],
        "participants": people,
        "forwarded_from": forwarded_from(ticket)[1],
        "pending": sum(person.state == ParticipantState.PENDING for person in people),
        "history": history_of(ticket, user),
        "inline_types": INLINE_TYPES,
    }
