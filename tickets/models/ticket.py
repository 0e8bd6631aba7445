"""The ticket and what hangs on it: messages, files, tags, and who takes part."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Lower

from tickets.models.customer import Contact, Customer
from tickets.models.user import Team


class Status(models.TextChoices):
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "In progress"
    WAITING_CUSTOMER = "waiting_customer", "Waiting for customer"
    WAITING_INTERNAL = "waiting_internal", "Waiting for us"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"


OPEN_STATUSES = [Status.OPEN, Status.IN_PROGRESS, Status.WAITING_CUSTOMER, Status.WAITING_INTERNAL]


class Priority(models.TextChoices):
    LOW = "low", "Low"
    NORMAL = "normal", "Normal"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


PRIORITY_RANK = {Priority.LOW: 0, Priority.NORMAL: 1, Priority.HIGH: 2, Priority.CRITICAL: 3}


class Source(models.TextChoices):
    EMAIL = "email", "E-mail"
    WEB = "web", "Web form"
    PHONE = "phone", "Phone"
    API = "api", "API"
    MANUAL = "manual", "By hand"


class TicketNumber(models.Model):
    """One counter a day. Only ``tickets.numbering`` touches it."""

    day = models.DateField(primary_key=True)
    last = models.PositiveIntegerField()

    class Meta:
        db_table = "tticket_ticket_numbers"

    def __str__(self) -> str:
        return f"{self.day}: {self.last}"


class Tag(models.Model):
    name = models.TextField()

    class Meta:
        db_table = "tticket_tags"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="tticket_tags_name_once"),
            models.CheckConstraint(condition=Q(name=Lower("name")) & ~Q(name=""), name="tticket_tags_lower"),
        ]

    def __str__(self) -> str:
        return self.name


class Ticket(models.Model):
    ticket_number = models.TextField()
    subject = models.TextField(blank=True)
    description = models.TextField(blank=True)
    status = models.TextField(choices=Status.choices, default=Status.OPEN)
    priority = models.TextField(choices=Priority.choices, default=Priority.NORMAL)
    priority_rank = models.GeneratedField(
        expression=Case(
            *(When(priority=name, then=Value(rank)) for name, rank in PRIORITY_RANK.items()),
            default=Value(1),
            output_field=models.SmallIntegerField(),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    category = models.TextField(blank=True, default="")
    source = models.TextField(choices=Source.choices, default=Source.MANUAL)
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets")
    contact = models.ForeignKey(
        Contact,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="tickets",
        verbose_name="requester",
    )
    assigned_to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    assigned_team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets")
    tags: "models.ManyToManyField[Tag, TicketTag]" = models.ManyToManyField(
        Tag, through="TicketTag", related_name="tickets", blank=True
    )
    custom_fields = models.JSONField(default=dict, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged_tickets"
    )
    first_response_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "tticket_tickets"
        default_permissions = ("add", "change", "delete", "view")
        permissions: ClassVar = [
            ("assign_ticket", "Can assign tickets"),
            ("merge_ticket", "Can merge tickets"),
            ("export_ticket", "Can export tickets"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["ticket_number"], name="tticket_tickets_number_once"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="tticket_tickets_status_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="tticket_tickets_priority_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="tticket_tickets_source_known"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")),
                name="tticket_tickets_not_merged_into_itself",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="tticket_tickets_newest"),
            models.Index(fields=["-updated_at", "-id"], name="tticket_tickets_updated"),
            models.Index(fields=["-priority_rank", "-id"], name="tticket_tickets_priority"),
            models.Index(fields=["status", "-updated_at", "-id"], name="tticket_tickets_status"),
            models.Index(fields=["assigned_to_user", "-updated_at", "-id"], name="tticket_tickets_assignee"),
            models.Index(fields=["assigned_team", "-updated_at", "-id"], name="tticket_tickets_team"),
            models.Index(fields=["source", "-created_at", "-id"], name="tticket_tickets_source"),
            models.Index(fields=["customer", "-created_at", "-id"], name="tticket_tickets_customer"),
            models.Index(fields=["contact", "-created_at", "-id"], name="tticket_tickets_contact"),
            models.Index(
                fields=["-updated_at", "-id"],
                name="tticket_tickets_open",
                condition=Q(status__in=OPEN_STATUSES),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_number} {self.subject}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


class TicketTag(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="ticket_tags")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="ticket_tags")

    class Meta:
        db_table = "tticket_ticket_tags"
        constraints = [
            models.UniqueConstraint(fields=["ticket", "tag"], name="tticket_ticket_tags_once"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id}: {self.tag_id}"


class CommentState(models.TextChoices):
    DRAFT = "draft", "Draft"
    HELD = "held", "Held"
    PUBLISHED = "published", "Published"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Comment(models.Model):
    """One message or note of a thread; the one that opened the ticket is the first.

    A note made by Hub itself keeps a code and parameters and is put into words when it is shown.
    """

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="comments"
    )
    author_contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="comments"
    )
    body_text = models.TextField(blank=True)
    reply_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    is_internal = models.BooleanField(default=False)
    state = models.TextField(choices=CommentState.choices, default=CommentState.PUBLISHED)
    is_unverified = models.BooleanField(
        default=False, help_text="Written by somebody who does not take part in this ticket."
    )
    sender_verdict = models.TextField(blank=True, default="")
    source = models.TextField(choices=Source.choices, default=Source.MANUAL)
    system_code = models.TextField(blank=True, default="")
    system_params = models.JSONField(default=dict, blank=True)
    remarks = models.JSONField(
        default=list, blank=True, help_text="What was strange about the mail or was cut from it, in words."
    )
    held_until = models.DateTimeField(null=True, blank=True, help_text="An answer can be taken back until then.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tticket_comments"
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="held") | Q(held_until__isnull=False), name="tticket_comments_held_until_when"
            ),
            models.CheckConstraint(condition=Q(state__in=CommentState.values), name="tticket_comments_state_known"),
            models.CheckConstraint(
                condition=Q(author_user__isnull=True) | Q(author_contact__isnull=True),
                name="tticket_comments_one_author",
            ),
        ]
        indexes = [
            models.Index(fields=["ticket", "created_at", "id"], name="tticket_comments_thread"),
            models.Index(fields=["ticket"], name="tticket_comments_unverified", condition=Q(is_unverified=True)),
            models.Index(fields=["held_until", "id"], name="tticket_comments_held", condition=Q(state="held")),
        ]

    def __str__(self) -> str:
        return f"comment {self.pk} of {self.ticket_id}"


class Attachment(models.Model):
    """A file of a comment. The bytes are a blob named by ``sha256``; ``name`` is never a path."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="attachments")
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="attachments")
    name = models.TextField()
    size = models.BigIntegerField()
    mime_type = models.TextField()
    sha256 = models.TextField()
    cid = models.TextField(blank=True, default="")
    is_inline = models.BooleanField(default=False)

    class Meta:
        db_table = "tticket_attachments"
        indexes = [models.Index(fields=["sha256"], name="tticket_attachments_sha256")]

    def __str__(self) -> str:
        return self.name


class ParticipantRole(models.TextChoices):
    REQUESTER = "requester", "Requester"
    CC = "cc", "CC"
    WATCHER = "watcher", "Watcher"


class ParticipantState(models.TextChoices):
    CONFIRMED = "confirmed", "Confirmed"
    PENDING = "pending", "Pending"
    REFUSED = "refused", "Refused"


class Participant(models.Model):
    """An address that takes part in a ticket. Only confirmed ones are ever written to."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="participants")
    address = models.TextField()
    name = models.TextField(blank=True, default="")
    role = models.TextField(choices=ParticipantRole.choices)
    state = models.TextField(choices=ParticipantState.choices)
    added_by = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tticket_participants"
        constraints = [
            models.UniqueConstraint(fields=["ticket", "address"], name="tticket_participants_once"),
            models.CheckConstraint(
                condition=Q(role__in=ParticipantRole.values), name="tticket_participants_role_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ParticipantState.values), name="tticket_participants_state_known"
            ),
            models.CheckConstraint(condition=Q(address=Lower("address")), name="tticket_participants_address_lower"),
        ]
        indexes = [models.Index(fields=["address"], name="tticket_participants_address")]

    def __str__(self) -> str:
        return f"{self.address} ({self.role}, {self.state})"
