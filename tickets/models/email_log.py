"""Which mail belongs to which ticket, in and out. Threading reads it; it holds values, not mails."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from tickets.models.ticket import Comment, Ticket


class Direction(models.TextChoices):
    IN = "in", "In"
    OUT = "out", "Out"


class EmailLog(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="emails")
    comment = models.ForeignKey(Comment, null=True, blank=True, on_delete=models.SET_NULL, related_name="emails")
    source_key = models.TextField(help_text="in:<message row> or out:<comment>")
    email_message_id = models.TextField(help_text="With angle brackets.")
    email_subject = models.TextField(blank=True)
    email_from = models.TextField(blank=True)
    email_received_at = models.DateTimeField()
    is_reply = models.BooleanField(default=False)
    direction = models.TextField(choices=Direction.choices, default=Direction.IN)
    thread_data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "tticket_email_log"
        constraints = [
            models.UniqueConstraint(fields=["ticket", "source_key"], name="tticket_email_log_once"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="tticket_email_log_direction_known"
            ),
        ]
        indexes = [
            models.Index(fields=["email_message_id"], name="tticket_email_log_message_id"),
            models.Index(fields=["source_key"], name="tticket_email_log_source_key"),
            models.Index(Lower("email_from"), F("id").desc(), name="tticket_email_log_lower_from"),
            models.Index(fields=["ticket", "email_received_at", "id"], name="tticket_email_log_thread"),
        ]

    def __str__(self) -> str:
        return self.email_message_id
