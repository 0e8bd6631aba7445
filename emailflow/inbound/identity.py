"""Whether two mails are one: the same mail through two mailboxes, a list's copy, a sender's second try.

Only the identity of an applied mail counts. An equal identity is a duplicate only if the content agrees too:
parcel services reuse Message-IDs, and a stranger may race with a copied one.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial

from django.db import connection

from emailflow.inbound.thread import MAX_WAITS
from emailflow.inbound.work import Work
from emailflow.mail import Kind, ParsedMail, Verdict
from emailflow.models import Message
from tickets.models import EmailLog

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
    """Fill in ``identity``, ``duplicate_of`` and, for twins in one group, ``wait_for``.

    One SELECT; on a hit one more, and the first mail is read again. Where another mail has the identity, the
    content is mixed in and compared once more: that mail may have come through two mailboxes as well. What repeats
    another one gets an identity of its own.
    """
    ours = {work.message.pk for work in works}
    wanted = {identity for work in works for identity in _identities(work)}
    others = _having(wanted) - ours
    first = {row.identity: row for row in Message.objects.filter(pk__in=others)} if others else {}
    here: dict[str, Work] = {}
    for work in works:
        work.identity, work.duplicate_of = _unique(work), None
        for identity in _identities(work):
            other, twin = first.get(identity), here.get(identity)
            if other is None and twin is None:
                work.identity = identity
                here[identity] = work
                break
            if twin is not None and work.message.waits < MAX_WAITS:
                # What becomes of the first is not known yet: this one is compared when it is.
                work.wait_for = twin.message.pk
                break
            if other is not None and _settled(other, work) and _repeats(work, other, partial(read_mail, other)):
                work.duplicate_of = other
                break


def _having(identities: Collection[str]) -> set[int]:
    """The messages that have one of these; for nearly every mail none, which an ORM query is dear for."""
    marks = ", ".join(["%s"] * len(identities))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM email_messages WHERE identity IN ({marks})", list(identities))
        return {pk for (pk,) in cursor.fetchall()}


def _settled(first: Message, work: Work) -> bool:
    """Whether people see the first one: a copy of a mail that was ignored, or of one that somebody else may have
    slipped into a thread, must not disappear with it."""
    if first.ticket_id is None or (first.kind != work.kind and {first.kind, work.kind} != {Kind.PERSON, Kind.LIST}):
        return False
    logged = EmailLog.objects.filter(source_key=f"in:{first.pk}", comment__is_unverified=True)
    return not logged.exists()


def _identities(work: Work) -> tuple[str, str]:
    plain = identity_of(work.mail, work.message.sha256)
    content = "\0".join((plain, work.mail.subject, work.text_sha256, work.attachments_sha256))
    return plain, hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()


def _unique(work: Work) -> str:
    return hashlib.sha256(f"{work.message.sha256}\0{work.message.mailbox_id}".encode()).hexdigest()


def _repeats(work: Work, first: Message, read: Callable[[], ParsedMail | None]) -> bool:
    if work.mail.subject != first.subject or work.attachments_sha256 != first.attachments_sha256:
        return False
    if _BELIEF[Verdict(first.sender_verdict or Verdict.NONE)] < _BELIEF[work.verdict]:
        return False
    mail = read()
    if mail is None:
        return work.text_sha256 == first.text_sha256
    if work.text_sha256 == first.text_sha256:
        return _folded(work.mail.html) == _folded(mail.html) or Kind.LIST in (work.kind, first.kind)
    mine, theirs = _folded(work.mail.text), _folded(mail.text)
    # Only a list adds a footer; anybody else who writes more has more to say.
    longer = work.mail if len(mine) > len(theirs) else mail
    return _came_by_a_list(longer) and _nearly(mine, theirs)


def _came_by_a_list(mail: ParsedMail) -> bool:
    return any(mail.header(name) for name in ("List-Id", "List-Post", "List-Unsubscribe", "Precedence"))


def _nearly(one: str, other: str) -> bool:
    """The longer is the shorter plus a list's footer. Empty equals only empty."""
    short, long = sorted((one, other), key=len)
    if not short:
        return not long
    extra = len(long) - len(short)
    return extra <= min(MAX_FOOTER, MAX_FOOTER_SHARE * len(short)) and long.startswith(short)
