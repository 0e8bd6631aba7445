"""What the ledger and the rules stored, put into words for people. Reads no table."""

from collections.abc import Mapping
from typing import Any

KINDS = {
    "person": "Written by a person",
    "auto_reply": "Automatic reply",
    "auto_generated": "Made by a machine",
    "list": "Mailing list",
    "bounce": "Delivery report",
    "complaint": "Spam complaint",
    "loop": "Our own mail coming back",
}
VERDICTS = {
    "pass": "Confirmed by our mail server",
    "fail": "Failed the checks of our mail server",
    "none": "Not checked by anybody",
}


def result(stored: Any) -> str:
    """The result of one action as a sentence."""
    if not isinstance(stored, Mapping):
        return str(stored)
    inner = {key: value for key, value in stored.items() if key != "action"}
    number = inner.get("ticket_number")
    if number and inner.get("created"):
        return f"Opened ticket {number}."
    if number and inner.get("linked"):
        return f"Linked to ticket {number}."
    if inner.get("ignored"):
        return f"Ignored: {inner.get('reason') or 'no reason given'}."
    told = [f"{name(key)} {plain(value)}" for key, value in inner.items() if value not in (None, "", [], {})]
    return f"{', '.join(told).capitalize()}." if told else "Nothing to do."


def name(key: str) -> str:
    return str(key).removesuffix("_id").replace("_", " ")


def plain(value: Any) -> str:
    """Any stored value on one line."""
    if value is True or value is False:
        return "yes" if value else "no"
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name(key)}: {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(plain(inner) for inner in value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
