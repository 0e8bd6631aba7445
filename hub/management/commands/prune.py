"""``prune``: remove what nobody needs any more, or say what that would be."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from hub.pruning import prune


class Command(BaseCommand):
    help = (
        "Remove what nobody needs any more: raw mail whose time is over, files that nothing names (they stay in the "
        "trash for a day), ended sessions, old reports of tasks. The worker does the same each day. "
        "Tickets, the mail ledger and the audit log are never touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="remove nothing; print what would be removed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pruned = prune(timezone.now(), dry_run=options["dry_run"])
        except OSError as error:
            raise CommandError(f"The store cannot be pruned: {error.filename}: {error.strerror}") from error
        if options["dry_run"]:
            self.stdout.write("Nothing is removed. This would be:")
        for sentence in pruned.sentences:
            self.stdout.write(sentence)
