"""What a new ticket and a reply cost with none and with a million tickets: ``python -m tests.bench.growth``.

The two are an hour's work of the machine apart, so each is compared with the floor of its own time: the cost is Hub's
time for a mail as a multiple of the floor's time for the same mail. One transaction a mail, PostgreSQL with fsync.
"""

import argparse
import email
import email.policy
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.floor import Floor
from tests.bench.installation import installation, server_version
from tests.bench.letters import answers, letters
from tests.bench.loading import Loaded, load
from tests.bench.ways import Clock, mailbox, single

SLICE = 25
MINUTES = 10
LIMITS: dict[str, float] = {"growth_new": 1.1, "growth_reply": 1.1, "loading_seconds": 60.0 * MINUTES}

Original = tuple[str, str, str]
"""Message-ID, sender, subject."""


@dataclass
class Cost:
    """Hub's time for some mails, and the floor's for the same."""

    hub: Clock = field(default_factory=Clock)
    floor: Clock = field(default_factory=Clock)

    @property
    def ratio(self) -> float:
        return self.hub.seconds / self.floor.seconds

    @property
    def milliseconds(self) -> float:
        return 1000 / self.hub.rate


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__.partition("\n")[0])
    add_options(parser)
    options = parser.parse_args(arguments)
    check(parser, options)
    with installation(options.folder, "postgresql"):
        figures = measure(options)
    print(json.dumps(figures) if options.json else _table(figures))
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tickets", type=int, default=1_000_000, help="growth: tickets to load (default a million)")
    parser.add_argument("--comments", type=int, default=3_000_000, help="growth: their comments (default 3 million)")
    parser.add_argument("--growth-mails", type=int, default=600, help="growth: mails for each figure (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="where data and database live while it runs (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not 1 <= options.tickets <= options.comments:
        parser.error("--comments: every ticket has at least the one that opened it")


def as_arguments(options: argparse.Namespace) -> Iterator[str]:
    for name in ("tickets", "comments", "growth_mails", "seed", "folder"):
        value = getattr(options, name)
        if value is not None:
            yield f"--{name.replace('_', '-')}={value}"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    mailbox()
    floor = Floor()
    none = _costs(floor, options.growth_mails, options.seed + 100)
    print(f"loading {options.tickets} tickets, {options.comments} comments ...", file=sys.stderr)
    loaded = load(options.tickets, options.comments)
    every = _costs(floor, options.growth_mails, options.seed + 200, loaded)
    floor.close()
    return {
        "growth_version": server_version(),
        "growth_tickets": loaded.tickets,
        "growth_comments": loaded.comments,
        "loading_seconds": round(loaded.seconds, 1),
        "loading_cpu_seconds": round(loaded.cpu_seconds, 1),
        "loading_steps": loaded.steps,
        "loaded_megabytes": loaded.megabytes,
        **{f"cost_{name}_none": round(cost.ratio, 3) for name, cost in none.items()},
        **{f"cost_{name}_all": round(cost.ratio, 3) for name, cost in every.items()},
        **{f"ms_{name}_none": round(cost.milliseconds, 1) for name, cost in none.items()},
        **{f"ms_{name}_all": round(cost.milliseconds, 1) for name, cost in every.items()},
        "growth_new": round(every["new"].ratio / none["new"].ratio, 3),
        "growth_reply": round(every["reply"].ratio / none["reply"].ratio, 3),
        # A reply to any of the loaded tickets that are open, of any age: its rows are in nobody's memory.
        "growth_reply_old": round(every["old"].ratio / none["reply"].ratio, 3),
    }


def _costs(floor: Floor, mails: int, seed: int, loaded: Loaded | None = None) -> dict[str, Cost]:
    """Of new tickets, of replies to them, and of replies to loaded tickets where there are any."""
    single(list(letters(SLICE, seed + 1)))
    floor.file(list(letters(SLICE, seed + 2)))
    new = list(letters(mails, seed + 3, replies=0.0))
    sets = {"new": new, "reply": list(answers([_original(raw) for raw in new], seed + 4))}
    if loaded is not None:
        sets["old"] = list(answers(_old(loaded, mails), seed + 5))
    costs = {name: Cost() for name in sets}
    for start in range(0, mails, SLICE):
        for name, raws in sets.items():
            part = raws[start : start + SLICE]
            costs[name].floor.time(floor.file, part)
            costs[name].hub.time(single, part)
    return costs


def _original(raw: bytes) -> Original:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return str(message["Message-ID"]), message["From"].addresses[0].addr_spec, str(message["Subject"])


def _old(loaded: Loaded, number: int) -> list[Original]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.email_message_id, l.email_from, l.email_subject FROM tticket_email_log l "
            "JOIN tticket_tickets t ON t.id = l.ticket_id WHERE l.id BETWEEN %s AND %s AND NOT l.is_reply "
            "AND t.status = 'open' ORDER BY md5(l.id::text) LIMIT %s",
            [loaded.first_log, loaded.first_log + loaded.comments - 1, number],
        )
        return [(str(key), str(sender), str(subject)) for key, sender, subject in cursor.fetchall()]


def _table(figures: dict[str, Any]) -> str:
    from tests.bench.ingest import table

    return table(figures)


if __name__ == "__main__":
    sys.exit(main())
