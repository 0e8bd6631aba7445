"""What ``up`` does before it starts a process: look for what would go wrong, then prepare the installation.

Each step either succeeds or raises ``CannotStart`` with one line for the person at the terminal.
"""

import fcntl
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection

from tickets import blobs
from tickets.actors import Actor
from tickets.errors import ServiceError
from tickets.models import User
from tickets.services.staff import save_user


class CannotStart(Exception):
    """Why Hub does not start, in one line."""


def lock_data_folder(folder: Path, address: str) -> IO[str]:
    """Holds the data folder for this process until the returned file is closed, or the process ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for appending: the text of the one that runs must stay readable for the one that does not.
        file = (folder / "up.lock").open("a+")
    except OSError as error:
        raise CannotStart(f"DATA_DIR: {folder} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        running = file.read().strip()
        file.close()
        raise CannotStart(
            f"Hub already runs on the data folder {folder} ({running or 'no details'}); "
            "stop it first, or set DATA_DIR to another folder"
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()}, {address}")
    file.flush()
    return file


def open_port(host: str, port: int) -> socket.socket:
    """The socket that the web process serves, taken here so that a busy port is found before anything starts.

    It listens at once: a browser that comes early waits a moment instead of being refused, also while the web
    process starts again.
    """
    where = f"{host}:{port}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = socket.socket(family, kind, proto)
    except (OSError, OverflowError) as error:
        raise CannotStart(f"--host: {where} is not an address of this machine: {error}") from None
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(512)
    except OSError as error:
        server.close()
        if error.errno in (98, 48):
            raise CannotStart(
                f"Port {port} on {host} is in use by another program; choose another one with --port"
            ) from None
        raise CannotStart(f"Cannot listen on {where}: {error.strerror}") from None
    return server


def check_database() -> None:
    """Raises CannotStart when the database cannot be reached or refuses us."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CannotStart(f"DATABASE_URL: the database cannot be used: {reason[:300]}") from None


def check_store() -> None:
    """Raises CannotStart when files and raw mail cannot be kept where BLOB_STORAGE_URL says."""
    try:
        blobs.check()
    except OSError as error:
        name = "DATA_DIR" if settings.BLOB_STORAGE is None else "BLOB_STORAGE_URL"
        raise CannotStart(f"{name}: {error.filename} cannot be used: {error.strerror}") from None


def prepare() -> None:
    """Brings the tables up to date and collects the static files."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def make_first_user() -> tuple[str, str] | None:
    """Makes the administrator when there is none. Returns the name and the password that must be told.

    ``DJANGO_SUPERUSER_USERNAME``, ``_PASSWORD`` and ``_EMAIL`` decide where they are set; a password that was
    set is not told.
    """
    if User.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    name = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
    given = os.environ.get("DJANGO_SUPERUSER_PASSWORD") or ""
    password = given or secrets.token_urlsafe(12)
    if User.objects.filter(username=name).exists():
        raise CannotStart(
            f"There is no administrator, and {name} is the name of another user; "
            "set DJANGO_SUPERUSER_USERNAME to a free name"
        )
    user = User(
        username=name,
        email=os.environ.get("DJANGO_SUPERUSER_EMAIL") or "",
        is_staff=True,
        is_superuser=True,
    )
    user.set_password(password)
    try:
        save_user(actor=Actor.of_system("up"), user=user)
    except ServiceError as error:
        raise CannotStart(f"DJANGO_SUPERUSER_{error.field.upper()}: {error.message}") from None
    return None if given else (name, password)


def make_folders(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"DATA_DIR: {folder} cannot be made: {error.strerror}") from None


def open_to_others(*paths: Path) -> list[str]:
    """What other users of this machine may read, one sentence each. Changes nothing: it may be meant so."""
    found = [path for path in paths if path.exists() and path.stat().st_mode & 0o077]
    return [
        f"other users of this machine can get at {path}; close it: chmod {700 if path.is_dir() else 600} {path}"
        for path in found
    ]


def close_database() -> None:
    """The supervisor lives for months: it holds no connection while it waits."""
    with suppress(DatabaseError):
        connection.close()
