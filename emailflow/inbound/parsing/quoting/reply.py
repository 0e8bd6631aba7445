"""Whether a mail is an answer at all: only then is anything of it a quote."""

from emailflow.inbound.parsing.quoting.languages import FORWARD_MARKS, REPLY_MARKS

MAX_MARK = 16


def is_reply(subject: str, *, answers: bool) -> bool:
    """``answers`` says whether In-Reply-To or References name a mail (RFC 5322 section 3.6.4).

    Programs set these headers when they forward, too: there the mark in front of the subject decides.
    """
    mark = subject_mark(subject)
    if mark in FORWARD_MARKS:
        return False
    return answers or mark in REPLY_MARKS


def subject_mark(subject: str) -> str:
    """The word before the first colon ("re", "sv", "fwd"), without a counter: "Re[2]:" is "re"."""
    while subject.startswith("["):
        subject = subject.partition("]")[2].lstrip()
    head, colon, _ = subject[: MAX_MARK + 8].partition(":")
    return head.strip().rstrip("0123456789[]()^").strip().lower() if colon else ""
