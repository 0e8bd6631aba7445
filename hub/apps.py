"""The project as an app: its commands, its health row and its schedules."""

from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Operation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from hub import receivers  # noqa: F401  (connects the receivers)
