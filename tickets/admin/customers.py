"""Customers with their mail domains, and contacts."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tickets import querysets
from tickets.admin.base import HubModelAdmin, LinesField, actor_of, link_to, starts_with, user_of
from tickets.limits import row_id
from tickets.models import Contact, Customer, Ticket, User
from tickets.permissions import may_set_domains
from tickets.services.customers import delete_contact, delete_customer, save_contact, save_customer

if TYPE_CHECKING:
    _CustomerModelForm = forms.ModelForm[Customer]
    _ContactModelForm = forms.ModelForm[Contact]
else:
    _CustomerModelForm = _ContactModelForm = forms.ModelForm


class CustomerForm(_CustomerModelForm):
    domains = LinesField(
        label="Mail domains",
        help_text="One a line. Who writes from one of them belongs to this customer. Never a public mail "
        "provider's, such as gmail.com.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "domains" in self.fields and self.instance.pk:
            self.initial["domains"] = sorted(row.domain for row in self.instance.domains.all())


def _left_behind(customer_id: int) -> str:
    tickets = Ticket.objects.filter(customer=customer_id).count()
    contacts = Contact.objects.filter(customer=customer_id).count()
    if not tickets and not contacts:
        return "No ticket and no contact belongs to this customer."
    numbers = f"{tickets} ticket{'' if tickets == 1 else 's'} and {contacts} contact{'' if contacts == 1 else 's'}"
    return f"{numbers} will have no customer any more. They stay, and this cannot be undone."


@admin.register(Customer)
class CustomerAdmin(HubModelAdmin):
    form = CustomerForm
    fields = ("name", "domains", "notes", "elsewhere")
    readonly_fields = ("elsewhere",)
    read_as: ClassVar = {"domains": "domain_words"}
    long_texts: ClassVar = ("notes",)
    list_display = ("name_shown", "domain_words", "created_at")
    sortable_by = ("name_shown", "created_at")
    search_fields = ("name",)
    search_help_text = "The beginning of the name, or a whole mail domain."

    def scoped(self, user: User) -> QuerySet[Customer]:
        return querysets.customers_for(user).annotate(lower_name=Lower("name"))

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return ["lower_name"]

    def find(self, rows: QuerySet[Customer], text: str) -> QuerySet[Customer]:
        domain = text.lower().lstrip("@")
        return rows.filter(starts_with("lower_name", text.lower()) | Q(domains__domain=domain)).distinct()

    def is_offered(self, request: HttpRequest, name: str, obj: Any = None) -> bool:
        allowed = may_set_domains(user_of(request), is_new=obj is None)
        return allowed and super().is_offered(request, name, obj)

    def write(self, request: HttpRequest, row: Customer, form: Any, change: bool) -> None:
        domains = form.cleaned_data["domains"] if "domains" in form.changed_data else None
        save_customer(actor=actor_of(request), customer=row, domains=domains)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Tickets and contacts stay without their customer: how many is said before."""
        number = row_id(object_id)
        told = {"left_behind": _left_behind(number)} if number is not None else {}
        return super().delete_view(request, object_id, (extra_context or {}) | told)

    def delete_model(self, request: HttpRequest, obj: Customer) -> None:
        delete_customer(actor=actor_of(request), customer=obj)

    @admin.display(description="Name", ordering="lower_name")
    def name_shown(self, row: Customer) -> str:
        return row.name

    @admin.display(description="Mail domains")
    def domain_words(self, row: Customer) -> str:
        if row.pk is None:
            return "-"
        return ", ".join(sorted(one.domain for one in row.domains.all())) or "-"

    @admin.display(description="Elsewhere")
    def elsewhere(self, row: Customer) -> SafeString | str:
        if not row.pk:
            return "-"
        return format_html(
            '<a href="{}?customer__id__exact={}">Tickets</a> · <a href="{}?customer__id__exact={}">Contacts</a>',
            reverse("admin:tickets_ticket_changelist"),
            row.pk,
            reverse("admin:tickets_contact_changelist"),
            row.pk,
        )


class ContactForm(_ContactModelForm):
    language = forms.ChoiceField(required=False, choices=[("", "As the site"), ("en", "English"), ("da", "Dansk")])

    def clean_email(self) -> str:
        """Lower case before the table's constraint is asked; the service does the same for everybody else."""
        return str(self.cleaned_data["email"] or "").strip().lower()


@admin.register(Contact)
class ContactAdmin(HubModelAdmin):
    form = ContactForm
    fields = ("email", "name", "phone", "language", "customer", "elsewhere")
    readonly_fields = ("elsewhere",)
    autocomplete_fields = ("customer",)
    linked_lookups: ClassVar = ("customer__id__exact",)
    list_display = ("email", "name", "customer_link", "phone", "created_at")
    ordering = ("-created_at",)
    sortable_by = ("email", "created_at")
    search_fields = ("email",)
    search_help_text = "The beginning of the address."

    def scoped(self, user: User) -> QuerySet[Contact]:
        return querysets.contacts_for(user)

    def find(self, rows: QuerySet[Contact], text: str) -> QuerySet[Contact]:
        return rows.filter(starts_with("email", text.lower()))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "customer":
            kwargs["queryset"] = querysets.customers_for(user_of(request)).prefetch_related(None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def write(self, request: HttpRequest, row: Contact, form: Any, change: bool) -> None:
        save_contact(actor=actor_of(request), contact=row)

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        delete_contact(actor=actor_of(request), contact=obj)

    @admin.display(description="Customer")
    def customer_link(self, row: Contact) -> SafeString | str:
        return link_to(row.customer)

    @admin.display(description="Elsewhere")
    def elsewhere(self, row: Contact) -> SafeString | str:
        if not row.pk:
            return "-"
        address = reverse("admin:tickets_ticket_changelist")
        return format_html('<a href="{}?contact__id__exact={}">Tickets</a>', address, row.pk)
