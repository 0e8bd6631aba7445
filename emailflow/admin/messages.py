"""The mail ledger: every mail that ever arrived, and why it became what it became."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from emailflow import querysets
from emailflow.admin import front, words
from emailflow.inbound.trace import sentences
from emailflow.models import Label, Message, Outcome, State, Trace
from emailflow.services.messages import ignore, make_ticket, reprocess
from tickets import blobs
from tickets.admin.base import ReadOnlyAdmin, actor_of, badge, link_to, moment, pretty, user_of
from tickets.limits import row_id
from tickets.models import User
from tickets.views.files import file_response

_STATE_TONES = {State.FAILED: "bad", State.WAITING: "warn", State.PROCESSED: "good"}
_OUTCOME_TONES = {
    Outcome.UNROUTED: "warn",
    Outcome.TICKET_CREATED: "good",
    Outcome.LINKED: "good",
}
MOST_SHOWN = 50


class ColumnFilter(admin.SimpleListFilter):
    """One value of a plain column. The stock filter would look for all values that occur in the whole table."""

    column = ""
    values: dict[str, str] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.values.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class KindFilter(ColumnFilter):
    title, parameter_name, column, values = "kind", "kind", "kind", words.KINDS


class VerdictFilter(ColumnFilter):
    title, parameter_name, column, values = "sender", "verdict", "sender_verdict", words.VERDICTS


class LabelFilter(ColumnFilter):
    title, parameter_name, column = "label", "label", "label"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Label.objects.values_list("slug", "name"))


class MailboxFilter(ColumnFilter):
    title, parameter_name, column = "mailbox", "mailbox", "mailbox"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = querysets.mailboxes_for(user_of(request)).order_by("slug")
        return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        return queryset if row_id(self.value()) is None else super().queryset(request, queryset)


class TroubleFilter(ColumnFilter):
    title, parameter_name, column = "trouble", "trouble", "trouble_since"
    values = {"1": "For more than a day"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        if self.value() != "1":
            return queryset
        return queryset.filter(state=State.WAITING, trouble_since__lt=timezone.now() - front.TROUBLE)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    change_form_template = "admin/emailflow/message/change_form.html"
    list_display = (
        "received",
        "sender_and_verdict",
        "subject_line",
        "became",
        "label_and_kind",
        "mailbox_name",
    )
    list_display_links = ("subject_line",)
    list_filter = (
        "state",
        "outcome",
        MailboxFilter,
        LabelFilter,
        KindFilter,
        VerdictFilter,
        TroubleFilter,
    )
    # The order in which mail was stored: a mail that was read late is new all the same. The filters' indexes have it.
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("message_id",)
    search_help_text = "A Message-ID with its angle brackets, or the id of a mail."
    actions = ("reprocess_all", "ignore_all", "make_tickets")
    fieldsets = (
        (None, {"fields": ("subject_line", ("sender", "received"), ("mailbox_name", "size_words"))}),
        (
            "What became of it",
            {"fields": (("state_word", "outcome_word"), "ticket_link", "problem", "duplicate")},
        ),
        ("What it is", {"fields": ("kind_word", "verdict_word", "label_word", "message_id")}),
    )

    def scoped(self, user: User) -> QuerySet[Message]:
        return querysets.messages_for(user)

    def find(self, rows: QuerySet[Message], text: str) -> QuerySet[Message]:
        if (number := row_id(text)) is not None:
            return rows.filter(pk=number)
        return rows.filter(message_id=text)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return user_of(request).has_perm("emailflow.replay_message")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "emailflow_message"
        return [
            path("<int:message_pk>/raw/", view(require_safe(self.raw_view)), name=f"{name}_raw"),
            path("<int:message_pk>/do/", view(require_POST(self.do_view)), name=f"{name}_do"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        mail: Message = kwargs["obj"]
        user = user_of(request)
        trace = Trace.objects.filter(message=mail.pk).first()
        context |= {
            "mail": mail,
            "trace": _told(mail, trace),
            "executions": list(querysets.executions_for(user).filter(message=mail.pk).order_by("-id")[:MOST_SHOWN]),
            "deliveries": list(
                querysets.deliveries_for(user)
                .filter(message=mail.pk)
                .select_related("mailbox")
                .order_by("id")[:MOST_SHOWN]
            ),
            "may_replay": self.has_replay_permission(request),
            "may_see_raw": user.has_perm("emailflow.view_raw_message"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def raw_view(self, request: HttpRequest, message_pk: int) -> HttpResponseBase:
        """The mail as it came, as a download. Needs a permission of its own."""
        mail: Message = self.row_or_404(request, message_pk)
        if not user_of(request).has_perm("emailflow.view_raw_message"):
            raise PermissionDenied
        try:
            stream = blobs.open_blob(mail.sha256)
        except blobs.BlobMissing:
            text = "The raw mail is not kept any more (MAIL_RAW_RETENTION_DAYS)."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(self.page_of(mail))
        return file_response(stream, name=f"mail-{mail.pk}.eml", mime_type="message/rfc822")

    def do_view(self, request: HttpRequest, message_pk: int) -> HttpResponse:
        """The buttons of the page."""
        mail: Message = self.row_or_404(request, message_pk)
        if not self.has_replay_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk=mail.pk)
        wish = request.POST.get("wish")
        if wish == "reprocess":
            self.reprocess_all(request, rows)
        elif wish == "ignore":
            self.ignore_all(request, rows)
        elif wish == "ticket":
            self.make_tickets(request, rows)
        return HttpResponseRedirect(self.page_of(mail))

    @admin.action(description="Process again, with today's rules", permissions=["replay"])
    def reprocess_all(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        rows = list(queryset.order_by("pk"))
        done = f"{_mails(len(rows))} will be processed again."
        self.attempt(request, lambda: reprocess(actor=actor_of(request), messages=rows), done)

    @admin.action(description="Ignore", permissions=["replay"])
    def ignore_all(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        rows = list(queryset.order_by("pk"))
        self.attempt(request, lambda: ignore(actor=actor_of(request), messages=rows), f"{_mails(len(rows))} ignored.")

    @admin.action(description="Make a ticket", permissions=["replay"])
    def make_tickets(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        if not user_of(request).has_perm("tickets.add_ticket"):
            raise PermissionDenied
        for mail in queryset.order_by("pk"):
            self.attempt(
                request,
                lambda mail=mail: make_ticket(actor=actor_of(request), message=mail),  # type: ignore[misc]
                f"{mail.subject or 'The mail'} has a ticket now.",
            )

    @admin.display(description="Received")
    def received(self, row: Message) -> str:
        return moment(row.received_at)

    @admin.display(description="From")
    def sender(self, row: Message) -> str:
        if row.from_name and row.from_address:
            return f"{row.from_name} <{row.from_address}>"
        return row.from_address or row.from_name or "(nobody)"

    @admin.display(description="From")
    def sender_and_verdict(self, row: Message) -> SafeString:
        return _two_lines(self.sender(row), self.verdict_word(row) if row.sender_verdict else "")

    @admin.display(description="Label and kind")
    def label_and_kind(self, row: Message) -> SafeString:
        return _two_lines(self.label_word(row), self.kind_word(row) if row.kind else "")

    @admin.display(description="What became of it")
    def became(self, row: Message) -> SafeString:
        """The outcome of what is processed, the state of everything else; below it the ticket."""
        word = self.outcome_word(row) if row.outcome else self.state_word(row)
        return _two_lines(word, self.ticket_link(row) if row.ticket else "")

    @admin.display(description="Subject")
    def subject_line(self, row: Message) -> str:
        return row.subject[:200] or "(no subject)"

    @admin.display(description="State")
    def state_word(self, row: Message) -> SafeString:
        return badge(row.get_state_display(), _STATE_TONES.get(State(row.state), ""))

    @admin.display(description="Outcome")
    def outcome_word(self, row: Message) -> SafeString | str:
        if not row.outcome:
            return "-"
        return badge(row.get_outcome_display(), _OUTCOME_TONES.get(Outcome(row.outcome), ""))

    @admin.display(description="Label")
    def label_word(self, row: Message) -> str:
        if not row.label:
            return "-"
        return row.label if row.confidence is None else f"{row.label} ({row.confidence:.0%})"

    @admin.display(description="Kind")
    def kind_word(self, row: Message) -> str:
        return words.KINDS.get(row.kind, row.kind or "-")

    @admin.display(description="Sender's address")
    def verdict_word(self, row: Message) -> str:
        return words.VERDICTS.get(row.sender_verdict, row.sender_verdict or "-")

    @admin.display(description="Mailbox")
    def mailbox_name(self, row: Message) -> str:
        return row.mailbox.name

    @admin.display(description="Ticket")
    def ticket_link(self, row: Message) -> SafeString | str:
        return link_to(row.ticket, row.ticket.ticket_number) if row.ticket else "-"

    @admin.display(description="Size")
    def size_words(self, row: Message) -> str:
        kept = "" if row.raw_kept else " (the raw mail is not kept any more)"
        return f"{row.size / 1024:,.1f} kB{kept}"

    @admin.display(description="Error")
    def problem(self, row: Message) -> str:
        if not row.last_error:
            return "-"
        if row.state == State.PROCESSED:
            return row.last_error
        tries = f"{row.attempts} {'try' if row.attempts == 1 else 'tries'} so far"
        again = f", the next at {moment(row.next_attempt_at)}" if row.state == State.WAITING else ""
        return f"{row.last_error} ({tries}{again})"

    @admin.display(description="Repeats")
    def duplicate(self, row: Message) -> SafeString | str:
        if row.duplicate_of_id is None:
            return "-"
        page = reverse("admin:emailflow_message_change", args=[row.duplicate_of_id])
        return format_html('<a href="{}">mail {}</a>', page, row.duplicate_of_id)


def _mails(number: int) -> str:
    return f"{number} mail{'' if number == 1 else 's'}"


def _two_lines(first: str, second: str) -> SafeString:
    return format_html('{}<br><span class="hub-quiet">{}</span>', first, second) if second else format_html("{}", first)


def _told(mail: Message, trace: Trace | None) -> dict[str, Any]:
    """The trace for the page: sentences, of which those about the plan stand under their rule, and results."""
    lines = [{"text": line.removeprefix("→ "), "under": line.startswith("→ ")} for line in sentences(mail)]
    results = [
        f"{ran['workflow']}: {words.result(result)}"
        for ran in (trace.results if trace else [])
        for result in ran.get("results", [])
    ]
    return {"lines": lines, "results": results, "stored": _stored(trace) if trace else ""}


def _stored(trace: Trace) -> SafeString:
    names = ("facts", "signals", "rules", "plan", "results")
    return pretty({name: getattr(trace, name) for name in names})
