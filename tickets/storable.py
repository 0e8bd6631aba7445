"""Text and JSON as both databases take them. PostgreSQL refuses NUL, and neither can encode a lone surrogate."""

import math
import re
from collections.abc import Mapping
from typing import Any

_SURROGATES = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text.replace("\0", ""))


def is_storable(text: str) -> bool:
    return storable(text) == text


def storable_json(value: Any) -> Any:
    """The value with storable texts. Raises TypeError or ValueError for what JSON (RFC 8259) has no form for."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return storable(str(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number of JSON")
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name must be a text")
        return {storable(name): storable_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(each) for each in value]
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
