"""HTML runs nothing and loads nothing, and no mail costs more than its deadline."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing import render as module
from emailflow.inbound.parsing import render_child
from emailflow.inbound.parsing.render import close_children, crude_text, render
from emailflow.inbound.parsing.render_child import MAX_ATTRIBUTES, prescan
from tests.emailflow.inbound.mails import mail

# To sanitise it takes little, to make text of it many times the deadline.
SLOW_TEXT = "<p>hej</p><table>" + "<tr><td>a<td>b" * 65_000


@pytest.fixture(autouse=True)
def _no_children_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What comes out is promised here; a busy machine may take its time for it."""
    monkeypatch.setattr(module, "DEADLINE", 30.0)
    close_children()
    yield
    close_children()
    assert _children() == []


def _children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if any("render_child" in word for word in p.cmdline())]


def _html(html: str) -> str:
    return render(html=html, text="tekst", want_text=False).html


@pytest.mark.parametrize(
    ("html", "forbidden"),
    [
        ("<script>alert(1)</script><p>hej</p>", "alert"),
        ("<p onclick='alert(1)'>hej</p>", "alert"),
        ("<a href='javascript:alert(1)'>hej</a>", "alert"),
        ("<a href='data:text/html,alert(1)'>hej</a>", "alert"),
        ("<a href='java\tscript:alert(1)'>hej</a>", "alert"),
        ("<a href='vbscript:alert(1)'>hej</a>", "alert"),
        ("<iframe src='//evil.example'></iframe>hej", "evil"),
        ("<style>@import 'http://evil.example'</style>hej", "evil"),
        ("<link rel=stylesheet href='http://evil.example'>hej", "evil"),
        ("<p style='background:url(http://evil.example)'>hej</p>", "evil"),
        ("<p style='background:u\\rl(http://evil.example)'>hej</p>", "evil"),
        ("<table background='http://evil.example'><tr><td>hej</table>", "evil"),
        ("<img srcset='http://evil.example/x 1x'>hej", "evil"),
        ("<svg><image href='http://evil.example'/></svg>hej", "evil"),
        ("<video src='http://evil.example' poster='http://evil.example'></video>hej", "evil"),
        ("<form action='http://evil.example'><input name=x></form>hej", "evil"),
        ("<meta http-equiv=refresh content='0;http://evil.example'>hej", "evil"),
        ("<base href='http://evil.example'>hej", "evil"),
        ("<img src='data:image/svg+xml;base64,PHN2Zz4='>hej", "svg"),
        ("<img data-src='javascript:alert(1)'>hej", "alert"),
        ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></math>hej", "alert"),
        ("<!--<img src='http://evil.example'>-->hej", "evil"),
        ("<title>evil</title>hej", "evil"),
    ],
)
def test_html_runs_nothing_and_loads_nothing(html: str, forbidden: str) -> None:
    clean = _html(html)
    assert forbidden not in clean
    assert "hej" in clean


def test_remote_images_wait_and_inline_images_stay() -> None:
    clean = _html(
        '<img src="https://x.example/a.png"><img src="//x.example/b.png"><img src="cid:logo@x">'
        '<img src="data:image/png;base64,AAAA"><img src="lokal.png">'
    )
    assert ' src="https://' not in clean
    assert 'data-src="https://x.example/a.png"' in clean
    assert 'data-src="//x.example/b.png"' in clean
    assert ' src="cid:logo@x"' in clean
    assert ' src="data:image/png;base64,AAAA"' in clean
    assert "lokal.png" not in clean


def test_ordinary_looks_survive() -> None:
    link = '<a href="https://x.example/?a=1&amp;b=2">x</a>'
    clean = _html(f'{link}<p style="color:red">Hej <b>alle</b></p><table><tr><td width="10">1</td></tr></table>')
    assert 'style="color:red"' in clean
    assert 'href="https://x.example/?a=1&amp;b=2"' in clean
    assert "<b>alle</b>" in clean
    assert '<td width="10">1</td>' in clean


