"""Files for mails that are too big for the memory, until they are in the store. Used by pull and API.

What a killed process leaves behind is no mail: its source still has it, or was never told "done".
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

LEFT_BEHIND = timedelta(hours=24)


@contextmanager
def spool_file() -> Iterator[Path]:
    """An empty file that is gone after the block. Raises OSError when the disk says no."""
    folder = Path(settings.SPOOL_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix="mail-")
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def clear_spool() -> int:
    """Delete what processes that died have left behind. Returns how many files."""
    folder = Path(settings.SPOOL_DIR)
    count = 0
    for path in folder.glob("mail-*"):
        try:
            if path.stat().st_mtime < time.time() - LEFT_BEHIND.total_seconds():
                path.unlink()
                count += 1
        except FileNotFoundError:
            # Its owner was about to delete it himself.
            continue
        except OSError as error:
            logger.warning("the spool file %s cannot be deleted: %s", path.name, error.strerror)
    return count
