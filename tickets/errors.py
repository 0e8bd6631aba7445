"""What services raise. One error, one flag: does trying again help?"""


class ServiceError(Exception):
    """A wish that cannot be carried out, in words for the person who wished.

    ``field`` names the field at fault, or is ''. Trying again does not help: it is permanent.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class TicketsAreOff(ServiceError):
    """TICKET_ENABLED is false: tickets are read only."""

    def __init__(self) -> None:
        super().__init__("Tickets are switched off (TICKET_ENABLED=false): they can be read, not changed.")


class Conflict(ServiceError):
    """Somebody else was faster, or the thing is in a state that does not allow this."""
