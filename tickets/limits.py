"""How long a name may be, and how big an id: what the databases can hold, said before they refuse.

Used by services, forms, filters and commands of both apps.
"""

from tickets.errors import ServiceError

# PostgreSQL's btree refuses values beyond 2,704 bytes; a name of this length stays far below in any script.
MOST_NAME = 200
# RFC 5321, 4.5.3.1.3 less the angle brackets.
MOST_ADDRESS = 254
HIGHEST_ID = 2**63 - 1
_MOST_DIGITS = len(str(HIGHEST_ID))


def check_length(text: str, field: str, most: int = MOST_NAME) -> None:
    """Raises ServiceError at ``field`` for a text that is longer."""
    if len(text) > most:
        raise ServiceError(f"Use at most {most} characters.", field=field)


def row_id(text: str | None) -> int | None:
    """The id that ``text`` writes in ASCII digits, or None for anything else, also one that no row can have."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > _MOST_DIGITS:
        return None
    number = int(text)
    return number if number <= HIGHEST_ID else None
