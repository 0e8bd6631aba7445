"""What a mail says comes out right, and no bytes stop the parser."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.inbound.parse import parse
from emailflow.mail import Address, ParsedMail
from tests.emailflow.inbound.mails import HTML, PLAIN, mail, multipart


@settings(deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_give_a_mail(raw: bytes) -> None:
    parsed = parse(raw)
    assert isinstance(parsed, ParsedMail)
    assert parsed.size == len(raw)


@settings(deadline=None)
@given(
    st.sampled_from([b"Subject", b"From", b"To", b"Date", b"Content-Type", b"References", b"Content-Disposition"]),
    st.binary(max_size=300),
    st.binary(max_size=300),
)
def test_any_header_and_body_give_a_mail_that_a_database_accepts(name: bytes, value: bytes, body: bytes) -> None:
    parsed = parse(name + b": " + value + b"\r\n\r\n" + body)
    for text in (parsed.subject, parsed.text, parsed.sender.address, parsed.sender.name, *parsed.defects):
        assert "\x00" not in text
        text.encode("utf-8")
    assert "\n" not in parsed.subject
    assert "\r" not in parsed.subject


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(_WORDS, min_size=1, max_size=6), st.lists(_WORDS, min_size=1, max_size=20))
def test_a_built_mail_comes_back_as_it_was(subject: list[str], words: list[str]) -> None:
    from email.header import Header
    from email.mime.text import MIMEText

    message = MIMEText(" ".join(words), "plain", "utf-8")
    message["Subject"] = Header(" ".join(subject), "utf-8").encode()
    message["From"] = f"{Header('Bjørn Å', 'utf-8').encode()} <bjorn@example.dk>"
    message["Message-ID"] = "<1@example.dk>"
    parsed = parse(message.as_bytes())
    assert parsed.subject == " ".join(subject)
    assert parsed.sender == Address("bjorn@example.dk", "Bjørn Å")
    assert parsed.text == " ".join(words)


def test_the_whole_of_an_ordinary_mail_is_read() -> None:
    parsed = parse(
        mail(
            "From: =?utf-8?q?S=C3=B8ren_=C3=85g=C3=A5rd?= <Soren@Example.dk>",
            "To: support@helpdesk.example, Anden <anden@example.dk>",
            "Cc: tredje@example.dk",
            "Reply-To: svar@example.dk",
            "In-Reply-To: <a@helpdesk.example>",
            "References: <root@helpdesk.example> <a@helpdesk.example>",
            "Received: from a by b; Mon, 2 Mar 2026 09:12:00 +0000",
            "Received: from c by d; Mon, 2 Mar 2026 01:00:00 +0000",
            body="Linje 1\r\nLinje 2\r\n",
        )
    )
    assert parsed.sender == Address("Soren@Example.dk", "Søren Ågård")
    assert [a.address for a in parsed.to] == ["support@helpdesk.example", "anden@example.dk"]
    assert [a.address for a in parsed.cc] == ["tredje@example.dk"]
    assert [a.address for a in parsed.reply_to] == ["svar@example.dk"]
    assert parsed.message_id == "<m1@example.dk>"
    assert parsed.in_reply_to == ("<a@helpdesk.example>",)
    assert parsed.references == ("<root@helpdesk.example>", "<a@helpdesk.example>")
    assert parsed.date == datetime(2026, 3, 2, 9, 11, 12, tzinfo=UTC)
    assert parsed.received_at == datetime(2026, 3, 2, 9, 12, tzinfo=UTC)
    assert parsed.text == "Linje 1\nLinje 2\n"
    assert parsed.defects == ()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Subject: Bl\xc3\xa5b\xc3\xa6r", "Blåbær"),
        (b"Subject: Bl\xe5b\xe6r", "Blåbær"),
        (b"Subject: =?utf-8?B?QmzD?= =?utf-8?B?pWI=?=", "Blåb"),
        (b"Subject: =?utf-8?Q?Bl=E5b=E6r?=", "Blåbær"),
        (b"Subject: =?gb2312?B?1tA=?=", "中"),
        (b"Subject: =?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テスト"),
        (b"Subject: =?no-such-charset?Q?hej?=", "hej"),
        (b"Subject: =?utf-8?B?!!!?=", "=?utf-8?B?!!!?="),
        (b"Subject: =?utf-8?Q?a=0D=0ABcc:_x@evil.example?=", "a Bcc: x@evil.example"),
        (b"Subject: to\r\n linjer", "to linjer"),
        (b"Subject: nul\x00l", "null"),
        (b"SUBJECT : Hej", "Hej"),
    ],
)
def test_a_subject_in_any_form_is_one_readable_line(header: bytes, expected: str) -> None:
    assert parse(b"From: a@example.dk\r\n" + header + b"\r\n\r\nx").subject == expected


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ('"Hansen, Ole" <ole@example.dk>', "ole@example.dk", "Hansen, Ole"),
        ("ole@example.dk (Ole Hansen)", "ole@example.dk", "Ole Hansen"),
        ("ole (Ole Hansen)", "ole", "Ole Hansen"),
        ("Kunder: ole@example.dk, ib@example.dk;", "ole@example.dk", ""),
        ("=?utf-8?q?=3Cevil=40attacker=2Eexample=3E?= <ole@example.dk>", "ole@example.dk", "<evil@attacker.example>"),
        ('"=?utf-8?q?J=C3=B8rgen?=" <ole@example.dk>', "ole@example.dk", "Jørgen"),
        ("søren@blåbær.example", "søren@blåbær.example", ""),
        ("Ole Hansen ole@example.dk", "ole@example.dk", ""),
        ("Ole <ole@example.dk", "ole@example.dk", "Ole"),
        ("undisclosed-recipients:;", "", ""),
    ],
)
def test_the_sender_is_found_and_its_name_is_never_its_address(value: str, address: str, name: str) -> None:
    sender = parse(mail(f"From: {value}")).sender
    assert (sender.address, sender.name) == (address, name)


def test_several_senders_are_decided_and_told() -> None:
    twice = parse(mail("From: a@example.dk", "From: b@example.dk"))
    assert twice.sender.address == "a@example.dk"
    assert [a.address for a in twice.senders] == ["a@example.dk", "b@example.dk"]
    assert any("several From" in defect for defect in twice.defects)
    both = parse(mail("From: a@example.dk, b@example.dk"))
    assert both.sender.address == "a@example.dk"
    assert any("several senders" in defect for defect in both.defects)


def test_what_is_missing_is_empty_and_told() -> None:
    parsed = parse(b"To: x@example.dk\r\n\r\nhej")
    assert (parsed.message_id, parsed.subject, parsed.sender.address, parsed.date) == ("", "", "", None)
    assert parsed.text == "hej"
    assert {"The mail has no From header.", "The mail has no Message-ID.", "The mail has no date."} <= set(
        parsed.defects
    )


@pytest.mark.parametrize(
    "date",
    ["Mon, 2 Mar 99999 10:11:12 +0100", "Mon, 2 Mar 2026 10:11:12 +9999", "i går", "Fri, 31 Dec 9999 23:59:59 -2300"],
)
def test_an_impossible_date_is_no_date_and_told(date: str) -> None:
    parsed = parse(mail(f"Date: {date}"))
    assert parsed.date is None
    assert any("cannot be read" in defect for defect in parsed.defects)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a@x><b@x>", ("<a@x>", "<b@x>")),
        ("<a@x>\r\n\t<b@x>", ("<a@x>", "<b@x>")),
        ("<very-long-\r\n id@x>", ("<very-long-id@x>",)),
        ('Your message of "Mon" <a@x>', ("<a@x>",)),
        ("a@x", ("<a@x>",)),
    ],
)
def test_references_are_read_however_they_are_written(value: str, expected: tuple[str, ...]) -> None:
    assert parse(mail(f"References: {value}")).references == expected


def test_many_references_keep_the_root_and_the_nearest() -> None:
    parsed = parse(mail("References: " + " ".join(f"<{n}@x>" for n in range(500))))
    assert len(parsed.references) == 100
    assert parsed.references[0] == "<0@x>"
    assert parsed.references[-1] == "<499@x>"
    assert any("References" in defect for defect in parsed.defects)


@pytest.mark.parametrize(
    "prefix", [b"From kunde@example.dk Mon Mar  2 10:11:12 2026\r\n", b"\xef\xbb\xbf", b"\r\n\r\n"]
)
def test_what_stands_before_the_headers_does_not_hide_them(prefix: bytes) -> None:
    assert parse(prefix + mail()).subject == "Hjælp"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_any_line_ends_are_read(line_end: bytes) -> None:
    parsed = parse(mail(body="a\r\nb").replace(b"\r\n", line_end))
    assert parsed.subject == "Hjælp"
    assert parsed.text == "a\nb"


@pytest.mark.parametrize(
    ("charset", "body", "expected"),
    [
        ("utf-8", "Blåbær".encode(), "Blåbær"),
        ("utf-8", "Blåbær".encode("latin-1"), "Blåbær"),
        ("iso-8859-1", "“Blåbær”".encode("cp1252"), "“Blåbær”"),
        ("us-ascii", "Blåbær".encode(), "Blåbær"),
        ("x-unknown-thing", "Blåbær".encode(), "Blåbær"),
        ("gb2312", "中文㐀".encode("gb18030"), "中文㐀"),
        ("utf-16", "Blåbær".encode("utf-16"), "Blåbær"),
        ("iso-2022-jp", "テスト".encode("iso-2022-jp"), "テスト"),
        ("base64", b"hej", "hej"),
    ],
)
def test_text_in_any_charset_is_readable(charset: str, body: bytes, expected: str) -> None:
    assert parse(mail(f"Content-Type: text/plain; charset={charset}", body=body)).text == expected


def test_no_nul_and_no_lone_surrogate_reaches_the_database() -> None:
    text = parse(mail("Content-Type: text/plain; charset=utf-8", body=b"a\x00b\xed\xa0\x80c")).text
    assert "\x00" not in text
    assert text.encode("utf-8")
    assert text.startswith("ab")


def test_flowed_text_with_delsp_is_joined_without_the_space() -> None:
    parsed = parse(mail("Content-Type: text/plain; format=flowed; delsp=yes", body="Blå \r\nbær\r\nny linje"))
    assert parsed.text == "Blåbær\nny linje"


def test_html_becomes_text_where_there_is_no_text() -> None:
    only_html = parse(multipart("alternative", [HTML]))
    assert only_html.text.strip() == "Hej fra HTML"
    assert only_html.has_html
    empty_plain = parse(multipart("alternative", ["Content-Type: text/plain\r\n\r\n \r\n", HTML]))
    assert empty_plain.text.strip() == "Hej fra HTML"
    both = parse(multipart("alternative", [PLAIN, HTML]))
    assert both.text == "Hej fra teksten"
    assert "<b>HTML</b>" in both.html


def test_a_list_footer_beside_html_is_not_lost() -> None:
    parsed = parse(multipart("mixed", [HTML, "Content-Type: text/plain\r\n\r\nSendt via listen"]))
    assert "Hej fra HTML" in parsed.text
    assert "Sendt via listen" in parsed.text


def test_limits_cut_a_mail_and_say_so() -> None:
    nested = b"".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n".encode() for n in range(1_500))
    assert any("100 levels" in defect for defect in parse(nested + b"\r\nhej").defects)
    many = parse(multipart("mixed", ["Content-Type: image/png\r\n\r\nx"] * 1_200))
    assert len(many.attachments) == 1_000
    assert any("1,000 parts" in defect for defect in many.defects)
    headers = parse(b"".join(b"X-%d: a\r\n" % n for n in range(5_000)) + b"\r\nhej")
    assert len(headers.headers) == 1_000
    assert any("1,000 header" in defect for defect in headers.defects)
    assert len(parse(mail("Subject: " + "a" * 50_000)).subject) == 1_000


def test_hostile_headers_are_read() -> None:
    for bomb in ("(" * 50_000, '"' * 50_000, "<" * 50_000, "a," * 20_000, "=?" * 20_000):
        assert parse(mail(f"From: {bomb}", f"Reply-To: {bomb}", f"Subject: {bomb}")).text == "hej\n"


def test_a_header_that_an_attribute_is_named_after_is_only_a_header() -> None:
    parsed = parse(mail("Parse: x", "Headers_json: y", "Subject_json: z"))
    assert parsed.header("Parse") == "x"
    assert parsed.subject == "Hjælp"
