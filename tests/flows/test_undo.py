"""An answer can be taken back for some seconds; until then nobody hears of it."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from tests.adminkit import agent, browser, told
from tests.rest import caller, ticket
from tests.threads import at_once
from tests.tickets.making import HUB
from tickets import signals
from tickets.errors import Conflict
from tickets.models import Comment, SearchText, Source, Ticket, User
from tickets.services.comments import add_comment
from tickets.services.publishing import publish_due, take_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Any:
    """The comments that the world was told of."""
    told_of: list[int] = []

    def hear(sender: Any, comment: Comment, **kwargs: Any) -> None:
        told_of.append(comment.pk)

    signals.comment_added.connect(hear)
    yield told_of
    signals.comment_added.disconnect(hear)


@pytest.fixture
def clerk() -> User:
    return agent("clerk")


def _answer(on: Ticket, by: User, **options: Any) -> Comment:
    return add_comment(actor=HUB, ticket=on, body_text="It is done.", source=Source.MANUAL, author_user=by, **options)


def _later(settings: LazySettings) -> None:
    """The seconds are over."""
    Comment.objects.filter(state="held").update(held_until="2020-01-01T00:00:00Z")


def test_an_answer_is_held_and_counts_for_nothing_until_its_seconds_are_over(
    settings: LazySettings, clerk: User, heard: list[int]
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    answer = _answer(row, clerk)

    row.refresh_from_db()
    assert (answer.state, row.first_response_at, heard, publish_due()) == ("held", None, [], 0)

    _later(settings)
    assert publish_due() == 1
    row.refresh_from_db()
    answer.refresh_from_db()
    assert (answer.state, answer.held_until, heard) == ("published", None, [answer.pk])
    assert row.first_response_at is not None
    assert publish_due() == 0


def test_a_note_and_a_mail_of_staff_are_never_held(settings: LazySettings, clerk: User, heard: list[int]) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    note = _answer(row, clerk, is_internal=True)
    mailed = add_comment(actor=HUB, ticket=row, body_text="By mail.", source=Source.EMAIL, author_user=clerk)

    assert (note.state, mailed.state, heard) == ("published", "published", [note.pk, mailed.pk])


def test_an_answer_that_is_taken_back_is_a_draft_that_only_its_author_sees(
    settings: LazySettings, clerk: User, heard: list[int]
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    client = caller(clerk)
    made = client.post(f"/api/v1/tickets/{row.pk}/comments/", {"body_text": "Wrong customer"}, format="json").json()
    assert made["state"] == "held"

    undone = client.post(f"/api/v1/tickets/{row.pk}/comments/{made['id']}/undo/")

    assert (undone.status_code, undone.json()["state"], undone.json()["body_text"]) == (200, "draft", "Wrong customer")
    _later(settings)
    assert (publish_due(), heard) == (0, [])
    assert not SearchText.objects.filter(text="Wrong customer").exists()
    colleague = caller(agent("colleague"))
    assert colleague.get(f"/api/v1/tickets/{row.pk}/comments/{made['id']}/").status_code == 404
    sent = client.post(f"/api/v1/tickets/{row.pk}/comments/{made['id']}/send/", {"body_text": "Right"}, format="json")
    assert (sent.json()["state"], sent.json()["reply_text"]) == ("held", "Right")
    _later(settings)
    assert (publish_due(), heard) == (1, [made["id"]])


def test_what_has_left_cannot_be_taken_back(settings: LazySettings, clerk: User) -> None:
    row = ticket()
    client = caller(clerk)
    made = client.post(f"/api/v1/tickets/{row.pk}/comments/", {"body_text": "Gone"}, format="json").json()

    refused = client.post(f"/api/v1/tickets/{row.pk}/comments/{made['id']}/undo/")

    assert (refused.status_code, made["state"]) == (409, "published")
    assert "on its way" in refused.content.decode()


def test_nobody_takes_back_what_a_colleague_wrote(settings: LazySettings, clerk: User) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    answer = _answer(row, clerk)

    refused = caller(agent("colleague")).post(f"/api/v1/tickets/{row.pk}/comments/{answer.pk}/undo/")

    answer.refresh_from_db()
    assert (refused.status_code, answer.state) == (403, "held")


def test_the_page_offers_to_take_back_to_send_and_to_throw_away(settings: LazySettings, clerk: User) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    page, window = f"/admin/tickets/ticket/{row.pk}/", browser(clerk)
    posted = window.post(f"{page}note/", {"body_text": "Soon", "is_internal": "0"}, follow=True)
    assert told(posted) == ["The answer leaves in 60 seconds; it can be taken back until then."]
    answer = Comment.objects.get(body_text="Soon")
    assert "Take back" in posted.content.decode()

    back = window.post(f"{page}comments/{answer.pk}/undo/", follow=True).content.decode()
    assert "Your draft" in back
    assert ">Soon</textarea>" in back

    window.post(f"{page}comments/{answer.pk}/draft/", {"decision": "discard"})
    assert not Comment.objects.filter(pk=answer.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_taking_back_and_publishing_at_once_ends_in_one_of_the_two(
    settings: LazySettings, clerk: User, heard: list[int]
) -> None:
    settings.REPLY_UNDO_SECONDS = 60
    row = ticket()
    for _ in range(10):
        answer = _answer(row, clerk)
        _later(settings)
        results = at_once(publish_due, lambda answer=answer: _try_to_take_back(answer))
        answer.refresh_from_db()
        published = answer.pk in heard
        assert results == [1, False] if published else results == [0, True], connection.vendor
        assert answer.state == ("published" if published else "draft")


def _try_to_take_back(answer: Comment) -> bool:
    try:
        take_back(actor=HUB, comment=answer)
    except Conflict:
        return False
    return True
