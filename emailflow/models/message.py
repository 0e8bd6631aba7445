"""The ledger: every mail that ever arrived, its state, and the trace that explains what became of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from emailflow.models.mailbox import Mailbox
from tickets.models import Ticket


class State(models.TextChoices):
    RECEIVED = "received", "Received"
    PROCESSING = "processing", "Being processed"
    WAITING = "waiting", "Waiting for another try"
    PROCESSED = "processed", "Processed"
    FAILED = "failed", "Failed"


class Outcome(models.TextChoices):
    NONE = "", "-"
    TICKET_CREATED = "ticket_created", "Opened a ticket"
    LINKED = "linked", "Joined a ticket"
    BOUNCE = "bounce", "Delivery report"
    AUTO_REPLY = "auto_reply", "Automatic reply"
    IGNORED = "ignored", "Ignored"
    DUPLICATE = "duplicate", "Duplicate"
    UNROUTED = "unrouted", "Nobody's yet"


DUE_STATES = [State.RECEIVED, State.WAITING, State.PROCESSING]


class Message(models.Model):
    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="messages")
    sha256 = models.TextField()
    size = models.BigIntegerField()
    raw_kept = models.BooleanField(default=True)
    message_id = models.TextField(blank=True, default="")
    identity = models.TextField(null=True, blank=True)  # noqa: DJ001 - unique, and unknown until applied
    from_address = models.TextField(blank=True, default="")
    from_name = models.TextField(blank=True, default="")
    subject = models.TextField(blank=True, default="")
    text_sha256 = models.TextField(blank=True, default="")
    attachments_sha256 = models.TextField(blank=True, default="")
    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="duplicates"
    )
    received_at = models.DateTimeField(help_text="When our server got it: never the Date header.")
    stored_at = models.DateTimeField()
    live = models.BooleanField(default=True, help_text="Young enough, and not imported: may be answered.")
    kind = models.TextField(blank=True, default="")
    sender_verdict = models.TextField(blank=True, default="")
    label = models.TextField(blank=True, default="")
    confidence = models.FloatField(null=True, blank=True)
    state = models.TextField(choices=State.choices, default=State.RECEIVED)
    outcome = models.TextField(choices=Outcome.choices, blank=True, default=Outcome.NONE)
    run = models.PositiveIntegerField(default=1)
    attempts = models.PositiveIntegerField(default=0)
    alone = models.BooleanField(default=False, help_text="An attempt ended without a report: take it alone.")
    waits = models.PositiveIntegerField(default=0, help_text="How often it waited for the mail it answers.")
    next_attempt_at = models.DateTimeField()
    lease_token = models.TextField(blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    trouble_since = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    ticket = models.ForeignKey(Ticket, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages")

    class Meta:
        db_table = "email_messages"
        verbose_name = "mail"
        verbose_name_plural = "mail ledger"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("replay_message", "Can reprocess and ignore mail"),
            ("view_raw_message", "Can see the raw source of mail"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["mailbox", "sha256"], name="email_messages_once_a_mailbox"),
            models.UniqueConstraint(fields=["identity"], name="email_messages_identity"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="email_messages_state_known"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="email_messages_outcome_known"),
            models.CheckConstraint(
                condition=Q(state=State.PROCESSED) ^ Q(outcome=""), name="email_messages_processed_has_outcome"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at", "id"], name="email_messages_due", condition=Q(state__in=DUE_STATES)
            ),
            models.Index(fields=["message_id"], name="email_messages_message_id"),
            models.Index(fields=["-stored_at", "-id"], name="email_messages_newest"),
            models.Index(fields=["state", "-id"], name="email_messages_state"),
            models.Index(fields=["outcome", "-id"], name="email_messages_outcome"),
            models.Index(fields=["mailbox", "-id"], name="email_messages_mailbox"),
            models.Index(fields=["label", "-id"], name="email_messages_label"),
            models.Index(fields=["kind", "-id"], name="email_messages_kind"),
            models.Index(fields=["-id"], name="email_messages_verdict_fail", condition=Q(sender_verdict="fail")),
            models.Index(fields=["stored_at"], name="email_messages_raw_kept", condition=Q(raw_kept=True)),
            models.Index(fields=["sha256"], name="email_messages_sha256"),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}: {self.subject or '(no subject)'}"


class Trace(models.Model):
    """Why a mail became what it became. A table of its own, so that lists of mail stay narrow."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="trace")
    facts = models.JSONField(default=dict)
    signals = models.JSONField(default=list)
    rules = models.JSONField(default=list)
    plan = models.JSONField(default=list)
    results = models.JSONField(default=list)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "email_traces"
        default_permissions = ()

    def __str__(self) -> str:
        return f"trace of mail {self.message_id}"
