"""What a Maildir and a drop folder promise to those who put mail into them."""

import os
import shutil
import time
from pathlib import Path

import pytest

from emailflow.models import Delivery, Message
from emailflow.services import mailboxes
from emailflow.services.mailboxes import pull_mailbox
from emailflow.sources.base import Position
from emailflow.sources.maildir import MaildirSource
from tests.mailboxes import ACTOR, commits_fail, drop, mail, maildir_mailbox
from tickets.errors import ServiceError

pytestmark = pytest.mark.django_db(transaction=True)


def files(path: Path, folder: str) -> list[str]:
    return sorted(file.name for file in (path / folder).iterdir())


def subjects() -> list[str]:
    return sorted(Message.objects.values_list("subject", flat=True))


def put_by_hand(path: Path, raw: bytes, name: str, *, seconds_ago: float = 5) -> Path:
    """As a person does with cp: straight into new, under a name of his own."""
    file = path / "new" / name
    file.write_bytes(raw)
    then = time.time() - seconds_ago
    os.utime(file, (then, then))
    return file


def test_the_three_folders_of_a_maildir_are_made(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    MaildirSource(path=tmp_path / "drop").connect()
    assert sorted(file.name for file in (tmp_path / "drop").iterdir()) == ["cur", "new", "tmp"]


def test_a_mistyped_path_is_an_error_and_not_a_new_maildir(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path / "support")
    shutil.rmtree(tmp_path / "support")
    words = f"There is no folder {tmp_path / 'support'}."
    assert pull_mailbox(mailbox).sentences == [words]
    assert mailboxes.test_connection(mailbox).sentences == [words]
    assert not (tmp_path / "support").exists()


def test_a_path_that_is_not_there_is_not_saved(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path / "support")
    mailbox.path = str(tmp_path / "suport")
    with pytest.raises(ServiceError, match="There is no folder") as caught:
        mailboxes.save_mailbox(actor=ACTOR, mailbox=mailbox)
    assert caught.value.field == "path"
    assert not (tmp_path / "suport").exists()


def test_the_connection_test_looks_for_the_folder_that_mail_is_moved_to(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path / "support", after_read="move", move_to=str(tmp_path / "done"))
    missing = f"There is no folder {tmp_path / 'done'} to move mail to."
    assert mailboxes.test_connection(mailbox).sentences[-1] == missing
    (tmp_path / "done").mkdir()
    report = mailboxes.test_connection(mailbox)
    assert report.ok and report.sentences[-1] == f"Mail can be moved to {tmp_path / 'done'}."


def test_new_and_cur_are_read_and_tmp_never(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    drop(tmp_path, mail("In new"))
    drop(tmp_path, mail("In cur"), "1700000001.M1.host:2,S", folder="cur")
    (tmp_path / "tmp" / "1700000002.M2.host").write_bytes(mail("Half of a ma"))
    pull_mailbox(mailbox)
    assert subjects() == ["In cur", "In new"]
    assert files(tmp_path, "tmp") == ["1700000002.M2.host"]


def test_mail_stays_where_it_is_unless_wished_otherwise(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    file = drop(tmp_path, mail())
    assert pull_mailbox(mailbox).new == 1
    assert pull_mailbox(mailbox).sentences == ["No new mail."]
    assert file.exists()


def test_a_mail_program_that_moves_and_flags_mail_doubles_nothing(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    file = drop(tmp_path, mail())
    pull_mailbox(mailbox)
    file.rename(tmp_path / "cur" / f"{file.name}:2,RS")
    pull_mailbox(mailbox)
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(("action", "flag"), [("seen", "S"), ("flag", "F")])
def test_stored_mail_is_marked_as_wished(tmp_path: Path, action: str, flag: str) -> None:
    mailbox = maildir_mailbox(tmp_path, after_read=action)
    drop(tmp_path, mail(), "1700000000.M1.host")
    drop(tmp_path, mail(), "1700000001.M2.host:2,R", folder="cur")
    pull_mailbox(mailbox)
    marked = [f"1700000000.M1.host:2,{flag}", f"1700000001.M2.host:2,{''.join(sorted('R' + flag))}"]
    assert (files(tmp_path, "new"), files(tmp_path, "cur")) == ([], marked)
    assert pull_mailbox(mailbox).sentences == ["No new mail."]


@pytest.mark.parametrize("absolute", [False, True])
def test_stored_mail_is_moved_as_wished(tmp_path: Path, absolute: bool) -> None:
    inbox = tmp_path / "inbox"
    target = tmp_path / "archive" if absolute else inbox / ".Done"
    (tmp_path / "archive").mkdir()
    mailbox = maildir_mailbox(inbox, after_read="move", move_to=str(target) if absolute else "Done")
    drop(inbox, mail(), "1700000000.M1.host")
    pull_mailbox(mailbox)
    assert files(inbox, "new") == []
    assert files(target, "cur") == ["1700000000.M1.host:2,"]


def test_a_failing_commit_leaves_the_file_where_it_is(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path, after_read="seen")
    drop(tmp_path, mail(), "1700000000.M1.host")
    with commits_fail():
        assert not pull_mailbox(mailbox).ok
    assert files(tmp_path, "new") == ["1700000000.M1.host"]
    Delivery.objects.update(next_try_at=None)
    assert pull_mailbox(mailbox).new == 1
    assert files(tmp_path, "cur") == ["1700000000.M1.host:2,S"]


def test_two_mails_dropped_under_one_name_both_arrive(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path, after_read="seen")
    put_by_hand(tmp_path, mail("First"), "test.eml", seconds_ago=20)
    pull_mailbox(mailbox)
    put_by_hand(tmp_path, mail("Second"), "test.eml", seconds_ago=10)
    pull_mailbox(mailbox)
    assert subjects() == ["First", "Second"]
    assert len(files(tmp_path, "cur")) == 2


def test_a_copy_that_is_still_being_written_is_not_cut_in_half(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path)
    raw = mail("Long", text="line\r\n" * 1000)
    put_by_hand(tmp_path, raw[:500], "big.eml", seconds_ago=0)
    pull_mailbox(mailbox)
    assert subjects() == []
    put_by_hand(tmp_path, raw, "big.eml")
    pull_mailbox(mailbox)
    assert Message.objects.get().size == len(raw)


def test_a_file_that_vanishes_between_list_and_read_is_no_error(tmp_path: Path) -> None:
    gone = drop(tmp_path, mail("Gone"))
    source = MaildirSource(path=tmp_path)
    source.connect()
    uids = [offer.uid for portion in source.offers(Position()) for offer in portion]
    gone.unlink()
    assert (source.fetch(uids), source.present(uids)) == ({}, set())


def test_a_file_that_was_moved_between_list_and_read_is_read(tmp_path: Path) -> None:
    file = drop(tmp_path, mail("Moved"))
    source = MaildirSource(path=tmp_path)
    source.connect()
    uids = [offer.uid for portion in source.offers(Position()) for offer in portion]
    file.rename(tmp_path / "cur" / f"{file.name}:2,S")
    assert list(source.fetch(uids)) == uids


def test_first_connect_from_now_on_brings_nothing_that_is_there(tmp_path: Path) -> None:
    old = drop(tmp_path, mail("Old"))
    mailbox = maildir_mailbox(tmp_path, start_policy="now")
    assert "left alone" in str(pull_mailbox(mailbox))
    drop(tmp_path, mail("New"))
    old.rename(tmp_path / "cur" / f"{old.name}:2,S")
    pull_mailbox(mailbox)
    assert subjects() == ["New"]


def test_first_connect_with_days_goes_by_the_time_of_delivery(tmp_path: Path) -> None:
    now = int(time.time())
    drop(tmp_path, mail("Old"), f"{now - 8 * 86400}.M1.host")
    drop(tmp_path, mail("Young"), f"{now - 6 * 86400}.M2.host")
    pull_mailbox(maildir_mailbox(tmp_path, start_policy="days", start_days=7))
    assert subjects() == ["Young"]


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(mail("Not for you"))
    mailbox = maildir_mailbox(tmp_path / "drop")
    (tmp_path / "drop" / "new" / "1700000000.M1.host").symlink_to(secret)
    assert pull_mailbox(mailbox).new == 0


def test_a_folder_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    mailbox = maildir_mailbox(tmp_path / "drop")
    for name in ("new", "cur", "tmp"):
        (tmp_path / "drop" / name).rmdir()
    (tmp_path / "drop").rmdir()
    (tmp_path / "drop").write_text("a file")
    report = mailboxes.test_connection(mailbox)
    assert not report.ok
    assert str(report).startswith(f"The folder {tmp_path / 'drop'} cannot be used")
