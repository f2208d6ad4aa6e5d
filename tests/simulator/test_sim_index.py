"""A look-up by a value finds what going through everything would find, whatever was changed."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.state import Account, Changes

VALUES = st.sampled_from([None, "a", "A", "b", "ß", 5])
FIELDS = st.dictionaries(st.sampled_from(["custom_id", "email", "phone_number", "city"]), VALUES)
PLACE = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.just("create"), FIELDS, PLACE),
    st.tuples(st.just("update"), PLACE, FIELDS, PLACE),
    st.tuples(st.just("delete"), PLACE),
    st.tuples(st.just("merge"), PLACE, PLACE),
    st.tuples(st.just("key"), PLACE, VALUES),
    st.tuples(st.just("found"), VALUES),
    st.tuples(st.just("rename"), PLACE, VALUES),
    st.tuples(st.just("dissolve"), PLACE),
    st.tuples(st.just("member"), PLACE, PLACE, st.booleans()),
    st.tuples(st.just("restore")),
)


def nth(records, place):
    return records[sorted(records)[place % len(records)]] if records else None


def take(account, step):
    """Do one step; nothing, where there is nobody to do it to."""
    kind, *given_ = step
    users, companies = account.users, account.companies
    if kind == "create":
        company = nth(companies, given_[1])
        account.create_user(Changes(fields=given_[0], company=company and company.id), "api")
    elif kind == "update" and users:
        company = nth(companies, given_[2])
        changes = Changes(fields=given_[1], company=company and company.id)
        account.update_user(nth(users, given_[0]), changes, "api")
    elif kind == "delete" and users:
        account.delete_user(nth(users, given_[0]))
    elif kind == "merge" and nth(users, given_[0]) is not nth(users, given_[1]):
        account.merge(nth(users, given_[0]), [nth(users, given_[1])], "api")
    elif kind == "key" and users:
        account.overwrite(nth(users, given_[0]), {"key": given_[1]})
    elif kind == "found":
        account.create_company(Changes(fields={"custom_id": given_[0]}))
    elif kind == "rename" and companies:
        account.update_company(nth(companies, given_[0]), Changes(fields={"custom_id": given_[1]}))
    elif kind == "dissolve" and companies:
        account.delete_company(nth(companies, given_[0]))
    elif kind == "member" and users and companies:
        account.set_member(nth(companies, given_[0]), nth(users, given_[1]), given_[2])
    elif kind == "restore":
        data = account.dump()
        account.load(data)


@given(st.lists(STEP, max_size=15))
def test_an_index_finds_what_a_search_through_all_finds(steps):
    account = Account()
    for step in steps:
        take(account, step)
        users = [account.users[number] for number in sorted(account.users)]
        assert account.sorted_users() == users
        for text in ("a", "A", "b", "ß", "c"):
            by = {
                name: [user for user in users if user.fields[name] == text]
                for name in ("custom_id", "email", "phone_number")
            }
            assert account.user_by_custom_id(text) == next(iter(by["custom_id"]), None)
            assert account.users_by_email(text, ignore_case=False) == by["email"]
            assert account.users_by_email(text, ignore_case=True) == [
                user for user in users if str(user.fields["email"]).lower() == text.lower()
            ]
            assert account.users_by_phone(text) == by["phone_number"]
            assert account.user_by_key(text) == next((u for u in users if u.key == text), None)
            named = [c for c in account.companies.values() if c.fields["custom_id"] == text]
            assert account.company_by_custom_id(text) == next(iter(named), None)
        for company in account.companies.values():
            members = [user.id for user in users if company.id in user.companies]
            assert account.employees(company) == members


def test_a_list_of_changes_knows_what_has_changed_since_it_was_read(sim, api):
    old, new = (sim.add_contact(updated_at=f"20{year}-01-01T00:00:00.000000Z") for year in (20, 22))
    path = "users/search/?search=updated_at&min=1640995200"

    def found():
        return [user["id"] for user in api.get(path).json()["results"]]

    assert found() == [new["id"]]
    sim.page_view(old["id"])
    assert found() == [old["id"], new["id"]]
    sim.delete_contact(new["id"])
    assert found() == [old["id"]]
    sim.edit_contact(old["id"], updated_at="2021-01-01T00:00:00+00:00")
    assert found() == []


def test_a_span_without_an_end_has_everything(sim, api):
    number = sim.add_contact()["id"]
    for bounds in ("", "&min=-1e300", "&max=1e300", "&min=-99999999999", "&min=0&max=99999999999"):
        page = api.get(f"users/search/?search=updated_at{bounds}").json()
        assert [user["id"] for user in page["results"]] == [number], bounds
