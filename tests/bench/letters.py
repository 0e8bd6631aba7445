"""Seeded mail like that of a support mailbox, for the benchmarks: the same seed gives the same bytes.

Mean 63 kB; 40 % replies; 15 % with an attachment of 50 to 300 kB; Danish and English, some of it in Latin-1;
HTML beside the text as Outlook writes it.
"""

import random
from base64 import b64encode, encodebytes
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

WORDS = {
    "da": "vi har et problem med printeren på kontoret den skriver ikke ud længere og mailen går også i stå når jeg "
    "åbner en vedhæftet fil kan I hjælpe os hurtigst muligt faktura ordre levering bestilling netværk adgangskode "
    "brugeren blev låst ude i går eftermiddags og systemet melder fejl hver gang tak for hjælpen på forhånd",
    "en": "we have a problem with the printer in the office it does not print any more and the mail stops when i open "
    "an attached file can you help us as soon as possible invoice order delivery network password the user was "
    "locked out yesterday afternoon and the system reports an error every time thank you for your help in advance",
}
_GREETING = {"da": ("Hej,", "Venlig hilsen"), "en": ("Hello,", "Kind regards")}
_OUTLOOK_STYLE = (
    "<style><!-- /* Font Definitions */ @font-face {font-family:Calibri; panose-1:2 15 5 2 2 2 4 3 2 4;} "
    "p.MsoNormal, li.MsoNormal, div.MsoNormal {margin:0cm; font-size:11.0pt; font-family:'Calibri',sans-serif;} "
    "a:link, span.MsoHyperlink {mso-style-priority:99; color:#0563C1;} --></style>"
)


def letters(count: int, seed: int, replies: float = 0.4) -> Iterator[bytes]:
    """``count`` mails; a reply names one of the mails before it and comes from the same sender."""
    chance = random.Random(seed)
    start = datetime.now(UTC) - timedelta(seconds=count)
    sent: list[tuple[str, str, str]] = []
    for index in range(count):
        moment = start + timedelta(seconds=index)
        message_id = f"<{seed}.{index}.{chance.getrandbits(48):012x}@customer{index % 97}.example>"
        parent = chance.choice(sent[-400:]) if sent and chance.random() < replies else None
        sender = parent[1] if parent else f"person{chance.randrange(1500)}@customer{chance.randrange(97)}.example"
        language = chance.choice(("da", "en"))
        subject = f"Re: {parent[2]}" if parent else _text(chance, language, 5)
        sent.append((message_id, sender, subject.removeprefix("Re: ")))
        yield _letter(chance, language, message_id, parent[0] if parent else "", sender, subject, moment)


def answers(originals: Sequence[tuple[str, str, str]], seed: int) -> Iterator[bytes]:
    """A reply to each (Message-ID, sender, subject), by that sender."""
    chance = random.Random(seed)
    start = datetime.now(UTC) - timedelta(seconds=len(originals))
    for index, (parent, sender, subject) in enumerate(originals):
        message_id = f"<{seed}.{index}.{chance.getrandbits(48):012x}@answers.example>"
        moment = start + timedelta(seconds=index)
        language = chance.choice(("da", "en"))
        yield _letter(chance, language, message_id, parent, sender, f"Re: {subject}", moment)


def _text(chance: random.Random, language: str, words: int) -> str:
    vocabulary = WORDS[language].split()
    return " ".join(chance.choice(vocabulary) for _ in range(words)).capitalize()


