"""Contract 7.4: what a write may hold."""

import pytest

GOOD = [
    ("first_name", "x" * 40, "x" * 40),
    ("last_name", "x" * 40, "x" * 40),
    ("city", "x" * 64, "x" * 64),
    ("phone_number", "x" * 64, "x" * 64),
    ("gender", 1, "unknown"),
    ("gender", 3, "female"),
    ("gender", "male", "male"),
    ("status", 1, "visitor"),
    ("status", "user", "user"),
    ("email", "jan.o'neil+x@sub.example.com", "jan.o'neil+x@sub.example.com"),
    ("email", "jan@żółw.example.com", "jan@żółw.example.com"),
    ("unsubscribed", True, True),
    ("score", "7", 7),
    ("country", None, None),
]
BAD = [
    ("first_name", "x" * 41),
    ("last_name", "x" * 41),
    ("city", "x" * 65),
    ("phone_number", "1" * 65),
    ("first_name", True),
    ("city", ["x"]),
    ("gender", 0),
    ("gender", 4),
    ("gender", "invalid"),
    ("gender", None),
    ("gender", True),
    ("status", 3),
    ("status", "client"),
    ("email", "nope"),
    ("email", "a b@example.com"),
    ("email", "jan@example"),
    ("email", "jan@"),
    ("email", "jan@example..com"),
    ("email", " jan@example.com"),
    ("email", 5),
    ("unsubscribed", "perhaps"),
    ("unsubscribed", None),
    ("score", "x"),
    ("tags", "vip"),
    ("country", "x" * 256),
]


@pytest.mark.parametrize("field, value, stored", GOOD)
def test_good_values(sim, api, field, value, stored):
    answer = api.post("users/", {field: value})
    assert answer.status_code == 201, answer.text
    assert sim.contacts()[0][field] == stored


@pytest.mark.parametrize("field, value", BAD)
def test_bad_values_are_400(sim, api, field, value):
    user = sim.add_contact(first_name="Jan")
    for method, path in (("POST", "users/"), ("PUT", f"users/{user['id']}/")):
        answer = api(method, path, {"region": "Pomorze", field: value})
        assert answer.status_code == 400
        assert list(answer.json()) == ["errors"]
        assert list(answer.json()["errors"]) == [field]
        assert all(isinstance(message, str) for message in answer.json()["errors"][field])
    assert sim.contacts() == [user]


def test_several_fields_at_once(api):
    answer = api.post("users/", {"email": "nope", "first_name": "x" * 41, "gender": 9, "city": "x"})
    assert set(answer.json()["errors"]) == {"email", "first_name", "gender"}


CUSTOM = [
    ("boolean", True, True),
    ("boolean", "True", True),
    ("boolean", "false", False),
    ("boolean", 1, True),
    ("integer", "12", 12),
    ("float", 1, 1.0),
    ("float", "1.5", 1.5),
    ("string", 5, "5"),
    ("date", "2016-08-03", "2016-08-03"),
    ("datetime", "2016-08-03T12:00:00+00:00", "2016-08-03T12:00:00+00:00"),
    ("json", {"a": [1]}, {"a": [1]}),
    ("fixed", "a", "a"),
    ("fixed", ["a"], "a"),
    ("boolean", None, None),
]
WRONG = [
    ("boolean", "maybe"),
    ("boolean", [True]),
    ("integer", "x"),
    ("integer", 1.5),
    ("integer", True),
    ("float", "x"),
    ("string", {"a": 1}),
    ("string", "x" * 256),
    ("date", "03.08.2016"),
    ("date", 5),
    ("datetime", "yesterday"),
    ("fixed", "c"),
    ("fixed", ["a", "b"]),
]


@pytest.fixture
def add(sim):
    def add(value_type):
        more = {"choices": ["a", "b"]} if value_type == "fixed" else {}
        sim.add_attribute("Thing", value_type, **more)

    return add


@pytest.mark.parametrize("value_type, value, stored", CUSTOM)
def test_custom_values_are_converted(sim, api, add, value_type, value, stored):
    add(value_type)
    assert api.post("users/", {"thing": value}).status_code == 201
    assert sim.contacts()[0]["attributes"] == {"thing": stored}


@pytest.mark.parametrize("value_type, value", WRONG)
def test_a_custom_value_of_the_wrong_type_is_a_switch(sim, api, add, value_type, value):
    add(value_type)
    answer = api.post("users/", {"thing": value})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["thing"]
    sim.switch(wrong_type="ignore")
    assert api.post("users/", {"thing": value, "city": "Sopot"}).status_code == 201
    (user,) = sim.contacts()
    assert (user["city"], user["attributes"]) == ("Sopot", {"thing": None})


def test_several_choices(sim, api):
    sim.add_attribute("Thing", "fixed", choices=["a", "b"], allow_multiple_choices=True)
    shape = api.post("users/", {"thing": ["a", "b"]}).json()
    assert shape["thing"] == ["a", "b"]


def test_attributes_are_known_by_name_too(sim, api):
    sim.add_attribute("Email consent", "boolean")
    assert api.post("users/", {"Email consent": True}).json()["email_consent"] is True


def test_a_refused_write_makes_no_attribute(sim, api):
    sim.switch(unknown_attribute="legacy")
    assert api.post("users/", {"pet": "dog", "gender": 9}).status_code == 400
    assert sim.attributes() == []
