"""Loaded by every Python process of a host on trial, because its folder is on PYTHONPATH. Nothing of Hub knows of it.

``HUB_CHAOS_SHIFT``: seconds by which the clock of this host is wrong. ``HUB_CHAOS_LEASE`` and ``HUB_CHAOS_STALE``:
shorter times for the short form of the trial, in seconds.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType


def _shift_clock(seconds: int) -> None:
    import time_machine

    time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True).start()


class _After(importlib.abc.MetaPathFinder):
    """Changes a module right after it was imported, before anybody else sees it."""

    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self.changes = changes

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = self.changes.get(name)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            change(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def _changes() -> dict[str, Callable[[ModuleType], None]]:
    changes: dict[str, Callable[[ModuleType], None]] = {}
    if lease := int(os.environ.get("HUB_CHAOS_LEASE") or 0):
        changes["emailflow.inbound.claim"] = lambda module: setattr(module, "LEASE", timedelta(seconds=lease))
        changes["emailflow.sources.imap"] = lambda module: setattr(module.ImapSource, "lease_seconds", lease)
    if stale := int(os.environ.get("HUB_CHAOS_STALE") or 0):
        changes["hub.health"] = lambda module: setattr(module, "STALE_SECONDS", stale)
    return changes


if shift := int(os.environ.get("HUB_CHAOS_SHIFT") or 0):
    _shift_clock(shift)
if changes := _changes():
    sys.meta_path.insert(0, _After(changes))
