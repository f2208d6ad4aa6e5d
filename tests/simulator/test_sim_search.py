"""Contract 7.3, the rows of ``GET /users/search/``."""

import calendar
import time

import pytest

MOMENT = "2026-03-01T12:00:00.000000Z"
UNIX = calendar.timegm(time.strptime(MOMENT[:19], "%Y-%m-%dT%H:%M:%S"))


def ids(answer):
    assert answer.status_code == 200
    return [user["id"] for user in answer.json()["results"]]


# ?email=


def test_search_email(sim, api, api_v1):
    user = sim.add_contact(email="jan@example.com")
    for caller in (api, api_v1):
        assert caller.get("users/search/", email="jan@example.com").json()["id"] == user["id"]


def test_search_email_gives_the_lowest_id_of_several(sim, api):
    users = [sim.add_contact(email="jan@example.com") for _ in range(3)]
    sim.page_view(users[0]["id"])
    assert api.get("users/search/", email="jan@example.com").json()["id"] == users[0]["id"]


def test_search_email_of_nobody_is_404(api):
    answer = api.get("users/search/", email="nobody@example.com")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_search_email_many_gives_an_array(sim, api):
    users = [sim.add_contact(email="jan@example.com") for _ in range(3)]
    answer = api.get("users/search/", email="jan@example.com", many="true")
    assert [user["id"] for user in answer.json()] == [user["id"] for user in users]


def test_search_email_many_of_nobody_is_a_switch(sim, api):
    query = {"email": "nobody@example.com", "many": "true"}
    answer = api.get("users/search/", **query)
    assert (answer.status_code, answer.json()) == (200, [])
    sim.switch(many_none="404")
    answer = api.get("users/search/", **query)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_search_email_and_case_is_a_switch(sim, api):
    user = sim.add_contact(email="Jan@Example.com")
    assert api.get("users/search/", email="jan@example.com").status_code == 404
    sim.switch(search_ignores_case=True)
    assert api.get("users/search/", email="jan@example.com").json()["id"] == user["id"]


def test_search_email_with_a_plus(sim, api):
    user = sim.add_contact(email="jan+x@example.com")
    assert api.get("users/search/", email="jan+x@example.com").json()["id"] == user["id"]
    assert api.get("users/search/?email=jan%2Bx%40example.com").json()["id"] == user["id"]
    assert api.get("users/search/?email=jan+x@example.com").status_code == 404


# ?key= and ?phone_number=


def test_search_key(sim, api, api_v1):
    sim.add_contact()
    user = sim.add_contact()
    assert api.get("users/search/", key=user["key"]).json()["user_key"] == user["key"]
    assert api_v1.get("users/search/", key=user["key"]).json()["key"] == user["key"]
    assert api.get("users/search/", key="nobody").status_code == 404


def test_search_phone_number_is_a_user_in_version_1(sim, api_v1):
    user = sim.add_contact(phone_number="+48600100200")
    assert api_v1.get("users/search/", phone_number="+48600100200").json()["id"] == user["id"]
    assert api_v1.get("users/search/", phone_number="+48000000000").status_code == 404


def test_search_phone_number_is_a_page_in_version_2(sim, api):
    users = [sim.add_contact(phone_number="+48600100200") for _ in range(2)]
    found = ids(api.get("users/search/", phone_number="+48600100200"))
    assert found == [user["id"] for user in users]
    assert ids(api.get("users/search/", phone_number="+48000000000")) == []


# ?search=updated_at&min=&max=


@pytest.fixture
def dated(sim):
    return sim.add_contact(
        email="jan@example.com", updated_at=MOMENT, last_seen=MOMENT, last_contacted=MOMENT
    )["id"]


@pytest.mark.parametrize("field", ["updated_at", "last_seen", "last_contacted"])
def test_search_by_time_has_inclusive_bounds(sim, api, dated, field):
    def found(**bounds):
        return ids(api.get("users/search/", search=field, **bounds))

    assert found(min=UNIX, max=UNIX) == [dated]
    assert found(min=UNIX - 10, max=UNIX - 1) == []
    assert found(min=UNIX + 1, max=UNIX + 10) == []
    assert found(max=UNIX) == [dated]
    sim.add_contact()
    assert dated in found(min=UNIX)


def test_search_by_first_seen(sim, api):
    user = sim.add_contact()
    now = int(time.time())
    assert ids(api.get("users/search/", search="first_seen", min=now - 60, max=now + 60)) == [
        user["id"]
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"search": "email", "min": 1, "max": 2},
        {"search": "updated_at", "min": "yesterday"},
        {"search": "updated_at", "max": "x"},
        {"min": 1},
        {},
    ],
)
def test_search_by_time_with_errors_is_400(api, query):
    answer = api.get("users/search/", **query)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_search_by_time_works_under_users_too(api, dated):
    assert ids(api.get("users/", search="updated_at", min=UNIX, max=UNIX)) == [dated]


# ?<name_std>__<lookup>=


@pytest.mark.parametrize(
    "query, matches",
    [
        ({"email__contains": "AN@"}, False),
        ({"email__icontains": "AN@"}, True),
        ({"email__startswith": "jan"}, True),
        ({"email__istartswith": "JAN"}, True),
        ({"email__endswith": ".com"}, True),
        ({"email__iendswith": ".COM"}, True),
        ({"level__gt": "5"}, False),
        ({"level__gte": "5"}, True),
        ({"level__lt": "10"}, True),
        ({"level__lte": "4"}, False),
        ({"is_pro__startswith": "True"}, True),
        ({"is_pro__startswith": "true"}, False),
        ({"updated_at__gte": "2020-01-01"}, True),
        ({"email__contains": "jan", "city__contains": "Sopot"}, False),
        ({"email__contains": "jan", "city__contains": "Gdynia"}, True),
    ],
)
def test_search_by_field_and_lookup(sim, api, query, matches):
    sim.add_contact()
    attributes = {"level": 5, "is_pro": True}
    user = sim.add_contact(email="jan@example.com", city="Gdynia", attributes=attributes)
    found = ids(api.get("users/search/", **query))
    assert (user["id"] in found) is matches


@pytest.mark.parametrize("query", [{"nothing__contains": "x"}, {"email__like": "x"}])
def test_search_by_an_unknown_field_or_lookup_is_400(api, query):
    assert api.get("users/search/", **query).status_code == 400
