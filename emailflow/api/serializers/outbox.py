"""Mail that goes out: each row with its state and reason. Nothing here writes."""

from rest_framework import serializers

from emailflow.models import Outgoing


class OutgoingSerializer(serializers.ModelSerializer[Outgoing]):
    """One mail to one recipient. ``reason`` says why it was not sent; ``not_before`` is when it is due."""

    mailbox_slug = serializers.CharField(source="mailbox.slug", read_only=True, allow_null=True, default=None)
    ticket_number = serializers.CharField(source="ticket.ticket_number", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Outgoing
        fields = [
            "id",
            "kind",
            "state",
            "reason",
            "recipient",
            "recipient_name",
            "subject",
            "header_message_id",
            "mailbox",
            "mailbox_slug",
            "ticket",
            "ticket_number",
            "comment",
            "not_before",
            "attempts",
            "smtp_code",
            "last_error",
            "sent_at",
            "created_at",
        ]
        read_only_fields = fields


class OutgoingDetailSerializer(OutgoingSerializer):
    attachments = serializers.ListField(read_only=True, help_text="Names and types.")

    class Meta(OutgoingSerializer.Meta):
        fields = [*OutgoingSerializer.Meta.fields, "sender", "text", "html", "attachments"]
        read_only_fields = fields

    def to_representation(self, instance: Outgoing) -> dict[str, object]:
        shown = dict(super().to_representation(instance))
        shown["attachments"] = [{"name": file["name"], "mime_type": file["mime_type"]} for file in instance.attachments]
        return shown
