"""The only writer of mail templates, and what one would look like in a mail."""

from typing import Any

from django.db import IntegrityError, transaction

from emailflow.models import Mailbox, Template
from emailflow.outbound.compose import Composed, Identity, Thread, compose
from emailflow.outbound.templates import ACKNOWLEDGEMENT, LANGUAGES, check, render
from tickets import audit
from tickets.actors import Actor
from tickets.errors import Conflict, ServiceError
from tickets.limits import check_length
from tickets.models import Ticket, User
from tickets.storable import storable

MOST_BODY = 20_000
EXAMPLE_ADDRESS = "support@example.org"
_FIELDS = ("kind", "language", "mailbox_id", "subject")
_EXAMPLE_MESSAGE = {
    "en": "Here stands what the agent writes.\n\nIt may have several paragraphs.",
    "da": "Her står det, som medarbejderen skriver.\n\nDet kan have flere afsnit.",
}


def save_template(*, actor: Actor, template: Template) -> Template:
    """Write a new or changed template. Raises ServiceError with the field, also for an unknown placeholder, and
    Conflict where the mailbox has a template of this kind and language already."""
    _clean(template)
    try:
        # The row is locked, so that the audit entry has the true old values.
        with transaction.atomic():
            stored = Template.objects.select_for_update(no_key=True).filter(pk=template.pk).first()
            if template.pk is not None and stored is None:
                raise Conflict("This template is not there any more.")
            if stored and _values(stored) == _values(template) and stored.body == template.body:
                return template
            template.save()
            _record(actor, stored, template)
    except IntegrityError as error:
        same = Template.objects.filter(kind=template.kind, language=template.language, mailbox=template.mailbox_id)
        if same.exclude(pk=template.pk).exists():
            raise Conflict("There is a template for this already: change that one.", field="kind") from error
        raise
    return template


def delete_template(*, actor: Actor, template: Template) -> None:
    """Remove a template: mail is then written with the general one, or with Hub's own words."""
    # Looked up and removed together, so that two clicks write one audit row.
    with transaction.atomic():
        stored = Template.objects.select_for_update().filter(pk=template.pk).first()
        if stored is None:
            raise Conflict("This template is not there any more.")
        audit.record(actor=actor, action="template.deleted", entity=stored, old=_values(stored))
        stored.delete()


def preview_template(template: Template, *, ticket: Ticket, agent: User) -> Composed:
    """The mail about ``ticket`` that the template, saved or not, would give. Writes and sends nothing.

    Raises ServiceError as saving would.
    """
    _clean(template)
    mailbox = template.mailbox
    name = (mailbox.from_name or mailbox.name) if mailbox else "Support"
    contact = ticket.contact
    automatic = template.kind == ACKNOWLEDGEMENT
    values = {
        "message": _EXAMPLE_MESSAGE[template.language],
        "agent_name": str(agent),
        "customer_name": (contact.name or contact.email) if contact else "Anna Jensen",
        "mailbox_name": name,
        "subject": ticket.subject,
        "ticket_number": ticket.ticket_number,
    }
    return compose(
        kind=template.kind,
        identity=_identity(mailbox, name),
        thread=Thread(ticket.ticket_number, ticket.subject, "", ()),
        key="a0" if automatic else "0",
        outgoing_key="0",
        body=render(template.body, values),
        agent_signature="" if automatic else agent.signature,
        automatic=automatic,
        language=template.language,
        subject=render(template.subject, values),
    )


def _identity(mailbox: Mailbox | None, name: str) -> Identity:
    if mailbox is None:
        return Identity(EXAMPLE_ADDRESS, name, plus_addressing=False, signature="", slug="")
    address = mailbox.from_address or next(iter(mailbox.addresses), EXAMPLE_ADDRESS)
    return Identity(address, name, mailbox.plus_addressing, mailbox.signature, mailbox.slug)


def _clean(template: Template) -> None:
    template.subject = " ".join(storable(template.subject).split())
    template.body = storable(template.body).replace("\r\n", "\n").strip()
    check_length(template.subject, "subject")
    check_length(template.body, "body", MOST_BODY)
    check(template.kind, template.subject, template.body)
    if template.language not in LANGUAGES:
        raise ServiceError(f"{template.language!r} is not a language; use {', '.join(LANGUAGES)}.", field="language")


def _record(actor: Actor, before: Template | None, template: Template) -> None:
    """What differs, and of the text only that it does: the log holds no texts."""
    old = _values(before) if before else {}
    new = {name: value for name, value in _values(template).items() if before is None or old[name] != value}
    if before and before.body != template.body:
        new["body"] = "(changed)"
    audit.record(
        actor=actor,
        action="template.changed" if before else "template.created",
        entity=template,
        old={name: old[name] for name in new if name in old},
        new=new,
    )


def _values(template: Template) -> dict[str, Any]:
    return {name: getattr(template, name) for name in _FIELDS}
