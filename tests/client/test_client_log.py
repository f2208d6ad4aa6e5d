"""What is logged, and what is not."""

import logging

import pytest
import requests
from odoo.addons.usercom_connector.client import UserCom, UserComError
from odoo.addons.usercom_connector.client.log import redacted

EMAIL = "jan@example.com"
PHONE = "+48123456789"
BROWSER_KEY = "gpHcuWmhu4eT"
LOGGER = "odoo.addons.usercom_connector.client.log"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/api/public/users/12/", "/api/public/users/12/"),
        (
            "/api/public/users/search/?email=jan%40example.com&many=true",
            "/api/public/users/search/?email=…&many=…",
        ),
        ("/api/public/users-by-id/jan/", "/api/public/users-by-id/…/"),
        ("/api/public/users-by-id/48123456789/", "/api/public/users-by-id/…/"),
        ("/api/public/users-by-id/a%2Fb/events/", "/api/public/users-by-id/…/events/"),
        ("/api/public/jan@example.com/", "/api/public/…/"),
        ("/api/public/users/update_or_create/", "/api/public/users/update_or_create/"),
    ],
)
def test_a_path_is_logged_without_people(url, shown):
    assert redacted(url) == shown


@pytest.fixture
def everything(caplog):
    """The log with every level of every logger, whatever Odoo has set."""
    for name in ("", "odoo.addons.usercom_connector", "urllib3"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def provoke(wire, call):
    """Make a call with each kind of outcome."""
    for status in (200, 400, 401, 404, 429, 500, 302):
        wire.say(status, {"id": 5, "email": EMAIL, "detail": EMAIL, "errors": {EMAIL: [EMAIL]}})
        yield call
    wire.say(200, EMAIL.encode())
    yield call
    wire.say(200, {"id": 5}, cut=3)
    yield call
    wire.say(200, {"id": 5}, f"Strange\r\n header of {EMAIL}")
    yield call
    wire.say_raw(f"HTTP/1.1 {EMAIL}\r\n\r\n".encode())
    yield call
    wire.do(lambda sock: wire.stopped.wait(2))
    yield call


def test_no_log_line_holds_the_key_or_a_person(make_wire, key, everything):
    calls = (
        lambda api: api.contacts_by_email(EMAIL),
        lambda api: api.contacts_by_phone(PHONE),
        lambda api: api.contact_by_custom_id(EMAIL),
        lambda api: api.contact_by_key(BROWSER_KEY),
        lambda api: api.update_contact(5, {"email": EMAIL}),
    )
    for call in calls:
        wire = make_wire()
        with UserCom(wire.url, key, timeout=(0.3, 0.3)) as api:
            for attempt in provoke(wire, call):
                try:
                    attempt(api)
                except UserComError as error:
                    logging.getLogger("caller").info("failed: %s", error, exc_info=True)
    assert LOGGER in {record.name for record in everything.records}
    assert not any(record.name.startswith("urllib3") for record in everything.records)
    assert not any(
        record.levelno >= logging.WARNING
        for record in everything.records
        if record.name != "asyncio"
    )
    for secret in (key, EMAIL, "jan%40", "example.com", PHONE, PHONE[1:], BROWSER_KEY):
        assert secret not in everything.text


def test_a_call_is_one_line(wire, api, everything):
    wire.say(200, {"id": 5})
    api.contact(5)
    wire.say(429, b"", "Retry-After: 30")
    with pytest.raises(UserComError):
        api.contact(5)
    good, bad = everything.records
    assert (good.levelname, bad.levelname) == ("DEBUG", "INFO")
    assert good.getMessage().startswith("GET /api/public/users/5/: 200 in 0.")
    assert bad.getMessage().startswith("GET /api/public/users/5/: throttled (429) in 0.")
    assert bad.getMessage().endswith("retry after 30 s")


def test_other_users_of_urllib3_keep_their_log(wire, api, everything):
    wire.say(200, {"id": 5})
    api.contact(5)
    wire.say(200, b"hello")
    requests.get(f"{wire.url}/elsewhere", timeout=2)
    assert "/elsewhere" in everything.text
