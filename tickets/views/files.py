"""Files over HTTP: one response for the admin, the API and later pages.

A file of a customer is hostile until proven otherwise. It is a download unless its sniffed type is one that
no browser runs, and even then it is shown inside a sandbox.
"""

from typing import BinaryIO, TypeVar
from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from tickets import blobs, querysets
from tickets.models import Attachment, User
from tickets.services.files import INLINE_TYPES

IMAGE_TYPES = INLINE_TYPES - {"text/plain"}
# The page in a frame, if a file becomes one after all, may do nothing.
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'self'"

_R = TypeVar("_R", bound=HttpResponseBase)


def file_response(stream: BinaryIO, *, name: str, mime_type: str, inline: bool = False) -> FileResponse:
    """The bytes under their own name. ``mime_type`` was sniffed when they were stored.

    ``inline`` is a wish, granted to INLINE_TYPES only: never SVG or HTML, both run scripts.
    """
    shown_type = f"{mime_type}; charset=utf-8" if mime_type == "text/plain" else mime_type
    response = FileResponse(stream, content_type=shown_type or "application/octet-stream")
    response["Content-Disposition"] = content_disposition(name, inline=inline and mime_type in INLINE_TYPES)
    return sealed(response)


def content_disposition(name: str, *, inline: bool = False) -> str:
    """RFC 6266, 4 and appendix D: ``filename*`` in UTF-8, and an ASCII name for old clients."""
    printable = "".join(char for char in name if char.isprintable()) or "file"
    plain = "".join(char if char.isascii() and char not in '"\\%;' else "_" for char in printable)
    kind = "inline" if inline else "attachment"
    starred = quote(printable.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{starred}"


def sealed(response: _R) -> _R:
    """Headers that keep foreign content from running, being guessed at, or being kept by a cache."""
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    response["Cache-Control"] = "private, no-store"
    return response


def attachment_response(attachment: Attachment, *, inline: bool = False) -> HttpResponseBase:
    """The bytes of ``attachment``. The caller has checked that the reader may see it.

    Raises Http404 when the blob is gone.
    """
    try:
        stream = blobs.open_blob(attachment.sha256)
    except blobs.BlobMissing as error:
        raise Http404(error.message) from error
    return file_response(stream, name=attachment.name, mime_type=attachment.mime_type, inline=inline)


@require_safe
@login_required
def download(request: HttpRequest, attachment_id: int) -> HttpResponseBase:
    """``/attachments/<id>``: a download; ``?inline=1`` shows what is safe to show."""
    assert isinstance(request.user, User)
    attachment = querysets.attachments_for(request.user).filter(pk=attachment_id).first()
    if attachment is None or not request.user.has_perm("tickets.view_attachment"):
        raise Http404("There is no such file.")
    return attachment_response(attachment, inline=request.GET.get("inline") == "1")
