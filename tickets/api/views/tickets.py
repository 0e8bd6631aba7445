"""Tickets: the list, one of them by id or number, opening and changing; their mails; tickets by address."""

from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.expressions import Value
from django.db.models.functions import Lower
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import querysets
from tickets.api.errors import field_error, forbidden, not_found
from tickets.api.filters import TicketFilter, refuse_unknown_parameters
from tickets.api.pagination import PARAMETERS, KeysetPagination
from tickets.api.parsers import WITH_FILES
from tickets.api.schema import ERRORS
from tickets.api.serializers.tickets import (
    TicketBriefSerializer,
    TicketChangeSerializer,
    TicketCreateSerializer,
    TicketEmailSerializer,
    TicketEmailsSerializer,
    TicketsByEmailSerializer,
    TicketSerializer,
)
from tickets.api.views.base import ListAndDetail, uploads_of
from tickets.limits import row_id
from tickets.models import Direction, EmailLog, Ticket, User
from tickets.services.tickets import change_ticket, open_ticket

TICKET_PATTERN = r"[0-9]{1,18}|[Tt][Kk][Tt]-[0-9]{8}-[0-9]{3,9}"
TICKET_ID = OpenApiParameter(
    "ticket_id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="Id or number of the ticket: `42` or `TKT-20251215-001`.",
)
_ASSIGNMENTS = ("assigned_to_user", "assigned_team")


def find_ticket(tickets: QuerySet[Ticket], name: str) -> Ticket:
    """A ticket by id or number among those given. Raises NotFound that names ``ticket_id``."""
    number = row_id(name)
    found = tickets.filter(ticket_number=name.upper()) if number is None else tickets.filter(pk=number)
    ticket = found.first()
    if ticket is None:
        raise not_found("ticket_id", "There is no such ticket.")
    return ticket


