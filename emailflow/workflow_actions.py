"""The conditions and actions that Hub brings. An app of its own ships a module of this name to add more."""

from emailflow.workflow.actions import (
    add_tags,
    assign,
    create_ticket,
    ignore,
    link_email_to_ticket,
    set_priority,
)
from emailflow.workflow.conditions import (
    attachment,
    body,
    kind,
    mailbox,
    recipient,
    sender,
    subject,
    verdict,
)

ACTIONS = (create_ticket, link_email_to_ticket, ignore, set_priority, add_tags, assign)
CONDITIONS = (sender, recipient, subject, body, mailbox, attachment, kind, verdict)
