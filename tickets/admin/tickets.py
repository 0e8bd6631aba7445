"""Tickets: the list, and the page with fields, thread, mails, participants and history."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tickets import querysets, search
from tickets.admin import thread
from tickets.admin.base import actor_of, badge, moment, user_of
from tickets.admin.conversation import ConversationViews, uploads_of
from tickets.limits import row_id
from tickets.models import OPEN_STATUSES, Comment, Priority, Source, Status, Team, Ticket, User
from tickets.services.tickets import change_ticket, open_ticket

if TYPE_CHECKING:
    _TicketModelForm = forms.ModelForm[Ticket]
else:
    _TicketModelForm = forms.ModelForm

# The ways in which a person opens a ticket; the others are Hub's own.
_BY_HAND = [(Source.PHONE, Source.PHONE.label), (Source.MANUAL, Source.MANUAL.label)]


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Any number of files; its value is a list."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        rows = data if isinstance(data, (list, tuple)) else [data]
        return [super(ManyFilesField, self).clean(row, initial) for row in rows if row]


class TicketForm(_TicketModelForm):
    """Fields that staff change; only what was really changed is written."""

    tag_names = forms.CharField(
        label="Tags", required=False, widget=AdminTextInputWidget, help_text="Separated by commas or spaces."
    )
    body_text = forms.CharField(label="What is it about?", widget=AdminTextareaWidget, required=False)
    uploads = ManyFilesField(required=False, label="Files")
    field_aliases: ClassVar = {"tags": "tag_names"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields.pop("body_text", None)
            self.fields.pop("uploads", None)
            if "tag_names" in self.fields:
                self.initial["tag_names"] = ", ".join(sorted(tag.name for tag in self.instance.tags.all()))
            for field in self.fields.values():
                # What a colleague changed while this page was open is not a change of this form.
                field.show_hidden_initial = True
        else:
            self.fields["subject"].required = True
            self.fields["source"].choices = _BY_HAND  # type: ignore[attr-defined]
            self.fields["source"].initial = Source.PHONE

    def clean_tag_names(self) -> list[str]:
        return str(self.cleaned_data["tag_names"] or "").replace(",", " ").split()


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unsolved", "Not solved yet"), *Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        if self.value() == "unsolved":
            return queryset.filter(status__in=OPEN_STATUSES)
        return queryset.filter(status=self.value()) if self.value() else queryset


class AssigneeFilter(admin.SimpleListFilter):
    title = "assignee"
    parameter_name = "assignee"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        users = User.objects.filter(is_active=True).order_by("username")
        return [("me", "Me"), ("nobody", "Nobody"), *((str(user.pk), str(user)) for user in users)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        value = self.value()
        if value == "me":
            return queryset.filter(assigned_to_user=user_of(request))
        if value == "nobody":
            return queryset.filter(assigned_to_user=None)
        number = row_id(value)
        return queryset if number is None else queryset.filter(assigned_to_user=number)


class TeamFilter(admin.SimpleListFilter):
    title = "team"
    parameter_name = "team"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Team.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        number = row_id(self.value())
        return queryset if number is None else queryset.filter(assigned_team=number)


class UnverifiedFilter(admin.SimpleListFilter):
    title = "strangers"
    parameter_name = "unverified"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Has unverified mail")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        if self.value() != "1":
            return queryset
        return queryset.filter(pk__in=Comment.objects.filter(is_unverified=True).values("ticket"))


@admin.register(Ticket)
class TicketAdmin(ConversationViews):
    form = TicketForm
    list_display = (
        "number",
        "subject_line",
        "status_word",
        "priority_word",
        "requester",
        "assignee",
        "tag_words",
        "updated",
    )
    list_display_links = ("number", "subject_line")
    list_filter = (
        StatusFilter,
        "priority",
        AssigneeFilter,
        TeamFilter,
        "source",
        UnverifiedFilter,
    )
    ordering = ("-updated_at",)
    sortable_by = ("priority_word", "updated")
    search_fields = ("subject",)
    search_help_text = "Words of subject, messages and file names; a ticket number; a requester's address."
    autocomplete_fields = ("customer", "contact")
    linked_lookups: ClassVar = ("customer__id__exact", "contact__id__exact")
    actions = ("take", "resolve")
    readonly_fields = ("source_word", "opened", "updated", "merged", "extra")

    def scoped(self, user: User) -> QuerySet[Ticket]:
        return querysets.tickets_for(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        rows = super().get_queryset(request)
        # The opening text can be long, and neither list nor page shows it: it is the first message.
        return rows.defer("description")

    def find(self, rows: QuerySet[Ticket], text: str) -> QuerySet[Ticket]:
        return search.search(rows, text)

    def get_fieldsets(self, request: HttpRequest, obj: Ticket | None = None) -> Any:
        who = ("contact", "customer")
        # A field of the form alone has no value where the page is read only.
        tags = "tag_names" if obj is None or self.has_change_permission(request, obj) else "tag_words"
        assignment = ("assigned_to_user", "assigned_team")
        if obj is None:
            first = ("subject", "body_text", "uploads", "source")
            return [
                (None, {"fields": (*first, who, ("priority", "category"), assignment, "tag_names")}),
            ]
        return [
            (None, {"fields": ("subject", ("status", "priority", "category"), who, assignment, tags)}),
            (
                "More",
                {"classes": ("collapse",), "fields": ("source_word", "opened", "updated", "merged", "extra")},
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Ticket | None = None) -> Any:
        fixed = tuple(super().get_readonly_fields(request, obj))
        if not request.user.has_perm("tickets.assign_ticket"):
            fixed += ("assigned_to_user", "assigned_team")
        return fixed

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        user = user_of(request)
        if db_field.name == "customer":
            kwargs["queryset"] = querysets.customers_for(user).prefetch_related(None)
        elif db_field.name == "contact":
            kwargs["queryset"] = querysets.contacts_for(user)
        elif db_field.name == "assigned_to_user":
            kwargs["queryset"] = User.objects.filter(is_active=True).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in ("assigned_to_user", "assigned_team") and field is not None:
            # Staff are made on their own page; the buttons beside the field only take room.
            field.widget = field.widget.widget
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        return settings.TICKET_ENABLED and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Ticket | None = None) -> bool:
        return settings.TICKET_ENABLED and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Ticket | None = None) -> bool:
        return False

    def write(self, request: HttpRequest, row: Ticket, form: Any, change: bool) -> None:
        data = form.cleaned_data
        if change:
            names = {"tag_names": "tags"}
            changes = {names.get(name, name): data[name] for name in form.changed_data}
            change_ticket(actor=actor_of(request), ticket=row, changes=changes)
            return
        opened = open_ticket(
            actor=actor_of(request),
            subject=data["subject"],
            body_text=data["body_text"],
            source=data["source"],
            priority=data["priority"],
            category=data["category"],
            customer=data["customer"],
            contact=data["contact"],
            author_user=user_of(request),
            assigned_to_user=data.get("assigned_to_user"),
            assigned_team=data.get("assigned_team"),
            tags=data["tag_names"],
            uploads=uploads_of(data["uploads"]),
        )
        # What the stock view says of the new row and where it goes from here.
        row.pk, row.ticket_number = opened.pk, opened.ticket_number

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        ticket = kwargs.get("obj")
        if ticket is not None:
            context |= thread.page_of(ticket, user_of(request))
            context["may_write"] = self.has_change_permission(request, ticket)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Assign to me", permissions=["change"])
    def take(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._change_all(request, queryset, {"assigned_to_user": user_of(request)}, "assigned to you")

    @admin.action(description="Mark as resolved", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self._change_all(request, queryset, {"status": Status.RESOLVED}, "resolved")

    def _change_all(self, request: HttpRequest, tickets: QuerySet[Ticket], changes: dict[str, Any], what: str) -> None:
        if "assigned_to_user" in changes and not user_of(request).has_perm("tickets.assign_ticket"):
            raise PermissionDenied
        changed = 0
        for ticket in tickets.order_by("pk"):
            changed += self.attempt(
                request,
                lambda ticket=ticket: change_ticket(  # type: ignore[misc]
                    actor=actor_of(request), ticket=ticket, changes=changes
                ),
                "",
            )
        self.message_user(request, f"{changed} ticket{'' if changed == 1 else 's'} {what}.")

    @admin.display(description="Number")
    def number(self, row: Ticket) -> str:
        return row.ticket_number

    @admin.display(description="Subject")
    def subject_line(self, row: Ticket) -> str:
        return row.subject or "(no subject)"

    @admin.display(description="Status")
    def status_word(self, row: Ticket) -> SafeString:
        tones = {Status.OPEN: "warn", Status.RESOLVED: "good", Status.CLOSED: "good"}
        return badge(row.get_status_display(), tones.get(Status(row.status), ""))

    @admin.display(description="Priority", ordering="priority_rank")
    def priority_word(self, row: Ticket) -> SafeString:
        tones = {Priority.CRITICAL: "bad", Priority.HIGH: "warn"}
        return badge(row.get_priority_display(), tones.get(Priority(row.priority), ""))

    @admin.display(description="Requester")
    def requester(self, row: Ticket) -> SafeString | str:
        """The contact, and below it the customer."""
        person = str(row.contact.name or row.contact.email) if row.contact else "-"
        if row.customer is None:
            return person
        return format_html('{}<br><span class="hub-quiet">{}</span>', person, row.customer)

    @admin.display(description="Assignee")
    def assignee(self, row: Ticket) -> str:
        return str(row.assigned_to_user or row.assigned_team or "-")

    @admin.display(description="Tags")
    def tag_words(self, row: Ticket) -> str:
        return ", ".join(tag.name for tag in row.tags.all()) or "-"

    @admin.display(description="Updated", ordering="updated_at")
    def updated(self, row: Ticket) -> str:
        return moment(row.updated_at)

    @admin.display(description="Opened")
    def opened(self, row: Ticket) -> str:
        return moment(row.created_at)

    @admin.display(description="Came by")
    def source_word(self, row: Ticket) -> str:
        return row.get_source_display()

    @admin.display(description="Merged into")
    def merged(self, row: Ticket) -> str:
        return f"ticket {row.merged_into_id}" if row.merged_into_id else "-"

    @admin.display(description="Custom fields")
    def extra(self, row: Ticket) -> str:
        return ", ".join(f"{name}: {value}" for name, value in row.custom_fields.items()) or "-"
