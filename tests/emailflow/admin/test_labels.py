"""Labels in the admin."""

import pytest

from emailflow.models import Label, Message
from emailflow.services.labels import save_label
from tests.adminkit import agent, browser, form_values, superuser, text_of
from tests.rest import SYSTEM
from tickets.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/admin/emailflow/label/"


def test_a_label_is_made_and_noted() -> None:
    client = browser(superuser())
    values = form_values(client.get(LIST + "add/"))
    client.post(LIST + "add/", values | {"slug": "complaint", "name": "Complaint"})
    row = Label.objects.get(slug="complaint")
    assert AuditEntry.objects.filter(action="label.created", entity_id=row.pk).exists()
    assert not Message.objects.exists()


def test_a_built_in_label_keeps_its_slug_and_cannot_go() -> None:
    row, client = Label.objects.get(slug="spam"), browser(superuser())
    page = f"{LIST}{row.pk}/change/"
    answer = client.post(page, form_values(client.get(page)) | {"slug": "junk"})
    assert answer.context["adminform"].form.errors["slug"]
    refused = client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}, follow=True)
    assert "rename it or switch it off" in text_of(refused)
    assert Label.objects.filter(slug="spam").exists()


def test_an_own_label_can_go() -> None:
    row = save_label(actor=SYSTEM, label=Label(slug="mine", name="Mine"))
    browser(superuser()).post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert not Label.objects.filter(slug="mine").exists()


def test_agents_change_no_label() -> None:
    row = Label.objects.get(slug="spam")
    assert browser(agent()).post(f"{LIST}{row.pk}/change/", {"name": "x"}).status_code == 403
