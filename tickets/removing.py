"""Removing a row that others name, while rows that name it may arrive. Used by services."""

from collections.abc import Callable

from django.db import IntegrityError, connection, models, transaction

from tickets.errors import Conflict


def remove(row: models.Model, record: Callable[[], None]) -> None:
    """Call ``record``, which writes the audit row, and delete ``row``, in one transaction; locks the row.

    A mail may name the row between the moment when its references are taken away and the moment when it goes.
    PostgreSQL would refuse that at the commit, maybe one of a caller; so it is asked at once, and a second try
    sees the new reference. Raises Conflict when the row is gone already, or was named once more.
    """
    key = row.pk
    try:
        _remove(row, record)
    except IntegrityError:
        row.pk = key
        try:
            _remove(row, record)
        except IntegrityError as error:
            row.pk = key
            raise Conflict(f"This {row._meta.verbose_name} is in use just now. Try again.") from error


def _remove(row: models.Model, record: Callable[[], None]) -> None:
    # The audit row and the deletion together; the lock lets one of two who delete at once come too late.
    with transaction.atomic():
        found = type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk)
        if found.first() is None:
            raise Conflict(f"This {row._meta.verbose_name} is not there any more.")
        record()
        row.delete()
        if connection.vendor == "postgresql":
            connection.check_constraints()
