"""Filters of the lists. An unknown parameter, or one given twice, is 400: it never silently matches more."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.db.models.expressions import Value
from django.db.models.functions import Lower
from django.http import QueryDict
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request
from rest_framework.views import APIView

from tickets import search
from tickets.api.errors import field_error
from tickets.api.pagination import PARAMETERS
from tickets.models import (
    PRIORITY_RANK,
    Contact,
    Customer,
    Priority,
    Source,
    Status,
    Tag,
    Team,
    Ticket,
    TicketTag,
    User,
)


class StrictFilterBackend(filters.DjangoFilterBackend):
    """Knows the parameters of the page and of the view's filters, and refuses all others."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset_class(view, queryset)
        known = {*PARAMETERS, *(filterset.base_filters if filterset else ())}
        refuse_unknown_parameters(request.query_params, known)
        return super().filter_queryset(request, queryset, view)  # type: ignore[no-any-return]

    def get_filterset_kwargs(self, request: Request, queryset: QuerySet[Any], view: APIView) -> dict[str, Any]:
        """``status=open&status=closed`` means the same as ``status=open,closed``."""
        kwargs: dict[str, Any] = super().get_filterset_kwargs(request, queryset, view)
        filterset = self.get_filterset_class(view, queryset)
        data = request.query_params.copy()
        for name, known in (filterset.base_filters if filterset else {}).items():
            values = data.getlist(name)
            if len(values) > 1:
                if not isinstance(known, filters.BaseInFilter):
                    raise field_error(name, "Give this parameter once.")
                data[name] = ",".join(values)
        return {**kwargs, "data": data}


def refuse_unknown_parameters(given: QueryDict, known: Iterable[str]) -> None:
    """Raises ValidationError that names the first parameter that is not in ``known``."""
    names = sorted(known)
    for name in given:
        if name not in names:
            raise field_error(name, f"There is no such parameter. Known are: {', '.join(names)}.")


class _MomentField(IsoDateTimeField):
    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError("Enter a date of the common calendar.") from None


class MomentFilter(filters.IsoDateTimeFilter):
    """A moment (ISO 8601); without a zone it is in the site's."""

    field_class = _MomentField


class ChoicesFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """One or more of the choices, with commas or by repeating the parameter."""


class IdFilter(filters.CharFilter):
    """An id, or ``none`` for rows that have none."""

    field_class = forms.RegexField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("regex", r"^(none|[0-9]{1,18})$")
        kwargs.setdefault("error_messages", {"invalid": "An id, or none."})
        super().__init__(*args, **kwargs)
        # The type of the column would say that it is a number only.
        extend_schema_field({"type": "string", "description": kwargs.get("help_text", "")})(self)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        if value == "none":
            return qs.filter(**{f"{self.field_name}__isnull": True})
        return qs.filter(**{self.field_name: int(value)})


class UserFilter(IdFilter):
    """An id, ``me``, or ``none``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["regex"] = r"^(none|me|[0-9]{1,18})$"
        kwargs["error_messages"] = {"invalid": "An id, me, or none."}
        super().__init__(*args, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "me":
            mine: QuerySet[Any] = qs.filter(**{self.field_name: self.parent.request.user.pk})
            return mine
        return super().filter(qs, value)


class LowerFilter(filters.CharFilter):
    """Equal without regard to case, by an index on lower(column)."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        same: QuerySet[Any] = qs.alias(_lower=Lower(self.field_name)).filter(_lower=Lower(Value(value)))
        return same


class TicketFilter(filters.FilterSet):
    status = ChoicesFilter(choices=Status.choices, help_text="One or more states.")
    priority = ChoicesFilter(choices=Priority.choices, method="of_priority", help_text="One or more priorities.")
    source = ChoicesFilter(choices=Source.choices, help_text="One or more sources.")
    assignee = UserFilter(field_name="assigned_to_user", help_text="Id of a user, `me`, or `none`.")
    team = IdFilter(field_name="assigned_team", help_text="Id of a team, or `none`.")
    customer = IdFilter(help_text="Id of a customer, or `none`.")
    contact = IdFilter(help_text="Id of the requester, or `none`.")
    tag = filters.CharFilter(method="with_tag", help_text="Name of a tag.")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte", help_text="At or after.")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt", help_text="Before.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gte", help_text="At or after.")
    updated_before = MomentFilter(field_name="updated_at", lookup_expr="lt", help_text="Before.")
    search = filters.CharFilter(
        method="found_by",
        help_text="All words in subject, messages or file names; or a number; or an address.",
    )

    class Meta:
        model = Ticket
        fields: list[str] = []

    def with_tag(self, tickets: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        """Asked in two steps: only with the tag's id does PostgreSQL know whether it is a rare one."""
        tag = Tag.objects.filter(name=value.lower().removeprefix("#")).values_list("pk", flat=True).first()
        if tag is None:
            return tickets.none()
        return tickets.filter(pk__in=TicketTag.objects.filter(tag_id=tag).values("ticket_id"))

    def of_priority(self, tickets: QuerySet[Ticket], name: str, value: list[str]) -> QuerySet[Ticket]:
        """By the rank, which has an index."""
        return tickets.filter(priority_rank__in=[PRIORITY_RANK[Priority(one)] for one in value])

    def found_by(self, tickets: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return search.search(tickets, value)


class CustomerFilter(filters.FilterSet):
    name = LowerFilter(help_text="The whole name, without regard to case.")
    domain = filters.CharFilter(method="with_domain", help_text="One of the customer's mail domains.")

    class Meta:
        model = Customer
        fields: list[str] = []

    def with_domain(self, customers: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        return customers.filter(domains__domain=value.lower())


class ContactFilter(filters.FilterSet):
    email = filters.CharFilter(method="with_email", help_text="The whole address, without regard to case.")
    customer = IdFilter(help_text="Id of a customer, or `none`.")

    class Meta:
        model = Contact
        fields: list[str] = []

    def with_email(self, contacts: QuerySet[Contact], name: str, value: str) -> QuerySet[Contact]:
        return contacts.filter(email=value.lower())


class UserListFilter(filters.FilterSet):
    username = filters.CharFilter(help_text="The whole user name.")
    is_active = filters.BooleanFilter(help_text="Active users, or the others.")
    team = IdFilter(field_name="teams", help_text="Id of a team, or `none`.")

    class Meta:
        model = User
        fields: list[str] = []


class TeamFilter(filters.FilterSet):
    name = filters.CharFilter(help_text="The whole name.")

    class Meta:
        model = Team
        fields: list[str] = []


class TagFilter(filters.FilterSet):
    name = filters.CharFilter(method="with_name", help_text="The whole name.")

    class Meta:
        model = Tag
        fields: list[str] = []

    def with_name(self, tags: QuerySet[Tag], name: str, value: str) -> QuerySet[Tag]:
        return tags.filter(name=value.lower().removeprefix("#"))
