"""Whether a mail has the form of a notice by a mail server; without that nothing is read out of its words.

A person who writes about failed mail, or passes a report on, is no mail server. Used by ``bounces`` only.
"""

import re
from functools import cached_property

from emailflow.inbound.parsing.bounces.notice import Notice
from emailflow.inbound.parsing.headers import decode_words

DAEMONS = frozenset(
    {
        *("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon", "mailer_daemon", "mailer.daemon"),
        *("mail.delivery.system", "mail.delivery.subsystem", "maildelivery", "mailer", "mmdf", "uucp", "mailsystem"),
        *("microsoftexchange329e71ec88ae4615bbc36ab6ce41109e", "double-bounce", "bounce", "bounces", "mail-admin"),
    }
)
_DAEMON_NAME = re.compile(
    r"mail(?:er)?[ _.-]?daemon|mail(?: delivery)? (?:delivery )?(?:sub)?system|postmaster|mail administrator"
    r"|microsoft outlook|system administrator|systemadministrator|internet mail delivery|mail router",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^\W{0,10}(?:postmaster\W{1,3})?(?:(?:e-?mail |mail |message |your message |smtp )?"
    r"(?:could not be delivered|delivery (?:failure|failed|error|warning|problem|delayed|notification|report|status))"
    r"|undeliver(?:ed|able)\b|non[- ]?deliver(?:y|able|ed)\b|returned (?:e-?)?mail\b|failure (?:notice|delivery)\b"
    r"|failed (?:mail|delivery)\b|unable to deliver\b|message delivery failure|mail undeliver|mail could not"
    r"|delivery (?:status )?(?:notification|failure|has failed|report|delayed)\b|mail (?:system )?error\b"
    r"|mail failure\b|warning: (?:could not send|message)|message status - undeliverable|returned to sender"
    r"|mail delivery|user unknown|message (?:undeliverable|delayed|not delivered)|your mail (?:was not|to)"
    r"|rejected (?:mail|posting)|error sending|mail returned|return(?:ed|ing) message|bounced mail"
    r"|メールエラー通知"
    r"|kan ikke leveres\b|kunne ikke leveres|ikke leveret\b|meddelelsen kunne ikke leveres|ikke leverbar"
    r"|unzustellbar\b|oleverbart\b|kan inte levereras|onbestelbaar|non remis|undelivrable|no se puede entregar)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?:could not|cannot|can't|couldn't|can not|unable to|was not|wasn't|were not|not able to|not) be(?:en)? "
    r"(?:successfully )?(?:delivered|sent|reached|found)"
    r"|(?:unable to|could not|cannot|couldn't|wasn't able to|can't|failed to|not possible to) "
    r"(?:deliver|send|connect|be delivered)"
    r"|was(?:n't| not) delivered|not (?:yet )?been delivered|undeliver(?:able|ed)|delivery (?:to|has|attempt"
    r"|failure|failed"
    r"|error|of|problem|notification)|non[- ]?delivery|did not reach|(?:has been|was|being|is) (?:rejected|returned"
    r"|delayed|bounced|refused)|user unknown|unknown user|no such user|mailbox (?:is )?(?:full|unavailable|not found)"
    r"|failed address|failed recipient|fatal errors?|delivery to the following|returned (?:mail|to sender|message)"
    r"|message was rejected|not listed in|recipient.{0,30}(?:rejected|unknown|not found)|does not exist"
    r"|following address|following recipient|undelivered|rejected by|over quota|exceeded|quota"
    r"|kunne ikke leveres|kan ikke leveres|ikke leveret|nicht (?:zugestellt|ausgeliefert)|unzustellbar"
    r"|送信できませんでした|n'a pas pu|non recapitabile|no se (?:pudo|ha podido)|não (?:foi|pôde)"
    r"|^<[^<>\s]{1,200}@[^<>\s]{1,200}>:$",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER = re.compile(r"^\s{0,5}(?:re|sv|aw|vs|fwd?|fw|wg|vb|videresendt)\s{0,3}:", re.IGNORECASE)


def local_part(address: str) -> str:
    return address.lower().rpartition("@")[0].strip("\"' <") or address.lower().strip("\"' <>")


def is_daemon(address: str) -> bool:
    return local_part(address) in DAEMONS


class Gate:
    """The signs of one notice, each looked at once; the dearest only where another one speaks for it."""

    def __init__(self, notice: Notice) -> None:
        block = notice.block
        self.null_sender = notice.envelope in ("<>", "MAILER-DAEMON") or any(
            value.replace(" ", "")[:20] == "<>" for value in block.all("Return-Path")
        )
        senders = [notice.sender, block.first("From")[:300], block.first("Sender")[:300], notice.envelope]
        self.daemon = any(is_daemon(sender) for sender in senders if sender) or any(
            _DAEMON_NAME.search(sender) for sender in senders[:3] if sender
        )
        subject = decode_words(block.first("Subject")[:1_000])
        self.answer = _ANSWER.match(subject) is not None
        self.subject = _SUBJECT.search(subject) is not None
        self._text = notice.text
        automatic = block.first("Auto-Submitted").strip().lower()
        self.absent = automatic.startswith("auto-replied") and not self.daemon
        self.conversation = bool(block.first("List-Id") or block.first("In-Reply-To")) and not self.daemon
        self.report = notice.report_type == "delivery-status"

    @cached_property
    def words(self) -> bool:
        return _WORDS.search(self._text[:20_000]) is not None

    @property
    def open(self) -> bool:
        """Whether the words of this mail may be read as those of a notice."""
        if self.absent or self.conversation or (self.answer and not self.daemon):
            return False
        if self.daemon or self.report:
            return self.words or self.subject
        return (self.subject and (self.words or self.null_sender)) or (self.null_sender and self.words)

    @property
    def trusted(self) -> bool:
        """Whether the fields of a delivery-status part are the mail's own, and not passed on by a person."""
        return self.report or self.daemon or self.null_sender or (self.subject and not self.answer)
