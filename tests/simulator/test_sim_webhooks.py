"""Contract 7.8 and section 3: outbound webhooks."""

import json
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from simulator.testing import ControlError


def cities(receiver):
    return [item.json()["user"]["city"] for item in receiver.got]


def test_payload_and_headers(sim, receiver, api_v1):
    sim.set_webhook(receiver.url, headers={"X-Secret": "s3cret"}, extra={"a": 1}, path=9)
    user = sim.add_contact(email="jan@example.com", attributes={"email_consent": True})
    (delivery,) = sim.wait_webhooks()
    assert (delivery["outcome"], delivery["status"], delivery["tries"]) == ("sent", 200, 1)
    (got,) = receiver.got
    assert (got.method, got.path) == ("POST", "/hook")
    assert got.headers["x-secret"] == "s3cret"
    assert got.headers["content-type"] == "application/json"
    payload = got.json()
    assert set(payload) == {"path", "timestamp", "extra", "user"}
    assert (payload["path"], payload["extra"]) == (9, {"a": 1})
    assert datetime.fromisoformat(payload["timestamp"]).utcoffset().total_seconds() == 0
    assert payload["user"] == {**api_v1.user(user["id"]), "emails_enabled": True}


def test_emails_enabled_is_the_inverse_of_unsubscribed(sim, receiver):
    sim.set_webhook(receiver.url)
    sim.add_contact(unsubscribed=True)
    sim.wait_webhooks()
    assert receiver.got[0].json()["user"]["emails_enabled"] is False


def test_headers_are_configurable(sim, receiver):
    sim.set_webhook(receiver.url, headers={"Content-Type": "text/plain"})
    sim.add_contact()
    sim.wait_webhooks()
    assert receiver.got[0].headers["content-type"] == "text/plain"


# What fires


WRITES = [
    ("POST", "users/", {"city": "x"}, "new_user"),
    ("POST", "users/update_or_create/", {"custom_id": "new"}, "new_user"),
    ("POST", "users/update_or_create/", {"custom_id": "c-1", "city": "x"}, "attribute_change"),
    ("PUT", "users/{id}/", {"city": "x"}, "attribute_change"),
    ("POST", "users/{id}/set_attribute/", {"attribute": "pet", "value": "x"}, "attribute_change"),
    ("POST", "users/{id}/set_multiple_attributes/", {"pet": "x"}, "attribute_change"),
    (
        "PUT",
        "users/mass_update_standard_attributes/",
        {"ids": [1001], "attribute": "city", "value": "x"},
        "attribute_change",
    ),
    ("POST", "users/merge/", {"parent": 1001, "users_list": [1002]}, "attribute_change"),
]


@pytest.fixture
def user(sim):
    user = sim.add_contact(custom_id="c-1", attributes={"pet": "dog"})
    sim.add_contact(country="Malta")
    return user


@pytest.mark.parametrize("method, path, body, event", WRITES)
def test_api_writes_fire(sim, api, receiver, user, method, path, body, event):
    sim.set_webhook(receiver.url)
    assert api(method, path.format(**user), body).ok
    assert [item["event"] for item in sim.wait_webhooks()] == [event]
    assert len(receiver.got) == 1


@pytest.mark.parametrize("method, path, body, event", WRITES)
def test_switch_exclude_api_changes(sim, api, receiver, user, method, path, body, event):
    sim.set_webhook(receiver.url, exclude_api_changes=True)
    assert api(method, path.format(**user), body).ok
    assert sim.wait_webhooks() == []
    sim.edit_contact(user["id"], city="by a person")
    assert len(sim.wait_webhooks()) == 1


def test_what_does_not_fire(sim, api, receiver, user):
    sim.set_webhook(receiver.url)
    api.put(f"users/{user['id']}/", {"custom_id": "c-1"})
    api.put(f"users/{user['id']}/", {})
    api.user(user["id"])
    sim.page_view(user["id"])
    sim.edit_contact(user["id"], city=None)
    api.delete(f"users/{user['id']}/")
    assert sim.wait_webhooks() == []


