"""The fields of a delivery status (RFC 3464), in their own part or, by servers that know no better, in the text.

Used by ``bounces`` only.
"""

import re
from collections.abc import Iterable, Mapping

from emailflow.inbound.parsing.bounces.codes import class_of, is_hard, status_of, status_of_field
from emailflow.inbound.parsing.bounces.original import addresses_in
from emailflow.inbound.parsing.headers import one_line
from emailflow.mail import ReportedRecipient

MAX_RECIPIENTS = 100
MAX_DIAGNOSTIC = 1_000
ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")
_FIELD = re.compile(
    r"^[ \t]{0,8}(final-recipient|original-recipient|x-actual-recipient|action|status|diagnostic-code|remote-mta"
    r"|x-[a-z-]{1,40}|last-attempt-date|will-retry-until|final-log-id|reporting-mta|arrival-date"
    r"|received-from-mta)[ \t]{0,5}:(.{0,2000})$",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"(?:\"[^\"<>]{1,128}\"|[^\s\"<>@,;:()]{1,128})@[^\s\"<>@,;:()]{1,255}")
_NAMES = ("final-recipient", "original-recipient", "x-actual-recipient")
_ABOUT_RECIPIENT = (*_NAMES, "action", "status", "diagnostic-code")
Group = dict[str, str]


def groups_in(texts: Iterable[str]) -> list[Group]:
    """The groups of fields about a recipient each (section 2.1). A blank line that some servers put inside a
    group does not end it: it ends where a field comes again."""
    groups: list[Group] = []
    for text in texts:
        group: Group = {}
        last = ""
        blank = False
        for line in text.split("\n"):
            match = _FIELD.match(line) if ":" in line else None
            if match is None:
                if last and line[:1].isspace() and line.strip() and not blank:
                    group[last] = f"{group[last]} {line.strip()}"[:4_000]
                elif line.strip():
                    last = ""
                blank = not line.strip()
                continue
            name = match[1].lower()
            if (name in group and name in _ABOUT_RECIPIENT) or (blank and name in _NAMES and _names_someone(group)):
                groups.append(group)
                group = {}
                if len(groups) > MAX_RECIPIENTS:
                    return groups
            group.setdefault(name, match[2].strip())
            last, blank = name, False
        groups.append(group)
    return groups


def _names_someone(group: Group) -> bool:
    return any(name in group for name in _NAMES)


def recipients_of(groups: list[Group], about: Mapping[str, str]) -> list[ReportedRecipient]:
    """What the groups say, each address once; the address is '' where only a name without a host is given.
    ``about`` holds the words of the notice about an address, for a group that says less than they do."""
    found: dict[str, ReportedRecipient] = {}
    for group in groups:
        one = _of_group(group, about)
        if one is not None:
            found.setdefault(one.address.lower() or f"?{len(found)}", one)
        if len(found) >= MAX_RECIPIENTS:
            break
    return list(found.values())


def _of_group(group: Group, about: Mapping[str, str]) -> ReportedRecipient | None:
    action = one_line(group.get("action", "")).lower().partition(" ")[0].strip("(;,.")
    field = group.get("status", "")
    if not (action or status_of_field(field) or _names_someone(group)):
        return None
    if not (_names_someone(group) or (action and field)):
        return None
    diagnostic = one_line(group.get("diagnostic-code", ""))[:MAX_DIAGNOSTIC]
    final, original, actual = (_typed(group.get(name, "")) for name in _NAMES)
    address = next((name for name in map(_address, (final, original, actual)) if name), "")
    around = about.get(address.lower(), "")
    status = status_of(field, diagnostic)
    if action not in ACTIONS:
        action = "delivered" if status.startswith("2") else "failed"
    if action in ("failed", "delayed") and not diagnostic:
        diagnostic = one_line(around)[:MAX_DIAGNOSTIC]
        status = status_of(status, diagnostic)
    return ReportedRecipient(
        address=address,
        final=final,
        original=original,
        action=action,
        status=status or class_of(action),
        diagnostic=diagnostic,
        hard=is_hard(action, status, diagnostic, around),
    )


def _typed(value: str) -> str:
    """The name behind its type (section 2.1.2: ``rfc822; a@b``), as given."""
    value = one_line(value)
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon and len(kind) < 30 else value).strip(" <>\"'")[:320]


def _address(name: str) -> str:
    if "@" not in name or name.startswith("@"):
        return ""
    if _WHOLE.fullmatch(name):
        return name
    found = addresses_in(name, 1)
    return found[0][:320] if found else ""
