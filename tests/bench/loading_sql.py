"""The SQL of ``tests.bench.loading``: what a mailbox of many years has left in each table.

Three comments in a thousand tickets a day: mail that opens a ticket, customers' replies, answers by staff. Texts are
shorter than in life; entries of the indexes are as many, and as random.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

TICKETS_A_DAY = 1000
PLAN_TABLES = ("load_comments", "load_tickets", "load_texts")
WITHOUT_ID = ("email_traces",)


@dataclass(frozen=True, slots=True)
class First:
    """The first id that the load may use in a table whose ids others refer to, in the order of ``tables``."""

    customer: int
    contact: int
    tag: int
    ticket: int
    comment: int
    message: int
    log: int

    @staticmethod
    def tables() -> tuple[str, ...]:
        return (
            *("customers", "contacts", "tticket_tags", "tticket_tickets", "tticket_comments"),
            *("email_messages", "tticket_email_log"),
        )

    def named(self) -> dict[str, int]:
        return {f"first_{field.name}": getattr(self, field.name) for field in fields(self)}


def plan(tickets: int, comments: int) -> Iterator[str]:
    """``load_comments``: a row a comment. ``load_tickets``: a row a ticket. ``load_texts``: filled by the caller."""
    sizes = {
        "t": tickets,
        "c": comments,
        "days": max(1, tickets // TICKETS_A_DAY),
        "contacts": max(10, tickets // 5),
        "customers": max(2, tickets // 50),
    }
    for sql in _PLAN:
        yield sql.format(**sizes)


# The k-th comment belongs to the last of the "cur" tickets that are open by then, if it opens it; else to one of the
# last thousands, rather a young one. Days end before the first day on which Hub has opened a ticket itself.
_PLAN = (
    "CREATE UNLOGGED TABLE load_texts (n int, text text, subject text)",
    "SELECT setseed(0.5)",
    """
CREATE UNLOGGED TABLE load_comments AS
SELECT k, kind, CASE WHEN kind = 'open' THEN cur ELSE greatest(1, cur - floor(power(age, 3) * 3000)::int) END AS ticket,
       (kind <> 'staff')::int AS is_mail,
       sum((kind <> 'staff')::int) OVER (ORDER BY k) AS mail,
       first_day + floor(x)::int AS day,
       (first_day + floor(x)::int) + interval '6 hours' + (x - floor(x)) * interval '14 hours' AS at,
       -- A good spread without random(), so that each table makes the same of it.
       ('x' || left(md5(k::text), 7))::bit(28)::int AS dice
FROM (SELECT k, cur, random() AS age, (k - 1)::float8 * {days} / {c} AS x,
             CASE WHEN k = (cur - 1)::bigint * {c} / {t} + 1 THEN 'open'
                  WHEN random() < 0.5 THEN 'mail' ELSE 'staff' END AS kind
      FROM (SELECT k, ((k::bigint * {t} + {c} - 1) / {c})::int AS cur FROM generate_series(1, {c}) k) counted) drawn,
     (SELECT least(min(day), current_date) - {days} AS first_day FROM tticket_ticket_numbers) days
""",
    """
CREATE UNLOGGED TABLE load_tickets AS
SELECT ticket AS i, k, day, at, dice, mail,
       1 + (ticket::bigint * 7919 % {contacts})::int AS contact, {contacts} AS contacts, {customers} AS customers,
       'TKT-' || to_char(day, 'YYYYMMDD') || '-' || CASE WHEN number < 1000 THEN lpad(number::text, 3, '0')
                                                     ELSE number::text END AS ticket_number,
       last_at, answered_at, CASE WHEN dice % 100 < 5 THEN 'open' WHEN dice % 100 < 20 THEN 'resolved'
                                  ELSE 'closed' END AS status
FROM (SELECT *, row_number() OVER (PARTITION BY day ORDER BY ticket) AS number
      FROM load_comments WHERE kind = 'open') opened
JOIN (SELECT ticket, max(at) AS last_at, min(at) FILTER (WHERE kind = 'staff') AS answered_at
      FROM load_comments GROUP BY ticket) ends USING (ticket)
