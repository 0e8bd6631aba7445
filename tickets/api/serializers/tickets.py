"""Tickets, their mails, and the bodies that open and change them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from tickets import querysets
from tickets.api.serializers.base import MAX_TEXT, CleanJSONField, StrictSerializer, VisibleField
from tickets.models import Contact, Customer, EmailLog, Priority, Source, Status, Team, Ticket, User


class UserBriefSerializer(serializers.ModelSerializer[User]):
    name = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = User
        fields = ["id", "username", "name"]


class TeamBriefSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "name"]


class CustomerBriefSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ["id", "name"]


class ContactBriefSerializer(serializers.ModelSerializer[Contact]):
    class Meta:
        model = Contact
        fields = ["id", "name", "email"]


TICKET_EXAMPLE = {
    "id": 42,
    "ticket_number": "TKT-20251215-001",
    "subject": "The printer on the second floor is out of toner",
    "description": "From: kim@example.com\nReceived: 2025-12-15 09:12\n\nCan you bring a new one?",
    "status": "open",
    "priority": "normal",
    "category": "",
    "tags": ["printer"],
    "source": "email",
    "customer": 7,
    "customer_detail": {"id": 7, "name": "Example Ltd"},
    "contact": 19,
    "contact_detail": {"id": 19, "name": "Kim Holm", "email": "kim@example.com"},
    "assigned_to_user": 3,
    "assigned_to_user_detail": {"id": 3, "username": "ada", "name": "Ada Lund"},
    "assigned_team": None,
    "assigned_team_detail": None,
    "custom_fields": {"created_from_email": True, "email_from": "kim@example.com"},
    "merged_into": None,
    "first_response_at": None,
    "resolved_at": None,
    "closed_at": None,
    "created_at": "2025-12-15T09:12:31+01:00",
    "updated_at": "2025-12-15T09:12:31+01:00",
}


@extend_schema_serializer(examples=[OpenApiExample("Ticket", value=TICKET_EXAMPLE, response_only=True)])
class TicketSerializer(serializers.ModelSerializer[Ticket]):
    """``customer`` and the like are ids, the same in answers as in bodies; ``*_detail`` says who that is."""

    tags = serializers.SerializerMethodField()
    custom_fields = serializers.DictField(read_only=True)
    customer_detail = CustomerBriefSerializer(source="customer", read_only=True, allow_null=True)
    contact_detail = ContactBriefSerializer(source="contact", read_only=True, allow_null=True)
    assigned_to_user_detail = UserBriefSerializer(source="assigned_to_user", read_only=True, allow_null=True)
    assigned_team_detail = TeamBriefSerializer(source="assigned_team", read_only=True, allow_null=True)

    class Meta:
        model = Ticket
        fields = list(TICKET_EXAMPLE)
        read_only_fields = fields

    def get_tags(self, ticket: Ticket) -> list[str]:
        return sorted(tag.name for tag in ticket.tags.all())


def _active_users(_: User) -> QuerySet[User]:
    return User.objects.filter(is_active=True)


def _teams(_: User) -> QuerySet[Team]:
    return Team.objects.all()


def _file_names() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        required=False,
        max_length=50,
        write_only=True,
        help_text="Files; multipart/form-data only.",
    )


class TicketChangeSerializer(StrictSerializer):
    """The body of PATCH: only what is to change. ``custom_fields`` and ``tags`` replace the old ones."""

    subject = serializers.CharField(required=False, max_length=1000)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    category = serializers.CharField(required=False, allow_blank=True, max_length=200)
    tags = serializers.ListField(child=serializers.CharField(max_length=100), required=False, max_length=50)
    customer = VisibleField(rows=querysets.customers_for, model=Customer, required=False, allow_null=True)
    contact = VisibleField(rows=querysets.contacts_for, model=Contact, required=False, allow_null=True)
    assigned_to_user = VisibleField(rows=_active_users, model=User, required=False, allow_null=True)
    assigned_team = VisibleField(rows=_teams, model=Team, required=False, allow_null=True)
    custom_fields = CleanJSONField(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A ticket by telephone",
            value={
                "subject": "No line on the second floor",
                "description": "Kim called: all telephones are dead since eight.",
                "priority": "high",
                "tags": ["telephone"],
                "source": "phone",
                "contact": 19,
            },
            request_only=True,
        )
    ]
)
class TicketCreateSerializer(TicketChangeSerializer):
    """The body of POST. ``description`` becomes the first message of the thread."""

    status = None  # type: ignore[assignment]
    subject = serializers.CharField(max_length=1000)
    description = serializers.CharField(
        required=False, allow_blank=True, default="", trim_whitespace=False, max_length=MAX_TEXT
    )
    # A serializer has a property of this name; a declared field wins over it.
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Source.choices, required=False, default=Source.API
    )
    attachments = _file_names()


class TicketEmailSerializer(serializers.ModelSerializer[EmailLog]):
    class Meta:
        model = EmailLog
        fields = [
            "id",
            "email_message_id",
            "email_from",
            "email_subject",
            "email_received_at",
            "is_reply",
            "created_at",
        ]
        read_only_fields = fields


class TicketEmailsSerializer(serializers.Serializer[Any]):
    """The mails of one ticket, oldest first."""

    ticket_id = serializers.IntegerField()
    ticket_number = serializers.CharField()
    emails = TicketEmailSerializer(many=True)


class TicketBriefSerializer(serializers.ModelSerializer[Ticket]):
    class Meta:
        model = Ticket
        fields = ["id", "ticket_number", "subject", "status", "created_at"]
        read_only_fields = fields


class TicketsByEmailSerializer(serializers.Serializer[Any]):
    """The tickets that an address asked for or wrote to, newest first."""

    email_address = serializers.CharField()
    tickets = TicketBriefSerializer(many=True)
