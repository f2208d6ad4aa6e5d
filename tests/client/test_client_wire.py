"""What goes over the wire, and what comes of everything that may come back."""

import datetime
import gzip
import http.client
import ipaddress
import json
import os
import socket
import ssl
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odoo.addons.usercom_connector.client import (
    CODES,
    AccountRefused,
    AgainLater,
    Contact,
    Gone,
    RecordRefused,
    Throttled,
    Upsert,
    UserCom,
    UserComError,
)
from odoo.addons.usercom_connector.client.transport import LARGEST_ANSWER, Answer

EMAIL = "jan+1@example.com"
HTML = b"<html><h1>jan@example.com is not here</h1></html>"
OK = {"id": 5, "email": EMAIL}
NOT_FOUND = {"detail": "Not found."}


def failure(call, *args):
    """Call; give the error, after a look at what its traceback would print."""
    with pytest.raises(UserComError) as caught:
        call(*args)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "example.com" not in "".join(traceback.format_exception_only(type(error), error))
    return error


# What is sent


def test_the_headers_are_those_of_version_2(wire, api, key):
    wire.say(200, OK)
    api.contact(5)
    assert (wire.last.method, wire.last.target) == ("GET", "/api/public/users/5/")
    assert wire.last.headers["Authorization"] == f"Token {key}"
    assert wire.last.headers["Accept"] == "*/*; version=2"
    assert "usercom_connector" in wire.last.headers["User-Agent"]
    assert "Cookie" not in wire.last.headers


def test_a_body_is_json_in_utf_8(wire, api):
    wire.say(200, OK)
    api.update_contact(5, {"city": "Łódź", "odd": "\ud800"})
    assert wire.last.method == "PUT"
    assert wire.last.headers["Content-Type"] == "application/json"
    assert wire.last.body.decode() == '{"city": "Łódź", "odd": "?"}'


@pytest.mark.parametrize(
    ("call", "method", "target"),
    [
        (lambda api: api.contact("5"), "GET", "/users/5/"),
        (lambda api: api.contact_by_custom_id("a/@?#%"), "GET", "/users-by-id/a%2F%40%3F%23%25/"),
        (lambda api: api.contact_by_custom_id("ü"), "GET", "/users-by-id/%C3%BC/"),
        (lambda api: api.contact_by_custom_id("..."), "GET", "/users-by-id/.../"),
        (
            lambda api: api.contacts_by_email(EMAIL),
            "GET",
            "/users/search/?email=jan%2B1%40example.com&many=true",
        ),
        (lambda api: api.contacts_by_phone("+48 1"), "GET", "/users/search/?phone_number=%2B48+1"),
        (lambda api: api.contact_by_key("abc&many=1"), "GET", "/users/search/?key=abc%26many%3D1"),
        (lambda api: api.upsert_contact("x", {}), "POST", "/users/update_or_create/"),
        (lambda api: api.set_attributes(5, {}), "POST", "/users/5/set_multiple_attributes/"),
        (lambda api: api.delete_contact(5), "DELETE", "/users/5/"),
        (lambda api: api.mass_update([5], "x", 1, standard=False), "PUT",
         "/users/mass_update_custom_attributes/"),
        (lambda api: api.mass_update([5], "city", "X", standard=True), "PUT",
         "/users/mass_update_standard_attributes/"),
        (lambda api: api.merge_contacts(5, [6]), "POST", "/users/merge/"),
        (lambda api: api.company(5), "GET", "/companies/5/"),
        (lambda api: api.company_by_custom_id("a/@"), "GET", "/companies-by-id/a%2F%40/"),
        (lambda api: api.create_company({}), "POST", "/companies/"),
        (lambda api: api.update_company("5", {}), "PUT", "/companies/5/"),
        (lambda api: api.put_company("a/@", {}), "PUT", "/companies-by-id/a%2F%40/"),
        (lambda api: api.add_member(5, "6"), "POST", "/companies/5/add_member/"),
        (lambda api: api.remove_member("5", 6), "POST", "/companies/5/remove_member/"),
        (lambda api: list(api.pages("users", {"page": "2"})), "GET", "/users/?page=2"),
    ],
)  # fmt: skip
def test_every_path_is_quoted_and_ends_with_a_slash(wire, api, call, method, target):
    wire.say(200, [OK] if "pages" in call.__code__.co_names else OK)
    call(api)
    assert (wire.last.method, wire.last.target) == (method, "/api/public" + target)