@pytest.mark.parametrize("event", ["new_user", "attribute_change"])
def test_switch_on(sim, receiver, event):
    sim.set_webhook(receiver.url, on=[event])
    user = sim.add_contact()
    sim.edit_contact(user["id"], city="x")
    assert [item["event"] for item in sim.wait_webhooks()] == [event]


def test_switch_watch(sim, receiver, user):
    sim.set_webhook(receiver.url, watch=["pet"])
    sim.edit_contact(user["id"], city="x")
    sim.edit_contact(user["id"], attributes={"pet": "cat"})
    assert len(sim.wait_webhooks()) == 1


def test_several_automations(sim, receiver, user):
    sim.set_webhook(receiver.url, name="one")
    sim.set_webhook(receiver.url, name="two", exclude_user=True)
    sim.edit_contact(user["id"], city="x")
    assert {item["webhook"] for item in sim.wait_webhooks()} == {"one", "two"}
    assert sorted(len(item.json()) for item in receiver.got) == [3, 4]
    sim.remove_webhook("one")
    sim.edit_contact(user["id"], city="y")
    assert len(sim.wait_webhooks()) == 3


def test_fire_by_hand(sim, receiver, user):
    sim.set_webhook(receiver.url)
    sim.fire_webhook(user["id"])
    sim.fire_webhook(payload={"anything": [1]})
    sim.wait_webhooks()
    assert receiver.got[0].json()["user"]["id"] == user["id"]
    assert receiver.got[1].json() == {"anything": [1]}


def test_the_answer_does_not_wait_for_the_webhook(sim, api, receiver):
    sim.set_webhook(receiver.url, delay=60)
    assert api.post("users/", {}).status_code == 201
    assert sim.status()["pending_webhooks"] == 1
    assert receiver.got == []


def test_an_address_that_does_not_answer(sim):
    sim.set_webhook("http://127.0.0.1:9/")
    sim.add_contact()
    (delivery,) = sim.wait_webhooks()
    assert (delivery["outcome"], delivery["status"]) == ("failed", None)
    assert delivery["error"]


# How it is written


def test_switch_exclude_user(sim, receiver):
    sim.set_webhook(receiver.url, exclude_user=True)
    sim.add_contact()
    sim.wait_webhooks()
    assert set(receiver.got[0].json()) == {"path", "timestamp", "extra"}


def test_snippet_tags_are_always_strings(sim, receiver):
    extra = {
        "id": "{{ user.id }}",
        "who": "{{user.email}}/{{ user.custom_id }}",
        "consent": "{{ user.email_consent }}",
        "none": "{{ user.city }}",
        "number": 5,
    }
    sim.set_webhook(receiver.url, exclude_user=True, extra=extra)
    user = sim.add_contact(
        email="jan@example.com", custom_id="c-1", attributes={"email_consent": True}
    )
    sim.wait_webhooks()
    assert receiver.got[0].json()["extra"] == {
        "id": str(user["id"]),
        "who": "jan@example.com/c-1",
        "consent": "True",
        "none": "",
        "number": 5,
    }


@pytest.mark.parametrize(
    "style, yes, no", [("True", "True", "False"), ("true", "true", "false"), ("1", "1", "0")]
)
def test_switch_booleans(sim, receiver, style, yes, no):
    sim.set_webhook(receiver.url, booleans=style, extra={"consent": "{{ user.email_consent }}"})
    sim.add_contact(attributes={"email_consent": True})
    sim.wait_webhooks()
    payload = receiver.got[0].json()
    assert payload["user"]["attributes"][0]["value"] == yes
    assert payload["user"]["unsubscribed"] == no
    assert payload["extra"] == {"consent": yes}


def test_form_encoding(sim, receiver):
    sim.set_webhook(receiver.url, encoding="form", extra={"a": "ż&="})
    user = sim.add_contact(first_name="Żaneta")
    sim.wait_webhooks()
    (got,) = receiver.got
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    form = {name: value for name, (value,) in parse_qs(got.body).items()}
    assert set(form) == {"path", "timestamp", "extra", "user"}
    assert json.loads(form["extra"]) == {"a": "ż&="}
    assert json.loads(form["user"])["id"] == user["id"]


