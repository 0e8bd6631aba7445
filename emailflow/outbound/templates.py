"""The words around what is sent: placeholders, and which template serves. Pure; runs nothing that is written in one.

A placeholder is a known name in braces and stands for a value; there is no format language, no attribute, no code.
``services/templates.py`` checks with ``check`` before it saves, so that sending meets no unknown name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tickets.errors import ServiceError

REPLY = "reply"
ACKNOWLEDGEMENT = "acknowledgement"
LANGUAGES = ("en", "da")
FALLBACK = "en"

# Kind -> name -> what it stands for, as the editor lists it.
PLACEHOLDERS: Mapping[str, Mapping[str, str]] = {
    REPLY: {
        "message": "What the agent wrote. It must be in the text",
        "agent_name": "Name of the agent",
        "customer_name": "Name of the customer, or the address where there is none",
        "mailbox_name": "Name of the mailbox",
        "subject": "Subject of the ticket",
        "ticket_number": "Number of the ticket, like TKT-20251215-001",
    },
    ACKNOWLEDGEMENT: {
        "customer_name": "Name of the customer, or the address where there is none",
        "mailbox_name": "Name of the mailbox",
        "subject": "Subject of the ticket",
        "ticket_number": "Number of the ticket, like TKT-20251215-001",
    },
}
# Without it the mail would say nothing, or the agent's words would be lost.
REQUIRED: Mapping[str, tuple[str, ...]] = {REPLY: ("message",), ACKNOWLEDGEMENT: ()}

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_NAME = 60


class TemplateRow(Protocol):
    """What is read of a ``Template``."""

    kind: str
    language: str
    mailbox_id: int | None
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one mail, before the values are put in. An empty ``subject``: the ticket's is answered."""

    language: str
    subject: str
    body: str


DEFAULTS: Mapping[tuple[str, str], Words] = {
    (REPLY, "en"): Words("en", "", "{message}"),
    (REPLY, "da"): Words("da", "", "{message}"),
    (ACKNOWLEDGEMENT, "en"): Words(
        "en",
        "We have received your message: {subject}",
        "Hello {customer_name},\n\n"
        "thank you for your message. We have received it and will answer as soon as we can.\n\n"
        "Its number is {ticket_number}. If you have something to add, just answer this mail.\n\n"
        "Kind regards\n{mailbox_name}",
    ),
    (ACKNOWLEDGEMENT, "da"): Words(
        "da",
        "Vi har modtaget din henvendelse: {subject}",
        "Hej {customer_name}\n\n"
        "Tak for din henvendelse. Vi har modtaget den og svarer, så snart vi kan.\n\n"
        "Den har nummer {ticket_number}. Har du noget at tilføje, så svar blot på denne mail.\n\n"
        "Venlig hilsen\n{mailbox_name}",
    ),
}


def check(kind: str, subject: str, body: str) -> None:
    """Raises ServiceError, at the field, for an unknown placeholder, a lone brace, or one that must be there.

    ``{{`` and ``}}`` are lone braces too: nothing but a placeholder stands in braces.
    """
    known = PLACEHOLDERS.get(kind)
    if known is None:
        raise ServiceError(f"{kind!r} is not a kind of mail; use one of {', '.join(PLACEHOLDERS)}.", field="kind")
    for field, text in (("subject", subject), ("body", body)):
        for name in _PLACEHOLDER.findall(text):
            if name not in known:
                raise ServiceError(
                    f"There is no placeholder {{{_short(name)}}}. Use {', '.join(f'{{{one}}}' for one in known)}.",
                    field=field,
                )
        rest = _PLACEHOLDER.sub("", text)
        if "{" in rest or "}" in rest:
            raise ServiceError("A brace stands alone: write placeholders like {ticket_number}.", field=field)
    if "message" in _PLACEHOLDER.findall(subject):
        raise ServiceError("{message} has its place in the text, not in the subject.", field="subject")
    for name in REQUIRED[kind]:
        if name not in _PLACEHOLDER.findall(body):
            raise ServiceError(f"The text needs {{{name}}}.", field="body")
    if not body.strip():
        raise ServiceError("Enter a text.", field="body")


def render(template_text: str, values: Mapping[str, str]) -> str:
    """``template_text`` with its placeholders replaced, once: a value with braces in it stays as it is.

    Raises ServiceError for a name without a value; ``check`` has seen to it that there is none.
    """

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ServiceError(f"There is no value for the placeholder {{{_short(match[1])}}}.", field="body")
        return values[match[1]]

    return _PLACEHOLDER.sub(value_of, template_text)


def choose(templates: Iterable[TemplateRow], kind: str, language: str, mailbox_id: int | None) -> Words:
    """The words for a mail: the mailbox's own, then the general ones, then ours; in ``language``, else English.

    The language counts more than the place: a Danish customer gets our Danish words before the mailbox's English ones.
    """
    rows = [row for row in templates if row.kind == kind and row.mailbox_id in (None, mailbox_id)]
    rows.sort(key=lambda row: row.mailbox_id is None)
    for wanted in dict.fromkeys((language, FALLBACK)):
        for row in rows:
            if row.language == wanted:
                return Words(row.language, row.subject, row.body)
        if (kind, wanted) in DEFAULTS:
            return DEFAULTS[kind, wanted]
    raise ServiceError(f"{kind!r} is not a kind of mail; use one of {', '.join(PLACEHOLDERS)}.", field="kind")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
