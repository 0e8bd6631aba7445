"""Complaints: feedback reports of receiving sites (RFC 5965). Used by ``bounces`` only."""

import re

from emailflow.inbound.parsing.bounces.notice import Notice
from emailflow.inbound.parsing.bounces.original import addresses_in
from emailflow.inbound.parsing.headers import one_line, parse_date
from emailflow.mail import Bounce, Feedback, OriginalMail, Report, ReportedRecipient

_FIELD = re.compile(
    r"^(feedback-type|original-rcpt-to|original-mail-from|arrival-date|received-date|removal-recipient"
    r"|redacted-address):(.{0,2000})$",
    re.IGNORECASE,
)
MAX_RECIPIENTS = 100


def read_complaint(notice: Notice, original: OriginalMail) -> Bounce:
    """What a feedback report says: whom it is about is Original-Rcpt-To, else the To of the returned mail."""
    fields: list[tuple[str, str]] = []
    for line in "\n".join(notice.feedback).split("\n"):
        match = _FIELD.match(line)
        if match is not None:
            fields.append((match[1].lower(), one_line(match[2])))
        elif line[:1].isspace() and fields and line.strip():
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {one_line(line)}"[:4_000])
    values = dict(reversed(fields))
    named = [value for name, value in fields if name in ("original-rcpt-to", "removal-recipient")]
    stated = tuple(addresses_in(" , ".join(named[:MAX_RECIPIENTS])))
    recipients = stated or original.to[:MAX_RECIPIENTS]
    return Bounce(
        report=Report.COMPLAINT,
        reports=tuple(ReportedRecipient(address, original=address, action="") for address in recipients),
        original=original,
        feedback=Feedback(
            feedback_type=values.get("feedback-type", "").lower()[:100],
            original_recipients=stated,
            original_mail_from=next(iter(addresses_in(values.get("original-mail-from", ""), 1)), ""),
            arrival_date=parse_date(values.get("arrival-date") or values.get("received-date") or ""),
        ),
    )
