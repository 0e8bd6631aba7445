"""Names a mail by its form: person, machine, list, bounce, complaint or loop (RFC 3834, RFC 3464, RFC 5965).

The loop rules stand in this one place and in the order of their strength. What happens then is decided
elsewhere. Pure; called by the pipeline and by ``parse_mail``.
"""

import re
from collections.abc import Callable

from emailflow.mail import Kind, ParsedMail, Report
from tickets.tokens import verified_numbers

# The form that our own Message-IDs have: ticket number, what was sent, signature.
_OUR_MESSAGE_ID = re.compile(r"^<TKT-\d{8}-\d{3,}-[^<>@\s]+@([^<>@\s]+)>$", re.IGNORECASE)
OUR_HEADER = "X-Hub"

_AUTO_PRECEDENCE = ("auto_reply", "auto-reply", "autoreply")
_LIST_PRECEDENCE = ("bulk", "list", "junk")
_LIST_HEADERS = ("List-Id", "List-Unsubscribe", "List-Post", "X-Mailing-List", "Mailing-List")
_AUTO_REPLY_HEADERS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Mail-Autoreply",
    "X-Autoreply-From",
    "X-Auto-Reply-From",
)
_NULL_SENDERS = ("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon")
_NO_REPLY = re.compile(
    r"^(?:[a-z0-9.+-]*[._+-])?(?:no[._-]?reply|do[._-]?not[._-]?reply|dont[._-]?reply|svar[._-]?ikke"
    r"|ikke[._-]?svar|ingen[._-]?svar|nicht[._-]?antworten|noreplies)(?:[._+-][a-z0-9.+=-]*)?$"
)
# At the start of the subject only: a customer may well write about holidays and automatic answers.
_OUT_OF_OFFICE = re.compile(
    r"^\W*(?:(?:re|sv|aw|vs|antw)\s*:\s*)?(?:"
    # English
    r"auto(?:matic|mated)?[ -]?(?:reply|response)\b|auto(?:re)?\s*:|out[ -]of[ -](?:the[ -])?office\b|ooo\s*:"
    r"|(?:i am |i'm )?(?:away from|on) (?:the office|vacation|annual leave|holiday leave)\b"
    r"|vacation (?:reply|response)\b"
    # Danish
    r"|auto(?:matisk)?[ -]?svar\s*[:!.-]|autosvar\b|automatisk (?:svar|besvarelse|besked)\s*[:!.-]"
    r"|fravær(?:s(?:besked|meddelelse|melding)|ende)?\s*[:!-]|fravær(?:sbesked|sassistent)\b"
    r"|ikke (?:på kontoret|til stede)\s*[:!-]|ude af kontoret\b|ikke på kontoret\b"
    r"|jeg (?:er|holder) (?:på )?ferie\b|ferie(?:besked|svar|lukket)\s*[:!-]"
    # Swedish and Norwegian
    r"|frånvar(?:o|ande)(?:meddelande)?\s*[:!-]|frånvaromeddelande\b|automatiskt svar\s*[:!.-]"
    r"|ej på kontoret\b|er fraværende\s*[:!-]|ute av kontoret\b|utenfor kontoret\b|borte fra kontoret\b"
    # German
    r"|abwesenheits(?:notiz|assistent|meldung|nachricht|benachrichtigung)\b"
    r"|automatische (?:antwort|e-?mail-?antwort)\b|(?:ich bin )?(?:nicht im büro|außer haus)\b"
    r")",
    re.IGNORECASE,
)
_READ_RECEIPT = "disposition-notification"

_REPORTED = {
    Report.BOUNCE: "was not delivered",
    Report.DELAY: "is delayed",
    Report.SUCCESS: "was delivered",
    Report.COMPLAINT: "was complained of",
}

Answer = tuple[Kind, str] | None


def screen(
    mail: ParsedMail,
    our_addresses: frozenset[str] = frozenset(),
    our_domain_ids: frozenset[str] = frozenset(),
) -> tuple[Kind, str]:
    """The kind of a mail and the reason in words.

    ``our_addresses`` are all addresses of our own mailboxes, lower case; ``our_domain_ids`` the domains (or
    instance ids) behind the ``@`` of our Message-IDs and in our ``X-Hub`` header, lower case.
    """
    loop = _loop(mail, our_addresses, our_domain_ids)
    if loop:
        return loop
    for rule in RULES:
        answer = rule(mail)
        if answer:
            return answer
    return Kind.PERSON, "Nothing in its form says that a machine wrote it."


def is_ours(mail: ParsedMail, our_domain_ids: frozenset[str]) -> str:
    """Why this is a mail that we sent ourselves, or ''. Its sender alone proves nothing: a colleague may write from
    one of our addresses."""
    match = _OUR_MESSAGE_ID.match(mail.message_id)
    if match and match[1].lower() in our_domain_ids and verified_numbers(mail.message_id):
        return "Its Message-ID is one of ours."
    return ""


