"""What each rule did to each mail: results and errors, for reading."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from emailflow import querysets
from emailflow.admin import words
from emailflow.models import Execution, ExecutionStatus
from tickets.admin.base import ReadOnlyAdmin, badge, link_to, pretty
from tickets.limits import row_id
from tickets.models import User

_TONES = {ExecutionStatus.SUCCESS: "good", ExecutionStatus.FAILED: "bad", ExecutionStatus.SKIPPED: ""}


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "workflow_name", "status_word", "mail", "result", "error_line", "dry_run")
    list_filter = ("status", "dry_run", "workflow")
    ordering = ("-created_at",)
    sortable_by = ("created_at",)
    search_fields = ("workflow_name",)
    search_help_text = "The id of a mail, or the whole name of a rule."
    fields = (
        *(
            "created_at",
            "workflow_link",
            "status_word",
            "mail",
            "run",
            "dry_run",
            "result",
            "error",
            "duration",
        ),
        "results_shown",
    )

    def scoped(self, user: User) -> QuerySet[Execution]:
        return querysets.executions_for(user)

    def find(self, rows: QuerySet[Execution], text: str) -> QuerySet[Execution]:
        if (number := row_id(text)) is not None:
            return rows.filter(message=number)
        return rows.filter(workflow__name=text)

    @admin.display(description="Status")
    def status_word(self, row: Execution) -> SafeString:
        return badge(row.get_status_display(), _TONES.get(ExecutionStatus(row.status), ""))

    @admin.display(description="Mail")
    def mail(self, row: Execution) -> SafeString | str:
        return link_to(row.message)

    @admin.display(description="Rule")
    def workflow_link(self, row: Execution) -> SafeString | str:
        return link_to(row.workflow) if row.workflow else f"{row.workflow_name} (deleted)"

    @admin.display(description="Result")
    def result(self, row: Execution) -> str:
        return " ".join(words.result(one) for one in row.results) or "-"

    @admin.display(description="Error")
    def error_line(self, row: Execution) -> str:
        return row.error[:160]

    @admin.display(description="Results as stored")
    def results_shown(self, row: Execution) -> SafeString:
        return pretty(row.results)
