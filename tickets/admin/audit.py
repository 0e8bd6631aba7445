"""The audit log, for reading."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from tickets import querysets
from tickets.admin import words
from tickets.admin.base import ReadOnlyAdmin, pretty
from tickets.limits import row_id
from tickets.models import AuditEntry, User


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "sentence", "entity_type", "entity_id", "ticket_id")
    list_display_links = ("created_at", "sentence")
    list_filter = ("actor_type",)
    linked_lookups: ClassVar = ("entity_type__exact", "entity_id__exact")
    ordering = ("-created_at",)
    sortable_by = ("created_at",)
    search_fields = ("ticket_id",)
    search_help_text = "What was changed and its id, such as: mailbox 3. A number alone is that of a ticket row."
    fields = (
        *("created_at", "sentence", "action", "entity_type", "entity_id", "ticket_id", "before", "after"),
        "request_id",
    )

    def scoped(self, user: User) -> QuerySet[AuditEntry]:
        return querysets.audit_for(user)

    def find(self, rows: QuerySet[AuditEntry], text: str) -> QuerySet[AuditEntry]:
        what, _, last = text.rpartition(" ")
        number = row_id(last)
        if number is None:
            return rows.filter(entity_type=text.lower())
        if not what:
            return rows.filter(ticket_id=number)
        return rows.filter(entity_type=what.strip().lower(), entity_id=number)

    @admin.display(description="What happened")
    def sentence(self, row: AuditEntry) -> str:
        return words.sentence(row)

    @admin.display(description="Before")
    def before(self, row: AuditEntry) -> SafeString:
        return pretty(row.old_values)

    @admin.display(description="After")
    def after(self, row: AuditEntry) -> SafeString:
        return pretty(row.new_values)
