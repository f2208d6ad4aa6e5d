"""Calls that name many contacts: the same value for all, and merging (usercom-api.md 1.3)."""

import pytest
from odoo.addons.usercom_connector.client import (
    MASS_STANDARD,
    AgainLater,
    Gone,
    RecordRefused,
    Throttled,
    UserComError,
)

from simulator.validation import MASS_FIELDS


def test_one_value_is_set_for_many(account, usercom):
    numbers = [account.add_contact()["id"] for _ in range(3)]
    usercom.mass_update(numbers[:2], "city", "Sopot", standard=True)
    usercom.mass_update(map(str, numbers[1:]), "email_consent", True, standard=False)
    assert [account.contact(number)["city"] for number in numbers] == ["Sopot", "Sopot", None]
    held = [account.contact(number)["attributes"]["email_consent"] for number in numbers]
    assert held == [None, True, True]
    assert len(account.calls()) == 2


def test_every_standard_field_of_the_list_is_taken(account, usercom):
    number = account.add_contact()["id"]
    assert MASS_STANDARD == MASS_FIELDS
    for name in MASS_STANDARD:
        usercom.mass_update([number], name, account.contact(number).get(name), standard=True)


def test_another_standard_field_is_not_sent(account, usercom):
    with pytest.raises(RecordRefused) as caught:
        usercom.mass_update([1], "name", "X", standard=True)
    assert list(caught.value.fields) == ["name"]
    assert not account.calls()


def test_nobody_is_no_call(account, usercom):
    usercom.mass_update([], "city", "X", standard=True)
    usercom.merge_contacts(5, [])
    assert not account.calls()


def test_a_refused_value_is_told(account, usercom):
    number = account.add_contact(city="Gdynia")["id"]
    for name, value, standard in (("city", "x" * 65, True), ("unheard_of", 1, False)):
        with pytest.raises(RecordRefused):
            usercom.mass_update([number], name, value, standard=standard)
    assert account.contact(number)["city"] == "Gdynia"


@pytest.mark.parametrize("answer", [b"", {}, None, 5, {"status": "ok"}, [1]])
def test_any_json_answers_a_mass_update(wire, api, answer):
    for standard in (True, False):
        wire.say(200, answer)
        api.mass_update([5, 5, "6"], "city", "X", standard=standard)
        assert wire.last.json == {"ids": [5, 6], "attribute": "city", "value": "X"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"errors": {"ids": ["Too many."]}}, RecordRefused),
        (404, {"detail": "Not found."}, AgainLater),
        (429, {"detail": "Throttled."}, Throttled),
        (500, b"<h1>down</h1>", AgainLater),
        (200, b"<h1>proxy</h1>", AgainLater),
    ],
)
def test_a_mass_update_that_fails_has_its_error(wire, api, status, body, error):
    wire.say(status, body)
    with pytest.raises(UserComError) as caught:
        api.mass_update([5], "city", "X", standard=True)
    assert type(caught.value) is error


def test_half_an_answer_to_a_mass_update_is_none(wire, api):
    wire.say(200, {"status": "ok"}, cut=3)
    with pytest.raises(AgainLater):
        api.mass_update([5], "city", "X", standard=True)


# Merging


def test_merged_contacts_are_one(account, usercom):
    parent = account.add_contact(email="jan@example.com")["id"]
    others = [account.add_contact(city=city)["id"] for city in ("Gdynia", "Sopot")]
    usercom.merge_contacts(parent, others)
    contact = usercom.contact(parent)
    assert (contact.email, contact.get("city")) == ("jan@example.com", "Gdynia")
    assert [found["id"] for found in account.contacts()] == [parent]
    assert account.calls("POST")[0]["body"] == {"parent": parent, "users_list": others}
    with pytest.raises(Gone):
        usercom.merge_contacts(parent, others)


def test_a_contact_is_not_merged_into_itself(account, usercom):
    with pytest.raises(RecordRefused):
        usercom.merge_contacts(5, [6, "5"])
    assert not account.calls()


def test_a_merge_that_was_not_done_is_refused(wire, api):
    for answer, done in (({"success": True}, True), (b"", True), ({"success": False}, False)):
        wire.say(200, answer)
        if done:
            api.merge_contacts(5, [6])
        else:
            with pytest.raises(RecordRefused):
                api.merge_contacts(5, [6])
    wire.say(400, {"errors": {"users_list": ["No."]}})
    with pytest.raises(RecordRefused):
        api.merge_contacts(5, [6])
    wire.say(429, {})
    with pytest.raises(Throttled):
        api.merge_contacts(5, [6])
