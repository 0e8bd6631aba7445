"""Templates that staff edit: nothing is saved that could not be sent, and the log says who changed what."""

import pytest

from emailflow.models import Mailbox, Protocol, Template
from emailflow.outbound.templates import DEFAULTS, PLACEHOLDERS, choose
from emailflow.services.templates import delete_template, preview_template, save_template
from tests.tickets.making import HUB, audit_as_text, contact_of, entries, open_one
from tickets.errors import Conflict, ServiceError
from tickets.models import Ticket, User

pytestmark = pytest.mark.django_db


def template(**changes: object) -> Template:
    given: dict[str, object] = {"kind": "acknowledgement", "language": "da", "body": "Tak, {customer_name}."}
    return Template(**given | changes)


def mailbox(slug: str = "support", **changes: object) -> Mailbox:
    given = {"protocol": Protocol.BUILTIN, "addresses": [f"{slug}@help.example"], "name": slug.title()}
    return Mailbox.objects.create(slug=slug, **given | changes)


def test_a_template_is_saved_chosen_and_noted_without_its_text() -> None:
    saved = save_template(actor=HUB, template=template(subject="  Tak \n for mailen ", body="\r\nTak.\r\nVenlig\r\n"))
    words = choose(Template.objects.all(), "acknowledgement", "da", None)
    assert (words.subject, words.body) == ("Tak for mailen", "Tak.\nVenlig")
    saved.body, saved.language = "Mange tak, {subject}", "en"
    save_template(actor=HUB, template=saved)
    assert entries("template.changed") == [({"language": "da"}, {"language": "en", "body": "(changed)"})]
    assert "Mange tak" not in audit_as_text()


def test_what_changes_nothing_is_not_noted() -> None:
    saved = save_template(actor=HUB, template=template())
    save_template(actor=HUB, template=saved)
    assert entries("template.changed") == []
    assert len(entries("template.created")) == 1


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"body": "Hej {navn}"}, "body", "{navn}"),
        ({"subject": "{ticket_number.__class__}"}, "subject", "{ticket_number.__class__}"),
        ({"body": " "}, "body", "Enter"),
        ({"body": "x" * 20_001}, "body", "20000"),
        ({"subject": "x" * 201}, "subject", "200"),
        ({"language": "de"}, "language", "'de'"),
        ({"kind": "alert"}, "kind", "'alert'"),
        ({"kind": "reply", "body": "Hej"}, "body", "{message}"),
    ],
)
def test_what_could_not_be_sent_is_refused_at_its_field(changes: dict[str, object], field: str, words: str) -> None:
    with pytest.raises(ServiceError) as caught:
        save_template(actor=HUB, template=template(**changes))
    assert caught.value.field == field
    assert words in caught.value.message
    assert not Template.objects.exists()


def test_there_is_one_template_for_each_kind_language_and_mailbox() -> None:
    own = mailbox()
    save_template(actor=HUB, template=template())
    save_template(actor=HUB, template=template(mailbox=own))
    save_template(actor=HUB, template=template(language="en"))
    for again in (template(), template(mailbox=own)):
        with pytest.raises(Conflict, match="already"):
            save_template(actor=HUB, template=again)
    assert Template.objects.count() == 3


def test_a_template_that_went_meanwhile_is_neither_saved_nor_removed_again() -> None:
    saved = save_template(actor=HUB, template=template())
    delete_template(actor=HUB, template=Template.objects.get(pk=saved.pk))
    with pytest.raises(Conflict):
        save_template(actor=HUB, template=saved)
    with pytest.raises(Conflict):
        delete_template(actor=HUB, template=saved)
    assert len(entries("template.deleted")) == 1


@pytest.fixture
def ticket() -> Ticket:
    return open_one("Printeren {er} død", contact=contact_of(name="Mette {subject}"))


def test_a_preview_is_the_mail_that_would_be_sent_with_values_as_data(ticket: Ticket) -> None:
    agent = User.objects.create_user("bo", first_name="Bo", signature="Bo fra Hub")
    own = mailbox(signature="Hub ApS", from_name="Støtten")
    mail = preview_template(template(mailbox=own, subject="Modtaget: {subject}"), ticket=ticket, agent=agent)
    assert mail.subject == f"[{ticket.ticket_number}] Modtaget: Printeren {{er}} død"
    assert mail.text == "Tak, Mette {subject}.\n\n-- \nHub ApS\n"
    assert mail.sender == "Støtten <support@help.example>"
    answer = preview_template(template(kind="reply", body="Hej\n\n{message}"), ticket=ticket, agent=agent)
    assert "Her står det" in answer.text
    assert answer.text.endswith("-- \nBo fra Hub\n")
    assert not Template.objects.exists()


def test_every_placeholder_and_all_our_own_words_can_be_previewed(ticket: Ticket) -> None:
    agent = User.objects.create_user("bo")
    for kind, names in PLACEHOLDERS.items():
        body = " ".join(f"{{{name}}}" for name in names)
        mail = preview_template(template(kind=kind, body=body), ticket=ticket, agent=agent)
        assert ticket.ticket_number in mail.text
    for (kind, language), words in DEFAULTS.items():
        chosen = template(kind=kind, language=language, subject=words.subject, body=words.body)
        assert preview_template(chosen, ticket=ticket, agent=agent).text.strip()


def test_a_ticket_without_a_requester_can_be_previewed() -> None:
    agent = User.objects.create_user("bo")
    assert "Anna" in preview_template(template(), ticket=open_one(), agent=agent).text


def test_a_preview_refuses_what_saving_would_refuse(ticket: Ticket) -> None:
    with pytest.raises(ServiceError, match="no placeholder"):
        preview_template(template(body="{x}"), ticket=ticket, agent=User.objects.create_user("bo"))
