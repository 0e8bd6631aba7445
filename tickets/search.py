"""Full text over subjects, messages and file names: PostgreSQL tsvector or SQLite FTS5 behind one function."""

import re
from typing import Any

from django.db import models
from django.db.models import Lookup, Q, QuerySet, TextField

from tickets import numbering
from tickets.models import SearchText, Ticket
from tickets.sql.objects import POSTGRESQL_VECTOR, SQLITE_FTS
from tickets.storable import storable

MAX_WORDS = 12
MAX_LETTERS = 100
# A common word must not read a million rows: the newest matches are enough for a person.
NEWEST = 5000


@TextField.register_lookup
class FullText(Lookup):
    """``text__full_text="printer toner"``: all words, the last one as a prefix."""

    lookup_name = "full_text"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = compiler.compile(self.lhs)
        query = " & ".join(f"'{word}':*" if prefix else f"'{word}'" for word, prefix in _words(self.rhs))
        return f"{POSTGRESQL_VECTOR.format(text=left)} @@ to_tsquery('simple', %s)", [*params, query]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        table = compiler.compile(self.lhs)[0].rpartition(".")[0]
        query = " ".join(f'"{word}"*' if prefix else f'"{word}"' for word, prefix in _words(self.rhs)) or '""'
        return f"{table}.id IN (SELECT rowid FROM {SQLITE_FTS} WHERE {SQLITE_FTS} MATCH %s)", [query]


def _words(text: Any) -> list[tuple[str, bool]]:
    """The words, and which of them may go on: the last one, and one too long for PostgreSQL (2 kB)."""
    words = re.findall(r"[^\W_]+", str(text))[:MAX_WORDS]
    return [(word[:MAX_LETTERS], place == len(words) or len(word) > MAX_LETTERS) for place, word in enumerate(words, 1)]


def search(tickets: QuerySet[Ticket], text: str) -> QuerySet[Ticket]:
    """The given tickets whose texts hold all words; a ticket number or a requester's address finds as well."""
    text = storable(text).strip()
    if not text:
        return tickets
    numbers = numbering.find(text)
    if numbers:
        return tickets.filter(ticket_number__in=numbers)
    if "@" in text and " " not in text:
        return tickets.filter(Q(contact__email=text.lower()))
    if not _words(text):
        return tickets.none()
    hits = SearchText.objects.filter(text__full_text=text)
    if tickets.query.where:
        # Inside, before the newest are taken: else the others' newer texts would hide what this user may see.
        hits = hits.filter(ticket__in=tickets.order_by().values("pk"))
    newest = hits.order_by("-id").values("ticket_id")[:NEWEST]
    return tickets.filter(pk__in=models.Subquery(newest))
