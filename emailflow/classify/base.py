"""What a classifier is: a mail goes in, a label with its confidence and reasons comes out.

Pure: no tables. Labels are rows that staff may add to; a classifier answers with the name of one.
"""

from dataclasses import dataclass
from typing import Protocol

from emailflow.mail import Kind, ParsedMail


@dataclass(frozen=True, slots=True)
class Classification:
    """``confidence`` is between 0 and 1; ``reasons`` are sentences for the trace."""

    label: str
    confidence: float
    reasons: tuple[str, ...] = ()


class Classifier(Protocol):
    """Anything that can put a mail under a label."""

    name: str

    def classify(self, mail: ParsedMail, kind: Kind) -> Classification:
        """Never raises on a mail; a mail that it knows nothing about is ``general``."""
