"""``import_mail`` as people and mail servers run it: a process, its output and its exit code."""

import json
import mailbox as standard
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emailflow.models import Message
from tests.mailboxes import commits_fail, drop, mail, maildir_mailbox
from tickets.models import Comment, Ticket

pytestmark = pytest.mark.django_db(transaction=True)
TRY_AGAIN = 75
ROOT = Path(__file__).parents[3]


def run(environment: dict[str, str], *arguments: object, given: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the lines of ``--format jsonl``, and what was said on standard error."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "import_mail", *map(str, arguments), "--format", "jsonl"],
        env=environment,
        cwd=ROOT,
        input=given,
        capture_output=True,
        timeout=120,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_one_mail_becomes_one_ticket_and_one_line(process_environment: dict[str, str], tmp_path: Path) -> None:
    raw = mail("Ingen internet")
    file = tmp_path / "one.eml"
    file.write_bytes(raw)
    code, lines, _ = run(process_environment, file)
    ticket = Ticket.objects.get()
    message = Message.objects.get()
    assert code == 0
    assert lines == [
        {
            "file": str(file),
            "message_id": message.message_id,
            "outcome": "ticket_created",
            "ticket_number": ticket.ticket_number,
            "created": True,
            "linked": False,
            "error": "",
        }
    ]
    assert (message.mailbox.slug, message.live) == ("import", False)


def test_importing_again_makes_no_second_ticket(process_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(mail())
    run(process_environment, tmp_path)
    code, lines, _ = run(process_environment, tmp_path)
    assert (code, lines[0]["outcome"], lines[0]["created"]) == (0, "duplicate", False)
    assert lines[0]["ticket_number"] == Ticket.objects.get().ticket_number


def test_a_folder_is_read_with_all_below_in_the_order_of_names(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.eml").write_bytes(mail("Third"))
    (tmp_path / "a.eml").write_bytes(mail("First"))
    (tmp_path / "a2").write_bytes(mail("Second, without an ending"))
    (tmp_path / "notes.txt").write_text("no mail at all")
    (tmp_path / ".hidden.eml").write_bytes(mail("Hidden"))
    drop(tmp_path / "c", mail("Fourth"))
    (tmp_path / "c" / "cur").mkdir()
    code, lines, _ = run(process_environment, tmp_path)
    names = [Path(line["file"]).relative_to(tmp_path).parts[0] for line in lines]
    assert (code, names) == (0, ["a.eml", "a2", "b", "c"])
    assert Ticket.objects.count() == 4


def test_an_mbox_is_split_and_its_quoting_undone(process_environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "archive.mbox"
    box = standard.mbox(file)
    tricky = "Hi,\n\nFrom the beginning it was broken.\n\n>From here I quote."
    for number, text in enumerate(["one", tricky, "three"]):
        box.add(mail(f"Number {number}", text=text).replace(b"\r\n", b"\n"))
    box.close()
    code, lines, _ = run(process_environment, file)
    assert code == 0
    assert [line["file"] for line in lines] == [str(file), f"{file}#2", f"{file}#3"]
    assert Ticket.objects.count() == 3
    text = Comment.objects.get(ticket__subject="Number 1").body_text
    assert "\nFrom the beginning it was broken." in text


def test_a_reply_joins_the_ticket_of_the_mail_before_it(process_environment: dict[str, str], tmp_path: Path) -> None:
    first = mail("Printer")
    number = first.split(b"Message-ID: ")[1].split(b"\r\n")[0]
    answer = mail("Re: Printer").replace(b"MIME-Version", b"In-Reply-To: " + number + b"\r\nMIME-Version")
    # The reply has the first name: it is processed before, or waits for, the mail that it answers.
    (tmp_path / "1.eml").write_bytes(answer)
    (tmp_path / "2.eml").write_bytes(first)
    code, lines, _ = run(process_environment, tmp_path)
    assert code == 0
    assert [line["outcome"] for line in lines] == ["linked", "ticket_created"]
    assert lines[0]["linked"]
    assert Ticket.objects.count() == 1


def test_piped_mail_is_live_mail_of_its_mailbox(process_environment: dict[str, str], tmp_path: Path) -> None:
    box = maildir_mailbox(tmp_path)
    code, lines, _ = run(process_environment, "-", "--mailbox", box.slug, given=mail("Piped"))
    message = Message.objects.get()
    assert (code, lines[0]["outcome"]) == (0, "ticket_created")
    assert (message.mailbox, message.live) == (box, True)


def test_the_from_line_of_a_mail_server_is_no_part_of_the_mail(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    box = maildir_mailbox(tmp_path)
    raw = mail("Piped")
    given = b"From anna@kunde.example  Sat Nov 21 10:00:00 2026\n" + raw
    run(process_environment, "-", "--mailbox", box.slug, given=given)
    assert Message.objects.get().size == len(raw)


def test_a_sender_cannot_forge_a_second_mail_in_the_pipe(process_environment: dict[str, str], tmp_path: Path) -> None:
    box = maildir_mailbox(tmp_path)
    forged = "Hi\r\n\r\nFrom boss@hub.example Sat Nov 21 10:00:00 2026\r\nSubject: Forged\r\n\r\nPay!"
    code, lines, _ = run(process_environment, "-", "--mailbox", box.slug, given=mail("Honest", text=forged))
    assert (code, len(lines)) == (0, 1)
    assert Ticket.objects.get().subject == "Honest"


def test_what_was_not_stored_ends_with_75(process_environment: dict[str, str], tmp_path: Path) -> None:
    box = maildir_mailbox(tmp_path)
    with commits_fail():
        code, lines, _ = run(process_environment, "-", "--mailbox", box.slug, given=mail())
    assert code == TRY_AGAIN
    assert "the disk of the database is full" in lines[0]["error"]
    assert Message.objects.count() == 0


@pytest.mark.parametrize("url", ["sqlite:////proc/no/such/place.sqlite3", "postgresql://hub@127.0.0.1:1/hub"])
def test_a_mail_server_keeps_the_mail_while_the_database_is_away(process_environment: dict[str, str], url: str) -> None:
    code, _, said = run({**process_environment, "DATABASE_URL": url}, "-", "--mailbox", "import", given=mail())
    assert code == TRY_AGAIN
    assert "not stored" in said


def test_a_wrong_setting_bounces_no_mail(process_environment: dict[str, str]) -> None:
    environment = {**process_environment, "MAIL_MAX_BYTES": "much"}
    code, _, said = run(environment, "-", "--mailbox", "import", given=mail())
    assert code == TRY_AGAIN
    assert "MAIL_MAX_BYTES" in said


def test_an_unknown_mailbox_bounces_no_mail(process_environment: dict[str, str]) -> None:
    code, _, said = run(process_environment, "-", "--mailbox", "suport", given=mail())
    assert code == TRY_AGAIN
    assert "There is no mailbox 'suport'" in said
    assert "import" in said


def test_files_that_cannot_be_read_are_named_and_stop_no_other(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty.eml").write_bytes(b"")
    (tmp_path / "good.eml").write_bytes(mail())
    code, lines, _ = run(process_environment, tmp_path / "missing.eml", tmp_path)
    assert code == TRY_AGAIN
    assert [line["error"] for line in lines] == [
        "the file cannot be read: No such file or directory",
        "there is no mail in it",
        "",
    ]
    assert Ticket.objects.count() == 1


def test_mail_is_stored_and_the_exit_is_good_while_tickets_are_off(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "one.eml").write_bytes(mail())
    code, lines, _ = run({**process_environment, "TICKET_ENABLED": "false"}, tmp_path)
    assert (code, lines[0]["outcome"]) == (0, "")
    assert lines[0]["error"].startswith("stored, and not processed yet")
    assert Message.objects.get().state == "received"


def test_people_read_a_line_for_each_ticket_and_a_summary(process_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(mail())
    (tmp_path / "2.eml").write_bytes(mail())
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "import_mail", str(tmp_path)],
        env=process_environment, cwd=ROOT, capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    first, second, summary = done.stdout.decode().splitlines()
    assert (first.split(": ")[0], second.split(": ")[0]) == (str(tmp_path / "1.eml"), str(tmp_path / "2.eml"))
    numbers = set(Ticket.objects.values_list("ticket_number", flat=True))
    assert {first.split()[-1], second.split()[-1]} == numbers
    assert summary == "2 mails: 2 ticket_created"
