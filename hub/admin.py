"""The admin site of Hub: the stock one, with the daily work first. Its pages belong to the apps."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest

# What is not named here follows in the order of the alphabet.
_APPS = ("tickets", "emailflow", "auth", "django_q")
_MODELS = (
    *("Ticket", "Customer", "Contact", "User", "Team", "ApiToken", "AuditEntry"),
    *("Message", "Outgoing", "Mailbox", "Workflow", "Execution", "Label", "Suppression"),
)


class HubAdminSite(AdminSite):
    site_header = "Hub"
    site_title = "Hub"
    index_title = "Overview"
    # "View site" would lead back to this very page.
    site_url = None

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """The stock one, but no row has a NUL in its id, and PostgreSQL must not be asked for one."""

        @wraps(view)
        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if "\x00" in request.path:
                raise Http404("There is no such page.")
            return view(request, *args, **kwargs)

        return super().admin_view(asked, cacheable)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _place(model["object_name"], _MODELS))
        return sorted(apps, key=lambda app: _place(app["app_label"], _APPS))


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)
