#!/usr/bin/env python
"""Entry point of every command: ``python manage.py help`` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from hub.env import one_line_for_wrong_setting

    with one_line_for_wrong_setting():
        # Loads the settings now: Django itself would report a wrong one late, with a traceback.
        settings.INSTALLED_APPS  # noqa: B018
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
