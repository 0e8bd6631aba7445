"""A mail of HTML alone: its structure says where the quote is, and indented own text is none."""

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.quoting.html import mark
from tests.emailflow.inbound.mails import mail

HEADERS = ("In-Reply-To: <ours-1@helpdesk.example>", "Content-Type: text/html; charset=utf-8")
OWN = "<div>Tak, det virker.</div>"


def _new_part(html: str) -> str:
    parsed = parse(mail(*HEADERS, body=html))
    for sign in "\ufdd0\ufdd1\ufdd2":
        assert sign not in parsed.html + parsed.text + parsed.reply_text
    return parsed.reply_text.strip()


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><div dir="ltr" class="gmail_attr">Fremsendt af S:<br></div>'
        '<blockquote class="gmail_quote">Virker det?<br>Hilsen S</blockquote></div>',
        '<div class="moz-cite-prefix">Den 02-03-2026 kl. 10:11 skrev S:<br></div>'
        '<blockquote type="cite" cite="mid:x@y"><p>Virker det?</p></blockquote>',
        '<div><blockquote type="cite"><div>Den 2. mar. 2026 kl. 10.11 skrev S &lt;s@x.example&gt;:</div>'
        "<div>Virker det?</div></blockquote></div>",
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Fra:</b> S<br><b>Sendt:</b> i går<br></div>'
        "<div>Virker det?</div>",
        '<div id="x_divRplyFwdMsg"><b>Lähettäjä:</b> S</div><div>Virker det?</div>',
        '<div class="yahoo_quoted"><div>S skrev for lidt siden:</div><div>Virker det?</div></div>',
        '<hr id="stopSpelling">Date: i går<br>Virker det?',
        "<p><b>From:</b> S [mailto:s@x.example]<br><b>Sent:</b> Monday<br><b>To:</b> K<br><b>Subject:</b> x</p>"
        "<p>Virker det?</p>",
    ],
)
def test_the_structure_shows_the_quote(quote: str) -> None:
    assert _new_part(f"<html><body>{OWN}<br>{quote}</body></html>") == "Tak, det virker."


@pytest.mark.parametrize(
    "html",
    [
        # Gmail writes the answers into the same container.
        f'{OWN}<div class="gmail_quote"><div class="gmail_attr">S skrev:</div><blockquote class="gmail_quote">Et?'
        '</blockquote><div>Mit svar</div><blockquote class="gmail_quote">To?</blockquote></div>',
        f'{OWN}<div class="moz-cite-prefix">S skrev:</div><blockquote type="cite">Et?</blockquote><p>Mit svar</p>',
        f'{OWN}<blockquote style="margin:0 0 0 40px"><p>Mit svar</p><p>er</p><p>rykket ind</p></blockquote>',
        f'{OWN}<div class="gmail_quote">---------- Forwarded message ---------<br>Fra: S<br>Mit svar</div>',
        '<div class="gmail_quote"><blockquote class="gmail_quote">Et?</blockquote></div><div>Mit svar</div>',
        f'{OWN}<div><blockquote type="cite">Aldrig lukket</div><p>Mit svar</p>',
        '<div id="divRplyFwdMsg">Fra: S</div><div>Mit svar</div>',
    ],
)
def test_own_text_around_the_quote_stays(html: str) -> None:
    assert "Mit svar" in _new_part(html)


def test_bottom_posting_in_html_keeps_own_text_only() -> None:
    html = f'<blockquote type="cite"><p>Et?</p><p>To?</p><p>Tre?</p></blockquote>{OWN}'
    assert _new_part(html) == "Tak, det virker."


def test_the_marks_go_only_where_a_quote_is() -> None:
    for html in ("<p>Hej</p>", "<blockquote>Hej</blockquote>", "<div class=x>gmail_ er ikke et citat</div>"):
        assert mark(html) == html
