"""The program of the child process that ``render`` starts: sanitise, make text.

These steps can need seconds for some hostile mails and cannot be interrupted in a thread, so they run
where they can be killed. It imports no Django and nothing of this project, so that it starts quickly.

Frames on stdin and stdout are JSON behind a length of four bytes (big endian). A request is
``{"html": str, "want_text": bool, "seconds": int}``; the answers are
``{"stage": "html" | "text", "value": str}``, each sent before the next stage begins, then
``{"stage": "done"}``. A stage that failed adds ``"error"``.
"""

import contextlib
import json
import re
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import nh3
from inscriptis import get_text
from selectolax.lexbor import LexborHTMLParser

MAX_HTML = 1_000_000
MAX_HARMLESS = 300_000
MAX_DEPTH = 200
MAX_ATTRIBUTES = 1_000
MEMORY = 1_500_000_000
_VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "frame",
        "keygen",
    }
)
# The parser closes these by itself when the next one opens, so an unclosed one does not nest.
_IMPLIED = frozenset(
    {
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "optgroup",
        "html",
        "head",
        "body",
        "colgroup",
    }
)
_FLAT = _VOID | _IMPLIED
_RAW_TEXT = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "xmp", "noscript")}
_TAG = re.compile(r"<(?:!--|(/?)([A-Za-z][A-Za-z0-9:-]{0,40}))")
_NAMES = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})")
# Two characters an attribute: a shorter tag has no room for too many.
_LONG_TAG = re.compile(rf"<[^>]{{{2 * MAX_ATTRIBUTES},}}")
_IMAGE = re.compile(r"<img\b[^>]{0,4000}>", re.IGNORECASE)
_DATA_SRC = re.compile(r"[\s/]data-src\s*=", re.IGNORECASE)
_REMOTE_SRC = re.compile(r"[\s/]src\s*=\s*(\"\s*(?:https?:)?//|'\s*(?:https?:)?//|(?:https?:)?//)", re.IGNORECASE)
_SPACE = re.compile(r"[\s/]*")
_ATTRIBUTE = re.compile(r"([^\s=>/\"'<]{1,100})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]*)))?")
_REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_INLINE = re.compile(r"^\s*(?:cid:|data:image/(?:png|jpeg|gif|webp);base64,)", re.IGNORECASE)
_LINK = re.compile(r"^\s*(?:https?:|mailto:|tel:|#)", re.IGNORECASE)
_LOADS = re.compile(r"url\s*\(|expression|@import|image-set|\\|-moz-binding|behavior", re.IGNORECASE)
_SCHEMES = {"http", "https", "mailto", "tel"}
# What ``_filter`` looks at, for lower-case HTML: an image, a link that is not plainly one of these, a style that
# could load or hides its letters. Each begins with a letter that is looked for at once, and none ignores the case:
# that makes them ten times as fast.
_FILTERED_WORDS = ("<im", "data-src", "url", "expression", "@import", "image-set", "\\", "-moz-binding", "behavior")
_FILTERED = (
    re.compile(r"href\s*=(?!\s*[\"']?(?:https?://|mailto:|tel:))"),
    re.compile(r"style\s*=\s*(?:\"[^\"]*&|'[^']*&|[^\s\"'>]*&)"),
)
_STYLES = set(
    {
        "color",
        "background-color",
        "font",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "text-align",
        "text-decoration",
        "text-indent",
        "line-height",
        "white-space",
        "vertical-align",
        "margin",
        "margin-top",
        "margin-right",
        "margin-bottom",
        "margin-left",
        "padding",
        "padding-top",
        "padding-right",
        "padding-bottom",
        "padding-left",
        "border",
        "border-top",
        "border-right",
        "border-bottom",
        "border-left",
        "border-color",
        "border-style",
        "border-width",
        "border-collapse",
        "border-spacing",
        "border-radius",
        "width",
        "height",
        "max-width",
        "min-width",
        "max-height",
        "min-height",
        "display",
        "list-style-type",
        "direction",
        "letter-spacing",
    }
)
_TABLE = {"align", "valign", "bgcolor", "width", "height", "colspan", "rowspan", "nowrap"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "title", "dir", "lang", "align"},
    "a": {"href", "name"},
    "img": {"src", "data-src", "alt", "width", "height"},
    "font": {"color", "face", "size"},
    "table": _TABLE | {"border", "cellpadding", "cellspacing"},
    "tr": _TABLE,
    "td": _TABLE,
    "th": _TABLE,
    "col": {"width", "span"},
    "ol": {"start", "type"},
    "li": {"value"},
    "blockquote": {"type"},
}
_WITHOUT_CONTENT = {
    "script",
    "style",
    "title",
    "iframe",
    "object",
    "template",
    "noscript",
    "svg",
    "math",
    "xmp",
}
_TAGS = set(nh3.ALLOWED_TAGS) | {"font", "u", "s", "strike", "big", "center", "tt", "address"}


