"""``backup``: one file with everything that Hub cannot make again."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hub.backup.archive import BackupError
from hub.backup.making import make_backup


class Command(BaseCommand):
    help = (
        "Write database, files, raw mail and keys into one tar archive, while Hub works, and read it again to verify "
        "it. The archive holds the keys and all mail: keep it where nobody else can read it. Exit code 1 when it "
        "could not be made, or when files were missing in the store."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", metavar="FILE|FOLDER", help="a new file, or a folder where it gets a name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = make_backup(Path(options["target"]).expanduser().absolute())
        except BackupError as error:
            raise CommandError(str(error)) from error
        rows, end = made.manifest.rows, made.end
        self.stdout.write(
            f"{made.file}: {rows['tticket_tickets']:,} tickets, {rows['tticket_comments']:,} comments, "
            f"{rows['email_messages']:,} mails, {end.blobs:,} files ({end.blob_bytes:,} bytes). Verified."
        )
        for note in made.notes:
            self.stdout.write(note)
        lost = [*end.missing, *end.damaged]
        if lost:
            raise CommandError(
                f"The backup is kept, but {len(lost)} file{' is' if len(lost) == 1 else 's are'} missing or damaged in "
                f"the store and not in it: {', '.join(lost[:5])}. check_integrity names what they belong to."
            )
