"""What a ticket is. Knows nothing of mail."""

from django.apps import AppConfig


class TicketsConfig(AppConfig):
    name = "tickets"
    verbose_name = "Tickets"

    def ready(self) -> None:
        from tickets import installing
        from tickets.sql import receivers

        receivers.connect()
        installing.connect()