@pytest.mark.parametrize("custom_id", ["", ".", ".."])
def test_an_id_that_no_path_can_hold_is_not_sent(wire, api, custom_id):
    for call, *values in (
        (api.contact_by_custom_id,),
        (api.company_by_custom_id,),
        (api.put_company, {"name": "X"}),
    ):
        assert type(failure(call, custom_id, *values)) is RecordRefused
    assert not wire.requests


@pytest.mark.parametrize("number", ["", "5/../6", "x", -1, "5 ", "٣", "9" * 30])
def test_a_number_that_is_none_is_not_sent(wire, api, number):
    for call, *values in (
        (api.contact, number),
        (api.company, number),
        (api.update_company, number, {}),
        (api.add_member, number, 5),
        (api.add_member, 5, number),
        (api.remove_member, 5, number),
        (api.merge_contacts, number, [5]),
        (api.merge_contacts, 5, [number]),
    ):
        assert type(failure(call, *values)) is RecordRefused
    with pytest.raises(RecordRefused):
        api.mass_update([5, number], "city", "X", standard=True)
    assert not wire.requests


def test_a_blank_is_not_searched_for(wire, api):
    assert api.contacts_by_email(" ") == api.contacts_by_phone("") == []
    assert api.contact_by_key("") is None
    assert not wire.requests


@pytest.mark.parametrize("value", [float("nan"), datetime.date(2024, 5, 1), EMAIL.encode()])
def test_a_value_that_json_cannot_hold_is_the_record_s_fault(wire, api, value):
    error = failure(api.update_contact, 5, {"city": value})
    assert type(error) is RecordRefused
    assert not wire.requests


@pytest.mark.parametrize("bad", ["", None, False, "two words", "line\nbreak", "schlüssel"])
def test_an_impossible_key_is_refused_and_not_sent(wire, bad):
    with UserCom(wire.url, bad) as api:
        error = failure(api.contact, 5)
        assert api.probe().code == "unauthorised"
    assert (type(error), error.kind) == (AccountRefused, "unauthorised")
    assert not bad or bad not in str(error)
    assert not wire.requests


def test_the_client_prints_without_the_key(api, wire, key):
    assert repr(api) == f"<UserCom {wire.url}>"


def test_connections_are_kept_and_cookies_are_not(wire, api):
    for _ in range(3):
        wire.say(200, OK, "Set-Cookie: session=1; Path=/")
        api.contact(5)
    assert wire.connections == 1
    assert all("Cookie" not in request.headers for request in wire.requests)


