"""The mails of one trial: small, seeded, each with a serial number that is in its subject, text and Message-ID."""

import random
import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

_WORDS = (
    "printeren på kontoret skriver ikke ud længere mailen går i stå når jeg åbner en fil kan I hjælpe os the order did "
    "not arrive and the invoice is wrong please help levering bestilling netværk adgangskode brugeren systemet"
)
MARK = re.compile(r"\bmail-(\d{6})\b")
REPLIES = 0.35
TWICE = 0.04
WITH_FILE = 0.1


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. ``root`` is the serial of the mail that began its conversation, its own for a first mail.

    ``twice``: handed in by the other road as well, as when a list and its member both write to us.
    """

    serial: int
    root: int
    raw: bytes
    message_id: str
    references: tuple[str, ...]
    twice: bool

    @property
    def is_reply(self) -> bool:
        return self.root != self.serial


def conversations(count: int, seed: int) -> list[list[Letter]]:
    """``count`` mails as conversations; within one, a mail answers an earlier one. The same seed, the same plan."""
    chance = random.Random(seed)
    found: list[list[Letter]] = []
    start = datetime.now(UTC) - timedelta(minutes=10)
    for serial in range(count):
        moment = start + timedelta(seconds=serial / 20)
        # Of the last ones: an answer comes while the mail that it answers is still on its way.
        thread = chance.choice(found[-60:]) if found and chance.random() < REPLIES else None
        if thread is None:
            found.append([_letter(chance, serial, None, seed, moment)])
        else:
            thread.append(_letter(chance, serial, chance.choice(thread), seed, moment))
    return found


def _letter(chance: random.Random, serial: int, parent: Letter | None, seed: int, moment: datetime) -> Letter:
    root = parent.root if parent else serial
    message_id = f"<chaos.{seed}.{serial}.{chance.getrandbits(32):08x}@customer{root % 53}.example>"
    words = " ".join(chance.choices(_WORDS.split(), k=chance.randint(12, 90)))
    charset = chance.choice(("utf-8", "iso-8859-1"))
    headers = [
        f"From: Person {root} <person{root}@customer{root % 53}.example>",
        "To: support@hub.example",
        f"Subject: {'Re: ' if parent else ''}Sag case-{root:06d}",
        f"Date: {format_datetime(moment)}",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
    ]
    references = (*parent.references, parent.message_id) if parent else ()
    if references:
        headers += [f"In-Reply-To: {references[-1]}", f"References: {' '.join(references)}"]
    text = f"Hej,\r\n\r\n{words}\r\nThis is mail-{serial:06d}.\r\n\r\nMvh\r\nPerson {root}\r\n".encode(charset)
    plain = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n"
    body = plain.encode() + b"\r\n" + text
    if chance.random() < WITH_FILE:
        body = _with_file(body, chance)
    raw = "\r\n".join([*headers, ""]).encode() + body
    return Letter(serial, root, raw, message_id, references, chance.random() < TWICE)


def _with_file(body: bytes, chance: random.Random) -> bytes:
    boundary = f"b{chance.getrandbits(64):016x}"
    file = encodebytes(b"%PDF-1.4" + chance.randbytes(chance.randint(500, 20_000))).replace(b"\n", b"\r\n")
    head = 'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="bilag.pdf"\r\n'
    return b"".join(
        (
            f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'.encode(),
            body,
            f"\r\n--{boundary}\r\n{head}Content-Transfer-Encoding: base64\r\n\r\n".encode(),
            file,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )


def by_serial(found: Sequence[Sequence[Letter]]) -> dict[int, Letter]:
    return {letter.serial: letter for thread in found for letter in thread}
