"""Stored codes put into words for people. Reads no table; used by admin pages of both apps."""

from collections.abc import Mapping
from typing import Any

from tickets.models import ActorType, AuditEntry, Comment, Priority, Source, Status

# What a stored id is called, by field and id, where the caller has looked it up.
Names = Mapping[tuple[str, int], str]

_VERDICTS = {
    "pass": "Our mail server confirmed the sender's address.",
    "fail": "The sender's address failed the checks of our mail server: it may be forged.",
    "none": "Nobody has checked the sender's address.",
}
_CHOICES: dict[str, dict[str, Any]] = {
    "status": dict(Status.choices),
    "priority": dict(Priority.choices),
    "source": dict(Source.choices),
}
_FIELDS = {
    "assigned_to_user": "assignee",
    "assigned_team": "team",
    "contact": "requester",
    "custom_fields": "custom fields",
    "start_policy": "what to fetch",
}
# What happened, for actions whose values say nothing more.
_ACTIONS = {
    "ticket.opened": "opened the ticket",
    "comment.added": "added a message",
    "participant.confirmed": "confirmed a participant",
    "participant.refused": "refused a participant",
    "mail.moved": "moved a mail to another ticket",
    "mail.reprocessed": "processed a mail again",
    "mail.ignored": "decided to ignore a mail",
    "outgoing.retried": "put a mail into the outbox again",
    "outgoing.cancelled": "stopped a mail that had not been sent",
    "suppression.released": "let an address have mail again",
    "token.made": "made an API token",
    "token.revoked": "revoked an API token",
    "user.password_set": "set the password of a user",
    "user.password_removed": "removed the password of a user",
}


def verdict(comment: Comment) -> str:
    """How far the author of a mail can be believed; '' for what did not come by mail."""
    if comment.source != Source.EMAIL or comment.author_user_id is not None:
        return ""
    return _VERDICTS.get(comment.sender_verdict or "none", "")


def author(comment: Comment) -> str:
    if comment.author_user is not None:
        return str(comment.author_user)
    if comment.author_contact is not None:
        return str(comment.author_contact)
    return "Hub"


def note_title(comment: Comment) -> str:
    """What an automatic mail is called, where it is folded away as a note."""
    recipients = ", ".join(map(str, comment.system_params.get("recipients") or []))
    names = {"auto_reply": "Automatic reply", "complaint": "Spam complaint"}
    if comment.system_code == "bounce":
        status = comment.system_params.get("status") or ""
        titles = {"delay": "Delay warning", "success": "Delivery receipt"}
        title = titles.get(comment.system_params.get("report") or "", "Delivery report")
        return f"{title}{f' about {recipients}' if recipients else ''}{f' ({status})' if status else ''}"
    return names.get(comment.system_code, "Automatic mail")


def system_note(comment: Comment) -> str:
    """A note made by Hub itself, from its code and parameters."""
    if comment.system_code == "mail_not_sent":
        to = ", ".join(map(str, comment.system_params.get("recipients") or []))
        return f"A mail to {to} could not be sent. {comment.system_params.get('reason', '')}".strip()
    told = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in comment.system_params.items())
    note = comment.system_code.replace("_", " ").replace(".", " ").capitalize()
    return f"{note} ({told})" if told else note


def actor(entry: AuditEntry) -> str:
    if entry.actor_type == ActorType.USER:
        return entry.actor_name or f"User {entry.actor_id}"
    if entry.actor_type == ActorType.RULE:
        return f"The rule “{entry.actor_name or entry.actor_id}”"
    if entry.actor_type == ActorType.MAIL:
        return f"Mail {entry.actor_id}"
    return entry.actor_name or "Hub"


def sentence(entry: AuditEntry, names: Names | None = None) -> str:
    """One audit entry as a sentence: who did what, from which value to which."""
    return f"{actor(entry)} {_deed(entry, names or {})}."


def _deed(entry: AuditEntry, names: Names) -> str:
    if entry.action == "comment.added":
        return "added an internal note" if entry.new_values.get("internal") else "added a message"
    if entry.action == "comment.accepted":
        return "accepted a stranger's message" + (" and let its sender take part" if entry.new_values["join"] else "")
    if entry.action in _ACTIONS:
        return _ACTIONS[entry.action]
    if entry.action == "ticket.tagged":
        return f"added the tags {value('tags', entry.new_values.get('tags'), names)}"
    what, _, verb = entry.action.partition(".")
    verb = verb.replace("_", " ") or "changed"
    thing = f"the {what.replace('_', ' ')}"
    if not entry.new_values:
        return f"{verb} {thing}"
    if entry.action.endswith(".changed"):
        return "changed " + _and([_change(name, entry, names) for name in sorted(entry.new_values)])
    told = [f"{field(name)} {value(name, new, names)}" for name, new in sorted(entry.new_values.items())]
    return f"{verb} {thing} ({_and(told)})"


def _change(name: str, entry: AuditEntry, names: Names) -> str:
    old, new = entry.old_values.get(name), entry.new_values[name]
    if old == new or new in ("(text)", "(changed)"):
        return f"the {field(name)}"
    return f"the {field(name)} from {value(name, old, names)} to {value(name, new, names)}"


def field(name: str) -> str:
    name = name.removesuffix("_id")
    return _FIELDS.get(name, name.replace("_", " "))


def value(name: str, stored: Any, names: Names) -> str:
    if stored is None or stored == "" or stored == []:
        return "nothing"
    if stored is True or stored is False:
        return "yes" if stored else "no"
    if isinstance(stored, list):
        return ", ".join(str(one) for one in stored)
    name = name.removesuffix("_id")
    if name in ("assigned_to_user", "assigned_team", "contact", "customer", "user"):
        return names.get((name, stored)) or f"number {stored}"
    return str(_CHOICES.get(name, {}).get(stored, stored))


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
