"""The clock that all hosts share: the database's. For moments that another host will compare with its own "now".

SQLite lives on one machine, so there it is that machine's clock.
"""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """One statement on PostgreSQL; the moment it runs, also inside a long transaction."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
