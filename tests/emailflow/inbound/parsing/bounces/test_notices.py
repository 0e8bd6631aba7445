"""Notices in words, as many mail servers write them, are read; a person's words never are."""

import pytest

from emailflow.inbound.parse import parse
from emailflow.mail import Report
from tests.emailflow.inbound.mails import mail, multipart
from tests.emailflow.inbound.parsing.bounces.letters import DAEMON, FAILED, ORIGINAL, OURS, RETURNED, bounce_of, notice

HEADERS = ORIGINAL.replace("\r\n", "\n")

POSTFIX = f"""This is the mail system at host mx.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<kunde@example.dk>: host mail.example.dk[192.0.2.7] said: 550 5.1.1
    <kunde@example.dk>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)

--- Undelivered message headers follow ---

{HEADERS}
"""
QMAIL = f"""Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<kunde@example.dk>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 no mailbox here by that name

--- Below this line is a copy of the message.

Return-Path: <support@helpdesk.example>
{HEADERS}
"""
EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  kunde@example.dk
    SMTP error from remote mail server after RCPT TO:<kunde@example.dk>:
    host mail.example.dk [192.0.2.7]: 550 5.1.1 No such user here

------ This is a copy of the message, including all the headers. ------

{HEADERS}
"""
GMAIL = f"""Delivery to the following recipient failed permanently:

     kunde@example.dk

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain example.dk.
The error that the other server returned was: 550 5.1.1 <kunde@example.dk> User unknown

----- Original message -----

{HEADERS}
"""
OUTLOOK = f"""Your message to kunde@example.dk couldn't be delivered.

kunde wasn't found at example.dk.

Remote server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient kunde@example.dk not found by SMTP'

Original Message Headers

{HEADERS}
"""
EXCHANGE = """Your message

  To:      bo@example.dk
  Subject: Svar
  Sent:    Mon, 2 Mar 2026 10:11:12 +0100

did not reach the following recipient(s):

kunde@example.dk on Mon, 2 Mar 2026 10:11:15 +0100
    The e-mail account does not exist at the organization this message was sent to. Unknown recipient
    <mx.example #5.1.1>
"""
LOTUS = f"""------- Failure Reasons  --------

User not listed in public Name & Address Book
kunde@example.dk

------- Returned Message --------

{HEADERS}
"""
SENDMAIL = f"""The original message was received at Mon, 2 Mar 2026 10:11:12 +0100

   ----- The following addresses had permanent fatal errors -----
<kunde@example.dk>
    (reason: 550 5.1.1 User unknown)

   ----- Transcript of session follows -----
... while talking to mail.example.dk.:
>>> RCPT To:<kunde@example.dk>
<<< 550 5.1.1 User unknown

   ----- Message header follows -----
{HEADERS}
"""
FORMS = {
    "postfix": POSTFIX,
    "qmail": QMAIL,
    "exim": EXIM,
    "gmail": GMAIL,
    "outlook": OUTLOOK,
    "exchange": EXCHANGE,
    "lotus": LOTUS,
    "sendmail": SENDMAIL,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_who_was_not_reached_is_read_from_the_words_of_every_server(form: str, line_end: bytes) -> None:
    bounce = bounce_of(notice(FORMS[form]).replace(b"\r\n", line_end))

    assert bounce.recipients == ("kunde@example.dk",)
    assert (bounce.report, bounce.action) == (Report.BOUNCE, "failed")
    assert not bounce.suspected
    assert bounce.hard
    assert bounce.status in ("5.1.1", "5.1.10") if form != "lotus" else bounce.status == "5.0.0"
    if form != "exchange":
        assert bounce.original.message_id == OURS
        assert bounce.original.to == ("kunde@example.dk",)


def test_notice_in_html_only_is_read_too() -> None:
    words = "<html><head><style>p{color:red}</style></head><p>Delivery has failed to these recipients:</p>"
    words += "<p>&lt;kunde@example.dk&gt;<br>550 5.2.2 The mailbox is full</p></html>"
    bounce = bounce_of(mail(*DAEMON, FAILED, "Content-Type: text/html; charset=utf-8", body=words))
    assert (bounce.recipients, bounce.status, bounce.hard) == (("kunde@example.dk",), "5.2.2", False)


def test_each_recipient_of_a_notice_in_words_has_its_own_reason() -> None:
    words = """The following addresses failed:

<kunde@example.dk>:
    550 5.1.1 User unknown

<bo@example.dk>:
    552 5.2.2 Mailbox full

--- Below this line is a copy of the message.

