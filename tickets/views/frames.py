"""HTML mail, shown where it can do no harm: a page of its own that is made to stand in a sandboxed frame.

The frame has no origin, so it sends no cookies. Its inline images are therefore addressed by signed URLs that
name the reader and die after ten minutes, and what that reader may see is checked again for each of them.
"""

import re
from html import escape, unescape
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from tickets import querysets
from tickets.models import Attachment, Comment, User
from tickets.views.files import IMAGE_TYPES, attachment_response

IMAGE_SECONDS = 600
_RIGHTS = ("tickets.view_ticket", "tickets.view_comment")
_SALT = "tickets.frames.image"
# The sanitiser writes every value in double quotes and leaves ">" inside them as it is.
_IMAGE = re.compile(r"<img\b((?:[^>\"]|\"[^\"]*\")*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w-]+)=\"([^\"]*)\"")


@require_safe
@login_required
@xframe_options_sameorigin
def comment_frame(request: HttpRequest, comment_id: int) -> HttpResponse:
    """``/frames/comments/<id>``: the sanitised HTML of one message; ``?images=1`` with remote images."""
    user = request.user
    assert isinstance(user, User)
    comment = querysets.comments_for(user).filter(pk=comment_id).first()
    if comment is None or not comment.body_html or not user.has_perms(_RIGHTS):
        raise Http404("There is no such message.")
    remote = request.GET.get("images") == "1"
    body = mark_safe(shown_html(comment, user, remote=remote))  # noqa: S308 - sanitised when the mail came in
    response = render(request, "frames/comment.html", {"body": body})
    images = "'self' https:" if remote else "'self'"
    response["Content-Security-Policy"] = (
        f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src {images}; frame-ancestors 'self'"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def frame_image(request: HttpRequest, token: str) -> HttpResponseBase:
    """``/frames/images/<token>``: one inline image, for the user that the token names."""
    try:
        named = signing.loads(token, salt=_SALT, max_age=IMAGE_SECONDS)
    except signing.BadSignature as error:
        raise Http404("This address is no longer good.") from error
    user = User.objects.filter(pk=named["user"], is_active=True).first()
    if user is None or not user.has_perm("tickets.view_attachment"):
        raise Http404("This address is no longer good.")
    image = querysets.attachments_for(user).filter(pk=named["file"]).first()
    if image is None or image.mime_type not in IMAGE_TYPES:
        raise Http404("There is no such image.")
    return attachment_response(image, inline=True)


def shown_html(comment: Comment, user: User, *, remote: bool) -> str:
    """The stored HTML with its inline images addressed, and its remote ones only where ``remote`` is true."""
    by_cid = {file.cid: file for file in comment.attachments.all() if file.cid and file.mime_type in IMAGE_TYPES}

    def image(found: re.Match[str]) -> str:
        values = {name.lower(): unescape(value) for name, value in _ATTRIBUTE.findall(found.group(1))}
        values["src"] = _source(values, by_cid, user, remote)
        values.pop("data-src", None)
        kept = "".join(f' {name}="{escape(value)}"' for name, value in values.items() if name != "src" or value)
        return f"<img{kept}>"

    return _IMAGE.sub(image, comment.body_html)


def _source(values: dict[str, str], by_cid: dict[str, Attachment], user: User, remote: bool) -> str:
    source = values.get("src", "").strip()
    if source.lower().startswith("cid:"):
        file = by_cid.get(source[4:].strip("<>"))
        return image_address(file, user) if file else ""
    waiting = values.get("data-src", "").strip()
    if remote and waiting.lower().startswith(("https://", "//")):
        return waiting
    return source if source.lower().startswith("data:image/") else ""


def image_address(image: Attachment, user: User) -> str:
    """A URL that shows ``image`` to ``user`` for ten minutes, without a cookie."""
    named: dict[str, Any] = {"file": image.pk, "user": user.pk}
    return reverse("frame-image", args=[signing.dumps(named, salt=_SALT)])
