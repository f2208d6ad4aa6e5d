"""Contract 7.5: pages."""

import pytest


@pytest.fixture
def ids(sim):
    sim.switch(page_size=2)
    return [sim.add_contact(email=f"u{n}@example.com", city="x")["id"] for n in range(5)]


def walk(api, path):
    """The ids of each page, followed by ``next`` as it is given."""
    pages, url = [], path
    while url:
        page = api.get(url).json()
        pages.append([user["id"] for user in page["results"]])
        assert page["count"] == 5
        url = page["next"]
    return pages


@pytest.mark.parametrize("version, name", [(2, "cursor"), (1, "page")])
def test_next_leads_through_all_pages(sim, caller, ids, version, name):
    api = caller(version)
    first = api.get("users/").json()
    assert first["next"].startswith(f"{sim.api_url}users/?{name}=")
    assert walk(api, "users/") == [ids[0:2], ids[2:4], ids[4:5]]


@pytest.mark.parametrize("version", [1, 2])
def test_previous_leads_back(caller, ids, version):
    api = caller(version)
    second = api.get(api.get("users/").json()["next"]).json()
    third = api.get(second["next"]).json()
    assert third["next"] is None
    assert api.get(third["previous"]).json()["results"] == second["results"]
    first = api.get(second["previous"]).json()
    assert [user["id"] for user in first["results"]] == ids[0:2]
    assert first["previous"] is None


@pytest.mark.parametrize("version", [1, 2])
def test_next_keeps_the_query(caller, ids, version):
    assert walk(caller(version), "users/search/?city__contains=x") == [
        ids[0:2],
        ids[2:4],
        ids[4:5],
    ]


def test_the_page_size_is_100_at_first(sim, api):
    assert sim.switches()["page_size"] == 100


def test_a_cursor_skips_nothing_when_a_user_goes(sim, api, ids):
    page = api.get("users/").json()
    sim.delete_contact(ids[0])
    assert [user["id"] for user in api.get(page["next"]).json()["results"]] == ids[2:4]


@pytest.mark.parametrize("version", [1, 2])
def test_switch_last_next_404(sim, caller, ids, version):
    sim.switch(last_next_404=True)
    api, url = caller(version), "users/"
    for _ in range(3):
        url = api.get(url).json()["next"]
        assert url
    answer = api.get(url)
    assert answer.status_code == 404
    assert "detail" in answer.json()


@pytest.mark.parametrize("version, query", [(1, "page=99"), (1, "page=x"), (2, "cursor=x")])
def test_a_page_that_is_not_there_is_404(caller, ids, version, query):
    assert caller(version).get(f"users/?{query}").status_code == 404


def test_attributes_and_companies_are_paged(sim, api):
    sim.switch(page_size=1)
    for name in ("One", "Two"):
        sim.add_attribute(name)
        api.post("companies/", {"name": name})
    for path in ("attributes/", "companies/"):
        page = api.get(path).json()
        assert (page["count"], page["results"][0]["name"]) == (2, "One")
        assert api.get(page["next"]).json()["results"][0]["name"] == "Two"


def test_no_users_are_one_empty_page(api, api_v1):
    empty = {"count": 0, "next": None, "previous": None, "results": []}
    assert api.get("users/").json() == empty
    assert api_v1.get("users/").json() == empty
