"""Results of intents as JSON, once the tickets of the transaction have their ids and numbers."""

from typing import Any

from tickets.models import Ticket


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """Each ticket row by its id, or by its number under ``ticket_number``. Call it after the flush."""
    return {name: _value(name, value) for name, value in result.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Ticket):
        return value.ticket_number if name == "ticket_number" else value.pk
    return value
