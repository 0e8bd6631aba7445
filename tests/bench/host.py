"""One worker host of ``tests.bench.hosts``: takes the mails of its folder, then files what is due, when it is told to.

Its folder is how it is told: ``ready``, ``go-store``, ``stored``, ``go-file``, ``filed``, ``go-drain``, ``drained``.
"""

import json
import logging
import sys
import time
from pathlib import Path

GROUP = 50


def main(folder: Path) -> None:
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from emailflow.inbound.parsing.render import render
    from emailflow.inbound.pipeline import process_due
    from emailflow.inbound.receive import Incoming, receive_many
    from emailflow.models import Mailbox
    from tickets import blobs

    mails = sorted((folder / "mails").iterdir())
    mailbox = Mailbox.objects.get(slug="api")
    render(html="<p>warm</p>", text="", want_text=True)
    blobs.check()
    _say(folder, "ready")

    _wait(folder, "go-store")
    for start in range(0, len(mails), GROUP):
        part = [Incoming(path.read_bytes(), mailbox) for path in mails[start : start + GROUP]]
        receive_many(part)
    _say(folder, "stored", {"offered": len(mails)})

    _wait(folder, "go-file")
    taken = 0
    while count := process_due(GROUP):
        taken += count
    _say(folder, "filed", {"taken": taken})

    # Replies that wait for their original, and what the other host has not reported yet.
    _wait(folder, "go-drain")
    while not (folder / "enough").exists():
        if not process_due(GROUP):
            time.sleep(0.2)
    _say(folder, "drained")


def _say(folder: Path, word: str, figures: dict[str, int] | None = None) -> None:
    part = folder / f".{word}"
    part.write_text(json.dumps(figures or {}))
    part.rename(folder / word)


def _wait(folder: Path, word: str) -> None:
    while not (folder / word).exists():
        time.sleep(0.002)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
