"""What ``manage.py up`` promises: one command that runs, says why it cannot, and leaves nothing behind."""

import fcntl
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.postgresql import free_port

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
Installation = Callable[..., dict[str, str]]


class Up:
    """One ``up`` in a process of its own, with what it printed."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.port = free_port()
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(self.port), *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, what: str, seconds: float = 90) -> None:
        until(lambda: what in self.output(), seconds, lambda: f"{what!r} not in:\n{self.output()}")

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def leader(self, word: str) -> psutil.Process:
        """The direct child whose command line holds the word."""
        return next(
            child
            for child in psutil.Process(self.process.pid).children()
            if any(word in part for part in child.cmdline())
        )

    def end(self, number: int = signal.SIGTERM, seconds: float = 10) -> int:
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self.reader.join(5)
        return code


def until(condition: Callable[[], object], seconds: float, explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def start(new_installation: Installation) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def make(*arguments: str, environment: dict[str, str] | None = None, **settings: str) -> Up:
        started.append(Up(environment or new_installation(**settings), *arguments))
        return started[-1]

    yield make
    for up in started:
        if up.process.poll() is None:
            family = up.family()
            up.process.kill()
            up.process.wait()
            for process in family:
                if process.is_running():
                    process.kill()


def refused(environment: dict[str, str], *arguments: str) -> str:
    """The one line of an ``up`` that must not start."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "Ctrl-C"])
def test_it_runs_from_nothing_and_stops_without_a_trace(start: Callable[..., Up], number: signal.Signals) -> None:
    up = start()
    up.wait_for("Hub runs at")
    assert f"http://127.0.0.1:{up.port}" in up.output()
    status, body = up.get("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert up.get("/admin/login/")[0] == 200
    until(lambda: len(up.family()) >= 9, 30, lambda: str(up.family()))
    family = up.family()
    assert up.end(number) == 0, up.output()
    left = [process for process in family if not gone(process)]
    assert left == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", up.port)) != 0


def test_the_first_start_makes_an_administrator_and_tells_the_password_once(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("log in as admin with the password")
    up.wait_for("Hub runs at")
    up.end()
    again = start(environment=up.environment)
    again.wait_for("Hub runs at")
    again.end()
    assert "password" not in again.output()


def test_a_given_administrator_is_used_and_the_password_not_printed(start: Callable[..., Up]) -> None:
    up = start(
        DJANGO_SUPERUSER_USERNAME="chief",
        DJANGO_SUPERUSER_PASSWORD="correct-horse-battery",
        DJANGO_SUPERUSER_EMAIL="chief@firma.example",
    )
    up.wait_for("Hub runs at")
    code = (
        "from tickets.models import User; u = User.objects.get(username='chief'); "
        "print(u.is_superuser, u.email, u.check_password('correct-horse-battery'))"
    )
    shown = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=PROJECT,
        env=up.environment,
        capture_output=True,
        text=True,
    )
    up.end()
    assert shown.stdout.strip() == "True chief@firma.example True"
    assert "correct-horse-battery" not in up.output()


def test_a_killed_worker_is_started_again_without_leftovers(start: Callable[..., Up]) -> None:
    up = start(LOG_LEVEL="DEBUG")  # django-q says when it runs
    up.wait_for("running.")
    worker = up.leader("qcluster")
    family = [worker, *worker.children(recursive=True)]
    worker.send_signal(signal.SIGKILL)
    up.wait_for("worker ended (killed by SIGKILL)")
    until(lambda: all(gone(p) for p in family), 10, lambda: str(family))
    until(lambda: up.output().count("running.") == 2, 30, up.output)
    assert up.leader("qcluster").pid != worker.pid
    assert up.end() == 0


def test_its_processes_die_with_it(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("Hub runs at")
    # The worker has done its first task: django-q does not hear a TERM while it is still starting.
    until(lambda: b'"heartbeat_age_seconds": null' not in up.get("/healthz")[1], 90, up.output)
    family = up.family()
    up.process.kill()
    up.process.wait()
    until(lambda: all(gone(p) for p in family), 20, lambda: str([p for p in family if not gone(p)]))


def test_a_busy_port_is_one_line(new_installation: Installation) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        line = refused(new_installation(), "--port", str(port))
    assert f"Port {port} on 127.0.0.1 is in use" in line
    assert "--port" in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TICKET_DEFAULT_PRIORITY", "extreme"),
        ("TIME_ZONE", "Mars/Base"),
        ("DATABASE_URL", "mysql://host/x"),
        ("DEBUG", "often"),
        ("FIELD_ENCRYPTION_KEYS", "abc"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(new_installation: Installation, setting: str, value: str) -> None:
    assert refused(new_installation(**{setting: value})).startswith(f"{setting}: ")


def test_an_unreachable_database_is_one_line(new_installation: Installation) -> None:
    url = f"postgresql://hub:hunter2@127.0.0.1:{free_port()}/hub"
    line = refused(new_installation(DATABASE_URL=url), "--port", str(free_port()))
    assert line.startswith("DATABASE_URL: the database cannot be used: ")
    assert "hunter2" not in line


def test_a_second_one_on_the_same_data_folder_says_so(new_installation: Installation) -> None:
    environment = new_installation()
    folder = Path(environment["DATA_DIR"])
    folder.mkdir()
    with (folder / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 4711, http://127.0.0.1:8001")
        lock.flush()
        line = refused(environment, "--port", str(free_port()))
    assert "already runs" in line
    assert "process 4711, http://127.0.0.1:8001" in line


def test_gunicorn_alone_stops_at_a_wrong_setting_with_one_line(new_installation: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{free_port()}"],
        cwd=PROJECT,
        env=new_installation(TIME_ZONE="Mars/Base"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert [line[:10] for line in (done.stdout + done.stderr).splitlines()] == ["TIME_ZONE:"]


def test_the_command_line_of_the_worker_stops_at_a_wrong_setting_with_one_line(
    new_installation: Installation,
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "qcluster"],
        cwd=PROJECT,
        env=new_installation(MAIL_MAX_BYTES="many"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert [line[:15] for line in (done.stdout + done.stderr).splitlines()] == ["MAIL_MAX_BYTES:"]


def test_the_demo_sends_nothing_and_turns_a_dropped_mail_into_a_ticket(start: Callable[..., Up]) -> None:
    up = start("--demo", OUTGOING_MAIL="send")
    up.wait_for("drop folder: ")
    assert "44 demo mails" in up.output()
    assert "The drop folder has the address support@nordlys-it.example" in up.output()
    folder = Path(up.environment["DATA_DIR"]) / "drop" / "new"
    mail = "From: Eva <eva@ny-kunde.example>\r\nSubject: Skal blive til en sag\r\n\r\nHej\r\n"
    (folder / "mail.eml").write_text(mail)
    code = (
        "from django.conf import settings; from tickets.models import Ticket; "
        "print(settings.OUTGOING_MAIL, Ticket.objects.filter(subject='Skal blive til en sag').count())"
    )

    def asked() -> str:
        environment = psutil.Process(up.leader("gunicorn").pid).environ()
        return subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
        ).stdout.strip()

    until(lambda: asked() == "hold 1", 30, up.output)
    assert up.end() == 0


def test_an_unusable_name_of_the_administrator_is_one_line(new_installation: Installation) -> None:
    environment = new_installation(DJANGO_SUPERUSER_USERNAME="not a name!")
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", str(free_port())],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("DJANGO_SUPERUSER_USERNAME: ")
    assert len(done.stderr.splitlines()) == 1
