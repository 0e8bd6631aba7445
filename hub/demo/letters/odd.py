"""Mails whose form is out of the ordinary, as every mailbox gets them."""

from email.message import EmailMessage
from email.policy import SMTP

from hub.demo.files import png
from hub.demo.letter import SUPPORT, File, Letter

_LATIN1 = (
    "From: Bjørn Sæther <bjorn@gamlebyen-foto.example>\r\n"
    "To: support@nordlys-it.example\r\n"
    "Subject: Blæseren larmer på serveren\r\n"
    "Date: {date}\r\n"
    "Message-ID: <latin-1@gamlebyen-foto.example>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Hej\r\n\r\nBlæseren på den gamle server larmer, så vi ikke kan høre telefonen. Kan I kigge forbi?\r\n\r\n"
    "Hilsen Bjørn Sæther\r\n"
).encode("iso-8859-1")

_LOGO_PAGE = """<html><body><p>Hello,</p><p>our logo looks <b>blurred</b> in the new mail signature:</p>
<p><img src="cid:logo-1" alt="logo" width="200"></p><p>It should be sharp. Thank you!</p><p>Elena</p></body></html>"""

_STYLED = """<html><head><style>p {color: #333}</style></head><body><p>Hej Nordlys,</p>
<p>Vi kan ikke se kameraet i gården mere. <i>Det virkede i går.</i></p>
<img src="https://tracking.fjordbageriet.example/pixel.gif" width="1" height="1">
<p>Venlig hilsen<br>Anna Holm</p></body></html>"""

_INVITE = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Kiel Werft//Calendar//EN\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:window-42@kielwerft.example\r
DTSTAMP:20260101T080000Z\r
DTSTART:20270109T080000Z\r
DTEND:20270109T100000Z\r
SUMMARY:Maintenance window\r
LOCATION:Server room\r
ORGANIZER;CN=Laura Stein:mailto:laura@kielwerft.example\r
ATTENDEE;CN=Nordlys IT:mailto:support@nordlys-it.example\r
END:VEVENT\r
END:VCALENDAR\r
"""


def _phishing_report() -> bytes:
    suspicious = EmailMessage()
    suspicious["From"] = "Bank Security <security@bank-notice.example>"
    suspicious["To"] = "elena@studio-rossi.example"
    suspicious["Subject"] = "Your account will be closed"
    suspicious.set_content("Confirm your card within 24 hours.\n")
    mail = EmailMessage()
    mail["From"] = "Elena Rossi <elena@studio-rossi.example>"
    mail["To"] = SUPPORT
    mail["Subject"] = "Is this mail real?"
    mail["Date"] = "{date}"
    mail["Message-ID"] = "<phishing@studio-rossi.example>"
    mail.set_content("Hello,\n\nI got the attached mail. Is it real, or should I delete it?\n\nElena\n")
    mail.add_attachment(suspicious)
    return mail.as_bytes(policy=SMTP)


LETTERS = (
    Letter("latin-1", "Bjørn Sæther <bjorn@gamlebyen-foto.example>", "", "", 42, raw=_LATIN1),
    Letter(
        "inline-logo",
        "Elena Rossi <elena@studio-rossi.example>",
        "Blurred logo in the signature",
        "",
        35,
        html=_LOGO_PAGE,
        files=(File("logo.png", "image/png", png(200, 60, (20, 120, 110)), content_id="logo-1"),),
    ),
    Letter(
        "kamera",
        "Anna Holm <anna.holm@fjordbageriet.example>",
        "Kameraet i gården er sort",
        "Hej Nordlys,\n\nVi kan ikke se kameraet i gården mere. Det virkede i går.\n\nVenlig hilsen\nAnna Holm\n",
        13,
        html=_STYLED,
    ),
    Letter(
        "invite",
        "Laura Stein <laura@kielwerft.example>",
        "Invitation: Maintenance window",
        "You are invited to the maintenance window on Saturday at nine.\n",
        50,
        files=(File("invite.ics", "text/calendar", _INVITE),),
    ),
    Letter("phishing", "Elena Rossi <elena@studio-rossi.example>", "", "", 8, raw=_phishing_report()),
    Letter(
        "no-subject",
        "Karl Lund <karl.lund@gamlebyen-foto.example>",
        "",
        "Hej, kan I ringe til mig? Karl\n",
        23,
    ),
    Letter(
        "windows-1252",
        "Marcus Reed <marcus.reed@harbourlogistics.example>",
        "Scanner – “paper jam” though there is no paper",
        "Hello,\n\nthe scanner says “paper jam”, but there’s no paper in it. We’ve opened every flap – nothing. "
        "#scanner\n\nMarcus\n",
        12,
        charset="windows-1252",
    ),
    Letter(
        "form-1",
        "Website <formular@nordlys-hjemmeside.example>",
        "Contact form: offer for telephony",
        "Name: Henrik Dam\nCompany: Dam & Sønner\n\nWe would like an offer for IP telephony for twelve people.\n",
        21,
        headers=(("Reply-To", "Henrik Dam <henrik@dam-soenner.example>"),),
    ),
    Letter(
        "testing",
        "test@kunde-test.example",
        "Test ticket",
        "This is a test #testing\n",
        3,
    ),
)
