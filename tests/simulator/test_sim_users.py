"""Contract 7.3, the rows about users, and the shapes of section 1.4."""

import pytest

V1_KEYS = {
    "id", "key", "name", "email", "gender", "status", "phone_number", "first_seen", "last_seen",
    "page_views", "last_ip", "timezone", "city", "region", "country", "unsubscribed",
    "browser_language", "score", "browser", "os_type", "resolution", "created_at", "updated_at",
    "companies", "attributes", "gravatar_url", "lists", "tags", "notifications", "facebook_url",
    "linkedin_url", "twitter_url", "google_url", "last_contacted", "user_id",
}  # fmt: skip
V2_KEYS = (V1_KEYS - {"key", "user_id", "attributes"}) | {
    "user_key", "custom_id", "web_push_subscription", "assigned_to", "company_id",
    "most_active_time",
}  # fmt: skip


# GET /users/


def test_get_users(sim, api):
    ids = [sim.add_contact(email=f"u{n}@example.com")["id"] for n in range(3)]
    page = api.get("users/").json()
    assert set(page) == {"count", "next", "previous", "results"}
    assert page["count"] == 3
    assert [user["id"] for user in page["results"]] == ids
    assert (page["next"], page["previous"]) == (None, None)


def test_get_users_with_email(sim, api):
    sim.add_contact(phone_number="+48600100200")
    user = sim.add_contact(email="jan@example.com")
    page = api.get("users/", with_email="true").json()
    assert [item["id"] for item in page["results"]] == [user["id"]]


def test_get_users_with_field_filter(sim, api):
    sim.add_contact(city="Gdynia")
    user = sim.add_contact(city="Warszawa")
    page = api.get("users/", city__contains="arsz").json()
    assert [item["id"] for item in page["results"]] == [user["id"]]


# POST /users/


def test_post_users_answers_201_with_the_full_user(sim, api):
    sim.add_attribute("Email consent", "boolean")
    body = {
        "email": "jan@example.com",
        "first_name": "Jan",
        "last_name": "Testowy",
        "custom_id": "c-1",
        "gender": 2,
        "status": 2,
        "tags": ["vip"],
        "email_consent": True,
    }
    answer = api.post("users/", body)
    assert answer.status_code == 201
    shape = answer.json()
    assert set(shape) == V2_KEYS | {"email_consent"}
    assert shape["name"] == "Jan Testowy"
    assert (shape["gender"], shape["status"]) == ("male", "user")
    assert shape["tags"] == [{"id": 1, "name": "vip"}]
    assert len(shape["user_key"]) == 12
    assert api.user(shape["id"]) == shape


def test_post_users_version_1(api_v1):
    shape = api_v1.post("users/", {"user_id": "c-1", "email": "jan@example.com"}).json()
    assert set(shape) == V1_KEYS
    assert shape["user_id"] == "c-1"


def test_post_users_requires_nothing(api, api_v1):
    assert api.post("users/", {}).status_code == 201
    assert api_v1.post("users/", {"email": "a@example.com", "gender": 2}).status_code == 201


def test_post_users_with_errors_is_400(sim, api):
    answer = api.post("users/", {"gender": "invalid"})
    assert answer.status_code == 400
    assert answer.json() == {"errors": {"gender": ['"invalid" is not a valid choice.']}}
    assert sim.contacts() == []