ORDER BY ticket
""",
)

COUNTERS = (
    "INSERT INTO tticket_ticket_numbers (day, last) SELECT day, count(*) FROM load_tickets GROUP BY day "
    "ON CONFLICT (day) DO UPDATE SET last = tticket_ticket_numbers.last + excluded.last"
)

_TEXT = "JOIN load_texts x ON x.n = c.dice % (SELECT count(*) FROM load_texts)"
_MESSAGE_ID = "'<' || md5('mail ' || c.k) || '@company' || c.k % 1000 || '.example>'"
_ADDRESS = "'person' || {t}.contact || '@company' || {t}.contact % {t}.customers || '.example'"
_HAS_FILE = "c.is_mail = 1 AND c.dice % 100 < 15"
_TICKET = "JOIN load_tickets t ON t.i = c.ticket"
_USER = "(SELECT min(id) FROM users WHERE username LIKE 'agent%') + {row}.dice % 20"
_TEAM = "(SELECT min(id) FROM tticket_teams WHERE name LIKE 'Team %') + {row}.dice % 5"
_OF_T = _ADDRESS.format(t="t")

# Table -> INSERT, the longest first. ``inserts`` fills in the first ids.
_INSERTS = {
    "tticket_search": f"""
INSERT INTO tticket_search (ticket_id, kind, text)
SELECT {{first_ticket}} - 1 + c.ticket, part.kind,
       CASE part.kind WHEN 'subject' THEN x.subject WHEN 'comment' THEN x.text || ' ' || c.k ELSE 'bilag.pdf' END
FROM load_comments c {_TEXT}
JOIN LATERAL (VALUES ('subject'), ('comment'), ('attachment')) part (kind) ON part.kind = 'comment'
  OR (part.kind = 'subject' AND c.kind = 'open') OR (part.kind = 'attachment' AND {_HAS_FILE})
ORDER BY c.k""",
    "tticket_comments": f"""
INSERT INTO tticket_comments (id, ticket_id, author_user_id, author_contact_id, body_text, reply_text, body_html,
    is_internal, state, is_unverified, sender_verdict, source, system_code, system_params, remarks, created_at)
SELECT {{first_comment}} - 1 + c.k, {{first_ticket}} - 1 + c.ticket,
       CASE c.kind WHEN 'staff' THEN {_USER.format(row="c")} END,
       CASE c.kind WHEN 'staff' THEN NULL ELSE {{first_contact}} - 1 + t.contact END,
       x.text || ' ' || c.k, x.text || ' ' || c.k, '<div><p>' || x.text || ' ' || c.k || '</p></div>',
       false, 'published', c.dice % 200 = 0, CASE c.kind WHEN 'staff' THEN '' ELSE 'none' END,
       CASE c.kind WHEN 'staff' THEN 'manual' ELSE 'email' END, '', '{{{{}}}}', '[]', c.at
FROM load_comments c {_TICKET} {_TEXT} ORDER BY c.k""",
    "email_messages": f"""
INSERT INTO email_messages (id, mailbox_id, sha256, size, raw_kept, message_id, identity, from_address, from_name,
    subject, text_sha256, attachments_sha256, received_at, stored_at, live, kind, sender_verdict, label, confidence,
    state, outcome, run, attempts, alone, waits, next_attempt_at, lease_token, last_error, ticket_id)
SELECT {{first_message}} - 1 + c.mail, (SELECT id FROM email_mailboxes WHERE slug = 'bench'),
       encode(sha256(('raw ' || c.k)::bytea), 'hex'), 20000 + c.dice % 90000,
       c.at > now() - interval '90 days', {_MESSAGE_ID}, encode(sha256(('identity ' || c.k)::bytea), 'hex'), {_OF_T},
       'Person', CASE c.kind WHEN 'open' THEN x.subject ELSE 'Re: ' || x.subject END,
       encode(sha256(('text ' || c.k)::bytea), 'hex'), '', c.at, c.at + interval '1 second', true, 'person', 'none',
       (ARRAY['support_request', 'question', 'invoice', 'general'])[1 + c.dice % 4], 0.8, 'processed',
       CASE c.kind WHEN 'open' THEN 'ticket_created' ELSE 'linked' END, 1, 1, false, 0, c.at, '', '',
       {{first_ticket}} - 1 + c.ticket
