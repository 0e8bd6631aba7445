"""Ticket numbers: TKT-YYYYMMDD-NNN. The only place that touches the counter.

The day is the day of opening in the site's time zone; at least three digits, the thousandth is ``-1000``.
"""

import re
from datetime import date, datetime

from django.db import connection
from django.utils import timezone

from tickets.models import TicketNumber

PATTERN = re.compile(r"(?<![A-Za-z0-9])TKT-(\d{8})-(\d{3,9})(?![0-9A-Za-z])", re.IGNORECASE | re.ASCII)


def day_of(moment: datetime) -> date:
    return timezone.localtime(moment, timezone.get_default_timezone()).date()


def format_number(day: date, count: int) -> str:
    return f"TKT-{day:%Y%m%d}-{count:03d}"


def take(day: date, how_many: int) -> list[str]:
    """The next numbers of that day. Locks the day's counter until the caller's transaction ends.

    Call it inside the transaction that inserts the tickets, right before the inserts: a rollback gives the
    numbers back, so there is neither a gap nor a duplicate.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tticket_ticket_numbers (day, last) VALUES (%s, %s) "
            "ON CONFLICT (day) DO UPDATE SET last = tticket_ticket_numbers.last + excluded.last "
            "RETURNING last",
            [connection.ops.adapt_datefield_value(day), how_many],
        )
        last: int = cursor.fetchone()[0]
    return [format_number(day, last - how_many + 1 + index) for index in range(how_many)]


def raise_to(day: str, number: int) -> None:
    """The counter of that day (``20260131``) is at least at ``number``. For repairs: it never goes back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tticket_ticket_numbers (day, last) VALUES (%s, %s) ON CONFLICT (day) DO UPDATE SET last = "
            "CASE WHEN excluded.last > tticket_ticket_numbers.last THEN excluded.last "
            "ELSE tticket_ticket_numbers.last END",
            [connection.ops.adapt_datefield_value(datetime.strptime(day, "%Y%m%d").date()), number],
        )


def preview(moment: datetime) -> str:
    """The number that a ticket opened now would get. Touches no counter; a dry run shows it."""
    day = day_of(moment)
    last = TicketNumber.objects.filter(day=day).values_list("last", flat=True).first() or 0
    return format_number(day, last + 1)


def find(text: str) -> list[str]:
    """The ticket numbers in a text, in upper case, in order, each once."""
    found = (f"TKT-{match[1]}-{match[2]}" for match in PATTERN.finditer(text))
    return list(dict.fromkeys(found))
