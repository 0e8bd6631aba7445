"""A real mail server for the tests: Dovecot with LMTP, IMAP and POP3 on free ports of loopback.

One server a test process, started by the first test that asks for the fixture ``dovecot``. Each test takes an
account of its own. Where Dovecot is not installed, such a test is skipped; with ``CI=true`` it fails.
"""

import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgresql import free_port

HOST = "127.0.0.1"
_NEEDED = ("dovecot", "imap", "lmtp", "pop3")
_INSTALL = "apt-get install dovecot-core dovecot-imapd dovecot-lmtpd dovecot-pop3d"
_START_SECONDS = 30


@dataclass(frozen=True)
class Account:
    """One user of the server with an empty mailbox."""

    server: "Dovecot"
    user: str
    password: str

    def deliver(self, *mails: bytes) -> None:
        """Hands mails in by LMTP (RFC 2033), as the mail server of a company does; done when it returns."""
        with smtplib.LMTP(HOST, self.server.lmtp_port, local_hostname="tests.example") as lmtp:
            for mail in mails:
                lmtp.sendmail("sender@elsewhere.example", [self.user], mail)

    def folder(self) -> Path:
        """The Maildir on disk."""
        return self.server.folder / "mail" / self.user


class Dovecot:
    """One running server. Every user name is known, with the password of the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = uuid.uuid4().hex
        self.imap_port = self.pop3_port = self.lmtp_port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def account(self) -> Account:
        return Account(self, f"u{uuid.uuid4().hex[:12]}@tests.example", self.password)

    def start(self) -> None:
        for name in ("mail", "run", "state"):
            (self.folder / name).mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder / "mail", 65534, 65534)
            # The mail processes run as nobody and must reach their folder.
            self.folder.chmod(0o755)
        for _ in range(3):
            # Another process may take a free port first: try other ones.
            self.imap_port, self.pop3_port, self.lmtp_port = free_port(), free_port(), free_port()
            if self._serve():
                return
        raise RuntimeError(f"Dovecot does not start: {self._log()[-1000:]}")

    def start_again(self) -> None:
        """On the same ports, with the mail that is there, after ``stop``."""
        if not self._serve():
            raise RuntimeError(f"Dovecot does not start again: {self._log()[-1000:]}")

    def stop(self) -> None:
        """Waits for the end: its processes write until then."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None

    def _serve(self) -> bool:
        config = self.folder / "dovecot.conf"
        config.write_text(self._config())
        self.process = subprocess.Popen(
            [_program() or "dovecot", "-F", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("ab"),
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if all(_listens(port) for port in (self.imap_port, self.pop3_port, self.lmtp_port)):
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def _log(self) -> str:
        return "".join(
            (self.folder / name).read_text(errors="replace")
            for name in ("stderr", "log")
            if (self.folder / name).exists()
        )

    def _config(self) -> str:
        return _CONFIG.format(
            folder=self.folder,
            password=self.password,
            imap=self.imap_port,
            pop3=self.pop3_port,
            lmtp=self.lmtp_port,
            host=HOST,
            users=_as_root() if os.geteuid() == 0 else _as_user(),
        )


def _as_root() -> str:
    return "mail_uid = 65534\nmail_gid = 65534\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n"


def _as_user() -> str:
    uid, gid = os.geteuid(), os.getegid()
    services = "".join(
        f"service {name} {{\n  chroot =\n}}\n"
        for name in ("anvil", "imap-login", "pop3-login", "stats", "director", "ipc", "submission-login")
    )
    return (
        f"default_internal_user = #{uid}\ndefault_internal_group = #{gid}\ndefault_login_user = #{uid}\n"
        f"mail_uid = {uid}\nmail_gid = {gid}\nfirst_valid_uid = {uid}\nfirst_valid_gid = {gid}\n{services}"
    )


_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3 lmtp
listen = {host}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{folder}/mail/%u
mail_max_userip_connections = 100
{users}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = home={folder}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def _program() -> str | None:
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _missing() -> list[str]:
    libexec = [Path(folder) for folder in ("/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot")]
    missing = [] if _program() else ["dovecot"]
    return missing + [name for name in _NEEDED[1:] if not any((folder / name).exists() for folder in libexec)]


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """The mail server of this test process."""
    missing = _missing()
    if missing:
        reason = f"Dovecot is not installed ({', '.join(missing)} not found); {_INSTALL}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Short: a socket's path may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="hub-dovecot-"))
    server = Dovecot(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mail_account(dovecot: Dovecot) -> Account:
    """A fresh account on the mail server: ``deliver`` puts mail in, IMAP and POP3 get it out."""
    return dovecot.account()


@pytest.fixture
def second_dovecot(dovecot: Dovecot) -> Iterator[Callable[[type[Dovecot]], Dovecot]]:
    """Makes a server that differs from the common one, not started yet; gone after the test."""
    servers: list[Dovecot] = []

    def make(kind: type[Dovecot] = Dovecot) -> Dovecot:
        # Short, and outside of pytest's own folders: those are closed to the server's mail processes.
        servers.append(kind(Path(tempfile.mkdtemp(prefix="hub-dovecot-"))))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
