"""One row a searchable text. Services fill it, ``tickets.search`` asks it; the full-text index hangs on it."""

from django.db import models

from tickets.models.ticket import Ticket


class SearchKind(models.TextChoices):
    SUBJECT = "subject", "Subject"
    COMMENT = "comment", "Message"
    NOTE = "note", "Note"
    ATTACHMENT = "attachment", "Attachment name"


class SearchText(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="search_texts")
    kind = models.TextField(choices=SearchKind.choices)
    text = models.TextField()

    class Meta:
        db_table = "tticket_search"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} of {self.ticket_id}"
