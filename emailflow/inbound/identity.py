"""Whether two mails are one: the same mail through two mailboxes, a list's copy, a sender's second try.

Only the identity of an applied mail counts. An equal identity is a duplicate only if the content agrees too:
parcel services reuse Message-IDs, and a stranger may race with a copied one.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from emailflow.inbound.work import Work
from emailflow.mail import ParsedMail, Verdict
from emailflow.models import Message

MAX_FOOTER = 1000
MAX_FOOTER_SHARE = 0.2
_BELIEF = {Verdict.FAIL: 0, Verdict.NONE: 1, Verdict.PASS: 2}


def identity_of(mail: ParsedMail, sha256: str) -> str:
    """sha256 of Message-ID, From address and Date; without a Message-ID the hash of the raw mail."""
    if not mail.message_id:
        return sha256
    parts = [mail.message_id, mail.sender.key, mail.header("Date")]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def text_hash(text: str) -> str:
    return hashlib.sha256(_folded(text).encode("utf-8", "replace")).hexdigest()


def attachments_hash(mail: ParsedMail) -> str:
    """Of the set of attachment hashes: a list may reorder them."""
    hashes = sorted({attachment.sha256 for attachment in mail.attachments})
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest() if hashes else ""


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def find_duplicates(works: Sequence[Work], read_mail: Callable[[Message], ParsedMail | None]) -> None:
    """Fill in ``identity`` and ``duplicate_of``. One SELECT; the first mail is read again only on a hit."""
    for work in works:
        work.identity = identity_of(work.mail, work.message.sha256)
        work.duplicate_of, work.twin = None, None
    ours = {work.message.pk: work for work in works}
    first: dict[str, Message] = {}
    for row in Message.objects.filter(identity__in={work.identity for work in works}).exclude(pk__in=ours):
        first[row.identity or ""] = row
    here: dict[str, Work] = {}
    for work in works:
        other = first.get(work.identity)
        twin = here.get(work.identity)
        if other is not None:
            if _same(work, other, lambda row=other: read_mail(row)):
                work.duplicate_of = other
        elif twin is not None and _same(work, twin.message, lambda mail=twin.mail: mail, twin):
            work.duplicate_of, work.twin = twin.message, twin
        if work.duplicate_of is not None or other is not None or twin is not None:
            work.identity = _mixed(work)
        else:
            here[work.identity] = work


def _mixed(work: Work) -> str:
    plain = identity_of(work.mail, work.message.sha256)
    mailbox = work.message.mailbox_id
    return hashlib.sha256(f"{plain}\0{work.message.sha256}\0{mailbox}".encode()).hexdigest()


def _same(work: Work, other: Message, read: Callable[[], ParsedMail | None], twin: Work | None = None) -> bool:
    subject = twin.mail.subject if twin else other.subject
    attachments = twin.attachments_sha256 if twin else other.attachments_sha256
    verdict = twin.verdict if twin else Verdict(other.sender_verdict or Verdict.NONE)
    if work.mail.subject != subject or work.attachments_sha256 != attachments:
        return False
    if _BELIEF[verdict] < _BELIEF[work.verdict]:
        return False
    if work.text_sha256 == (twin.text_sha256 if twin else other.text_sha256):
        return True
    mail = read()
    return mail is not None and _nearly(_folded(work.mail.text), _folded(mail.text))


def _nearly(one: str, other: str) -> bool:
    """The longer is the shorter plus a list's footer. Empty equals only empty."""
    short, long = sorted((one, other), key=len)
    if not short:
        return not long
    extra = len(long) - len(short)
    return extra <= min(MAX_FOOTER, MAX_FOOTER_SHARE * len(short)) and long.startswith(short)
