"""Makes a token for a program that uses the REST API. The text is printed once and stored nowhere."""

import re
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.models import User
from tickets.services.staff import SCOPES, make_token

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=365 * 100)


class Command(BaseCommand):
    help = "Make an API token for a user and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--expires", metavar="90d", help="hours, days or weeks: 12h, 90d, 4w; never if not given")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help=f"limit the token to {', '.join(SCOPES)}; may be repeated; everything if not given",
        )
        parser.add_argument("--name", default="", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        try:
            _, plain = make_token(
                actor=Actor.of_system("api_token"),
                user=user,
                name=options["name"],
                scopes=options["scope"],
                expires_in=_duration(options["expires"]),
            )
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(plain)


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text.strip().lower())
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < duration <= _LONGEST:
        raise CommandError(f"--expires {text!r}: write a number with h, d or w behind it, like 12h, 90d or 4w.")
    return duration
