"""``reconcile_mailbox``: is every mail that the server has in the ledger?"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from emailflow.inbound.due import pullable
from emailflow.inbound.pipeline import process_due
from emailflow.inbound.reconcile import Comparison, reconcile
from emailflow.models import Mailbox, Protocol


class Command(BaseCommand):
    help = (
        "Compare what the mail server has with the ledger, and say what is missing. With a mailbox only that one, "
        "else all that are switched on. Exit code 1 when something is missing or could not be looked at."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("mailbox", nargs="?", default="", metavar="MAILBOX", help="short name")
        parser.add_argument("--fetch", action="store_true", help="fetch what is missing and make tickets of it")
        parser.add_argument(
            "--format",
            choices=["text", "jsonl"],
            default="text",
            help="jsonl: one object for each mail that is missing, and one for each mailbox",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bad = 0
        for mailbox in _chosen(options["mailbox"]):
            comparison = reconcile(mailbox, fetch=options["fetch"])
            bad += not comparison.ok
            self._show(comparison, options["format"])
        if options["fetch"]:
            while process_due():
                pass
        if bad:
            raise CommandError(f"{bad} mailbox{'' if bad == 1 else 'es'} with something missing: see above.")

    def _show(self, comparison: Comparison, form: str) -> None:
        if form == "jsonl":
            for gap in comparison.gaps:
                self.stdout.write(json.dumps({"mailbox": comparison.mailbox, "mail": gap.as_dict()}))
            self.stdout.write(json.dumps({"mailbox": comparison.mailbox, "summary": comparison.as_dict()}))
            return
        for gap in comparison.gaps:
            self.stdout.write(f"{comparison.mailbox}: {gap}")
        for sentence in comparison.sentences:
            self.stdout.write(f"{comparison.mailbox}: {sentence}")


def _chosen(slug: str) -> list[Mailbox]:
    if not slug:
        return list(pullable())
    # A mailbox that is switched off or archived may be compared as well: its server may still have mail.
    mailbox = Mailbox.objects.filter(slug=slug).exclude(protocol=Protocol.BUILTIN).first()
    if mailbox is None:
        known = ", ".join(pullable().values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no mailbox {slug!r} with a server; there are: {known}")
    return [mailbox]
