"""Delivery reports read (RFC 3464, RFC 3463). Used by ``parse`` only; ``screen`` gives the mail its kind."""

import email
import logging
import re
from collections.abc import Iterable

from flufl.bounce import all_failures

from emailflow.inbound.parsing.headers import Buffer, HeaderBlock, decode_words, message_id, one_line, split_message
from emailflow.inbound.parsing.parts import Walked
from emailflow.mail import Bounce

_MAX_SCANNED = 200_000
_MAX_LINES = 3_000
_MAX_RECIPIENTS = 100
_FAILED = ("failed", "delayed")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_MESSAGE_ID_LINE = re.compile(r"^[> \t]*Message-ID:[ \t]*(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
# It logs a traceback for each mail that it does not understand; the defect of the mail says it once.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
_BOUNCE_SENDERS = (
    *("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon"),
    *("mail.delivery.system", "mail.delivery.subsystem"),
)
_FAILURE_SUBJECT = re.compile(
    r"^\W*(?:postmaster\W+)?(?:(?:e-?mail |mail |message |your message )?"
    r"(?:could not be delivered|delivery (?:failure|failed|error|warning))"
    r"|undeliver(?:ed|able)\b|non[- ]deliver(?:y|able)\b|returned (?:e-?)?mail\b|failure notice\b|failed mail\b"
    r"|delivery (?:status )?(?:notification|failure)\b|delivery has failed\b|mail (?:system )?error\b"
    r"|mail failure\b|warning: could not send\b|message status - undeliverable"
    r"|kan ikke leveres\b|ikke leveret\b|meddelelsen kunne ikke leveres|unzustellbar\b|oleverbart\b)",
    re.IGNORECASE,
)


def has_bounce_form(block: HeaderBlock, report_type: str, sender: str) -> bool:
    """Whether a mail has the form of a delivery report; without it the heuristics flag good mail."""
    if report_type == "delivery-status" or block.first("X-Failed-Recipients"):
        return True
    if any(value.replace(" ", "") == "<>" for value in block.all("Return-Path")):
        return True
    return _is_daemon(sender) or _FAILURE_SUBJECT.match(decode_words(block.first("Subject"))) is not None


def _is_notice(block: HeaderBlock, report_type: str, sender: str) -> bool:
    """Whether the mail itself is the report (RFC 6522 section 3), and not a person's who passes one on."""
    null_sender = any(value.replace(" ", "") == "<>" for value in block.all("Return-Path"))
    failure = _FAILURE_SUBJECT.match(decode_words(block.first("Subject"))) is not None
    return report_type == "delivery-status" or null_sender or _is_daemon(sender) or failure


def _is_daemon(sender: str) -> bool:
    return sender.lower().partition("@")[0].strip('"') in _BOUNCE_SENDERS


def read_bounce(raw: Buffer, block: HeaderBlock, walked: Walked, sender: str, text: str) -> tuple[Bounce | None, str]:
    """What the report says, or None when the mail is not one or reports a success; and a defect or ''."""
    if walked.report_type in ("feedback-report", "disposition-notification"):
        return None, ""
    original = _original_message_id(walked.originals, text)
    if walked.delivery_status and _is_notice(block, walked.report_type, sender):
        bounce, is_report = _from_status(walked.delivery_status, original)
        if is_report:
            return bounce, ""
    if not has_bounce_form(block, walked.report_type, sender):
        return None, ""
    if block.first("Auto-Submitted").lower().startswith("auto-replied") and not _is_daemon(sender):
        return None, ""  # out of office: its envelope sender is empty too (RFC 3834 section 3.3)
    temporary, permanent, defect = _by_heuristics(raw)
    permanent = permanent or _addresses(block.all("X-Failed-Recipients"))
    failed = _FAILURE_SUBJECT.match(decode_words(block.first("Subject"))) is not None
    if not (permanent or temporary or (failed and _is_daemon(sender))):
        return None, defect
    status = _STATUS.search(text)
    action = "delayed" if temporary and not permanent else "failed"
    return Bounce(permanent or temporary, status[1] if status else "", action, "", original), defect


def _from_status(reports: list[bytes], original: str) -> tuple[Bounce | None, bool]:
    """One group of fields a recipient, after the group of the message (RFC 3464 section 2.1)."""
    recipients: dict[str, None] = {}
    status = action = diagnostic = ""
    actions: list[str] = []
    for content in reports:
        for group in _BLANK_LINE.split(content.strip(), _MAX_RECIPIENTS + 1)[: _MAX_RECIPIENTS + 1]:
            block, _ = split_message(group.strip() + b"\n\n")
            this_action = one_line(block.first("Action")).partition(" ")[0].lower()
            this_status = _STATUS.search(block.first("Status"))
            recipient = _recipient(block)
            if not (this_action or this_status or recipient):
                continue
            if not this_action:
                this_action = "failed" if not this_status or this_status[1][0] != "2" else "delivered"
            actions.append(this_action)
            if this_action not in _FAILED:
                continue
            if recipient:
                recipients[recipient] = None
            status = status or (this_status[1] if this_status else "")
            action = action or this_action
            diagnostic = diagnostic or one_line(block.first("Diagnostic-Code"))[:1_000]
    if not actions:
        return None, False
    if not action:
        return None, True  # delivered, relayed or expanded: good news
    return Bounce(tuple(recipients), status, action, diagnostic, original), True


def _recipient(block: HeaderBlock) -> str:
    for name in ("Original-Recipient", "Final-Recipient", "X-Actual-Recipient"):
        value = one_line(block.first(name))
        address = value.partition(";")[2] or value
        address = address.strip(" <>").split(" ")[0].strip("<>")
        if "@" in address:
            return address[:320]
    return ""


def _original_message_id(originals: list[HeaderBlock], text: str) -> str:
    for block in originals:
        found = message_id(block.first("Message-ID"))
        if found:
            return found
    match = _MESSAGE_ID_LINE.search(text[:_MAX_SCANNED])
    return match[1] if match else ""


def _by_heuristics(raw: Buffer) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Temporary and permanent failures that flufl.bounce finds, and a defect or ''."""
    try:
        # It runs some hundred patterns over each line.
        lines = raw[:_MAX_SCANNED].splitlines(keepends=True)[:_MAX_LINES]
        temporary, permanent = all_failures(email.message_from_bytes(b"".join(lines)))
    except Exception as error:  # noqa: BLE001  its detectors raise all sorts on ordinary mail
        return (), (), f"The delivery report could not be read ({type(error).__name__})."
    return _addresses(temporary), _addresses(permanent), ""


def _addresses(values: Iterable[str | bytes]) -> tuple[str, ...]:
    texts = (v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values)
    addresses = (word.strip("<> ,;")[:320] for text in texts for word in text.split(","))
    return tuple(sorted({address for address in addresses if "@" in address}))[:_MAX_RECIPIENTS]
