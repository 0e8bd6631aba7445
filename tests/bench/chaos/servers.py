"""What stands around Hub in a trial: PostgreSQL behind a line that can be cut, Dovecot, and a small disk for blobs.

Everything of a trial is below one folder. ``close`` ends it all.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet
from imapclient import IMAPClient

from tests.bench.chaos.proxy import Proxy
from tests.dovecot import HOST, Dovecot
from tests.postgresql import Postgresql

INSIDE = Path(__file__).with_name("inside")
DONE = "Done"


class Servers:
    """``can_fill``: whether there is a disk of its own under the blobs, which needs the right to mount."""

    def __init__(self, folder: Path, *, disk_mb: int) -> None:
        self.folder = folder
        self.disk_mb = disk_mb
        self.mark = secrets.token_hex(8)
        self.postgresql = Postgresql(folder, durable=True)
        # Short: a socket's path may have 107 characters; and its mail processes are another user.
        self.dovecot = Dovecot(Path(tempfile.mkdtemp(prefix="hub-chaos-dovecot-")))
        self.blobs = folder / "blobs"
        self.can_fill = False
        self.keys = {"SECRET_KEY": secrets.token_urlsafe(48), "TOKEN_KEYS": secrets.token_urlsafe(48)}
        self.keys["FIELD_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
        self._port = 0

    def open(self) -> None:
        self.blobs.mkdir(mode=0o700)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.disk_mb}m,mode=700", "chaos", str(self.blobs)],
            capture_output=True,
        )
        self.can_fill = mounted.returncode == 0
        self._port = int(self.postgresql.start().rpartition(":")[2].partition("/")[0])
        self.proxy = Proxy(self._port)
        self.proxy.start()
        self.dovecot.start()
        self.account = self.dovecot.account()
        with IMAPClient(HOST, port=self.dovecot.imap_port, ssl=False) as client:
            client.login(self.account.user, self.account.password)
            client.create_folder(DONE)

    def close(self) -> None:
        self.dovecot.stop()
        self.postgresql.stop()
        if hasattr(self, "proxy"):
            self.proxy.stop()
        if self.can_fill:
            subprocess.run(["umount", "--lazy", str(self.blobs)], check=False)
        shutil.rmtree(self.dovecot.folder, ignore_errors=True)

    def database(self, name: str) -> None:
        with psycopg.connect(self.postgresql.url, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')

    def url(self, name: str, *, direct: bool = False) -> str:
        return f"postgresql://hub@{HOST}:{self._port if direct else self.proxy.port}/{name}"

    def environment(self, database: str, data: Path, **changes: str) -> dict[str, str]:
        """That of one host, as a deployer would set it, but for the last four, which only the trial knows."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
        return {
            **kept,
            **self.keys,
            "DATA_DIR": str(data),
            "DATABASE_URL": self.url(database),
            "OUTGOING_MAIL": "hold",
            "API_RATE": "1000000",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(INSIDE),
            "HUB_CHAOS": self.mark,
            **changes,
        }

    def data_folder(self, name: str, *, blobs: Path | None = None) -> Path:
        """The DATA_DIR of one host; ``blobs``: the store that it shares with the others."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        if blobs is not None:
            (folder / "blobs").symlink_to(blobs)
        return folder
