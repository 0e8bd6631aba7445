"""How fast mail becomes tickets, against a floor measured in the same run: ``python -m tests.bench.ingest``.

Floor and Hub take turns on slices of like mail, so that a machine that speeds up or slows down does so for both.
What the figures mean and which bars they have to reach is in ``docs/benchmarks.md``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import growth
from tests.bench.floor import Floor
from tests.bench.installation import installation, server_version
from tests.bench.letters import letters
from tests.bench.peer import NAME, Peer, PeerError
from tests.bench.processes import one_and_two
from tests.bench.stages import stages
from tests.bench.statements import statements
from tests.bench.ways import Clock, Way, grouped, single

SLICE = 100
BARS = {"ratio_single": 0.6, "ratio_group": 1.1, "ratio_two": 1.7}
LIMITS: dict[str, float] = {"sql_new": 16, "sql_reply": 14, "sql_group": 40, **growth.LIMITS}
SQLITE_GROUP = 60


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    with installation(options.folder, options.database) as folder:
        figures = _measure(options, folder)
    if options.growth:
        # In a process of its own, on a server of its own: nothing of what was done above is in its way.
        figures |= _growth(options)
    print(json.dumps(figures) if options.json else table(figures))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__.partition("\n")[0])
    parser.add_argument("--mails", type=int, default=1200, help="mails for each way of doing it (default 1200)")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--stages", action="store_true", help="also print the time of each stage")
    parser.add_argument("--growth", action="store_true", help="also measure with many tickets loaded (see --tickets)")
    parser.add_argument("--peer", action="store_true", help=f"also measure {NAME}, installed with pip")
    parser.add_argument("--peer-env", type=Path, help="keep its virtual environment in this folder")
    growth.add_options(parser)
    options = parser.parse_args(arguments)
    growth.check(parser, options)
    if options.database == "sqlite" and (options.growth or options.peer):
        parser.error("--growth and --peer need PostgreSQL")
    return options


def _measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    figures = _rates(options, folder)
    one, two = one_and_two(options.mails, options.seed, folder)
    sql_new, sql_reply, sql_group = statements(options.seed)
    figures |= {
        "one_process_mps": round(one, 1),
        "two_processes_mps": round(two, 1),
        "ratio_two": round(two / one, 2),
        "sql_new": sql_new,
        "sql_reply": sql_reply,
        "sql_group": sql_group,
    }
    if options.stages:
        figures["stages_ms"] = stages(options.seed)
    return figures


def _rates(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Floor, Hub one by one, Hub in groups, and the peer where asked: slice by slice in turns."""
    from django.db import connection

    warm = min(SLICE, options.mails)
    single(list(letters(warm, options.seed + 1000)))
    grouped(list(letters(warm, options.seed + 1001)))
    floor_way, floor, one_by_one, group, other = Floor(), Clock(), Clock(), Clock(), Clock()
    floor_mail = list(letters(options.mails, options.seed + 1))
    ways: list[tuple[Clock, Way, list[bytes]]] = [
        (floor, floor_way.file, floor_mail),
        (one_by_one, single, list(letters(options.mails, options.seed + 2))),
        (group, grouped, list(letters(options.mails, options.seed + 3))),
    ]
    with ExitStack() as stack:
        stack.callback(floor_way.close)
        peer = _peer(options, folder, floor_mail) if options.peer else None
        if isinstance(peer, Peer):
            stack.callback(peer.close)
            ways.append((other, peer.file, floor_mail))
        for start in range(0, options.mails, SLICE):
            for clock, way, mails in ways:
                clock.time(way, mails[start : start + SLICE])
        figures: dict[str, Any] = {
            "database": connection.vendor,
            "version": server_version(),
            "mails": options.mails,
            "floor_mps": round(floor.rate, 1),
            "single_mps": round(one_by_one.rate, 1),
            "group_mps": round(group.rate, 1),
            "ratio_single": round(one_by_one.rate / floor.rate, 2),
            "ratio_group": round(group.rate / floor.rate, 2),
        }
        return figures | (_peer_figures(peer, other, floor, group) if peer is not None else {})


def _peer(options: argparse.Namespace, folder: Path, mails: Sequence[bytes]) -> Peer | str:
    """Ready for the same mails as the floor, after some that have warmed it; or why there is none."""
    warm = list(letters(min(SLICE, options.mails), options.seed + 1000))
    try:
        peer = Peer([*warm, *mails], folder, options.peer_env)
    except PeerError as error:
        print(error, file=sys.stderr)
        return str(error)
    peer.file(warm)
    return peer


def _peer_figures(peer: Peer | str, clock: Clock, floor: Clock, group: Clock) -> dict[str, Any]:
    counted = peer.count() if isinstance(peer, Peer) else {}
    if not counted:
        said = peer.failed if isinstance(peer, Peer) else peer
        return {"peer": said, "peer_mps": None, "ratio_peer": None, "group_to_peer": None}
    return {
        "peer": NAME,
        "peer_mps": round(clock.rate, 1),
        "ratio_peer": round(clock.rate / floor.rate, 2),
        "group_to_peer": round(group.rate / clock.rate, 1),
        **{f"peer_{what}": number for what, number in counted.items()},
    }


def _growth(options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.growth", "--json", *growth.as_arguments(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def table(figures: dict[str, Any]) -> str:
    limits = LIMITS | ({"sql_group": SQLITE_GROUP} if figures.get("database") == "sqlite" else {})
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{'':4}{what:<20} {number:>8}" for what, number in value.items()]
            continue
        wanted = ""
        if name in BARS or name in limits:
            wanted = f"  (at least {BARS[name]})" if name in BARS else f"  (at most {limits[name]})"
        lines.append(f"{name:<20} {value if value is not None else '-':>10}{wanted}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
