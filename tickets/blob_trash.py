"""Takes blobs that nothing names out of the store: first into ``trash/``, a day later for good.

Who names a blob is for the caller to say (``Named``): the tables of other apps name blobs too. A blob younger than
a day may belong to a row that is not committed yet, and a reader that misses one finds it in the trash
(``tickets.blobs.open_blob``). Nothing else deletes blobs.
"""

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from tickets import blobs

YOUNG = timedelta(hours=24)
BATCH = 500

Named = Callable[[Collection[str]], set[str]]
"""Which of at most ``BATCH`` hashes a row names."""


@dataclass
class Swept:
    """What was found; in a dry run: what would be taken."""

    looked_at: int = 0
    moved: int = 0
    moved_bytes: int = 0
    emptied: int = 0
    emptied_bytes: int = 0
    leftovers: int = 0

    def __str__(self) -> str:
        return (
            f"{self.looked_at:,} files looked at; {self.moved:,} that nothing names moved to the trash "
            f"({self.moved_bytes:,} bytes); {self.emptied:,} deleted from the trash ({self.emptied_bytes:,} bytes); "
            f"{self.leftovers:,} unfinished files removed."
        )


def sweep(named: Named, now: datetime, *, dry_run: bool = False, stopping: Callable[[], bool] = lambda: False) -> Swept:
    """Look through the whole store, then empty the trash. Raises OSError when the disk says no.

    Begins at a different place each time, so that one that is stopped gets everywhere in the end.
    """
    swept = Swept()
    for batch in _batches(_files(now, swept, dry_run=dry_run)):
        if stopping():
            break
        swept.looked_at += len(batch)
        discard([path.name for path in batch], named, now, dry_run=dry_run, swept=swept)
    empty(named, now, dry_run=dry_run, swept=swept)
    return swept


def discard(
    hashes: Collection[str], named: Named, now: datetime, *, dry_run: bool = False, swept: Swept | None = None
) -> None:
    """Move those of at most ``BATCH`` blobs to the trash that are old and that no row names."""
    swept = swept or Swept()
    kept = named(hashes)
    moved: list[tuple[Path, Path]] = []
    for sha256 in sorted(set(hashes) - kept):
        path = blobs.path_of(sha256)
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if status.st_mtime > (now - YOUNG).timestamp():
            continue
        swept.moved += 1
        swept.moved_bytes += status.st_size
        if not dry_run:
            trashed = _trash() / sha256
            trashed.parent.mkdir(parents=True, exist_ok=True)
            # Its day in the trash begins now.
            os.utime(path)
            path.replace(trashed)
            moved.append((path, trashed))
    # Somebody may have stored the same bytes, and named them, between the look and the move.
    wanted = named([path.name for path, _ in moved]) if moved else set()
    for path, trashed in moved:
        if path.name in wanted:
            swept.moved -= 1
            _put_back(trashed, path)


def empty(named: Named, now: datetime, *, dry_run: bool = False, swept: Swept | None = None) -> None:
    """Delete what has been in the trash for a day; what a row names by now goes back to its place."""
    swept = swept or Swept()
    if not _trash().is_dir():
        return
    for batch in _batches(path for path in _trash().iterdir() if not path.name.startswith(".")):
        wanted = named([path.name for path in batch])
        for path in batch:
            try:
                status = path.stat()
            except FileNotFoundError:
                # A reader was faster and has put it back.
                continue
            if path.name in wanted:
                if not dry_run:
                    _put_back(path, blobs.path_of(path.name))
            elif status.st_mtime < (now - YOUNG).timestamp():
                swept.emptied += 1
                swept.emptied_bytes += status.st_size
                if not dry_run:
                    path.unlink(missing_ok=True)


def _put_back(trashed: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        trashed.replace(path)
    except FileNotFoundError:
        # A reader was faster.
        return


def _trash() -> Path:
    return Path(settings.BLOB_DIR) / "trash"


def _files(now: datetime, swept: Swept, *, dry_run: bool) -> Iterator[Path]:
    """Every blob, one folder after the other. Files that a killed writer left unfinished are removed here."""
    store, first = Path(settings.BLOB_DIR), secrets.randbelow(256)
    folders = [store / f"{(first + number) % 256:02x}" for number in range(256)]
    for folder in (store, *folders):
        if not folder.is_dir():
            continue
        for path in folder.iterdir():
            if not path.name.startswith(".") and folder is not store:
                yield path
            elif path.name.startswith(".new-") and _is_old(path, now):
                swept.leftovers += 1
                if not dry_run:
                    path.unlink(missing_ok=True)


def _is_old(path: Path, now: datetime) -> bool:
    try:
        return path.stat().st_mtime < (now - YOUNG).timestamp()
    except FileNotFoundError:
        return False


def _batches(paths: Iterator[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    for path in paths:
        batch.append(path)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