def is_harmless(html: str) -> bool:
    """Whether nothing in it can cost the sanitiser seconds: short, flat, and no tag with room for many attributes."""
    if len(html) > MAX_HARMLESS or _LONG_TAG.search(html):
        return False
    opened: dict[str, int] = {}
    depth = 0
    for closing, tag in _NAMES.findall(html.lower()):
        if tag in _FLAT:
            continue
        if not closing:
            opened[tag] = opened.get(tag, 0) + 1
            depth += 1
            if depth > MAX_DEPTH:
                return False
        elif opened.get(tag):  # one that closes nothing makes nothing shallower
            opened[tag] -= 1
            depth -= 1
    return True


def _wait_for_remote(image: re.Match[str]) -> str:
    """An image tag whose remote source waits in ``data-src``; one that came with ``data-src`` loses it."""
    tag = _DATA_SRC.sub(" data-was-src=", image[0])
    return _REMOTE_SRC.sub(r" data-src=\1", tag)


def prescan(html: str) -> tuple[str, list[str]]:
    """Before the sanitiser: protects it from input that costs it seconds, and moves remote images away.

    Nothing relies on it for safety.
    """
    if is_harmless(html):
        return _with_waiting_images(html), []
    return flatten(html)


def _with_waiting_images(html: str) -> str:
    return _IMAGE.sub(_wait_for_remote, html) if "<im" in html.lower() else html


def flatten(html: str) -> tuple[str, list[str]]:
    """One linear pass over hostile HTML.

    Nesting beyond 200 levels and attributes beyond 1,000 of an element are dropped, remote images moved to
    ``data-src``, comments left out.
    """
    cut: list[str] = []
    if len(html) > MAX_HTML:
        html = html[:MAX_HTML]
        cut.append("The HTML is longer than 1 MB and was cut.")
    output: list[str] = []
    dropped: dict[str, int] = {}
    depth = position = 0
    deep = many = False
    while (match := _TAG.search(html, position)) is not None:
        output.append(html[position : match.start()])
        if not match[2]:
            end = html.find("-->", match.end())
            position = end + 3 if end >= 0 else len(html)
            continue
        name = match[2].lower()
        position, kept, attributes = _attributes(html, match.end(), name)
        many = many or attributes > MAX_ATTRIBUTES
        nests = name not in _VOID and name not in _IMPLIED
        if match[1]:
            if nests and dropped.get(name):
                dropped[name] -= 1
                continue
            depth -= 1 if nests and depth else 0
            output.append(f"</{name}>")
            continue
        if nests and depth >= MAX_DEPTH:
            dropped[name] = dropped.get(name, 0) + 1
            deep = True
            continue
        depth += 1 if nests else 0
        output.append(f"<{name}{kept}>")
        if name in _RAW_TEXT:
            end_tag = _RAW_TEXT[name].search(html, position)
            position = end_tag.start() if end_tag else len(html)
    output.append(html[position:])
    if deep:
        cut.append(f"The HTML is nested deeper than {MAX_DEPTH} levels and was flattened.")
    if many:
        cut.append(f"An HTML element has more than {MAX_ATTRIBUTES:,} attributes; the others were dropped.")
    return "".join(output), cut