FROM load_comments c {_TICKET} {_TEXT} WHERE c.is_mail = 1 ORDER BY c.k""",
    "tticket_email_log": f"""
INSERT INTO tticket_email_log (id, ticket_id, comment_id, source_key, email_message_id, email_subject, email_from,
    email_received_at, is_reply, direction, thread_data, created_at)
SELECT {{first_log}} - 1 + c.k, {{first_ticket}} - 1 + c.ticket, {{first_comment}} - 1 + c.k,
       CASE c.is_mail WHEN 1 THEN 'in:' || {{first_message}} - 1 + c.mail
                      ELSE 'out:' || {{first_comment}} - 1 + c.k END,
       {_MESSAGE_ID}, CASE c.kind WHEN 'open' THEN x.subject ELSE 'Re: ' || x.subject END,
       CASE c.is_mail WHEN 1 THEN {_OF_T} ELSE 'support@hub.example' END,
       c.at, c.kind <> 'open', CASE c.is_mail WHEN 1 THEN 'in' ELSE 'out' END,
       jsonb_build_object('message_id', {_MESSAGE_ID}, 'in_reply_to', '', 'references', '[]'::jsonb), c.at
FROM load_comments c {_TICKET} {_TEXT} ORDER BY c.k""",
    "tticket_audit_log": """
INSERT INTO tticket_audit_log (actor_type, actor_id, actor_name, action, entity_type, entity_id, ticket_id, old_values,
    new_values, request_id, created_at)
SELECT CASE WHEN c.kind = 'staff' THEN 'user' WHEN part.action = 'comment.added' THEN 'mail' ELSE 'rule' END,
       c.dice % 20, 'agent', part.action, split_part(part.action, '.', 1),
       CASE part.action WHEN 'comment.added' THEN {first_comment} - 1 + c.k ELSE {first_ticket} - 1 + c.ticket END,
       {first_ticket} - 1 + c.ticket, '{{}}', '{{"source": "email", "internal": false}}', '', c.at
FROM load_comments c
JOIN LATERAL (VALUES ('ticket.opened'), ('comment.added'), ('ticket.changed')) part (action)
  ON part.action = 'comment.added' OR (part.action = 'ticket.opened' AND c.kind = 'open')
  OR (part.action = 'ticket.changed' AND c.kind = 'staff')
ORDER BY c.k""",
    "email_traces": """
INSERT INTO email_traces (message_id, facts, signals, rules, plan, results, updated_at)
SELECT {first_message} - 1 + c.mail, jsonb_build_object('kind', 'person', 'label', 'support_request', 'confidence', 0.8,
         'verdict', 'none', 'kind_reason', 'Nothing in its form says that a machine wrote it.',
         'verdict_reason', 'No mail server of ours is named, so no authentication result is believed.'),
       '[]', jsonb_build_array(jsonb_build_object('name', 'Everything else', 'fired', true, 'reasons', 'any label')),
       '["Open a ticket."]', jsonb_build_array(jsonb_build_object('ticket_id', {first_ticket} - 1 + c.ticket)), c.at
FROM load_comments c WHERE c.is_mail = 1 ORDER BY c.k""",
    "email_workflow_executions": """
INSERT INTO email_workflow_executions (message_id, workflow_id, workflow_name, run, dry_run, status, results, error,
    duration, created_at)
SELECT {first_message} - 1 + c.mail, (SELECT max(id) FROM email_workflows), 'Everything else', 1, false, 'success',
       jsonb_build_array(jsonb_build_object('action', 'create_ticket', 'ticket_id', {first_ticket} - 1 + c.ticket)),
       '', 0.00002, c.at
FROM load_comments c WHERE c.is_mail = 1 ORDER BY c.k""",
    "tticket_tickets": f"""
INSERT INTO tticket_tickets (id, ticket_number, subject, description, status, priority, category, source, customer_id,
    contact_id, assigned_to_user_id, assigned_team_id, custom_fields, first_response_at, resolved_at, closed_at,
    created_at, updated_at)
