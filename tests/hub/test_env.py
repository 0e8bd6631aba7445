"""What the settings promise the deployer: a wrong value is one clear line, and no secret is ever shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from hub.env import Env

NAME = "HUB_TEST_VALUE"


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return Env(tmp_path / ".env")


@pytest.fixture
def value(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setenv(NAME, text)


READERS: dict[str, Callable[[Env], Any]] = {
    "flag": lambda env: env.flag(NAME, True),
    "integer": lambda env: env.integer(NAME, 5),
    "minimum": lambda env: env.integer(NAME, 5, minimum=3),
    "choice": lambda env: env.choice(NAME, "a", ["a", "b"]),
    "time_zone": lambda env: env.time_zone(NAME, "UTC"),
    "url": lambda env: env.url(NAME, "http://localhost:8001"),
    "fernet": lambda env: env.fernet_keys(NAME),
    "database": lambda env: env.database(NAME, Path("/x")),
    "email": lambda env: env.email(NAME, "consolemail://"),
    "origins": lambda env: env.origins(NAME, []),
    "networks": lambda env: env.networks(NAME),
    "address": lambda env: env.address(NAME, "support@localhost"),
}


@pytest.mark.parametrize(
    ("reader", "text", "allowed"),
    [
        ("flag", "perhaps", "true or false"),
        ("integer", "ten", "a whole number"),
        ("integer", "1.5", "a whole number"),
        ("minimum", "2", "at least 3"),
        ("choice", "c", "a, b"),
        ("time_zone", "Europe/Nowhere", "Europe/Copenhagen"),
        ("time_zone", "Europe", "Europe/Copenhagen"),
        ("time_zone", "../etc/passwd", "Europe/Copenhagen"),
        ("url", "help.example.org", "https://"),
        ("url", "https://help.example.org/path", "no path"),
        ("url", "http://host:99999", "https://"),
        ("url", "http://[::1", "https://"),
        ("fernet", "short", "Fernet"),
        ("database", "mysql://u:p@h/n", "postgresql://"),
        ("database", "sqlite://:memory:", "sqlite:///"),
        ("database", "postgresql://user:p@host:port/n", "postgresql://"),
        ("database", "nonsense", "postgresql://"),
        ("database", "postgresql://user:p@host", "postgresql://"),
        ("email", "pop3://host", "smtp://"),
        ("email", "smtp://", "smtp://"),
        ("email", "smtp://host:port", "smtp://"),
        ("origins", "help.example.org", "https://"),
        ("origins", "https://help.example.org,https://x.example/path", "no path"),
        ("networks", "proxy.example.org", "10.0.0.0/24"),
        ("networks", "10.0.0.2,10.0.0.1/24", "10.0.0.0/24"),
        ("address", "support", "support@example.org"),
        ("address", "a@example.org, b@example.org", "support@example.org"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_variable_and_what_is_allowed(
    env: Env, value: Callable[[str], None], reader: str, text: str, allowed: str
) -> None:
    value(text)
    with pytest.raises(ImproperlyConfigured) as caught:
        READERS[reader](env)
    message = str(caught.value)
    assert message.startswith(f"{NAME}: ")
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("database", "mysql://user:hunter2@host/name"),
        ("database", "postgresql://user:hunter2@host:port/name"),
        ("email", "pop3://user:hunter2@host"),
        ("email", "smtp://user:hunter2@host:port"),
        ("url", "ftp://user:hunter2@host"),
        ("fernet", "hunter2"),
    ],
)
def test_a_secret_is_not_shown(env: Env, value: Callable[[str], None], reader: str, text: str) -> None:
    value(text)
    with pytest.raises(ImproperlyConfigured) as caught:
        READERS[reader](env)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_value_counts_as_not_set(env: Env, value: Callable[[str], None], reader: str) -> None:
    value("  ")
    set_to_nothing = READERS[reader](env)
    value("")
    assert READERS[reader](env) == set_to_nothing


def test_good_values_are_typed(env: Env, value: Callable[[str], None]) -> None:
    value("No")
    assert env.flag(NAME, True) is False
    value("-3")
    assert env.integer(NAME, 5) == -3
    value(" a, b ,,c ")
    assert env.words(NAME, []) == ["a", "b", "c"]
    assert env.paths(NAME) == [env.folder / "a", env.folder / "b", env.folder / "c"]
    value("https://help.example.org/")
    assert env.url(NAME, "") == "https://help.example.org"
    key = Fernet.generate_key().decode()
    value(f"{key},{key}")
    assert env.fernet_keys(NAME) == [key, key]


def test_a_password_may_begin_with_a_dollar_sign(env: Env, value: Callable[[str], None]) -> None:
    value("$HOME")
    assert env.text(NAME, "") == "$HOME"


def test_a_database_password_may_hold_escaped_signs(env: Env, value: Callable[[str], None]) -> None:
    value("postgresql://user:p%40ss%3Aword@db.example:5433/hub?sslmode=require")
    config = env.database(NAME, Path("/x"))
    assert (config["PASSWORD"], config["PORT"], config["OPTIONS"]) == (
        "p@ss:word",
        5433,
        {"sslmode": "require"},
    )


def test_a_relative_folder_counts_from_the_project(env: Env, value: Callable[[str], None], tmp_path: Path) -> None:
    value("data")
    assert env.path(NAME, Path("/x")) == tmp_path / "data"


def test_a_file_is_no_data_folder(env: Env, value: Callable[[str], None], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    value("data")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}: .*is a file"):
        env.path(NAME, Path("/x"))


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# comment\n\nHUB_TEST_ONE=file\nexport HUB_TEST_TWO='in quotes'\n")
    monkeypatch.setenv("HUB_TEST_ONE", "environment")
    monkeypatch.setenv("HUB_TEST_TWO", "")
    monkeypatch.delenv("HUB_TEST_TWO")
    env = Env(tmp_path / ".env")
    assert (env.text("HUB_TEST_ONE", ""), env.text("HUB_TEST_TWO", "")) == ("environment", "in quotes")


def test_a_line_of_the_file_that_is_not_understood_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEBUG=true\nSECRET_KEY hunter2\n")
    with pytest.raises(ImproperlyConfigured, match="line 2") as caught:
        Env(tmp_path / ".env")
    assert "hunter2" not in str(caught.value)


def test_the_address_of_a_bucket_is_taken_apart(env: Env, value: Callable[[str], None]) -> None:
    value("")
    assert env.bucket(NAME) is None
    value("s3://hub-mail")
    assert env.bucket(NAME) == {"bucket_name": "hub-mail", "location": ""}
    value("s3://hub-mail/a/b/?endpoint_url=http://10.0.0.5:9000&region_name=eu-north-1&addressing_style=path")
    assert env.bucket(NAME) == {
        "bucket_name": "hub-mail",
        "location": "a/b",
        "endpoint_url": "http://10.0.0.5:9000",
        "region_name": "eu-north-1",
        "addressing_style": "path",
    }


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/srv/blobs", "not a bucket"),
        ("https://s3.example.org/bucket", "not a bucket"),
        ("s3://", "not a bucket"),
        ("s3://host:9000/bucket", "not a bucket"),
        ("s3://key:hunter2@bucket", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?endpoint_url=http://key:hunter2@host", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket/../other", "prefix"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket?endpoint_url=s3.example.org", "endpoint_url"),
        ("s3://bucket?endpoint_url=https://host:x", "cannot be read"),
        ("s3://bucket?endpoint=https://host", "is not known"),
        ("s3://bucket?region_name", "cannot be read"),
    ],
)
def test_a_wrong_address_of_a_bucket_is_told_without_its_keys(
    env: Env, value: Callable[[str], None], url: str, words: str
) -> None:
    value(url)
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME}: .*{words}") as caught:
        env.bucket(NAME)
    assert "hunter2" not in str(caught.value)
