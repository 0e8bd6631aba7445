"""Whose fault an error is: trouble of the machine (network, database, disk) passes, a bad mail stays bad."""

from django.db import InterfaceError, OperationalError, connection

# Classes of SQLSTATE (PostgreSQL manual, appendix A) that pass by themselves: connection, rollback by a deadlock
# or a serialization failure, resources, a lock that is not free, an intervention by the operator, the system.
_PASSING_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58"})
_NOT_PASSING_ON_SQLITE = ("too big", "too many", "no such", "syntax error")


def passes(error: BaseException) -> bool:
    """Whether trying again later, with nothing changed, can help."""
    if isinstance(error, InterfaceError | OSError):
        return True
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state:
        return str(state)[:2] in _PASSING_CLASSES
    return not any(words in str(error) for words in _NOT_PASSING_ON_SQLITE)


def leave_broken_connection() -> None:
    """After an error outside a transaction: the next statement gets a connection that works, if there is one."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
