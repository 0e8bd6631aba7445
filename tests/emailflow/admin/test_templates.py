"""Mail templates in the admin: an editor that says what may stand in it, and a preview that saves nothing."""

from typing import Any

import pytest
from django.test import Client

from emailflow.models import Mailbox, OutboxKind, Protocol, Template
from emailflow.outbound.templates import DEFAULTS, PLACEHOLDERS
from emailflow.services.templates import save_template
from tests.adminkit import agent, browser, form_values, superuser, text_of
from tests.rest import SYSTEM
from tests.tickets.making import contact_of, open_one, team_of
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/template/"


def saved(**changes: object) -> Template:
    given: dict[str, object] = {"kind": "acknowledgement", "language": "da", "body": "Tak"}
    return save_template(actor=SYSTEM, template=Template(**given | changes))


def mailbox(slug: str = "support", **changes: object) -> Mailbox:
    return Mailbox.objects.create(slug=slug, name=slug.title(), protocol=Protocol.BUILTIN, **changes)


def test_a_new_template_begins_with_our_own_words_and_is_saved_and_noted() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/?kind=acknowledgement&language=da"))
    assert values["body"] == DEFAULTS["acknowledgement", "da"].body
    client.post(LIST + "add/", values | {"subject": "Tak for din mail", "body": "Nummer {ticket_number}"})
    row = Template.objects.get()
    assert (row.kind, row.language, row.mailbox, row.subject) == ("acknowledgement", "da", None, "Tak for din mail")
    assert AuditEntry.objects.filter(action="template.created", entity_id=row.pk).exists()


@pytest.mark.parametrize("query", ["", "?kind=nonsense&language=xx"])
def test_the_empty_editor_opens_whatever_is_asked_for(query: str) -> None:
    assert browser(superuser()).get(f"{LIST}add/{query}").status_code == 200


def test_all_placeholders_are_listed_beside_the_editor() -> None:
    page = text_of(browser(superuser()).get(LIST + "add/"))
    for kind, names in PLACEHOLDERS.items():
        assert OutboxKind(kind).label in page
        for name, meaning in names.items():
            assert f"{{{name}}} {meaning}" in page


def test_an_unknown_placeholder_is_an_error_at_the_field_and_nothing_is_saved() -> None:
    row, client = saved(), browser(superuser())
    page = f"{LIST}{row.pk}/change/"
    answer = client.post(page, form_values(client.get(page)) | {"body": "Hej {navn}"})
    assert "There is no placeholder {navn}." in answer.context["adminform"].form.errors["body"][0]
    assert "Hej {navn}" in answer.content.decode()
    assert Template.objects.get().body == "Tak"


def test_a_second_template_for_the_same_is_told_in_words() -> None:
    saved()
    client = browser(superuser())
    answer = client.post(LIST + "add/", {"kind": "acknowledgement", "language": "da", "mailbox": "", "body": "Hej"})
    assert "already" in answer.context["adminform"].form.errors["kind"][0]


def test_a_template_can_go() -> None:
    row = saved()
    browser(superuser()).post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert not Template.objects.exists()
    assert AuditEntry.objects.filter(action="template.deleted").exists()


def test_managers_write_templates_and_agents_read_them() -> None:
    row = saved(subject="Tak for mailen")
    page = f"{LIST}{row.pk}/change/"
    reader = browser(agent())
    assert "Tak for mailen" in text_of(reader.get(LIST))
    assert reader.get(page).status_code == 200
    assert reader.post(page, {"body": "x"}).status_code == 403
    assert reader.get(LIST + "add/").status_code == 403
    assert reader.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    writer = browser(agent("boss", "Managers"))
    writer.post(page, form_values(writer.get(page)) | {"body": "Mange tak"})
    assert Template.objects.get().body == "Mange tak"


def test_who_sees_own_teams_sees_their_mailboxes_templates_and_the_general() -> None:
    user = agent("anna", "Managers", visibility="own_teams")
    own, other = mailbox("own", team=team_of(user)), mailbox("other")
    saved(subject="for everybody")
    saved(subject="for our own", mailbox=own)
    hidden = saved(subject="for the others", mailbox=other)
    client = browser(user)
    page = text_of(client.get(LIST))
    assert "for everybody" in page
    assert "for our own" in page
    assert "for the others" not in page
    assert client.get(f"{LIST}{hidden.pk}/change/").status_code == 404
    client.post(LIST + "add/", {"kind": "reply", "language": "en", "mailbox": str(other.pk), "body": "{message}"})
    assert not Template.objects.filter(kind="reply").exists()


def preview(client: Client, **values: str) -> Any:
    given = {"kind": "acknowledgement", "language": "da", "subject": "", "body": "Hej {customer_name}", "mailbox": ""}
    return client.post(LIST + "preview/", given | values)


def test_the_preview_shows_what_was_typed_for_a_real_ticket_and_saves_nothing() -> None:
    older = open_one("Printeren", contact=contact_of(name="Mette <b>"))
    newest = open_one("Skærmen")
    client = browser(superuser())
    page = preview(client, preview_ticket=f" {older.ticket_number.lower()} ")
    assert page.context["mail"].text == "Hej Mette <b>\n"
    assert "Mette &lt;b&gt;" in page.content.decode()
    assert f"[{older.ticket_number}] Re: Printeren" in text_of(page)
    assert newest.ticket_number in text_of(preview(client))
    assert not Template.objects.exists()


def test_the_button_of_the_editor_leads_to_the_preview() -> None:
    open_one("Printeren")
    client = browser(superuser())
    editor = client.get(LIST + "add/")
    assert f'formaction="{LIST}preview/"' in editor.content.decode()
    assert client.post(LIST + "preview/", form_values(editor)).status_code == 200


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"body": "{navn}"}, "There is no placeholder {navn}."),
        ({"kind": "nonsense"}, "is not a kind of mail"),
        ({"language": "xx"}, "is not a language"),
        ({"preview_ticket": "TKT-19990101-001"}, "There is no such ticket"),
        ({"preview_ticket": "\0"}, ""),
        ({"mailbox": "x"}, ""),
        ({"mailbox": "9" * 30}, ""),
    ],
)
def test_what_cannot_be_previewed_is_said_and_odd_input_breaks_nothing(typed: dict[str, str], words: str) -> None:
    open_one()
    page = preview(browser(superuser()), **typed)
    assert page.status_code == (400 if words else 200)
    assert words in text_of(page)


def test_a_preview_shows_no_ticket_that_the_user_may_not_see() -> None:
    hidden = open_one("Secret")
    page = preview(browser(agent("anna", visibility="own_tickets")), preview_ticket=hidden.ticket_number)
    assert page.status_code == 400
    assert "Secret" not in text_of(page)


def test_a_preview_needs_the_right_to_see_templates_and_is_asked_for_by_a_form() -> None:
    open_one()
    stranger = agent("stranger", "Agents")
    stranger.groups.clear()
    assert preview(browser(stranger)).status_code == 403
    assert browser(superuser()).get(LIST + "preview/").status_code == 405