def test_a_netrc_does_not_replace_the_key(wire, api, key, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    wire.say(200, OK)
    api.contact(5)
    assert wire.last.headers["Authorization"] == f"Token {key}"


def test_several_threads_share_one_client(wire, key):
    with UserCom(wire.url, key) as api, ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            wire.say(200, OK)
        found = list(pool.map(lambda _: api.contact(5).id, range(200)))
    assert found == [5] * 200
    assert wire.connections <= 8


def test_the_server_s_proxy_is_used_but_not_to_reach_itself(wire, key, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    wire.say(200, OK)
    with UserCom(wire.url, key) as api:
        assert api.contact(5).id == 5
    monkeypatch.setenv("http_proxy", wire.url)
    wire.say(200, OK)
    with UserCom("http://acme.example", key) as api:
        assert api.contact(5).id == 5
    assert wire.last.target == "http://acme.example/api/public/users/5/"
    wire.trickle(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
    with UserCom("http://acme.example", key, timeout=(0.3, 0.3)) as api:
        assert failure(api.contact, 5).kind == "timeout"


def test_the_headers_are_not_printed_when_somebody_debugs_http(wire, api, monkeypatch, capsys, key):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    wire.say(200, OK)
    api.contact(5)
    assert key not in capsys.readouterr().out


# What comes back


@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_is_a_contact(wire, api, status):
    wire.say(status, OK)
    assert isinstance(api.update_contact(5, {"city": "X"}), Contact)


def test_a_packed_answer_is_unpacked(wire, api):
    wire.say(200, gzip.compress(b'{"id": 5}'), "Content-Encoding: gzip")
    assert api.contact(5).id == 5


def test_an_answer_in_pieces_is_put_together(wire, api):
    wire.say_raw(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"id\r\n5\r\n": 5}\r\n0\r\n\r\n'
    )
    assert api.contact(5).id == 5


def test_a_text_is_one_that_a_database_can_store(wire, api):
    wire.say(
        200, rb'{"id": 5, "name": "J\u0000a\ud83d\ude00n\ud800 \\u0000", "x": [{"y": "\u0000"}]}'
    )
    contact = api.contact(5)
    assert contact.name == "Ja😀n? \\u0000"
    assert contact.get("x") == [{"y": ""}]


def test_an_upsert_gives_the_number(wire, api):
    wire.say(200, {"created": True, "id": 5577})
    assert api.upsert_contact("odoo-1", {"city": "X"}) == Upsert(5577, True)
    assert wire.last.json == {"city": "X", "custom_id": "odoo-1"}
    wire.say(200, {"created": False, "id": 5577})
    assert api.upsert_contact("odoo-1", {"custom_id": "other"}) == Upsert(5577, False)
    assert wire.last.json == {"custom_id": "odoo-1"}


def test_an_empty_200_is_right_where_nothing_is_to_be_read(wire, api):
    wire.say(200)
    assert api.set_attributes(5, {"vip": True}) is None
    wire.say(204)
    assert api.delete_contact(5) is True


def test_an_empty_200_on_a_write_is_followed_by_a_read(wire, api):
    wire.say(200)
    wire.say(200, OK)
    assert api.update_contact(5, {"city": "X"}).id == 5
    assert [request.method for request in wire.requests] == ["PUT", "GET"]


@pytest.mark.parametrize(
    "body",
    [b"", b"  \n", HTML, b"null", b"5", b'"x"', b"[]", b"{}", b'{"id": "5"}', b'{"id": 5',
     b'{"id": 5} x', b'{"id": 5, "x": NaN}', b'{"id": 5, "x": -Infinity}', b"\xff\xfe{", b"\x80",
     b"[" * 100_000, b'{"id": 5, "x": "\\u00e9"' + b"[" * 900,
     b'{"id": ' + b"9" * 5000 + b"x}"],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_a_200_that_is_no_contact_is_to_be_repeated(wire, api, body):
    for call in (lambda: api.contact(5), lambda: api.upsert_contact("x", {})):
        wire.say(200, body)
        error = failure(call)
        assert type(error) is AgainLater
        assert (error.kind, error.retry_after) == ("not_json", None)


def test_html_is_no_empty_answer(wire, api):
    wire.say(200, HTML)
    assert failure(api.set_attributes, 5, {}).kind == "not_json"


@pytest.mark.parametrize(
    ("status", "body", "error", "kind"),
    [
        (400, {"errors": {"city": ["Too long."]}}, RecordRefused, "refused"),
        (401, {"detail": "Invalid token."}, AccountRefused, "unauthorised"),
        (403, {"detail": "No."}, AccountRefused, "forbidden"),
        (403, HTML, AgainLater, "not_json"),
        (404, NOT_FOUND, Gone, "not_found"),
        (404, HTML, AgainLater, "not_found"),
        (404, b"", AgainLater, "not_found"),
        (429, HTML, Throttled, "throttled"),
        (500, HTML, AgainLater, "server"),
        (502, HTML, AgainLater, "server"),
        (504, b"", AgainLater, "server"),
    ],
)
def test_each_refusal_has_its_error(wire, api, status, body, error, kind):
    for call in (lambda: api.contact(5), lambda: api.update_contact(5, {"city": "X"})):
        wire.say(status, body)
        found = failure(call)
        assert (type(found), found.kind, found.status) == (error, kind, status)


def test_a_contact_that_is_gone_need_not_be_deleted_and_is_not_found(wire, api):
    wire.say(404, NOT_FOUND)
    assert api.delete_contact(5) is False
    wire.say(404, NOT_FOUND)
    assert api.contacts_by_email(EMAIL) == []
    wire.say(404, NOT_FOUND)
    assert api.contact_by_key("abc") is None


def test_a_missing_api_is_not_a_missing_contact(wire, api):
    for call in (
        lambda: api.delete_contact(5),
        lambda: api.contacts_by_email(EMAIL),
        lambda: api.contact_by_key("abc"),
        lambda: api.set_attributes(5, {}),
    ):
        wire.say(404, HTML)
        assert type(failure(call)) is AgainLater


def test_an_upsert_answered_with_not_found_does_not_call_the_contact_gone(wire, api):
    wire.say(404, NOT_FOUND)
    assert type(failure(api.upsert_contact, "x", {})) is AgainLater


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After: 30", 30.0), ("Retry-After: soon", None), ("X: y", None),
     ("Retry-After: Fri, 01 Jan 2100 00:00:00 GMT", 3600.0)],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_is_handed_on(wire, api, status, header, seconds):
    wire.say(status, HTML, header)
    error = failure(api.contact, 5)
    assert isinstance(error, AgainLater)
    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(wire, api, status):
    wire.say(status, b"", f"Location: {wire.url}/elsewhere/")
    error = failure(api.contact, 5)
    assert error.kind == "redirect"
    assert isinstance(error, AccountRefused) == (status in (301, 308))
    wire.say(status, b"", "Location: http://[bad")
    assert failure(api.contact, 5).kind == "redirect"
    assert len(wire.requests) == 2


def test_searches_are_read_in_every_shape(wire, api):
    page = {"count": 1, "next": None, "previous": None, "results": [OK]}
    for body in ([OK], OK, page):
        wire.say(200, body)
        assert [c.id for c in api.contacts_by_email(f" {EMAIL} ")] == [5]
        wire.say(200, body)
        assert [c.id for c in api.contacts_by_phone("+48123")] == [5]
    wire.say(200, [])
    assert api.contacts_by_email(EMAIL) == []


def test_a_browser_s_key_finds_its_contact_and_no_other(wire, api):
    for name in ("key", "user_key"):
        wire.say(200, {"id": 5, name: "abc"})
        assert api.contact_by_key("abc").id == 5
        wire.say(200, {"id": 5, name: "other"})
        assert api.contact_by_key("abc") is None


def test_no_contact_is_written_without_an_id(wire, api):
    error = failure(api.upsert_contact, "", {"city": "X"})
    assert (type(error), error.status, list(error.fields)) == (RecordRefused, None, ["custom_id"])
    assert not wire.requests


def test_an_e_mail_with_capitals_is_looked_for_in_both_spellings(wire, api):
    wire.say(200, [{"id": 7, "email": EMAIL.upper()}])
    wire.say(200, [OK, {"id": 7, "email": EMAIL.upper()}])
    assert [c.id for c in api.contacts_by_email(EMAIL.upper())] == [7, 5]


def test_a_search_that_ignores_the_e_mail_finds_nobody(wire, api):
    wire.say(200, [{"id": 1, "email": "other@example.com"}, {"id": 2}, OK])
    assert [c.id for c in api.contacts_by_email(EMAIL)] == [5]


# Lists


def page(*numbers, following=None):
    return {"count": 9, "next": following, "results": [{"id": number} for number in numbers]}


def test_a_list_is_followed_to_its_end(wire, api):
    base = f"{wire.url}/api/public/users/"
    wire.say(200, page(1, 2, following=f"{base}?cursor=2"))
    wire.say(200, page(following=f"{base}?cursor=3&x=%20"))
    wire.say(200, page(3))
    assert [c.id for c in api.contacts({"with_email": "1"})] == [1, 2, 3]
    assert [request.target for request in wire.requests] == [
        "/api/public/users/?with_email=1",
        "/api/public/users/?cursor=2",
        "/api/public/users/?cursor=3&x=%20",
    ]


@pytest.mark.parametrize("body", [NOT_FOUND, HTML])
def test_a_404_on_next_is_the_end(wire, api, body):
    wire.say(200, page(1, following=f"{wire.url}/api/public/users/?cursor=2"))
    wire.say(404, body)
    assert [c.id for c in api.contacts()] == [1]


def test_a_404_on_the_first_page_is_no_empty_list(wire, api):
    wire.say(404, NOT_FOUND)
    assert type(failure(list, api.contacts())) is AgainLater


def test_another_error_on_next_is_no_end(wire, api):
    wire.say(200, page(1, following=f"{wire.url}/api/public/users/?cursor=2"))
    wire.say(502, HTML)
    assert failure(list, api.contacts()).kind == "server"


def test_a_list_that_goes_in_circles_ends(wire, api):
    following = f"{wire.url}/api/public/users/?cursor=2"
    wire.say(200, page(1, following=following))
    wire.say(200, page(2, following=following))
    assert [c.id for c in api.contacts()] == [1, 2]


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/api/public/users/?cursor=2",
        "https://127.0.0.1:{port}/api/public/users/",
        "http://127.0.0.1:1/api/public/users/",
        "http://127.0.0.1/api/public/users/",
        "http://localhost:{port}/api/public/users/",
        "http://me@127.0.0.1:{port}/api/public/users/",
        "http://127.0.0.1:{port}@evil.example/api/public/users/",
        "http://127.0.0.1:{port}/api/private/",
        "http://127.0.0.1:{port}/api/public/../private/",
        "http://127.0.0.1:{port}/api/public/%2e%2E/private/",
        "http://127.0.0.1:{port}/api/public/..\\private/",
        "http://127.0.0.1:{port}\\@evil.example/api/public/users/",
        "http://127.0.0.1:{port}/api/public/users/?a b",
        "http://127.0.0.1:{port}/api/public/ü/",
        "http://127.0.0.1:{port}/api/public",
        "http://[bad/api/public/users/",
        "http://127.0.0.1:x/api/public/users/",
        "//127.0.0.1:{port}/api/public/users/",
        "/api/public/users/?cursor=2",
        "users/",
    ],
)
def test_a_list_is_not_followed_elsewhere(wire, api, link):
    wire.say(200, page(1, following=link.replace("{port}", str(wire.port))))
    read = api.contacts()
    assert next(read).id == 1
    error = failure(next, read)
    assert (type(error), error.kind) == (AgainLater, "redirect")
    assert len(wire.requests) == 1


