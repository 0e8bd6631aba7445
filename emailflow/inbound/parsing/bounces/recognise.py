"""Reads a report: what it says of whom, and about which mail. The order of its readers is data. Used by ``parse``.

Never raises on a strange report; what cannot be read is only suspected.
"""

from collections.abc import Callable
from dataclasses import replace

from emailflow.inbound.parsing.bounces.arf import read_complaint
from emailflow.inbound.parsing.bounces.codes import class_of, is_hard, status_of
from emailflow.inbound.parsing.bounces.gate import Gate, is_daemon
from emailflow.inbound.parsing.bounces.notice import Notice, make_notice
from emailflow.inbound.parsing.bounces.original import addresses_in, block_of_lines, read_original
from emailflow.inbound.parsing.bounces.report import MAX_DIAGNOSTIC, MAX_RECIPIENTS, groups_in, recipients_of
from emailflow.inbound.parsing.bounces.templates import (
    action_of,
    named_failures,
    sendmail_failures,
    without_echo,
    words_about,
)
from emailflow.inbound.parsing.headers import HeaderBlock, one_line, split_message
from emailflow.inbound.parsing.mime import walk
from emailflow.inbound.parsing.parts import Walked
from emailflow.mail import Bounce, OriginalMail, Report, ReportedRecipient

MAX_INNER = 300_000
MAX_INNER_PARTS = 3
Reader = Callable[["Notice", Gate, OriginalMail], list[ReportedRecipient]]


def read_bounce(block: HeaderBlock, walked: Walked, sender: str, head: bytes, depth: int = 0) -> Bounce | None:
    """What the report says, or None where the mail is not one. ``head`` are the first bytes of the mail."""
    notice = make_notice(block, walked, sender, head)
    original = read_original([*notice.originals, block_of_lines(notice.tail)])
    if walked.report_type == "feedback-report":
        return read_complaint(notice, original)
    gate = Gate(notice)
    if walked.report_type == "disposition-notification" and not gate.daemon:
        return None
    nameless: list[ReportedRecipient] = []
    for reader in READERS:
        found = reader(notice, gate, original)
        if any(one.address for one in found):
            return _bounce(_merged(found, nameless), original)
        nameless = nameless or found
    if not (gate.open or gate.report):
        return None
    inner = _inside(walked) if not depth else None
    if inner is not None:
        return inner
    found = _of_only_recipient(notice, gate, original)
    if found:
        return _bounce(_merged(found, nameless), original)
    if depth:
        return None
    if nameless:
        return replace(_bounce(nameless, original), suspected=True)
    return Bounce(original=original, suspected=True) if _suspect(gate) else None


def _merged(found: list[ReportedRecipient], nameless: list[ReportedRecipient]) -> list[ReportedRecipient]:
    """A report may say what happened in its fields and to whom only in its words."""
    if not nameless:
        return found
    said = nameless[0]
    return [
        replace(one, final=said.final, original=said.original, action=said.action, status=said.status, hard=said.hard)
        for one in found
    ]


def _suspect(gate: Gate) -> bool:
    return gate.report or (gate.subject and (gate.daemon or gate.null_sender))


def _of_status(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    if not notice.statuses or not gate.trusted:
        return []
    groups = groups_in(notice.statuses)
    named = addresses_in(" , ".join(group.get("final-recipient", "") for group in groups)[:20_000])
    return recipients_of(groups, words_about(notice.lines, named))


def _of_fields_in_text(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    if not gate.open:
        return []
    return [one for one in recipients_of(groups_in([notice.text]), {}) if one.address]


def _of_header(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    named = addresses_in(" , ".join(notice.block.all("X-Failed-Recipients"))[:8_000])
    return _described(named, notice) if named and not gate.absent else []


def _of_original(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    """The best rule for notices in words: an address of the original's To or Cc that the notice names too."""
    if not gate.open:
        return []
    lines = without_echo(notice.lines)
    text = "\n".join(lines).lower()
    own = _not_meant(notice, original)
    named = [a for a in (*original.to, *original.cc) if a.lower() in text and a.lower() not in own and not is_daemon(a)]
    extra = [address for address in sendmail_failures(lines) if address.lower() not in own and not is_daemon(address)]
    known = {address.lower() for address in named}
    return _described([*named, *(a for a in dict.fromkeys(extra) if a.lower() not in known)], notice)


def _of_words(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    if not gate.open:
        return []
    own = _not_meant(notice, original)
    named = [address for address in named_failures(without_echo(notice.lines), own) if not is_daemon(address)]
    return _described(named, notice)


def _of_only_recipient(notice: Notice, gate: Gate, original: OriginalMail) -> list[ReportedRecipient]:
    """A notice that names nobody is about the only one to whom the original went."""
    if not gate.open or not (gate.daemon or gate.null_sender) or not (gate.subject or gate.report):
        return []
    everybody = [*original.to, *original.cc]
    own = addresses_in(" , ".join(notice.block.all("To"))[:8_000])
    meant = len(everybody) == 1 and everybody[0].lower() not in {address.lower() for address in own}
    return _described(everybody, notice) if meant else []


# From the surest to the least sure; the first that names somebody counts.
READERS: tuple[Reader, ...] = (_of_status, _of_fields_in_text, _of_header, _of_original, _of_words)


def _not_meant(notice: Notice, original: OriginalMail) -> set[str]:
    names = " , ".join(value for name in ("To", "Cc", "From", "Sender") for value in notice.block.all(name)[:3])
    return {address.lower() for address in (*addresses_in(names[:8_000]), original.sender) if address}


def _described(named: list[str], notice: Notice) -> list[ReportedRecipient]:
    found = []
    action = action_of(notice.lines)
    about = words_about(notice.lines, named)
    for address in named[:MAX_RECIPIENTS]:
        words = about[address.lower()]
        status = status_of("", words) or class_of(action)
        diagnostic = one_line(words)[:MAX_DIAGNOSTIC]
        hard = is_hard(action, status, words, words)
        found.append(ReportedRecipient(address, action=action, status=status, diagnostic=diagnostic, hard=hard))
    return found


def _bounce(found: list[ReportedRecipient], original: OriginalMail) -> Bounce:
    actions = {one.action for one in found}
    report = Report.BOUNCE if "failed" in actions else Report.DELAY if "delayed" in actions else Report.SUCCESS
    return Bounce(report=report, reports=tuple(found), original=original)


def _inside(walked: Walked) -> Bounce | None:
    """The notice in a notice, once: a server that could only wrap what another said."""
    messages = [file for file in walked.attachments if file.mime_type == "message/rfc822" and file.content]
    for file in messages[:MAX_INNER_PARTS]:
        raw = file.content[:MAX_INNER]
        block, start = split_message(raw, outer=True)
        sender = next(iter(addresses_in(block.first("From")[:2_000], 1)), "")
        bounce = read_bounce(block, walk(block, raw, start), sender, raw[:400], depth=1)
        if bounce is not None:
            return replace(bounce, suspected=bounce.suspected)
    return None
