"""The way in for programs: a raw mail as the body of a request. The counterpart of the pipe of a mail server."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, UnreadablePostError
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from emailflow import querysets
from emailflow.inbound.receive import Stored, receive_file
from emailflow.inbound.spool import spool_file
from emailflow.models import Mailbox, State
from tickets.api.authentication import ApiTokenAuthentication
from tickets.api.errors import LengthMissing, TooLarge, field_error, not_found
from tickets.api.filters import refuse_unknown_parameters
from tickets.api.schema import BYTES, ERRORS, ErrorSerializer
from tickets.errors import Conflict
from tickets.models import User

logger = logging.getLogger(__name__)

MAILBOX = "api"
PIECE = 256 * 1024


class NotStored(APIException):
    """Disk or database refuse right now (RFC 9110, 15.6.4): the sender keeps the mail and comes again."""

    status_code = 503
    default_detail = "The mail could not be stored; send it again later."
    default_code = "not_stored"
    wait = 30


class RawMailParser(BaseParser):
    """Hands the stream on unread: the mail goes to disk, never as a whole into memory."""

    media_type = "message/rfc822"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return stream


class RawBytesParser(RawMailParser):
    media_type = "application/octet-stream"


class RawMailResultSerializer(serializers.Serializer[Any]):
    """The row of the ledger that holds the mail."""

    id = serializers.IntegerField(help_text="Id of the mail in `messages`.")
    new = serializers.BooleanField(help_text="False: the same bytes had been stored in this mailbox before.")
    mailbox = serializers.CharField(help_text="Short name of the mailbox.")
    message_id = serializers.CharField(help_text="The Message-ID; '' for none.")
    size = serializers.IntegerField(help_text="In bytes.")
    state = serializers.ChoiceField(choices=State.choices)


def _error(description: str) -> OpenApiResponse:
    return OpenApiResponse(ErrorSerializer, description=description)


class RawMail(APIView):
    """Answers after the commit. Whatever is not 200 or 201 says that the mail was not stored."""

    authentication_classes = [ApiTokenAuthentication]
    parser_classes = [RawMailParser, RawBytesParser]
    token_scopes = ("inbound",)
    action = "raw_mail"
    action_rights = {"raw_mail": ("tickets.add_ticket",)}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        _announced(request)
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="inbound_raw",
        summary="Hand in a raw mail",
        description=(
            "The body is the mail as it came (RFC 5322). The answer comes when the mail is safe: 201 for a new one, "
            "200 with the same id when the same bytes come again, so that a request may be repeated. A mail "
            "above MAIL_MAX_BYTES is 413. What becomes of the mail is at `messages/{id}`, moments later."
        ),
        parameters=[
            OpenApiParameter("mailbox", OpenApiTypes.STR, description="Short name of a mailbox; `api` without it.")
        ],
        request={"message/rfc822": BYTES, "application/octet-stream": BYTES},
        responses={
            201: OpenApiResponse(RawMailResultSerializer, description="Stored."),
            200: OpenApiResponse(RawMailResultSerializer, description="Was stored before."),
            **ERRORS,
            411: _error("The request has no Content-Length."),
            415: _error("The body is declared as something else than a mail."),
            503: _error("Disk or database refuse right now; `Retry-After` says for how many seconds."),
        },
        tags=["inbound"],
    )
    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request.query_params, ("mailbox",))
        mailbox = _mailbox(request)
        stream = request.data
        if not isinstance(stream, HttpRequest):
            raise field_error("body", "There is no mail in it.")
        stored = _stored(stream, _announced(request), mailbox)
        row = stored.message
        answer = {
            "id": row.pk,
            "new": stored.new,
            "mailbox": mailbox.slug,
            "message_id": row.message_id,
            "size": row.size,
            "state": row.state,
        }
        return Response(answer, status=201 if stored.new else 200)


def _announced(request: Request) -> int:
    """The length that the sender announces. Raises LengthMissing, TooLarge before a byte is read."""
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthMissing
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > settings.MAIL_MAX_BYTES:
        raise TooLarge(f"A mail may have {settings.MAIL_MAX_BYTES} bytes at most.")
    return length


def _mailbox(request: Request) -> Mailbox:
    """The one that the caller names and sees, or the built-in one, which everybody may hand mail to."""
    slug = request.query_params.get("mailbox", MAILBOX)
    user = request.user
    assert isinstance(user, User)
    known = Mailbox.objects.all() if slug == MAILBOX else querysets.mailboxes_for(user)
    mailbox = known.filter(slug=slug).first()
    if mailbox is None:
        raise not_found("mailbox", f"There is no mailbox {slug!r}.")
    if mailbox.archived_at is not None:
        raise Conflict("This mailbox is archived.", field="mailbox")
    return mailbox


def _stored(stream: HttpRequest, length: int, mailbox: Mailbox) -> Stored:
    """Raises ValidationError for what is no whole mail, NotStored when disk or database refuse."""
    try:
        with spool_file() as path:
            _spool(stream, length, path)
            return receive_file(path, mailbox=mailbox)
    except (OSError, DatabaseError) as error:
        logger.exception("a mail handed in for %s could not be stored", mailbox.slug)
        raise NotStored from error


def _spool(stream: HttpRequest, length: int, path: Path) -> None:
    """Into the file, all of it: a sender who hangs up early has not handed in a shorter mail."""
    done = 0
    empty = True
    with path.open("wb") as file:
        while piece := _read(stream):
            file.write(piece)
            done += len(piece)
            empty = empty and not piece.strip()
    if done < length:
        raise _cut_off()
    if empty:
        raise field_error("body", "There is no mail in it.")


def _read(stream: HttpRequest) -> bytes:
    try:
        return stream.read(PIECE)
    except UnreadablePostError as error:
        # An OSError, but not one of our disk.
        raise _cut_off() from error


def _cut_off() -> APIException:
    return field_error("body", "The connection ended before the whole mail had come.")
