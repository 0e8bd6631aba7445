"""The routes of this app. ``hub.api`` puts them together with those of the mail."""

from django.urls import URLPattern, URLResolver
from rest_framework.routers import SimpleRouter

from tickets.api.views.comments import AttachmentViewSet, CommentViewSet, TicketAttachmentViewSet
from tickets.api.views.customers import ContactViewSet, CustomerViewSet, TagViewSet
from tickets.api.views.staff import TeamViewSet, UserViewSet
from tickets.api.views.tickets import TICKET_PATTERN, TicketViewSet

_OF_TICKET = rf"tickets/(?P<ticket_id>{TICKET_PATTERN})"


class Router(SimpleRouter):
    """Routes whose last slash is optional."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


_router = Router()
_router.register("tickets", TicketViewSet, basename="ticket")
_router.register(rf"{_OF_TICKET}/comments", CommentViewSet, basename="comment")
_router.register(rf"{_OF_TICKET}/attachments", TicketAttachmentViewSet, basename="ticket-attachment")
_router.register("attachments", AttachmentViewSet, basename="attachment")
_router.register("customers", CustomerViewSet, basename="customer")
_router.register("contacts", ContactViewSet, basename="contact")
_router.register("tags", TagViewSet, basename="tag")
_router.register("users", UserViewSet, basename="user")
_router.register("teams", TeamViewSet, basename="team")

urlpatterns: list[URLPattern | URLResolver] = [*_router.urls]
