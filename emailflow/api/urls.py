"""The routes of this app. ``hub.api`` puts them together with those of the tickets."""

from django.urls import URLPattern, URLResolver, re_path

from emailflow.api.views.inbound import RawMail
from emailflow.api.views.mailboxes import DeliveryViewSet
from emailflow.api.views.messages import ExecutionViewSet, LabelViewSet, MailboxViewSet, MessageViewSet
from emailflow.api.views.outbox import OutgoingViewSet
from emailflow.api.views.testing import EmailToTicket
from emailflow.api.views.workflows import WorkflowViewSet
from tickets.api.urls import Router

_router = Router()
_router.register("messages", MessageViewSet, basename="message")
_router.register("outbox", OutgoingViewSet, basename="outgoing")
_router.register("workflows", WorkflowViewSet, basename="workflow")
_router.register("executions", ExecutionViewSet, basename="execution")
_router.register("mailboxes", MailboxViewSet, basename="mailbox")
_router.register("deliveries", DeliveryViewSet, basename="delivery")
_router.register("labels", LabelViewSet, basename="label")

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^inbound/raw/?$", RawMail.as_view(), name="inbound-raw"),
    re_path(r"^test/email-to-ticket/?$", EmailToTicket.as_view(), name="test-email-to-ticket"),
    *_router.urls,
]