@pytest.mark.parametrize("body", [5, {}, {"results": None}, {"results": [], "next": 5}, None, "x"])
def test_a_list_of_another_shape_is_a_typed_error(wire, api, body):
    wire.say(200, body)
    assert failure(list, api.attributes()).kind == "not_json"


def test_attributes_are_listed_and_created(wire, api):
    attribute = {"id": 1, "name": "Vip", "name_std": "vip", "value_type": "boolean"}
    wire.say(200, {"results": [attribute], "next": None})
    assert [a.name_std for a in api.attributes()] == ["vip"]
    wire.say(201, attribute)
    assert api.create_attribute("Vip", "boolean").id == 1
    assert wire.last.json == {"name": "Vip", "value_type": "boolean", "content_type": "clientuser"}
    wire.say(201, attribute)
    api.create_attribute("Vip", "fixed", "company", ["a"])
    assert wire.last.json["choices"] == ["a"]


def test_companies_are_read(wire, api):
    wire.say(200, {"results": [{"id": 7, "name": "X"}], "next": None})
    assert [c.id for c in api.companies()] == [7]


# A connection that does not do its part


def test_half_an_answer_is_no_answer(wire, api):
    wire.say(200, OK, cut=4)
    assert failure(api.contact, 5).kind in ("connection", "not_json")
    wire.say(200, b'{"id": 5}          ', cut=10)
    assert failure(api.contact, 5).kind == "connection"
    wire.say(200, b"    ", cut=4)
    assert failure(api.set_attributes, 5, {}).kind == "connection"
    wire.say_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}")
    assert failure(api.contact, 5).kind == "connection"


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nX: ", b"what?\r\n\r\n", b"HTTP/1.1 xyz\r\n\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"HTTP/1.1 200 " + b"x" * 70_000],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_a_broken_head_is_to_be_repeated(wire, api, content):
    wire.say_raw(content)
    assert type(failure(api.contact, 5)) is AgainLater


