"""``restore``: bring a backup back, or only verify it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.backup.archive import BackupError, End, Manifest, verify
from hub.backup.restoring import restore_backup


class Command(BaseCommand):
    help = (
        "Verify a backup and bring it back: database, files, raw mail and keys. Stop Hub first. An installation "
        "that has content is refused unless --force."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what the command backup has written")
        parser.add_argument("--check", action="store_true", help="only read and verify it; change nothing")
        parser.add_argument("--force", action="store_true", help="replace what this installation holds")

    def handle(self, *args: Any, **options: Any) -> None:
        file = Path(options["file"]).expanduser()
        try:
            if options["check"]:
                self._tell(*verify(file), "The backup is whole.")
                return
            restored = restore_backup(file, force=options["force"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self._tell(restored.manifest, restored.end, "Restored, and compared with the backup.")
        for note in restored.notes:
            self.stdout.write(note)
        self.stdout.write("Start Hub with: manage.py up  (it brings the tables of an older backup up to date)")

    def _tell(self, manifest: Manifest, end: End, words: str) -> None:
        rows = manifest.rows
        self.stdout.write(
            f"{words} Made at {manifest.made_at} from {manifest.engine}: {rows['tticket_tickets']:,} tickets, "
            f"{rows['tticket_comments']:,} comments, {rows['email_messages']:,} mails, {end.blobs:,} files."
        )
        lost = len(end.missing) + len(end.damaged)
        if lost:
            self.stdout.write(f"{lost} files were missing or damaged when it was made.")
