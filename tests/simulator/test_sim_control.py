"""The control interface: the log of calls, contacts as a person changes them, keys, reset."""

import threading

import pytest
import requests

from simulator.testing import ControlClient, ControlError, running_simulator

# Calls


def test_calls_are_logged(sim, api):
    user = sim.add_contact(custom_id="c 1")
    api.put(f"users/{user['id']}/?x=1", {"city": "Sopot"})
    api.get("users-by-id/c%201/")
    api("POST", "users/", data=b"{", headers={"Content-Type": "application/json"})
    first, second, third = sim.calls()
    assert (first["method"], first["path"], first["raw_path"]) == (
        "PUT",
        "/users/:id/",
        f"/users/{user['id']}/",
    )
    assert (first["query"], first["body"], first["status"]) == ("x=1", {"city": "Sopot"}, 200)
    assert first["version"] == 2
    assert (second["path"], second["body"]) == ("/users-by-id/:custom_id/", None)
    assert (third["status"], third["body"]) == (400, "{")
    assert first["time"] <= second["time"] <= third["time"]


def test_calls_are_counted(sim, api):
    user = sim.add_contact()
    for _ in range(3):
        api.user(user["id"])
    api.get("users/")
    assert sim.calls.count() == 4
    assert sim.calls.count("GET", "/users/:id/") == 3
    assert sim.calls.count("GET", f"/users/{user['id']}/") == 3
    assert sim.calls.count("PUT") == 0
    assert len(sim.wait_call("GET", "/users/", timeout=1)) == 1
    counts = requests.get(f"{sim.url}/control/calls/counts").json()
    kind = {"method": "GET", "path": "/users/:id/"}
    assert {**kind, "count": 3, "statuses": {"200": 3}} in counts
    assert sim.call_counts() == {("GET", "/users/"): 1, ("GET", "/users/:id/"): 3}
    sim.reset_calls()
    assert sim.calls() == []
    assert sim.call_counts() == {}


def test_calls_are_counted_by_their_answer(sim, api):
    sim.fault("429", times=2)
    for _ in range(3):
        api.get("users/")
    sim.fault("drop")
    with pytest.raises(requests.ConnectionError):
        api.get("users/")
    assert sim.call_counts() == {("GET", "/users/"): 4}
    assert sim.call_counts(status=429) == {("GET", "/users/"): 2}
    assert sim.call_counts(status=200) == {("GET", "/users/"): 1}
    assert sim.call_counts(status=500) == {}


def test_calls_can_be_counted_without_being_kept(sim, api):
    sim.switch(log_calls=False)
    for _ in range(3):
        api.get("users/")
    assert sim.calls() == []
    assert sim.call_counts() == {("GET", "/users/"): 3}
    assert sim.status()["calls"] == 3
    sim.switch(log_calls=True)
    api.get("users/")
    assert len(sim.calls()) == 1
    assert sim.call_counts() == {("GET", "/users/"): 4}


def test_calls_that_the_log_has_dropped_are_still_counted(monkeypatch):
    monkeypatch.setattr("simulator.calls.KEPT_CALLS", 2)
    with running_simulator() as sim:
        for _ in range(3):
            requests.get(f"{sim.api_url}users/")
        assert len(sim.calls()) == 2
        assert sim.call_counts() == {("GET", "/users/"): 3}


def test_refused_calls_are_logged_too(sim, caller):
    caller(key="wrong").get("users/")
    caller().get("users")
    assert [call["status"] for call in sim.calls()] == [401, 404]


def test_waiting_for_a_call_that_does_not_come(sim):
    with pytest.raises(TimeoutError):
        sim.wait_call("GET", "/users/", timeout=0.05)


def test_the_control_interface_is_not_in_the_log(sim):
    sim.add_contact()
    assert sim.calls() == []


# Contacts


def test_add_contact(sim, api):
    user = sim.add_contact(email="jan@example.com", first_name="Jan", tags=["vip"])
    assert user["status"] == "user"
    assert api.user(user["id"])["name"] == "Jan"
    assert sim.contact(user["id"]) == user
    assert sim.contacts(email="jan@example.com") == [user]
    assert sim.contacts(email="other@example.com") == []


def test_add_many_contacts(sim, api, monkeypatch):
    monkeypatch.setattr("simulator.testing.LOADED_AT_ONCE", 2)
    rows = [{"email": f"u{n}@example.com", "attributes": {"vip": True}} for n in range(5)]
    numbers = sim.add_contacts(rows)
    assert [sim.contact(number)["email"] for number in numbers] == [row["email"] for row in rows]
    assert api.user(numbers[4])["vip"] is True
    assert api.user(numbers[4])["status"] == "user"
    assert sim.add_contacts([]) == []


def test_the_first_of_many_contacts_that_is_refused_is_told(sim):
    with pytest.raises(ControlError, match=r"1\.email"):
        sim.add_contacts([{"city": "Gdynia"}, {"email": "nope"}, {"city": "Sopot"}])
    assert [contact["city"] for contact in sim.contacts()] == ["Gdynia"]


