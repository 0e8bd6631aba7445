"""Reads the deployer's settings: the environment first, then ``.env``. Used by ``hub/settings.py`` only.

Each method returns a checked value. A wrong one raises ``WrongSetting`` with one line that names the
variable, what is wrong with it and what is allowed. A value that may be a secret is never part of that line.
"""

import importlib.util
import ipaddress
import re
import sys
import warnings
import zoneinfo
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parseaddr
from pathlib import Path
from typing import Any, overload
from urllib.parse import parse_qsl, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_ENV_LINE = re.compile(r"\s*(#.*)?$|(export )?[A-Za-z_][A-Za-z_0-9]*=")
_DATABASES = "sqlite:///path/to/file or postgresql://user:password@host:5432/name"
_BUCKET = "s3://bucket/prefix?endpoint_url=https://s3.example.org&region_name=eu-north-1"
_EMAIL = "smtp://user:password@host:25, smtp+tls://, smtp+ssl://, consolemail://, filemail:///folder or dummymail://"


class WrongSetting(ImproperlyConfigured):
    """A setting has a value that cannot be used. The message is one line made for the deployer."""


@contextmanager
def one_line_for_wrong_setting(exit_code: int = 1) -> Iterator[None]:
    """Ends the process with the message alone, without a traceback, when a setting is wrong."""
    try:
        yield
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(exit_code)


