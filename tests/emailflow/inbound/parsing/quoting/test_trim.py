"""The new part of a reply is found in every language we meet, with the place and the reason of each cut."""

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.quoting.trim import MAX_TRIMMED, trim
from tests.emailflow.inbound.mails import mail

ANSWER = "In-Reply-To: <ours-1@helpdesk.example>"
QUOTED = "\n> Hej\n> du\n"


@pytest.mark.parametrize(
    "attribution",
    [
        "Den 2. mar. 2026 kl. 10.11 skrev Support <s@x.example>:",
        "Den man. 2. mar. 2026 kl. 10.11 skrev Support <\nsupport@helpdesk.example>:",
        "Den 02-03-2026 kl. 10:11 skrev Support:",
        "Support <s@x.example> skrev den 2. marts 2026:",
        "tir. 3. mars 2026 kl. 10:11 skrev Support <s@x.example\n>:",
        "Den mån 2 mars 2026 kl 10:11 skrev Support <s@x.example>:",
        "2 mars 2026 kl. 10:11 skrev Support <s@x.example>:",
        "Am Mo., 2. März 2026 um 10:11 Uhr schrieb Support <s@x.example>:",
        "Am 02.03.26 um 10:11 schrieb Support:",
        "On Mon, Mar 2, 2026 at 10:11 AM Support <s@x.example> wrote:",
        "On Monday,\nMarch 2, 2026 at 10:11 AM, Support\n<s@x.example> wrote:",
        "On 02/03/2026 10:11, Support wrote:",
        "Le lun. 2 mars 2026 à 10:11, Support <s@x.example> a\nécrit :",
        "Op ma 2 mrt 2026 om 10:11 schreef Support <s@x.example>:",
        "El lun, 2 mar 2026 a las 10:11, Support (<s@x.example>) escribió:",
        '2.3.2026, 10.11, "Support" <s@x.example>:',
    ],
)
def test_what_stands_above_an_attribution_is_new(attribution: str) -> None:
    text = f"Tak, det virker.\n\n{attribution}{QUOTED}"
    trimmed = trim(text, is_reply=True)
    assert trimmed.unsigned == "Tak, det virker."
    assert trimmed.quote is not None
    assert trimmed.quote.reason == "attribution"
    assert text[trimmed.quote.start :] == attribution + QUOTED


@pytest.mark.parametrize(
    "labels",
    [
        "Fra: Support <s@x.example>\nSendt: 2. marts 2026 10:11\nTil: Kunde\nEmne: Svar",
        "Fra: Support <s@x.example>\nDato: mandag den 2. marts 2026 kl. 10.11\nTil: Kunde\nEmne: Svar",
        "Från: Support\nSkickat: den 2 mars 2026 10:11\nTill: Kund\nÄmne: Svar",
        "Von: Support\nGesendet: Montag, 2. März 2026 10:11\nAn: Kunde\nBetreff: Antwort",
        "*From:* Support [mailto:s@x.example]\n*Sent:* Monday, March 2, 2026 10:11 AM\n*To:* Customer\n*Subject:* x",
        "De : Support\nEnvoyé : lundi 2 mars 2026 10:11\nÀ : Client\nObjet : Réponse",
        "Van: Support\nVerzonden: maandag 2 maart 2026 10:11\nAan: Klant\nOnderwerp: Antwoord",
        "De: Support\nEnviado: lunes, 2 de marzo de 2026 10:11\nPara: Cliente\nAsunto: Respuesta",
        "De: Support\nEnviada em: segunda-feira, 2 de março de 2026 10:11\nPara: Cliente\nAssunto: Resposta",
        "Od: Support\nWysłano: poniedziałek, 2 marca 2026 10:11\nDo: Klient\nTemat: Odpowiedź",
        "Subject: x\nFrom: s@x.example\nTo: k@y.example\nDate: Mon, 2 Mar 2026 10:11:12 +0100",
    ],
)
@pytest.mark.parametrize("above", ["", "________________________________\n", "-----Oprindelig meddelelse-----\n"])
def test_what_stands_above_a_block_of_headers_is_new(labels: str, above: str) -> None:
    trimmed = trim(f"Tak, det virker.\n\n{above}{labels}\n\nHej\nVirker det?", is_reply=True)
    assert trimmed.unsigned == "Tak, det virker."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tak.\n\nMed venlig hilsen\nOle Hansen\nTlf. 12 34 56 78", "Tak."),
        ("Tak.\n\nMvh Ole", "Tak."),
        ("Tack.\n\nMed vänliga hälsningar\nAnna Åberg\nAB Företaget", "Tack."),
        ("Danke.\n\nMit freundlichen Grüßen\nMax Mustermann", "Danke."),
        ("Thanks, that works.\n\nBest regards,\nJane Doe\nwww.example.com", "Thanks, that works."),
        ("Merci.\n\nCordialement,\nJean Dupont", "Merci."),
        ("Bedankt.\n\nMet vriendelijke groet,\nJan de Vries", "Bedankt."),
        ("Gracias.\n\nUn saludo,\nAna García", "Gracias."),
        ("Tak.\n\nSendt fra min iPhone", "Tak."),
        ("Thanks.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>", "Thanks."),
        ("Tak.\n\n-- \nOle Hansen\nole@example.dk", "Tak."),
        ("Tak.\n\n##- Skriv dit svar over denne linje -##\n\nHej", "Tak."),
        ("Tak.\n\n--- Please type your reply above this line ---\n\nHej", "Tak."),
    ],
)
def test_signature_and_reply_line_end_the_new_part(text: str, expected: str) -> None:
    assert parse(mail(ANSWER, body=text)).reply_text == expected


