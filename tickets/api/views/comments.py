"""The thread of a ticket, and its files."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import blobs, querysets
from tickets.api.downloads import AnyAccept, send_file
from tickets.api.errors import field_error, forbidden, not_found
from tickets.api.filters import refuse_unknown_parameters
from tickets.api.parsers import WITH_FILES
from tickets.api.schema import BYTES, ERRORS
from tickets.api.serializers.comments import (
    AttachmentSerializer,
    CommentAcceptSerializer,
    CommentCreateSerializer,
    CommentSerializer,
    DraftSendSerializer,
)
from tickets.api.views.base import ListAndDetail, Resource, uploads_of
from tickets.api.views.tickets import TICKET_ID, find_ticket
from tickets.models import Attachment, Comment, Source, Ticket
from tickets.services.comments import accept_comment, add_comment
from tickets.services.publishing import discard_draft, send_draft, take_back

_COMMENT_ID = OpenApiParameter("comment_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_ATTACHMENT_ID = OpenApiParameter("attachment_id", OpenApiTypes.INT, OpenApiParameter.PATH)


class OfTicket(Resource):
    """A resource below ``tickets/{ticket_id}/``."""

    def ticket(self) -> Ticket:
        """Raises NotFound for one that is not there or not visible."""
        return find_ticket(querysets.visible_tickets(self.user), self.kwargs["ticket_id"])


@extend_schema_view(
    list=extend_schema(
        summary="The thread of a ticket",
        parameters=[TICKET_ID],
        responses={200: CommentSerializer(many=True), **ERRORS},
    ),
    retrieve=extend_schema(
        summary="One comment",
        parameters=[TICKET_ID, _COMMENT_ID],
        responses={200: CommentSerializer, **ERRORS},
    ),
)
class CommentViewSet(ListAndDetail, OfTicket):
    rights_model = Comment
    serializer_class = CommentSerializer
    parser_classes = WITH_FILES
    lookup_url_kwarg = "comment_id"
    sorts = {"oldest": ("created_at", "id"), "newest": ("-created_at", "-id")}
    action_rights = {
        "accept": ("tickets.change_comment",),
        **dict.fromkeys(("undo", "send", "discard"), ("tickets.add_comment",)),
    }

    def rows(self) -> QuerySet[Comment]:
        return querysets.comments_for(self.user).filter(ticket=self.ticket().pk)

    @extend_schema(
        summary="Add a message or an internal note",
        description="Files come as `attachments` in multipart/form-data.",
        parameters=[TICKET_ID],
        request={
            "application/json": CommentCreateSerializer,
            "multipart/form-data": CommentCreateSerializer,
        },
        responses={201: CommentSerializer, **ERRORS},
    )
    def create(self, request: Request, ticket_id: str) -> Response:
        ticket = self.ticket()
        fields = self.body(CommentCreateSerializer)
        comment = add_comment(
            actor=self.actor,
            ticket=ticket,
            body_text=fields["body_text"],
            is_internal=fields["is_internal"],
            author_user=self.user,
            source=Source.API,
            uploads=uploads_of(fields.get("attachments", ())),
        )
        return self.shown(self.get_queryset().filter(pk=comment.pk).first() or comment, 201)

    @extend_schema(
        summary="Accept a stranger's message",
        description="With `join` its sender takes part in the ticket from now on; that needs the right to change "
        "participants. 409 for a message that is accepted already.",
        parameters=[TICKET_ID, _COMMENT_ID],
        request=CommentAcceptSerializer,
        responses={200: CommentSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, ticket_id: str, comment_id: str) -> Response:
        comment: Comment = self.get_object()
        join = self.body(CommentAcceptSerializer)["join"]
        if join and not self.user.has_perm("tickets.change_participant"):
            raise forbidden("join", "You need the permission tickets.change_participant for this.")
        accept_comment(actor=self.actor, comment=comment, join=join)
        return self.shown(self.get_object())

    @extend_schema(
        summary="Take an answer back",
        description="Within the seconds of REPLY_UNDO_SECONDS: it becomes your draft again. 409 when it has left.",
        parameters=[TICKET_ID, _COMMENT_ID],
        request=None,
        responses={200: CommentSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, ticket_id: str, comment_id: str) -> Response:
        take_back(actor=self.actor, comment=self._own())
        return self.shown(self.get_object())

    @extend_schema(
        summary="Answer with a draft after all",
        parameters=[TICKET_ID, _COMMENT_ID],
        request={"application/json": DraftSendSerializer, "multipart/form-data": DraftSendSerializer},
        responses={200: CommentSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"])
    def send(self, request: Request, ticket_id: str, comment_id: str) -> Response:
        fields = self.body(DraftSendSerializer)
        uploads = uploads_of(fields.get("attachments", ()))
        send_draft(actor=self.actor, comment=self._own(), body_text=fields["body_text"], uploads=uploads)
        return self.shown(self.get_object())

    @extend_schema(
        summary="Throw a draft away",
        parameters=[TICKET_ID, _COMMENT_ID],
        request=None,
        responses={204: None, **ERRORS},
    )
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, ticket_id: str, comment_id: str) -> Response:
        discard_draft(actor=self.actor, comment=self._own())
        return Response(status=204)

    def _own(self) -> Comment:
        """One's own: nobody takes back, or sends, what a colleague wrote."""
        comment: Comment = self.get_object()
        if comment.author_user_id != self.user.pk:
            raise forbidden("comment", "Only its author can do this.")
        return comment


