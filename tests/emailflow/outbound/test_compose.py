"""What is sent is one sound mail, leads back to its ticket, and lets nobody write a header of it."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailflow.inbound.parse import parse
from emailflow.inbound.screen import screen
from emailflow.inbound.thread import marks_of
from emailflow.mail import Address, Kind
from emailflow.outbound.compose import REPLY_LINES, Quoted, Thread
from tests.emailflow.inbound.mails import mail
from tests.emailflow.outbound.outgoing import (
    DOMAIN,
    IDENTITY,
    NUMBER,
    QUOTED,
    THREAD,
    Row,
    composed,
    raw,
    read,
    read_by_stdlib,
    row_of,
)
from tickets.errors import ServiceError
from tickets.tokens import verified_numbers

FILE = (b"%PDF-1.4 content", "bill.pdf", "application/pdf", "")
TEXTS = st.text(max_size=60) | st.sampled_from(
    ["x\r\nBcc: evil@example.org", "=?utf-8?q?a?=", "a" * 3_000, '"<@>,', "\\"]
)


def test_an_answer_continues_the_thread() -> None:
    parsed = read(row_of(composed()))
    assert parsed.in_reply_to == ("<last@kunde.example>",)
    assert parsed.references == ("<root@kunde.example>", "<next@help.example>", "<last@kunde.example>")
    assert parsed.subject == f"[{NUMBER}] Re: Printeren virker ikke"
    assert parsed.sender == Address(f"support@{DOMAIN}", "Support")
    assert parsed.to == (Address("anna@kunde.example", "Anna"),)
    assert parsed.date == datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
    assert not parsed.defects


def test_the_first_mail_of_a_thread_refers_to_nothing() -> None:
    parsed = read(row_of(composed(thread=Thread(NUMBER, "Hej", "", ()))))
    assert (parsed.in_reply_to, parsed.references) == ((), ())


def test_a_long_thread_keeps_its_root_and_its_nearest_in_one_sendable_header() -> None:
    older = tuple(f"<{number:04d}.{'x' * 60}@kunde.example>" for number in range(200))
    parsed = read(row_of(composed(thread=dataclasses.replace(THREAD, references=older))))
    assert parsed.references[0] == older[0]
    assert parsed.references[-2:] == (older[-1], "<last@kunde.example>")
    assert len(parsed.references) > 3
    assert len(" ".join(parsed.references)) < 998


@pytest.mark.parametrize(
    "wrong", ["<a b@c>", "no brackets", "<a@b>\r\nBcc: x@example.org", "<å@b>", f"<{'a' * 999}@b>"]
)
def test_what_is_no_message_id_is_left_out_of_the_chain(wrong: str) -> None:
    mail = composed(thread=Thread(NUMBER, "Hej", wrong, (wrong, "<root@kunde.example>")))
    assert "In-Reply-To" not in mail.headers
    assert mail.headers["References"] == "<root@kunde.example>"
    read(row_of(mail))


def test_each_token_alone_leads_an_answer_back() -> None:
    sent = read(row_of(composed()))
    plus = sent.reply_to[0].address
    replies = {
        1: mail(f"In-Reply-To: {sent.message_id}"),
        2: mail(f"To: {plus}"),
        3: mail(f"X-Hub-Ticket: {sent.header('X-Hub-Ticket')}"),
        5: mail(f"Subject: SV: {sent.subject}"),
    }
    for rank, answer in replies.items():
        found = marks_of(parse(answer))
        assert next((mark.rank, mark.key) for mark in found if mark.rank != 4) == (rank, NUMBER)


def test_all_tokens_are_signed_and_a_bounce_names_its_row() -> None:
    mail = composed()
    for text in (mail.header_message_id, mail.headers["Reply-To"], mail.headers["X-Hub-Ticket"], mail.envelope_from):
        assert verified_numbers(text) == [NUMBER]
    assert re.fullmatch(rf"support\+{NUMBER}-n77-[a-z2-7]{{16}}@{DOMAIN}", mail.envelope_from)
    assert re.fullmatch(rf"<{NUMBER}-12-[a-z2-7]{{16}}@{DOMAIN}>", mail.header_message_id)


def test_without_plus_addresses_mail_comes_back_to_the_mailbox_itself() -> None:
    mail = composed(identity=dataclasses.replace(IDENTITY, plus_addressing=False))
    assert mail.envelope_from == IDENTITY.address
    assert "Reply-To" not in mail.headers


def test_a_plus_address_longer_than_servers_take_is_not_used() -> None:
    mail = composed(identity=dataclasses.replace(IDENTITY, address=f"{'s' * 60}@{DOMAIN}"))
    assert mail.envelope_from == f"{'s' * 60}@{DOMAIN}"
    assert "Reply-To" not in mail.headers


@pytest.mark.parametrize("key", ["", "x1", "1\r\nBcc: x@example.org", "1" * 30])
def test_a_key_that_could_not_be_found_again_is_refused(key: str) -> None:
    with pytest.raises(ServiceError):
        composed(key=key)


def test_machine_mail_says_so_and_is_known_as_a_machines_and_as_ours() -> None:
    own = composed(kind="acknowledgement", key="a5", automatic=True)
    assert own.headers["Auto-Submitted"] == "auto-replied"
    assert own.headers["X-Auto-Response-Suppress"] == "All"
    raw_mail = raw(row_of(own))
    assert screen(parse(raw_mail))[0] == Kind.AUTO_REPLY
    renamed = parse(re.sub(rb"Message-ID: <[^>]*>", b"Message-ID: <new@relay.example>", raw_mail))
    assert screen(renamed, our_domain_ids=frozenset({DOMAIN}))[0] == Kind.LOOP
    assert screen(parse(raw(row_of(composed()))))[0] == Kind.PERSON


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Printer", f"[{NUMBER}] Re: Printer"),
        ("Re: SV: Re[2]: AW: Printer", f"[{NUMBER}] Re: Printer"),
        (f"SV: [{NUMBER}] Re: Printer", f"[{NUMBER}] Re: Printer"),
        (f"[TKT-20240101-007] [{NUMBER}] Printer", f"[{NUMBER}] Re: Printer"),
        ("Fwd: Printer", f"[{NUMBER}] Re: Fwd: Printer"),
        ("Printer\r\nBcc: evil@example.org", f"[{NUMBER}] Re: Printer Bcc: evil@example.org"),
        ("", f"[{NUMBER}]"),
        ("Re:", f"[{NUMBER}]"),
        ("Referat: mødet", f"[{NUMBER}] Re: Referat: mødet"),
    ],
)
def test_a_subject_has_one_tag_and_one_mark_of_an_answer(subject: str, shown: str) -> None:
    assert read(row_of(composed(thread=dataclasses.replace(THREAD, subject=subject)))).subject == shown


def test_a_template_can_bring_a_subject_of_its_own() -> None:
    assert composed(subject="Vi har  modtaget\ndin mail").subject == f"[{NUMBER}] Vi har modtaget din mail"


@pytest.mark.parametrize(
    "subject",
    [
        "Blåbærgrød og æbler på Ærø",
        "lang " * 150 + "slut",
        "æøå" * 200,
        "x" * 800,
        "=?utf-8?q?not_encoded?=",
        "日本語の件名 " * 30 + "終",
        "mixed æ and =?x?= and " + "y" * 200,
        "🙂" * 100,
    ],
)
def test_any_subject_arrives_as_it_was_and_on_short_lines(subject: str) -> None:
    row = Row(subject=subject)
    assert read(row).subject == subject
    assert read_by_stdlib(row)["Subject"] == subject
    head = raw(row).partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_the_number_stays_readable_in_a_raw_subject() -> None:
    row = row_of(composed(thread=dataclasses.replace(THREAD, subject="Blåbær")))
    assert f"\r\nSubject: [{NUMBER}] Re: =?utf-8?".encode() in raw(row)


@settings(deadline=None)
@given(subject=TEXTS, name=TEXTS, recipient_name=TEXTS, text=TEXTS, own=TEXTS)
def test_no_text_writes_a_header_and_all_of_it_is_seven_bit(**texts: str) -> None:
    row = Row(
        subject=texts["subject"],
        sender=f"{texts['name']} <support@{DOMAIN}>",
        recipient_name=texts["recipient_name"],
        text=texts["text"],
        html="",
        headers={"X-Own": texts["own"]},
    )
    bytes_sent = raw(row)
    assert bytes_sent.isascii()
    assert max(map(len, bytes_sent.split(b"\r\n"))) <= 998
    assert b"\n" not in bytes_sent.replace(b"\r\n", b"")
    message = read_by_stdlib(row)
    wanted = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "X-Own"]
    assert sorted(message.keys()) == sorted([*wanted, "Content-Type", "Content-Transfer-Encoding"])
    parsed = parse(bytes_sent)
    assert [address.address for address in parsed.to] == ["anna@kunde.example"]
    assert parsed.sender.address == f"support@{DOMAIN}"


@settings(deadline=None)
@given(subject=TEXTS, name=TEXTS, signature=TEXTS, body=TEXTS, author=TEXTS, last=TEXTS)
def test_no_fact_of_an_answer_writes_a_header(**texts: str) -> None:
    answer = composed(
        identity=dataclasses.replace(IDENTITY, name=texts["name"], signature=texts["signature"]),
        thread=Thread(NUMBER, texts["subject"], texts["last"], (texts["last"],)),
        body=texts["body"],
        quoted=Quoted(texts["author"], QUOTED.moment, texts["body"]),
    )
    for value in (*answer.headers.values(), answer.subject, answer.sender, answer.envelope_from):
        assert "\n" not in value
        assert "\r" not in value
    parsed = read(row_of(answer))
    assert [address.address for address in parsed.to] == ["anna@kunde.example"]
    assert not parsed.cc
    assert parsed.header("Bcc") == ""
    assert parsed.reply_to[0].address.startswith("support+TKT-")


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nBcc: x@example.org",
        "a@b.example, x@example.org",
        "a b@c.example",
        "<a@b.example>",
        "nobody",
        "a@b@c.example",
        "",
        "bjørn@kunde.example",
        f"a@{'b' * 300}.example",
        "a@..example",
    ],
)
def test_an_address_that_is_none_is_refused_with_its_field(address: str) -> None:
    with pytest.raises(ServiceError) as caught:
        raw(Row(recipient=address))
    assert caught.value.field == "recipient"


def test_a_domain_with_danish_letters_is_written_as_servers_know_it() -> None:
    assert read(Row(recipient="info@rødgrød.example")).to[0].address == "info@xn--rdgrd-vuad.example"


@pytest.mark.parametrize("name", ["Bcc", "to", "Content-Type", "From", "X:y", "X y", "X\r\nBcc", "", "Subject"])
def test_a_further_header_is_never_one_that_the_row_writes_itself(name: str) -> None:
    with pytest.raises(ServiceError) as caught:
        raw(Row(headers={name: "x@example.org"}))
    assert caught.value.field == "headers"


@pytest.mark.parametrize("value", ["", "no id", "<a@b> x", "<a@b>\r\nBcc: <x@y>"])
def test_a_broken_message_id_is_refused_not_sent(value: str) -> None:
    with pytest.raises(ServiceError):
        raw(Row(header_message_id=value))


@pytest.mark.parametrize("name", ["Støtten, ApS", 'Bo "Boss" Olsen', "Bo (IT); x", "=?utf-8?q?x?="])
def test_a_name_arrives_as_it_was(name: str) -> None:
    row = row_of(composed(identity=dataclasses.replace(IDENTITY, name=name)), recipient_name=name)
    message = read_by_stdlib(row)
    for header in ("From", "To", "Reply-To"):
        assert message[header].addresses[0].display_name == name


@pytest.mark.parametrize("name", ["A" * 150, "Æ" * 150, "Ærø " * 40 + "slut"])
def test_a_long_name_arrives_as_it_was(name: str) -> None:
    assert read(Row(recipient_name=name)).to[0] == Address("anna@kunde.example", name)


@pytest.mark.parametrize(
    "text",
    ["Blåbær på Ærø\n", "日本語" * 400 + "\n", ".\n.\nFrom here\n", "-- \nBo\n", "x" * 5_000 + "\n", "a = b =\n"],
)
def test_a_text_arrives_as_it_was(text: str) -> None:
    row = Row(text=text, html=f"<p>{text}</p>")
    message = read_by_stdlib(row)
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n") == text
    assert max(map(len, raw(row).split(b"\r\n"))) <= 78
    assert read(row).text.rstrip() == text.rstrip()


@pytest.mark.parametrize(
    "name",
    [
        "bill.pdf",
        "Årsrapport 2025.pdf",
        "Årsrapport " * 15 + ".pdf",
        "semi;colon=%20'x'.txt",
        "請求書.pdf",
        "x" * 190 + ".txt",
    ],
)
def test_a_file_arrives_under_its_own_name(name: str) -> None:
    parsed = read(Row(), (b"content", name, "application/pdf", ""))
    assert [(file.name, file.content) for file in parsed.attachments] == [(name, b"content")]
    (part,) = read_by_stdlib(Row(), (b"content", name, "application/pdf", "")).iter_attachments()
    assert part.get_filename() == name


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        'a"; filename="evil.exe',
        "a\r\nContent-Type: text/html",
        "",
        "\x00",
        "C:\\x\\y.txt",
        "n" * 900,
    ],
)
def test_an_odd_file_name_harms_neither_mail_nor_reader(name: str) -> None:
    (part,) = read_by_stdlib(Row(), (b"content", name, "text/plain", "")).iter_attachments()
    shown = part.get_filename()
    assert shown
    assert not set(shown) & set("/\\\r\n\0")
    assert len(shown) <= 200
    assert part.get_content_type() == "text/plain"


@pytest.mark.parametrize("kind", ["", "multipart/mixed", "message/rfc822", "text/plain\r\nX: y", "nonsense"])
def test_a_type_that_would_break_the_mail_becomes_plain_bytes(kind: str) -> None:
    (part,) = read_by_stdlib(Row(), (b"content", "a.eml", kind, "")).iter_attachments()
    assert (part.get_content_type(), part.get_content()) == ("application/octet-stream", b"content")


def test_a_picture_that_the_html_shows_stands_beside_it_and_any_other_is_attached() -> None:
    picture = (b"\x89PNG\r\n\x1a\n", "logo.png", "image/png", "logo@hub")
    row = Row(html='<img src="cid:logo@hub">')
    message = read_by_stdlib(row, picture, FILE)
    assert [part.get_content_type() for part in message.walk()] == [
        *("multipart/mixed", "multipart/related", "multipart/alternative", "text/plain", "text/html"),
        *("image/png", "application/pdf"),
    ]
    assert [(file.inline, file.content_id) for file in read(row, picture).attachments] == [(True, "logo@hub")]
    (part,) = read_by_stdlib(Row(), picture).iter_attachments()
    assert part.get_content_disposition() == "attachment"


def test_the_text_has_answer_signatures_reply_line_and_quote_in_this_order() -> None:
    assert composed().text == (
        "Hej Anna\n\nPrøv at slukke og tænde.\n\n"
        "-- \nBo\nHub ApS\n\n"
        "##- Write your answer above this line -##\n"
        "On Mon, 2 Mar 2026 at 10:11, Anna Ågård wrote:\n"
        "> Hej\n>\n> Den går i stå.\n>> sagde I ikke det?\n"
    )


def test_a_danish_customer_reads_danish_around_the_quote() -> None:
    text = composed(language="da").text
    assert "##- Skriv dit svar over denne linje -##\nDen man. 2. mar. 2026 kl. 10.11 skrev Anna Ågård:\n> Hej" in text
    assert composed(language="xx").text == composed().text


def test_without_quote_and_signature_there_is_only_the_answer() -> None:
    bare = composed(quoted=None, agent_signature="", identity=dataclasses.replace(IDENTITY, signature=" "))
    assert bare.text == "Hej Anna\n\nPrøv at slukke og tænde.\n"
    assert "blockquote" not in bare.html


def test_a_very_long_last_message_is_quoted_in_part() -> None:
    text = composed(quoted=dataclasses.replace(QUOTED, text="ord " * 50_000)).text
    assert len(text) < 25_000
    assert text.endswith("> […]\n")


def test_the_html_is_escaped_text_with_links() -> None:
    html = composed(
        body='<script>alert(1)</script> & https://x.example/a?b=1&c="2" (see http://y.example/z_(1)). javascript:x',
        quoted=dataclasses.replace(QUOTED, author="<b>", text="<img src=x onerror=y>"),
    ).html
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert re.findall('href="([^"]*)"', html) == ["https://x.example/a?b=1&amp;c=", "http://y.example/z_(1)"]
    assert '<blockquote type="cite"' in html


ANSWER = "Tak, nu virker den igen."


def _quoted_by(program: str, sent: Any) -> str:
    """The text of a customer's answer as mail programs write it."""
    lines = "".join(f"> {line}".rstrip() + "\n" for line in sent.text.splitlines())
    heads = {
        "gmail": f"\n\nOn Mon, 2 Mar 2026 at 11:00, Support <support@{DOMAIN}> wrote:\n\n{lines}",
        "apple": f"\n\n> Den 2. mar. 2026 kl. 11.00 skrev Support <support@{DOMAIN}>:\n>\n{lines}",
        "outlook": f"\n\n________________________________\nFra: Support <support@{DOMAIN}>\n"
        f"Sendt: 2. marts 2026 11:00\nTil: Anna\nEmne: [{NUMBER}] Re: Printeren\n\n{sent.text}",
    }
    return ANSWER + heads[program]


