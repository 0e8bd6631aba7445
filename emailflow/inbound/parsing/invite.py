"""Invitations (RFC 5545, RFC 5546) put into a sentence: what, when, where, and from whom. Used by ``parse`` only.

The library gets no more than the first event's few lines and the time zones: long descriptions and thousands of
events cost it seconds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from emailflow.inbound.parsing.charset import decode
from emailflow.inbound.parsing.headers import one_line

MAX_CALENDAR = 200_000
MAX_ZONES = 4
MAX_ZONE = 8_000
MAX_EVENT = 8_000
MAX_VALUE = 200
_METHOD = re.compile(r"^METHOD[^:\n]{0,100}:[ \t]*([A-Z-]{1,30})", re.IGNORECASE | re.MULTILINE)
_WANTED = re.compile(
    r"^(?:DTSTART|DTEND|DURATION|SUMMARY|LOCATION|ORGANIZER|RRULE|ATTENDEE)[;:][^\n]*", re.IGNORECASE | re.MULTILINE
)
_WHAT = {
    "REQUEST": "Invitation",
    "PUBLISH": "Event",
    "CANCEL": "Cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Other time proposed",
    "": "Event",
}


def sentences(calendars: Iterable[bytes]) -> list[str]:
    """One sentence a calendar, each once. Never raises; what cannot be read says so."""
    return list(dict.fromkeys(filter(None, map(_sentence, calendars))))


def _sentence(content: bytes) -> str:
    text = decode(content[:MAX_CALENDAR], "utf-8")[0].replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"\n[ \t]", "", text)
    event = next(_components(text, "VEVENT"), "")
    if not event:
        return ""
    method = _METHOD.search(text)
    zones = [zone for zone in islice(_components(text, "VTIMEZONE"), MAX_ZONES) if len(zone) <= MAX_ZONE]
    lines = "\n".join(_WANTED.findall(event))[:MAX_EVENT]
    try:
        return _words(method[1].upper() if method else "", _read(zones, lines))
    except Exception as error:  # noqa: BLE001  the library raises all sorts on calendars that it does not like
        return f"An invitation is attached; what it says could not be read ({type(error).__name__})."


def _components(text: str, name: str) -> Iterator[str]:
    """Each from its BEGIN to its END line; those that nest are not looked into."""
    begin = re.compile(f"^BEGIN:{name}[ \\t]*$", re.IGNORECASE | re.MULTILINE).search(text)
    ending = re.compile(f"^END:{name}", re.IGNORECASE | re.MULTILINE)
    while begin is not None:
        end = ending.search(text, begin.end())
        if end is None:
            return
        yield text[begin.start() : end.end()] + "\n"
        begin = begin.re.search(text, end.end())


def _read(zones: Sequence[str], lines: str) -> Any:
    # Imported here: it takes 0.3 s, and few mails bring an invitation.
    from icalendar import Calendar

    calendar = Calendar.from_ical(
        f"BEGIN:VCALENDAR\n{''.join(zones)}BEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return calendar.walk("VEVENT")[0]


def _words(method: str, event: Any) -> str:
    pieces = [f"{_WHAT.get(method, 'Event')}: {_value(event, 'summary') or '(no title)'}", _when(event)]
    if place := _value(event, "location"):
        pieces.append(f"at {place}")
    if event.get("organizer") is not None:
        pieces.append(f"from {_person(event['organizer'])}")
    if method == "REPLY" and (answer := _answer(event)):
        pieces.append(answer)
    return f"{', '.join(filter(None, pieces))}."


def _value(event: Any, name: str) -> str:
    value = event.get(name)
    return one_line(str(value[0] if isinstance(value, list) else value or ""))[:MAX_VALUE]


def _person(value: Any) -> str:
    value = value[0] if isinstance(value, list) else value
    address = one_line(re.sub(r"(?i)^mailto:", "", str(value)))[:MAX_VALUE]
    name = one_line(str(value.params.get("CN", "")))[:MAX_VALUE]
    return f"{name} <{address}>" if name and name != address else address


def _answer(event: Any) -> str:
    attendee = event.get("attendee")
    attendee = attendee[0] if isinstance(attendee, list) else attendee
    if attendee is None:
        return ""
    words = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "accepted tentatively"}
    answer = words.get(str(attendee.params.get("PARTSTAT", "")).upper(), "answered")
    return f"{answer} by {_person(attendee)}"


def _when(event: Any) -> str:
    start = event.get("dtstart")
    if start is None:
        return ""
    moment = start.dt
    ending = event.get("dtend")
    end = ending.dt if ending is not None else None
    if end is None and event.get("duration") is not None:
        end = moment + event["duration"].dt
    again = ", repeated" if event.get("rrule") else ""
    if not isinstance(moment, datetime):
        days = (end - moment).days if isinstance(end, date) else 1
        return f"on {moment:%Y-%m-%d}{f' for {days} days' if days > 1 else ''}{again}"
    until = ""
    if isinstance(end, datetime):
        until = f" to {end:%H:%M}" if end.date() == moment.date() else f" to {end:%Y-%m-%d %H:%M}"
    zone = one_line(str(start.params.get("TZID", "")))[:100] or ("UTC" if moment.tzinfo else "")
    return f"on {moment:%Y-%m-%d} at {moment:%H:%M}{until}{f' ({zone})' if zone else ''}{again}"