class Env:
    """Typed access to environment variables. An empty value counts as not set."""

    def __init__(self, path: Path) -> None:
        """Reads ``path`` if it exists; what the environment already holds wins over it."""
        self.folder = path.parent
        if path.exists():
            _check_file(path)
            environ.Env.read_env(path)

    def text(self, name: str, default: str) -> str:
        return self._raw(name) or default

    def words(self, name: str, default: Sequence[str]) -> list[str]:
        """A list, separated by commas."""
        raw = self._raw(name)
        return [word.strip() for word in raw.split(",") if word.strip()] if raw else list(default)

    def flag(self, name: str, default: bool) -> bool:
        raw = self._raw(name).lower()
        if not raw:
            return default
        if raw not in _TRUE | _FALSE:
            raise WrongSetting(f"{name}: {_shown(raw)} is not allowed; use true or false")
        return raw in _TRUE

    @overload
    def integer(self, name: str, default: int, *, minimum: int | None = None) -> int: ...

    @overload
    def integer(self, name: str, default: None, *, minimum: int | None = None) -> int | None: ...

    def integer(self, name: str, default: int | None, *, minimum: int | None = None) -> int | None:
        raw = self._raw(name)
        if not raw:
            return default
        allowed = "a whole number" if minimum is None else f"a whole number of at least {minimum}"
        if not re.fullmatch(r"-?[0-9]{1,18}", raw) or (minimum is not None and int(raw) < minimum):
            raise WrongSetting(f"{name}: {_shown(raw)} is not allowed; use {allowed}")
        return int(raw)

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        raw = self._raw(name) or default
        if raw not in allowed:
            raise WrongSetting(f"{name}: {_shown(raw)} is not allowed; use one of {', '.join(allowed)}")
        return raw

    def time_zone(self, name: str, default: str) -> str:
        raw = self._raw(name) or default
        try:
            zoneinfo.ZoneInfo(raw)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            # OSError: "Europe" is a folder of the zone database.
            raise WrongSetting(
                f"{name}: {_shown(raw)} is not a known time zone; use a name such as Europe/Copenhagen"
            ) from None
        return raw

    def path(self, name: str, default: Path) -> Path:
        """A folder, absolute; a relative one counts from the project's folder, wherever a command starts."""
        raw = self._raw(name)
        folder = (self.folder / Path(raw).expanduser()).absolute() if raw else default
        if folder.exists() and not folder.is_dir():
            raise WrongSetting(f"{name}: {_shown(str(folder))} is a file; use a folder")
        return folder

    def paths(self, name: str) -> list[Path]:
        """Folders, separated by commas; relative ones count from the project's folder."""
        return [(self.folder / Path(word).expanduser()).absolute() for word in self.words(name, [])]

    def url(self, name: str, default: str) -> str:
        """The address of a web site: scheme, host and port, without a slash at the end."""
        raw = (self._raw(name) or default).rstrip("/")
        try:
            parts = urlsplit(raw)
            port_is_good = parts.port != 0
        except ValueError:
            parts, port_is_good = urlsplit(""), False
        plain = not (parts.path or parts.query or parts.fragment or parts.username)
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_good or not plain:
            raise WrongSetting(
                f"{name}: this is not the address of a web site; use http:// or https:// with a host "
                "and no path, such as https://help.example.org"
            )
        return raw

    def origins(self, name: str, default: Sequence[str]) -> list[str]:
        """Scheme and host, separated by commas; ``https://*.example.org`` is every host below."""
        found = [word.rstrip("/") for word in self.words(name, default)]
        for origin in found:
            if not re.fullmatch(r"https?://(\*\.)?([\w.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?", origin):
                raise WrongSetting(
                    f"{name}: {_shown(origin)} is not allowed; use http:// or https:// with a host and no path, "
                    "such as https://help.example.org"
                )
        return found

    def networks(self, name: str) -> list[str]:
        """IP addresses and networks, separated by commas."""
        found = self.words(name, [])
        for word in found:
            try:
                ipaddress.ip_network(word)
            except ValueError:
                raise WrongSetting(
                    f"{name}: {_shown(word)} is not allowed; use IP addresses or networks, "
                    "such as 10.0.0.2 or 10.0.0.0/24"
                ) from None
        return found

    def address(self, name: str, default: str) -> str:
        """One mail address, with a name or without: ``Support <support@example.org>``."""
        raw = self._raw(name) or default
        address = parseaddr(raw)[1]
        whole = "\n" not in raw and raw.rstrip(">").endswith(address)
        if not whole or not re.fullmatch(r"[^\s@<>\",;]+@[^\s@<>\",;]+", address):
            raise WrongSetting(
                f"{name}: {_shown(raw)} is not a mail address; use support@example.org or Support <support@example.org>"
            )
        return raw

    def token(self, name: str) -> str:
        """A secret that others show to be let in; '' when not set."""
        raw = self._raw(name)
        if raw and not re.fullmatch(r"[!-~]{16,}", raw):
            raise WrongSetting(f"{name}: use at least 16 letters, digits and signs without spaces")
        return raw

    def fernet_keys(self, name: str) -> list[str]:
        """Keys for encrypted fields, the first one encrypts; an empty list when not set."""
        keys = self.words(name, [])
        for number, key in enumerate(keys, start=1):
            try:
                Fernet(key)
            except ValueError:
                raise WrongSetting(
                    f"{name}: key {number} is not a Fernet key; use 32 random bytes as URL-safe base64 (44 characters)"
                ) from None
        return keys

    def database(self, name: str, default: Path) -> dict[str, Any]:
        """Django's entry for the database; ``default`` is an SQLite file."""
        raw = self._raw(name)
        if not raw:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
        config = _parse(name, raw, environ.Env.db_url_config, _DATABASES)
        engine = config.get("ENGINE")
        if engine == "django.db.backends.sqlite3":
            if config["NAME"] in ("", ":memory:"):
                raise WrongSetting(f"{name}: SQLite needs a file, because several processes share it; use {_DATABASES}")
            config["NAME"] = str((self.folder / config["NAME"]).absolute())
        elif engine != "django.db.backends.postgresql" or not config["NAME"]:
            raise WrongSetting(f"{name}: this is not a database that Hub can use; use {_DATABASES}")
        return config

    def bucket(self, name: str) -> dict[str, str] | None:
        """Bucket, prefix and how to reach them, of an S3-compatible store; None when not set.

        The key that opens it is never part of the address: boto3 takes it from the usual AWS variables.
        """
        raw = self._raw(name)
        if not raw:
            return None
        try:
            parts = urlsplit(raw)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
            endpoint = urlsplit(query.get("endpoint_url", "https://default"))
            endpoint_is_good = endpoint.scheme in ("http", "https") and bool(endpoint.hostname) and endpoint.port != 0
        except ValueError:
            raise WrongSetting(f"{name}: this address cannot be read; use {_BUCKET}") from None
        if parts.username or parts.password or endpoint.username:
            raise WrongSetting(
                f"{name}: no keys belong into the address; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        bucket, prefix = parts.netloc, parts.path.strip("/")
        if parts.scheme != "s3" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", bucket) or parts.fragment:
            raise WrongSetting(f"{name}: this is not a bucket that Hub can use; use {_BUCKET}")
        if prefix and not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", prefix):
            raise WrongSetting(f"{name}: the prefix {_shown(prefix)} is not allowed; use letters, digits, - and _")
        if unknown := sorted(set(query) - {"endpoint_url", "region_name", "addressing_style"}):
            raise WrongSetting(f"{name}: {_shown(unknown[0])} is not known; use {_BUCKET}")
        if not endpoint_is_good:
            raise WrongSetting(f"{name}: endpoint_url is not the address of a web server; use {_BUCKET}")
        if importlib.util.find_spec("storages") is None or importlib.util.find_spec("boto3") is None:
            raise WrongSetting(f"{name}: S3 needs one more thing: pip install -r requirements-s3.txt")
        return {"bucket_name": bucket, "location": prefix, **query}

    def email(self, name: str, default: str) -> dict[str, Any]:
        """Django's ``EMAIL_*`` settings from one address of a mail server."""
        config = _parse(name, self._raw(name) or default, environ.Env.email_url_config, _EMAIL)
        if "smtp" in config["EMAIL_BACKEND"] and not config["EMAIL_HOST"]:
            raise WrongSetting(f"{name}: the mail server has no host; use {_EMAIL}")
        return config

    @staticmethod
    def _raw(name: str) -> str:
        # Not through environ.Env(): it takes a value that begins with "$" for the name of another variable,
        # and a password may begin so.
        value: str = environ.Env.ENVIRON.get(name, "")
        return value.strip()


def _parse(name: str, raw: str, parser: Any, allowed: str) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # The warning repeats the whole address, password included; the empty result says enough.
            warnings.simplefilter("ignore")
            config: dict[str, Any] = parser(raw)
    except (ValueError, AttributeError, TypeError, ImproperlyConfigured):
        raise WrongSetting(f"{name}: this address cannot be read; use {allowed}") from None
    return config


def _check_file(path: Path) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WrongSetting(f"{path.name}: {path} cannot be read: {reason}") from None
    for number, line in enumerate(lines, start=1):
        if not _ENV_LINE.match(line):
            raise WrongSetting(f"{path.name}: line {number} of {path} is not understood; write NAME=value")


def _shown(raw: str) -> str:
    one_line = " ".join(raw.split())
    return f'"{one_line[:60]}…"' if len(one_line) > 60 else f'"{one_line}"'
