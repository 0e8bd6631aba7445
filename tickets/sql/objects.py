"""What hangs on the tables: as text, per database. The names are what reporting tools and tests look for."""

from dataclasses import dataclass

OPEN_TICKETS = """
SELECT t.id, t.ticket_number, t.subject, t.status, t.priority, t.category, t.source,
       t.customer_id, c.name AS customer_name, t.contact_id, p.email AS contact_email,
       t.assigned_to_user_id, u.username AS assigned_to, t.assigned_team_id, g.name AS team_name,
       t.created_at, t.updated_at, t.first_response_at
FROM tticket_tickets t
LEFT JOIN customers c ON c.id = t.customer_id
LEFT JOIN contacts p ON p.id = t.contact_id
LEFT JOIN users u ON u.id = t.assigned_to_user_id
LEFT JOIN tticket_teams g ON g.id = t.assigned_team_id
WHERE t.status NOT IN ('resolved', 'closed') AND t.merged_into_id IS NULL
"""

STATS = """
SELECT t.status, t.priority, t.source, COUNT(*) AS tickets,
       SUM(CASE WHEN t.assigned_to_user_id IS NULL THEN 1 ELSE 0 END) AS unassigned,
       MIN(t.created_at) AS oldest_created_at, MAX(t.updated_at) AS newest_updated_at
FROM tticket_tickets t
WHERE t.merged_into_id IS NULL
GROUP BY t.status, t.priority, t.source
"""

VIEWS = {"tticket_open_tickets": OPEN_TICKETS, "tticket_stats": STATS}

APPEND_ONLY = ("tticket_audit_log",)


@dataclass(frozen=True, slots=True)
class Trigger:
    name: str
    table: str
    create: str


def postgresql_triggers() -> tuple[Trigger, ...]:
    """UPDATE is always refused; DELETE and TRUNCATE but while a maintenance row stands in the same transaction."""
    return tuple(
        Trigger(
            name=f"{table}_{name}",
            table=table,
            create=(
                f"CREATE OR REPLACE TRIGGER {table}_{name} BEFORE {events} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION tticket_append_only()"
            ),
        )
        for table in APPEND_ONLY
        for name, events, each in (
            ("append_only", "UPDATE OR DELETE", "ROW"),
            ("no_truncate", "TRUNCATE", "STATEMENT"),
        )
    )


POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION tticket_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' AND EXISTS (SELECT 1 FROM tticket_maintenance) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
END $$
"""

# to_tsvector raises above 1 MB of text. Its parser takes invoice.pdf, a@b.example or 12.5 as one word each: with
# signs as spaces they are the words that a person types, as in FTS5. The expression of the index and of the query
# must be the same.
_SIGNS = '!"#$&()*+,-./:;<=>?@[\\]^_`{{|}}~«»·–—‘’“”…'
POSTGRESQL_VECTOR = (
    f"to_tsvector('simple', translate(left({{text}}, 200000), '{_SIGNS}', '{' ' * len(_SIGNS.format())}'))"
)
POSTGRESQL_INDEXES = {
    "tticket_search_vector": (
        "CREATE INDEX IF NOT EXISTS tticket_search_vector ON tticket_search "
        f"USING gin ({POSTGRESQL_VECTOR.format(text='text')})"
    ),
    # LIKE 'word%' uses an ordinary index in the C locale only.
    "contacts_email_prefix": ("CREATE INDEX IF NOT EXISTS contacts_email_prefix ON contacts (email text_pattern_ops)"),
    "customers_lower_name_prefix": (
        "CREATE INDEX IF NOT EXISTS customers_lower_name_prefix ON customers (lower(name) text_pattern_ops)"
    ),
}

SQLITE_FTS = "tticket_search_fts"
SQLITE_FTS_CREATE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {SQLITE_FTS} USING fts5("
    "text, content='tticket_search', content_rowid='id', tokenize='unicode61 remove_diacritics 0')"
)


def sqlite_triggers() -> tuple[Trigger, ...]:
    append_only = []
    for table in APPEND_ONLY:
        append_only += [
            Trigger(
                f"{table}_no_update",
                table,
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN "
                f"SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END",
            ),
            Trigger(
                f"{table}_no_delete",
                table,
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
                "WHEN NOT EXISTS (SELECT 1 FROM tticket_maintenance) BEGIN "
                f"SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END",
            ),
            # REPLACE deletes without telling the trigger above.
            Trigger(
                f"{table}_no_replace",
                table,
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = new.id) BEGIN "
                f"SELECT RAISE(ABORT, '{table} is append-only: REPLACE refused'); END",
            ),
        ]
    insert = f"INSERT INTO {SQLITE_FTS}(rowid, text) VALUES (new.id, new.text);"
    remove = f"INSERT INTO {SQLITE_FTS}({SQLITE_FTS}, rowid, text) VALUES ('delete', old.id, old.text);"
    on = "ON tticket_search BEGIN"
    return (
        *append_only,
        Trigger(
            "tticket_search_insert",
            "tticket_search",
            f"CREATE TRIGGER tticket_search_insert AFTER INSERT {on} {insert} END",
        ),
        Trigger(
            "tticket_search_delete",
            "tticket_search",
            f"CREATE TRIGGER tticket_search_delete AFTER DELETE {on} {remove} END",
        ),
        Trigger(
            "tticket_search_update",
            "tticket_search",
            f"CREATE TRIGGER tticket_search_update AFTER UPDATE {on} {remove} {insert} END",
        ),
    )
