"""The admin in a real browser: nothing is blocked by the content policy, and the forms work with their scripts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from emailflow.models import Workflow, WorkflowStep
from emailflow.services.workflows import save_workflow
from emailflow.workflow.base import Step
from tests.adminkit import superuser
from tests.rest import SYSTEM, ticket
from tickets.models import Contact, User
from tickets.services.files import Upload

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PASSWORD = "a long enough one"
# A dot, red.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium (Debian, Ubuntu)"
    ),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as tools:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = _started(tools)
        yield browser
        browser.close()


def _started(tools: Playwright) -> Browser:
    return tools.chromium.launch(executable_path=str(CHROMIUM), args=list(OPTIONS))


class Window:
    """A page of a logged-in superuser that remembers what the browser complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.address + path)
        assert answer is not None
        assert answer.status == 200
        return self.page


@pytest.fixture
def window(chromium: Browser, live_server: Any) -> Iterator[Window]:
    superuser("root")
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    own = Window(context.new_page(), live_server.url)
    page = own.open("/admin/login/")
    page.fill("#id_username", "root")
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    expect(page.locator(".hub-notices")).to_be_visible()
    yield own
    context.close()


def test_every_list_and_form_opens_without_a_complaint(window: Window) -> None:
    row = ticket("Printer", contact=Contact.objects.create(email="mette@nordwind.example"))
    rule = Workflow.objects.order_by("pk").first()
    assert rule is not None
    window.open("/admin/")
    found = window.page.locator("#content-main th a, #content-main .addlink")
    links = found.evaluate_all("all => all.map(link => link.href)")
    paths = {link.removeprefix(window.address) for link in links}
    assert "/admin/tickets/ticket/add/" in paths
    paths |= {f"/admin/tickets/ticket/{row.pk}/change/", f"/admin/emailflow/workflow/{rule.pk}/change/"}
    for path in sorted(paths):
        window.open(path)
        assert window.complaints == [], path


def test_no_page_is_wider_than_a_telephone(window: Window) -> None:
    row = ticket("A subject that is long enough to need more than one line on a telephone")
    window.page.set_viewport_size({"width": 360, "height": 740})
    lists = ("tickets/ticket", "emailflow/message", "emailflow/mailbox", "emailflow/workflow", "tickets/user")
    for path in ("/admin/", f"/admin/tickets/ticket/{row.pk}/change/", *(f"/admin/{name}/" for name in lists)):
        page = window.open(path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path


def test_a_rule_is_made_by_choosing_and_typing(window: Window) -> None:
    page = window.open("/admin/emailflow/workflow/add/")
    page.fill("#id_name", "Printers")
    page.click("text=Add another Condition")
    condition = page.locator("#conditions-0")
    condition.locator("select[name=conditions-0-condition]").select_option("subject")
    expect(condition.locator("[data-plugin=sender]")).to_be_hidden()
    condition.locator("textarea[name=conditions-0-cfg-subject-values]").fill("printer\ntoner")
    step = page.locator("#steps-0")
    expect(step.locator("[data-plugin=set_priority]")).to_be_hidden()
    step.locator("select[name=steps-0-action]").select_option("set_priority")
    expect(step.locator("[data-plugin=set_priority]")).to_be_visible()
    expect(step.locator("[data-plugin=create_ticket]")).to_be_hidden()
    step.locator("select[name=steps-0-cfg-set_priority-priority]").select_option("high")
    page.click("text=Add another Step")
    page.locator("select[name=steps-1-action]").select_option("create_ticket")
    page.locator("select[name=steps-1-cfg-create_ticket-assigned_to_user_id]").select_option(label="root")
    page.click("input[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    workflow = Workflow.objects.get(name="Printers")
    assert workflow.conditions.get().params["values"] == ["printer", "toner"]
    user = User.objects.get(username="root")
    stored = WorkflowStep.objects.filter(workflow=workflow).order_by("position")
    assert [(row.action, row.params) for row in stored] == [
        ("set_priority", {"priority": "high"}),
        ("create_ticket", {"assigned_to_user_id": user.pk}),
    ]
    assert window.complaints == []


def test_an_error_of_a_new_step_keeps_what_was_chosen(window: Window) -> None:
    page = window.open("/admin/emailflow/workflow/add/")
    page.fill("#id_name", "Tags")
    page.locator("select[name=steps-0-action]").select_option("add_tags")
    page.click("input[name=_save]")
    expect(page.locator("#steps-0 [data-plugin=add_tags] .errorlist")).to_be_visible()
    expect(page.locator("#steps-0 [data-plugin=set_priority]")).to_be_hidden()
    page.locator("#steps-0 [data-plugin=add_tags] [name^=steps-0-cfg-add_tags]").first.fill("printer")
    page.click("input[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert Workflow.objects.filter(name="Tags").exists()


def test_a_stored_step_is_changed_in_place(window: Window) -> None:
    steps = [Step("set_priority", {"priority": "low"})]
    rule = save_workflow(actor=SYSTEM, workflow=Workflow(name="Low"), conditions=[], steps=steps)
    page = window.open(reverse("admin:emailflow_workflow_change", args=[rule.pk]))
    page.locator("select[name=steps-0-cfg-set_priority-priority]").select_option("high")
    page.click("input[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert WorkflowStep.objects.get(workflow=rule).params == {"priority": "high"}


def test_html_mail_shows_its_inline_image_and_runs_nothing(window: Window) -> None:
    body = '<p id="hello">Hello</p><img id="dot" src="cid:dot"><script>document.title="bad"</script>'
    row = ticket("Mail", body_html=body, uploads=[Upload("dot.png", PNG, "dot", inline=True)])
    page = window.open(reverse("admin:tickets_ticket_change", args=[row.pk]))
    expect(page.locator("iframe")).to_be_hidden()
    page.click("text=Show as HTML")
    frame = page.frame_locator("iframe.hub-frame")
    expect(frame.locator("#hello")).to_have_text("Hello")
    dot = frame.locator("#dot")
    expect(dot).to_have_js_property("complete", True)
    expect(dot).to_have_js_property("naturalWidth", 1)
    blocked = [line for line in window.complaints if "script" in line.lower()]
    assert window.complaints == blocked
    assert blocked


def test_a_requester_is_found_by_typing(window: Window) -> None:
    Contact.objects.create(email="mette@nordwind.example", name="Mette Lund")
    Contact.objects.create(email="other@else.example")
    page = window.open("/admin/tickets/ticket/add/")
    page.fill("#id_subject", "Called in")
    page.locator("[aria-labelledby=select2-id_contact-container]").click()
    page.locator(".select2-search__field").fill("mette")
    page.locator(".select2-results__option", has_text=re.compile("Mette Lund")).click()
    page.click("input[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert Contact.objects.get(email="mette@nordwind.example").tickets.get().subject == "Called in"
    assert window.complaints == []
