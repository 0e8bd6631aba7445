"""Labels: what the classifier may call a mail."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from emailflow.models import Label
from emailflow.services.labels import delete_label, save_label
from tickets.admin.base import HubModelAdmin, actor_of
from tickets.models import User


@admin.register(Label)
class LabelAdmin(HubModelAdmin):
    fields = ("slug", "name", "description", "enabled")
    list_display = ("slug", "name", "description", "enabled")
    list_filter = ("enabled",)
    ordering = ("slug",)
    sortable_by = ("slug",)
    long_texts: ClassVar = ("description",)

    def scoped(self, user: User) -> QuerySet[Label]:
        return Label.objects.all()

    def write(self, request: HttpRequest, row: Label, form: Any, change: bool) -> None:
        save_label(actor=actor_of(request), label=row)

    def delete_model(self, request: HttpRequest, obj: Label) -> None:
        delete_label(actor=actor_of(request), label=obj)
