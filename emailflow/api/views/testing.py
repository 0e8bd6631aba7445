"""A mail by hand, for trying out an installation or a program against it. Off unless TICKET_TEST_API."""

import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from emailflow.inbound.pipeline import process_message
from emailflow.inbound.receive import receive_bytes
from emailflow.models import Mailbox, Message, Outcome, State
from tickets.api.authentication import ApiTokenAuthentication
from tickets.api.errors import not_found
from tickets.api.schema import ERRORS
from tickets.api.serializers.base import MAX_TEXT, StrictSerializer
from tickets.api.views.base import check_size

MAILBOX = "test"
# The worker of the installation may have taken the mail first; it needs a moment to finish it.
_PATIENCE_SECONDS = 10.0
_FINAL = {State.PROCESSED, State.FAILED}


def _one_line(value: str) -> None:
    if not value.isprintable():
        raise serializers.ValidationError("One line, without control characters.")


def _ids(value: str) -> None:
    if not value.isascii():
        raise serializers.ValidationError("Message-IDs are plain ASCII.")
    _one_line(value)


def _one_id(value: str) -> None:
    _ids(value)
    if not value.strip(" <>"):
        raise serializers.ValidationError("This is not a Message-ID.")


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
class MessageIdsField(serializers.Field[Any, Any, Any, Any]):
    """One Message-ID or several: a list, or a text with spaces between."""

    def to_internal_value(self, data: Any) -> str:
        words = data if isinstance(data, list) else [data]
        if len(words) > 200 or not all(isinstance(word, str) and len(word) < 2000 for word in words):
            raise serializers.ValidationError("A text, or a list of texts.")
        text = " ".join(_bracketed(part) for word in words for part in word.split())
        _ids(text)
        return text

    def to_representation(self, value: Any) -> Any:
        return value


class EmailDataSerializer(StrictSerializer):
    message_id = serializers.CharField(max_length=900, validators=[_one_id])
    subject = serializers.CharField(allow_blank=True, max_length=5000, validators=[_one_line])
    from_address = serializers.CharField(max_length=500, validators=[_one_line])
    body = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=MAX_TEXT)
    received_at = serializers.DateTimeField(required=False, allow_null=True)
    in_reply_to = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=900, validators=[_ids]
    )
    references = MessageIdsField(required=False, allow_null=True, help_text="A text or a list of texts.")

    def validate_from_address(self, value: str) -> str:
        address = parseaddr(value)[1]
        local, _, domain = address.rpartition("@")
        if not local or not domain or " " in address:
            raise serializers.ValidationError("This is not an e-mail address.")
        return value


class EmailToTicketSerializer(StrictSerializer):
    email_data = EmailDataSerializer()


class EmailToTicketResultSerializer(serializers.Serializer[Any]):
    """What ``create_ticket`` answers, and what became of the mail; nulls where no ticket was made."""

    ticket_id = serializers.IntegerField(allow_null=True)
    ticket_number = serializers.CharField(allow_null=True)
    created = serializers.BooleanField(allow_null=True)
    linked = serializers.BooleanField(allow_null=True)
    outcome = serializers.ChoiceField(choices=[choice for choice in Outcome.choices if choice[0]], allow_null=True)


class EmailToTicket(APIView):
    """Builds a real mail and sends it down the real pipeline, through the built-in mailbox ``test``."""

    authentication_classes = [ApiTokenAuthentication]
    token_scopes = ("inbound",)
    action = "email_to_ticket"
    action_rights = {"email_to_ticket": ("tickets.add_ticket",)}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not settings.TICKET_TEST_API:
            raise not_found("path", "The test API is switched off (TICKET_TEST_API).")
        check_size(request)
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="test_email_to_ticket",
        summary="Try a mail",
        request={"application/json": EmailToTicketSerializer},
        responses={200: EmailToTicketResultSerializer, **ERRORS},
        tags=["test"],
        examples=[
            OpenApiExample(
                "A request for help",
                value={
                    "email_data": {
                        "message_id": "<20251215.1@example.com>",
                        "subject": "Help with the printer",
                        "from_address": "Kim Holm <kim@example.com>",
                        "body": "It prints nothing. Can you help?",
                        "received_at": "2025-12-15T09:12:31+01:00",
                    }
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        serializer = EmailToTicketSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data["email_data"]
        mailbox = Mailbox.objects.get(slug=MAILBOX)
        raw = build_mail(data, mailbox)
        stored = receive_bytes(raw, mailbox=mailbox, received_at=data.get("received_at"))
        return Response(_result(_processed(stored.message)))


def build_mail(data: dict[str, Any], mailbox: Mailbox) -> bytes:
    """The bytes of a plain text mail (RFC 5322) with these fields."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _sender(data["from_address"])
    mail["To"] = mailbox.addresses[0] if mailbox.addresses else "test@hub.invalid"
    mail["Subject"] = data["subject"]
    mail["Message-ID"] = _bracketed(data["message_id"])
    if data.get("received_at"):
        mail["Date"] = format_datetime(data["received_at"])
    if data.get("in_reply_to"):
        mail["In-Reply-To"] = _bracketed(data["in_reply_to"])
    if data.get("references"):
        mail["References"] = data["references"]
    mail.set_content(data["body"])
    return mail.as_bytes()


def _sender(text: str) -> Address | str:
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _bracketed(text: str) -> str:
    text = text.strip()
    return text if text.startswith("<") else f"<{text}>"


def _processed(message: Message) -> Message:
    """The mail once it has its outcome; as it is, when another worker needs too long or it has to wait."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    message = process_message(message.pk)
    while message.state == State.PROCESSING and time.monotonic() < deadline:
        time.sleep(0.1)
        message.refresh_from_db()
    return message


def _result(message: Message) -> dict[str, Any]:
    if message.ticket is None:
        nothing = dict.fromkeys(("ticket_id", "ticket_number", "created", "linked"))
        return {**nothing, "outcome": message.outcome or None}
    return {
        "ticket_id": message.ticket.pk,
        "ticket_number": message.ticket.ticket_number,
        "created": message.outcome == Outcome.TICKET_CREATED,
        "linked": message.outcome in {Outcome.LINKED, Outcome.AUTO_REPLY, Outcome.BOUNCE},
        "outcome": message.outcome or None,
    }
