"""No line that the customer wrote is hidden, however much it looks like a quote or a signature."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emailflow.inbound.parsing.quoting.trim import trim


@dataclass
class Written:
    name: str
    text: str = ""
    own: list[str] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)


def _mails() -> list[Written]:
    mails: list[Written] = []
    for line in Path(__file__).with_name("hostile_mails.txt").read_text().split("\n"):
        if line.startswith("=== "):
            mails.append(Written(line[4:]))
        elif mails:
            sign, rest = line[:1], line[1:]
            mails[-1].text += rest + "\n"
            if rest.strip():
                {"§": mails[-1].own, "~": mails[-1].folded}.get(sign, []).append(rest)
    return mails


MAILS = _mails()


def test_there_are_enough_of_them() -> None:
    assert len(MAILS) >= 40


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.name)
@pytest.mark.parametrize("line_end", ["\n", "  \n"])
def test_no_line_of_the_customer_is_lost(mail: Written, line_end: str) -> None:
    trimmed = trim(mail.text.replace("\n", line_end), is_reply=True)
    shown = [line.strip() for line in trimmed.unsigned.split("\n")]
    for line in mail.own:
        assert line.strip() in shown
    for line in mail.folded:
        assert line.strip() not in shown


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.name)
def test_what_answers_nothing_keeps_all_of_it(mail: Written) -> None:
    shown = trim(mail.text, is_reply=False).unsigned.split("\n")
    for line in mail.own:
        assert line in shown