def test_deep_and_wide_html_is_flattened_and_said() -> None:
    deep = render(html="<div>" * 40_000 + "hej", text="", want_text=True)
    assert deep.text.strip() == "hej"
    assert any("200 levels" in defect for defect in deep.defects)
    wide = render(html="<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">hej</p>", text="", want_text=True)
    assert wide.text.strip() == "hej"
    assert any("attributes" in defect for defect in wide.defects)


def test_many_small_elements_are_not_taken_for_depth_or_width() -> None:
    rows = "<table>" + "<tr><td style='color:red'>x" * 2_000 + "</table>" + "<p>y" * 2_000 + "<br><hr>" * 500
    output, cut = prescan(rows)
    assert cut == []
    assert output.count("<td") == 2_000
    assert MAX_ATTRIBUTES < 2_000


def test_long_html_is_cut_and_said() -> None:
    result = render(html="<p>hej</p>" + "x" * 1_100_000, text="", want_text=True)
    assert result.text.startswith("hej")
    assert any("1 MB" in defect for defect in result.defects)


def test_what_costs_too_much_is_given_up_and_the_mail_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.0)
    parsed = parse(mail("Content-Type: text/html", body="<p>hej <b>Ole</b></p>"))
    assert (parsed.text, parsed.reply_text, parsed.html) == ("hej Ole", "hej Ole", "")
    assert any("only the text is kept" in defect for defect in parsed.defects)
    # The killed child is replaced.
    monkeypatch.setattr(module, "DEADLINE", 30.0)
    assert parse(mail("Content-Type: text/html", body="<p>hej</p>")).text == "hej"


def test_stages_that_were_finished_before_the_deadline_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 1.5)
    result = render(html=SLOW_TEXT, text="", want_text=True)
    assert result.html.startswith("<p>hej</p>")
    assert result.text.startswith("hej")
    assert any("rough text" in defect for defect in result.defects)


def test_a_child_that_died_is_replaced_without_a_word() -> None:
    assert render(html="<p>en</p>", text="", want_text=True).text == "en"
    (child,) = _children()
    child.send_signal(signal.SIGKILL)
    psutil.wait_procs([child], timeout=10)
    result = render(html="<p>to</p>", text="", want_text=True)
    assert (result.text, result.defects) == ("to", [])


def test_a_short_plain_mail_needs_no_child() -> None:
    assert parse(mail(body="Printeren virker ikke.")).reply_text == "Printeren virker ikke."
    assert _children() == []


def test_threads_and_forks_each_get_their_own_answer() -> None:
    answers: dict[int, str] = {}

    def work(number: int) -> None:
        answers[number] = render(html=f"<p>{number}</p>", text="", want_text=True).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(8)}
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = render(html="<p>barn</p>", text="", want_text=True).text
        close_children()
        os.write(write, text.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"barn"
    os.close(read)
    os.close(write)
    assert render(html="<p>forælder</p>", text="", want_text=True).text == "forælder"


def test_a_child_is_renewed_after_its_share_of_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAILS_PER_CHILD", 2)
    seen = set()
    for _ in range(2):
        render(html="<p>x</p>", text="", want_text=True)
        seen.update(child.pid for child in _children())
    assert len(seen) == 1
    assert _children() == []


def test_the_child_ends_when_its_parent_is_killed() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        render(html="<p>x</p>", text="", want_text=True)
        os.write(write, str(_children()[0].pid).encode())
        signal.pause()
    child = psutil.Process(int(os.read(read, 100)))
    os.close(read)
    os.close(write)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def test_rough_text_is_readable() -> None:
    assert (
        crude_text("<style>p{}</style><p>Hej&nbsp;<b>Ole</b></p><p>linje<br>ny<script>x()</script>")
        == "Hej Ole\nlinje\nny"
    )


def test_the_child_starts_without_django_and_without_this_project() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print({'django', 'emailflow'} & set(sys.modules))"
    program = Path(module.__file__).with_name("render_child.py")
    answer = subprocess.run([sys.executable, "-P", "-c", code, program], capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "html",
    [
        '<p style="color:red;position:fixed">Hej <a href="https://a.example/?x=1&amp;y=2">link</a></p>',
        '<a href="/admin/logout">x</a><a href="&#106;avascript:alert(1)">y</a><a href=" javascript:alert(1)">z</a>',
        '<p style="background:u&#114;l(https://evil.example/x)">a</p><p style=background:url(//e.example)>b</p>',
        "<div><b></i><b></i>unbalanced</div><table><tr><td>1<td>2</table>",
        '<a href="data:text/html,hi">d</a><a href="mailto:a@b.example">m</a><a href=tel:123>t</a>',
        "<p onclick=alert(1) class=x lang=da>text</p><style>p{}</style><script>1</script>",
    ],
)
def test_quick_way_through_the_sanitiser_gives_what_the_careful_way_gives(html: str) -> None:
    careful = render_child.sanitise('<img src="cid:forces-the-careful-way">' + html)[0]

    quick = render_child.sanitise(html)[0]

    assert quick == careful.replace('<img src="cid:forces-the-careful-way">', "")
    assert "javascript:" not in quick and "url(" not in quick and "data:" not in quick


def test_closing_what_was_never_opened_does_not_make_a_deep_mail_look_flat() -> None:
    assert not render_child.is_harmless("<b></x>" * 300)
    assert render_child.is_harmless("<b>x</b>" * 3000)
