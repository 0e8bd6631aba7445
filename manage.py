#!/usr/bin/env python
"""Entry point of every command: ``python manage.py help`` lists them."""

import os
import sys


def main() -> None:
    # Every file that a command makes holds customers' mail, or leads to it: the database, files, backups.
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from hub.env import one_line_for_wrong_setting

    # In the pipe of a mail server: it keeps the mail on 75, and bounces it on any other error.
    with one_line_for_wrong_setting(75 if sys.argv[1:2] == ["import_mail"] else 1):
        # Loads the settings now: Django itself would report a wrong one late, with a traceback.
        settings.INSTALLED_APPS  # noqa: B018
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