@pytest.mark.parametrize("program", ["gmail", "apple", "outlook"])
@pytest.mark.parametrize("language", ["da", "en"])
def test_of_a_customers_answer_only_the_new_part_is_left(program: str, language: str) -> None:
    sent = composed(language=language)
    reply = parse(
        mail(
            f"In-Reply-To: {sent.header_message_id}",
            "Subject: SV: x",
            "Content-Type: text/plain; charset=utf-8",
            body=_quoted_by(program, sent),
        )
    )
    assert reply.reply_text.strip() == ANSWER


@pytest.mark.parametrize("language", ["da", "en"])
def test_an_answer_above_our_line_alone_is_cut_there(language: str) -> None:
    body = f"{ANSWER}\n\n{REPLY_LINES[language]}\nand what follows it\n"
    reply = parse(mail("In-Reply-To: <x@y>", "Content-Type: text/plain; charset=utf-8", body=body))
    assert reply.reply_text.strip() == ANSWER


def test_our_own_html_comes_back_quoted_and_is_folded() -> None:
    sent = composed()
    inner = sent.html.partition("<body>")[2].partition("</body>")[0]
    body = f'<div>{ANSWER}</div><div class="gmail_quote"><blockquote class="gmail_quote">{inner}</blockquote></div>'
    reply = parse(mail("In-Reply-To: <x@y>", "Content-Type: text/html; charset=utf-8", body=body))
    assert reply.reply_text.strip() == ANSWER


def test_a_second_try_is_the_same_mail_to_the_byte() -> None:
    row = row_of(composed())
    assert raw(row, FILE) == raw(row, FILE)
