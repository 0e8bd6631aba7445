"""The ledger: mails, their traces, what each rule did, and the mailboxes. Nothing here writes."""

from typing import Any

from rest_framework import serializers

from emailflow.inbound.trace import sentences
from emailflow.models import Delivery, Execution, Label, Mailbox, Message, Trace


class MessageSerializer(serializers.ModelSerializer[Message]):
    """One mail. ``ticket`` is null while it belongs to none."""

    mailbox_slug = serializers.CharField(source="mailbox.slug", read_only=True)
    ticket_number = serializers.CharField(source="ticket.ticket_number", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Message
        fields = [
            "id",
            "mailbox",
            "mailbox_slug",
            "message_id",
            "from_address",
            "from_name",
            "subject",
            "received_at",
            "stored_at",
            "size",
            "kind",
            "sender_verdict",
            "label",
            "confidence",
            "state",
            "outcome",
            "run",
            "attempts",
            "next_attempt_at",
            "last_error",
            "ticket",
            "ticket_number",
            "duplicate_of",
            "live",
            "raw_kept",
        ]
        read_only_fields = fields


class TraceSerializer(serializers.ModelSerializer[Trace]):
    """Why the mail became what it became."""

    facts = serializers.DictField(read_only=True)
    signals = serializers.ListField(read_only=True)
    rules = serializers.ListField(read_only=True)
    plan = serializers.ListField(read_only=True)
    results = serializers.ListField(read_only=True)

    class Meta:
        model = Trace
        fields = ["facts", "signals", "rules", "plan", "results", "updated_at"]
        read_only_fields = fields


class MessageDetailSerializer(MessageSerializer):
    trace = TraceSerializer(read_only=True, allow_null=True, default=None)
    explanation = serializers.SerializerMethodField(help_text="The trace in sentences.")

    class Meta(MessageSerializer.Meta):
        fields = [*MessageSerializer.Meta.fields, "trace", "explanation"]
        read_only_fields = fields

    def get_explanation(self, message: Message) -> list[str]:
        return sentences(message)


class ExecutionSerializer(serializers.ModelSerializer[Execution]):
    """What one workflow did to one mail in one run. ``duration`` is in seconds."""

    results = serializers.ListField(read_only=True)

    class Meta:
        model = Execution
        fields = [
            "id",
            "message",
            "workflow",
            "workflow_name",
            "run",
            "dry_run",
            "status",
            "results",
            "error",
            "duration",
            "created_at",
        ]
        read_only_fields = fields


class MailboxSerializer(serializers.ModelSerializer[Mailbox]):
    """Where mail comes from and how it goes. Host, user name and password are for the admin only."""

    addresses = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Mailbox
        fields = [
            "id",
            "slug",
            "name",
            "addresses",
            "protocol",
            "folder",
            "enabled",
            "archived_at",
            "interval",
            "follow_up",
            "follow_up_days",
            "team",
            "next_pull_at",
            "last_success_at",
            "last_error",
            "last_error_at",
            "created_at",
        ]
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One mail that a server or a folder offered. ``uid``: UID of IMAP, UIDL of POP3, or the file's name."""

    mailbox_slug = serializers.CharField(source="mailbox.slug", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "mailbox",
            "mailbox_slug",
            "uidvalidity",
            "uid",
            "state",
            "message",
            "attempts",
            "next_try_at",
            "last_error",
            "created_at",
        ]
        read_only_fields = fields


class LabelSerializer(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields: Any = ["id", "slug", "name", "description", "enabled"]
        read_only_fields = fields