@extend_schema_view(
    list=extend_schema(
        summary="Files of a ticket",
        parameters=[TICKET_ID],
        responses={200: AttachmentSerializer(many=True), **ERRORS},
    ),
)
class TicketAttachmentViewSet(OfTicket):
    rights_model = Attachment
    serializer_class = AttachmentSerializer
    sorts = {"oldest": ("id",), "newest": ("-id",)}

    def rows(self) -> QuerySet[Attachment]:
        return querysets.attachments_for(self.user).filter(ticket=self.ticket().pk)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(
            AttachmentSerializer(found, many=True, context=self.get_serializer_context()).data
        )


@extend_schema_view(
    retrieve=extend_schema(
        summary="About one file", parameters=[_ATTACHMENT_ID], responses={200: AttachmentSerializer, **ERRORS}
    ),
)
class AttachmentViewSet(Resource):
    rights_model = Attachment
    serializer_class = AttachmentSerializer
    lookup_url_kwarg = "attachment_id"
    action_rights = {"download": ("tickets.view_attachment",)}

    def rows(self) -> QuerySet[Attachment]:
        return querysets.attachments_for(self.user)

    def retrieve(self, request: Request, attachment_id: str) -> Response:
        refuse_unknown_parameters(request.query_params, ("format",))
        return self.shown(self.get_object())

    @extend_schema(
        summary="The bytes of a file",
        description=(
            "A download, with the SHA-256 as ETag. With `disposition=inline` an image (PNG, JPEG, GIF, "
            "WebP) or plain text may be shown in the browser; every other type stays a download."
        ),
        parameters=[
            _ATTACHMENT_ID,
            OpenApiParameter("disposition", OpenApiTypes.STR, enum=["attachment", "inline"]),
        ],
        responses={(200, "application/octet-stream"): BYTES, **ERRORS},
    )
    @action(detail=True, content_negotiation_class=AnyAccept)
    def download(self, request: Request, attachment_id: str) -> HttpResponseBase:
        refuse_unknown_parameters(request.query_params, ("disposition",))
        wish = request.query_params.get("disposition", "attachment")
        if wish not in {"attachment", "inline"}:
            raise field_error("disposition", "Choose one of: attachment, inline.")
        attachment: Attachment = self.get_object()
        try:
            stream = blobs.open_blob(attachment.sha256)
        except blobs.BlobMissing as error:
            raise not_found("attachment_id", error.message) from error
        return send_file(
            request,
            stream,
            name=attachment.name,
            mime_type=attachment.mime_type,
            etag=attachment.sha256,
            wish_inline=wish == "inline",
        )
