"""Takes blobs that nothing names out of the store: first into ``trash/``, a day later for good.

Who names a blob is for the caller to say (``Named``): the tables of other apps name blobs too. A blob younger than
a day may belong to a row that is not committed yet, and a reader that misses one finds it in the trash
(``tickets.blobs.open_blob``). Nothing else deletes blobs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from tickets.blob_places import place
from tickets.blob_places.base import Stored

YOUNG = timedelta(hours=24)
BATCH = 500

_T = TypeVar("_T")
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
    """Look through the whole store, then empty the trash. Raises OSError when disk or network say no.

    Begins at a different place each time, so that one that is stopped gets everywhere in the end.
    """
    swept = Swept()
    for batch in _batches(place().names()):
        if stopping():
            break
        swept.looked_at += len(batch)
        discard(batch, named, now, dry_run=dry_run, swept=swept)
    for unfinished in place().unfinished((now - YOUNG).timestamp()):
        swept.leftovers += 1
        if not dry_run:
            place().forget(unfinished)
    empty(named, now, dry_run=dry_run, swept=swept)
    return swept


def discard(
    hashes: Collection[str], named: Named, now: datetime, *, dry_run: bool = False, swept: Swept | None = None
) -> None:
    """Move those of at most ``BATCH`` blobs to the trash that are old and that no row names."""
    swept = swept or Swept()
    kept = named(hashes)
    moved: list[Stored] = []
    for sha256 in sorted(set(hashes) - kept):
        blob = place().look(sha256)
        if blob is None or blob.modified > (now - YOUNG).timestamp():
            continue
        if not dry_run:
            trashed = place().to_trash(blob)
            if trashed is None:
                # Another prune was faster.
                continue
            moved.append(trashed)
        swept.moved += 1
        swept.moved_bytes += blob.size
    # Somebody may have stored the same bytes, and named them, between the look and the move.
    wanted = named([trashed.sha256 for trashed in moved]) if moved else set()
    for trashed in moved:
        if trashed.sha256 in wanted:
            swept.moved -= 1
            swept.moved_bytes -= trashed.size
            place().put_back(trashed)


def empty(named: Named, now: datetime, *, dry_run: bool = False, swept: Swept | None = None) -> None:
    """Delete what has been in the trash for a day; what a row names by now goes back to its place."""
    swept = swept or Swept()
    for batch in _batches(place().trash()):
        wanted = named([trashed.sha256 for trashed in batch])
        for trashed in batch:
            if trashed.sha256 in wanted:
                if not dry_run:
                    place().put_back(trashed)
            elif trashed.modified < (now - YOUNG).timestamp():
                swept.emptied += 1
                swept.emptied_bytes += trashed.size
                if not dry_run:
                    place().delete(trashed)


def _batches(things: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(things)
    while batch := list(islice(left, BATCH)):
        yield batch
