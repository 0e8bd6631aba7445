"""django-helpdesk beside Hub, for the ingest benchmark: in an environment and a database of its own, same mail.

The parent's half: makes the environment with pip, the database on the same server, and a process that runs
``peer_child.py`` and files a slice of the mail whenever it is told to.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

NAME = "django-helpdesk 2.6.1"
REQUIREMENTS = ("django-helpdesk==2.6.1", "Django==5.2.19", "psycopg[binary]==3.3.9")
_DATABASE = "peer"
_CHILD = Path(__file__).with_name("peer_child.py")
_INSTALL_SECONDS = 600


class PeerError(RuntimeError):
    """The peer cannot be measured; the message says why."""


class Peer:
    """A running django-helpdesk with all mails on its disk, in the order in which it will be told to file them."""

    def __init__(self, mails: Sequence[bytes], folder: Path, environment: Path | None) -> None:
        """``environment``: a folder in which the virtual environment is kept for the next run. Raises PeerError."""
        python = _python(environment or folder / "peer-environment")
        self._url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{_DATABASE}")
        self._make_database()
        self._filed = 0
        self.failed = ""
        work = folder / "peer"
        (work / "mails").mkdir(parents=True)
        for number, raw in enumerate(mails):
            (work / "mails" / f"{number:06}").write_bytes(raw)
        command = [str(python), str(_CHILD), urlunsplit(self._url), str(work)]
        # Its own settings: none of ours may reach it.
        surroundings = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        self._process = subprocess.Popen(
            command, env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def file(self, mails: Sequence[bytes]) -> None:
        """The next ones: they are on its disk already. When it ends instead, ``failed`` says so."""
        if self.failed:
            return
        try:
            self._ask({"file": [self._filed, self._filed + len(mails)]})
        except PeerError as error:
            self.failed = str(error)
        self._filed += len(mails)

    def count(self) -> dict[str, int]:
        """Tickets, messages, and mails on which it raised; nothing when it has failed."""
        return {} if self.failed else dict(self._ask({"count": True}))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _make_database(self) -> None:
        import psycopg

        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {_DATABASE}")

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(f"{NAME} has ended") from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{NAME} has ended with code {self._process.wait()}")
        return json.loads(line)


def _python(environment: Path) -> Path:
    """The interpreter of an environment that has what is required, made where it is missing."""
    python = environment / "bin" / "python"
    kept = environment / "complete"
    if kept.exists() and kept.read_text().split() == list(REQUIREMENTS):
        return python
    print(f"installing {NAME} ...", file=sys.stderr)
    _run([sys.executable, "-m", "venv", "--clear", str(environment)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
    kept.write_text("\n".join(REQUIREMENTS))
    return python


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise PeerError(f"{NAME} could not be installed: not done after {_INSTALL_SECONDS} s") from None
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise PeerError(f"{NAME} could not be installed: {' '.join(words)[-500:]}")
