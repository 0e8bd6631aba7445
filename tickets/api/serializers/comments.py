"""Messages and notes of a thread, and the files that came with them."""

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from tickets.api.serializers.base import MAX_TEXT, StrictSerializer
from tickets.api.serializers.tickets import ContactBriefSerializer, UserBriefSerializer, _file_names
from tickets.models import Attachment, Comment


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    url = serializers.SerializerMethodField(help_text="Where the bytes are; needs the same rights.")

    class Meta:
        model = Attachment
        fields = [
            "id",
            "ticket",
            "comment",
            "name",
            "size",
            "mime_type",
            "sha256",
            "cid",
            "is_inline",
            "url",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, attachment: Attachment) -> str:
        path = reverse("api:attachment-download", kwargs={"attachment_id": attachment.pk})
        request = self.context.get("request")
        return request.build_absolute_uri(path) if request else path


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author_user_detail = UserBriefSerializer(source="author_user", read_only=True, allow_null=True)
    author_contact_detail = ContactBriefSerializer(source="author_contact", read_only=True, allow_null=True)
    system_params = serializers.DictField(read_only=True)
    remarks = serializers.ListField(child=serializers.CharField(), read_only=True)
    attachments = AttachmentSerializer(many=True, read_only=True)

    class Meta:
        model = Comment
        fields = [
            "id",
            "ticket",
            "author_user",
            "author_user_detail",
            "author_contact",
            "author_contact_detail",
            "body_text",
            "reply_text",
            "body_html",
            "is_internal",
            "is_unverified",
            "state",
            "held_until",
            "sender_verdict",
            "source",
            "system_code",
            "system_params",
            "remarks",
            "attachments",
            "created_at",
        ]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "An internal note",
            value={"body_text": "Called the supplier, new toner on Friday.", "is_internal": True},
            request_only=True,
        )
    ]
)
class CommentCreateSerializer(StrictSerializer):
    """The body of POST. ``is_internal``: a note that no customer ever sees."""

    body_text = serializers.CharField(trim_whitespace=False, max_length=MAX_TEXT)
    is_internal = serializers.BooleanField(default=False)
    attachments = _file_names()


class DraftSendSerializer(StrictSerializer):
    """The body of send: the text that goes out in place of the draft's."""

    body_text = serializers.CharField(trim_whitespace=False, max_length=MAX_TEXT)
    attachments = _file_names()


class CommentAcceptSerializer(StrictSerializer):
    """The body of accept. ``join``: its sender takes part from now on."""

    join = serializers.BooleanField()