def test_form_encoding_with_brackets(sim, receiver):
    sim.set_webhook(receiver.url, encoding="form", nested="brackets", extra={"a": "b"})
    user = sim.add_contact(attributes={"email_consent": True})
    sim.wait_webhooks()
    form = parse_qs(receiver.got[0].body)
    assert form["extra[a]"] == ["b"]
    assert form["user[id]"] == [str(user["id"])]
    assert form["user[attributes][0][value]"] == ["True"]


def test_get_with_query(sim, receiver):
    sim.set_webhook(receiver.url + "?who={{ user.email }}", encoding="get", exclude_user=True)
    sim.add_contact(email="jan+x@example.com")
    sim.wait_webhooks()
    (got,) = receiver.got
    assert (got.method, got.body) == ("GET", "")
    query = parse_qs(urlsplit(got.path).query)
    assert query["who"] == ["jan+x@example.com"]
    assert set(query) == {"who", "path", "timestamp", "extra"}


# How it travels


def test_switch_duplicate(sim, receiver):
    sim.set_webhook(receiver.url, duplicate=True)
    sim.add_contact()
    sim.wait_webhooks()
    assert len(receiver.got) == 2
    assert receiver.got[0].body == receiver.got[1].body


def test_in_order_at_first(sim, receiver):
    sim.set_webhook(receiver.url)
    user = sim.add_contact(city="0")
    for city in "123":
        sim.edit_contact(user["id"], city=city)
    sim.wait_webhooks()
    assert cities(receiver) == ["0", "1", "2", "3"]


def test_switch_out_of_order(sim, receiver, user):
    sim.set_webhook(receiver.url, out_of_order=True, out_of_order_wait=0.5)
    for city in "1234":
        sim.edit_contact(user["id"], city=city)
    sim.wait_webhooks()
    assert cities(receiver) == ["2", "1", "4", "3"]
    sim.edit_contact(user["id"], city="alone")
    sim.wait_webhooks()
    assert cities(receiver)[-1] == "alone"


def test_switch_delay(sim, receiver, user):
    """A late call holds what was true when it was fired."""
    sim.set_webhook(receiver.url, delay=0.5)
    sim.edit_contact(user["id"], city="then")
    sim.set_webhook(receiver.url, on=[])
    sim.edit_contact(user["id"], city="now")
    assert receiver.got == []
    sim.wait_webhooks()
    assert cities(receiver) == ["then"]


def test_switch_lost(sim, receiver, user):
    sim.set_webhook(receiver.url, lost=2)
    for city in "123":
        sim.edit_contact(user["id"], city=city)
    assert [item["outcome"] for item in sim.wait_webhooks()] == ["lost", "lost", "sent"]
    assert cities(receiver) == ["3"]
    sim.set_webhook(receiver.url, lost=-1)
    sim.edit_contact(user["id"], city="4")
    sim.wait_webhooks()
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_no_retry_at_first(sim, receiver, user, status):
    receiver.status = status
    sim.set_webhook(receiver.url)
    sim.fire_webhook(user["id"])
    (delivery,) = sim.wait_webhooks()
    assert (delivery["outcome"], delivery["status"], delivery["tries"]) == ("failed", status, 1)
    assert len(receiver.got) == 1


def test_switch_retries(sim, receiver, user):
    receiver.status = 500
    sim.set_webhook(receiver.url, retries=2, retry_wait=0.01)
    sim.fire_webhook(user["id"])
    (delivery,) = sim.wait_webhooks()
    assert (delivery["outcome"], delivery["tries"]) == ("failed", 3)
    assert len(receiver.got) == 3


def test_wait_gives_up(sim, receiver, user):
    sim.set_webhook(receiver.url, delay=5)
    sim.fire_webhook(user["id"])
    with pytest.raises(TimeoutError):
        sim.wait_webhooks(timeout=0.05)


@pytest.mark.parametrize(
    "wrong",
    [{"encoding": "xml"}, {"on": ["delete"]}, {"booleans": "yes"}, {"colour": 1}, {"nested": ""}],
)
def test_a_wrong_webhook_is_refused(sim, receiver, wrong):
    with pytest.raises(ControlError):
        sim.set_webhook(receiver.url, **wrong)
    with pytest.raises(ControlError):
        sim.set_webhook("ftp://example.com/")
    assert sim.webhooks() == []
