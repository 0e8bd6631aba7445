"""What the key files promise: made once, kept, and readable by their owner only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from hub.secrets import Secrets
from hub.starting import open_to_others

PROJECT = Path(__file__).resolve().parents[2]


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = Secrets(tmp_path / "secrets").one("SECRET_KEY")
    assert len(first) >= 50
    assert Secrets(tmp_path / "secrets").one("SECRET_KEY") == first
    assert Secrets(tmp_path / "secrets").one("OTHER") != first


def test_only_the_owner_can_read_a_key(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "secrets"
    old = os.umask(0)
    try:
        Secrets(folder).one("SECRET_KEY")
    finally:
        os.umask(old)
    assert folder.parent.stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())


def test_a_new_installation_is_closed_to_other_users(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {**os.environ, "DATA_DIR": str(data), "DATABASE_URL": ""}
    old = os.umask(0o022)
    try:
        command = "from django.db import connection; connection.ensure_connection()"
        subprocess.run([sys.executable, "manage.py", "shell", "-c", command], cwd=PROJECT, env=environment, check=True)
    finally:
        os.umask(old)
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "hub.sqlite3").stat().st_mode & 0o777 == 0o600
    assert open_to_others(data, data / "hub.sqlite3") == []


def test_what_others_can_get_at_is_named_with_the_command_that_closes_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    file = data / "hub.sqlite3"
    file.touch(mode=0o644)
    folder_words, file_words = open_to_others(data, file)
    assert folder_words.endswith(f"chmod 700 {data}")
    assert file_words.endswith(f"chmod 600 {file}")
    assert data.stat().st_mode & 0o777 == 0o755


def test_keys_for_encryption_can_encrypt(tmp_path: Path) -> None:
    keys = Secrets(tmp_path).fernet("FIELD_ENCRYPTION_KEYS")
    assert Fernet(keys[0]).decrypt(Fernet(keys[0]).encrypt(b"x")) == b"x"


def test_older_keys_of_the_file_are_kept_behind_the_first(tmp_path: Path) -> None:
    (tmp_path / "TOKEN_KEYS").write_text("new\nold\n")
    assert Secrets(tmp_path).many("TOKEN_KEYS") == ["new", "old"]


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hub.secrets import Secrets; sys.stdin.readline(); "
        "print(Secrets(Path(sys.argv[1])).one('SECRET_KEY'))"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "secrets")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    answers = []
    for process in starters:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in starters:
        answers.append(process.communicate(timeout=60)[0].strip())
    assert len(answers[0]) >= 50
    assert len(set(answers)) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "FIELD_ENCRYPTION_KEYS").write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=r"FIELD_ENCRYPTION_KEYS"):
        Secrets(tmp_path).fernet("FIELD_ENCRYPTION_KEYS")
    assert (tmp_path / "FIELD_ENCRYPTION_KEYS").read_bytes() == content


def test_a_key_file_that_holds_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "FIELD_ENCRYPTION_KEYS").write_text("not-a-key\n")
    with pytest.raises(ImproperlyConfigured, match=r"FIELD_ENCRYPTION_KEYS: .*backup") as caught:
        Secrets(tmp_path).fernet("FIELD_ENCRYPTION_KEYS")
    assert "not-a-key" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR: "):
        Secrets(tmp_path / "file" / "secrets").one("SECRET_KEY")
