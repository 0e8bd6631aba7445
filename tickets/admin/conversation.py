"""The buttons below a ticket's fields: notes, answers, who takes part."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.http import require_POST

from tickets import querysets
from tickets.admin import thread
from tickets.admin.base import HubModelAdmin, actor_of, user_of
from tickets.errors import ServiceError
from tickets.models import Comment, Source, Ticket
from tickets.services.comments import accept_comment, add_comment, decide_participant
from tickets.services.files import Upload
from tickets.services.publishing import discard_draft, send_draft, take_back
from tickets.services.requester import make_requester


def uploads_of(files: list[Any]) -> list[Upload]:
    """Posted files, read; one that is too large is an error at the field."""
    if sum(file.size for file in files) > settings.MAIL_MAX_BYTES:
        limit = settings.MAIL_MAX_BYTES // (1024 * 1024)
        raise ServiceError(f"The files are larger than {limit} MB together.", field="uploads")
    return [Upload(name=file.name, content=file.read()) for file in files]


def _text_of(request: HttpRequest) -> str:
    return request.POST.get("body_text", "").replace("\r\n", "\n")


def _answered() -> str:
    seconds = settings.REPLY_UNDO_SECONDS
    return f"The answer leaves in {seconds} seconds; it can be taken back until then." if seconds else "Answered."


class ConversationViews(HubModelAdmin):
    """For ``TicketAdmin``."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:ticket_id>/note/", view(require_POST(self.note_view)), name="tickets_ticket_note"),
            path(
                "<int:ticket_id>/comments/<int:comment_id>/undo/",
                view(require_POST(self.undo_view)),
                name="tickets_ticket_undo",
            ),
            path(
                "<int:ticket_id>/comments/<int:comment_id>/draft/",
                view(require_POST(self.draft_view)),
                name="tickets_ticket_draft",
            ),
            path(
                "<int:ticket_id>/requester/",
                view(require_POST(self.requester_view)),
                name="tickets_ticket_requester",
            ),
            path(
                "<int:ticket_id>/participants/<int:participant_id>/",
                view(require_POST(self.participant_view)),
                name="tickets_ticket_participant",
            ),
            path(
                "<int:ticket_id>/comments/<int:comment_id>/accept/",
                view(require_POST(self.accept_view)),
                name="tickets_ticket_accept",
            ),
            *super().get_urls(),
        ]

    def note_view(self, request: HttpRequest, ticket_id: int) -> HttpResponse:
        """A note for colleagues, or an answer that is mailed to the requester and to whoever takes part."""
        ticket = self._ticket(request, ticket_id, "tickets.add_comment")
        internal = request.POST.get("is_internal", "1") == "1"

        def add() -> None:
            add_comment(
                actor=actor_of(request),
                ticket=ticket,
                body_text=_text_of(request),
                is_internal=internal,
                author_user=user_of(request),
                source=Source.MANUAL,
                uploads=uploads_of(request.FILES.getlist("files")),
            )

        self.attempt(request, add, "The note was added." if internal else _answered())
        return HttpResponseRedirect(self.page_of(ticket) + "#thread")

    def undo_view(self, request: HttpRequest, ticket_id: int, comment_id: int) -> HttpResponse:
        """Take an answer back while it is held."""
        ticket, comment = self._own_comment(request, ticket_id, comment_id)
        self.attempt(
            request,
            lambda: take_back(actor=actor_of(request), comment=comment),
            "The answer was taken back. It is a draft below the thread.",
        )
        return HttpResponseRedirect(self.page_of(ticket) + "#draft")

    def draft_view(self, request: HttpRequest, ticket_id: int, comment_id: int) -> HttpResponse:
        """Send a draft after all, or throw it away."""
        ticket, comment = self._own_comment(request, ticket_id, comment_id)
        actor = actor_of(request)
        if request.POST.get("decision") == "discard":
            self.attempt(request, lambda: discard_draft(actor=actor, comment=comment), "The draft was thrown away.")
            return HttpResponseRedirect(self.page_of(ticket) + "#thread")
        self.attempt(
            request,
            lambda: send_draft(
                actor=actor,
                comment=comment,
                body_text=_text_of(request),
                uploads=uploads_of(request.FILES.getlist("files")),
            ),
            _answered(),
        )
        return HttpResponseRedirect(self.page_of(ticket) + "#thread")

    def _own_comment(self, request: HttpRequest, ticket_id: int, comment_id: int) -> tuple[Ticket, Comment]:
        """One's own message. Raises PermissionDenied, and Http404 for what is not there or a colleague's."""
        ticket = self._ticket(request, ticket_id, "tickets.add_comment")
        user = user_of(request)
        own = querysets.comments_for(user).filter(ticket=ticket.pk, author_user=user)
        return ticket, get_object_or_404(own, pk=comment_id)

    def requester_view(self, request: HttpRequest, ticket_id: int) -> HttpResponse:
        """The one whose forwarded mail opened the ticket becomes its requester."""
        ticket = self._ticket(request, ticket_id, "tickets.change_participant")
        name, address = thread.forwarded_from(ticket)
        self.attempt(
            request,
            lambda: make_requester(actor=actor_of(request), ticket=ticket, address=address, name=name),
            f"{address} is the requester now.",
        )
        return HttpResponseRedirect(self.page_of(ticket) + "#participants")

    def participant_view(self, request: HttpRequest, ticket_id: int, participant_id: int) -> HttpResponse:
        ticket = self._ticket(request, ticket_id, "tickets.change_participant")
        people = querysets.participants_for(user_of(request)).filter(ticket=ticket.pk)
        person = get_object_or_404(people, pk=participant_id)
        confirm = request.POST.get("decision") == "confirm"
        self.attempt(
            request,
            lambda: decide_participant(actor=actor_of(request), participant=person, confirm=confirm),
            f"{person.address} now takes part." if confirm else f"{person.address} was refused.",
        )
        return HttpResponseRedirect(self.page_of(ticket) + "#participants")

    def accept_view(self, request: HttpRequest, ticket_id: int, comment_id: int) -> HttpResponse:
        """A stranger's message is believed; with ``join`` its sender takes part."""
        ticket = self._ticket(request, ticket_id)
        join = request.POST.get("join") == "1"
        wanted = ["tickets.change_comment", *(["tickets.change_participant"] if join else [])]
        if not request.user.has_perms(wanted):
            raise PermissionDenied
        messages = querysets.comments_for(user_of(request)).filter(ticket=ticket.pk)
        message = get_object_or_404(messages, pk=comment_id)
        self.attempt(
            request,
            lambda: accept_comment(actor=actor_of(request), comment=message, join=join),
            "The message is accepted; its sender now takes part." if join else "The message is accepted.",
        )
        return HttpResponseRedirect(f"{self.page_of(ticket)}#comment-{message.pk}")

    def _ticket(self, request: HttpRequest, ticket_id: int, *rights: str) -> Ticket:
        """The ticket that a button is for. Raises PermissionDenied without the right to change it, or ``rights``."""
        ticket: Ticket = self.row_or_404(request, ticket_id)
        if not (self.has_change_permission(request, ticket) and request.user.has_perms(rights)):
            raise PermissionDenied
        return ticket
