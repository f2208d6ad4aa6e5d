"""Companies and their members (usercom-api.md 1.5)."""

import pytest
from odoo.addons.usercom_connector.client import (
    AgainLater,
    Gone,
    RecordRefused,
    Throttled,
)

VALUES = {
    "name": "Firma",
    "email": "office@example.com",
    "city": "Łódź",
    "phone_numbers": ["+48600100200"],
    "branch": "IT",
}
COMPANY = {"id": 7, "name": "Firma"}
NOT_FOUND = {"detail": "Not found."}
TAKEN = {"errors": {"custom_id": ["This field must be unique."]}}
REFUSED = {"errors": {"user_id": ["No."]}}


@pytest.fixture(autouse=True)
def branch(request):
    if "account" in request.fixturenames:
        request.getfixturevalue("account").add_attribute("Branch", content_type="company")


def refused(call, *args):
    with pytest.raises(RecordRefused) as caught:
        call(*args)
    assert caught.value.__context__ is None
    return caught.value


# Against the account


def test_a_company_is_written_and_read_back(account, usercom):
    made = usercom.create_company({**VALUES, "custom_id": "c@1"})
    for company in (
        made,
        usercom.company(made.id),
        usercom.company_by_custom_id("c@1"),
        *usercom.companies(),
    ):
        assert (company.id, company.custom_id, company.name) == (made.id, "c@1", "Firma")
        assert company.get("city") == "Łódź"
        assert company.get("phone_numbers") == ["+48600100200"]
        assert dict(company.attributes) == {"branch": "IT"}
    after = usercom.update_company(made.id, {"city": "Sopot"})
    assert (after.name, after.get("city"), after.get("branch")) == ("Firma", "Sopot", "IT")
    assert after.updated_at > made.updated_at


def test_putting_a_company_twice_makes_one(account, usercom):
    made = usercom.put_company("c-1", VALUES)
    assert made.custom_id == "c-1"
    again = usercom.put_company("c-1", {"city": "Sopot", "custom_id": "other"})
    assert (again.id, again.custom_id, again.get("city")) == (made.id, "c-1", "Sopot")
    assert again.name == "Firma"
    assert [company["id"] for company in account.companies()] == [made.id]


@pytest.mark.parametrize("kind", ["drop", "half", "empty", "500"])
def test_a_put_whose_answer_was_lost_is_repeated_without_a_second_company(account, usercom, kind):
    account.fault(kind, method="POST", path="/companies/", commit=True)
    with pytest.raises(AgainLater):
        usercom.put_company("c-1", VALUES)
    usercom.put_company("c-1", VALUES)
    assert len(account.companies()) == 1


def test_a_refused_company_names_its_fields(account, usercom):
    assert set(refused(usercom.create_company, {"city": "X"}).fields) == {"name"}
    assert set(refused(usercom.put_company, "c-1", {"name": "X", "email": "no"}).fields) == {
        "email"
    }
    usercom.put_company("c-1", VALUES)
    assert set(refused(usercom.put_company, "c-1", {"unheard_of": 1}).fields) == {"unheard_of"}
    assert "custom_id" in refused(usercom.create_company, {"name": "X", "custom_id": "c-1"}).fields
    assert usercom.company_by_custom_id("c-1").name == "Firma"


def test_a_contact_joins_and_leaves_a_company(account, usercom):
    company = usercom.create_company(VALUES).id
    number = account.add_contact()["id"]
    for _ in range(2):
        usercom.add_member(company, number)
        assert usercom.company(company).employees == (number,)
        contact = usercom.contact(number)
        assert [(tie.id, tie.name) for tie in contact.companies] == [(company, "Firma")]
        assert contact.get("company_id") == company
    for _ in range(2):
        usercom.remove_member(company, number)
        assert usercom.company(company).employees == ()
        assert usercom.contact(number).companies == ()


