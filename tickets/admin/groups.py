"""Groups. Their rights are everybody's who is in them, so that only a superuser changes them."""

from typing import Any

import django.contrib.auth.admin  # noqa: F401 - registers what is taken away below
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from tickets.admin.base import HubModelAdmin, actor_of, user_of
from tickets.models import User
from tickets.services.groups import delete_group, save_group

# Django's own writes past the services and the audit log.
admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(HubModelAdmin):
    fields = ("name", "permissions")
    filter_horizontal = ("permissions",)
    list_display = ("name",)
    ordering = ("name",)
    sortable_by = ("name",)
    search_fields = ("name",)
    search_help_text = "The beginning of the name."

    def scoped(self, user: User) -> QuerySet[Group]:
        return Group.objects.all()

    def find(self, rows: QuerySet[Group], text: str) -> QuerySet[Group]:
        return rows.filter(name__istartswith=text)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return user_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return user_of(request).is_superuser

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            # The name of a permission begins with that of its app.
            kwargs["queryset"] = db_field.remote_field.model.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def write(self, request: HttpRequest, row: Group, form: Any, change: bool) -> None:
        save_group(actor=actor_of(request), group=row, permissions=form.cleaned_data["permissions"])

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        delete_group(actor=actor_of(request), group=obj)
