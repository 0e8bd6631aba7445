"""``explain_mail ID``: why a mail became what it became, in sentences."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from emailflow.inbound.trace import sentences
from emailflow.models import Message
from tickets.limits import row_id

MOST = 20


class Command(BaseCommand):
    help = "Explain what became of a mail and why: its form, its sender, its thread, the rules and their results."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="Number of the mail in the ledger, or its Message-ID.")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = str(options["id"])
        ids = [wanted, f"<{wanted.strip('<>')}>"]
        messages = Message.objects.select_related("mailbox", "ticket").order_by("id")
        number = row_id(wanted)
        found = messages.filter(message_id__in=ids) if number is None else messages.filter(pk=number)
        rows = list(found[:MOST])
        if not rows:
            raise CommandError(f"There is no mail {wanted} in the ledger.")
        if len(rows) > 1:
            more = " or more" if len(rows) == MOST else ""
            self.stdout.write(f"{len(rows)}{more} mails have this Message-ID; all are explained, oldest first.\n")
        for message in rows:
            self.stdout.write("\n".join(sentences(message)))