"""
    bounce = bounce_of(notice(words + HEADERS))
    told = {one.address: (one.status, one.hard) for one in bounce.reports}
    assert told == {"kunde@example.dk": ("5.1.1", True), "bo@example.dk": ("5.2.2", False)}


def test_a_warning_in_words_is_a_delay_and_says_so_only_while_nobody_has_given_up() -> None:
    words = """THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.

Delivery to the following recipient has been delayed:

     kunde@example.dk

Message will be retried for 2 more day(s)

----- Original message -----

"""
    warning = bounce_of(notice(words + HEADERS, "Subject: Delivery Status Notification (Delay)"))
    assert (warning.report, warning.action, warning.status) == (Report.DELAY, "delayed", "4.0.0")
    assert not warning.hard
    given_up = bounce_of(notice("It has been delayed, and we have given up.\n" + EXIM))
    assert given_up.report is Report.BOUNCE


def test_the_header_of_exim_names_who_was_not_reached() -> None:
    bounce = bounce_of(notice("A message could not be delivered.", FAILED, "X-Failed-Recipients: a@x.dk, b@y.dk"))
    assert bounce.recipients == ("a@x.dk", "b@y.dk")


def test_the_address_that_our_mail_went_to_is_taken_before_any_other_in_the_notice() -> None:
    words = "Your message could not be delivered. Ask help@example.dk or hotline@example.dk about kunde@example.dk."
    text = f"Content-Type: text/plain\r\n\r\n{words}"
    bounce = bounce_of(multipart("mixed", [text, RETURNED], *DAEMON, FAILED))
    assert bounce.recipients == ("kunde@example.dk",)


def test_a_notice_that_names_nobody_is_about_the_only_one_who_was_written_to() -> None:
    text = "Content-Type: text/plain\r\n\r\nYour message could not be delivered."
    one = RETURNED.replace("Cc: bo@example.dk\r\n", "")
    assert bounce_of(multipart("mixed", [text, one], *DAEMON, FAILED)).recipients == ("kunde@example.dk",)
    of_two = bounce_of(multipart("mixed", [text, RETURNED], *DAEMON, FAILED))
    assert (of_two.recipients, of_two.suspected, of_two.original_message_id) == ((), True, OURS)


def test_nothing_is_taken_from_the_text_of_the_mail_that_came_back() -> None:
    inner = RETURNED.replace("Hej Kunde", "550 5.1.1 <eva@example.dk>... User unknown")
    text = "Content-Type: text/plain\r\n\r\n<kunde@example.dk>: the mailbox is over quota, 552 5.2.2"
    bounce = bounce_of(multipart("mixed", [text, inner], *DAEMON, FAILED))
    assert (bounce.recipients, bounce.status, bounce.hard) == (("kunde@example.dk",), "5.2.2", False)


def test_the_words_original_message_in_a_sentence_cut_nothing_off() -> None:
    words = "The original message was received at noon and could not be delivered to\n\n  kunde@example.dk\n"
    assert bounce_of(notice(words)).recipients == ("kunde@example.dk",)


@pytest.mark.parametrize(
    "raw",
    [
        mail("Subject: Undelivered Mail Returned to Sender", body="Hej, hvad er det? Min ven k@x.dk spørger."),
        mail("Subject: Mail delivery failed", body="Vi fik den her om k@x.dk igen. Kan I hjælpe?"),
        mail("Subject: Re: failure notice", body=EXIM),
        mail("Subject: Spørgsmål", body=EXIM),
        mail("Subject: Undeliverable: x", "List-Id: <l.example.dk>", body=EXIM),
        mail("Subject: Your order", "Return-Path: <>", body="Thank you for your order. Write to k@x.dk."),
        mail("Subject: Din ordre", "From: postmaster@example.dk", body="Hej, kan I ringe til k@x.dk?"),
    ],
)
def test_a_persons_words_about_failed_mail_are_no_bounce(raw: bytes) -> None:
    assert parse(raw).bounce is None


@pytest.mark.parametrize(
    "piece",
    [
        *(b"<a@b.dk>: user unknown\n", b"a@", b"<style>", b"original message\n", b"From: x\n", b"recipient ", b"550 "),
        *(b"550 <a@b.dk>... no\n", b"Final-Recipient: rfc822; a@b.dk\n", b"(", b"a.", b"-", b"\xff", b"rcpt to:<"),
    ],
)
def test_a_hostile_notice_is_read_as_far_as_the_limits_go(piece: bytes) -> None:
    head = b"From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: Undelivered Mail\n\n"
    bounce = bounce_of(head + piece * (1_000_000 // len(piece)))
    assert len(bounce.reports) <= 100
    assert all(len(one.diagnostic) <= 1_000 for one in bounce.reports)
