"""The only place where lists of this app are put together.

Every list starts with what the user may see. What is not visible does not exist: views answer 404.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from tickets.models import (
    Attachment,
    AuditEntry,
    Comment,
    CommentState,
    Contact,
    Customer,
    EmailLog,
    Participant,
    Tag,
    Ticket,
    TicketTag,
    User,
    Visibility,
)


def ticket_scope(user: User, prefix: str = "") -> Q | None:
    """The condition on tickets that ``user`` may see, or None for all. ``prefix`` names the way to the ticket."""
    if user.visibility == Visibility.ALL:
        return None
    mine = Q(**{f"{prefix}assigned_to_user": user.pk})
    if user.visibility == Visibility.OWN_TEAMS:
        teams = User.teams.through.objects.filter(user_id=user.pk).values("team_id")
        return mine | Q(**{f"{prefix}assigned_team__in": teams})
    return mine


def visible_tickets(user: User) -> QuerySet[Ticket]:
    scope = ticket_scope(user)
    return Ticket.objects.all() if scope is None else Ticket.objects.filter(scope)


def tickets_for(user: User) -> QuerySet[Ticket]:
    """Tickets as every list shows them, without the long description."""
    return (
        visible_tickets(user)
        .select_related("customer", "contact", "assigned_to_user", "assigned_team")
        .prefetch_related("tags")
    )


def comments_for(user: User) -> QuerySet[Comment]:
    """Comments, oldest first, with their authors and files; of drafts one's own."""
    scope = ticket_scope(user, "ticket__")
    comments = Comment.objects.exclude(~Q(author_user=user.pk), state=CommentState.DRAFT)
    if scope is not None:
        comments = comments.filter(scope)
    return (
        comments.select_related("author_user", "author_contact")
        .prefetch_related("attachments")
        .order_by("created_at", "id")
    )


def attachments_for(user: User) -> QuerySet[Attachment]:
    """Files of what ``comments_for`` shows."""
    scope = ticket_scope(user, "ticket__")
    files = Attachment.objects.exclude(~Q(comment__author_user=user.pk), comment__state=CommentState.DRAFT)
    return files if scope is None else files.filter(scope)


def participants_for(user: User) -> QuerySet[Participant]:
    scope = ticket_scope(user, "ticket__")
    return Participant.objects.all() if scope is None else Participant.objects.filter(scope)


def email_log_for(user: User) -> QuerySet[EmailLog]:
    scope = ticket_scope(user, "ticket__")
    return EmailLog.objects.all() if scope is None else EmailLog.objects.filter(scope)


def customers_for(user: User) -> QuerySet[Customer]:
    """All customers for those who see all tickets; else those that visible tickets speak of."""
    customers = Customer.objects.prefetch_related("domains")
    if ticket_scope(user) is None:
        return customers
    return customers.filter(Exists(visible_tickets(user).filter(customer=OuterRef("pk"))))


def contacts_for(user: User) -> QuerySet[Contact]:
    contacts = Contact.objects.select_related("customer")
    if ticket_scope(user) is None:
        return contacts
    return contacts.filter(Exists(visible_tickets(user).filter(contact=OuterRef("pk"))))


def tags_for(user: User) -> QuerySet[Tag]:
    """All tags for those who see all tickets; else those that visible tickets bear."""
    if ticket_scope(user) is None:
        return Tag.objects.all()
    borne = TicketTag.objects.filter(tag=OuterRef("pk"), ticket__in=visible_tickets(user))
    return Tag.objects.filter(Exists(borne))


def audit_for(user: User) -> QuerySet[AuditEntry]:
    """Entries about visible tickets; entries about anything else only for those who see all."""
    if ticket_scope(user) is None:
        return AuditEntry.objects.all()
    return AuditEntry.objects.filter(ticket_id__in=visible_tickets(user).values("pk"))


def family_of(ticket: Ticket) -> QuerySet[Ticket]:
    """The ticket and all that were merged into it, directly or not (one level is kept by the merge)."""
    return Ticket.objects.filter(Q(pk=ticket.pk) | Q(merged_into=ticket.pk))
