"""Contacts and attributes out of the shapes that User.com gives them."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.client import AgainLater, Attribute, Company, Contact

V1 = {
    "id": 1001,
    "key": "gpHcuWmhu4eT",
    "name": "Jan Testowy",
    "email": "jan@example.com",
    "status": "user",
    "phone_number": None,
    "city": "Gdynia",
    "country": "Poland",
    "unsubscribed": False,
    "updated_at": "2018-10-24T13:28:59.269436Z",
    "companies": [{"id": 14, "name": "Firma", "member_since": "2018-01-25T14:30:15.435527Z"}],
    "attributes": [
        {"id": 46, "name": "Consent email", "name_std": "email_consent", "value": True},
        {"id": 47, "name": "Interests", "name_std": "interests", "value": ["a", "b"]},
        {"id": 48, "name": "Broken", "name_std": "broken"},
    ],
    "lists": None,
    "tags": None,
    "user_id": "odoo-77",
}
V2_LISTED = {
    **{name: value for name, value in V1.items() if name not in ("key", "user_id")},
    "user_key": "gpHcuWmhu4eT",
    "custom_id": "odoo-77",
    "web_push_subscription": False,
}
V2_FLAT = {
    **{name: value for name, value in V2_LISTED.items() if name != "attributes"},
    "email_consent": True,
    "interests": ["a", "b"],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("source", [V1, V2_LISTED, V2_FLAT], ids=["v1", "v2", "v2 flat"])
def test_all_shapes_give_the_same_contact(source):
    contact = Contact.from_json(source)
    assert contact.id == 1001
    assert contact.custom_id == "odoo-77"
    assert contact.user_key == "gpHcuWmhu4eT"
    assert contact.email == "jan@example.com"
    assert contact.name == "Jan Testowy"
    assert contact.phone_number is None
    assert contact.get("city") == "Gdynia"
    assert contact.is_user
    assert contact.unsubscribed is False
    assert contact.updated_at == datetime(2018, 10, 24, 13, 28, 59, 269436, timezone.utc)
    assert [(tie.id, tie.name) for tie in contact.companies] == [(14, "Firma")]
    assert contact.get("tags") == contact.get("lists") == []
    assert dict(contact.attributes) == {"email_consent": True, "interests": ["a", "b"]}


def test_null_is_not_the_same_as_absent():
    contact = Contact.from_json({"id": 1, "city": None, "vip": None})
    assert contact.has("city")
    assert contact.has("vip")
    assert not contact.has("country")
    assert not contact.has("first_name")
    assert contact.get("city") is contact.get("vip") is contact.get("country") is None


def test_a_standard_value_of_an_impossible_type_is_absent_and_no_blank():
    contact = Contact.from_json(
        {"id": 1, "email": {"a": 1}, "unsubscribed": "perhaps", "tags": 5, "status": [], "city": 7}
    )
    for name in ("email", "unsubscribed", "tags", "status", "city"):
        assert not contact.has(name)
    assert contact.email is None
    assert not contact.is_user


@pytest.mark.parametrize(
    ("status", "read"),
    [("user", "user"), (2, "user"), ("visitor", "visitor"), (1, "visitor")]
    + [(nonsense, None) for nonsense in (None, True, 3, "User?", {}, 2.0)],
)
def test_only_a_known_person_is_a_user(status, read):
    contact = Contact.from_json({"id": 1, "status": status})
    assert contact.status == read
    assert contact.is_user == (read == "user")


def test_an_attribute_that_is_named_like_an_old_field_stays_an_attribute():
    contact = Contact.from_json({"id": 1, "custom_id": "ours", "user_id": "theirs"})
    assert contact.custom_id == "ours"
    assert contact.attributes == {"user_id": "theirs"}


@pytest.mark.parametrize("text", ["", "yesterday", "2018-13-01", 5, None, "0001-01-01T00:00+14:00"])
def test_a_date_that_is_none_is_no_date(text):
    assert Contact.from_json({"id": 1, "updated_at": text}).updated_at is None


def test_a_date_is_utc_whatever_its_zone():
    for text in ("2024-05-01T12:00:00", "2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00Z"):
        moment = Contact.from_json({"id": 1, "updated_at": text}).updated_at
        assert moment == datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
        assert moment.utcoffset().total_seconds() == 0


def test_a_contact_prints_without_the_person():
    assert repr(Contact.from_json(V1)) == "Contact(id=1001)"


@pytest.mark.parametrize(
    "source",
    [None, [], "x", 5, {}, {"id": None}, {"id": "1"}, {"id": True}, {"id": 1.0}, {"id": 0}],
)
@pytest.mark.parametrize("kind", [Contact, Attribute, Company])
def test_an_answer_of_another_shape_is_a_typed_error(kind, source):
    with pytest.raises(AgainLater) as caught:
        kind.from_json(source)
    assert caught.value.kind == "not_json"


@given(JSON | st.dictionaries(st.sampled_from([*V1, *V2_LISTED, "x"]), JSON, max_size=9))
def test_no_json_gets_anything_but_a_contact_or_the_typed_error(source):
    try:
        contact = Contact.from_json(source)
    except AgainLater as error:
        assert error.kind == "not_json"
    else:
        assert contact.id == source["id"]
        for name in ("email", "name", "phone_number", "custom_id", "user_key", "status"):
            assert isinstance(getattr(contact, name), (str, type(None)))
        assert isinstance(contact.updated_at, (datetime, type(None)))
        assert contact.unsubscribed in (True, False, None)


@given(st.dictionaries(st.sampled_from([*V1]), JSON), st.integers(1))
def test_every_key_of_an_answer_is_read_as_what_it_is_or_left_out(source, number):
    contact = Contact.from_json({**source, "id": number})
    for name in source.keys() & {"email", "city", "phone_number"}:
        assert contact.has(name) == isinstance(source[name], (str, type(None)))


def test_an_attribute_is_read():
    attribute = Attribute.from_json(
        {
            "id": 46,
            "name": "Consent email",
            "name_std": "email_consent",
            "value_type": "fixed",
            "content_type": "user",
            "choices": ["yes", "no", 5],
            "allow_multiple_choices": True,
        }
    )
    assert attribute == Attribute(
        46, "Consent email", "email_consent", "fixed", "clientuser", ("yes", "no"), True
    )


def test_an_attribute_with_only_what_is_needed_is_read():
    assert Attribute.from_json({"id": 1, "name_std": "vip"}) == Attribute(1, "vip", "vip", "", "")


def test_a_nameless_attribute_is_a_typed_error():
    with pytest.raises(AgainLater):
        Attribute.from_json({"id": 1})


# Companies

COMPANY = {
    "id": 21,
    "custom_id": "odoo-c-5",
    "name": "Firma",
    "email": "office@example.com",
    "city": "Gdynia",
    "postal_code": None,
    "phone_numbers": ["+48600100200"],
    "size": 12,
    "employees": [52, 53, "54", None],
    "tags": None,
    "updated_at": "2024-05-01T12:00:00Z",
}
COMPANIES = {
    "flat": {**COMPANY, "branch": "IT"},
    "listed": {**COMPANY, "attributes": [{"id": 1, "name_std": "branch", "value": "IT"}]},
}
COMPANIES["v1"] = {
    "company_id": "odoo-c-5",
    **{name: value for name, value in COMPANIES["listed"].items() if name != "custom_id"},
}


@pytest.mark.parametrize("source", COMPANIES.values(), ids=COMPANIES)
def test_all_shapes_give_the_same_company(source):
    company = Company.from_json(source)
    assert (company.id, company.custom_id, company.name) == (21, "odoo-c-5", "Firma")
    assert company.email == "office@example.com"
    assert company.get("city") == "Gdynia"
    assert company.get("phone_numbers") == ["+48600100200"]
    assert company.get("size") == 12
    assert company.get("tags") == []
    assert company.employees == (52, 53)
    assert company.updated_at == datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
    assert dict(company.attributes) == {"branch": "IT"}
    assert company.has("postal_code")
    assert company.get("postal_code") is None
    assert not company.has("address")


def test_a_company_s_null_list_is_an_empty_one_and_an_absent_one_is_not_told():
    company = Company.from_json({"id": 1, "phone_numbers": None, "employees": None})
    assert company.get("phone_numbers") == []
    assert company.has("employees")
    assert company.employees == ()
    assert not Company.from_json({"id": 1}).has("employees")
    assert not Company.from_json({"id": 1, "phone_numbers": "+48", "city": 5}).has("phone_numbers")


def test_a_company_prints_without_its_data():
    assert repr(Company.from_json(COMPANY)) == "Company(id=21)"


@given(JSON | st.dictionaries(st.sampled_from([*COMPANIES["v1"], "x"]), JSON, max_size=9))
def test_no_json_gets_anything_but_a_company_or_the_typed_error(source):
    try:
        company = Company.from_json(source)
    except AgainLater as error:
        assert error.kind == "not_json"
    else:
        assert company.id == source["id"]
        for value in (company.name, company.custom_id, company.email):
            assert isinstance(value, (str, type(None)))
        assert all(type(number) is int for number in company.employees)


# The body of a webhook call


@pytest.mark.parametrize("true", [True, "True", "true", "1", 1])
def test_a_webhook_shows_a_contact_whatever_a_template_made_of_it(true):
    body = {**V1, "id": "1001", "unsubscribed": true, "score": "5", "emails_enabled": "False"}
    contact = Contact.from_webhook(body)
    assert (contact.id, contact.unsubscribed, contact.get("score")) == (1001, True, 5)
    assert contact.custom_id == "odoo-77"
    assert dict(contact.attributes) == {"email_consent": True, "interests": ["a", "b"]}


def test_a_webhook_without_the_flag_says_nothing_about_it():
    body = {"id": 1, "emails_enabled": True}
    assert not Contact.from_webhook(body).has("unsubscribed")
    assert not Contact.from_webhook({"id": 1, "unsubscribed": "perhaps"}).has("unsubscribed")


def test_custom_values_of_a_webhook_stay_as_they_came():
    assert Contact.from_webhook({"id": "1", "vip": "True"}).get("vip") == "True"


@pytest.mark.parametrize("body", [None, [], "x", {}, {"id": "x"}, {"id": "0"}, {"id": "-1"}])
def test_a_webhook_without_a_contact_shows_none(body):
    assert Contact.from_webhook(body) is None


@given(JSON | st.dictionaries(st.sampled_from([*V1, "emails_enabled"]), JSON, max_size=9))
def test_no_webhook_body_raises(body):
    contact = Contact.from_webhook(body)
    assert contact is None or contact.id > 0
