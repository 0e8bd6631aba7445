"""A backup of what is in the store now: what it lacks is named, and nothing is overwritten."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection

from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox
from hub.backup.archive import BackupError, verify
from hub.backup.making import make_backup
from tests.mails import mail
from tests.postgresql import programs_on_path
from tickets import blobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def place(settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    monkeypatch.setenv("PATH", programs_on_path())
    target = tmp_path / "backups"
    target.mkdir()
    return target


def test_missing_and_damaged_files_are_named_and_the_rest_is_kept(place: Path) -> None:
    mailbox = Mailbox.objects.get(slug="test")
    good, gone, bad = (receive_bytes(mail(), mailbox=mailbox).message.sha256 for _ in range(3))
    blobs.path_of(gone).unlink()
    blobs.path_of(bad).write_bytes(b"something else")
    blobs.put(b"nobody names this one")
    made = make_backup(place)
    assert (made.end.missing, made.end.damaged, made.end.blobs) == ([gone], [bad], 1)
    (file,) = place.iterdir()
    assert verify(file)[1] == made.end
    assert file.stat().st_mode & 0o077 == 0
    assert blobs.exists(good)


def test_a_file_on_its_way_out_through_the_trash_is_in(place: Path) -> None:
    sha256 = receive_bytes(mail(), mailbox=Mailbox.objects.get(slug="test")).message.sha256
    trash = blobs.path_of(sha256).parent.parent / "trash"
    trash.mkdir()
    blobs.path_of(sha256).rename(trash / sha256)
    assert make_backup(place / "a.tar").end.blobs == 1


def test_no_backup_is_overwritten_and_none_is_left_half_made(place: Path) -> None:
    (place / "a.tar").write_bytes(b"an older one")
    with pytest.raises(BackupError, match="exists already"):
        make_backup(place / "a.tar")
    with pytest.raises(BackupError, match="cannot be written"):
        make_backup(place / "no such folder" / "a.tar")
    assert [(path.name, path.read_bytes()) for path in place.iterdir()] == [("a.tar", b"an older one")]


def test_without_the_programs_of_postgresql_it_says_what_to_install(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite needs no program")
    monkeypatch.setenv("PATH", str(place))
    if any(Path("/usr/lib/postgresql").glob(f"{connection.pg_version // 10000}/bin/pg_dump")):
        pytest.skip("the system itself has them")
    with pytest.raises(BackupError, match="install postgresql-client-"):
        make_backup(place)
    assert list(place.iterdir()) == []
