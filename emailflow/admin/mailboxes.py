"""Mailboxes: their form, and the buttons that talk to the server."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from emailflow import querysets
from emailflow.inbound.due import for_at_most
from emailflow.inbound.reconcile import reconcile
from emailflow.models import DeliveryState, Mailbox, MailboxCursor, Protocol
from emailflow.services.mailboxes import (
    archive_mailbox,
    bring_back_mailbox,
    pull_mailbox,
    save_mailbox,
    test_connection,
)
from tickets.admin.base import HubModelAdmin, LinesField, actor_of, badge, moment
from tickets.models import User

if TYPE_CHECKING:
    _MailboxModelForm = forms.ModelForm[Mailbox]
else:
    _MailboxModelForm = forms.ModelForm

# What makes a mailbox another place: reading starts anew, so somebody must say with what.
_PLACE = {"protocol", "host", "username", "folder", "path"}
_FETCH = {"start_policy", "start_days"}
_LABELS = {
    "smtp_host": "Server",
    "smtp_port": "Port",
    "smtp_security": "Security",
    "smtp_username": "User",
    "acknowledge": "Acknowledge new tickets",
}
# Seconds: below what a web server waits for an answer. The commands have no limit.
LONGEST_LOOK = 60
MOST_SET_ASIDE = 5
MOST_GAPS = 20


def _was_read(mailbox: Mailbox) -> bool:
    """Whether something has been read: before that, there is no place to leave."""
    return mailbox.pk is not None and MailboxCursor.objects.filter(mailbox=mailbox.pk).exists()


class MailboxForm(_MailboxModelForm):
    new_secret = forms.CharField(
        label="Password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="Kept encrypted and never shown again. Leave it empty to keep the one that is stored; "
        "when server or user change, enter it again.",
    )
    new_smtp_secret = forms.CharField(
        label="Password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="Kept encrypted and never shown again. When server, port, security or user change, enter it again.",
    )
    addresses = LinesField(help_text="Our addresses that deliver into this mailbox, one a line.")
    authserv_ids = LinesField(
        label="Names of our mail server",
        help_text="One a line: the names under which our own mail server reports SPF, DKIM and DMARC in "
        "Authentication-Results. Without one, no sender's address is believed.",
    )
    form_senders = LinesField(
        label="Web forms",
        help_text="One a line: sender addresses of web forms whose Reply-To is the real requester.",
    )
    fetch_confirmed = forms.BooleanField(
        label="Fetch this from the new place",
        required=False,
        help_text="Needed once when protocol, host, user, folder or path are changed.",
    )
    field_aliases: ClassVar = {"secret": "new_secret", "smtp_secret": "new_smtp_secret"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].label = "Short name"
            self.fields["slug"].help_text = "Letters, digits and hyphens; commands and rules name the mailbox by it."
            self.fields["slug"].error_messages["invalid"] = "Use letters, digits, hyphens and underscores only."
        for name, label in _LABELS.items():
            if name in self.fields:
                self.fields[name].label = label
        if "protocol" in self.fields:
            field: Any = self.fields["protocol"]
            field.choices = [choice for choice in Protocol.choices if choice[0] != Protocol.BUILTIN]

    def clean(self) -> Any:
        cleaned = super().clean()
        changed = set(self.changed_data)
        answered = _FETCH & changed or self.cleaned_data.get("fetch_confirmed")
        if _PLACE & changed and not answered and _was_read(self.instance):
            self.add_error(
                "start_policy",
                "The mail now comes from another place. Say what to fetch from it, then confirm it below.",
            )
        return cleaned


@admin.register(Mailbox)
class MailboxAdmin(HubModelAdmin):
    form = MailboxForm
    list_display = ("name", "protocol", "place", "condition", "last_success", "trouble", "team")
    list_filter = ("protocol", "enabled")
    list_select_related = ("team",)
    ordering = ("slug",)
    sortable_by = ()
    search_fields = ("slug",)
    search_help_text = "The beginning of the short name."
    actions = ("archive",)
    long_texts = ("signature",)
    readonly_fields = ("condition", "last_success", "trouble", "set_aside", "created_at")

    def scoped(self, user: User) -> QuerySet[Mailbox]:
        return querysets.mailboxes_for(user)

    def find(self, rows: QuerySet[Mailbox], text: str) -> QuerySet[Mailbox]:
        return rows.filter(slug__startswith=text.lower())

    def get_fieldsets(self, request: HttpRequest, obj: Mailbox | None = None) -> Any:
        ours = {"fields": ("addresses", "authserv_ids", "form_senders", "team")}
        answers = {"fields": (("from_name", "from_address"), "plus_addressing", "acknowledge", "signature")}
        outgoing = {
            "fields": (("smtp_host", "smtp_port", "smtp_security"), ("smtp_username", "new_smtp_secret")),
            "description": "Without a server here, the one of the setting EMAIL_URL sends.",
        }
        closed = {"fields": (("follow_up", "follow_up_days"),)}
        if obj is not None and obj.protocol == Protocol.BUILTIN:
            name = {"fields": (("name", "slug"), "condition")}
            return [(None, name), ("Who writes to it", ours), ("Mail to a closed ticket", closed)]
        first: dict[str, Any] = {"fields": (("name", "slug"), "enabled")}
        if obj is not None:
            first = {"fields": (("name", "slug"), "enabled", ("condition", "last_success"), "trouble", "set_aside")}
        server = ("protocol", ("host", "port", "security"), ("username", "new_secret"), "folder", "path")
        fetch: tuple[Any, ...] = (("start_policy", "start_days"),)
        if obj is not None and _was_read(obj):
            fetch = (*fetch, "fetch_confirmed")
        timing = (("interval", "silent_after"), ("after_read", "move_to"))
        return [
            (None, first),
            (
                "Where the mail is",
                {"fields": server, "description": "IMAP and POP3 need a host; a Maildir needs a path."},
            ),
            ("What to fetch at first", {"fields": fetch}),
            ("When, and what then", {"fields": timing}),
            ("Who writes to it", ours),
            ("Mail to a closed ticket", closed),
            ("Answers", answers),
            ("The server that sends", outgoing),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Mailbox | None = None) -> Any:
        fixed = tuple(super().get_readonly_fields(request, obj))
        return (*fixed, "slug") if obj is not None and obj.protocol == Protocol.BUILTIN else fixed

    def has_delete_permission(self, request: HttpRequest, obj: Mailbox | None = None) -> bool:
        """Never: its mail would lose its place. It is archived instead."""
        return False

    def write(self, request: HttpRequest, row: Mailbox, form: Any, change: bool) -> None:
        save_mailbox(
            actor=actor_of(request),
            mailbox=row,
            secret=form.cleaned_data.get("new_secret") or None,
            smtp_secret=form.cleaned_data.get("new_smtp_secret") or None,
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        name = "emailflow_mailbox"
        return [
            path("<int:mailbox_id>/test/", view(require_POST(self.test_view)), name=f"{name}_test"),
            path("<int:mailbox_id>/pull/", view(require_POST(self.pull_view)), name=f"{name}_pull"),
            path("<int:mailbox_id>/compare/", view(require_POST(self.compare_view)), name=f"{name}_compare"),
            path("<int:mailbox_id>/archive/", view(require_POST(self.archive_view)), name=f"{name}_archive"),
            path("<int:mailbox_id>/back/", view(require_POST(self.back_view)), name=f"{name}_back"),
            *super().get_urls(),
        ]

    def response_add(self, request: HttpRequest, obj: Mailbox, post_url_continue: Any = None) -> HttpResponse:
        return self._tested(request, obj) if "_test" in request.POST else super().response_add(request, obj)

    def response_change(self, request: HttpRequest, obj: Mailbox) -> HttpResponse:
        return self._tested(request, obj) if "_test" in request.POST else super().response_change(request, obj)

    def _tested(self, request: HttpRequest, mailbox: Mailbox) -> HttpResponse:
        self.message_user(request, f"{mailbox} is saved.", messages.SUCCESS)
        return self.test_view(request, mailbox.pk)

    def test_view(self, request: HttpRequest, mailbox_id: int) -> HttpResponse:
        mailbox = self._mailbox(request, mailbox_id)
        report = test_connection(mailbox)
        self._tell(request, report.sentences, report.ok)
        return HttpResponseRedirect(self.page_of(mailbox))

    def pull_view(self, request: HttpRequest, mailbox_id: int) -> HttpResponse:
        mailbox = self._mailbox(request, mailbox_id)
        report = pull_mailbox(mailbox, stopping=for_at_most(LONGEST_LOOK))
        self._tell(request, report.sentences, report.ok)
        return HttpResponseRedirect(self.page_of(mailbox))

    def compare_view(self, request: HttpRequest, mailbox_id: int) -> HttpResponse:
        """What the server has that the ledger has not; with ``fetch`` it is fetched."""
        mailbox = self._mailbox(request, mailbox_id)
        fetch = "fetch" in request.POST and mailbox.archived_at is None
        comparison = reconcile(mailbox, fetch=fetch, stopping=for_at_most(LONGEST_LOOK))
        for gap in comparison.gaps[:MOST_GAPS] if not comparison.all_fetched else ():
            self.message_user(request, str(gap), messages.WARNING)
        self._tell(request, comparison.sentences, not comparison.error)
        return HttpResponseRedirect(self.page_of(mailbox))

    def archive_view(self, request: HttpRequest, mailbox_id: int) -> HttpResponse:
        mailbox = self._mailbox(request, mailbox_id)
        self._archive(request, mailbox)
        return HttpResponseRedirect(self.page_of(mailbox))

    def back_view(self, request: HttpRequest, mailbox_id: int) -> HttpResponse:
        mailbox = self._mailbox(request, mailbox_id)
        self.attempt(
            request,
            lambda: bring_back_mailbox(actor=actor_of(request), mailbox=mailbox),
            f"{mailbox} is read again, from where reading ended.",
        )
        return HttpResponseRedirect(self.page_of(mailbox))

    def _tell(self, request: HttpRequest, sentences: list[str], ok: bool) -> None:
        """All that went well, then, last, what did not."""
        for number, sentence in enumerate(sentences, start=1):
            failed = not ok and number == len(sentences)
            self.message_user(request, sentence, messages.ERROR if failed else messages.SUCCESS)

    def _mailbox(self, request: HttpRequest, mailbox_id: int) -> Mailbox:
        mailbox: Mailbox = self.row_or_404(request, mailbox_id)
        if not self.has_change_permission(request, mailbox):
            raise PermissionDenied
        return mailbox

    def _archive(self, request: HttpRequest, mailbox: Mailbox) -> None:
        self.attempt(
            request,
            lambda: archive_mailbox(actor=actor_of(request), mailbox=mailbox),
            f"{mailbox} is archived: it is not read any more, and its mail stays.",
        )

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        for mailbox in queryset.order_by("pk"):
            self._archive(request, mailbox)

    @admin.display(description="Place")
    def place(self, row: Mailbox) -> str:
        if row.protocol == Protocol.MAILDIR:
            return row.path
        if row.protocol == Protocol.POP3:
            return f"{row.username} at {row.host}"
        return f"{row.username} at {row.host}, {row.folder}" if row.protocol == Protocol.IMAP else "-"

    @admin.display(description="Condition")
    def condition(self, row: Mailbox) -> SafeString:
        if row.archived_at is not None:
            return badge("Archived")
        if not row.enabled:
            return badge("Switched off")
        if row.protocol == Protocol.BUILTIN:
            return badge("Always there", "good")
        if row.last_error and (
            row.last_success_at is None or (row.last_error_at or timezone.now()) > row.last_success_at
        ):
            return badge("In trouble", "bad")
        return badge("Reading", "good") if row.last_success_at else badge("Not looked at yet", "warn")

    @admin.display(description="Last success")
    def last_success(self, row: Mailbox) -> str:
        return moment(row.last_success_at)

    @admin.display(description="Set aside")
    def set_aside(self, row: Mailbox) -> str:
        """What the server did not give in five tries; the newest few, for "Fetch what is missing" to try again."""
        rows = row.deliveries.filter(state=DeliveryState.UNFETCHABLE).order_by("-pk")[: MOST_SET_ASIDE + 1]
        texts = [f"{one.uid} ({one.last_error})" for one in rows[:MOST_SET_ASIDE]]
        return "; ".join(texts) + (" and more" if len(rows) > MOST_SET_ASIDE else "") if texts else "-"

    @admin.display(description="Last error")
    def trouble(self, row: Mailbox) -> str:
        return f"{moment(row.last_error_at)}: {row.last_error}" if row.last_error else "-"
