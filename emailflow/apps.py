"""Mail in, rules, mail out."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EmailflowConfig(AppConfig):
    name = "emailflow"
    verbose_name = "Mail and rules"

    def ready(self) -> None:
        from emailflow import installing, receivers  # noqa: F401  (connects the receivers)

        autodiscover_modules("workflow_actions")
        installing.connect()
