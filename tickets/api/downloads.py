"""How stored bytes leave: as a download under their own name, shown only when that is harmless."""

from collections.abc import Iterable
from typing import Any, BinaryIO
from urllib.parse import quote

from django.http import FileResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from tickets.services.files import INLINE_TYPES

# The page in the frame, if it becomes one after all, may do nothing.
_SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'self'"


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever the Accept header asks for; only errors are JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def content_disposition(name: str, *, inline: bool = False) -> str:
    """RFC 6266, 4 and appendix D: ``filename*`` in UTF-8, and an ASCII name for old clients."""
    printable = "".join(char for char in name if char.isprintable()) or "file"
    plain = "".join(char if char.isascii() and char not in '"\\%;' else "_" for char in printable)
    kind = "inline" if inline else "attachment"
    starred = quote(printable.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{starred}"


def send_file(
    request: Request, stream: BinaryIO, *, name: str, mime_type: str, etag: str, wish_inline: bool = False
) -> HttpResponseBase:
    """The bytes, or 304 when the caller has them. ``mime_type`` was sniffed when they were stored."""
    inline = wish_inline and mime_type in INLINE_TYPES
    shown_type = f"{mime_type}; charset=utf-8" if mime_type == "text/plain" else mime_type
    response = FileResponse(stream, content_type=shown_type or "application/octet-stream")
    response["Content-Disposition"] = content_disposition(name, inline=inline)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = _SANDBOX
    # The right to see it is asked for each time; the bytes need not travel again.
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = f'"{etag}"'
    answer: Any = get_conditional_response(request._request, etag=f'"{etag}"', response=response)  # type: ignore[arg-type]
    if answer is not response:
        stream.close()
    return answer  # type: ignore[no-any-return]
