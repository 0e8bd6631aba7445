"""The words of acknowledgements and answers: an editor with its placeholders beside it, and a preview."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from emailflow import querysets
from emailflow.models import Mailbox, OutboxKind, Template
from emailflow.outbound.compose import Composed
from emailflow.outbound.templates import ACKNOWLEDGEMENT, DEFAULTS, FALLBACK, PLACEHOLDERS
from emailflow.services.templates import delete_template, preview_template, save_template
from tickets.admin.base import HubModelAdmin, actor_of, no_cache, user_of
from tickets.errors import ServiceError
from tickets.limits import row_id
from tickets.models import Ticket, User
from tickets.querysets import visible_tickets
from tickets.storable import storable

if TYPE_CHECKING:
    _TemplateModelForm = forms.ModelForm[Template]
else:
    _TemplateModelForm = forms.ModelForm


class TemplateForm(_TemplateModelForm):
    def _get_validation_exclusions(self) -> set[str]:
        """A second template of one kind: the service says it in words, the stock form names a constraint."""
        return {*super()._get_validation_exclusions(), "kind"}  # type: ignore[misc]


@admin.register(Template)
class TemplateAdmin(HubModelAdmin):
    form = TemplateForm
    change_form_template = "admin/emailflow/template/change_form.html"
    fields = (("kind", "language"), "mailbox", "subject", "body", "placeholders")
    readonly_fields = ("placeholders",)
    list_display = ("kind", "language", "whose", "subject")
    list_filter = ("kind", "language")
    list_select_related = ("mailbox",)
    ordering = ("kind",)
    sortable_by = ()
    long_texts: ClassVar = ("body",)

    def scoped(self, user: User) -> QuerySet[Template]:
        return querysets.templates_for(user)

    def write(self, request: HttpRequest, row: Template, form: Any, change: bool) -> None:
        save_template(actor=actor_of(request), template=row)

    def delete_model(self, request: HttpRequest, obj: Template) -> None:
        delete_template(actor=actor_of(request), template=obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Hub's own words, to begin with."""
        given = super().get_changeform_initial_data(request)
        kind, language = str(given.get("kind", ACKNOWLEDGEMENT)), str(given.get("language", FALLBACK))
        words = DEFAULTS.get((kind, language), DEFAULTS[ACKNOWLEDGEMENT, FALLBACK])
        return {"kind": kind, "language": language, "subject": words.subject, "body": words.body, **given}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "body":
            field.widget = AdminTextareaWidget(attrs={"rows": 14})
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "mailbox":
            kwargs["queryset"] = querysets.mailboxes_for(user_of(request))
            kwargs["empty_label"] = "All that have no template of their own"
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="Placeholders")
    def placeholders(self, row: Template) -> SafeString:
        return format_html_join(
            "",
            "<p><strong>{}</strong></p><ul>{}</ul>",
            (
                (
                    OutboxKind(kind).label,
                    format_html_join("", "<li><code>{{{}}}</code> {}</li>", names.items()),
                )
                for kind, names in PLACEHOLDERS.items()
            ),
        )

    @admin.display(description="Mailbox")
    def whose(self, row: Template) -> str:
        return str(row.mailbox) if row.mailbox else "All others"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", view, name="emailflow_template_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The mail that what stands in the editor would give, for a ticket that the user may see. Saves nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        mail: Composed | None = None
        error = ""
        ticket = self._ticket(request)
        try:
            if ticket is None:
                raise ServiceError("There is no such ticket that you may see.", field="ticket")
            mail = preview_template(self._typed(request), ticket=ticket, agent=user_of(request))
        except ServiceError as refusal:
            error = refusal.message
        context = {
            **self.admin_site.each_context(request),
            "title": "Preview",
            "opts": self.opts,
            "ticket": ticket,
            "mail": mail,
            "error": error,
        }
        status = 200 if mail else 400
        return no_cache(TemplateResponse(request, "admin/emailflow/template/preview.html", context, status=status))

    def _ticket(self, request: HttpRequest) -> Ticket | None:
        """The one that is named, else the newest."""
        tickets = visible_tickets(user_of(request)).select_related("contact")
        number = storable(request.POST.get("preview_ticket", "")).strip().upper()
        if number:
            return tickets.filter(ticket_number=number).first()
        return tickets.order_by("-created_at", "-id").first()

    def _typed(self, request: HttpRequest) -> Template:
        mailbox_id = row_id(request.POST.get("mailbox"))
        mailboxes = querysets.mailboxes_for(user_of(request))
        mailbox: Mailbox | None = mailboxes.filter(pk=mailbox_id).first() if mailbox_id is not None else None
        return Template(
            kind=request.POST.get("kind", ""),
            language=request.POST.get("language", ""),
            mailbox=mailbox,
            subject=request.POST.get("subject", ""),
            body=request.POST.get("body", ""),
        )
