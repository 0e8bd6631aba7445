"""How a line of the log looks: plain, or one JSON object with the numbers of mail and ticket as fields.

Log calls name rows by number and never print subjects, bodies or secrets. What comes from outside all the same, in the
sentence of a mail server or the text of an exception, is cut here: addresses are shortened, user and password of a
URL with them; PostgreSQL's DETAIL, which quotes rows, is left out.
"""

import json
import logging
import re
from datetime import UTC, datetime

# What a log call may hand over as ``extra``.
FIELDS = ("mail", "ticket", "mailbox", "outcome", "seconds", "waited", "group")
LONGEST = 20_000
# From the beginning of a word only: the time grows with the text, not with its square.
_ADDRESS = re.compile(r"(?<![^\s<>\"'(),;\[\]{}=/:])([^\s@<>\"'(),;\[\]{}=/:])[^\s@<>\"'(),;\[\]{}=/]*@(?=[\w\[])")
_QUOTED_ROW = re.compile(
    r"^(?:DETAIL|CONTEXT|STATEMENT):.*?(?=^Traceback |^The above exception|^During handling|\Z)",
    re.DOTALL | re.MULTILINE,
)


def harmless(text: str) -> str:
    """The text without what a log must not hold, and not longer than ``LONGEST``."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text):,} letters)"
    return _ADDRESS.sub(r"\1…@", _QUOTED_ROW.sub("", text))


class LineFormatter(logging.Formatter):
    """For people: time, level, who says it, and the text; a traceback follows on its own lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record)).rstrip()


class JsonFormatter(logging.Formatter):
    """For machines: one object a line, times in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "text": harmless(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0] is not None:
            line["trace"] = harmless(self.formatException(record.exc_info)).rstrip()
        return json.dumps(line, ensure_ascii=False, default=str)
