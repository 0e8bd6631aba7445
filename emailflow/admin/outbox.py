"""What goes out, or did not and why; and the addresses that get nothing."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from emailflow import querysets
from emailflow.admin.messages import MailboxFilter
from emailflow.models import OutboxState, Outgoing, Suppression
from emailflow.services.outbox import RETRYABLE, STOPPABLE, cancel, release, retry
from tickets.admin.base import ReadOnlyAdmin, actor_of, badge, link_to, moment, starts_with, user_of
from tickets.limits import row_id
from tickets.models import User

_TONES = {
    OutboxState.SENT: "good",
    OutboxState.FAILED: "bad",
    OutboxState.BOUNCED: "bad",
    OutboxState.SUPPRESSED: "warn",
}


@admin.register(Outgoing)
class OutgoingAdmin(ReadOnlyAdmin):
    change_form_template = "admin/emailflow/outgoing/change_form.html"
    list_display = ("made", "to", "subject_line", "condition", "next_try", "ticket_link", "mailbox")
    list_display_links = ("subject_line",)
    list_filter = ("state", "kind", MailboxFilter)
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("recipient",)
    search_help_text = "The recipient's address, a Message-ID with its angle brackets, or the id of a mail."
    actions = ("retry_all", "cancel_all")
    fieldsets = (
        (None, {"fields": ("subject_line", ("to", "made"), ("kind", "mailbox_name", "ticket_link"))}),
        ("What became of it", {"fields": (("condition", "next_try"), ("attempts", "smtp_code", "sent"), "trouble")}),
        ("The mail", {"fields": ("sender", "envelope_from", "header_message_id", "written")}),
    )

    def scoped(self, user: User) -> QuerySet[Outgoing]:
        return querysets.outgoing_for(user)

    def find(self, rows: QuerySet[Outgoing], text: str) -> QuerySet[Outgoing]:
        if (number := row_id(text)) is not None:
            return rows.filter(pk=number)
        return rows.filter(header_message_id=text) if text.startswith("<") else rows.filter(recipient=text.lower())

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return user_of(request).has_perm("emailflow.change_outgoing")

    def get_urls(self) -> list[Any]:
        do = self.admin_site.admin_view(require_POST(self.do_view))
        return [path("<int:outgoing_pk>/do/", do, name="emailflow_outgoing_do"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        state, may = kwargs["obj"].state, self.has_steer_permission(request)
        context |= {"may_retry": may and state in RETRYABLE, "may_cancel": may and state in STOPPABLE}
        return super().render_change_form(request, context, *args, **kwargs)

    def do_view(self, request: HttpRequest, outgoing_pk: int) -> HttpResponse:
        """The buttons of the page."""
        row: Outgoing = self.row_or_404(request, outgoing_pk)
        if not self.has_steer_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk=row.pk)
        if request.POST.get("wish") == "retry":
            self.retry_all(request, rows)
        elif request.POST.get("wish") == "cancel":
            self.cancel_all(request, rows)
        return HttpResponseRedirect(self.page_of(row))

    @admin.action(description="Send again now", permissions=["steer"])
    def retry_all(self, request: HttpRequest, queryset: QuerySet[Outgoing]) -> None:
        rows = list(queryset.select_related("comment").order_by("pk"))
        self.attempt(request, lambda: retry(actor=actor_of(request), rows=rows), f"{_mails(len(rows))} will be sent.")

    @admin.action(description="Do not send", permissions=["steer"])
    def cancel_all(self, request: HttpRequest, queryset: QuerySet[Outgoing]) -> None:
        rows = list(queryset.order_by("pk"))
        done = f"{_mails(len(rows))} will not be sent."
        self.attempt(request, lambda: cancel(actor=actor_of(request), rows=rows), done)

    @admin.display(description="Made")
    def made(self, row: Outgoing) -> str:
        return moment(row.created_at)

    @admin.display(description="To")
    def to(self, row: Outgoing) -> str:
        return f"{row.recipient_name} <{row.recipient}>" if row.recipient_name else row.recipient

    @admin.display(description="Subject")
    def subject_line(self, row: Outgoing) -> str:
        return row.subject[:200] or "(no subject)"

    @admin.display(description="What became of it")
    def condition(self, row: Outgoing) -> SafeString:
        """The state, and below it why."""
        word = badge(row.get_state_display(), _TONES.get(OutboxState(row.state), ""))
        why = row.reason or row.last_error
        return format_html('{}<br><span class="hub-quiet">{}</span>', word, why) if why else word

    @admin.display(description="Next try")
    def next_try(self, row: Outgoing) -> str:
        return moment(row.not_before) if row.state in (OutboxState.HELD, OutboxState.QUEUED) else "-"

    @admin.display(description="Sent")
    def sent(self, row: Outgoing) -> str:
        return moment(row.sent_at)

    @admin.display(description="Last error")
    def trouble(self, row: Outgoing) -> str:
        return row.last_error or "-"

    @admin.display(description="Mailbox")
    def mailbox_name(self, row: Outgoing) -> str:
        return row.mailbox.name if row.mailbox else "-"

    @admin.display(description="Ticket")
    def ticket_link(self, row: Outgoing) -> SafeString | str:
        return link_to(row.ticket, row.ticket.ticket_number) if row.ticket else "-"

    @admin.display(description="Text")
    def written(self, row: Outgoing) -> SafeString:
        return format_html("<pre class=hub-pre>{}</pre>", row.text)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """Rows come from bounces and complaints; staff release them."""

    list_display = ("address", "reason", "since", "mail")
    fields = ("address", "reason", "since", "mail")
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("address",)
    search_help_text = "The beginning of an address."
    actions = ("release_all",)

    def scoped(self, user: User) -> QuerySet[Suppression]:
        return querysets.suppressions_for(user).select_related("outgoing")

    def find(self, rows: QuerySet[Suppression], text: str) -> QuerySet[Suppression]:
        return rows.filter(starts_with("address", text.lower()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).has_perm("emailflow.delete_suppression")

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        release(actor=actor_of(request), suppressions=[obj])

    @admin.action(description="Release: may have mail again", permissions=["delete"])
    def release_all(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        rows = list(queryset.order_by("pk"))
        done = "1 address may have mail again." if len(rows) == 1 else f"{len(rows)} addresses may have mail again."
        self.attempt(request, lambda: release(actor=actor_of(request), suppressions=rows), done)

    @admin.display(description="Since")
    def since(self, row: Suppression) -> str:
        return moment(row.created_at)

    @admin.display(description="Because of")
    def mail(self, row: Suppression) -> SafeString | str:
        return link_to(row.outgoing, f"mail {row.outgoing_id}") if row.outgoing else "-"


def _mails(number: int) -> str:
    return f"{number} mail{'' if number == 1 else 's'}"