@extend_schema_view(
    list=extend_schema(summary="List tickets", responses={200: TicketSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(summary="One ticket", parameters=[TICKET_ID], responses={200: TicketSerializer, **ERRORS}),
)
class TicketViewSet(ListAndDetail):
    rights_model = Ticket
    serializer_class = TicketSerializer
    filterset_class = TicketFilter
    parser_classes = WITH_FILES
    lookup_url_kwarg = "ticket_id"
    lookup_value_regex = TICKET_PATTERN
    sorts = {
        "newest": ("-created_at", "-id"),
        "updated": ("-updated_at", "-id"),
        "priority": ("-priority_rank", "-id"),
    }
    action_rights = {
        "emails": ("tickets.view_ticket", "tickets.view_emaillog"),
        "by_email": ("tickets.view_ticket",),
    }

    def rows(self) -> QuerySet[Ticket]:
        return querysets.tickets_for(self.user)

    def get_object(self) -> Ticket:
        return find_ticket(self.get_queryset(), self.kwargs["ticket_id"])

    @extend_schema(
        summary="Open a ticket",
        description=(
            "`description` is the first message. With `contact` it is the contact's message, else the "
            "caller's. Files come as `attachments` in multipart/form-data. Setting an assignee needs the "
            "right to assign."
        ),
        request={
            "application/json": TicketCreateSerializer,
            "multipart/form-data": TicketCreateSerializer,
        },
        responses={201: TicketSerializer, **ERRORS},
    )
    def create(self, request: Request) -> Response:
        fields = self.body(TicketCreateSerializer)
        self._check_assigning(fields, None)
        files = uploads_of(fields.pop("attachments", ()))
        author = self.user if fields.get("contact") is None else None
        ticket = open_ticket(actor=self.actor, author_user=author, uploads=files, **fields)
        return self.shown(self.get_queryset().filter(pk=ticket.pk).first() or ticket, 201)

    @extend_schema(
        summary="Change a ticket",
        description=(
            "Only the fields that are given are changed; `tags` and `custom_fields` are replaced as a whole. "
            "Changing an assignee needs the right to assign."
        ),
        parameters=[TICKET_ID],
        request={"application/json": TicketChangeSerializer},
        responses={200: TicketSerializer, **ERRORS},
    )
    def partial_update(self, request: Request, ticket_id: str) -> Response:
        ticket = self.get_object()
        fields = self.body(TicketChangeSerializer, partial=True)
        self._check_assigning(fields, ticket)
        changed = change_ticket(actor=self.actor, ticket=ticket, changes=fields)
        # A ticket that was handed to somebody else may be out of the caller's sight now: shown a last time.
        return self.shown(self.get_queryset().filter(pk=ticket.pk).first() or changed)

    def _check_assigning(self, fields: dict[str, Any], ticket: Ticket | None) -> None:
        for name in _ASSIGNMENTS:
            wanted = fields.get(name)
            if name not in fields or getattr(wanted, "pk", None) == getattr(ticket, f"{name}_id", None):
                continue
            if not self.user.has_perm("tickets.assign_ticket"):
                raise forbidden(name, "You need the permission tickets.assign_ticket for this.")

    @extend_schema(
        summary="Mails of a ticket",
        description="Every mail that went in or out, oldest first; also of tickets that were merged into it.",
        parameters=[TICKET_ID],
        responses={200: TicketEmailsSerializer, **ERRORS},
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def emails(self, request: Request, ticket_id: str) -> Response:
        refuse_unknown_parameters(request.query_params, ("format",))
        ticket = find_ticket(querysets.visible_tickets(self.user), ticket_id)
        mails = (
            querysets.email_log_for(self.user)
            .filter(ticket__in=querysets.family_of(ticket).values("pk"))
            .only(*TicketEmailSerializer.Meta.fields)
            .order_by("email_received_at", "id")
        )
        return Response(
            {
                "ticket_id": ticket.pk,
                "ticket_number": ticket.ticket_number,
                "emails": TicketEmailSerializer(mails, many=True).data,
            }
        )

    @extend_schema(
        summary="Tickets by address",
        description=(
            "Tickets whose requester has this address, or that it wrote to; newest first, without regard to "
            'case. A page at a time: the header `Link` with `rel="next"` names the next one.'
        ),
        parameters=[
            OpenApiParameter("email_address", OpenApiTypes.STR, OpenApiParameter.PATH),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="Taken from the header `Link`."),
            OpenApiParameter("page_size", OpenApiTypes.INT, description="1 to 200; 50 when not given."),
        ],
        responses={200: TicketsByEmailSerializer, **ERRORS},
    )
    @action(
        detail=False,
        url_path=r"by-email/(?P<email_address>.+?)",
        url_name="by-email",
        pagination_class=None,
        filterset_class=None,
    )
    def by_email(self, request: Request, email_address: str) -> Response:
        refuse_unknown_parameters(request.query_params, PARAMETERS)
        if "@" not in email_address or len(email_address) > 320 or not email_address.isprintable():
            raise field_error("email_address", "This is not an e-mail address.")
        paginator = KeysetPagination()
        found = paginator.paginate_queryset(_tickets_of(self.user, email_address), request, self)
        response = Response({"email_address": email_address, "tickets": TicketBriefSerializer(found, many=True).data})
        following = paginator.next_link()
        if following:
            response["Link"] = f'<{following}>; rel="next"'
        return response


def _tickets_of(user: User, address: str) -> QuerySet[Ticket]:
    """Two index lookups joined by UNION; with OR the database would walk all tickets."""
    lowered = Lower(Value(address))
    wrote = EmailLog.objects.alias(_from=Lower("email_from")).filter(_from=lowered, direction=Direction.IN)
    asked = Ticket.objects.filter(Q(contact__email=lowered))
    ids = wrote.values_list("ticket_id").union(asked.values_list("pk"))
    return querysets.visible_tickets(user).filter(pk__in=ids).only(*TicketBriefSerializer.Meta.fields)
