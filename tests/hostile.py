"""Mails that are made to hurt: too deep, too many, too long, or written to send a reader in circles.

Each is built when it is asked for, the same way every time; none is kept as a file.
"""

import base64
import random
from collections.abc import Callable

from tests.emailflow.inbound.containers import tnef, tnef_file, tnef_object

HOSTILE: dict[str, Callable[[], bytes]] = {}

_HEAD = (
    b"From: Kunde <kunde@nordwind.example>\r\nTo: support@hub.example\r\nSubject: %s\r\n"
    b"Message-ID: <%s@nordwind.example>\r\nDate: Mon, 2 Mar 2026 10:11:12 +0100\r\nMIME-Version: 1.0\r\n"
)
_MB = 1_000_000
Build = Callable[[], bytes]


def _hostile(build: Build) -> Build:
    HOSTILE[build.__name__] = build
    return build


def _head(name: str, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return _HEAD % (name.replace("_", " ").encode(), name.encode()) + lines


def _plain(name: str, text: bytes, *headers: bytes) -> bytes:
    return _head(name, *(headers or (b"Content-Type: text/plain; charset=utf-8",))) + b"\r\n" + text


def _html(name: str, html: bytes) -> bytes:
    return _head(name, b"Content-Type: text/html; charset=utf-8") + b"\r\n" + html


def _mixed(name: str, *parts: bytes, text: bytes = b"see the file") -> bytes:
    first = b"Content-Type: text/plain\r\n\r\n" + text
    body = b"".join(b"--b1\r\n" + part + b"\r\n" for part in (first, *parts))
    return _head(name, b'Content-Type: multipart/mixed; boundary="b1"') + b"\r\n" + body + b"--b1--\r\n"


def _file(content: bytes, kind: bytes = b"application/octet-stream", name: bytes = b"big.bin") -> bytes:
    head = b"Content-Type: " + kind + b'\r\nContent-Disposition: attachment; filename="' + name + b'"\r\n'
    encoded = base64.b64encode(content)
    lines = b"\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + lines


@_hostile
def one_file_of_47_mb() -> bytes:
    return _mixed("one_file_of_47_mb", _file(random.Random(1).randbytes(34 * _MB)))


@_hostile
def many_files_of_47_mb() -> bytes:
    piece = random.Random(2).randbytes(680_000)
    files = (_file(bytes([n]) + piece, name=b"%d.bin" % n) for n in range(50))
    return _mixed("many_files_of_47_mb", *files)


@_hostile
def text_of_47_mb() -> bytes:
    return _plain("text_of_47_mb", "Den blå bærplukker på åen.\r\n".encode() * (47 * _MB // 31))


@_hostile
def text_of_47_mb_in_base64() -> bytes:
    text = base64.encodebytes("😀 grøn\n".encode() * (34 * _MB // 12))
    headers = (b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: base64")
    return _plain("text_of_47_mb_in_base64", text, *headers)


@_hostile
def html_of_47_mb() -> bytes:
    return _html("html_of_47_mb", b"<table><tr><td>hej</td></tr></table>\r\n" * (47 * _MB // 38))


@_hostile
def attached_mail_of_47_mb() -> bytes:
    inside = _mixed("inside", _file(random.Random(3).randbytes(33 * _MB)))
    return _mixed("attached_mail_of_47_mb", b"Content-Type: message/rfc822\r\n\r\n" + inside)


@_hostile
def line_ends_of_47_mb_doubled() -> bytes:
    return _mixed("line_ends_doubled", _file(random.Random(4).randbytes(33 * _MB))).replace(b"\r\n", b"\r\r\n")


@_hostile
def one_line_of_10_mb() -> bytes:
    return _plain("one_line_of_10_mb", b"x" * 10 * _MB)


@_hostile
def one_line_of_spaces() -> bytes:
    return _plain("one_line_of_spaces", b"> a" + b" " * 10 * _MB + b"b")


@_hostile
def zeros_in_base64() -> bytes:
    headers = (b"Content-Type: text/plain", b"Content-Transfer-Encoding: base64")
    return _plain("zeros_in_base64", b"A" * 40 * _MB, *headers)


@_hostile
def base64_of_paddings() -> bytes:
    part = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QQ==\r\n=\r\n" * 4 * _MB
    return _mixed("base64_of_paddings", part)


@_hostile
def small_base64_of_paddings() -> bytes:
    part = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=\n" * 490_000
    return _mixed("small_base64_of_paddings", *[part] * 40)


@_hostile
def quoted_printable_of_soft_line_ends() -> bytes:
    headers = (b"Content-Type: text/plain", b"Content-Transfer-Encoding: quoted-printable")
    return _plain("quoted_printable_of_soft_line_ends", b"=\r\n" * (10 * _MB // 3), *headers)


@_hostile
def quoted_printable_file_of_escapes() -> bytes:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return _mixed("quoted_printable_file_of_escapes", head + b"=3D" * (40 * _MB // 3))


@_hostile
def uuencode_of_short_lines() -> bytes:
    head = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
    return _mixed("uuencode_of_short_lines", head + b"begin 644 x\n" + b'!80\n"\n' * (20 * _MB // 6))


def _nested(levels: int, subtype: bytes = b"mixed") -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/%s; boundary="n%d"\r\n\r\n--n%d\r\n' % (subtype, level, level)
        for level in range(levels)
    )
    closing = b"".join(b"\r\n--n%d--" % level for level in reversed(range(levels)))
    return opening + b"Content-Type: text/plain\r\n\r\ninnermost" + closing


@_hostile
def multiparts_of_10000_levels() -> bytes:
    return _head("multiparts_of_10000_levels") + _nested(10_000)


@_hostile
def multiparts_of_10000_levels_with_text() -> bytes:
    return _mixed("multiparts_of_10000_levels_with_text", _nested(10_000, b"alternative"), text=b"the text")


@_hostile
def multiparts_of_99_levels_and_40_mb() -> bytes:
    return _head("multiparts_of_99_levels") + _nested(99).replace(b"innermost", b"innermost\r\n" * (40 * _MB // 11))


@_hostile
def messages_of_10000_levels() -> bytes:
    inside = b"".join(
        b"Subject: level %d\r\nFrom: a%d@nordwind.example\r\nContent-Type: message/rfc822\r\n\r\n" % (n, n)
        for n in range(10_000)
    )
    return (
        _head("messages_of_10000_levels", b"Content-Type: message/rfc822") + b"\r\n" + inside + b"Subject: x\r\n\r\nhej"
    )


@_hostile
def parts_20000() -> bytes:
    return _mixed("parts_20000", *[b"Content-Type: text/plain\r\n\r\npart %d" % number for number in range(20_000)])


@_hostile
def parts_20000_of_one_byte_files() -> bytes:
    return _mixed("parts_20000_of_one_byte_files", *[b"Content-Type: image/png\r\n\r\n%d" % n for n in range(20_000)])


@_hostile
def marks_in_the_content() -> bytes:
    return _mixed("marks_in_the_content", b"Content-Type: application/pdf\r\n\r\n" + b"\n--b1x" * (30 * _MB // 6))


@_hostile
def part_headers_of_40_mb() -> bytes:
    part = b"X-A: b\r\n" * 5_000 + b"Content-Type: text/plain\r\n\r\nhej"
    return _mixed("part_headers_of_40_mb", *[part] * 990)


@_hostile
def part_headers_folded() -> bytes:
    part = b"X-A: b\r\n" + b" \n" * 20_000 + b"Content-Type: text/plain\r\n\r\nhej"
    return _mixed("part_headers_folded", *[part] * 990)


@_hostile
def newline_runs() -> bytes:
    return _plain("newline_runs", b"hej\r\n" + b"\r\n" * _MB + b"Den 1. dec. 2025 skrev Ole:\r\n> x\r\n")


@_hostile
def on_ab_on_ab() -> bytes:
    return _plain("on_ab_on_ab", b"hej\r\n\r\n" + b"On ab " * 30_000 + b"wrote:\r\n> x\r\n")


@_hostile
def header_blocks_in_the_text() -> bytes:
    return _plain("header_blocks_in_the_text", b"From: a\r\nSent: b\r\nTo: c\r\n" * 70_000).replace(
        b"Subject: ", b"Subject: Fwd: "
    )


@_hostile
def forward_marks_in_the_text() -> bytes:
    return _plain("forward_marks_in_the_text", b"---------- Forwarded message ---------\r\n" * 50_000)


@_hostile
def armour_marks_in_the_text() -> bytes:
    return _plain("armour_marks_in_the_text", b"-----BEGIN PGP SIGNED MESSAGE-----\r\n- -----\r\n" * 45_000)


@_hostile
def divs_nested() -> bytes:
    return _html("divs_nested", b"<div>" * 200_000 + b"hej")


@_hostile
def tables_nested() -> bytes:
    return _html("tables_nested", b"<table><tr><td>" * 60_000 + b"hej")


@_hostile
def attributes_200000() -> bytes:
    return _html("attributes_200000", b"<p " + b"".join(b"a%d=b " % n for n in range(200_000)) + b">hej</p>")


@_hostile
def tags_never_closed() -> bytes:
    return _html("tags_never_closed", b"<a <b " * 330_000 + b"hej")


@_hostile
def comments_never_closed() -> bytes:
    return _html("comments_never_closed", b"<!-" * 300_000 + b"<!--" * 250_000 + b"hej")


@_hostile
def one_header_of_10_mb() -> bytes:
    return _head("one_header_of_10_mb", b"X-Long: " + b"y" * 10 * _MB) + b"\r\nhej"


@_hostile
def a_million_header_lines() -> bytes:
    return _head("a_million_header_lines") + b"X-A: b\r\n" * _MB + b"\r\nhej"


@_hostile
def a_header_of_a_million_folds() -> bytes:
    return _head("a_header_of_a_million_folds", b"X-A: b" + b"\r\n " * _MB) + b"\r\nhej"


@_hostile
def two_million_recipients() -> bytes:
    line = b"To: " + b", ".join(b"a%d@nordwind.example" % n for n in range(2_000_000))
    return line + b"\r\n" + _head("two_million_recipients") + b"\r\nhej"


@_hostile
def recipients_on_many_lines() -> bytes:
    lines = [
        b"Cc: " + b",".join(b"a%d@n%d.example" % (n, n) for n in range(at, at + 50)) for at in range(0, 45_000, 50)
    ]
    return _head("recipients_on_many_lines", *lines) + b"\r\nhej"


@_hostile
def references_without_end() -> bytes:
    ids = b" ".join(b"<%d@nordwind.example>" % n for n in range(100_000))
    return _head("references_without_end", b"References: " + ids, b"In-Reply-To: " + b"<" * 60_000) + b"\r\nhej"


@_hostile
def sender_of_brackets() -> bytes:
    head = _head("sender_of_brackets", b'Reply-To: "' + b'\\"' * 30_000, b"Cc: " + b"(" * 30_000 + b"<" * 30_000)
    return head + b"\r\nhej"


@_hostile
def words_in_the_subject() -> bytes:
    words = b"=?utf-8?q?a?= =?latin1?q?=E5?= " * 2_000 + b"=?" * 2_000
    return _head("words", b"Subject: " + words).replace(b"Subject: words\r\n", b"") + b"\r\nhej"


@_hostile
def parameters_without_end() -> bytes:
    kind = b"Content-Type: text/plain" + b"".join(b"; name*%d*=a%%20" % n for n in range(4_000)) + b'; x="' * 1_000
    return _head("parameters_without_end", kind) + b"\r\nhej"


@_hostile
def report_of_blank_lines() -> bytes:
    report = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n" + b"\r\n \r\n" * 2 * _MB
    return _mixed("report_of_blank_lines", report).replace(
        b"multipart/mixed", b"multipart/report; report-type=delivery-status"
    )


@_hostile
def charset_that_shifts() -> bytes:
    return _plain("charset_that_shifts", b"\x1b$B$" * 1_000_000, b"Content-Type: text/plain; charset=iso-2022-jp")


@_hostile
def charset_of_pluses() -> bytes:
    return _plain("charset_of_pluses", b"+AAA-" * 700_000, b"Content-Type: text/plain; charset=utf-7")


@_hostile
def winmail_of_a_million_objects() -> bytes:
    content = tnef(tnef_object(1, 0x8005, b"") * 900_000)
    return _mixed("winmail_of_a_million_objects", _file(content, b"application/ms-tnef", b"winmail.dat"))


@_hostile
def winmail_of_endless_values() -> bytes:
    properties = (1).to_bytes(4, "little") + b"\x02\x10\x01\x00" + b"\xff\xff\xff\x7f"
    content = tnef(tnef_object(1, 0x9003, properties))
    return _mixed("winmail_of_endless_values", _file(content, b"application/ms-tnef", b"winmail.dat"))


@_hostile
def winmail_of_47_mb() -> bytes:
    content = tnef(tnef_file(b"a.bin", random.Random(5).randbytes(33 * _MB)))
    return _mixed("winmail_of_47_mb", _file(content, b"application/ms-tnef", b"winmail.dat"))


@_hostile
def invite_of_many_events() -> bytes:
    event = b"BEGIN:VEVENT\r\nDTSTART:20260302T100000Z\r\nSUMMARY:x\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\n"
    content = b"BEGIN:VCALENDAR\r\n" + event * 20_000 + b"END:VCALENDAR\r\n"
    return _mixed("invite_of_many_events", _file(content, b"text/calendar; method=REQUEST", b"invite.ics"))


@_hostile
def invite_nested() -> bytes:
    content = b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 100_000
    return _mixed("invite_nested", _file(content, b"text/calendar", b"invite.ics"))


@_hostile
def signed_in_signed() -> bytes:
    content = b"\x30\x80" * 400_000
    return _mixed("signed_in_signed", _file(content, b"application/pkcs7-mime; smime-type=signed-data", b"smime.p7m"))
