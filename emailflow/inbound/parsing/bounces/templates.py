"""Who was not reached, read from the words of a notice (qmail, Exim, sendmail, Exchange, Notes and many more).

Used by ``bounces`` only, and only behind the gate.
"""

import re
from collections.abc import Sequence

from emailflow.inbound.parsing.bounces.original import addresses_in

MAX_RECIPIENTS = 100
MAX_WORDS = 4_000
# The lines after it list those who failed.
_LIST_HEAD = re.compile(
    r"(?:following|these|intended|this|failed|permanent|the) (?:e-?mail )?(?:address|recipient|user|destination|mailbox"
    r"|person|account)(?:s|es|\(s\)|\(es\))?[^\n]{0,90}:?$"
    r"|following (?:address|recipient|destination)|fatal errors|delivery to the following|failed recipient"
    r"|unable to deliver[^\n]{0,60}to:?$|could not (?:be )?deliver(?:ed)?[^\n]{0,60}(?:to|:)$|did not reach"
    r"|(?:delivered|deliver|sent|delivery)[^\n]{0,30} to:?$|undeliverable to|non remis|følgende (?:modtager|adresse)"
    r"|folgende|following errors?|transcript of session|recipient\(s\)|unsuccessful|was not delivered",
    re.IGNORECASE,
)
# The line itself says that the address in it failed.
_FAILURE = re.compile(
    r"unknown|not found|no such|does ?n[o']t exist|undeliver|could not|couldn't|cannot|can't|unable|fail|reject|invalid"
    r"|refused|denied|full|quota|disabled|suspend|error|bounced|not (?:been )?(?:delivered|listed|exist|known|valid)"
    r"|unavailable|[45]\d\d[ -]|5\.\d\.\d|recipient|rcpt to|delay|exceed|inactive|expired|user\b|mailbox"
    r"|ukendt|timed out",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"^[ \t>|*-]{0,20}<?(?:mailto:|rfc822;|smtp:)?[^\s<>@]{1,200}@[^\s<>@]{1,200}>?[ \t,;:.]{0,10}(?:\(.{0,100})?$"
)
_STARTS = re.compile(r"^[ \t*-]{0,20}<?(?:mailto:)?[^\s<>,@]{1,128}@[^\s<>,@]{1,200}>?[ \t]{0,10}(?::|\.\.\.|-|\()")
_NAMED = re.compile(
    r"^[ \t*]{0,20}(?:failed|to|recipients?|recipient address|address|user|original recipient|e-?mail address|mailbox"
    r"|failed recipients?|intended recipients?|delivery failure|error-for|modtager)[ \t]{0,10}:",
    re.IGNORECASE,
)
_RCPT = re.compile(r"rcpt to", re.IGNORECASE)
# sendmail: ``550 <a@b.example>... User unknown``
_SENDMAIL = re.compile(r"^[45]\d\d (?:\d\.\d{1,3}\.\d{1,3} )?<[^<>\s]{1,320}>\.\.\. ")
_FROM = re.compile(r"(?<!generated )(?<!expanded )\bfrom:?[ \t]{0,5}<?[^\s<>]{1,320}", re.IGNORECASE)
_X400 = re.compile(r"\b(?:smtp|rfc-?822)[=:;]", re.IGNORECASE)
_ECHO_HEAD = re.compile(r"^\s{0,20}(?:your message|the message you sent)[:.]?\s{0,20}$", re.IGNORECASE)
_ECHO = re.compile(r"^\s{0,20}(?:to|cc|from|subject|sent|date):", re.IGNORECASE)
_DELAYED = re.compile(
    r"has been delayed|will be re-?tried|(?:continue|keep|go on) (?:to try|trying)|not (?:yet )?been delivered yet"
    r"|do not need to re-?send|delivery (?:is )?delayed|still (?:being )?(?:trying|queued|undelivered)"
    r"|warning message only"
    r"|(?:could|can)not be delivered (?:for|within) the last|delivery attempts will continue|temporarily deferred"
    r"|this is (?:just |only )?a warning|warning: (?:could not send|message)[^\n]{0,60}(?:hours?|delayed|still)"
    r"|transient non-fatal errors|er forsinket|forsøges igen",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(
    r"given up|giving up|gave up|permanent(?:ly)? (?:fatal|failure|error|failed)|will not be (?:re-?tried|delivered)"
    r"|could not be delivered (?:and|to one)|stopped trying|returned to sender|removed from (?:the )?queue",
    re.IGNORECASE,
)


def words_about(lines: list[str], named: Sequence[str]) -> dict[str, str]:
    """The lines of a notice that are about each recipient, by its address in lower case: from its name to the next
    one's. With only one, all. A transcript of sendmail says it in one line."""
    wanted = {address.lower() for address in named}
    if len(wanted) < 2:
        return dict.fromkeys(wanted, "\n".join(lines)[: MAX_WORDS * 4])
    taken: dict[str, list[str]] = {address: [] for address in wanted}
    exact: dict[str, list[str]] = {}
    about: set[str] = set()
    for line in lines:
        here = {address.lower() for address in addresses_in(line, 20)} & wanted if "@" in line else set()
        about = here or about
        for address in about:
            taken[address].append(line)
        if here and _SENDMAIL.match(line):
            exact.setdefault(min(here), []).append(line)
    return {address: "\n".join(exact.get(address) or own)[:MAX_WORDS] for address, own in taken.items()}


def action_of(lines: list[str]) -> str:
    """What the words of a notice say was done: ``delayed`` only where nothing says that it was given up."""
    text = "\n".join(lines)[:20_000]
    return "delayed" if _DELAYED.search(text) and not _GIVEN_UP.search(text) else "failed"


def without_echo(lines: list[str]) -> list[str]:
    """Without the headers of our mail that Exchange repeats above its own words."""
    kept: list[str] = []
    echo = False
    for line in lines:
        if _ECHO_HEAD.match(line):
            echo = True
        elif echo and line.strip() and not _ECHO.match(line):
            echo = False
        if not (echo and _ECHO.match(line)):
            kept.append(line)
    return kept


def sendmail_failures(lines: list[str]) -> list[str]:
    """The recipients of a transcript of sendmail, which may be more than the original's To."""
    return [address for line in lines if _SENDMAIL.match(line) for address in addresses_in(line, 1)]


def named_failures(lines: list[str], excluded: set[str]) -> list[str]:
    """The addresses that the words of a notice name as failed, by the strongest sign that any of them has."""
    strengths: dict[str, tuple[int, str]] = {}
    listing = 0
    for line in lines:
        if "@" not in line:
            if _LIST_HEAD.search(line[:300]):
                listing = 8
            elif line.strip():
                listing -= 1
            continue
        strength = _strength(line, listing)
        for address in addresses_in(_X400.sub(" ", _FROM.sub(" ", line)), 20):
            key = address.lower()
            if key in excluded:
                continue
            if strength > strengths.get(key, (0, ""))[0]:
                strengths[key] = (strength, address)
        if len(strengths) > MAX_RECIPIENTS:
            break
        if _LIST_HEAD.search(line[:300]):
            listing = 8
    best = max((strength for strength, _ in strengths.values()), default=0)
    if best == 1 and len(strengths) > 1:
        return []
    return [address for strength, address in strengths.values() if strength == best]


def _strength(line: str, listing: int) -> int:
    """How surely the address in a line is one that failed; 0: it is only mentioned."""
    if _ALONE.match(line):
        return 6 if listing > 0 else 4
    if _STARTS.match(line):
        return 6 if listing > 0 else 5
    if _RCPT.search(line) or _NAMED.match(line):
        return 5
    if listing > 0 or _FAILURE.search(line):
        return 3
    return 1