def test_post_users_with_a_duplicate_custom_id_is_400(sim, api, api_v1):
    sim.add_contact(custom_id="c-1")
    answer = api.post("users/", {"custom_id": "c-1"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["custom_id"]
    assert list(api_v1.post("users/", {"user_id": "c-1"}).json()["errors"]) == ["user_id"]
    assert len(sim.contacts()) == 1


def test_post_users_with_a_duplicate_email_makes_a_second(sim, api):
    for _ in range(2):
        assert api.post("users/", {"email": "jan@example.com"}).status_code == 201
    assert len(sim.contacts(email="jan@example.com")) == 2


# GET/PUT/PATCH/DELETE /users/:id/ and the twin tree by custom id


def by_id(user):
    return f"users/{user['id']}/"


def by_custom_id(user):
    return f"users-by-id/{user['custom_id']}/"


trees = pytest.mark.parametrize("tree", [by_id, by_custom_id])


@pytest.fixture
def user(sim):
    return sim.add_contact(
        custom_id="c-1", email="jan@example.com", first_name="Jan", city="Gdynia"
    )


@trees
def test_get_user(api, user, tree):
    answer = api.get(tree(user))
    assert answer.status_code == 200
    assert set(answer.json()) == V2_KEYS
    assert answer.json()["id"] == user["id"]


@trees
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_and_patch_user_are_partial(sim, api, user, tree, method):
    answer = api(method, tree(user), {"city": "Sopot"})
    assert answer.status_code == 200
    assert answer.json()["city"] == "Sopot"
    kept = sim.contact(user["id"])
    assert (kept["email"], kept["first_name"]) == ("jan@example.com", "Jan")


@trees
def test_put_user_null_clears(sim, api, user, tree):
    assert api.put(tree(user), {"city": None, "email": ""}).status_code == 200
    assert sim.contact(user["id"])["city"] is None
    assert sim.contact(user["id"])["email"] is None


def test_put_user_with_anothers_custom_id_is_400(sim, api, user):
    other = sim.add_contact(custom_id="c-2")
    assert api.put(f"users/{other['id']}/", {"custom_id": "c-1"}).status_code == 400
    assert api.put(f"users/{user['id']}/", {"custom_id": "c-1"}).status_code == 200
    assert sim.contact(other["id"])["custom_id"] == "c-2"


@trees
def test_delete_user_is_204_and_empty(sim, api, user, tree):
    answer = api.delete(tree(user))
    assert (answer.status_code, answer.content) == (204, b"")
    assert sim.contacts() == []
    answer = api.delete(tree(user))
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


@pytest.mark.parametrize("path", ["users/999999/", "users-by-id/nobody/"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_unknown_user_is_404(api, method, path):
    answer = api(method, path, {} if method in ("PUT", "PATCH") else None)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


@pytest.mark.parametrize("custom_id", ["jan@example.com", "a b", "ż%41", "a/b?c"])
def test_custom_id_in_the_path_is_decoded(sim, api, custom_id):
    from urllib.parse import quote

    user = sim.add_contact(custom_id=custom_id)
    assert api.get(f"users-by-id/{quote(custom_id, safe='')}/").json()["id"] == user["id"]


def test_at_sign_in_the_path_need_not_be_encoded(sim, api):
    user = sim.add_contact(custom_id="jan@example.com")
    assert api.get("users-by-id/jan@example.com/").json()["id"] == user["id"]


# POST /users/update_or_create/


@pytest.mark.parametrize("version, key", [(1, "user_id"), (2, "custom_id")])
def test_update_or_create(sim, caller, version, key):
    api = caller(version)
    answer = api.post("users/update_or_create/", {key: "c-1", "city": "Gdynia"})
    assert answer.status_code == 200
    number = answer.json()["id"]
    assert answer.json() == {"created": True, "id": number}
    answer = api.post("users/update_or_create/", {key: "c-1", "country": "Poland"})
    assert answer.json() == {"created": False, "id": number}
    (user,) = sim.contacts()
    assert (user["city"], user["country"]) == ("Gdynia", "Poland")


def test_update_or_create_with_errors_is_400(sim, api):
    answer = api.post("users/update_or_create/", {"custom_id": "c-1", "email": "nope"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["email"]
    assert sim.contacts() == []


def test_update_or_create_without_custom_id_creates(sim, api):
    for _ in range(2):
        body = {"email": "jan@example.com"}
        assert api.post("users/update_or_create/", body).json()["created"] is True
    assert len(sim.contacts()) == 2


# POST …/set_attribute/, …/set_multiple_attributes/


@trees
def test_set_attribute_answers_an_empty_200(sim, api, user, tree):
    sim.add_attribute("Email consent", "boolean")
    answer = api.post(f"{tree(user)}set_attribute/", {"attribute": "email_consent", "value": True})
    assert (answer.status_code, answer.content) == (200, b"")
    assert sim.contact(user["id"])["attributes"] == {"email_consent": True}


@trees
def test_set_multiple_attributes_answers_an_empty_200(sim, api, user, tree):
    sim.add_attribute("Email consent", "boolean")
    sim.add_attribute("Level", "integer")
    body = {"email_consent": False, "level": 3}
    answer = api.post(f"{tree(user)}set_multiple_attributes/", body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert sim.contact(user["id"])["attributes"] == body


@pytest.mark.parametrize("call", ["set_attribute", "set_multiple_attributes"])
def test_set_attributes_of_an_unknown_user_is_404(api, call):
    assert api.post(f"users/999999/{call}/", {}).status_code == 404
    assert api.post(f"users-by-id/nobody/{call}/", {}).status_code == 404


def test_set_attribute_without_name_or_value_is_400(api, user):
    answer = api.post(f"users/{user['id']}/set_attribute/", {})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"attribute", "value"}


UNKNOWN = [
    ("POST", "users/", {"pet": "dog"}),
    ("PUT", "users/{id}/", {"pet": "dog"}),
    ("POST", "users/update_or_create/", {"custom_id": "c-1", "pet": "dog"}),
    ("POST", "users/{id}/set_attribute/", {"attribute": "pet", "value": "dog"}),
    ("POST", "users/{id}/set_multiple_attributes/", {"pet": "dog"}),
    (
        "PUT",
        "users/mass_update_custom_attributes/",
        {"ids": [1001], "attribute": "pet", "value": "dog"},
    ),
]


@pytest.mark.parametrize("method, path, body", UNKNOWN)
def test_unknown_attribute_strict(sim, api, user, method, path, body):
    answer = api(method, path.format(**user), body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["pet"]
    assert sim.attributes() == []
    assert sim.contacts() == [user]


@pytest.mark.parametrize("method, path, body", UNKNOWN)
def test_unknown_attribute_legacy(sim, api, user, method, path, body):
    sim.switch(unknown_attribute="legacy")
    assert api(method, path.format(**user), body).ok
    (attribute,) = sim.attributes()
    assert (attribute["name"], attribute["value_type"]) == ("pet", "string")
    assert sim.contacts()[-1]["attributes"] == {"pet": "dog"}


@pytest.mark.parametrize("method, path, body", UNKNOWN)
def test_unknown_attribute_ignore(sim, api, user, method, path, body):
    sim.switch(unknown_attribute="ignore")
    assert api(method, path.format(**user), body).ok
    assert sim.attributes() == []


def test_unknown_attribute_legacy_pollutes(sim, api, user):
    """A user that is written back as it was read becomes attributes (section 1.4)."""
    sim.switch(unknown_attribute="legacy")
    assert api.put(f"users/{user['id']}/", api.user(user["id"])).status_code == 200
    attributes = sim.contact(user["id"])["attributes"]
    assert attributes["lists"] == "[]"
    assert attributes["name"] == "Jan"


# PUT /users/mass_update_standard_attributes/, …custom…


def test_mass_update_standard_attributes(sim, api, user):
    other = sim.add_contact(custom_id="c-2")
    third = sim.add_contact()
    body = {"ids": [user["id"], other["id"]], "attribute": "city", "value": "Sopot"}
    answer = api.put("users/mass_update_standard_attributes/", body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert [contact["city"] for contact in sim.contacts()] == ["Sopot", "Sopot", third["city"]]


def test_mass_update_custom_attributes(sim, api, user):
    sim.add_attribute("Email consent", "boolean")
    body = {"ids": [user["id"]], "attribute": "email_consent", "value": True}
    answer = api.put("users/mass_update_custom_attributes/", body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert sim.contact(user["id"])["attributes"] == {"email_consent": True}


def test_mass_updates_by_custom_id(sim, api, user):
    sim.add_attribute("Email consent", "boolean")
    for call, attribute, value in (
        ("standard", "country", "Malta"),
        ("custom", "email_consent", False),
    ):
        body = {"ids": ["c-1"], "attribute": attribute, "value": value}
        assert api.put(f"users-by-id/mass_update_{call}_attributes/", body).ok
    contact = sim.contact(user["id"])
    assert (contact["country"], contact["attributes"]) == ("Malta", {"email_consent": False})


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "ids"),
        ({"ids": [], "attribute": "city", "value": "x"}, "ids"),
        ({"ids": ["1001"], "attribute": "city", "value": "x"}, "ids"),
        ({"ids": [1001], "value": "x"}, "attribute"),
        ({"ids": [1001], "attribute": "city"}, "value"),
        ({"ids": [1001], "attribute": "name", "value": "x"}, "attribute"),
        ({"ids": [1001], "attribute": "city", "value": "x" * 65}, "value"),
    ],
)
def test_mass_update_standard_attributes_with_errors_is_400(api, user, body, field):
    answer = api.put("users/mass_update_standard_attributes/", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_mass_update_by_post_is_405(api):
    assert api.post("users/mass_update_custom_attributes/", {}).status_code == 405


# POST /users/merge/


def test_merge(sim, api):
    third = sim.add_contact(city="Third", country="Third", tags=["c"])
    parent = sim.add_contact(
        email="jan@example.com", tags=["a"], attributes={"email_consent": False}
    )
    second = sim.add_contact(
        email="x@example.com", city="Second", attributes={"email_consent": True, "level": 3}
    )
    body = {"parent": parent["id"], "users_list": [second["id"], third["id"]]}
    answer = api.post("users/merge/", body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (merged,) = sim.contacts()
    assert merged["id"] == parent["id"]
    assert merged["email"] == "jan@example.com"
    assert (merged["city"], merged["country"]) == ("Third", "Third")
    assert merged["attributes"] == {"email_consent": False, "level": 3}
    assert merged["tags"] == ["a", "c"]


def test_merge_of_an_unknown_user_is_404(sim, api, user):
    for body in (
        {"parent": user["id"], "users_list": [999999]},
        {"parent": 999999, "users_list": [user["id"]]},
    ):
        assert api.post("users/merge/", body).status_code == 404
    assert sim.contacts() == [user]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"parent": 1001},
        {"users_list": [1001]},
        {"parent": 1001, "users_list": []},
        {"parent": 1001, "users_list": ["x"]},
        {"parent": 1001, "users_list": [1001]},
        {"parent": 1001, "user_list": [1002]},
    ],
)
def test_merge_with_errors_is_400(sim, api, user, body):
    assert api.post("users/merge/", body).status_code == 400
    assert sim.contacts() == [user]


# Section 1.4: companies of a user


def test_company_custom_id_joins_a_company(sim, api, api_v1, user):
    company = api.post("companies/", {"name": "Firma", "custom_id": "g-1"}).json()
    shape = api.put(f"users/{user['id']}/", {"company_custom_id": "g-1"}).json()
    assert shape["company_id"] == company["id"]
    assert shape["companies"][0]["name"] == "Firma"
    assert set(shape["companies"][0]) == {"id", "name", "member_since"}
    other = api_v1.post("users/", {"company_id": "g-1"}).json()
    assert other["companies"][0]["id"] == company["id"]
    assert api.post("users/", {"company_custom_id": "nobody"}).status_code == 400