def _loop(mail: ParsedMail, our_addresses: frozenset[str], our_domain_ids: frozenset[str]) -> Answer:
    ours = is_ours(mail, our_domain_ids)
    if ours:
        return Kind.LOOP, ours
    if any(value.strip().lower() in our_domain_ids for value in mail.header_values(OUR_HEADER)):
        return Kind.LOOP, f"It carries our own {OUR_HEADER} header."
    own = next((sender for sender in mail.senders or (mail.sender,) if sender.key in our_addresses), None)
    if own:
        return Kind.LOOP, f"Its sender {own.key} is one of our own mailboxes."
    for value in mail.header_values("X-Loop"):
        if value.strip("<> ").lower() in our_addresses:
            return Kind.LOOP, "Its X-Loop header names one of our own mailboxes."
    return None


def _complaint(mail: ParsedMail) -> Answer:
    return (Kind.COMPLAINT, "It is a feedback report (RFC 5965).") if mail.is_complaint else None


def _bounce(mail: ParsedMail) -> Answer:
    if mail.bounce is None:
        return None
    if mail.bounce.suspected:
        if not (takes_no_answers(mail.sender.key) or _null_sender(mail)):
            # A person may have written this: it must not go where nobody looks.
            return None
        return Kind.BOUNCE, "It has the form of a delivery report, but does not say who was not reached."
    who = ", ".join(mail.bounce.recipients[:3]) or "a recipient that it does not name"
    return Kind.BOUNCE, f"It reports that mail to {who} {_REPORTED[mail.bounce.report]}."


def _report(mail: ParsedMail) -> Answer:
    if mail.report_type == _READ_RECEIPT:
        return Kind.AUTO_REPLY, "It is a read receipt (RFC 8098)."
    if mail.report_type:
        return Kind.AUTO_GENERATED, f"It is a report of type {mail.report_type} (RFC 6522)."
    return None


def _auto_submitted(mail: ParsedMail) -> Answer:
    value = mail.header("Auto-Submitted").partition(";")[0].strip().lower()
    if not value or value == "no":
        return None
    if value.startswith("auto-replied"):
        return Kind.AUTO_REPLY, "Its Auto-Submitted header says auto-replied (RFC 3834)."
    return Kind.AUTO_GENERATED, f"Its Auto-Submitted header says {value[:40]} (RFC 3834)."


def _auto_reply_headers(mail: ParsedMail) -> Answer:
    for name in _AUTO_REPLY_HEADERS:
        if any(value.strip().lower() not in ("", "no", "false") for value in mail.header_values(name)):
            return Kind.AUTO_REPLY, f"It has the header {name}."
    precedence = mail.header("Precedence").strip().lower()
    if precedence in _AUTO_PRECEDENCE:
        return Kind.AUTO_REPLY, f"Its Precedence is {precedence}."
    return None


def _out_of_office(mail: ParsedMail) -> Answer:
    match = _OUT_OF_OFFICE.match(mail.subject)
    return (Kind.AUTO_REPLY, f"Its subject begins with {match[0].strip()!r}.") if match else None


def _list(mail: ParsedMail) -> Answer:
    for name in _LIST_HEADERS:
        if mail.header(name):
            return Kind.LIST, f"It has the header {name}."
    precedence = mail.header("Precedence").strip().lower()
    if precedence in _LIST_PRECEDENCE:
        return Kind.LIST, f"Its Precedence is {precedence}."
    return None


def _machine_headers(mail: ParsedMail) -> Answer:
    suppress = mail.header("X-Auto-Response-Suppress").strip().lower()
    if suppress and suppress != "none":
        return Kind.AUTO_GENERATED, "It asks for no automatic answers (X-Auto-Response-Suppress)."
    if mail.header("X-Loop"):
        return Kind.AUTO_GENERATED, "It has the header X-Loop."
    return None


def _null_sender(mail: ParsedMail) -> Answer:
    if any(value.replace(" ", "") == "<>" for value in mail.header_values("Return-Path")):
        return Kind.AUTO_GENERATED, "Its envelope sender is empty (RFC 5321 section 4.5.5)."
    return None


def _machine_sender(mail: ParsedMail) -> Answer:
    reason = takes_no_answers(mail.sender.key)
    return (Kind.AUTO_GENERATED, reason) if reason else None


def takes_no_answers(address: str) -> str:
    """Why an address, in lower case, belongs to a machine that reads no mail, or ''."""
    local = address.partition("@")[0]
    if local in _NULL_SENDERS:
        return f"Its sender is {local}."
    if _NO_REPLY.match(local):
        return f"Its sender {local} takes no replies."
    return ""


# The first rule that answers wins. An automatic answer is told from other machine mail first, because a note
# is made of it (and Exchange sends its own as auto-generated); a list before the weaker signs of a machine.
RULES: tuple[Callable[[ParsedMail], Answer], ...] = (
    _complaint,
    _bounce,
    _report,
    _auto_reply_headers,
    _out_of_office,
    _auto_submitted,
    _list,
    _machine_headers,
    _null_sender,
    _machine_sender,
)
