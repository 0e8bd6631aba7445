"""Puts rows into every table of an installation. A program of its own: ``python -m tests.flows.filling``.

``python -m tests.flows.filling find WORD`` prints the subjects of the tickets that the search finds.
"""

import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.apps import apps  # noqa: E402
from django.utils import timezone  # noqa: E402

from emailflow.inbound.pipeline import process_due  # noqa: E402
from emailflow.inbound.receive import receive_bytes  # noqa: E402
from emailflow.models import Delivery, Mailbox, MailboxCursor, Suppression, Template, Workflow  # noqa: E402
from emailflow.services.templates import save_template  # noqa: E402
from emailflow.services.workflows import save_workflow  # noqa: E402
from emailflow.workflow.base import Step  # noqa: E402
from hub.models import Heartbeat  # noqa: E402
from tests.mails import mail  # noqa: E402
from tests.tickets.making import HUB, comment_on, contact_of, open_one, team_of  # noqa: E402
from tickets.models import Customer, Ticket, User  # noqa: E402
from tickets.search import search  # noqa: E402
from tickets.services.customers import save_customer  # noqa: E402
from tickets.services.files import Upload  # noqa: E402
from tickets.services.staff import make_token  # noqa: E402

# Written and removed in one transaction: empty whenever nobody is at work.
EMPTY = {"tticket_maintenance"}


def fill() -> None:
    kim = User.objects.create_user("kim", visibility="own_teams")
    customer = save_customer(actor=HUB, customer=Customer(name="Nordwind"), domains=["nordwind.example"])
    make_token(actor=HUB, user=kim, name="n", expires_in=timedelta(days=1))
    ticket = open_one(
        "Elephant", contact=contact_of(customer=customer), assigned_to_user=kim, assigned_team=team_of(kim),
        tags=["a", "b"], category="print", uploads=[Upload("giraffe.txt", b"g")], custom_fields={"a": [1, None, "ø"]},
    )  # fmt: skip
    comment_on(ticket, "zebra", author_user=kim, is_internal=True)
    save_workflow(
        actor=HUB, workflow=Workflow(name="Printers", order=1), steps=[Step("add_tags", {"tags": ["print"]})],
        conditions=[Step("subject", {"operator": "is", "match": "words", "values": ["printer"]})],
    )  # fmt: skip
    mailbox = Mailbox.objects.create(slug="support", name="Support", protocol="maildir")
    message = receive_bytes(mail("okapi", subject="printer", files={"a.txt": b"a"}), mailbox=mailbox).message
    receive_bytes(mail("Re", subject=f"Re: {ticket.ticket_number}", sender="x@stranger.example"), mailbox=mailbox)
    while process_due():
        pass
    save_template(actor=HUB, template=Template(kind="reply", language="en", body="{message}"))
    Suppression.objects.create(address="gone@x.example", reason="550 no such user", created_at=timezone.now())
    Delivery.objects.create(mailbox=mailbox, source="s", uid="1", message=message, state="stored")
    MailboxCursor.objects.create(mailbox=mailbox, source="s")
    Heartbeat.objects.update_or_create(name="worker", defaults={"beat_at": timezone.now()})
    Ticket.objects.filter(pk=open_one("Merged").pk).update(merged_into=ticket)


def empty_tables() -> list[str]:
    models = [model for app in ("tickets", "emailflow", "hub") for model in apps.get_app_config(app).get_models()]
    tables: list[Any] = [model for model in models if model._meta.db_table not in EMPTY]
    return [model._meta.db_table for model in tables if not model._default_manager.exists()]


if __name__ == "__main__":
    if sys.argv[1:2] == ["find"]:
        print(*search(Ticket.objects.order_by("id"), sys.argv[2]).values_list("subject", flat=True), sep="\n")
    elif sys.argv[1:2] == ["open"]:
        open_one(sys.argv[2], body_text=sys.argv[2])
    else:
        fill()
        assert not empty_tables(), f"nothing is in {empty_tables()}"
