"""How stored bytes leave: as a download under their own name, shown only when that is harmless."""

from collections.abc import Iterable
from typing import Any, BinaryIO

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from tickets.views.files import file_response


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever the Accept header asks for; only errors are JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def send_file(
    request: Request, stream: BinaryIO, *, name: str, mime_type: str, etag: str, wish_inline: bool = False
) -> HttpResponseBase:
    """The bytes, or 304 when the caller has them. ``mime_type`` was sniffed when they were stored."""
    response = file_response(stream, name=name, mime_type=mime_type, inline=wish_inline)
    # The right to see it is asked for each time; the bytes need not travel again.
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = f'"{etag}"'
    answer: Any = get_conditional_response(request._request, etag=f'"{etag}"', response=response)  # type: ignore[arg-type]
    if answer is not response:
        stream.close()
    return answer  # type: ignore[no-any-return]
