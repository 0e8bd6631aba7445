"""``python -m tests.bench.chaos --seed N``: mails come in, faults happen, then everything is counted.

Exit code 0: every mail is in exactly one place and nothing is left half done. 1: something is not, and the lines
say what.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.chaos.delivery import Delivery
from tests.bench.chaos.faults import FAULTS, Field, schedule
from tests.bench.chaos.freezing import WHO, Freezing
from tests.bench.chaos.hosts import PROJECT, Host, until, with_mark
from tests.bench.chaos.mails import by_serial, conversations
from tests.bench.chaos.servers import DONE, Servers
from tests.dovecot import HOST
from tests.postgresql import free_port

DATABASE = "chaos"
SHORT_MAILS, SHORT_FAULTS, SHORT_LEASE, SHORT_STALE = 2_000, 30, 20, 100
LONG_MAILS, LONG_FAULTS = 10_000, 100
SHOWN = 40
# Longer than the lease of a mailbox whose reader died.
LONGEST_STALL = 300


def main(arguments: Sequence[str] | None = None) -> int:
    began = time.monotonic()
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hub-chaos-", dir=options.folder))
    folder.chmod(0o755)
    servers = Servers(folder, disk_mb=64 + options.mails // 20)
    result: dict[str, Any] = {}
    try:
        servers.open()
        result = freeze(servers) if options.freeze else Trial(options, servers, began).run()
    finally:
        for process in with_mark(servers.mark):
            process.kill()
        servers.close()
        if options.keep or not result.get("ok"):
            print(f"logs: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result) if options.json else _table(result))
    return 0 if result["ok"] else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mails", type=int, help=f"default {LONG_MAILS}; with --short {SHORT_MAILS}")
    parser.add_argument("--faults", type=int, help=f"default {LONG_FAULTS}; with --short {SHORT_FAULTS}")
    parser.add_argument(
        "--short", action="store_true", help=f"a dead worker's mails are taken over after {SHORT_LEASE} s, not 180"
    )
    parser.add_argument(
        "--freeze", action="store_true", help="only this: kill a waiting worker, with Hub's own thresholds (10 minutes)"
    )
    parser.add_argument("--only", action="append", choices=list(FAULTS), help="these faults; may be repeated")
    parser.add_argument("--folder", help="where data and logs live while it runs (default: the temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep data and logs; they are kept on failure anyway")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    options.mails = options.mails or (SHORT_MAILS if options.short else LONG_MAILS)
    options.faults = LONG_FAULTS if options.faults is None and not options.short else options.faults
    options.faults = SHORT_FAULTS if options.faults is None else options.faults
    return options


def freeze(servers: Servers) -> dict[str, Any]:
    """The trial of the frozen cluster alone, as it is for a deployer."""
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(lambda who: Freezing(servers, who, stale=0).run(), WHO))
    return {"ok": not (found := _frozen_for_good(results)), "freezing": results, "problems": found}


def _frozen_for_good(results: Sequence[dict[str, Any]]) -> list[str]:
    return [f"freezing: {result}" for result in results if result["problem"] or not result["healed_after"]]


class Trial:
    """One run, from empty databases to the verdict."""

    def __init__(self, options: argparse.Namespace, servers: Servers, began: float) -> None:
        self.options = options
        self.servers = servers
        self.began = began
        self.happened: list[dict[str, Any]] = []
        self.threads = conversations(options.mails, options.seed)
        self.letters = by_serial(self.threads)

    def run(self) -> dict[str, Any]:
        stale = SHORT_STALE if self.options.short else 0
        who = () if self.options.only else WHO
        with ThreadPoolExecutor() as beside:
            # They take long, and hardly any of the processor.
            freezing = [beside.submit(Freezing(self.servers, one, stale=stale).run) for one in who]
            result = self._run()
            result["freezing"] = [trial.result() for trial in freezing]
        return self._close(result)

    def _run(self) -> dict[str, Any]:
        token = self._prepare()
        hosts = [self._host(name) for name in ("a", "b")]
        for host in hosts:
            # One after the other: the first one migrates.
            host.start()
            host.wait_until_ready()
        self._say(f"{len(hosts)} hosts run; {len(self.letters)} mails, {self.options.faults} faults")
        delivery = Delivery(
            self.threads,
            account=self.servers.account,
            addresses=[host.address for host in hosts],
            token=token,
            database=self.servers.url(DATABASE, direct=True),
            seed=self.options.seed,
        )
        delivery.start()
        try:
            self._harm(hosts, delivery)
            settled = self._settle(hosts, delivery)
        finally:
            delivery.stop()
        return self._verdict(hosts, delivery, settled)

    def _close(self, result: dict[str, Any]) -> dict[str, Any]:
        found = [*result.pop("problems"), *_frozen_for_good(result["freezing"])]
        left = with_mark(self.servers.mark)
        found += [f"left behind: {p.pid} {' '.join(p.cmdline())}" for p in left]
        seconds = round(time.monotonic() - self.began)
        return {"ok": not found, **result, "seconds": seconds, "problems": found}

    def _prepare(self) -> str:
        """The database, the mailbox, and a user whose token hands mails in. Returns the token."""
        self.servers.database(DATABASE)
        data = self.servers.data_folder("counting", blobs=self.servers.blobs)
        (data / "static").mkdir()
        os.environ |= self.servers.environment(DATABASE, data, DATABASE_URL=self.servers.url(DATABASE, direct=True))
        os.environ |= {"DJANGO_SETTINGS_MODULE": "hub.settings", "LOG_LEVEL": "ERROR", "HUB_CHAOS": ""}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from emailflow.models import Mailbox
        from emailflow.services.mailboxes import save_mailbox
        from hub.starting import close_database
        from tickets.actors import Actor
        from tickets.models import User
        from tickets.services.staff import make_token, save_user

        actor = Actor.of_system("chaos")
        mailbox = Mailbox(
            slug="support",
            name="Support",
            addresses=["support@hub.example"],
            host=HOST,
            port=self.servers.dovecot.imap_port,
            security="plain",
            username=self.servers.account.user,
            start_policy="all",
            after_read="move",
            move_to=DONE,
            interval=5,
        )
        save_mailbox(actor=actor, mailbox=mailbox, secret=self.servers.account.password)
        user = User(username="mailserver", email="mailserver@hub.example", is_staff=True, is_superuser=True)
        user.set_unusable_password()
        save_user(actor=actor, user=user)
        _, token = make_token(actor=actor, user=user, name="chaos", scopes=["inbound"], expires_in=None)
        close_database()
        return token

    def _host(self, name: str) -> Host:
        data = self.servers.data_folder(name, blobs=self.servers.blobs)
        changes = {"HUB_CHAOS_LEASE": str(SHORT_LEASE)} if self.options.short else {}
        return Host(name, self.servers.environment(DATABASE, data, **changes), free_port())

    def _harm(self, hosts: list[Host], delivery: Delivery) -> None:
        """Faults and mails in step: before the next fault, the next share of the mails is handed in."""
        chance = random.Random(self.options.seed + 3)
        field = Field(self.servers, hosts, DATABASE, chance)
        names = schedule(self.options.faults, self.options.seed)
        if self.options.only:
            names = [chance.choice(self.options.only) for _ in names]
        share = len(self.letters) / (len(names) + 1)
        for number, name in enumerate(names):
            delivery.allow(int(share * (number + 1)))
            time.sleep(chance.uniform(0.2, 1.0))
            begun = time.monotonic()
            # The next share comes in while it happens.
            delivery.allow(int(share * (number + 2)))
            done = FAULTS[name](field)
            for host in hosts:
                host.keep_up()
            self.happened.append({"fault": name, "what": done, "at": round(begun - self.began, 1)})
            self._say(f"{number + 1:>3} {name}: {done or 'nothing to harm'}  ({delivery.counts.delivered} taken)")
            reach = int(share * number)
            until(
                lambda reach=reach: delivery.counts.delivered >= reach,  # type: ignore[misc]
                LONGEST_STALL,
                lambda: f"the mails are not taken: {delivery.counts}",
            )
        delivery.allow(len(self.letters))

    def _settle(self, hosts: list[Host], delivery: Delivery) -> str:
        """Waits until all is done; returns what is not when the time is over."""
        from hub.starting import close_database
        from tests.bench.chaos.counting import unfinished

        wanted = [letter.message_id for letter in self.letters.values()]
        begun = time.monotonic()
        # A dead worker's lease, a mail that waits a minute after trouble, an answer that waits for it.
        patience = (120 if self.options.short else 600) + len(self.letters) / 20
        left = "not asked yet"
        while time.monotonic() - begun < patience:
            for host in hosts:
                host.keep_up()
            left = "still being handed in" if not delivery.finished.is_set() else unfinished(wanted)
            close_database()
            if not left:
                break
            time.sleep(1)
        self._say(f"settled after {time.monotonic() - begun:.0f} s{': NOT, ' + left if left else ''}")
        return left

    def _verdict(self, hosts: list[Host], delivery: Delivery, left: str) -> dict[str, Any]:
        from django.db import close_old_connections

        from emailflow.models import Message, Outcome
        from tests.bench.chaos.counting import problems

        self._say("counting")
        found = [str(problem) for problem in problems(self.letters)]
        duplicates = Message.objects.filter(outcome=Outcome.DUPLICATE).count()
        waited = Message.objects.filter(waits__gt=0).count()
        close_old_connections()
        if left:
            found.insert(0, f"not settled: {left}")
        found += [f"refused: {words}" for words in delivery.counts.refused]
        found += self._integrity(hosts[0])
        for host in hosts:
            if code := host.stop():
                found.append(f"host {host.name} ended with exit code {code}")
        return {
            "seed": self.options.seed,
            "mails": len(self.letters),
            "faults": len(self.happened),
            "faults_without_target": sum(not fault["what"] for fault in self.happened),
            "seconds": 0,
            "disk_could_be_filled": self.servers.can_fill,
            "replies": sum(letter.is_reply for letter in self.letters.values()),
            "duplicates": duplicates,
            "replies_that_waited": waited,
            "tries_in_vain": sum(delivery.counts.tries_in_vain.values()),
            "trouble_of_senders": delivery.counts.tries_in_vain,
            "known_to_web": delivery.counts.known,
            "connections": self.servers.proxy.count,
            "happened": self.happened,
            "problems": found,
        }

    def _integrity(self, host: Host) -> list[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", "check_integrity"],
            cwd=PROJECT,
            env={**host.environment, "HUB_CHAOS_SHIFT": "0"},
            capture_output=True,
            text=True,
        )
        return [f"check_integrity: {line}" for line in (done.stdout + done.stderr).splitlines() if done.returncode]

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", file=sys.stderr, flush=True)


def _table(result: dict[str, Any]) -> str:
    plain = [f"{name:<24} {value}" for name, value in result.items() if not isinstance(value, list | dict)]
    plain += [f"{'':4}{name:<40} {count}" for name, count in sorted(result.get("trouble_of_senders", {}).items())]
    plain += [f"{'freezing':<24} {one}" for one in result.get("freezing", [])]
    found = result["problems"]
    plain += found[:SHOWN]
    if len(found) > SHOWN:
        plain.append(f"... and {len(found) - SHOWN} more; --json shows all")
    return "\n".join(plain)


if __name__ == "__main__":
    sys.exit(main())