def test_add_contact_makes_attributes_of_the_values_type(sim):
    values = {"a": True, "b": 1, "c": 1.5, "d": "x", "e": ["p", "q"], "f": {"k": 1}, "g": None}
    user = sim.add_contact(attributes=values)
    assert user["attributes"] == values
    types = {item["name_std"]: item["value_type"] for item in sim.attributes()}
    assert list(types.values()) == [
        "boolean", "integer", "float", "string", "fixed", "json", "string",
    ]  # fmt: skip


def test_edit_contact(sim, api):
    user = sim.add_contact(email="jan@example.com", attributes={"email_consent": True})
    after = sim.edit_contact(user["id"], city="Sopot", attributes={"email_consent": None})
    assert (after["city"], after["email"]) == ("Sopot", "jan@example.com")
    assert after["attributes"] == {"email_consent": None}
    assert after["updated_at"] > user["updated_at"]


def test_a_person_is_held_to_the_rules_too(sim):
    with pytest.raises(ControlError, match="email"):
        sim.add_contact(email="nope")
    with pytest.raises(ControlError, match="colour"):
        sim.add_contact(colour="red")
    assert sim.contacts() == []


def test_raw_values_are_not_checked(sim, api):
    user = sim.add_contact(email="nope", first_name="x" * 60, gender="male", raw=True)
    assert (user["email"], user["first_name"]) == ("nope", "x" * 60)
    assert api.user(user["id"])["gender"] == "male"
    with pytest.raises(ControlError):
        sim.edit_contact(user["id"], colour="red", raw=True)


def test_facts_can_be_set(sim):
    old = "2020-01-01T00:00:00.000000Z"
    user = sim.add_contact(updated_at=old, page_views=7)
    assert (user["updated_at"], user["page_views"]) == (old, 7)


def test_delete_contact(sim, api):
    user = sim.add_contact()
    sim.delete_contact(user["id"])
    assert api.get(f"users/{user['id']}/").status_code == 404
    for wrong in (sim.contact, sim.delete_contact, sim.page_view, sim.edit_contact):
        with pytest.raises(ControlError, match="no 'contact"):
            wrong(user["id"])


def test_attributes(sim, api):
    made = sim.add_attribute("Email consent", "boolean")
    assert api.get("attributes/").json()["count"] == 1
    sim.delete_attribute(made["id"])
    assert sim.attributes() == []
    with pytest.raises(ControlError):
        sim.add_attribute("x" * 33)


# Keys, reset, the rest


def test_keys():
    with running_simulator(key="k" * 64, keys=[("r" * 64, "read")]) as sim:
        assert sim.key == "k" * 64
        assert [key["scope"] for key in sim.api_keys()] == ["all", "read"]
        sim.add_key("write", "w" * 64)
        assert len(sim.api_keys()) == 3
        with pytest.raises(ControlError):
            sim.add_key("admin")


def test_a_made_up_key_has_64_characters(sim):
    assert len(sim.key) == 64


def test_reset(sim, api, receiver):
    key = sim.key
    sim.add_contact(attributes={"email_consent": True})
    sim.switch(page_size=3)
    sim.fault(500)
    sim.set_webhook(receiver.url)
    sim.add_key("read")
    sim.reset()
    assert (sim.contacts(), sim.attributes(), sim.faults(), sim.webhooks()) == ([], [], [], [])
    assert (sim.calls(), sim.deliveries()) == ([], [])
    assert sim.switches()["page_size"] == 100
    assert [item["value"] for item in sim.api_keys()] == [key]
    assert api.get("users/").status_code == 200


def test_reset_comes_back_to_the_switches_of_the_start():
    with running_simulator(page_size=7) as sim:
        sim.switch(page_size=3)
        sim.reset()
        assert sim.switches()["page_size"] == 7


def test_a_wrong_switch_at_the_start_is_told():
    with pytest.raises(ValueError, match="colour"), running_simulator(colour="red"):
        pass


def test_a_second_client(sim):
    other = ControlClient(sim.url + "/")
    other.add_contact(email="jan@example.com")
    assert len(sim.contacts()) == 1


def test_several_threads_at_once(sim, caller):
    def work(number):
        api = caller()
        for step in range(10):
            assert api.post("users/update_or_create/", {"custom_id": f"{number}-{step}"}).ok
            sim.contacts()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sim.contacts()) == 50
    assert len({user["id"] for user in sim.contacts()}) == 50


def test_other_pages_cannot_call_it(sim):
    headers = {"Origin": "https://evil.example"}
    answer = requests.post(f"{sim.url}/control/reset", headers=headers)
    assert answer.status_code == 403
    answer = requests.post(f"{sim.url}/control/contacts", data="{}")
    assert answer.status_code == 400
