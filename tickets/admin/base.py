"""What all admin classes of both apps share: scoped lists, writes through services, cheap pages.

A subclass says with ``scoped`` what its user may see, and with ``write`` which service saves. The stock admin
writes rows itself; here nothing but a service does.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import connection, models
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tickets.actors import Actor
from tickets.admin.changelist import CappedPaginator, KeysetChangeList
from tickets.errors import ServiceError
from tickets.limits import row_id
from tickets.models import User
from tickets.storable import is_storable

# What the stock filters put behind the name of their column.
_OPERATORS = ("", "__exact", "__id__exact", "__isnull")

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


def user_of(request: HttpRequest) -> User:
    """The member of staff behind a request of the admin, which lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def actor_of(request: HttpRequest) -> Actor:
    return Actor.of_user(user_of(request))


def starts_with(column: str, text: str) -> Q:
    """A prefix search that an index answers: LIKE on PostgreSQL, a range on SQLite, whose LIKE uses none."""
    if connection.vendor == "sqlite":
        return Q(**{f"{column}__gte": text, f"{column}__lt": text + "\U0010ffff"})
    return Q(**{f"{column}__startswith": text})


def moment(value: datetime | None) -> str:
    """A time as lists show it, in the zone of the site."""
    return timezone.localtime(value).strftime("%Y-%m-%d %H:%M") if value else "-"


def badge(text: str, tone: str = "") -> SafeString:
    """A small coloured word: tone good, warn, bad or ''."""
    return format_html('<span class="hub-badge {}">{}</span>', f"hub-{tone}" if tone else "", text)


def link_to(row: Model | None, text: str = "") -> SafeString | str:
    """The admin page of a row, or '-'."""
    if row is None:
        return "-"
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[row.pk]), text or str(row))


