"""Contract 7.6: side effects."""

import pytest


@pytest.fixture
def user(sim):
    return sim.add_contact(email="jan@example.com", attributes={"email_consent": True})


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("PUT", "users/{id}/", {"city": "Sopot"}),
        ("PUT", "users/{id}/", {}),
        ("PATCH", "users/{id}/", {"email": "jan@example.com"}),
        ("POST", "users/{id}/set_attribute/", {"attribute": "email_consent", "value": True}),
        ("POST", "users/{id}/set_multiple_attributes/", {"email_consent": False}),
        (
            "PUT",
            "users/mass_update_standard_attributes/",
            {"ids": [1001], "attribute": "city", "value": "x"},
        ),
    ],
)
def test_any_write_moves_updated_at(sim, api, user, method, path, body):
    assert api(method, path.format(**user), body).ok
    after = sim.contact(user["id"])
    assert after["updated_at"] > user["updated_at"]
    assert after["last_seen"] == user["last_seen"]
    assert after["created_at"] == user["created_at"]


def test_a_page_view_moves_only_three_fields(sim, user):
    after = sim.page_view(user["id"])
    moved = {name for name in after if after[name] != user[name]}
    assert moved == {"last_seen", "page_views", "updated_at"}
    assert after["page_views"] == user["page_views"] + 1
    assert after["updated_at"] > after["last_seen"] > user["last_seen"]


def test_reading_moves_nothing(sim, api, user):
    api.user(user["id"])
    api.get("users/")
    assert sim.contact(user["id"]) == user


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"first_name": "Jan", "last_name": "Testowy"}, "Jan Testowy"),
        ({"first_name": "Jan"}, "Jan"),
        ({"last_name": "Testowy", "email": "jan@example.com"}, "Testowy"),
        ({"email": "jan@example.com"}, "jan@example.com"),
        ({}, ""),
    ],
)
def test_name_is_made_of_the_names_or_the_email(api, fields, name):
    assert api.post("users/", fields).json()["name"] == name


def test_tags_only_add(sim, api, user):
    for tags in (["a", "b"], ["b", "c"], [], None):
        assert api.put(f"users/{user['id']}/", {"tags": tags}).status_code == 200
    assert [tag["name"] for tag in api.user(user["id"])["tags"]] == ["a", "b", "c"]


def test_reads_have_no_first_and_last_name(sim, api, api_v1, user):
    sim.edit_contact(user["id"], first_name="Jan", last_name="Testowy")
    for caller in (api, api_v1):
        assert not {"first_name", "last_name"} & set(caller.user(user["id"]))


def test_switch_with_names(sim, api, api_v1, user):
    sim.edit_contact(user["id"], first_name="Jan", last_name="Testowy")
    sim.switch(with_names=True)
    for caller in (api, api_v1):
        shape = caller.user(user["id"])
        assert (shape["first_name"], shape["last_name"]) == ("Jan", "Testowy")


def test_times_are_written_as_in_the_service(api, user):
    import re

    shape = api.user(user["id"])
    for name in ("first_seen", "last_seen", "created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shape[name])
