"""The mail ledger: every mail that ever arrived, why it became what it became, and another try."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from emailflow import querysets
from emailflow.api.filters import ExecutionFilter, MailboxFilter, MessageFilter
from emailflow.api.serializers.messages import (
    ExecutionSerializer,
    LabelSerializer,
    MailboxSerializer,
    MessageDetailSerializer,
    MessageSerializer,
)
from emailflow.models import Execution, Label, Mailbox, Message
from emailflow.services.messages import reprocess
from tickets import blobs
from tickets.api.downloads import AnyAccept, send_file
from tickets.api.errors import not_found
from tickets.api.filters import refuse_unknown_parameters
from tickets.api.schema import BYTES, ERRORS
from tickets.api.views.base import ListAndDetail

_MESSAGE_ID = OpenApiParameter("message_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_EXECUTION_ID = OpenApiParameter("execution_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_MAILBOX_ID = OpenApiParameter("mailbox_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_LABEL_ID = OpenApiParameter("label_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(summary="List mails", responses={200: MessageSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One mail with its trace",
        parameters=[_MESSAGE_ID],
        responses={200: MessageDetailSerializer, **ERRORS},
    ),
)
class MessageViewSet(ListAndDetail):
    rights_model = Message
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    lookup_url_kwarg = "message_id"
    # Ids rise as mails are stored, and every index of the ledger ends in the id.
    sorts = {"newest": ("-id",), "oldest": ("id",)}
    action_rights = {
        "raw": ("emailflow.view_message", "emailflow.view_raw_message"),
        "reprocess": ("emailflow.view_message", "emailflow.replay_message"),
    }

    def rows(self) -> QuerySet[Message]:
        # The long texts of a ticket are not shown here.
        messages = querysets.messages_for(self.user).defer("ticket__description", "ticket__custom_fields")
        return messages.select_related("trace") if self.action == "retrieve" else messages

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return MessageDetailSerializer if self.action == "retrieve" else MessageSerializer

    @extend_schema(
        summary="Process a mail again",
        description="A new run with today's rules; it opens no second ticket. The answer shows it as due.",
        parameters=[_MESSAGE_ID],
        request=None,
        responses={202: MessageSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def reprocess(self, request: Request, message_id: str) -> Response:
        message: Message = self.get_object()
        reprocess(actor=self.actor, messages=[message])
        return self.shown(self.get_object(), 202)

    @extend_schema(
        summary="The raw source of a mail",
        description="The bytes as they arrived; 404 once they are no longer kept.",
        parameters=[_MESSAGE_ID],
        responses={(200, "message/rfc822"): BYTES, **ERRORS},
    )
    @action(detail=True, content_negotiation_class=AnyAccept, filterset_class=None)
    def raw(self, request: Request, message_id: str) -> HttpResponseBase:
        refuse_unknown_parameters(request.query_params, ())
        message: Message = self.get_object()
        if not message.raw_kept:
            raise not_found("message_id", "The raw source of this mail is no longer kept.")
        try:
            stream = blobs.open_blob(message.sha256)
        except blobs.BlobMissing as error:
            raise not_found("message_id", error.message) from error
        name = f"mail-{message.pk}.eml"
        return send_file(request, stream, name=name, mime_type="message/rfc822", etag=message.sha256)


@extend_schema_view(
    list=extend_schema(summary="What rules did to mails", responses={200: ExecutionSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="What a rule did to a mail",
        parameters=[_EXECUTION_ID],
        responses={200: ExecutionSerializer, **ERRORS},
    ),
)
class ExecutionViewSet(ListAndDetail):
    rights_model = Execution
    serializer_class = ExecutionSerializer
    filterset_class = ExecutionFilter
    lookup_url_kwarg = "execution_id"
    sorts = {"newest": ("-created_at", "-id")}

    def rows(self) -> QuerySet[Execution]:
        return querysets.executions_for(self.user)


@extend_schema_view(
    list=extend_schema(summary="List mailboxes", responses={200: MailboxSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One mailbox", parameters=[_MAILBOX_ID], responses={200: MailboxSerializer, **ERRORS}
    ),
)
class MailboxViewSet(ListAndDetail):
    rights_model = Mailbox
    serializer_class = MailboxSerializer
    filterset_class = MailboxFilter
    lookup_url_kwarg = "mailbox_id"
    sorts = {"oldest": ("id",), "newest": ("-id",)}

    def rows(self) -> QuerySet[Mailbox]:
        return querysets.mailboxes_for(self.user)


@extend_schema_view(
    list=extend_schema(summary="List labels", responses={200: LabelSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(summary="One label", parameters=[_LABEL_ID], responses={200: LabelSerializer, **ERRORS}),
)
class LabelViewSet(ListAndDetail):
    """What the classifier may call a mail."""

    rights_model = Label
    serializer_class = LabelSerializer
    lookup_url_kwarg = "label_id"
    sorts = {"name": ("slug", "id")}

    def rows(self) -> QuerySet[Label]:
        return Label.objects.all()