def pretty(value: Any) -> SafeString:
    """JSON for reading."""
    return format_html("<pre class=hub-pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))


def _renamed(fields: Any, names: Mapping[str, str]) -> tuple[Any, ...]:
    """The fields of a fieldset, those of one line in a tuple of their own, with some names replaced."""
    return tuple(names.get(one, one) if isinstance(one, str) else _renamed(one, names) for one in fields)


class HubModelAdmin(_ModelAdmin):
    """The base of every admin class here."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    show_facets = admin.ShowFacets.NEVER
    actions_on_bottom = False
    change_list_template = "admin/keyset_change_list.html"
    # Text columns are TextField throughout; most of them hold one line.
    formfield_overrides: ClassVar = {models.TextField: {"widget": AdminTextInputWidget}}
    long_texts: ClassVar[tuple[str, ...]] = ()
    # A field that only the form has, and what shows its value to those who may not change it.
    read_as: ClassVar[Mapping[str, str]] = {}
    # What links to this list ask for, besides the filters at its side.
    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def scoped(self, user: User) -> QuerySet[Any]:
        """What ``user`` may see. What is not in it does not exist."""
        rows: QuerySet[Any] = self.model._default_manager.all()
        return rows

    def write(self, request: HttpRequest, row: Any, form: Any, change: bool) -> None:
        """Save ``row`` through its service. Raises ServiceError, which is shown at the field it names."""
        raise NotImplementedError(f"{type(self).__name__} says no service")

    def is_offered(self, request: HttpRequest, name: str, obj: Any = None) -> bool:
        """Whether the user may fill in the form's own field ``name``."""
        return self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)

    def _not_offered(self, request: HttpRequest, obj: Any) -> dict[str, str]:
        return {name: shown for name, shown in self.read_as.items() if not self.is_offered(request, name, obj)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The form forgets a field that is named here, so that posting one by hand changes nothing.
        closed = self._not_offered(request, obj)
        return (*super().get_readonly_fields(request, obj), *closed, *closed.values())

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        closed = self._not_offered(request, obj)
        fieldsets = super().get_fieldsets(request, obj)
        return [(title, {**options, "fields": _renamed(options["fields"], closed)}) for title, options in fieldsets]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the list itself offers: with any column and any operator, a list answers what it hides."""
        allowed = set(self.linked_lookups)
        for one in self.list_filter if request is None else self.get_list_filter(request):
            if isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
                allowed.add(str(one.parameter_name))
            else:
                name = one[0] if isinstance(one, (list, tuple)) else one
                allowed |= {f"{name}{operator}" for operator in _OPERATORS}
        return lookup in allowed

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """The stock answer, which takes it for granted that what was chosen are ids."""
        if not all(self._is_key(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            self.message_user(request, "Choose among the rows of the list. Nothing was changed.", messages.WARNING)
            return None
        return super().response_action(request, queryset, *args)

    def _is_key(self, text: str) -> bool:
        if isinstance(self.opts.pk, models.IntegerField):
            return row_id(text) is not None
        return is_storable(text)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.scoped(user_of(request)).order_by(*self.get_ordering(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.replace("\x00", "").strip()
        return (self.find(queryset, text) if text else queryset), False

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Rows that ``text`` names, by equality or prefix on an indexed column."""
        return rows

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.long_texts:
            kwargs["widget"] = AdminTextareaWidget(attrs={"rows": 4})
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and hasattr(field.widget, "can_delete_related"):
            # A slip on a ticket's page must not remove its customer.
            field.widget.can_delete_related = False
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form_class = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "_service_refusal", None)
        return with_refusal(form_class, refusal) if refusal else form_class

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The stock view; what a service refuses comes back as an error of the form.

        The refused transaction is rolled back, then the form is built once more with the refusal in it.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ServiceError as error:
            request._service_refusal = error  # type: ignore[attr-defined]
            for upload in (one for name in request.FILES for one in request.FILES.getlist(name)):
                upload.seek(0)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self.write(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: ``write`` has saved all there is to save."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        return super().construct_change_message(request, form, [], add)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} says no service")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """The stock view; what a service refuses to remove is told on the row's page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(self.page_of(self.row_or_404(request, object_id)))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The stock "delete selected" writes past the services."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        raise Http404(f"There is no {opts.verbose_name} {object_id}.")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """The audit log knows more than the admin's own log: who, by whatever way."""
        if request.user.has_perm("tickets.view_auditentry"):
            query = f"?entity_type__exact={self.opts.model_name}&entity_id__exact={object_id}"
            return HttpResponseRedirect(reverse("admin:tickets_auditentry_changelist") + query)
        return super().history_view(request, object_id, extra_context)

    def row_or_404(self, request: HttpRequest, object_id: str | int) -> Any:
        """The row that a page of its own is about. Http404 where it is not visible."""
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        return row

    def page_of(self, row: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def attempt(self, request: HttpRequest, doing: Callable[[], Any], done: str) -> bool:
        """Call a service for a button or an action; its refusal, or ``done``, is told on the next page."""
        try:
            doing()
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return False
        if done:
            self.message_user(request, done, messages.SUCCESS)
        return True


class ReadOnlyAdmin(HubModelAdmin):
    """Rows that Hub writes and people read."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def with_refusal(form_class: Any, refusal: ServiceError) -> Any:
    """The form with what the service said, at the field it names."""

    class Refused(form_class):  # type: ignore[misc]
        def clean(self) -> Any:
            cleaned = super().clean()
            # The words of a service name columns; a form may show one of them under another name.
            aliases: dict[str, str] = getattr(self, "field_aliases", {})
            field = aliases.get(refusal.field, refusal.field)
            self.add_error(field if field in self.fields else NON_FIELD_ERRORS, refusal.message)
            return cleaned

    return Refused


class LinesField(forms.Field):
    """A JSON list of words, shown as a plain text area with one a line."""

    widget = AdminTextareaWidget

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", AdminTextareaWidget(attrs={"rows": 3}))
        super().__init__(required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(word) for word in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return [str(word) for word in value]
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


def no_cache(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response
