"""Which conditions and actions there are. Filled when Hub starts, read by engine, services, admin and API.

Every app may ship a module ``workflow_actions.py``; it is imported at start, and what it registers is there.
The plug-ins of Hub itself come the same way, by ``emailflow/workflow_actions.py``.
"""

import re
from typing import TypeVar

from emailflow.workflow.base import Action, Condition

actions: dict[str, Action] = {}
conditions: dict[str, Condition] = {}

_A = TypeVar("_A", bound=type[Action])
_C = TypeVar("_C", bound=type[Condition])
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,59}")


def register_action(cls: _A) -> _A:
    """Class decorator. Raises ValueError for a slug that is malformed or that another plug-in has."""
    _check(cls.slug, cls.__qualname__, taken=cls.slug in actions)
    actions[cls.slug] = cls()
    return cls


def register_condition(cls: _C) -> _C:
    """Class decorator. Raises ValueError for a slug that is taken or malformed."""
    _check(cls.slug, cls.__qualname__, taken=cls.slug in conditions)
    conditions[cls.slug] = cls()
    return cls


def _check(slug: str, name: str, *, taken: bool) -> None:
    if not _SLUG.fullmatch(slug):
        raise ValueError(f"{name}: {slug!r} is no slug (lower-case letters, digits and underscores)")
    if taken:
        raise ValueError(f"{name}: the slug {slug!r} is already registered")