def test_an_answer_that_cannot_be_unpacked_is_to_be_repeated(wire, api):
    wire.say(200, b"not gzip", "Content-Encoding: gzip")
    assert failure(api.contact, 5).kind == "not_json"


def test_an_answer_that_never_comes_is_given_up(wire, api, stopwatch):
    wire.do(lambda sock: wire.stopped.wait(5))
    assert failure(api.contact, 5).kind == "timeout"
    assert stopwatch() < 1.5


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9999\r\n\r\n", b" "),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_an_answer_that_trickles_is_given_up(wire, api, stopwatch, head, drop):
    wire.trickle(head, drop)
    error = failure(api.contact, 5)
    assert (type(error), error.kind) == (AgainLater, "timeout")
    assert 0.5 < stopwatch() < 1.5


def test_the_limit_is_for_the_whole_and_not_for_each_piece(wire, api, stopwatch):
    def pausing(sock):
        wire.stopped.wait(0.45)
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        wire.stopped.wait(3)

    wire.do(pausing)
    assert failure(api.contact, 5).kind == "timeout"
    assert stopwatch() < 0.9


def test_what_the_caller_was_handling_is_not_taken_for_the_cause(wire, api):
    wire.say_raw(b"")
    try:
        raise TimeoutError("something else")
    except TimeoutError:
        with pytest.raises(AgainLater) as caught:
            api.contact(5)
    assert caught.value.kind == "connection"


