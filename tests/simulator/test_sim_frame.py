"""Contract 7.1: paths, keys, scopes, versions, methods and broken bodies."""

import pytest
import requests


def test_path_without_final_slash_is_an_html_404(sim, api):
    sim.add_contact(email="jan@example.com")
    for path in ("users", "users/1001", "users/search?email=jan@example.com"):
        answer = api.get(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


def test_delete_without_final_slash_deletes_nothing(sim, api):
    user = sim.add_contact(email="jan@example.com")
    assert api.delete(f"users/{user['id']}").status_code == 404
    assert sim.contact(user["id"])


def test_unknown_path_is_an_html_404(api):
    answer = api.get("users/1001/nothing/")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("value", [None, "", "Bearer abc", "Basic YTpi"])
def test_no_token_is_401(sim, value):
    headers = {"Authorization": value} if value is not None else {}
    answer = requests.get(f"{sim.api_url}users/", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials were not provided."}
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_unknown_key_is_401(caller):
    answer = caller(key="x" * 64).get("users/")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid token."}
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_a_key_that_is_taken_away_is_401(sim, caller):
    key = sim.add_key()
    api = caller(key=key)
    assert api.get("users/").status_code == 200
    sim.remove_key(key)
    assert api.get("users/").status_code == 401


@pytest.mark.parametrize("scope, read, write", [("read", 404, 403), ("write", 403, 404)])
def test_wrong_scope_is_403(sim, caller, scope, read, write):
    """The right scope on an id that nobody has goes as far as 404."""
    api = caller(key=sim.add_key(scope))
    assert api.get("users/999999/").status_code == read
    for method, path in (
        ("PUT", "users/999999/"),
        ("DELETE", "users/999999/"),
        ("POST", "users/999999/set_attribute/"),
    ):
        assert api(method, path, {}).status_code == write
    refused = api.get("users/") if read == 403 else api.put("users/999999/", {})
    assert refused.json() == {"detail": "You do not have permission to perform this action."}


def test_scope_all_reads_and_writes(sim, caller):
    api = caller(key=sim.add_key("all"))
    assert api.get("users/").status_code == 200
    assert api.post("users/", {}).status_code == 201


def test_switch_refuse_address_is_403_for_everything(sim, api):
    sim.switch(refuse_address=True)
    assert api.get("users/").status_code == 403
    assert api.post("users/", {}).status_code == 403
    assert sim.contacts() == []


@pytest.mark.parametrize(
    "accept, key",
    [
        ("*/*; version=2", "custom_id"),
        ("*/*;version=2", "custom_id"),
        ("application/json; version=2", "custom_id"),
        ("*/*", "user_id"),
        ("application/json", "user_id"),
    ],
)
def test_accept_selects_the_version(sim, accept, key):
    user = sim.add_contact(custom_id="c-1")
    headers = {"Authorization": f"Token {sim.key}", "Accept": accept}
    shape = requests.get(f"{sim.api_url}users/{user['id']}/", headers=headers).json()
    assert shape[key] == "c-1"
    assert ({"custom_id", "user_id"} - {key}).pop() not in shape


def test_switch_flatten_v2(sim, api):
    user = sim.add_contact(attributes={"email_consent": True})
    shape = api.user(user["id"])
    assert shape["email_consent"] is True
    assert "attributes" not in shape
    sim.switch(flatten_v2=False)
    shape = api.user(user["id"])
    assert "email_consent" not in shape
    (attribute,) = shape["attributes"]
    assert set(attribute) == {"id", "name", "name_std", "value", "description"}
    assert (attribute["name_std"], attribute["value"]) == ("email_consent", True)


def test_version_1_always_lists_attributes(sim, api_v1):
    user = sim.add_contact(attributes={"email_consent": True})
    for flat in (True, False):
        sim.switch(flatten_v2=flat)
        assert api_v1.user(user["id"])["attributes"][0]["name_std"] == "email_consent"


def test_wrong_method_is_405(api):
    answer = api.delete("users/")
    assert answer.status_code == 405
    assert answer.json() == {"detail": 'Method "DELETE" not allowed.'}
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_wrong_method_without_a_key_is_401(sim):
    assert requests.delete(f"{sim.api_url}users/").status_code == 401


def test_broken_json_is_400(sim, api):
    for body in (b'{"email": ', b"\xff\xfe"):
        answer = api("POST", "users/", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("JSON parse error - ")
    assert sim.contacts() == []


@pytest.mark.parametrize("body", [[], [{"email": "a@example.com"}], "text", 5, True])
def test_json_of_another_shape_is_400(sim, api, body):
    answer = api.post("users/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert sim.contacts() == []


def test_other_content_types_are_415(sim, api):
    answer = api("POST", "users/", data={"email": "a@example.com"})
    assert answer.status_code == 415
    assert sim.contacts() == []
