"""``manage.py seed_demo``: customers, users, rules and about forty mails. Running it again adds nothing."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from hub.demo import people
from hub.demo.seeding import send_mails
from tickets.errors import ServiceError


class Command(BaseCommand):
    help = "Brings in the demo: customers, users, rules, a drop folder and about forty mails."

    def handle(self, **options: Any) -> None:
        # One sentence at the end instead of a line for each mail: the passwords above must stay in sight.
        logging.getLogger("emailflow").setLevel(logging.WARNING)
        try:
            # All of it or nothing: the passwords are told once, and each part is made only once.
            with transaction.atomic():
                people.make_customers()
                passwords = people.make_staff()
                people.make_rules()
                mailbox = people.make_drop_folder()
        except ServiceError as error:
            raise CommandError(f"{error.field}: {error.message}" if error.field else error.message) from error
        for name, password in passwords.items():
            self.stdout.write(f"demo user {name}, password {password}  (shown only now)")
        number = send_mails(mailbox, timezone.now())
        self.stdout.write(f"{number} demo mails became tickets, notes and rows of the ledger.")
        self.stdout.write(f"The drop folder has the address {', '.join(mailbox.addresses)}: write your mails to it.")
        if not settings.TICKET_ENABLED:
            self.stdout.write("TICKET_ENABLED is false: the mails wait in the ledger until it is true.")
