"""Form fields that name rows: they hold the id (or slug, or number), so that the JSON of a rule holds it too.

Used only while a person writes a rule. A rule that is carried out finds missing rows by itself.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.renderers import BaseRenderer
from django.utils.safestring import SafeString

from emailflow.models import Mailbox
from emailflow.workflow.forms import NO_SUCH_ROW
from tickets.limits import row_id
from tickets.models import Customer, Team, Ticket, User
from tickets.querysets import customers_for

Rows = Callable[[], QuerySet[Any]]

# Above this a list to choose from is slow to load and of no help: the id is typed in.
MOST_CHOICES = 500
TICKET_NUMBER = re.compile(r"TKT-\d{8}-\d{3,}")


class RowSelect(forms.Select):
    """A list of rows; with very many rows, a box for the id."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        # What is listed; ``everything`` also knows what the reader may not see.
        self.rows = self.everything = rows

    def render(
        self,
        name: str,
        value: Any,
        attrs: Mapping[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        rows = list(self.rows()[: MOST_CHOICES + 1])
        own = {**self.attrs, **(attrs or {})}
        if len(rows) > MOST_CHOICES:
            return forms.NumberInput().render(name, value, own, renderer)
        choices: list[tuple[Any, str]] = [("", "---------"), *((row.pk, str(row)) for row in rows)]
        if value not in (None, "") and str(value) not in {str(row.pk) for row in rows}:
            choices.append((value, f"number {value}" if self._is_somewhere(value) else f"{value} (not here)"))
        return forms.Select(choices=choices).render(name, value, own, renderer)

    def _is_somewhere(self, value: Any) -> bool:
        number = row_id(str(value))
        return number is not None and self.everything().filter(pk=number).exists()


class RowIdField(forms.IntegerField):
    """The id of a row that exists; an int."""

    rows: Rows
    noun: str

    def __init__(self, *, label: str, help_text: str = "", required: bool = False) -> None:
        super().__init__(label=label, help_text=help_text, required=required, min_value=1, widget=RowSelect(self.rows))

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, bool):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if value is not None and not self.rows().filter(pk=value).exists():
            raise ValidationError(f"There is no {self.noun} with the id {value}.", code=NO_SUCH_ROW)


def list_for(form: forms.Form, user: User) -> None:
    """Let the lists of the form name what ``user`` may see. What a rule already names stays, as a number."""
    for field in form.fields.values():
        if isinstance(field, CustomerIdField) and isinstance(field.widget, RowSelect):
            field.widget.rows = lambda: customers_for(user).prefetch_related(None).order_by("name", "id")


class CustomerIdField(RowIdField):
    noun = "customer"

    @staticmethod
    def rows() -> QuerySet[Customer]:
        return Customer.objects.order_by("name", "id")


class UserIdField(RowIdField):
    noun = "active user"

    @staticmethod
    def rows() -> QuerySet[User]:
        return User.objects.filter(is_active=True).order_by("username")


class TeamIdField(RowIdField):
    noun = "team"

    @staticmethod
    def rows() -> QuerySet[Team]:
        return Team.objects.order_by("name")


class TicketNumberField(forms.CharField):
    """The number of a ticket that exists."""

    def __init__(self, *, label: str, help_text: str = "") -> None:
        super().__init__(label=label, help_text=help_text, max_length=40)

    def to_python(self, value: Any) -> str:
        if value is not None and not isinstance(value, str):
            raise ValidationError("Enter a ticket number as text.", code="invalid")
        return (super().to_python(value) or "").upper()

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if not value:
            return
        if not TICKET_NUMBER.fullmatch(value):
            raise ValidationError("Enter a number like TKT-20251215-001.", code="invalid")
        if not Ticket.objects.filter(ticket_number=value).exists():
            raise ValidationError(f"There is no ticket {value}.", code=NO_SUCH_ROW)


class MailboxSlugsField(forms.MultipleChoiceField):
    """Slugs of mailboxes, which mean the same on another installation; ids would not."""

    def __init__(self, *, label: str, help_text: str = "") -> None:
        super().__init__(label=label, help_text=help_text, choices=_mailboxes)

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")
        known = {slug for slug, _ in _mailboxes()}
        missing = [slug for slug in value if slug not in known]
        if missing:
            raise ValidationError(f"There is no mailbox {', '.join(missing)}.", code=NO_SUCH_ROW)


def _mailboxes() -> list[tuple[str, str]]:
    return list(Mailbox.objects.order_by("name", "id").values_list("slug", "name"))
