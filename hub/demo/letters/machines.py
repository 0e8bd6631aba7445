"""What machines write: delivery reports, automatic replies, newsletters, alarms, spam."""

from hub.demo.letter import SUPPORT, Letter

_BOUNCE = b"""\
From: Mail Delivery System <MAILER-DAEMON@mail.kystfragt.example>
To: support@nordlys-it.example
Subject: Undelivered Mail Returned to Sender
Date: {date}
Message-ID: <bounce-1@mail.kystfragt.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="part"

--part
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered to one of its recipients.
<lager@kystfragt.example>: user unknown

--part
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.kystfragt.example

Final-Recipient: rfc822; lager@kystfragt.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown

--part
Content-Type: text/rfc822-headers

From: Nordlys IT <support@nordlys-it.example>
To: lager@kystfragt.example
Subject: Your new access card
Message-ID: <access-card@nordlys-it.example>

--part--
""".replace(b"\n", b"\r\n")

_NEWS = """<html><body><table width="600"><tr><td><h1>Nyhedsbrev fra Kontorgros</h1>
<p>Denne måned: 20 % på papir og kuglepenne.</p>
<p><a href="https://kontorgros.example/afmeld">Afmeld nyhedsbrevet</a></p></td></tr></table></body></html>"""

LETTERS = (
    Letter(
        "bounce-1",
        "Mail Delivery System <MAILER-DAEMON@mail.kystfragt.example>",
        "Undelivered Mail Returned to Sender",
        "",
        44,
        raw=_BOUNCE,
    ),
    Letter(
        "ude-af-huset",
        "Jonas Kjær <jonas@fjordbageriet.example>",
        "Autosvar: Printeren i butikken virker ikke",
        "Tak for din mail.\n\nJeg er på ferie til og med mandag. Kontakt Anna Holm, hvis det haster.\n\nJonas\n",
        70.5,
        answers="printer-butik",
        headers=(("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")),
    ),
    Letter(
        "out-of-office",
        "Laura Stein <laura@kielwerft.example>",
        "Out of office: Maintenance window on Saturday",
        "I am out of the office until the first of the month with no access to mail.\n",
        38,
        headers=(("Auto-Submitted", "auto-replied"), ("Precedence", "auto_reply")),
    ),
    Letter(
        "nyhedsbrev-11",
        "Kontorgros <nyheder@news.kontorgros.example>",
        "Nyhedsbrev: 20 % på papir og kuglepenne",
        "",
        88,
        html=_NEWS,
        headers=(
            ("List-Unsubscribe", "<https://kontorgros.example/afmeld>"),
            ("List-Id", "Nyheder <nyheder.kontorgros.example>"),
            ("Precedence", "bulk"),
        ),
    ),
    Letter(
        "newsletter-hosting",
        "Northwind Hosting <news@northwind-hosting.example>",
        "Newsletter: what is new in our data centres",
        "In this newsletter: new data centres, new prices, and a webinar.\n\n"
        "You receive this newsletter because you are a customer. Unsubscribe: https://northwind-hosting.example/u\n",
        64,
        headers=(("List-Unsubscribe", "<https://northwind-hosting.example/u>"), ("Precedence", "bulk")),
    ),
    Letter(
        "spam-lottery",
        "Prize Office <claims@lucky-prize.example>",
        "CONGRATULATIONS!!! You have WON 1,000,000 EUR",
        "Dear winner,\n\nyour address has won the lottery. To claim your prize, send your bank account details and a "
        "processing fee by wire transfer today. Act now!\n",
        55,
        headers=(("X-Spam-Flag", "YES"), ("X-Spam-Status", "Yes, score=18.4")),
        authentic="fail",
    ),
    Letter(
        "spam-dansk",
        "Gevinstafdelingen <info@gratis-gavekort.example>",
        "Du har vundet et gavekort på 5.000 kr!",
        "Tillykke! Du er udtrukket som vinder af et gavekort. Klik her og bekræft dine kortoplysninger inden 24 "
        "timer for at modtage din gevinst.\n",
        36,
        headers=(("X-Spam-Flag", "YES"), ("X-Spam-Status", "Yes, score=11.0")),
        authentic="none",
    ),
    Letter(
        "backup-alarm",
        "Backup <backup@overvaagning.nordlys-drift.example>",
        "Backup of srv-file-02 failed",
        "Job: nightly\nHost: srv-file-02\nResult: failed after 3 attempts\nReason: no space left on device\n\n"
        "#backup #storage\n",
        7,
        to=SUPPORT,
        headers=(("Auto-Submitted", "auto-generated"),),
    ),
)