def test_a_write_with_a_company_s_custom_id_joins_it(account, usercom):
    company = usercom.put_company("c-1", VALUES).id
    number = usercom.upsert_contact("odoo-1", {"company_custom_id": "c-1"}).id
    assert usercom.company(company).employees == (number,)


def test_a_company_that_is_gone_is_told(account, usercom):
    number = account.add_contact()["id"]
    for call in (
        lambda: usercom.company(1),
        lambda: usercom.company_by_custom_id("c-1"),
        lambda: usercom.update_company(1, {"city": "X"}),
        lambda: usercom.add_member(1, number),
        lambda: usercom.add_member(usercom.put_company("c-1", VALUES).id, 1),
    ):
        with pytest.raises(Gone):
            call()
    usercom.remove_member(1, number)
    usercom.remove_member(usercom.company_by_custom_id("c-1").id, 1)


def test_a_429_is_handed_on(account, usercom):
    company = usercom.put_company("c-1", VALUES).id
    for call in (
        lambda: usercom.put_company("c-1", VALUES),
        lambda: usercom.add_member(company, 5),
        lambda: usercom.remove_member(company, 5),
    ):
        account.fault("429", retry_after=7)
        with pytest.raises(Throttled) as caught:
            call()
        assert caught.value.retry_after == 7.0


# Answers that the account does not give


def test_a_company_that_somebody_else_creates_meanwhile_is_updated(wire, api):
    wire.say(404, NOT_FOUND)
    wire.say(400, TAKEN)
    wire.say(200, COMPANY)
    assert api.put_company("c-1", VALUES).id == 7
    assert [request.method for request in wire.requests] == ["PUT", "POST", "PUT"]
    assert "custom_id" not in wire.requests[0].json
    assert wire.requests[1].json == {**VALUES, "custom_id": "c-1"}


def test_a_custom_id_that_is_refused_for_itself_is_told(wire, api):
    wire.say(404, NOT_FOUND)
    wire.say(400, TAKEN)
    wire.say(404, NOT_FOUND)
    assert list(refused(api.put_company, "c-1", VALUES).fields) == ["custom_id"]


def test_a_missing_tree_creates_no_company(wire, api):
    wire.say(404, b"<h1>nothing here</h1>")
    with pytest.raises(AgainLater):
        api.put_company("c-1", VALUES)
    assert len(wire.requests) == 1


def test_an_empty_answer_to_a_write_is_followed_by_a_read(wire, api):
    for call, target in (
        (lambda: api.update_company(7, {"city": "X"}), "/companies/7/"),
        (lambda: api.put_company("c-1", {"city": "X"}), "/companies-by-id/c-1/"),
    ):
        wire.say(200)
        wire.say(200, COMPANY)
        assert call().id == 7
        assert (wire.last.method, wire.last.target) == ("GET", f"/api/public{target}")


@pytest.mark.parametrize("answer", [b"", {}, [], COMPANY, {"status": "ok"}])
def test_any_answer_to_a_membership_is_done(wire, api, answer):
    for call in (api.add_member, api.remove_member):
        wire.say(200, answer)
        call(7, 5)
        assert wire.last.json == {"user_id": 5}
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("read", "adding", "removing"),
    [
        ({"id": 5, "companies": [COMPANY]}, True, False),
        ({"id": 5, "companies": [{"id": 8}]}, False, True),
        ({"id": 5, "companies": None}, False, True),
        ({"id": 5}, False, False),
    ],
)
def test_a_refused_membership_is_done_if_it_is_so_already(wire, api, read, adding, removing):
    for call, done in ((api.add_member, adding), (api.remove_member, removing)):
        wire.say(400, REFUSED)
        wire.say(200, read)
        if done:
            call(7, 5)
        else:
            assert list(refused(call, 7, 5).fields) == ["user_id"]


def test_half_a_company_is_none(wire, api):
    wire.say(200, COMPANY, cut=4)
    with pytest.raises(AgainLater):
        api.company(7)
