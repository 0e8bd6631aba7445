"""django-helpdesk's half of ``tests.bench.peer``: runs in its environment and imports nothing of Hub.

Each mail is taken as its IMAP road takes it, without the IMAP: bytes to text with replacement characters, then
``extract_email_metadata``. Its templates are removed, so that it sends no answers: Hub is measured without them too.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

QUEUE = {"title": "Support", "slug": "support", "email_address": "support@hub.example", "email_box_type": "imap"}


def main(url: str, folder: Path) -> None:
    _set_up(url, folder)
    from django.utils import encoding
    from helpdesk.email import extract_email_metadata  # type: ignore[import-not-found]  # in its own environment
    from helpdesk.models import (  # type: ignore[import-not-found]
        EmailTemplate,
        FollowUp,
        Queue,
        Ticket,
    )

    EmailTemplate.objects.all().delete()
    queue = Queue.objects.create(allow_email_submission=True, **QUEUE)
    logger = logging.getLogger("django.helpdesk.queue.support")
    mails = sorted((folder / "mails").iterdir())
    raised = 0
    _say("ready")
    for line in sys.stdin:
        question = json.loads(line)
        if "count" in question:
            _say({"tickets": Ticket.objects.count(), "messages": FollowUp.objects.count(), "raised": raised})
            continue
        first, end = question["file"]
        for path in mails[first:end]:
            text = encoding.force_str(path.read_bytes(), errors="replace")
            try:
                extract_email_metadata(message=text, queue=queue, logger=logger)
            except Exception as error:  # noqa: BLE001 - whatever it raises would end its run over the mailbox
                raised += 1
                print(f"django-helpdesk: {path.name}: {type(error).__name__}: {error}", file=sys.stderr)
        _say("done")


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


def _set_up(url: str, folder: Path) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    address = urlsplit(url)
    urls = Path(tempfile.mkdtemp(dir=folder)) / "peer_urls.py"
    urls.write_text(
        "from django.urls import include, path\n"
        "urlpatterns = [path('', include('helpdesk.urls', namespace='helpdesk'))]\n"
    )
    sys.path.insert(0, str(urls.parent))
    settings.configure(
        SECRET_KEY="of a benchmark",
        USE_TZ=True,
        SITE_ID=1,
        ROOT_URLCONF="peer_urls",
        MEDIA_ROOT=str(folder / "media"),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        HELPDESK_TEAMS_MODE_ENABLED=False,
        LOGGING_CONFIG=None,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": address.path.lstrip("/"),
                "USER": address.username,
                "PASSWORD": address.password or "",
                "HOST": address.hostname,
                "PORT": address.port,
            }
        },
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.sites",
            "django.contrib.messages",
            "django.contrib.admin",
            "django.contrib.humanize",
            "rest_framework",
            "helpdesk",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    )
    django.setup()
    call_command("migrate", verbosity=0)
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