def _attributes(html: str, position: int, name: str) -> tuple[int, str, int]:
    """The end of the tag, the attributes that are kept as text, and how many there were."""
    kept: list[str] = []
    length = len(html)
    count = 0
    while True:
        space = _SPACE.match(html, position)
        position = space.end() if space else position
        if position >= length or html[position] == ">":
            return min(position + 1, length), "".join(kept), count
        match = _ATTRIBUTE.match(html, position)
        if match is None:
            position += 1
            continue
        position = match.end()
        count += 1
        key = match[1].lower()
        if count > MAX_ATTRIBUTES or key == "data-src":
            continue
        value = next((v for v in match.group(2, 3, 4) if v is not None), "")
        if name == "img" and key == "src" and _REMOTE.match(value):
            key = "data-src"
        kept.append(f' {key}="{value.replace(chr(34), "&quot;")}"')


def _filter(tag: str, name: str, value: str) -> str | None:
    if name == "style":
        return None if _LOADS.search(value) else value
    if name == "href":
        # "data:" is an allowed scheme for the sake of images only.
        return value if _LINK.match(value) else None
    if tag == "img" and name == "src":
        return value if _INLINE.match(value) else None
    if tag == "img" and name == "data-src":
        return value if _REMOTE.match(value) else None
    return value


def _needs_filter(html: str) -> bool:
    lowered = html.lower()
    return any(word in lowered for word in _FILTERED_WORDS) or any(look.search(lowered) for look in _FILTERED)


def sanitise(html: str) -> tuple[str, list[str]]:
    """HTML that runs nothing and loads nothing; remote images wait in ``data-src``."""
    scanned, cut = prescan(html)
    return _clean(scanned), cut


def sanitise_harmless(html: str) -> str:
    """The same for HTML that ``is_harmless`` has just called so."""
    return _clean(_with_waiting_images(html))


def _clean(scanned: str) -> str:
    # A call into Python for every attribute is the dearest part: only where one could say no.
    asked = _needs_filter(scanned)
    clean = nh3.clean(
        scanned,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags=_WITHOUT_CONTENT,
        attribute_filter=_filter if asked else None,
        filter_style_properties=_STYLES,
        url_schemes=_SCHEMES | {"cid", "data"} if asked else _SCHEMES,
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return clean.replace("\x00", "")


def html_to_text(html: str) -> str:
    """Readable text of sanitised HTML."""
    try:
        text = get_text(html)
    except Exception:  # noqa: BLE001  lxml and inscriptis raise many kinds; the second parser takes over
        text = ""
    if not text.strip():
        body = LexborHTMLParser(html).body
        text = body.text(separator="\n", strip=True) if body else ""
    text = "\n".join(line.rstrip() for line in text.replace("\xa0", " ").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _read(stream: BinaryIO) -> dict[str, Any] | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    data: dict[str, Any] = json.loads(stream.read(struct.unpack(">I", head)[0]))
    return data


def _write(stream: BinaryIO, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def _stage(stream: BinaryIO, name: str, work: Callable[[], tuple[str, list[str]]]) -> str:
    """Runs one stage and hands its result back; an error in it is an answer, not the end."""
    try:
        value, cut = work()
    except Exception as error:  # noqa: BLE001  whatever a library raises is told to the parent
        _write(stream, {"stage": name, "value": "", "error": f"{type(error).__name__}: {error}"[:300]})
        return ""
    _write(stream, {"stage": name, "value": value, "cut": cut})
    return value


def _uncut(work: Callable[[str], str], value: str) -> tuple[str, list[str]]:
    return work(value), []


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    _write(answers, {"stage": "ready"})
    while (request := _read(requests)) is not None:
        # Should the parent be gone, the default action of this signal ends even a busy child.
        signal.alarm(int(request["seconds"]) + 2)
        html = ""
        if request["html"]:
            html = _stage(answers, "html", partial(sanitise, request["html"]))
        if request["want_text"]:
            _stage(answers, "text", partial(_uncut, html_to_text, html))
        _write(answers, {"stage": "done"})
        signal.alarm(0)


def main() -> None:
    """Serves until stdin ends, which it does when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not break the frames
    with contextlib.suppress(BrokenPipeError):
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
