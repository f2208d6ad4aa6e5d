"""Contract 7.3, the row of attributes, as section 1.7 has them."""

import pytest

from simulator.testing import ControlError

CONSENT = {"content_type": "clientuser", "name": "Email consent", "value_type": "boolean"}


def test_post_attributes(api, api_v1):
    answer = api.post("attributes/", CONSENT)
    assert answer.status_code == 201
    shape = answer.json()
    assert shape == {"id": shape["id"], "name_std": "email_consent", **CONSENT}
    assert api_v1.post("attributes/", {**CONSENT, "name": "Other"}).status_code == 201


@pytest.mark.parametrize(
    "name, name_std",
    [
        ("API string attribute", "api_string_attribute"),
        ("Zgoda e-mail", "zgoda_e_mail"),
        ("Łączna wartość", "laczna_wartosc"),
    ],
)
def test_name_std(api, name, name_std):
    assert api.post("attributes/", {**CONSENT, "name": name}).json()["name_std"] == name_std


def test_get_attributes(api):
    made = api.post("attributes/", CONSENT).json()
    page = api.get("attributes/").json()
    assert page == {"count": 1, "next": None, "previous": None, "results": [made]}


def test_get_and_delete_attribute(sim, api):
    user = sim.add_contact(attributes={"email_consent": True})
    number = sim.attributes()[0]["id"]
    assert api.get(f"attributes/{number}/").json()["name_std"] == "email_consent"
    answer = api.delete(f"attributes/{number}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert sim.attributes() == []
    assert "email_consent" not in api.user(user["id"])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_attribute_is_404(api, method):
    assert api(method, "attributes/999999/").status_code == 404


@pytest.mark.parametrize(
    "change, field",
    [
        ({"name": "x" * 33}, "name"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"value_type": "text"}, "value_type"),
        ({"value_type": None}, "value_type"),
        ({"content_type": "person"}, "content_type"),
        ({"value_type": "fixed"}, "choices"),
        ({"value_type": "fixed", "choices": "ab"}, "choices"),
    ],
)
def test_post_attributes_with_errors_is_400(sim, api, change, field):
    answer = api.post("attributes/", {**CONSENT, **change})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert sim.attributes() == []


def test_a_name_of_32_characters_is_good(api):
    assert api.post("attributes/", {**CONSENT, "name": "x" * 32}).status_code == 201


def test_the_same_attribute_twice_is_400(api):
    assert api.post("attributes/", CONSENT).status_code == 201
    assert api.post("attributes/", CONSENT).status_code == 400
    assert api.post("attributes/", {**CONSENT, "content_type": "company"}).status_code == 201


def test_switch_attribute_content_type(sim, api):
    assert api.post("attributes/", CONSENT).json()["content_type"] == "clientuser"
    sim.switch(attribute_content_type="user")
    assert api.get("attributes/").json()["results"][0]["content_type"] == "user"


def test_fixed_attribute(api):
    body = {**CONSENT, "value_type": "fixed", "choices": ["a", "b"], "allow_multiple_choices": True}
    shape = api.post("attributes/", body).json()
    assert (shape["choices"], shape["allow_multiple_choices"]) == (["a", "b"], True)


def test_a_person_edits_an_attribute(sim, api):
    user = sim.add_contact(custom_id="c", attributes={"size": "M"})
    [made] = sim.attributes()
    edited = sim.edit_attribute(made["id"], name="Shoe size", value_type="fixed", choices=["M"])
    assert (edited["id"], edited["name_std"]) == (made["id"], "shoe_size")
    assert api.get("attributes/").json()["results"][0]["value_type"] == "fixed"
    assert sim.contact(user["id"])["attributes"] == {"shoe_size": "M"}
    assert sim.edit_attribute(made["id"], name="Size", name_std="shoe_size")["name"] == "Size"
    with pytest.raises(ControlError):
        sim.edit_attribute(made["id"], content_type="company")
