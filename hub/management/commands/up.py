"""``manage.py up``: everything that Hub needs, in one command and one terminal."""

import os
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError

from hub import starting
from hub.health import STALE_SECONDS
from hub.heartbeat import heartbeat_age
from hub.schedules import bring_back, heartbeat_is_scheduled
from hub.supervisor import Child, Supervisor, say, watch_in_background

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 (compared with, not bound to)


class Command(BaseCommand):
    help = "Sets Hub up on first use and runs it: web, worker and mail watcher. Ctrl-C stops everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8001, help="port of the web site (default 8001)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument(
            "--demo", action="store_true", help="with customers, users and mails to look at; sends no mail"
        )

    def handle(self, *, host: str, port: int, demo: bool, **options: Any) -> None:
        try:
            self._run(host, port, demo)
        except starting.CannotStart as error:
            self.stderr.write(str(error))
            sys.exit(1)
        except KeyboardInterrupt:
            # Before the supervisor took over the signals: nothing runs yet.
            sys.exit(130)

    def _run(self, host: str, port: int, demo: bool) -> None:
        shown = "127.0.0.1" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
        lock = starting.lock_data_folder(settings.DATA_DIR, f"http://{shown}:{port}")
        server = starting.open_port(host, port)
        address = f"http://{shown}:{server.getsockname()[1]}"
        starting.check_database()
        starting.make_folders(settings.BLOB_DIR, settings.SPOOL_DIR)
        starting.check_store()
        say("preparing the database and the static files")
        starting.prepare()
        for warning in starting.open_to_others(settings.DATA_DIR, *_database_files()):
            say(f"WARNING: {warning}")
        self._first_user()
        environment = _environment(host, address, demo)
        with lock, server:
            supervisor = Supervisor(_children(server.fileno(), environment))
            supervisor.listen_to_signals()
            if demo:
                _seed(supervisor, environment)
            starting.close_database()
            watch_in_background(_WorkerWatch(supervisor).check, every=15, stopping=supervisor.stopping)
            watch_in_background(lambda: _welcome(address), every=0.5, stopping=supervisor.stopping)
            supervisor.run()

    def _first_user(self) -> None:
        made = starting.make_first_user()
        if made:
            name, password = made
            say(f"first start: log in as {name} with the password {password}  (shown only now)")


def _database_files() -> list[Path]:
    database = settings.DATABASES["default"]
    return [Path(database["NAME"])] if database["ENGINE"] == "django.db.backends.sqlite3" else []


def _environment(host: str, address: str, demo: bool) -> dict[str, str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if not environment.get("SITE_URL"):
        local = host in (*_EVERYWHERE, "127.0.0.1", "::1")
        environment["SITE_URL"] = f"http://localhost:{address.rpartition(':')[2]}" if local else address
    if demo:
        # The demo has addresses of people who do not exist: nothing of it may leave the machine.
        environment["OUTGOING_MAIL"] = "hold"
    return environment


def _children(descriptor: int, environment: dict[str, str]) -> list[Child]:
    manage = [sys.executable, "manage.py"]
    programs: list[tuple[str, list[str], tuple[int, ...]]] = [
        ("web", [sys.executable, "-m", "gunicorn", "--bind", f"fd://{descriptor}"], (descriptor,)),
        ("worker", [*manage, "qcluster"], ()),
        ("watcher", [*manage, "watch_mail"], ()),
    ]
    return [
        Child(name, command, folder=Path(settings.BASE_DIR), environment=environment, pass_fds=descriptors)
        for name, command, descriptors in programs
    ]


def _seed(supervisor: Supervisor, environment: dict[str, str]) -> None:
    """In a process of its own, which reads the settings of the demo; Ctrl-C ends it like the others."""
    child = Child(
        "demo",
        [sys.executable, "manage.py", "seed_demo"],
        folder=Path(settings.BASE_DIR),
        environment=environment,
    )
    child.start()
    while not child.has_ended() and not supervisor.stopping.wait(0.1):
        pass
    code = child.process.poll() if child.process else None
    child.kill_group()
    if code and not supervisor.stopping.is_set():
        raise starting.CannotStart(f"The demo data could not be made (exit code {code}); see the lines above")


class _WorkerWatch:
    """Kills a worker that is silent. The cluster of django-q can freeze, and then ignores TERM."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def check(self) -> bool:
        """Never done."""
        self._judge(self.supervisor.seconds_since_start("worker"))
        return False

    def _judge(self, running: float) -> None:
        try:
            for name in bring_back():
                say(f"the clock of a host was wrong: {name!r} is due now, not later")
            age = heartbeat_age()
            scheduled = heartbeat_is_scheduled()
        except DatabaseError as error:
            # Without its database a worker cannot beat: that is no reason to kill it.
            say(f"the worker's heartbeat cannot be read: {' '.join(str(error).split())[:200]}")
            return
        finally:
            starting.close_database()
        age = running if age is None else age
        if scheduled and min(age, running) > STALE_SECONDS:
            say(f"the worker has been silent for {age:.0f} s; it is killed and started again")
            self.supervisor.kill("worker")


def _welcome(address: str) -> bool:
    """Says where Hub is once it answers there; True when it was said."""
    if not _answers(address):
        return False
    say(f"Hub runs at {address} - log in at {address}/admin/")
    if (settings.DROP_DIR / "new").is_dir():
        say(f"drop folder: {settings.DROP_DIR / 'new'} - a mail that is put there becomes a ticket")
    say("Ctrl-C stops everything")
    return True


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 (our own address)
            return True
    except urllib.error.HTTPError as error:
        # Below 500 it works, and only does not know this machine by the address that we use.
        return error.code < 500
    except OSError:
        return False
