"""What mailboxes have offered: above all the mails that a server does not give, which nobody sees elsewhere."""

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from emailflow import querysets
from emailflow.api.filters import DeliveryFilter
from emailflow.api.serializers.messages import DeliverySerializer
from emailflow.models import Delivery
from tickets.api.schema import ERRORS
from tickets.api.views.base import ListAndDetail

_DELIVERY_ID = OpenApiParameter("delivery_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(
        summary="List what mailboxes offered",
        description="`state=unfetchable` lists the mails that were set aside after five tries, with the reason.",
        responses={200: DeliverySerializer(many=True), **ERRORS},
    ),
    retrieve=extend_schema(
        summary="One mail that a mailbox offered",
        parameters=[_DELIVERY_ID],
        responses={200: DeliverySerializer, **ERRORS},
    ),
)
class DeliveryViewSet(ListAndDetail):
    rights_model = Delivery
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    lookup_url_kwarg = "delivery_id"
    sorts = {"newest": ("-id",), "oldest": ("id",)}

    def rows(self) -> QuerySet[Delivery]:
        return querysets.deliveries_for(self.user)