def _letter(
    chance: random.Random,
    language: str,
    message_id: str,
    parent: str,
    sender: str,
    subject: str,
    moment: datetime,
) -> bytes:
    hello, bye = _GREETING[language]
    paragraphs = [_text(chance, language, chance.randint(15, 60)) + "." for _ in range(chance.randint(2, 8))]
    lines = [hello, "", *(line for each in paragraphs for line in (each, "")), bye, sender.partition("@")[0]]
    if parent:
        lines += ["", "Den 1. dec. 2025 kl. 10.12 skrev Support <support@hub.example>:"]
        lines += [f"> {_text(chance, language, 12)}" for _ in range(chance.randint(5, 40))]
    charset = chance.choice(("utf-8", "utf-8", "iso-8859-1"))
    body = "\n".join(lines)
    headers = [
        *_transport(chance, moment),
        f"From: Person <{sender}>",
        "To: support@hub.example",
        f"Subject: {_encoded(subject)}",
        f"Date: {format_datetime(moment)}",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
    ]
    if parent:
        headers += [f"In-Reply-To: {parent}", f"References: {parent}"]
    boundary = f"b{chance.getrandbits(64):016x}"
    parts = [_part(f"text/plain; charset={charset}", body.encode(charset, "replace"))]
    if chance.random() < 0.75:
        parts.append(
            _part(f"text/html; charset={charset}", _outlook(chance, lines, language).encode(charset, "replace"))
        )
    kind = "alternative"
    if chance.random() < 0.15:
        inner = f"i{chance.getrandbits(64):016x}"
        parts = [_together(inner, parts)]
        content = chance.randbytes(chance.randint(50_000, 300_000))
        disposition = 'Content-Disposition: attachment; filename="bilag.pdf"\r\n'
        encoded = encodebytes(b"%PDF-1.4" + content).replace(b"\n", b"\r\n")
        head = f"Content-Type: application/pdf\r\n{disposition}Content-Transfer-Encoding: base64\r\n\r\n"
        parts.append(head.encode() + encoded)
        kind = "mixed"
    headers.append(f'Content-Type: multipart/{kind}; boundary="{boundary}"')
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + _joined(boundary, parts)


def _joined(boundary: str, parts: Sequence[bytes]) -> bytes:
    delimiter = f"\r\n--{boundary}\r\n".encode()
    return delimiter.join([b"", *parts]) + f"\r\n--{boundary}--\r\n".encode()


def _together(boundary: str, parts: Sequence[bytes]) -> bytes:
    """Text and HTML as one part beside the attachments."""
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return head.encode() + _joined(boundary, parts)


def _transport(chance: random.Random, moment: datetime) -> list[str]:
    """What the servers on the way and the sender's system write above a mail."""
    stamp = format_datetime(moment)

    def seal(size: int) -> str:
        return "\r\n\t".join(b64encode(chance.randbytes(48)).decode() for _ in range(size))

    hops = [
        f"Received: from relay{hop}.customer.example (relay{hop}.customer.example [192.0.2.{hop + 1}])\r\n"
        f"\tby relay{hop + 1}.customer.example with ESMTPS id {chance.getrandbits(48):012X};\r\n\t{stamp}"
        for hop in range(3)
    ]
    return [
        f"Received: from mx.customer.example by mx.hub.example; {stamp}",
        f"ARC-Seal: i=1; a=rsa-sha256; t=1765000000; cv=none; d=relay.example; s=arc;\r\n\tb={seal(5)}",
        f"ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=relay.example; s=arc;\r\n\tb={seal(5)}",
        *hops,
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=mail;\r\n\tb={seal(5)}",
        "X-MS-Has-Attach: no",
        "X-MS-Exchange-Organization-SCL: 1",
        f"X-Microsoft-Antispam-Message-Info:\r\n\t{seal(12)}",
    ]


def _encoded(subject: str) -> str:
    return (
        subject if subject.isascii() else f"=?utf-8?B?{encodebytes(subject.encode())[:-1].decode()}?=".replace("\n", "")
    )


def _part(content_type: str, body: bytes) -> bytes:
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode() + body.replace(
        b"\n", b"\r\n"
    )


def _outlook(chance: random.Random, lines: list[str], language: str) -> str:
    """As big as Outlook makes it: the styles and a quoted history weigh more than the words."""
    history = [_text(chance, language, 14) for _ in range(chance.randint(20, 260))]
    paragraph = '<p class="MsoNormal"><span lang="DA" style="mso-fareast-language:EN-US">{}<o:p></o:p></span></p>\r\n'
    shown = "".join(paragraph.format(line or "&nbsp;") for line in lines)
    quoted = "".join(paragraph.format(line) for line in history)
    return (
        f'<html xmlns:o="urn:schemas-microsoft-com:office:office"><head>{_OUTLOOK_STYLE * 4}</head>'
        f'<body lang="DA"><div class="WordSection1">{shown}<blockquote>{quoted}</blockquote></div></body></html>'
    )
