"""The switches that are not tested beside a row: *normalise*, upserts, the rate, latency, time."""

import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import pytest

from simulator.testing import ControlError

# Normalise


@pytest.mark.parametrize(
    "field, value, stored",
    [
        ("email", "  Jan@Example.COM ", "jan@example.com"),
        ("first_name", " Jan ", "Jan"),
        ("first_name", "x" * 50, "x" * 40),
        ("last_name", "x" * 50, "x" * 40),
        ("city", "x" * 70, "x" * 64),
        ("phone_number", "+48600100200", "+48 600 100 200"),
        ("phone_number", "+48 600-100-200", "+48 600 100 200"),
        ("phone_number", "+14155550100", "+1 415 555 010 0"),
        ("phone_number", "+353861234567", "+353 861 234 567"),
        ("phone_number", "600100200", "600 100 200"),
        ("phone_number", "call me", "call me"),
        ("gender", 2, "male"),
    ],
)
def test_normalise(sim, api, field, value, stored):
    sim.switch(normalise=True)
    assert api.post("users/", {field: value}).status_code == 201
    assert sim.contacts()[0][field] == stored


def test_normalise_phone_as_digits(sim, api):
    sim.switch(normalise=True, phone_format="digits")
    api.post("users/", {"phone_number": "+48 600 100 200"})
    assert sim.contacts()[0]["phone_number"] == "48600100200"


def test_normalise_custom_strings(sim, api):
    sim.switch(normalise=True)
    sim.add_attribute("Pet")
    api.post("users/", {"pet": " dog " + "x" * 300})
    value = sim.contacts()[0]["attributes"]["pet"]
    assert value.startswith("dog x")
    assert len(value) == 255


def test_normalise_holds_for_the_key_of_an_upsert(sim, api):
    sim.switch(normalise=True)
    first = api.post("users/update_or_create/", {"custom_id": " c-1 "}).json()
    assert api.post("users/update_or_create/", {"custom_id": "c-1"}).json() == {
        "created": False,
        "id": first["id"],
    }


def test_without_normalise_values_stay(sim, api):
    values = {"email": "Jan@Example.COM", "first_name": " Jan ", "phone_number": "+48600100200"}
    assert api.post("users/", values).status_code == 201
    assert {name: sim.contacts()[0][name] for name in values} == values


# What an upsert does with the e-mail of another profile


@pytest.fixture
def owner(sim):
    return sim.add_contact(email="jan@example.com", custom_id="old")


BODY = {"custom_id": "new", "email": "jan@example.com", "city": "Sopot"}


def test_upsert_foreign_email_second(sim, api, owner):
    assert api.post("users/update_or_create/", BODY).json()["created"] is True
    assert [user["custom_id"] for user in sim.contacts(email="jan@example.com")] == ["old", "new"]


def test_upsert_foreign_email_refuse(sim, api, owner):
    sim.switch(upsert_foreign_email="refuse")
    answer = api.post("users/update_or_create/", BODY)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["email"]
    assert sim.contacts() == [owner]
    other = api.post("users/update_or_create/", {"custom_id": "new"}).json()["id"]
    assert api.post("users/update_or_create/", BODY).status_code == 400
    assert sim.contact(other)["email"] is None
    assert api.post("users/update_or_create/", {**BODY, "custom_id": "old"}).ok


def test_upsert_foreign_email_owner(sim, api, owner):
    sim.switch(upsert_foreign_email="owner")
    answer = api.post("users/update_or_create/", BODY)
    assert answer.json() == {"created": False, "id": owner["id"]}
    (user,) = sim.contacts()
    assert (user["custom_id"], user["city"]) == ("new", "Sopot")


def test_upsert_foreign_email_is_compared_as_it_is_stored(sim, api, owner):
    sim.switch(upsert_foreign_email="refuse", normalise=True)
    body = {"custom_id": "new", "email": " JAN@example.com"}
    assert api.post("users/update_or_create/", body).status_code == 400


# Rate, latency, clock


def test_rate_limit(sim, api):
    sim.switch(rate_limit=0.1, rate_burst=3)
    statuses = [api.get("users/").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    answer = api.get("users/")
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 10
    detail = f"Request was throttled. Expected available in {wait} seconds."
    assert answer.json() == {"detail": detail}
    sim.switch(rate_retry_after=False)
    assert "Retry-After" not in api.get("users/").headers


def test_rate_limit_refills(sim, api):
    sim.switch(rate_limit=4.0, rate_burst=1)
    assert api.get("users/").status_code == 200
    assert api.get("users/").status_code == 429
    time.sleep(0.3)
    assert api.get("users/").status_code == 200


def test_a_throttled_write_changes_nothing(sim, api):
    sim.switch(rate_limit=0.1, rate_burst=1)
    api.get("users/")
    assert api.post("users/", {}).status_code == 429
    assert sim.contacts() == []


def test_latency(sim, api):
    sim.switch(latency_ms=120)
    start = time.monotonic()
    assert api.get("users/").status_code == 200
    assert time.monotonic() - start >= 0.12


def test_clock_offset(sim, api):
    sim.switch(clock_offset=3600)
    answer = api.post("users/", {})
    created = datetime.fromisoformat(answer.json()["created_at"].replace("Z", "+00:00"))
    ahead = created - datetime.now(timezone.utc)
    assert 3590 < ahead.total_seconds() < 3610
    assert abs((parsedate_to_datetime(answer.headers["Date"]) - created).total_seconds()) < 2


# Null and arrays


def test_switch_null_lists(sim, api, api_v1):
    sim.switch(null_lists=True)
    user = sim.add_contact(tags=["vip"])
    for caller in (api, api_v1):
        shape = caller.user(user["id"])
        assert (shape["tags"], shape["lists"]) == (None, None)


def test_switch_array_values(sim, api, api_v1):
    user = sim.add_contact(attributes={"pet": "dog", "email_consent": True})
    sim.switch(array_values=True)
    shape = api.user(user["id"])
    assert (shape["pet"], shape["email_consent"]) == (["dog"], True)
    listed = {item["name_std"]: item["value"] for item in api_v1.user(user["id"])["attributes"]}
    assert listed == {"pet": ["dog"], "email_consent": True}


# Setting them


@pytest.mark.parametrize(
    "change",
    [
        {"nothing": True},
        {"normalise": "yes"},
        {"page_size": 0},
        {"page_size": True},
        {"unknown_attribute": "perhaps"},
        {"normalise": True, "page_size": -1},
    ],
)
def test_a_wrong_switch_is_refused_and_sets_nothing(sim, change):
    before = sim.switches()
    with pytest.raises(ControlError):
        sim.switch(**change)
    assert sim.switches() == before
