"""Where mail comes from, how far each source has been read, and what each source has offered."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from emailflow.fields import EncryptedTextField
from tickets.models import Team


class Protocol(models.TextChoices):
    IMAP = "imap", "IMAP"
    POP3 = "pop3", "POP3"
    MAILDIR = "maildir", "Maildir (a folder on this machine)"
    BUILTIN = "builtin", "Built in"


class Security(models.TextChoices):
    TLS = "tls", "TLS"
    STARTTLS = "starttls", "STARTTLS (POP3: STLS)"
    PLAIN = "plain", "None (only to this machine)"


class StartPolicy(models.TextChoices):
    NOW = "now", "Only mail that arrives from now on"
    DAYS = "days", "Mail of the last days"
    ALL = "all", "Everything that is there"


class AfterRead(models.TextChoices):
    NOTHING = "nothing", "Leave it untouched"
    SEEN = "seen", "Mark it as read"
    FLAG = "flag", "Flag it"
    MOVE = "move", "Move it to a folder"
    DELETE = "delete", "Delete it on the server (POP3 only)"


class FollowUp(models.TextChoices):
    REOPEN = "reopen", "Reopen the ticket"
    NEW = "new", "Open a new ticket"
    REOPEN_DAYS = "reopen_days", "Reopen within some days, then a new ticket"


class Mailbox(models.Model):
    """A source of mail. Archived, never deleted. ``import``, ``api`` and ``test`` are built in."""

    slug = models.SlugField(db_index=False, max_length=60)
    name = models.TextField()
    addresses = models.JSONField(default=list, blank=True, help_text="Our addresses that deliver into this mailbox.")
    protocol = models.TextField(choices=Protocol.choices, default=Protocol.IMAP)
    host = models.TextField(blank=True, default="")
    port = models.PositiveIntegerField(null=True, blank=True)
    security = models.TextField(choices=Security.choices, default=Security.TLS)
    username = models.TextField(blank=True, default="")
    secret = EncryptedTextField()
    folder = models.TextField(blank=True, default="INBOX")
    path = models.TextField(blank=True, default="", help_text="Maildir: the folder that holds new, cur and tmp.")
    start_policy = models.TextField(choices=StartPolicy.choices, default=StartPolicy.NOW)
    start_days = models.PositiveIntegerField(default=7)
    after_read = models.TextField(choices=AfterRead.choices, default=AfterRead.NOTHING)
    move_to = models.TextField(blank=True, default="")
    interval = models.PositiveIntegerField(default=60, help_text="Seconds between two looks.")
    enabled = models.BooleanField(default=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    follow_up = models.TextField(choices=FollowUp.choices, default=FollowUp.REOPEN)
    follow_up_days = models.PositiveIntegerField(default=30)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="mailboxes")
    authserv_ids = models.JSONField(
        default=list,
        blank=True,
        help_text="Names under which our own mail server reports SPF, DKIM and DMARC (RFC 8601).",
    )
    form_senders = models.JSONField(
        default=list, blank=True, help_text="Senders of web forms whose Reply-To is the requester."
    )
    from_name = models.TextField(blank=True, default="")
    from_address = models.TextField(blank=True, default="")
    plus_addressing = models.BooleanField(default=False)
    smtp_host = models.TextField(blank=True, default="", help_text="Empty: the server of EMAIL_URL sends.")
    smtp_port = models.PositiveIntegerField(null=True, blank=True)
    smtp_security = models.TextField(choices=Security.choices, default=Security.STARTTLS)
    smtp_username = models.TextField(blank=True, default="")
    smtp_secret = EncryptedTextField()
    signature = models.TextField(blank=True, default="", help_text="Below every answer, after the agent's own.")
    acknowledge = models.BooleanField(default=True, help_text="Tell the customer the number of a new ticket.")
    silent_after = models.PositiveIntegerField(
        default=24, help_text="Hours without a successful look until the front page says so."
    )
    next_pull_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.TextField(blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Failed looks since the last good one.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "email_mailboxes"
        verbose_name_plural = "mailboxes"
        default_permissions = ("add", "change", "view")
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="email_mailboxes_slug_once"),
            models.CheckConstraint(condition=Q(protocol__in=Protocol.values), name="email_mailboxes_protocol"),
            models.CheckConstraint(condition=Q(security__in=Security.values), name="email_mailboxes_security"),
            models.CheckConstraint(
                condition=Q(smtp_security__in=Security.values), name="email_mailboxes_smtp_security"
            ),
            models.CheckConstraint(
                condition=Q(start_policy__in=StartPolicy.values), name="email_mailboxes_start_policy"
            ),
            models.CheckConstraint(condition=Q(after_read__in=AfterRead.values), name="email_mailboxes_after_read"),
            models.CheckConstraint(condition=Q(follow_up__in=FollowUp.values), name="email_mailboxes_follow_up"),
        ]

    def __str__(self) -> str:
        return self.name


class MailboxCursor(models.Model):
    """How far one (source, uidvalidity) has been read; a changed host, user or folder starts a new one."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="cursors")
    source = models.TextField(help_text="Hash of host, user and folder.")
    uidvalidity = models.TextField(blank=True, default="", help_text="Empty for POP3 and Maildir.")
    watermark = models.BigIntegerField(default=0, help_text="Every UID up to this one is final.")
    start_after = models.DateTimeField(null=True, blank=True, help_text="Fixed at the first connect.")
    start_uid = models.BigIntegerField(default=0, help_text="UIDs up to this one were there before us.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "email_mailbox_cursors"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "source", "uidvalidity"], name="email_mailbox_cursors_once"),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.uidvalidity}: {self.watermark}"


class DeliveryState(models.TextChoices):
    SEEN = "seen", "Seen"
    STORED = "stored", "Stored"
    UNFETCHABLE = "unfetchable", "Cannot be fetched"
    # A Maildir has no order of arrival, so what the start policy leaves out is remembered by name.
    SKIPPED = "skipped", "Was there before the mailbox was connected"
    # Not the same as stored: a server that offers it again either did not obey or gave its name to another mail.
    DELETED = "deleted", "Stored, and deleted on the server"


class Delivery(models.Model):
    """One mail that a source offered. The watermark passes only rows in a final state.

    ``uid`` is the UID of IMAP, the UIDL of POP3, or the name in a Maildir.
    """

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="deliveries")
    source = models.TextField()
    uidvalidity = models.TextField(blank=True, default="")
    uid = models.TextField()
    message = models.ForeignKey(
        "emailflow.Message", null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    state = models.TextField(choices=DeliveryState.choices, default=DeliveryState.SEEN)
    after_read_done = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "email_deliveries"
        verbose_name_plural = "deliveries"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["mailbox", "source", "uidvalidity", "uid"], name="email_deliveries_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="email_deliveries_state_known"),
        ]
        indexes: ClassVar = [
            models.Index(
                F("mailbox"),
                F("id"),
                name="email_deliveries_open",
                condition=Q(state="seen") | Q(after_read_done=False),
            ),
            models.Index(fields=["-id"], name="email_deliveries_set_aside", condition=Q(state="unfetchable")),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.uid} {self.state}"
