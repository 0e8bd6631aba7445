"""How gunicorn serves Hub; read by gunicorn itself from the folder it starts in."""

import os

from hub.env import one_line_for_wrong_setting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
with one_line_for_wrong_setting():
    from hub import settings

wsgi_app = "hub.wsgi:application"
workers = 2
threads = 4
timeout = 120
# Below the eight seconds that the supervisor waits before it kills.
graceful_timeout = 5
# A reverse proxy says by X-Forwarded-Proto that the browser came over https; only these may say so.
forwarded_allow_ips = ",".join(["127.0.0.1", "::1", *settings.TRUSTED_PROXIES])
# It would be a socket in the home folder that several installations share.
control_socket_disable = True
loglevel = settings.LOG_LEVEL.lower()
if settings.LOG_FORMAT == "json":
    # Its own lines in the same form as ours; it logs no requests.
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": settings.LOGGING["formatters"],
        "handlers": settings.LOGGING["handlers"],
        "root": settings.LOGGING["root"],
        "loggers": {"gunicorn.error": {"level": settings.LOG_LEVEL, "handlers": ["console"], "propagate": False}},
    }
