"""The trimmer on what the authors of other trimmers expect, set by set; above all no own line is lost.

Exact is what equals the expectation with or without the signature, white space and signs folded. A row is exempt
from the count of lost lines only where the expectation itself breaks a rule of ours, named beside it.
"""

from typing import Any

import pytest

from emailflow.inbound.parse import parse
from emailflow.inbound.parsing.quoting.reply import is_reply
from emailflow.inbound.parsing.quoting.trim import Trimmed, trim
from emailflow.inbound.parsing.render import render
from tests.corpus.folder import all_mails, corpus_folder, expectations

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

Row = dict[str, Any]
# What the two cuts fold is not lost: the closing lines that an expectation of another trimmer leaves in place.
SIGNATURES = {"abhishekkona", "sentfrommyiphone", "xxx", "sentwithsparrowhttpwwwsparrowmailappcomsig"}
# Their expectations drop text of the writer, so ours is longer.
DROPS_OWN_TEXT = {
    ("crisp_reply", "fixtures/email_2.txt"): "drops the answer below the quote",
    ("github_reply", "emails/email_1_2.txt"): "drops the answer below the quote",
    ("crisp_reply", "fixtures/email_15.txt"): 'drops text after "Sent from my"',
    ("crisp_reply", "fixtures/email_german_3.txt"): 'drops text after "Gesendet von"',
}


def _fold(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).lower()


def _new_part(name: str, file: str) -> Trimmed:
    text = (corpus_folder() / name / file).read_text("utf-8", errors="replace")
    if file.endswith(".html"):
        rendered = render(html=text, text="", want_text=True, is_reply=True)
        return Trimmed(rendered.reply_text, rendered.reply_text)
    if file.endswith(".eml"):
        parsed = parse((corpus_folder() / name / file).read_bytes())
        answers = bool(parsed.in_reply_to or parsed.references)
        return trim(parsed.text, is_reply=is_reply(parsed.subject, answers=answers))
    return trim(text, is_reply=True)


def _is_exact(row: Row, got: Trimmed) -> bool:
    expected = row["reply_text"].replace("\\n", "\n")
    unsigned = trim(expected, is_reply=False).unsigned
    return bool({_fold(expected), _fold(unsigned)} & {_fold(got.reply), _fold(got.unsigned)})


def _holds(row: Row, got: Trimmed) -> bool:
    text = _fold(got.unsigned)
    return all(_fold(piece) in text for piece in row.get("reply_text_contains", [])) and not any(
        _fold(piece) in text for piece in row.get("reply_text_not_contains", [])
    )


def _rows(name: str) -> list[Row]:
    return [row for rows in expectations(name).values() for row in rows]


@pytest.mark.parametrize(
    ("name", "exact", "pieces"),
    [
        ("crisp_reply", 43, 0),
        ("talon", 11, 0),
        ("zapier_reply", 5, 4),
        ("mail_parser_reply", 7, 14),
        ("edge_synthetic", 8, 2),
    ],
)
def test_the_new_part_is_what_is_expected(name: str, exact: int, pieces: int) -> None:
    rows = [(row, _new_part(name, row["file"])) for row in _rows(name) if any(key.startswith("reply_") for key in row)]
    wrong = [row["file"] for row, got in rows if "reply_text" in row and not _is_exact(row, got)]
    assert sum("reply_text" in row for row, _ in rows) - len(wrong) >= exact, wrong
    parts = [(row, got) for row, got in rows if "reply_text" not in row and not row["file"].endswith(".html")]
    failed = [row["file"] for row, got in parts if not _holds(row, got)]
    assert len(parts) - len(failed) >= pieces, failed


def test_the_structure_of_html_shows_the_new_part() -> None:
    rows = [row for row in _rows("talon") if "reply_text_contains" in row and row["file"].endswith(".html")]
    good = 0
    for row in rows:
        text = render(
            html=(corpus_folder() / "talon" / row["file"]).read_text("utf-8", errors="replace"),
            text="",
            want_text=True,
            is_reply=True,
        )
        pieces = row["reply_text_contains"]
        assert pieces[0] in text.reply_text, row["file"]
        # The second piece is the closing, which may be folded.
        good += "How are you" not in text.reply_text and all(piece in text.text for piece in pieces)
    assert good >= 9


@pytest.mark.parametrize(
    "name", ["crisp_reply", "talon", "zapier_reply", "mail_parser_reply", "edge_synthetic", "github_reply"]
)
def test_no_expected_line_is_lost(name: str) -> None:
    lost = []
    for row in _rows(name):
        if "reply_text" not in row and "reply_text_contains" not in row:
            continue
        got = _new_part(name, row["file"])
        lines = "\n".join(row.get("reply_text_contains", [row.get("reply_text", "")])).replace("\\n", "\n").split("\n")
        own = [line for line in lines if _fold(line) and _fold(line) not in SIGNATURES]
        lost += [(row["file"], line) for line in own if _fold(line) not in _fold(got.unsigned)]
    assert lost == []


@pytest.mark.parametrize(("name", "file"), DROPS_OWN_TEXT)
def test_where_an_expectation_drops_own_text_ours_keeps_it(name: str, file: str) -> None:
    got = _new_part(name, file)
    text = (corpus_folder() / name / file).read_text("utf-8", errors="replace")
    shown = _fold(got.unsigned)
    below = [line for line in text.split("\n")[1:40] if line.strip() and not line.startswith(">")]
    assert all(_fold(line) in shown or _fold(line) in _fold(got.reply) for line in below)


def test_mails_that_answer_nothing_keep_their_lines() -> None:
    seen, losing = 0, []
    for path in sorted((corpus_folder() / "spamassassin_public" / "easy-ham-1").iterdir()):
        parsed = parse(path.read_bytes())
        if is_reply(parsed.subject, answers=bool(parsed.in_reply_to or parsed.references)):
            continue
        seen += 1
        kept = {line.strip() for line in parsed.reply_text.split("\n")}
        lines = [line.strip() for line in parsed.text.split("\n") if line.strip() and not line.lstrip().startswith(">")]
        if sum(line not in kept for line in lines) > 5:
            losing.append(path.name)
    assert seen > 500
    assert len(losing) <= 3, losing


def test_no_mail_with_a_text_comes_out_empty() -> None:
    empty = []
    for path in all_mails():
        parsed = parse(path.read_bytes())
        if parsed.text.strip() and not parsed.reply_text.strip():
            empty.append(str(path))
    assert empty == []
