"""Lists that are read a page at a time and gone on with later (usercom-api.md 1.3 and 1.6)."""

from datetime import datetime, timedelta, timezone

import pytest
from odoo.addons.usercom_connector.client import (
    AgainLater,
    ContactPage,
    RecordRefused,
    Throttled,
    UserCom,
    UserComError,
)

NOT_FOUND = {"detail": "Not found."}
SINCE = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def answer(*results, following=None):
    return {"count": 9, "next": following, "previous": None, "results": list(results)}


def stamp(seconds):
    return (SINCE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("last_next_404", [True, False])
def test_a_list_is_gone_on_with_by_another_client(account, last_next_404):
    account.switch(page_size=2, last_next_404=last_next_404)
    numbers = [account.add_contact()["id"] for _ in range(5)]
    cursor, found, counts = None, [], []
    while True:
        with UserCom(account.url, account.key) as usercom:
            page = usercom.list_contacts_page(cursor)
        found += [contact.id for contact in page.contacts]
        counts.append(page.count)
        cursor = page.next
        if cursor is None:
            break
        assert cursor.startswith("/api/public/users/?cursor=")
    assert found == numbers
    assert counts == [5, 5, 5] + [None] * last_next_404
    assert len(account.calls("GET", "/users/")) == len(counts)


@pytest.mark.parametrize("zone", [None, timezone.utc, timezone(timedelta(hours=2))])
def test_the_contacts_that_changed_in_a_span_are_read(account, usercom, zone):
    account.switch(page_size=2)
    since = SINCE.astimezone(zone) if zone else SINCE.replace(tzinfo=None)
    numbers = [
        account.add_contact(updated_at=stamp(seconds))["id"] for seconds in (-1, 0, 5, 10, 10.4, 12)
    ]
    first = usercom.changed_contacts_page(since, since + timedelta(seconds=10))
    assert [contact.id for contact in first.contacts] == numbers[1:3]
    assert (first.count, first.unreadable) == (3, 0)
    second = usercom.changed_contacts_page(since, None, first.next)
    assert [contact.id for contact in second.contacts] == numbers[3:4]
    assert second.next is None
    assert usercom.changed_contacts_page(since).count == 5


def test_a_span_is_widened_to_whole_seconds(wire, api):
    wire.say(200, answer())
    api.changed_contacts_page(
        SINCE + timedelta(seconds=0.9), SINCE + timedelta(seconds=1, microseconds=1)
    )
    seconds = int(SINCE.timestamp())
    assert wire.last.target == (
        f"/api/public/users/search/?search=updated_at&min={seconds}&max={seconds + 2}"
    )


def test_a_broken_object_does_not_cost_its_page(wire, api):
    for read in (api.list_contacts_page, lambda: api.changed_contacts_page(SINCE)):
        wire.say(200, answer({"id": 1}, None, {"id": "x"}, "y", {"id": 2}))
        page = read()
        assert [contact.id for contact in page.contacts] == [1, 2]
        assert (page.unreadable, page.next, page.count) == (3, None, 9)


@pytest.mark.parametrize("body", [NOT_FOUND, b"<h1>no</h1>"])
def test_a_404_on_a_cursor_is_the_end(wire, api, body):
    wire.say(404, body)
    assert api.list_contacts_page("/api/public/users/?cursor=2") == ContactPage((), None, None)


def test_a_404_without_a_cursor_is_no_end(wire, api):
    wire.say(404, NOT_FOUND)
    with pytest.raises(AgainLater):
        api.list_contacts_page()


def test_another_error_on_a_cursor_is_no_end(wire, api):
    wire.say(429, NOT_FOUND, "Retry-After: 7")
    with pytest.raises(Throttled) as caught:
        api.list_contacts_page("/api/public/users/?cursor=2")
    assert caught.value.retry_after == 7.0
    wire.say(400, {"errors": {"cursor": ["No."]}})
    with pytest.raises(RecordRefused):
        api.list_contacts_page("/api/public/users/?cursor=2")
    wire.say(200, answer({"id": 1}), cut=5)
    with pytest.raises(AgainLater):
        api.list_contacts_page("/api/public/users/?cursor=2")


def test_a_page_that_leads_to_itself_is_the_last(wire, api):
    target = "/api/public/users/?cursor=2"
    wire.say(200, answer({"id": 1}, following=wire.url + target))
    assert api.list_contacts_page().next == target
    wire.say(200, answer({"id": 2}, following=wire.url + target))
    assert api.list_contacts_page(target).next is None
    assert wire.last.target == target


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/api/public/users/",
        "http://127.0.0.1:1/api/public/users/",
        "http://127.0.0.1:{port}/api/private/",
        "http://127.0.0.1:{port}/api/public/../private/",
        "/api/public/users/?cursor=2",
    ],
)
def test_a_next_that_leads_elsewhere_is_not_handed_out(wire, api, link):
    wire.say(200, answer({"id": 1}, following=link.replace("{port}", str(wire.port))))
    with pytest.raises(UserComError) as caught:
        api.list_contacts_page()
    assert (type(caught.value), caught.value.kind) == (AgainLater, "redirect")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "@evil.example/api/public/users/",
        ".evil.example/api/public/users/",
        "0/api/public/users/",
        "//evil.example/api/public/users/",
        "/\\evil.example/api/public/users/",
        "http://evil.example/api/public/users/",
        "/api/private/users/",
        "/api/public",
        "/api/public/../private/",
        "/api/public/%2e%2e/private/",
        "/api/public/users/?a b",
        "/api/public/users/\r\nX: y",
    ],
)
def test_a_stored_cursor_leads_nowhere_but_into_the_api(wire, api, cursor):
    with pytest.raises(UserComError) as caught:
        api.list_contacts_page(cursor)
    assert (type(caught.value), caught.value.kind) == (AgainLater, "redirect")
    assert not wire.requests


@pytest.mark.parametrize("body", [5, {}, {"results": None}, {"results": [], "next": 5}, "x"])
def test_a_page_of_another_shape_is_a_typed_error(wire, api, body):
    wire.say(200, body)
    with pytest.raises(AgainLater) as caught:
        api.list_contacts_page()
    assert caught.value.kind == "not_json"
