"""HTML made safe and made text, in a child process with a deadline where it may take long.

The libraries need seconds for some mails of a few kilobytes and hold the interpreter meanwhile; only a
process can be stopped. It is a plain subprocess, because the task workers may have no ``multiprocessing``
children. Called by ``parse`` only; safe in threads and after a fork.
"""

import atexit
import html as html_module
import json
import os
import re
import select
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emailflow.inbound.parsing.quoting.html import mark, unmark, without_marks
from emailflow.inbound.parsing.quoting.trim import trim
from emailflow.inbound.parsing.render_child import is_harmless, sanitise_harmless

DEADLINE = 1.5  # seconds for all stages of one mail
START_DEADLINE = 30.0  # seconds for the child's imports, which count for no mail
MAILS_PER_CHILD = 500
MAX_IDLE = 2
MAX_INPUT = 2_000_000
MAX_FRAME = 64_000_000
_PROGRAM = Path(__file__).with_name("render_child.py")

_TAG = re.compile(r"<[^<>]*>")
_INVISIBLE = re.compile(r"<(script|style|title)\b", re.IGNORECASE)


class ChildError(Exception):
    """The child ended or did not answer in time."""


@dataclass(slots=True)
class Rendered:
    """What was finished before the deadline; the defects name what was not."""

    html: str = ""
    text: str = ""
    reply_text: str = ""
    defects: list[str] = field(default_factory=list)


def render(*, html: str, text: str, want_text: bool, is_reply: bool = False) -> Rendered:
    """Sanitised HTML, the text (of the HTML when ``want_text``), and its new part. Never raises."""
    result = Rendered(text=text)
    if html and not want_text and is_harmless(html):
        # What cannot take long needs no child: most HTML, and nothing else to be made of it.
        result.html, html = sanitise_harmless(html), ""
    marks = None
    if html:
        # Where the HTML says that a quote begins goes with it into the text.
        answers = _call(_request(mark(html) if want_text and is_reply else html, want_text), result.defects)
        result.html = without_marks(answers.get("html", ""))
        if want_text:
            result.text, marks = unmark(answers.get("text", ""))
            if not result.text.strip() and "text" not in answers:
                result.text = crude_text(html)
    result.reply_text = trim(result.text, html=marks, is_reply=is_reply).unsigned
    return result


def _request(html: str, want_text: bool) -> dict[str, Any]:
    return {"html": html[:MAX_INPUT], "want_text": want_text, "seconds": int(DEADLINE) + 1}


def crude_text(html: str) -> str:
    """Text of HTML in linear time, for when nothing better was finished in time."""
    html = _without_invisible(html[:MAX_INPUT])
    html = re.sub(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^<>]*>", "\n", html, flags=re.IGNORECASE)
    text = html_module.unescape(_TAG.sub("", html))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _without_invisible(html: str) -> str:
    output: list[str] = []
    position = 0
    while (start := _INVISIBLE.search(html, position)) is not None:
        output.append(html[position : start.start()])
        end = re.compile(rf"</{start[1]}[^<>]*>", re.IGNORECASE).search(html, start.end())
        position = end.end() if end else len(html)
    output.append(html[position:])
    return "".join(output)


def _call(request: dict[str, Any], defects: list[str]) -> dict[str, str]:
    """One request to a child. One that died while idle is replaced once; one that is too slow is killed."""
    answers: dict[str, str] = {}
    for attempt in (1, 2):
        try:
            child = _pool.take()
        except (ChildError, OSError) as error:
            defects.append(f"The text could not be prepared: {error}.")
            return answers
        fresh = child.served == 0
        try:
            child.ask(request, answers, defects)
        except ChildError as error:
            child.kill()
            if attempt == 1 and not answers and not fresh and not error.args[0].startswith("took"):
                continue
            defects.append(_overrun(answers, str(error)))
            return answers
        except BaseException:
            child.kill()
            raise
        _pool.give_back(child)
        return answers
    return answers


def _overrun(answers: dict[str, str], reason: str) -> str:
    if "html" not in answers:
        what = "The HTML could not be shown safely in time; only the text is kept"
    else:
        what = "The HTML could not be made text in time; a rough text is kept"
    return f"{what} (preparing it {reason})."


class _Child:
    """One running child; used by one thread at a time."""

    def __init__(self) -> None:
        self.served = 0
        self.process = subprocess.Popen(  # noqa: S603  our own program
            # Without -P the folder of the program would come first, and its files would hide modules.
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self.stdin.fileno(), False)
        self._buffer = b""
        try:
            self._frame(time.monotonic() + START_DEADLINE)
        except ChildError:
            self.kill()
            raise

    def ask(self, request: dict[str, Any], answers: dict[str, str], defects: list[str]) -> None:
        """Fills ``answers`` stage by stage; raises ChildError when the child is too slow or gone."""
        deadline = time.monotonic() + DEADLINE
        self.served += 1
        data = json.dumps(request).encode()
        self._send(struct.pack(">I", len(data)) + data, deadline)
        while (frame := self._frame(deadline))["stage"] != "done":
            if frame.get("error"):
                defects.append(f"The text could not be prepared fully ({frame['stage']}: {frame['error']}).")
                continue
            answers[frame["stage"]] = frame["value"]
            defects.extend(frame.get("cut", ()))

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(write=True, deadline=deadline)
            try:
                view = view[os.write(self.stdin.fileno(), view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChildError("ended early") from error

    def _frame(self, deadline: float) -> dict[str, Any]:
        size = struct.unpack(">I", self._read(4, deadline))[0]
        if size > MAX_FRAME:
            raise ChildError("gave an answer that is too long")
        frame: dict[str, Any] = json.loads(self._read(size, deadline))
        return frame

    def _read(self, size: int, deadline: float) -> bytes:
        pieces = [self._buffer]
        got = len(self._buffer)
        while got < size:
            self._wait(write=False, deadline=deadline)
            data = os.read(self.stdout.fileno(), 1 << 20)
            if not data:
                raise ChildError("ended early")
            pieces.append(data)
            got += len(data)
        joined = b"".join(pieces)
        self._buffer = joined[size:]
        return joined[:size]

    def _wait(self, *, write: bool, deadline: float) -> None:
        poll = select.poll()
        poll.register(self.stdin if write else self.stdout, select.POLLOUT if write else select.POLLIN)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise ChildError("took too long")

    def close(self) -> None:
        """Ends the child in a friendly way, then at once; leaves no zombie."""
        with suppress(OSError):
            self.stdin.close()
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            self.stdin.close()
        self.stdout.close()

    def forget(self) -> None:
        """In a forked process: closes our copies of the pipes; the child belongs to the parent."""
        with suppress(OSError):
            self.stdin.close()
        with suppress(OSError):
            self.stdout.close()
        self.process.returncode = 0  # it is not ours to wait for


class _Pool:
    """Idle children of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def take(self) -> _Child:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is not None and child.process.poll() is None:
            return child
        if child is not None:
            child.kill()
        return _Child()

    def give_back(self, child: _Child) -> None:
        if child.served < MAILS_PER_CHILD:
            with self._lock:
                if len(self._idle) < MAX_IDLE:
                    self._idle.append(child)
                    return
        child.close()

    def close(self) -> None:
        """Ends all idle children."""
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.close()

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        children, self._idle = self._idle, []
        for child in children:
            child.forget()


_pool = _Pool()
atexit.register(_pool.close)
os.register_at_fork(after_in_child=_pool.after_fork)


def close_children() -> None:
    """Ends the idle children of this process; a later mail starts a new one."""
    _pool.close()
