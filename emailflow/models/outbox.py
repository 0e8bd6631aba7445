"""What leaves, or did not: one row a recipient. And the words it is made of, and the addresses that get nothing."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from emailflow.models.mailbox import Mailbox
from tickets.models import Comment, Ticket


class Channel(models.TextChoices):
    MAIL = "mail", "Mail"
    WEBHOOK = "webhook", "Webhook"
    CHAT = "chat", "Chat"


class OutboxKind(models.TextChoices):
    REPLY = "reply", "Answer to the customer"
    ACKNOWLEDGEMENT = "acknowledgement", "Acknowledgement of a new ticket"


class OutboxState(models.TextChoices):
    HELD = "held", "Held: it can still be taken back"
    QUEUED = "queued", "Waits to be sent"
    SENDING = "sending", "Is being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    BOUNCED = "bounced", "Came back"
    SUPPRESSED = "suppressed", "Not sent, for a reason"
    CANCELLED = "cancelled", "Cancelled by a person"


DUE_OUTBOX_STATES = [OutboxState.HELD, OutboxState.QUEUED, OutboxState.SENDING]


class Outgoing(models.Model):
    """One mail to one recipient. All rows of one comment share one Message-ID.

    ``held`` and ``queued`` rows are claimed when ``not_before`` has come; ``sending`` rows when the lease of their
    sender ran out.
    """

    channel = models.TextField(choices=Channel.choices, default=Channel.MAIL)
    kind = models.TextField(choices=OutboxKind.choices)
    mailbox = models.ForeignKey(Mailbox, null=True, blank=True, on_delete=models.PROTECT, related_name="outgoing")
    ticket = models.ForeignKey(Ticket, null=True, blank=True, on_delete=models.CASCADE, related_name="outgoing")
    comment = models.ForeignKey(Comment, null=True, blank=True, on_delete=models.CASCADE, related_name="outgoing")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    dedupe_key = models.TextField(help_text="The same cause and recipient never make two rows.")
    recipient = models.TextField(help_text="Address, lower case.")
    recipient_name = models.TextField(blank=True, default="")
    envelope_from = models.TextField(blank=True, default="", help_text="Where a bounce comes back to (VERP).")
    sender = models.TextField(blank=True, default="", help_text="The From header: name and address.")
    header_message_id = models.TextField(blank=True, default="")
    headers = models.JSONField(default=dict, blank=True, help_text="Further headers by name.")
    subject = models.TextField(blank=True, default="")
    text = models.TextField(blank=True, default="")
    html = models.TextField(blank=True, default="")
    attachments = models.JSONField(default=list, blank=True, help_text="sha256, name, mime_type, cid of each.")
    state = models.TextField(choices=OutboxState.choices, default=OutboxState.QUEUED)
    reason = models.TextField(blank=True, default="", help_text="Why it was not sent, in words.")
    not_before = models.DateTimeField()
    lease_token = models.TextField(blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    smtp_code = models.PositiveIntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "email_outbox"
        verbose_name = "outgoing mail"
        verbose_name_plural = "outbox"
        default_permissions = ("view", "change")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dedupe_key"], name="email_outbox_once"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="email_outbox_channel"),
            models.CheckConstraint(condition=Q(kind__in=OutboxKind.values), name="email_outbox_kind"),
            models.CheckConstraint(condition=Q(state__in=OutboxState.values), name="email_outbox_state"),
            models.CheckConstraint(
                condition=~Q(state="suppressed") | ~Q(reason=""), name="email_outbox_suppressed_says_why"
            ),
            models.CheckConstraint(
                condition=Q(state="sending") | Q(lease_token=""), name="email_outbox_leased_while_sending"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["not_before", "id"], name="email_outbox_due", condition=Q(state__in=DUE_OUTBOX_STATES)
            ),
            models.Index(fields=["header_message_id"], name="email_outbox_message_id"),
            models.Index(fields=["recipient", "-created_at"], name="email_outbox_recipient"),
            models.Index(fields=["-created_at", "-id"], name="email_outbox_newest"),
            models.Index(fields=["state", "-id"], name="email_outbox_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}: {self.state}"


class Suppression(models.Model):
    """An address that gets nothing until staff release it."""

    address = models.TextField(help_text="Lower case.")
    reason = models.TextField(help_text="In words, with the code of the mail server.")
    outgoing = models.ForeignKey(Outgoing, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "email_suppressions"
        default_permissions = ("view", "add", "delete")
        constraints: ClassVar = [models.UniqueConstraint(fields=["address"], name="email_suppressions_once")]

    def __str__(self) -> str:
        return self.address


class Template(models.Model):
    """The words of one kind of mail in one language; without a mailbox for all that have none of their own."""

    kind = models.TextField(choices=OutboxKind.choices)
    language = models.TextField(choices=[("en", "English"), ("da", "Dansk")], default="en")
    mailbox = models.ForeignKey(Mailbox, null=True, blank=True, on_delete=models.CASCADE, related_name="templates")
    subject = models.TextField(blank=True, default="", help_text="Without the ticket number, which is always there.")
    body = models.TextField(help_text="Plain text with placeholders in braces.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "email_templates"
        verbose_name = "mail template"
        default_permissions = ("view", "add", "change", "delete")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "language", "mailbox"],
                name="email_templates_once_a_mailbox",
                condition=Q(mailbox__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["kind", "language"], name="email_templates_once", condition=Q(mailbox__isnull=True)
            ),
            models.CheckConstraint(condition=Q(kind__in=OutboxKind.values), name="email_templates_kind"),
            models.CheckConstraint(condition=~Q(body=""), name="email_templates_body"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"
