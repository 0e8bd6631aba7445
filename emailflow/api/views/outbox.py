"""Mail that goes out: what became of each, another try, and a stop."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from emailflow import querysets
from emailflow.api.filters import OutgoingFilter
from emailflow.api.serializers.outbox import OutgoingDetailSerializer, OutgoingSerializer
from emailflow.models import Outgoing
from emailflow.services.outbox import cancel, retry
from tickets.api.schema import ERRORS
from tickets.api.views.base import ListAndDetail

_ID = OpenApiParameter("outgoing_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_STEER = ("emailflow.view_outgoing", "emailflow.change_outgoing")


@extend_schema_view(
    list=extend_schema(summary="List outgoing mails", responses={200: OutgoingSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One outgoing mail with its text", parameters=[_ID], responses={200: OutgoingDetailSerializer, **ERRORS}
    ),
)
class OutgoingViewSet(ListAndDetail):
    rights_model = Outgoing
    serializer_class = OutgoingSerializer
    filterset_class = OutgoingFilter
    lookup_url_kwarg = "outgoing_id"
    sorts = {"newest": ("-id",), "oldest": ("id",)}
    action_rights = {"retry": _STEER, "cancel": _STEER}

    def rows(self) -> QuerySet[Outgoing]:
        rows = querysets.outgoing_for(self.user)
        return rows.defer("text", "html", "headers", "attachments") if self.action == "list" else rows

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return OutgoingDetailSerializer if self.action == "retrieve" else OutgoingSerializer

    @extend_schema(
        summary="Send a mail again",
        description="It is due at once, with all tries before it. 409 while it is being sent, and once it has been.",
        parameters=[_ID],
        request=None,
        responses={202: OutgoingSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def retry(self, request: Request, outgoing_id: str) -> Response:
        row: Outgoing = self.get_object()
        retry(actor=self.actor, rows=[row])
        return self.shown(self.get_object(), 202)

    @extend_schema(
        summary="Stop a mail that waits",
        description="409 while it is being sent, and once it has been.",
        parameters=[_ID],
        request=None,
        responses={200: OutgoingSerializer, **ERRORS},
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def cancel(self, request: Request, outgoing_id: str) -> Response:
        row: Outgoing = self.get_object()
        cancel(actor=self.actor, rows=[row])
        return self.shown(self.get_object())
