"""What one look into a mailbox found, for staff. Made by ``pull``, shown by commands, API and admin."""

from dataclasses import dataclass, field


@dataclass
class PullReport:
    """What one look found, in numbers and in sentences for staff."""

    mailbox: str
    new: int = 0
    known: int = 0
    gone: int = 0
    waiting: int = 0
    set_aside: int = 0
    skipped: int = 0
    busy: bool = False
    cut_short: bool = False
    """The time was up between two batches: what is left waits on the server for the next look."""
    error: str = ""
    own_trouble: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def sentences(self) -> list[str]:
        if self.busy:
            return ["The watcher is reading this mailbox right now: try again in a minute."]
        found = [self._stored()] if self.new or self.known or not (self.error or self.cut_short) else []
        for number, words in (
            (self.skipped, "left alone: it was there before the mailbox was connected"),
            (self.gone, "removed by somebody before it could be read"),
            (self.waiting, "not fetched yet, and tried again later"),
            (self.set_aside, "set aside after five tries: the server does not give it"),
        ):
            if number:
                found.append(f"{_mails(number)} {words}.")
        if self.cut_short:
            found.append("The time was up before everything was read; the rest comes with the next look.")
        return found + [sentence(text) for text in (*self.notes, self.error) if text]

    def _stored(self) -> str:
        if not self.new and not self.known:
            return "No new mail."
        text = f"{_mails(self.new, 'new ')} stored"
        return f"{text}, {self.known} {'was' if self.known == 1 else 'were'} here before." if self.known else f"{text}."

    def __str__(self) -> str:
        return " ".join(self.sentences)


def _mails(number: int, kind: str = "") -> str:
    return f"{number} {kind}mail{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
