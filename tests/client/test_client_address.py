"""What an administrator pastes, and what comes of it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.client import base_url, overridden, subdomain_of


@pytest.mark.parametrize(
    "text",
    [
        "acme",
        " ACME ",
        "acme.user.com",
        "Acme.User.Com",
        "https://acme.user.com",
        "http://acme.user.com/",
        "https://acme.user.com/api/public/",
        "\thttps://acme.user.com/settings/?tab=1&next=//evil.com#top\n",
        "https://acme.user.com?x=1",
        "https://acme.user.com#@evil.com",
    ],
)
def test_a_pasted_address_is_reduced_to_its_subdomain(text):
    assert subdomain_of(text) == "acme"


@pytest.mark.parametrize("label", ["a", "7", "my-shop-2", "a" * 63, "user"])
def test_a_plain_label_is_taken(label):
    assert subdomain_of(label) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "user.com",
        "https://user.com/",
        ".user.com",
        "evil.com",
        "acme.evil.com",
        "https://evil.com/acme.user.com",
        "https://evil.com#acme.user.com",
        "acme.user.com.evil.com",
        "acme.user.com.",
        "acme.user.comx",
        "acme.xuser.com",
        "a.b.user.com",
        "acme.user.com:8443",
        "https://acme.user.com:443/",
        "https://me@acme.user.com/",
        "https://acme.user.com@evil.com/",
        "https://evil.com\\@acme.user.com/",
        "//acme.user.com",
        "ftp://acme.user.com",
        "javascript:acme.user.com",
        "https://acme",
        "acme/",
        "127.0.0.1",
        "[::1]",
        "localhost:8069",
        "-acme",
        "acme-",
        "ac_me",
        "ac me",
        "acme\nevil",
        "acme\0",
        "a" * 64,
        "\u0430cme",
        "acme.u\u017fer.com",
        "\u212aacme",
        "\uff41cme",
        "acme\u3002user\u3002com",
        "ácme",
        "www.user.com",
        "https://docs.user.com/attributes",
    ],
)
def test_anything_else_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"^[A-Za-z].*\.$") as caught:
        subdomain_of(text)
    assert type(caught.value) is ValueError


def test_the_refusal_does_not_repeat_a_key_pasted_by_mistake(key):
    with pytest.raises(ValueError) as caught:
        subdomain_of(key)
    assert key not in str(caught.value)


@given(st.text() | st.from_regex(r"(https?://)?[\w.@:-]{0,70}(\.user\.com)?[/?#]?.{0,9}"))
@example("acme.user.com/\ud800")
def test_whatever_is_pasted_ends_as_a_plain_label_or_a_sentence(text):
    try:
        label = subdomain_of(text)
    except ValueError as error:
        assert type(error) is ValueError
    else:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label, re.ASCII)
        assert label in text.lower()
        assert subdomain_of(label) == label
        assert base_url(label, {}) == f"https://{label}.user.com"


def test_the_address_is_that_of_user_com():
    assert base_url("acme", {}) == "https://acme.user.com"
    assert base_url("acme", {"USERCOM_BASE_URL": ""}) == "https://acme.user.com"


def test_a_subdomain_that_got_into_the_database_somehow_is_not_called():
    with pytest.raises(ValueError, match="subdomain"):
        base_url("evil.com/x", {})


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        (" https://Stand-In.example/ ", "https://stand-in.example"),
        ("http://[::1]:81", "http://[::1]:81"),
    ],
)
def test_the_environment_can_name_another_address(value, address):
    environ = {"USERCOM_BASE_URL": value}
    assert overridden(environ) == address
    assert base_url("acme", environ) == address


@pytest.mark.parametrize(
    "value",
    [
        "localhost:8080",
        "ftp://localhost",
        "http://",
        "http://me:secret@localhost",
        "http://localhost/api",
        "http://localhost/?",
        "http://localhost?x",
        "http://localhost#x",
        "http://localhost:99999",
        "http://localhost:x",
        "http://[::1",
        "http://local\nhost",
        "http://a b",
        "http://good\\evil",
    ],
)
def test_an_environment_that_makes_no_sense_is_refused_instead_of_ignored(value):
    with pytest.raises(ValueError, match=r"USERCOM_BASE_URL .*\.$") as caught:
        base_url("acme", {"USERCOM_BASE_URL": value})
    assert "secret" not in str(caught.value)


def test_no_environment_names_no_address():
    assert overridden({}) is None