SELECT {{first_ticket}} - 1 + c.i, c.ticket_number, x.subject, x.text, c.status,
       (ARRAY['normal', 'normal', 'normal', 'low', 'high', 'critical'])[1 + c.dice % 6], 'support_request', 'email',
       {{first_customer}} + c.contact % c.customers, {{first_contact}} - 1 + c.contact,
       CASE WHEN c.dice % 3 > 0 THEN {_USER.format(row="c")} END, {_TEAM.format(row="c")},
       jsonb_build_object('email_from', {_ADDRESS.format(t="c")}, 'email_message_id', {_MESSAGE_ID},
                          'created_from_email', true),
       c.answered_at, CASE WHEN c.status <> 'open' THEN c.last_at END,
       CASE WHEN c.status = 'closed' THEN c.last_at END, c.at, c.last_at
FROM load_tickets c {_TEXT} ORDER BY c.i""",
    "tticket_participants": f"""
INSERT INTO tticket_participants (ticket_id, address, name, role, state, added_by, created_at)
SELECT {{first_ticket}} - 1 + c.i, CASE part.role WHEN 'requester' THEN {_ADDRESS.format(t="c")}
                                             ELSE 'boss@company' || c.contact % c.customers || '.example' END,
       'Person', part.role, 'confirmed', 'opened the ticket', c.at
FROM load_tickets c
JOIN LATERAL (VALUES ('requester'), ('cc')) part (role) ON part.role = 'requester' OR c.dice % 10 = 0
ORDER BY c.i""",
    "tticket_attachments": f"""
INSERT INTO tticket_attachments (ticket_id, comment_id, name, size, mime_type, sha256, cid, is_inline)
SELECT {{first_ticket}} - 1 + c.ticket, {{first_comment}} - 1 + c.k, 'bilag.pdf', 50000 + c.dice % 250000,
       'application/pdf', encode(sha256(('file ' || c.k)::bytea), 'hex'), '', false
FROM load_comments c WHERE {_HAS_FILE} ORDER BY c.k""",
    "email_deliveries": """
INSERT INTO email_deliveries (mailbox_id, source, uidvalidity, uid, message_id, state, after_read_done, attempts,
    last_error, created_at)
SELECT (SELECT id FROM email_mailboxes WHERE slug = 'bench'), md5('source'), '1', c.mail::text,
       {first_message} - 1 + c.mail, 'stored', true, 1, '', c.at
FROM load_comments c WHERE c.is_mail = 1 ORDER BY c.k""",
    "contacts": """
INSERT INTO contacts (id, email, name, phone, language, customer_id, created_at)
SELECT {first_contact} - 1 + n, 'person' || n || '@company' || n % customers || '.example', 'Person ' || n, '', '',
       {first_customer} + n % customers, now() - interval '1 day'
FROM (SELECT customers, generate_series(1, contacts) AS n FROM load_tickets WHERE i = 1) numbered""",
    "customers": """
INSERT INTO customers (id, name, notes, created_at)
SELECT {first_customer} + n, 'Company ' || n, '', now() - interval '1 day'
FROM (SELECT generate_series(0, customers - 1) AS n FROM load_tickets WHERE i = 1) numbered""",
    "customer_domains": """
INSERT INTO customer_domains (customer_id, domain)
SELECT {first_customer} + n, 'company' || n || '.example'
FROM (SELECT generate_series(0, customers - 1) AS n FROM load_tickets WHERE i = 1) numbered""",
    "tticket_tags": """
INSERT INTO tticket_tags (id, name) SELECT {first_tag} + n, 'load' || n FROM generate_series(0, 49) n""",
    "tticket_ticket_tags": """
INSERT INTO tticket_ticket_tags (ticket_id, tag_id)
SELECT {first_ticket} - 1 + i, {first_tag} + dice % 50 FROM load_tickets WHERE dice % 5 = 0 ORDER BY i""",
}
TABLES = tuple(_INSERTS)


def inserts(first: First) -> list[tuple[str, ...]]:
    """A job a table, the longest first. Tables without foreign keys: in any order."""
    return [(sql.format(**first.named()),) for sql in _INSERTS.values()]
