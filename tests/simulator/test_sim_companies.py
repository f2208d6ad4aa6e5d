"""Contract 7.3, the row of companies, as section 1.5 has them."""

import pytest

KEYS = {
    "id", "custom_id", "name", "email", "description", "address", "city", "region", "country",
    "postal_code", "phone_numbers", "category", "size", "founded", "employees", "tags",
    "created_at", "updated_at",
}  # fmt: skip


@pytest.fixture
def company(api):
    return api.post("companies/", {"name": "Firma", "custom_id": "g-1", "city": "Gdynia"}).json()


trees = pytest.mark.parametrize("tree", ["companies/{id}/", "companies-by-id/{custom_id}/"])


def test_post_companies(api, api_v1):
    answer = api.post("companies/", {"name": "Firma", "phone_numbers": ["+48600100200"]})
    assert answer.status_code == 201
    assert set(answer.json()) == KEYS
    shape = api_v1.post("companies/", {"name": "Second", "company_id": "g-2"}).json()
    assert set(shape) == (KEYS - {"custom_id"}) | {"company_id", "attributes"}
    assert shape["company_id"] == "g-2"


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "Firma", "custom_id": "g-1"}, "custom_id"),
        ({"name": "Firma", "email": "nope"}, "email"),
        ({"name": "Firma", "phone_numbers": "one"}, "phone_numbers"),
    ],
)
def test_post_companies_with_errors_is_400(api, company, body, field):
    answer = api.post("companies/", body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_get_companies(api, company):
    page = api.get("companies/").json()
    assert page == {"count": 1, "next": None, "previous": None, "results": [company]}


@trees
def test_get_put_delete_company(sim, api, company, tree):
    path = tree.format(**company)
    assert api.get(path).json() == company
    answer = api.put(path, {"country": "Poland"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["country"]) == ("Firma", "Poland")
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert sim.companies() == []


@trees
def test_add_and_remove_member(sim, api, company, tree):
    path = tree.format(**company)
    user = sim.add_contact(custom_id="c-1")
    assert api.post(f"{path}add_member/", {"user_id": user["id"]}).status_code == 200
    assert api.get(path).json()["employees"] == [user["id"]]
    assert api.user(user["id"])["company_id"] == company["id"]
    assert api.post(f"{path}remove_member/", {"user_custom_id": "c-1"}).status_code == 200
    assert api.get(path).json()["employees"] == []
    assert api.user(user["id"])["companies"] == []


@trees
def test_members_with_errors(api, company, tree):
    path = tree.format(**company)
    assert api.post(f"{path}add_member/", {}).status_code == 400
    assert api.post(f"{path}add_member/", {"user_id": "x"}).status_code == 400
    assert api.post(f"{path}add_member/", {"user_id": 999999}).status_code == 404
    assert api.post(f"{path}remove_member/", {"user_custom_id": "nobody"}).status_code == 404


@trees
def test_company_attributes(sim, api, company, tree):
    sim.add_attribute("Branch", "string", content_type="company")
    path = tree.format(**company)
    answer = api.post(f"{path}set_attribute/", {"attribute": "branch", "value": "IT"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(path).json()["branch"] == "IT"
    answer = api.post(f"{path}set_multiple_attributes/", {"branch": "Law"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert sim.companies()[0]["attributes"] == {"branch": "Law"}


def test_a_contacts_attribute_is_none_of_a_company(sim, api, company):
    sim.add_attribute("Pet")
    assert api.put(f"companies/{company['id']}/", {"pet": "dog"}).status_code == 400


@pytest.mark.parametrize(
    "method, call",
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "add_member/"),
        ("POST", "remove_member/"),
        ("POST", "set_attribute/"),
    ],
)
def test_unknown_company_is_404(api, method, call):
    for path in ("companies/999999/", "companies-by-id/nobody/"):
        assert api(method, path + call).json() == {"detail": "Not found."}


def test_deleting_a_company_frees_its_members(sim, api, company):
    user = sim.add_contact()
    api.post(f"companies/{company['id']}/add_member/", {"user_id": user["id"]})
    api.delete(f"companies/{company['id']}/")
    assert api.user(user["id"])["companies"] == []
