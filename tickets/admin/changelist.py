"""Lists of the admin that cost the same with a thousand rows and with a million.

The stock list counts its rows and jumps to a page with OFFSET. This one reads a page by key: one statement of
``list_per_page + 1`` rows, sorted by one indexed column and the id. Used by the admin classes of both apps.
"""

import base64
import json
import logging
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from tickets.limits import HIGHEST_ID
from tickets.storable import is_storable

log = logging.getLogger(__name__)

# Where a count cannot be avoided (the choices of an autocomplete field), it stops here.
MOST_COUNTED = 200


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than MOST_COUNTED rows."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return len(rows.order_by().values_list("pk", flat=True)[: MOST_COUNTED + 1])
        return len(rows)


class KeysetChangeList(ChangeList):
    """A page is named by the last row of the page before it (``?p=after.…``), or the first of the next."""

    previous_page = ""
    next_page = ""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Raises IncorrectLookupParameters, which leads back to the whole list, for what no column can be."""
        asked = [text for name, texts in request.GET.lists() if name != SEARCH_VAR for text in (name, *texts)]
        if not all(is_storable(text) for text in asked):
            raise IncorrectLookupParameters("a character that no column holds")
        try:
            super().__init__(request, *args, **kwargs)
        except (ValueError, TypeError, OverflowError, DataError) as error:
            if not asked:
                raise
            log.warning("list %s was asked for %s: %s", request.path, sorted(request.GET), type(error).__name__)
            raise IncorrectLookupParameters(error) from error

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """One column, then the id in the same direction: what the indexes are made for."""
        first = str(super().get_ordering(request, queryset.order_by())[0])
        if first.lstrip("-") in ("pk", self.opts.pk.name):
            return [first]
        return [first, "-pk" if first.startswith("-") else "pk"]

    def get_results(self, request: HttpRequest) -> None:
        forward, cursor = self._cursor(request)
        ordering = [str(name) for name in self.queryset.query.order_by]
        rows = self.queryset
        if not forward:
            rows = rows.order_by(*(_turned(name) for name in ordering))
        if cursor is not None:
            try:
                rows = rows.filter(self._beyond(rows, ordering, cursor, forward))
            except (ValidationError, ValueError, TypeError) as error:
                raise IncorrectLookupParameters(error) from error
        page = list(rows[: self.list_per_page + 1])
        more = len(page) > self.list_per_page
        page = page[: self.list_per_page]
        if not forward:
            page.reverse()
        if page and (more if forward else True):
            self.next_page = self._link("after", page[-1], ordering)
        if page and (cursor is not None if forward else more):
            self.previous_page = self._link("before", page[0], ordering)
        self.result_list = page
        self.result_count = len(page)
        self.show_full_result_count = False
        self.show_admin_actions = True
        # Equal to the count, or the search form offers to show all.
        self.full_result_count = len(page)
        self.can_show_all = False
        self.multi_page = bool(self.next_page or self.previous_page)
        self.first_page = self.get_query_string(remove=[PAGE_VAR]) if self.previous_page else ""

    def _cursor(self, request: HttpRequest) -> tuple[bool, list[Any] | None]:
        word, _, packed = request.GET.get(PAGE_VAR, "").partition(".")
        if word not in ("after", "before") or not packed:
            return True, None
        try:
            padded = packed + "=" * (-len(packed) % 4)
            values = json.loads(base64.urlsafe_b64decode(padded))
        except (ValueError, UnicodeError) as error:
            raise IncorrectLookupParameters(error) from error
        if not isinstance(values, list) or not 1 <= len(values) <= 2:
            raise IncorrectLookupParameters("not a page")
        return word == "after", values

    def _beyond(self, rows: QuerySet[Any], ordering: list[str], values: list[Any], forward: bool) -> Q:
        names = [name.lstrip("-") for name in ordering]
        if len(values) != len(names):
            raise ValueError("the page belongs to another order")
        cleaned = [_clean(self._field(rows, name), value) for name, value in zip(names, values, strict=True)]
        side = "lt" if ordering[0].startswith("-") is forward else "gt"
        if len(names) == 1:
            return Q(**{f"{names[0]}__{side}": cleaned[0]})
        # The first part alone bounds the index range; the second settles rows with an equal value.
        tie = Q(**{f"{names[0]}__{side}": cleaned[0]}) | Q(**{f"{names[1]}__{side}": cleaned[1]})
        return Q(**{f"{names[0]}__{side}e": cleaned[0]}) & tie

    def _field(self, rows: QuerySet[Any], name: str) -> "Field[Any, Any]":
        if name == "pk":
            return self.opts.pk
        if name in rows.query.annotations:
            field: Field[Any, Any] = rows.query.annotations[name].output_field
            return field
        return self.opts.get_field(name)  # type: ignore[return-value]

    def _link(self, word: str, row: Model, ordering: list[str]) -> str:
        values = [getattr(row, name.lstrip("-")) for name in ordering]
        text = json.dumps([v.isoformat() if hasattr(v, "isoformat") else v for v in values])
        packed = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return self.get_query_string({PAGE_VAR: f"{word}.{packed}"})


def _clean(field: "Field[Any, Any]", value: Any) -> Any:
    """A value of a link as the column holds it. Raises ValueError, TypeError or ValidationError."""
    if isinstance(value, str) and not is_storable(value):
        raise ValueError("a character that no column holds")
    cleaned = field.to_python(value)
    if isinstance(cleaned, datetime):
        # Raises where there is no zone, and where the calendar ends.
        if cleaned.tzinfo is None:
            raise ValueError("no zone")
        cleaned = cleaned.astimezone(UTC)
    if isinstance(cleaned, int) and abs(cleaned) > HIGHEST_ID:
        raise ValueError("a number that no column holds")
    return cleaned


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"