def test_the_reply_line_counts_in_a_mail_without_reply_headers_too() -> None:
    assert parse(mail(body="Tak.\n\n##- Skriv dit svar over denne linje -##\n\nHej")).reply_text == "Tak."


def test_our_line_in_an_unmarked_quote_takes_the_headers_above_it_along() -> None:
    text = "Tak.\n\nDen 2. mar. 2026 kl. 10.11 skrev Support:\n\n##- Skriv dit svar over denne linje -##\n\nHej"
    assert trim(text, is_reply=True).unsigned == "Tak."


def test_quote_and_signature_are_two_cuts() -> None:
    text = f"Tak.\n\nMvh\nOle\n\nDen 2. mar. 2026 kl. 10.11 skrev S <s@x.example>:{QUOTED}"
    trimmed = trim(text, is_reply=True)
    assert trimmed.signature is not None and trimmed.quote is not None
    assert text[trimmed.signature.start : trimmed.signature.end].strip() == "Mvh\nOle"
    assert text[trimmed.quote.start : trimmed.quote.end].startswith("Den 2. mar.")
    assert (trimmed.reply, trimmed.unsigned) == ("Tak.\n\nMvh\nOle", "Tak.")


@pytest.mark.parametrize(
    "text",
    [
        "> Spørgsmål?\n\nMit svar står under citatet.",
        "Thanks for looking.\nAlso the second printer fails since Monday.",
        "Fra: Support <s@x.example>\nSendt: 2. marts 2026 10:11\nTil: Kunde\nEmne: Svar\n\nHej",
        "Den 2. mar. 2026 kl. 10.11 skrev Support <s@x.example>:\n> Hej",
        "Mvh\nOle",
        ">\n>\n>",
        "-- \nOle",
        "-----Original Message-----",
        "\n \n",
        "",
    ],
)
def test_where_nothing_else_would_stay_everything_does(text: str) -> None:
    assert trim(text, is_reply=True).unsigned == text


def test_only_answers_are_cut() -> None:
    text = "Se her.\n\nFra: Bank <b@bank.example>\nSendt: 2. marts 2026 10:11\nTil: Mig\nEmne: Konto\n\nHej"
    assert parse(mail(body=text)).reply_text == text
    assert parse(mail("Subject: SV: Hej", body=text)).reply_text == "Se her."
    assert parse(mail(ANSWER, body=text)).reply_text == "Se her."
    # Programs set the headers of a reply when they forward, too.
    assert parse(mail("Subject: VS: Hej", ANSWER, body=text)).reply_text == text
    assert parse(mail("Subject: [EXT] Fwd: Re: Hej", ANSWER, body=text)).reply_text == text


def test_the_whole_text_is_kept_beside_the_new_part() -> None:
    text = "Tak.\n\nDen 2. mar. 2026 kl. 10.11 skrev Support <s@x.example>:\n\n> Hej"
    parsed = parse(mail(ANSWER, body=text))
    assert (parsed.reply_text, parsed.text) == ("Tak.", text)


def test_own_text_behind_what_is_looked_at_is_not_lost() -> None:
    quote = "> Hej\n" * (MAX_TRIMMED // 4)
    text = f"Tak.\n\nDen 2. mar. 2026 kl. 10.11 skrev Support <s@x.example>:\n{quote}\nOg mit svar."
    assert trim(text, is_reply=True).unsigned.endswith("Og mit svar.")


def test_runs_of_line_ends_do_not_stop_the_trimming() -> None:
    text = "Tak.\n" + "\n" * 50_000 + "On Mon, Mar 2, 2026 Support <s@x.dk> wrote:\n> Hi"
    assert trim(text, is_reply=True).unsigned == "Tak."


@pytest.mark.parametrize(
    "text",
    [
        *("On ab " * 5_000, "On ab\n" * 5_000, "\n" * 1_000_000, ">" * 1_000_000, ">\n" * 500_000, ":\n" * 300_000),
        *("Den " * 8_000 + "skrev", "Fra: a@b\n" * 30_000, "a@" * 500_000, "Mvh A\n" * 30_000, " " * 1_000_000),
        *(("2026 " * 79 + ":\n") * 3_000, "On 2 mar 2026 10:11 S <s@x.example> wrote:\n> a\n" * 3_000),
    ],
    ids=range(13),
)
def test_hostile_texts_give_something_of_themselves(text: str) -> None:
    assert trim(text, is_reply=True).reply.strip() in text
