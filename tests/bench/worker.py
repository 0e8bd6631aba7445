"""One worker process of the benchmark: says that it is ready, waits for the start, empties the queue."""

import logging
import sys
import time
from pathlib import Path


def main(ready: str, go: str) -> None:
    import os

    import django

    django.setup()
    logging.disable(logging.WARNING)
    from emailflow.inbound.parsing.render import render
    from emailflow.inbound.pipeline import process_due

    render(html="<p>warm</p>", text="", want_text=True)
    (Path(ready) / str(os.getpid())).touch()
    while not Path(go).exists():
        time.sleep(0.001)
    while process_due():
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
