"""Whether two mails are one: the same mail through two mailboxes, a list's copy, a sender's second try.

Only the identity of an applied mail counts. An equal identity is a duplicate only if the content agrees too:
parcel services reuse Message-IDs, and a stranger may race with a copied one.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

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


ReadMail = Callable[[Message], ParsedMail | None]


def find_duplicates(works: Sequence[Work], read_mail: ReadMail) -> None:
    """Fill in ``identity``, ``duplicate_of``, ``twin``. One SELECT; the first mail is read again only on a hit.

    Where another mail has the identity, the content is mixed in and compared once more: that mail may have come
    through two mailboxes as well. What repeats another one gets an identity of its own.
    """
    ours = {work.message.pk for work in works}
    wanted = {identity for work in works for identity in _identities(work)}
    known = Message.objects.filter(identity__in=wanted).exclude(pk__in=ours)
    first = {row.identity: row for row in known}
    here: dict[str, Work] = {}
    for work in works:
        work.identity, work.duplicate_of, work.twin = _unique(work), None, None
        for identity in _identities(work):
            other, twin = first.get(identity), here.get(identity)
            if other is None and twin is None:
                work.identity = identity
                here[identity] = work
                break
            if other is not None and _repeats(work, _of_row(other), partial(read_mail, other)):
                work.duplicate_of = other
                break
            if other is None and twin is not None and _repeats(work, _of_work(twin), partial(_mail_of, twin)):
                work.duplicate_of, work.twin = twin.message, twin
                break


def _identities(work: Work) -> tuple[str, str]:
    plain = identity_of(work.mail, work.message.sha256)
    content = "\0".join((plain, work.mail.subject, work.text_sha256, work.attachments_sha256))
    return plain, hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()


def _unique(work: Work) -> str:
    return hashlib.sha256(f"{work.message.sha256}\0{work.message.mailbox_id}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _First:
    """What is compared of the mail that came first."""

    subject: str
    text_sha256: str
    attachments_sha256: str
    verdict: Verdict


def _of_row(row: Message) -> _First:
    verdict = Verdict(row.sender_verdict or Verdict.NONE)
    return _First(row.subject, row.text_sha256, row.attachments_sha256, verdict)


def _mail_of(work: Work) -> ParsedMail:
    return work.mail


def _of_work(work: Work) -> _First:
    return _First(work.mail.subject, work.text_sha256, work.attachments_sha256, work.verdict)


def _repeats(work: Work, first: _First, read: Callable[[], ParsedMail | None]) -> bool:
    if work.mail.subject != first.subject or work.attachments_sha256 != first.attachments_sha256:
        return False
    if _BELIEF[first.verdict] < _BELIEF[work.verdict]:
        return False
    if work.text_sha256 == first.text_sha256:
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
