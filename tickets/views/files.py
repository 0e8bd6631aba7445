"""Files of a ticket over HTTP: one response for the admin, the API and later pages.

A file of a customer is hostile until proven otherwise. It is a download unless its sniffed type is one that
no browser runs, and even then it is shown inside a sandbox.
"""

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from tickets import blobs, querysets
from tickets.models import Attachment, User

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
# What may be shown instead of saved. Never SVG or HTML: both run scripts.
INLINE_TYPES = IMAGE_TYPES | {"text/plain"}
SANDBOX = "sandbox; default-src 'none'"


def attachment_response(attachment: Attachment, *, inline: bool = False) -> HttpResponseBase:
    """The bytes of ``attachment``. The caller has checked that the reader may see it.

    ``inline`` is a wish, granted to INLINE_TYPES only. Raises Http404 when the blob is gone.
    """
    try:
        stream = blobs.open_blob(attachment.sha256)
    except blobs.BlobMissing as error:
        raise Http404(error.message) from error
    inline = inline and attachment.mime_type in INLINE_TYPES
    content_type = attachment.mime_type or "application/octet-stream"
    if content_type == "text/plain":
        content_type = "text/plain; charset=utf-8"
    elif not inline and content_type not in IMAGE_TYPES:
        content_type = "application/octet-stream"
    response = FileResponse(stream, content_type=content_type)
    response["Content-Length"] = str(attachment.size)
    name = attachment.name or f"file-{attachment.pk}"
    response["Content-Disposition"] = content_disposition_header(not inline, name) or "attachment"
    return sealed(response)


def sealed(response: HttpResponseBase) -> HttpResponseBase:
    """Headers that keep foreign content from running, being guessed at, or being kept by a cache."""
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
@login_required
def download(request: HttpRequest, attachment_id: int) -> HttpResponseBase:
    """``/attachments/<id>``: a download; ``?inline=1`` shows what is safe to show."""
    assert isinstance(request.user, User)
    attachment = querysets.attachments_for(request.user).filter(pk=attachment_id).first()
    if attachment is None or not request.user.has_perm("tickets.view_attachment"):
        raise Http404("There is no such file.")
    return attachment_response(attachment, inline=request.GET.get("inline") == "1")
