"""Puts a mail under a label by its form and by Danish and English words. Pure: no tables, no network.

Each sign has a weight between 0 and 1; signs of one label add up as chances do (1 - the product of what is
left), so that no number of weak signs makes certainty. Spam needs several strong signs: a good mail that is
called spam is lost work for a customer, a spam that becomes a ticket costs one click.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from emailflow.classify.base import Classification
from emailflow.classify.phrases import INVOICE, NEWSLETTER, ORDER, SPAM, SUPPORT, Phrase
from emailflow.classify.together import Together
from emailflow.mail import Kind, ParsedMail

GENERAL = "general"
MAX_TEXT = 4_000
_MIN_CONFIDENCE = 0.35  # below it a mail is "general"
_MAX_CONFIDENCE = 0.99
_BY_KIND = {
    Kind.BOUNCE: ("bounce", 0.99),
    Kind.COMPLAINT: ("bounce", 0.9),
    Kind.AUTO_REPLY: ("auto_reply", 0.97),
    Kind.LOOP: (GENERAL, 0.99),
}
_FILES = {"invoice": ("faktura", "invoice", "regning", "kreditnota"), "order": ("ordre", "order")}


@dataclass(frozen=True, slots=True)
class _Text:
    subject: str
    body: str

    @property
    def both(self) -> str:
        return f"{self.subject}\n{self.body}"


@dataclass(frozen=True, slots=True)
class _Sign:
    label: str
    weight: float
    reason: str


_PHRASES: tuple[tuple[str, Phrase], ...] = tuple(
    (label, phrase)
    for label, phrases in (
        ("support_request", SUPPORT),
        ("invoice", INVOICE),
        ("order", ORDER),
        ("newsletter", NEWSLETTER),
        ("spam", SPAM),
    )
    for phrase in phrases
)


_ANYWHERE, _IN_SUBJECT = (
    Together({n: phrase.words for n, (_, phrase) in enumerate(_PHRASES) if phrase.subject_only is subject_only})
    for subject_only in (False, True)
)


class KeywordClassifier:
    """The classifier that works from the first mail on, before there is anything to learn from."""

    name = "keywords"

    def classify(self, mail: ParsedMail, kind: Kind) -> Classification:
        """The best label, its confidence and why."""
        return classify(mail, kind)


def classify(mail: ParsedMail, kind: Kind) -> Classification:
    """The best label of one mail, its confidence and the signs that spoke for it."""
    if kind in _BY_KIND:
        label, confidence = _BY_KIND[kind]
        return Classification(label, confidence, (f"By its form the mail is of kind {kind.value}.",))
    scores: dict[str, list[_Sign]] = {}
    discussion = _is_discussion(mail)
    for sign in (*_phrases(_text(mail)), *_structure(mail, kind)):
        if sign.label == "newsletter" and (discussion or kind is Kind.PERSON):
            if discussion:
                continue
            # A customer may write about a newsletter: without its headers a mail is half as likely to be one.
            sign = replace(sign, weight=sign.weight / 2)
        scores.setdefault(sign.label, []).append(sign)
    if not scores:
        return Classification(GENERAL, 0.5, ("No sign of any other label was found.",))
    ranked = sorted(((_sum(signs), label) for label, signs in scores.items()), reverse=True)
    confidence, label = ranked[0]
    if label == "spam" and confidence < 0.75 and len(ranked) > 1 and ranked[1][0] >= _MIN_CONFIDENCE:
        # A doubtful spam is treated as what else it may be.
        confidence, label = ranked[1]
    if confidence < _MIN_CONFIDENCE:
        return Classification(GENERAL, 0.5, (f"The signs of {label} are too weak ({confidence:.2f}).",))
    return Classification(label, confidence, tuple(sign.reason for sign in scores[label]))


def _is_discussion(mail: ParsedMail) -> bool:
    """Whether people write through this list: a customer's mail to a group address has such headers too."""
    return bool(
        mail.in_reply_to
        or mail.references
        or any(mail.header(name) for name in ("List-Post", "X-Google-Group-Id", "X-BeenThere", "X-Mailman-Version"))
    )


def _sum(signs: Iterable[_Sign]) -> float:
    left = 1.0
    for sign in signs:
        left *= 1 - sign.weight
    return round(min(1 - left, _MAX_CONFIDENCE), 2)


def _text(mail: ParsedMail) -> _Text:
    body = (mail.reply_text or mail.text)[:MAX_TEXT]
    lines = (line for line in body.splitlines() if not line.lstrip().startswith(">"))
    return _Text(mail.subject.lower(), re.sub(r"[ \t]+", " ", "\n".join(lines)).lower())


def _phrases(text: _Text) -> Iterable[_Sign]:
    """Each phrase once, with the words that were found. One pass over the text for all phrases together."""
    found: dict[int, str] = {}
    for place, words in ((_ANYWHERE, text.both), (_IN_SUBJECT, text.subject)):
        for number, matched in place.find(words):
            found.setdefault(number, matched)
    for number, words in sorted(found.items()):
        label, phrase = _PHRASES[number]
        yield _Sign(label, phrase.weight, f"It says {' '.join(words.split())[:60]!r}.")


def _structure(mail: ParsedMail, kind: Kind) -> Iterable[_Sign]:
    for rule in (_spam_filter, _bulk, _file_names, _shouting):
        yield from rule(mail, kind)


def _spam_filter(mail: ParsedMail, _kind: Kind) -> Iterable[_Sign]:
    flag = mail.header("X-Spam-Flag").strip().lower()
    status = mail.header("X-Spam-Status").strip().lower()
    if flag == "yes" or status.startswith("yes"):
        yield _Sign("spam", 0.95, "A spam filter on the way marked it as spam.")


def _bulk(mail: ParsedMail, kind: Kind) -> Iterable[_Sign]:
    if kind is not Kind.LIST:
        return
    if mail.header("List-Unsubscribe"):
        yield _Sign("newsletter", 0.6, "It has the header List-Unsubscribe.")
    if mail.header("Precedence").strip().lower() == "bulk":
        yield _Sign("newsletter", 0.3, "Its Precedence is bulk.")
    if mail.header("Feedback-ID") or mail.header("X-Campaign") or mail.header("X-CampaignID"):
        yield _Sign("newsletter", 0.4, "It has the headers of a mass mailing.")


def _file_names(mail: ParsedMail, _kind: Kind) -> Iterable[_Sign]:
    names = [attachment.name.lower() for attachment in mail.attachments[:50] if not attachment.inline]
    for label, words in _FILES.items():
        name = next((n for n in names if n.startswith(words)), None)
        if name:
            yield _Sign(label, 0.5, f"A file is named {name[:60]!r}.")


def _shouting(mail: ParsedMail, kind: Kind) -> Iterable[_Sign]:
    letters = [char for char in mail.subject if char.isalpha()]
    if kind is Kind.PERSON and len(letters) >= 12 and all(char.isupper() for char in letters):
        yield _Sign("spam", 0.2, "The subject is all in capitals.")
    if re.search(r"!{3,}|\${2,}", mail.subject):
        yield _Sign("spam", 0.25, "The subject has a row of marks.")
