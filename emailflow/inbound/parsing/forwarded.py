"""Who wrote first, when somebody forwards a mail: staff may want that person as the requester.

A hint only, taken from a text that anybody can write: it never changes who the requester is. Used by ``parse``.
"""

import re
from collections.abc import Callable, Sequence

from emailflow.inbound.parsing.headers import HeaderBlock
from emailflow.mail import Address

MAX_SEARCHED = 50_000
_SUBJECT = re.compile(r"\s*(?:fwd?|vs|vb|wg|videresendt)\s*:", re.IGNORECASE)
# Cheap to look for; what they find is looked at closely.
_STEMS = ("forward", "videresen", "weitergeleitet", "vidarebefordra")
_MARK = re.compile(
    r"^[ \t>*]*(?:[-_]{2,}[ \t]*)?(?:begin forwarded message|forwarded message"
    r"|(?:start på |begynnelse på )?videresendt (?:meddelelse|besked|mail|melding|e-post)"
    r"|(?:anfang der )?weitergeleiteten? (?:nachricht|e-mail)"
    r"|(?:början på )?vidarebefordrat (?:meddelande|brev|mail)|forwarded by [^\n]{1,80})\b[^\n]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
_FROM = re.compile(r"^[ \t>*]*(?:from|fra|von|från)[ \t*]*:[ \t*]*([^\n]{3,300})$", re.IGNORECASE | re.MULTILINE)
_OTHER = re.compile(
    r"^[ \t>*]*(?:sent|date|to|subject|cc|sendt|dato|til|emne|gesendet|datum|an|betreff|skickat|till|ämne)[ \t*]*:",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(r"(?:mailto:)?([^\s<>()\[\]\"',;:]{1,100}@[^\s<>()\[\]\"',;:]{1,150})")
_MAX_TRIED = 20
ReadAddress = Callable[[str], Address | None]


def original_sender(
    subject: str, text: str, messages: Sequence[HeaderBlock], sender: Address, read: ReadAddress
) -> Address | None:
    """The From of the one attached mail, or of the block of headers that a mail program writes above it."""
    found = read(messages[0].first("From")) if len(messages) == 1 else _inline(subject, text[:MAX_SEARCHED])
    if found is None or "@" not in found.key or found.key == sender.key:
        return None
    return found


def _inline(subject: str, text: str) -> Address | None:
    start = 0
    if not _SUBJECT.match(subject):
        lowered = text.lower()
        if not any(stem in lowered for stem in _STEMS):
            return None
        mark = _MARK.search(text)
        if mark is None:
            return None
        start = mark.end()
    for number, match in enumerate(_FROM.finditer(text, start)):
        if number >= _MAX_TRIED:
            break
        # The other lines of the block stand around it; a sentence that begins with "From:" has none.
        around = text[max(start, match.start() - 300) : match.start()].split("\n")[-4:]
        around += text[match.end() : match.end() + 600].split("\n")[:6]
        address = _ADDRESS.search(match[1])
        if address and sum(1 for line in around if _OTHER.match(line)) >= 2:
            name = match[1][: address.start()].strip(" \t\"'<([*")
            return Address(address[1].rstrip(".>*"), " ".join(name.split())[:200])
    return None
