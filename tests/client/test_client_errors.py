"""Which error an answer is: by what happens next."""

from datetime import datetime, timezone

import pytest
from odoo.addons.usercom_connector.client import (
    NON_FIELD,
    AccountRefused,
    AgainLater,
    Gone,
    Kind,
    RecordRefused,
    Throttled,
    UserComError,
)
from odoo.addons.usercom_connector.client.errors import refusal, retry_after_of

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
DETAIL = {"detail": "Some words."}


@pytest.mark.parametrize(
    ("status", "body", "error", "kind"),
    [
        (401, DETAIL, AccountRefused, "unauthorised"),
        (401, None, AccountRefused, "unauthorised"),
        (403, DETAIL, AccountRefused, "forbidden"),
        (403, None, AgainLater, "not_json"),
        (404, DETAIL, Gone, "not_found"),
        (404, None, AgainLater, "not_found"),
        (404, {}, AgainLater, "not_found"),
        (404, [], AgainLater, "not_found"),
        (400, {"errors": {"city": ["Too long."]}}, RecordRefused, "refused"),
        (409, DETAIL, RecordRefused, "refused"),
        (413, DETAIL, RecordRefused, "refused"),
        (422, [], RecordRefused, "refused"),
        (400, None, AgainLater, "not_json"),
        (405, DETAIL, AgainLater, "refused"),
        (408, None, AgainLater, "timeout"),
        (429, DETAIL, Throttled, "throttled"),
        (429, None, Throttled, "throttled"),
        (500, None, AgainLater, "server"),
        (503, DETAIL, AgainLater, "server"),
        (521, None, AgainLater, "server"),
        (301, None, AccountRefused, "redirect"),
        (308, None, AccountRefused, "redirect"),
        (302, None, AgainLater, "redirect"),
        (307, None, AgainLater, "redirect"),
    ],
)
def test_each_answer_has_its_error(status, body, error, kind):
    found = refusal(status, body, 7.0, one=True)
    assert type(found) is error
    assert found.kind == kind
    assert found.status == status
    assert isinstance(found, UserComError)
    if isinstance(found, AgainLater):
        assert found.retry_after == 7.0


def test_only_a_call_that_names_a_contact_finds_it_gone():
    assert type(refusal(404, DETAIL, one=False)) is AgainLater


def test_every_kind_has_a_sentence():
    for kind in Kind:
        assert str(UserComError(kind)).endswith(".")
    assert str(UserComError(Kind.SERVER, 502)) == "User.com has a fault of its own (HTTP 502)."


def test_a_kind_is_its_string():
    assert Kind.TLS == "tls"
    assert f"{Kind.TLS}" == str(Kind.TLS) == "tls"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"errors": {"gender": ["No."], "city": ["Long.", "Odd."]}}, None),
        ({"gender": ["No."], "city": ["Long.", "Odd."]}, None),
        ({"gender": "No.", "city": ["Long.", "Odd."]}, None),
        ({"detail": "JSON parse error"}, {NON_FIELD: ["JSON parse error"]}),
        (["Odd."], {NON_FIELD: ["Odd."]}),
        ({"errors": ["Odd."]}, {"errors": ["Odd."]}),
        ({}, {}),
        ({"tags": {"0": ["No."]}}, {"tags": ["{'0': ['No.']}"]}),
    ],
)
def test_the_complaints_are_read_in_every_shape(body, fields):
    expected = {"gender": ["No."], "city": ["Long.", "Odd."]} if fields is None else fields
    assert refusal(400, body).fields == expected


def test_a_refusal_names_the_fields_and_quotes_nobody():
    error = refusal(400, {"errors": {"email": ['"jan@x" is none.'], "jan@example.com": ["No."]}})
    assert str(error) == "User.com refused: email."


def test_long_complaints_are_cut():
    error = refusal(400, {"errors": {"x": ["y" * 9999] * 99}})
    assert len(error.fields["x"]) == 20
    assert len(error.fields["x"][0]) == 500


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("99999", 3600.0),
        ("9" * 20, 3600.0),
        ("Wed, 01 May 2024 12:01:00 GMT", 60.0),
        ("Wed, 01 May 2024 14:01:00 +0200", 60.0),
        ("Wed, 01 May 2024 12:01:00 -0000", 60.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 0.0),
        ("Sat, 01 May 9999 12:00:00 GMT", 3600.0),
        ("-5", None),
        ("soon", None),
        ("9" * 21, None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("Wed, 99 May 2024 12:01:00 GMT", None),
        ("Wed, 01 May 99999999999 12:01:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_bounded_and_nonsense_is_ignored(header, seconds):
    assert retry_after_of(header, NOW) == seconds
