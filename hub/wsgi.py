"""The web application, for gunicorn or any other WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

from hub.env import one_line_for_wrong_setting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

# 3 is gunicorn's own code for "a worker cannot boot": it stops then, and does not start workers for ever.
with one_line_for_wrong_setting(exit_code=3):
    application = get_wsgi_application()