def test_a_late_answer_is_not_taken_for_the_next_one(wire, api):
    def late(sock):
        time.sleep(0.8)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id": 1}')

    wire.do(late)
    failure(api.contact, 1)
    wire.say(200, OK)
    assert api.contact(5).id == 5
    assert wire.connections == 2


def test_an_answer_without_end_is_given_up(wire, key):
    def endless(sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b" " * 65536)

    wire.do(endless)
    with UserCom(wire.url, key, timeout=(1, 30)) as api:
        assert failure(api.contact, 5).kind == "too_large"


def test_a_packed_answer_without_end_is_given_up(wire, key):
    wire.say(200, gzip.compress(b" " * (3 * LARGEST_ANSWER)), "Content-Encoding: gzip")
    with UserCom(wire.url, key, timeout=(1, 30)) as api:
        assert failure(api.contact, 5).kind == "too_large"


def test_a_refused_connection_is_to_be_repeated(key):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with UserCom(f"http://127.0.0.1:{port}", key) as api:
        error = failure(api.contact, 5)
    assert (type(error), error.kind, error.status) == (AgainLater, "connection", None)


@pytest.mark.parametrize(
    ("errno", "error"), [(socket.EAI_NONAME, AccountRefused), (socket.EAI_AGAIN, AgainLater)]
)
def test_only_a_host_that_surely_does_not_exist_is_the_account_s_fault(
    key, monkeypatch, errno, error
):
    def no_name(*args, **kwargs):
        raise socket.gaierror(errno, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with UserCom("https://nobody.user.com", key) as api:
        found = failure(api.contacts_by_email, EMAIL)
        assert (type(found), found.kind) == (error, "unknown_host")
        # With a proxy, it is the proxy that has no name: no fault of the account.
        monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
        found = failure(api.contacts_by_email, EMAIL)
        assert (type(found), found.kind) == (AgainLater, "connection")


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory):
    """A certificate that nobody vouches for."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(private, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_wire(self_signed, make_wire):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    return make_wire(context)


def test_a_certificate_that_nobody_vouches_for_gets_no_key(tls_wire, key):
    tls_wire.say(200, OK)
    with UserCom(tls_wire.url, key) as api:
        error = failure(api.contacts_by_email, EMAIL)
    assert (type(error), error.kind) == (AgainLater, "tls")
    assert not tls_wire.requests


def test_a_certificate_that_the_server_trusts_is_taken(tls_wire, key, self_signed, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(self_signed))
    tls_wire.say(200, OK)
    tls_wire.trickle(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
    with UserCom(tls_wire.url, key, timeout=(2, 0.6)) as api:
        assert api.contact(5).id == 5
        assert failure(api.contact, 5).kind == "timeout"


def test_a_server_that_speaks_no_tls_is_named_so(wire, key):
    with UserCom(wire.url.replace("http:", "https:"), key, timeout=(0.5, 0.6)) as api:
        assert failure(api.contact, 5).kind in ("tls", "timeout", "connection")


# Whatever it is that comes back

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "results", "next", "count", "errors", "detail", "email", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
CALLS = (
    lambda api: api.contact(5),
    lambda api: api.contact_by_custom_id("x"),
    lambda api: api.contacts_by_email(EMAIL),
    lambda api: api.contacts_by_phone("+48123"),
    lambda api: api.contact_by_key("x"),
    lambda api: api.upsert_contact("x", {}),
    lambda api: api.update_contact(5, {}),
    lambda api: api.set_attributes(5, {}),
    lambda api: api.delete_contact(5),
    lambda api: list(api.contacts()),
    lambda api: list(api.attributes()),
    lambda api: api.create_attribute("x", "string"),
    lambda api: api.company(5),
    lambda api: list(api.companies()),
    lambda api: api.company_by_custom_id("x"),
    lambda api: api.create_company({}),
    lambda api: api.update_company(5, {}),
    lambda api: api.put_company("x", {}),
    lambda api: api.add_member(5, 6),
    lambda api: api.remove_member(5, 6),
    lambda api: api.mass_update([5], "city", "X", standard=True),
    lambda api: api.merge_contacts(5, [6]),
    lambda api: api.list_contacts_page(),
    lambda api: api.list_contacts_page("/api/public/users/?cursor=2"),
    lambda api: api.changed_contacts_page(datetime.datetime(2024, 5, 1)),
)


class Told:
    """In place of the network: always the same answer."""

    def __init__(self, status, body):
        self.answer = Answer(status, None, body)

    def send(self, *request):
        return self.answer


@given(
    st.sampled_from([200, 200, 201, 204, 301, 400, 401, 403, 404, 429, 500]),
    st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_no_answer_gets_anything_but_a_result_or_a_typed_error(status, body):
    api = UserCom("http://127.0.0.1:9", "key")
    api._transport = Told(status, body)
    for call in CALLS:
        try:
            call(api)
        except UserComError as error:
            assert error.__context__ is None
        else:
            assert 200 <= status < 300 or status == 404
    assert api.probe().code in CODES
