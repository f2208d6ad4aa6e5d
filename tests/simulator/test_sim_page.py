"""The page: the list, the form of a contact, adding and deleting."""

import html
import re

import pytest
import requests


@pytest.fixture
def user(sim):
    return sim.add_contact(
        email="jan@example.com",
        first_name="Jan",
        last_name="Testowy",
        phone_number="+48600100200",
        city="Gdynia",
        country="Poland",
        custom_id="c-1",
        attributes={"email_consent": True, "level": 3, "pet": "dog"},
    )


@pytest.fixture
def browse(sim):
    """Read a page, or send its form with some fields changed, as a browser would."""

    def browse(path, change=None, send_to=None):
        answer = requests.get(sim.url + path, timeout=5)
        if change is None:
            return answer
        form = fields(answer.text)
        form.update(change)
        return requests.post(
            sim.url + (send_to or path), data=form, timeout=5, allow_redirects=False
        )

    return browse


def fields(text):
    """The names and values of all inputs and lists of a page."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        found[html.unescape(name[1])] = html.unescape(value[1])
    for name, options in re.findall(r'<select[^>]*name="([^"]*)">(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(
            r'="([^"]*)"', options
        )
        found[name] = html.unescape(chosen[1])
    return found


def test_the_list_shows_contacts(sim, user, browse):
    answer = browse("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    for word in (
        str(user["id"]), "Jan Testowy", "jan@example.com", "+48600100200", "Gdynia", "Poland",
        "c-1", "email_consent", user["updated_at"],
    ):  # fmt: skip
        assert word in answer.text


def test_an_empty_account(browse):
    assert "There are no contacts yet." in browse("/").text


def test_search(sim, user, browse):
    sim.add_contact(email="ola@example.com")
    for words in ("JAN", "gdynia", "600100", "c-1", str(user["id"]), "jan testowy"):
        text = browse(f"/?q={words}").text
        assert "jan@example.com" in text
        assert "ola@example.com" not in text
    assert "No contact matches" in browse("/?q=nobody").text


def test_everything_is_escaped(sim, api, browse):
    sting = "<script>alert('x')</script>\"&"
    user = sim.add_contact(
        email="a@b", first_name=sting, city=sting, custom_id=sting,
        attributes={"email_consent": True, "pet": sting}, raw=True,
    )  # fmt: skip
    sim.add_attribute("<b>consent</b>", "boolean")
    api.get(f"users/<script>/?{sting}")
    for path in ("/", f"/?q={sting}", f"/contacts/{user['id']}", "/page/live"):
        text = browse(path).text
        assert "<script>alert" not in text
        assert "<b>" not in text.replace("<b>GET</b>", "")


def test_no_external_assets(user, browse):
    for path in ("/", f"/contacts/{user['id']}", "/page/static/style.css", "/page/static/live.js"):
        answer = browse(path)
        assert answer.status_code == 200
        assert "//" not in re.sub(r"^\s*//.*$", "", answer.text, flags=re.M)
    assert browse("/").headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_calls_and_deliveries_are_shown(sim, api, receiver, user, browse):
    sim.set_webhook(receiver.url)
    sim.edit_contact(user["id"], city="Sopot")
    sim.wait_webhooks()
    sim.fault(500)
    api.get("users/search/", email="jan@example.com")
    text = browse("/").text
    assert "/users/search/?email=jan" in text
    assert "fault 500" in text
    assert "attribute change" in text
    assert "sent 200" in text


def test_the_form_shows_every_field(sim, user, browse):
    form = fields(browse(f"/contacts/{user['id']}").text)
    assert form["first_name"] == "Jan"
    assert form["custom.email_consent"] == "true"
    assert (form["custom.level"], form["custom.pet"]) == ("3", "dog")


def test_edit_by_form(sim, api, receiver, user, browse):
    sim.set_webhook(receiver.url)
    change = {"city": "Sopot", "custom.email_consent": "false", "custom.level": "4"}
    answer = browse(f"/contacts/{user['id']}", change)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    after = sim.contact(user["id"])
    assert after["city"] == "Sopot"
    assert after["attributes"] == {"email_consent": False, "level": 4, "pet": "dog"}
    assert after["email"] == "jan@example.com"
    assert len(sim.wait_webhooks()) == 1


@pytest.mark.parametrize("word, value", [("", None), ("true", True), ("false", False)])
def test_booleans_are_yes_no_or_not_set(sim, browse, word, value):
    user = sim.add_contact(attributes={"email_consent": None, "a": True, "other": "x"})
    sim.add_attribute("Sms consent", "boolean")
    browse(f"/contacts/{user['id']}", {"custom.a": word, "custom.sms_consent": word})
    attributes = sim.contact(user["id"])["attributes"]
    assert (attributes["a"], attributes["sms_consent"]) == (value, value)


def test_the_form_sends_only_what_was_changed(sim, user, browse):
    """What the API changed while the form was open stays."""
    form = fields(browse(f"/contacts/{user['id']}").text)
    sim.edit_contact(user["id"], country="Malta", attributes={"pet": "cat"})
    form["city"] = "Sopot"
    requests.post(f"{sim.url}/contacts/{user['id']}", data=form)
    after = sim.contact(user["id"])
    assert (after["city"], after["country"], after["attributes"]["pet"]) == (
        "Sopot",
        "Malta",
        "cat",
    )


def test_a_form_without_a_change_changes_nothing(sim, user, browse):
    assert browse(f"/contacts/{user['id']}", {}).status_code == 303
    assert sim.contact(user["id"]) == user


def test_a_refused_form_shows_why_and_keeps_what_was_typed(sim, user, browse):
    answer = browse(
        f"/contacts/{user['id']}", {"email": "nope", "custom.level": "x", "city": "Hel"}
    )
    assert answer.status_code == 400
    assert "Enter a valid email address." in answer.text
    assert "A valid integer is required." in answer.text
    form = fields(answer.text)
    assert (form["email"], form["city"]) == ("nope", "Hel")
    assert form["was.email"] == "jan@example.com"
    assert sim.contact(user["id"]) == user


def test_choices_and_json(sim, browse):
    sim.add_attribute("Thing", "fixed", choices=["a", "b"])
    sim.add_attribute("More", "json")
    sim.add_attribute("Several", "fixed", choices=["a", "b"], allow_multiple_choices=True)
    user = sim.add_contact()
    change = {"custom.thing": "b", "custom.more": '{"k": 1}', "custom.several": '["a", "b"]'}
    browse(f"/contacts/{user['id']}", change)
    attributes = sim.contact(user["id"])["attributes"]
    assert attributes == {"thing": "b", "more": {"k": 1}, "several": ["a", "b"]}
    assert browse(f"/contacts/{user['id']}", {"custom.more": "{"}).status_code == 400


def test_add_by_form(sim, receiver, browse):
    sim.set_webhook(receiver.url)
    sim.add_attribute("Email consent", "boolean")
    change = {"first_name": "Ola", "email": "ola@example.com", "custom.email_consent": "true"}
    assert browse("/contacts/new", change).status_code == 303
    (user,) = sim.contacts()
    assert (user["name"], user["status"]) == ("Ola", "user")
    assert user["attributes"] == {"email_consent": True}
    assert [item["event"] for item in sim.wait_webhooks()] == ["new_user"]
    assert browse("/contacts/new", {"email": "nope"}).status_code == 400
    assert len(sim.contacts()) == 1


def test_delete_and_page_view_by_form(sim, user, browse):
    path = f"/contacts/{user['id']}"
    assert browse(path, {}, f"{path}/page_view").status_code == 303
    assert sim.contact(user["id"])["page_views"] == 1
    assert browse(path, {}, f"{path}/delete").status_code == 303
    assert sim.contacts() == []
    assert browse(path).status_code == 404


def test_the_revision_moves_with_every_change(sim, api, user, browse):
    def revision():
        return browse("/page/revision").json()["revision"]

    seen = [revision()]
    assert revision() == seen[0]
    for act in (
        lambda: sim.edit_contact(user["id"], city="x"),
        lambda: api.get("users/"),
        lambda: sim.page_view(user["id"]),
        lambda: sim.add_attribute("Sms consent", "boolean"),
    ):
        act()
        seen.append(revision())
    assert len(set(seen)) == len(seen)


def test_other_pages_cannot_send_the_form(sim, user):
    headers = {"Origin": "https://evil.example"}
    answer = requests.post(f"{sim.url}/contacts/{user['id']}/delete", headers=headers)
    assert answer.status_code == 403
    assert sim.contacts() == [user]
