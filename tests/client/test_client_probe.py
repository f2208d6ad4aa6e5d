"""The connection test names what fails."""

import socket

import pytest
from odoo.addons.usercom_connector.client import CODES, UserCom

ATTRIBUTE = {"id": 1, "name": "E-mail consent", "name_std": "email_consent"}
LIST = {"count": 1, "next": None, "results": [ATTRIBUTE]}
FORBIDDEN = (403, {"detail": "You do not have permission to perform this action."})
NOBODY = (404, {"detail": "Not found."})
FINE = (200, LIST)
HTML = b"<html></html>"


def test_a_key_with_both_rights_passes(wire, api):
    wire.say(*FINE)
    wire.say(*NOBODY)
    result = api.probe()
    assert result.ok
    assert (result.code, result.kind, result.scope_missing, result.status) == ("ok", *[None] * 3)
    assert [attribute.name_std for attribute in result.attributes] == ["email_consent"]


def test_the_write_is_an_empty_one_to_a_contact_that_cannot_be(wire, api):
    wire.say(*FINE)
    wire.say(*NOBODY)
    api.probe()
    assert [(r.method, r.target) for r in wire.requests] == [
        ("GET", "/api/public/attributes/"),
        ("PUT", "/api/public/users/0/"),
    ]
    assert wire.last.json == {}


@pytest.mark.parametrize("write", [(400, {"errors": {}}), (200, {"id": 1})])
def test_a_write_that_gets_as_far_as_the_record_passes(wire, api, write):
    wire.say(*FINE)
    wire.say(*write)
    assert api.probe().ok


@pytest.mark.parametrize(
    ("read", "write", "code", "scope"),
    [
        (FINE, FORBIDDEN, "forbidden_write", "write"),
        (FORBIDDEN, NOBODY, "forbidden_read", "read"),
        (FORBIDDEN, FORBIDDEN, "forbidden_address", "address"),
        (FORBIDDEN, (502, HTML), "server", None),
        (FINE, (404, HTML), "not_found", None),
        (FINE, (401, {"detail": "Invalid token."}), "unauthorised", None),
        ((401, {"detail": "Invalid token."}), None, "unauthorised", None),
        ((403, HTML), None, "not_json", None),
        ((404, HTML), None, "not_found", None),
        (NOBODY, None, "not_found", None),
        ((429, HTML), None, "throttled", None),
        ((500, HTML), None, "server", None),
        ((200, HTML), None, "not_json", None),
        ((200, {"results": [{}]}), None, "not_json", None),
        ((301, b""), None, "redirect", None),
        ((302, b""), None, "redirect", None),
        ((405, {"detail": "No."}), None, "refused", None),
    ],
)
def test_each_failure_has_its_code(wire, api, read, write, code, scope):
    wire.say(*read)
    if write:
        wire.say(*write)
    result = api.probe()
    assert not result.ok
    assert (result.code, result.scope_missing) == (code, scope)
    assert code in CODES
    assert len(wire.requests) == (2 if write else 1)
    assert bool(result.attributes) == (read is FINE)


def test_a_wait_is_handed_on(wire, api):
    wire.say(429, b"", "Retry-After: 12")
    assert api.probe().retry_after == 12.0


def test_a_server_that_is_silent_or_not_there_is_named(wire, api, key, monkeypatch):
    wire.do(lambda sock: wire.stopped.wait(5))
    assert api.probe().code == "timeout"
    with UserCom("http://127.0.0.1:1", key) as nobody:
        assert nobody.probe().code == "connection"

    def no_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with UserCom("http://nobody.localhost", key) as nobody:
        assert nobody.probe().code == "unknown_host"


def test_a_plain_server_behind_a_secure_address_is_named(make_wire, key):
    wire = make_wire()
    with UserCom(wire.url.replace("http:", "https:"), key, timeout=(0.5, 0.6)) as api:
        assert api.probe().code in ("tls", "timeout", "connection")
