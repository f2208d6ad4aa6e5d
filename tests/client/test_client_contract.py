"""The client against the stand-in for User.com, which keeps the contract (usercom-api.md 7)."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from odoo.addons.usercom_connector.client import (
    AccountRefused,
    AgainLater,
    Contact,
    Gone,
    RecordRefused,
    Throttled,
    UserCom,
    UserComError,
)

EMAIL = "Jan+1@example.com"


def test_a_contact_is_written_and_read_back(account, usercom):
    values = {
        "email": EMAIL,
        "first_name": "Jan",
        "last_name": "Żółty",
        "phone_number": "+48600100200",
        "city": "Łódź",
        "email_consent": True,
        "interests": ["a", "b"],
        "status": 2,
    }
    made = usercom.upsert_contact("odoo-1", values)
    assert made.created
    again = usercom.upsert_contact("odoo-1", values)
    assert (again.id, again.created) == (made.id, False)
    for contact in (
        usercom.contact(made.id),
        usercom.contact_by_custom_id("odoo-1"),
        *usercom.contacts_by_email(EMAIL),
        *usercom.contacts_by_phone("+48600100200"),
    ):
        assert contact.id == made.id
        assert contact.custom_id == "odoo-1"
        assert contact.email == EMAIL
        assert contact.name == "Jan Żółty"
        assert not contact.has("first_name")
        assert contact.get("city") == "Łódź"
        assert contact.is_user
        assert dict(contact.attributes) == {"email_consent": True, "interests": ["a", "b"]}
        assert datetime.now(timezone.utc) - contact.updated_at < timedelta(minutes=1)
        assert usercom.contact_by_key(contact.user_key) == contact


def test_an_update_keeps_what_it_does_not_name(account, usercom):
    number = account.add_contact(email=EMAIL, city="Gdynia", attributes={"email_consent": True})[
        "id"
    ]
    contact = usercom.update_contact(number, {"city": "Sopot", "email_consent": False})
    assert (contact.email, contact.get("city")) == (EMAIL, "Sopot")
    assert contact.attributes["email_consent"] is False
    usercom.set_attributes(number, {"email_consent": True})
    assert usercom.contact(number).get("email_consent") is True


def test_an_attribute_that_was_never_set_is_no_value(account, usercom):
    contact = usercom.contact(account.add_contact(email=EMAIL)["id"])
    assert contact.get("email_consent") is None


def test_every_custom_id_can_be_looked_up(account, usercom):
    for custom_id in ("jan@example.com", "a b", "ü?x=1#y", "100%25", "%2e%2e", "+", "…"):
        number = usercom.upsert_contact(custom_id, {"city": "X"}).id
        assert usercom.contact_by_custom_id(custom_id).id == number


def test_a_search_finds_all_with_an_e_mail_or_none(account, usercom):
    numbers = [account.add_contact(email=EMAIL)["id"] for _ in range(3)]
    account.add_contact(email="jan@example.com")
    assert [contact.id for contact in usercom.contacts_by_email(EMAIL)] == numbers
    for answer in ("empty", "404"):
        account.switch(many_none=answer)
        assert usercom.contacts_by_email("nobody@example.com") == []
    assert usercom.contacts_by_phone("+48999") == []
    assert usercom.contact_by_key("nobody") is None


@pytest.mark.parametrize("ignores", [True, False])
def test_a_search_with_capitals_finds_a_contact_without(account, usercom, ignores):
    account.switch(normalise=True, search_ignores_case=ignores)
    number = usercom.upsert_contact("odoo-1", {"email": EMAIL}).id
    assert [contact.id for contact in usercom.contacts_by_email(EMAIL)] == [number]


@pytest.mark.parametrize("last_next_404", [True, False])
def test_a_list_has_everything_once(account, usercom, last_next_404):
    account.switch(page_size=2, last_next_404=last_next_404)
    numbers = [account.add_contact(email=f"{n}@example.com")["id"] for n in range(5)]
    assert [contact.id for contact in usercom.contacts()] == numbers
    assert [len(page.results) for page in usercom.pages("/users/")] == [2, 2, 1]
    assert {attribute.name_std for attribute in usercom.attributes()} == {
        "email_consent",
        "interests",
    }


@pytest.mark.parametrize("word", ["clientuser", "user"])
def test_attributes_are_read_and_made(account, usercom, word):
    account.switch(attribute_content_type=word)
    made = usercom.create_attribute("Sms consent", "boolean")
    assert (made.name_std, made.value_type, made.content_type) == (
        "sms_consent",
        "boolean",
        "clientuser",
    )
    assert made in list(usercom.attributes())
    assert (
        usercom.create_attribute("Size", "fixed", "company", ["S", "L"]).content_type == "company"
    )
    with pytest.raises(RecordRefused) as caught:
        usercom.create_attribute("x" * 33, "boolean")
    assert "name" in caught.value.fields


def test_a_refusal_names_every_field(account, usercom):
    with pytest.raises(RecordRefused) as caught:
        usercom.upsert_contact("odoo-1", {"email": "none", "city": "x" * 65, "country": "PL"})
    assert set(caught.value.fields) == {"email", "city"}
    assert all(text for texts in caught.value.fields.values() for text in texts)
    with pytest.raises(RecordRefused) as caught:
        usercom.upsert_contact("odoo-1", {"unheard_of": 1})
    assert set(caught.value.fields) == {"unheard_of"}
    assert account.contacts() == []


def test_a_deleted_contact_is_gone(account, usercom):
    number = account.add_contact(email=EMAIL)["id"]
    assert usercom.delete_contact(number) is True
    assert usercom.delete_contact(number) is False
    for call in (
        lambda: usercom.contact(number),
        lambda: usercom.contact_by_custom_id("odoo-1"),
        lambda: usercom.update_contact(number, {"city": "X"}),
        lambda: usercom.set_attributes(number, {"email_consent": True}),
        lambda: usercom.company(1),
    ):
        with pytest.raises(Gone):
            call()


def test_odd_contacts_are_read(account, usercom):
    account.switch(null_lists=True, array_values=True, with_names=True)
    account.add_attribute("Note", "string")
    number = account.add_contact(email=EMAIL, first_name="Jan", attributes={"note": "x"})["id"]
    contact = usercom.contact(number)
    assert contact.get("tags") == contact.get("lists") == []
    assert contact.get("note") == ["x"]
    assert contact.get("first_name") == "Jan"


def test_an_upsert_whose_answer_was_lost_is_repeated_without_a_second_contact(account, usercom):
    for kind in ("drop", "half", "empty", "500"):
        account.fault(kind, method="POST", commit=True)
        with pytest.raises(AgainLater):
            usercom.upsert_contact("odoo-1", {"email": EMAIL})
        assert not usercom.upsert_contact("odoo-1", {"email": EMAIL}).created
    assert len(account.contacts()) == 1


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ({"kind": "429", "retry_after": 7}, Throttled, "throttled"),
        ({"kind": "500"}, AgainLater, "server"),
        ({"kind": "502"}, AgainLater, "server"),
        ({"kind": "504"}, AgainLater, "server"),
        ({"kind": "401"}, AccountRefused, "unauthorised"),
        ({"kind": "drop"}, AgainLater, "connection"),
        ({"kind": "timeout"}, AgainLater, "timeout"),
        ({"kind": "slow", "delay": 0.8}, AgainLater, "timeout"),
        ({"kind": "half"}, AgainLater, "connection"),
        ({"kind": "not_json"}, AgainLater, "not_json"),
        ({"kind": "redirect"}, AgainLater, "redirect"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_every_fault_has_its_error_and_passes(simulator, fault, error, kind):
    number = simulator.add_contact(email=EMAIL)["id"]
    with UserCom(simulator.url, simulator.key, timeout=(0.5, 0.5)) as usercom:
        simulator.fault(**fault)
        with pytest.raises(UserComError) as caught:
            usercom.update_contact(number, {"city": "X"})
        assert (type(caught.value), caught.value.kind) == (error, kind)
        if fault["kind"] == "slow":  # else it would take effect after the next one
            simulator.wait_call("PUT", "/users/:id/")
        assert usercom.update_contact(number, {"city": "Y"}).get("city") == "Y"
        assert simulator.contact(number)["city"] == "Y"


def test_the_wait_of_a_429_is_known(account, usercom):
    for header, seconds in ((7, 7.0), (None, None)):
        account.fault("429", retry_after=header)
        with pytest.raises(Throttled) as caught:
            usercom.contact(1)
        assert caught.value.retry_after == seconds


def test_the_connection_test_knows_each_key(account):
    def code(key):
        with UserCom(account.url, key) as usercom:
            return usercom.probe().code

    before = account.contacts()
    assert code(account.key) == "ok"
    assert code(account.add_key("read")) == "forbidden_write"
    assert code(account.add_key("write")) == "forbidden_read"
    assert code("x" * 64) == "unauthorised"
    account.switch(refuse_address=True)
    assert code(account.key) == "forbidden_address"
    account.switch(refuse_address=False)
    account.fault("429")
    assert code(account.key) == "throttled"
    account.fault("not_json")
    assert code(account.key) == "not_json"
    account.fault("429", method="PUT")
    assert code(account.key) == "throttled"
    assert account.contacts() == before


def test_the_connection_test_tells_which_attributes_there_are(account, usercom):
    result = usercom.probe()
    assert {attribute.name_std for attribute in result.attributes} == {"email_consent", "interests"}


def test_an_address_without_the_api_is_no_api(account):
    with UserCom(f"{account.url}/elsewhere", account.key) as usercom:
        assert usercom.probe().code == "not_found"
        with pytest.raises(AgainLater) as caught:
            usercom.contact(1)
        assert caught.value.kind == "not_found"


@pytest.mark.parametrize("booleans", ["json", "True", "true", "1"])
def test_a_webhook_shows_the_contact_that_a_read_shows(account, usercom, booleans):
    account.set_webhook("http://127.0.0.1:9/", booleans=booleans)
    company = usercom.put_company("c-1", {"name": "Firma"}).id
    usercom.upsert_contact(
        "odoo-1",
        {"email": EMAIL, "city": "Łódź", "unsubscribed": True, "company_custom_id": "c-1"},
    )
    [delivery] = account.wait_webhooks()
    shown = Contact.from_webhook(json.loads(delivery["body"])["user"])
    read = usercom.contact_by_custom_id("odoo-1")
    assert shown.id == read.id
    assert [tie.id for tie in shown.companies] == [company]
    common = shown.standard.keys() & read.standard.keys()
    assert {"custom_id", "email", "city", "unsubscribed", "notifications", "status"} <= common
    assert {name: shown.get(name) for name in common} == {name: read.get(name) for name in common}


def test_many_threads_work_at_once(account, usercom):
    account.switch(latency_ms=100)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: usercom.upsert_contact(f"odoo-{n}", {}), range(32)))
    assert len({upsert.id for upsert in made}) == 32
    assert time.monotonic() - started < 2
