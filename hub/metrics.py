"""``/metrics`` for Prometheus: how mail, worker and disk are doing. No addresses, no subjects, no numbers of tickets.

Whoever has ``METRICS_TOKEN`` may read it (``Authorization: Bearer ...``). Without a token in the settings, only this
machine may: a request from loopback that no proxy has passed on. Behind a proxy every request comes from loopback, so
there (https, ``TRUSTED_PROXIES``, or any header of a proxy) a token is needed.

The text format (version 0.0.4) is a few lines of our own: one scrape measures all, and processes share nothing.
"""

import ipaddress
import math
import shutil
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_q.models import OrmQ, Task

from emailflow.measures import CAP, Measures, measure
from hub.heartbeat import heartbeat_age

_PASSED_ON = (
    *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP"),
    *("HTTP_FORWARDED", "HTTP_VIA"),
)
_PLAIN = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """200 with the text, 403 for whoever may not read it, 503 when the database does not answer."""
    if not _may_read(request):
        return HttpResponse("Not for you: METRICS_TOKEN decides who may read this.\n", status=403, content_type=_PLAIN)
    try:
        text = "".join(_lines())
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type=_PLAIN)
    return HttpResponse(text, content_type=_PLAIN)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    if settings.TRUSTED_PROXIES or settings.SITE_URL.startswith("https://"):
        return False
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and not any(name in request.META for name in _PASSED_ON)


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _lines() -> Iterator[str]:
    found = measure()
    now = timezone.now()
    age = heartbeat_age()
    up_to = f"at most {CAP}"
    yield from _metric(
        "heartbeat_age_seconds", "gauge", "Since the worker's last heartbeat", [({}, math.nan if age is None else age)]
    )
    yield from _metric("oldest_due_seconds", "gauge", "How long the oldest due mail waits", [({}, found.oldest_due)])
    yield from _mails(found, up_to)
    yield from _mailboxes(found, up_to)
    failed = Task.objects.filter(success=False, stopped__gt=now - timedelta(hours=1)).count()
    yield from _metric("tasks_queued", "gauge", "Background tasks in the queue", [({}, OrmQ.objects.count())])
    yield from _metric("tasks_failed_last_hour", "gauge", "Background tasks that failed", [({}, failed)])
    free = shutil.disk_usage(settings.DATA_DIR).free
    yield from _metric("data_free_bytes", "gauge", "Free space where DATA_DIR is", [({}, free)])


def _mails(found: Measures, up_to: str) -> Iterator[str]:
    yield from _metric(
        "mails",
        "gauge",
        f"Mails of the ledger that are not processed, by state, {up_to} each",
        [({"state": state}, number) for state, number in found.states.items()],
    )
    yield from _metric("mails_unrouted", "gauge", f"Mails that wait for a person, {up_to}", [({}, found.unrouted)])
    yield from _metric(
        "mails_last_hour",
        "gauge",
        f"Mails stored in the last hour, by outcome, {up_to} altogether",
        [({"outcome": outcome}, number) for outcome, number in found.outcomes.items()],
    )
    yield from _metric(
        "rule_failures_last_hour", "gauge", f"Rules that failed on a mail, {up_to}", [({}, found.rule_failures)]
    )
    yield from _metric(
        "outgoing_mails",
        "gauge",
        f"Mails of the outbox that have not gone, by state, {up_to} altogether and of failed",
        [({"state": state}, number) for state, number in found.outbox.items()],
    )
    oldest: list[Sample] = [({}, found.outbox_oldest_due)]
    yield from _metric("outgoing_oldest_due_seconds", "gauge", "How long the oldest mail to be sent is overdue", oldest)
    for table, name in (
        ("email_messages", "mails"),
        ("tticket_tickets", "tickets"),
        ("tticket_comments", "comments"),
        ("email_outbox", "outgoing_mails"),
    ):
        ids: list[Sample] = [({}, found.highest_ids[table])]
        yield from _metric(f"{name}_made_total", "counter", "The highest id; ids may have gaps", ids)


def _mailboxes(found: Measures, up_to: str) -> Iterator[str]:
    for name, words, value in (
        ("last_success_age_seconds", "Since the last good look", "last_success_age"),
        ("late_seconds", "How long the next look is overdue", "late"),
        ("failures", "Failed looks since the last good one", "failures"),
        ("waiting_mails", f"Mails stored and not processed, {up_to} altogether", "waiting"),
        ("oldest_waiting_seconds", "Since the oldest of them was stored", "oldest_waiting"),
        ("set_aside_mails", f"Mails that the server does not give, {up_to} altogether", "set_aside"),
    ):
        samples: list[Sample] = []
        for mailbox in found.mailboxes:
            number = getattr(mailbox, value)
            samples.append(({"mailbox": mailbox.slug}, math.nan if number is None else number))
        yield from _metric(f"mailbox_{name}", "gauge", words, samples)


def _metric(name: str, kind: str, words: str, samples: list[Sample]) -> Iterator[str]:
    yield f"# HELP hub_{name} {words}.\n# TYPE hub_{name} {kind}\n"
    for labels, value in samples:
        # Slugs and our own words: nothing in them needs escaping.
        inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
        shown = "NaN" if math.isnan(value) else f"{value:.3f}".rstrip("0").rstrip(".")
        yield f"hub_{name}{'{' + inner + '}' if inner else ''} {shown}\n"
