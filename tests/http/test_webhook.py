"""The webhook: whoever calls, a call changes no contact, and what it may do is note a row."""

import http.client
import json
import os
import socket
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import odoo.http
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odoo.addons.usercom_connector.tools import wake
from odoo.tests.common import HttpCase, tagged
from odoo.tools.misc import file_path

from simulator.testing import running_simulator

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
LIMIT = 64 * 1024
#: The body of section 3 of the API's description, shortened.
SAMPLE = {
    "path": 6,
    "timestamp": "2021-02-01T07:27:44.469241+00:00",
    "extra": {"account": "Łódź"},
    "user": {
        "id": 7,
        "key": "x7NM5xw2eFxl",
        "name": "Jan Testowy",
        "email": "jan@example.com",
        "status": "user",
        "attributes": [{"id": 46, "name_std": "email_consent", "value": True}],
    },
}


@tagged("post_install", "-at_install")
class WebhookCase(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        cls.sim = stack.enter_context(running_simulator())
        stack.enter_context(patch.dict(os.environ, {"USERCOM_BASE_URL": cls.sim.url}))
        cls.account = cls.make_account(name="Test", subdomain="acme")
        cls.env["res.partner"].create({"name": "Jan Testowy", "email": "jan@example.com"})
        cls.env.flush_all()
        cls.env.cr.precommit.run()
        cls.env["usercom.change"].search([]).unlink()

    @classmethod
    def make_account(cls, **vals):
        account = cls.env["usercom.account"].create(vals)
        account.rest_key_input = cls.sim.key
        account.write({"state": "running", "database_uuid": account._database_uuid()})
        return account

    def path_of(self, account=None):
        return f"/usercom/webhook/{(account or self.account).webhook_token}"

    def call(self, data=None, *, secret=None, method="POST", path=None, content_type=JSON, **more):
        """One call of User.com's; ``secret=False`` leaves the header out."""
        headers = {"Content-Type": content_type} if content_type else {}
        if secret is not False:
            headers["X-Usercom-Secret"] = self.account.webhook_secret if secret is None else secret
        headers |= more.pop("headers", {})
        if isinstance(data, (dict, list)):
            data = json.dumps(data)
        if isinstance(data, str):
            data = data.encode()
        path = path or self.path_of()
        return self.url_open(path, data=data, headers=headers, method=method, **more)

    def raw_call(self, lines, body=b""):
        """Send these header lines and body as they are; give status and body of the answer."""
        self.env.cr.flush()
        self.env.cr.clear()
        host = urlsplit(self.base_url())
        with (
            self.allow_requests(all_requests=True),
            socket.create_connection((host.hostname, host.port), timeout=10) as sock,
        ):
            head = [b"POST %s HTTP/1.1" % self.path_of().encode(), b"Host: localhost"]
            sock.sendall(b"\r\n".join([*head, *lines, b"Connection: close", b"", b""]) + body)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return answer.status, answer.read()

    def pings(self):
        self.env.invalidate_all()
        return self.env["usercom.ping"].search([])

    def noted(self):
        return [(row.account_res_id, row.lookup, row.value) for row in self.pings()]

    def check_noted(self, answer, *rows):
        self.assertEqual((answer.status_code, answer.text), (200, '{"message": "Noted."}'))
        self.assertEqual(self.noted(), [(self.account.id, *row) for row in rows])

    def check_refused(self, answer, status):
        """Refused with this status, and nothing at all has come of it."""
        self.assertEqual(answer.status_code, status, answer.text)
        self.assertFalse(self.pings())


class TestTakes(WebhookCase):
    """Calls of the right sender, in every form that they may have."""

    def test_json(self):
        self.check_noted(self.call(SAMPLE), ("id", "7"))

    def test_ids_as_strings(self):
        self.check_noted(self.call({"user": {"id": " 7 "}}), ("id", "7"))

    def test_user_info_excluded(self):
        body = {"path": 6, "timestamp": "…", "extra": {"id": "7", "account": "Test"}}
        self.check_noted(self.call(body), ("id", "7"))

    def test_first_sane_name_counts(self):
        for user, row in (
            ({"id": None, "custom_id": "odoo-7"}, ("custom_id", "odoo-7")),
            ({"id": -7, "user_id": "odoo-7"}, ("custom_id", "odoo-7")),
            ({"id": True, "key": "x7NM5xw2eFxl"}, ("key", "x7NM5xw2eFxl")),
            ({"id": 7.0, "user_key": "x7NM5xw2eFxl"}, ("key", "x7NM5xw2eFxl")),
            ({"id": "7/../8", "email": "Jan@example.com"}, ("email", "Jan@example.com")),
            ({"id": "9" * 19, "email": "no address", "key": "k"}, ("key", "k")),
            ({"id": "\u0667", "custom_id": "a\x00b"}, ("none", "")),
            ({"id": "7" * 300, "custom_id": "c" * 255}, ("none", "")),
            ({"id": [7], "custom_id": {"a": 1}}, ("none", "")),
        ):
            with self.subTest(user=user):
                self.pings().unlink()
                answer = self.call({"user": user})
                self.check_noted(answer, row)

    def test_user_before_extra_before_top(self):
        self.call({"id": 3, "extra": {"id": 2}, "user": {"id": 1}})
        self.call({"id": 3, "extra": {"id": 2}, "user": []})
        self.call({"id": 3, "extra": "2", "user": None})
        self.assertEqual([row[2] for row in self.noted()], ["1", "2", "3"])

    def test_form_with_json_values(self):
        body = urlencode({"path": "6", "user": json.dumps(SAMPLE["user"])})
        self.check_noted(self.call(body, content_type=FORM), ("id", "7"))

    def test_form_flat(self):
        self.check_noted(self.call("id=7&name=Jan", content_type=FORM), ("id", "7"))

    def test_form_with_brackets(self):
        body = urlencode({"path": "6", "user[id]": "7", "user[email]": "jan@example.com"})
        self.check_noted(self.call(body, content_type=FORM), ("id", "7"))

    def test_form_with_brackets_and_user_info_excluded(self):
        body = urlencode({"path": "6", "extra[id]": "7"})
        self.check_noted(self.call(body, content_type=FORM), ("id", "7"))

    def test_multipart_form(self):
        self.env.cr.flush()
        headers = {"X-Usercom-Secret": self.account.webhook_secret}
        files = {"user": (None, json.dumps({"id": 7})), "upload": ("a.txt", b"abc")}
        answer = self.url_open(self.path_of(), files=files, headers=headers)
        self.check_noted(answer, ("id", "7"))

    def test_json_with_a_form_content_type(self):
        for text in ("plain", "a=b&c=d;e", "100 % +48", "Łódź = 7 & 8"):
            with self.subTest(text=text):
                self.pings().unlink()
                body = json.dumps({"user": {"name": text, "id": 7}}, ensure_ascii=False)
                self.check_noted(self.call(body, content_type=FORM), ("id", "7"))

    def test_json_with_a_form_content_type_keeps_what_it_says(self):
        body = json.dumps({"user": {"email": "jan+news@example.com"}})
        self.check_noted(self.call(body, content_type=FORM), ("email", "jan+news@example.com"))

    def test_json_under_other_content_types(self):
        for content_type in (None, "text/plain", "text/html; charset=utf-7", "nonsense", "a/b;;="):
            with self.subTest(content_type=content_type):
                self.pings().unlink()
                answer = self.call({"user": {"id": 7}}, content_type=content_type)
                self.check_noted(answer, ("id", "7"))

    def test_content_type_in_other_case(self):
        answer = self.call({"user": {"id": 7}}, content_type="Application/JSON; charset=utf-8")
        self.check_noted(answer, ("id", "7"))

    def test_object_without_a_contact(self):
        for body in ({}, {"path": 6}, {"user": {}}, {"user": {"name": "Jan"}}):
            with self.subTest(body=body):
                self.pings().unlink()
                self.check_noted(self.call(body), ("none", ""))

    def test_replayed_call(self):
        for _ in range(3):
            self.assertEqual(self.call(SAMPLE).status_code, 200)
        # Three rows of one subject are one piece of work.
        self.assertEqual(self.noted(), [(self.account.id, "id", "7")] * 3)
        self.assertEqual(len(self.env["usercom.ping"]._claim(self.account)), 1)

    def test_all_that_the_simulator_can_send(self):
        contact = self.sim.add_contact(email="ola@example.com", first_name="Ola", status="user")
        headers = {"X-Usercom-Secret": self.account.webhook_secret}
        ways = [
            {"encoding": encoding, "nested": nested, "booleans": booleans, "exclude_user": excluded}
            for encoding, nested in (("json", "json"), ("form", "json"), ("form", "brackets"))
            for booleans in ("json", "True", "1")
            for excluded in (False, True)
        ]
        extra = {"id": "{{ user.id }}", "account": "Test"}
        for way in ways:
            with self.subTest(way=way):
                self.pings().unlink()
                self.env.cr.flush()
                self.sim.reset_deliveries()
                url = self.base_url() + self.path_of()
                self.sim.set_webhook(url, headers=headers, extra=extra, **way)
                with self.allow_requests(all_requests=True):
                    self.sim.fire_webhook(contact["id"])
                    [delivery] = self.sim.wait_webhooks()
                self.assertEqual((delivery["outcome"], delivery["status"]), ("sent", 200))
                self.assertEqual(self.noted(), [(self.account.id, "id", str(contact["id"]))])


class TestRefuses(WebhookCase):
    """Calls that must come to nothing."""

    def test_wrong_secrets(self):
        right = self.account.webhook_secret
        for secret in (False, "", "wrong", right[:-1], right + "x", right.upper(), "-" * 43):
            with self.subTest(secret=secret):
                self.check_refused(self.call(SAMPLE, secret=secret), 404)

    def test_secret_that_is_not_ascii(self):
        for secret in ("zażółć".encode(), "é".encode("latin-1"), b"\xff\xfe", b"\xed\xa0\x80"):
            with self.subTest(secret=secret):
                self.check_refused(self.call(SAMPLE, secret=secret), 404)

    def test_secret_in_the_wrong_place(self):
        secret = self.account.webhook_secret
        path = f"{self.path_of()}?X-Usercom-Secret={secret}&secret={secret}"
        self.check_refused(self.call({**SAMPLE, "secret": secret}, secret=False, path=path), 404)

    def test_secret_of_another_account(self):
        other = self.make_account(name="Other", subdomain="other")
        self.check_refused(self.call(SAMPLE, secret=other.webhook_secret), 404)
        answer = self.call(SAMPLE, path=self.path_of(other), secret=other.webhook_secret)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.noted(), [(other.id, "id", "7")])

    def test_unknown_tokens(self):
        token = self.account.webhook_token
        for unknown in ("x", token[:-1], token + "x", token.swapcase(), "%25", "_" * 32, "%C5%82"):
            with self.subTest(token=unknown):
                self.check_refused(self.call(SAMPLE, path=f"/usercom/webhook/{unknown}"), 404)

    def test_token_that_no_database_can_hold(self):
        for unknown in ("a%00b", "%00", "%ED%A0%80", "%FF", "x" * 5000):
            with self.subTest(token=unknown):
                self.check_refused(self.call(SAMPLE, path=f"/usercom/webhook/{unknown}"), 404)

    def test_wrong_token_and_wrong_secret_look_alike(self):
        by_secret = self.call(SAMPLE, secret="wrong")
        by_token = self.call(SAMPLE, path="/usercom/webhook/unknown")
        self.assertEqual(by_secret.status_code, by_token.status_code)
        self.assertEqual(by_secret.content, by_token.content)
        self.assertEqual(
            {name for name in by_secret.headers if name != "Date"},
            {name for name in by_token.headers if name != "Date"},
        )
        # Also for what is not looked at any further.
        for body in ("no json", b"\xff", ""):
            by_secret = self.call(body, secret="wrong")
            by_token = self.call(body, path="/usercom/webhook/unknown")
            self.assertEqual(by_secret.status_code, by_token.status_code)
            self.assertEqual(by_secret.content, by_token.content)

    def test_renewed_secret(self):
        old = self.account.webhook_secret
        self.assertEqual(self.call(SAMPLE).status_code, 200)
        self.pings().unlink()
        self.account.action_renew_secret()
        self.assertNotEqual(self.account.webhook_secret, old)
        self.check_refused(self.call(SAMPLE, secret=old), 404)
        self.check_noted(self.call(SAMPLE), ("id", "7"))

    def test_neutralized(self):
        old = self.account.webhook_secret
        self.assertEqual(self.call(SAMPLE).status_code, 200)
        self.pings().unlink()
        path = file_path("usercom_connector/data/neutralize.sql")
        self.env.cr.execute(Path(path).read_text())
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        for secret in (old, "", False, "None", "False", "null", "-" * 43):
            with self.subTest(secret=secret):
                self.check_refused(self.call(SAMPLE, secret=secret), 404)
        # A secret made anew lets in again.
        self.account.action_renew_secret()
        self.check_noted(self.call(SAMPLE), ("id", "7"))

    def test_account_deleted(self):
        other = self.make_account(name="Other", subdomain="other")
        path, secret = self.path_of(other), other.webhook_secret
        self.assertEqual(self.call(SAMPLE, path=path, secret=secret).status_code, 200)
        self.pings().unlink()
        other.unlink()
        self.check_refused(self.call(SAMPLE, path=path, secret=secret), 404)

    def test_other_methods(self):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
            with self.subTest(method=method):
                answer = self.call(SAMPLE, method=method, allow_redirects=False)
                self.assertIn(answer.status_code, (404, 405, 501), answer.text)
                self.assertFalse(self.pings())

    def test_token_in_the_query_changes_nothing(self):
        other = self.make_account(name="Other", subdomain="other")
        path = f"{self.path_of()}?token={other.webhook_token}"
        self.check_refused(self.call(SAMPLE, path=path, secret=other.webhook_secret), 404)
        body = urlencode({"token": other.webhook_token, "id": "7"})
        self.check_refused(self.call(body, secret=other.webhook_secret, content_type=FORM), 404)

    def test_field_names_that_python_knows(self):
        for name in ("self", "form", "request", "__class__", "args", "kwargs", "account_id"):
            with self.subTest(name=name):
                self.pings().unlink()
                body = urlencode({name: "x", "id": "7"})
                answer = self.call(body, content_type=FORM)
                self.assertLess(answer.status_code, 500)
                answer = self.call(SAMPLE, path=f"{self.path_of()}?{name}=x")
                self.assertLess(answer.status_code, 500)

    def test_body_over_the_limit(self):
        big = json.dumps({"user": {"id": 7, "name": "x" * LIMIT}})
        for content_type in (JSON, FORM, None, "text/plain"):
            with self.subTest(content_type=content_type):
                self.check_refused(self.call(big, content_type=content_type), 413)
        many = "&".join(f"f{number}=x" for number in range(20_000))
        self.check_refused(self.call(many, content_type=FORM), 413)

    def test_body_at_the_limit(self):
        body = json.dumps({"user": {"id": 7}, "pad": ""})
        body = body[:-2] + "x" * (LIMIT - len(body)) + body[-2:]
        self.assertEqual(len(body), LIMIT)
        self.check_noted(self.call(body), ("id", "7"))

    def test_body_over_the_limit_and_wrong_secret(self):
        big = json.dumps({"name": "x" * LIMIT})
        by_secret = self.call(big, secret="wrong")
        by_token = self.call(big, path="/usercom/webhook/unknown")
        self.assertIn(by_secret.status_code, (404, 413))
        self.assertEqual(
            (by_secret.status_code, by_secret.content), (by_token.status_code, by_token.content)
        )

    def raw_lines(self, *more):
        secret = b"X-Usercom-Secret: " + self.account.webhook_secret.encode()
        return [b"Content-Type: application/json", secret, *more]

    def test_no_content_length(self):
        status, _body = self.raw_call(self.raw_lines())
        self.assertEqual(status, 400)
        self.assertFalse(self.pings())

    def test_chunked(self):
        body = json.dumps({"user": {"id": 7}, "pad": "x" * 2 * LIMIT}).encode()
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        status, _body = self.raw_call(self.raw_lines(b"Transfer-Encoding: chunked"), chunks)
        self.assertIn(status, (400, 411, 413))
        self.assertFalse(self.pings())

    def test_senseless_content_length(self):
        for length in (b"-1", b"nonsense", b"1e3", b"99999999999999999999"):
            with self.subTest(length=length):
                status, _body = self.raw_call(self.raw_lines(b"Content-Length: " + length))
                self.assertIn(status, (400, 411, 413))
                self.assertFalse(self.pings())

    def test_headers_that_are_no_text(self):
        status, _body = self.raw_call(
            [b"X-Usercom-Secret: \xc5\x82\xff\x80", b"Content-Length: 2"], b"{}"
        )
        self.assertEqual(status, 404)
        self.assertFalse(self.pings())

    def test_bodies_that_are_neither_json_nor_form(self):
        for body in ("", " ", "no json", "{", '{"user": ', b"\x00", b"\xff\xfe", b"\xed\xa0\x80"):
            with self.subTest(body=body):
                self.check_refused(self.call(body), 400)

    def test_json_of_other_shapes(self):
        for body in ("null", "7", "-1", "1.5", '"text"', "true", "[]", "[7]", '[{"id": 7}]', "NaN"):
            with self.subTest(body=body):
                self.check_refused(self.call(body), 400)

    def test_json_that_is_too_much(self):
        deep = "[" * 30_000 + "]" * 30_000
        deeper = '{"user":' * 7_000 + "7" + "}" * 7_000
        for body in (deep, "9" * 60_000, '{"user": {"id": ' + "9" * 60_000 + "}}"):
            with self.subTest(body=body[:20]):
                self.check_refused(self.call(body), 400)
        for content_type in (JSON, FORM):
            self.assertLess(self.call(deeper, content_type=content_type).status_code, 500)

    def test_json_with_odd_values(self):
        for body in (
            '{"user": {"id": NaN}}',
            '{"user": {"id": Infinity}}',
            '{"user": {"id": 1e400}}',
            '{"user": {"id": "\\ud800"}}',
            '{"user": {"custom_id": "\\ud800"}}',
            '{"user": {"email": "a\\u0000@example.com"}}',
            '{"user": {"email": "a\\ud800@example.com"}}',
            '{"user": {"email": "a\\u202e@example.com"}}',
            '{"user": {"key": "\\u0000"}}',
            '{"user": {"id": -7}}',
            '{"user": {"id": 7.5}}',
            '{"user": {"id": true}}',
            '{"user": {"id": "' + "7" * 5000 + '"}}',
            '{"user": {"id": ' + "7" * 4000 + "}}",
            '{"user": [{"id": 7}]}',
            '{"user": "7"}',
        ):
            with self.subTest(body=body[:60]):
                self.pings().unlink()
                self.check_noted(self.call(body), ("none", ""))

    def test_duplicate_keys(self):
        body = '{"user": {"id": 8}, "user": {"id": 7, "id": 9}}'
        self.check_noted(self.call(body), ("id", "9"))


class TestSaysNo(WebhookCase):
    """Of a call's values only this is kept: which consents it says no to, and when."""

    no = SAMPLE | {
        "user": SAMPLE["user"]
        | {"attributes": [{"id": 46, "name_std": "email_consent", "value": "False"}]}
    }

    def check_said(self, answer, *names):
        self.assertEqual(answer.status_code, 200)
        [row] = self.pings()
        self.assertEqual(row.said_no or [], list(names))
        at = datetime(2021, 2, 1, 7, 27, 44, 469241)
        self.assertEqual(row.called_at, at if names else False)
        row.unlink()

    def test_noted(self):
        self.check_said(self.call(self.no), "email_consent")
        flat = SAMPLE["user"] | {"email_consent": False, "emails_enabled": True}
        self.check_said(self.call(SAMPLE | {"user": flat | {"attributes": None}}), "email_consent")
        for said in ({"unsubscribed": True}, {"emails_enabled": False}, {"emails_enabled": "0"}):
            self.check_said(self.call(SAMPLE | {"user": SAMPLE["user"] | said}), "unsubscribed")
        form = {"timestamp": SAMPLE["timestamp"], "user[id]": "7", "user[emails_enabled]": "False"}
        self.check_said(self.call(urlencode(form), content_type=FORM), "unsubscribed")

    def test_nothing_to_note(self):
        self.check_said(self.call(SAMPLE))
        self.check_said(self.call({name: self.no[name] for name in ("user", "extra")}))
        self.check_said(self.call(self.no | {"timestamp": "soon"}))
        off = SAMPLE["user"] | {"sms_consent": False}
        self.check_said(self.call(SAMPLE | {"user": off}))  # a purpose that does not travel

    def test_without_the_secret_nothing_is_noted(self):
        for secret in (False, "", "wrong"):
            self.check_refused(self.call(self.no, secret=secret), 404)
        self.assertFalse(self.pings())


class TestLeavesNoTrace(WebhookCase):
    """What a call must not do, whatever it says."""

    def test_no_contact_is_changed_and_nothing_is_called(self):
        partner = self.env["res.partner"].search([("email", "=", "jan@example.com")])
        partners = self.env["res.partner"].search_count([])
        before = partner.read(["name", "email", "write_date", "usercom_email_consent"])
        self.sim.reset_calls()
        for body in (SAMPLE, {"user": {"email": "jan@example.com", "name": "Changed"}}, {}):
            self.call(body)
            self.call(body, secret="wrong")
        self.env.invalidate_all()
        self.assertEqual(
            partner.read(["name", "email", "write_date", "usercom_email_consent"]), before
        )
        self.assertEqual(self.env["res.partner"].search_count([]), partners)
        self.assertFalse(self.env["usercom.change"].search([]))
        self.assertFalse(self.env["usercom.consent.event"].search([]))
        self.assertFalse(self.sim.calls())

    def test_no_session(self):
        store = Path(odoo.http.root.session_store.path)
        before = set(store.rglob("*"))
        for answer in (
            self.call(SAMPLE),
            self.call(SAMPLE, secret="wrong"),
            self.call("no json"),
            self.call("id=7", content_type=FORM),
        ):
            self.assertNotIn("Set-Cookie", answer.headers)
        self.assertEqual({path for path in store.rglob("*") if path.is_file()} - before, set())

    def statements_of(self, *calls):
        """What these calls, each a dict for ``call``, have the database do."""
        # As the recipe says; else Odoo lists the server's databases to find the one that is meant.
        headers = {"X-Odoo-Database": self.env.cr.dbname}
        known = {"secret": self.account.webhook_secret, "path": self.path_of(), "headers": headers}
        self.call(SAMPLE, **known)  # what is kept in memory is there from now on
        statements = []
        real = odoo.sql_db.Cursor.execute

        def execute(cursor, query, *args, **kwargs):
            statements.append(getattr(query, "code", query))
            return real(cursor, query, *args, **kwargs)

        with patch.object(odoo.sql_db.Cursor, "execute", execute):
            for call in calls:
                self.call(SAMPLE, **(known | call))
        return statements

    def test_one_insert_and_no_more(self):
        [statement] = self.statements_of({})
        self.assertTrue(statement.startswith("INSERT INTO "), statement)

    def test_a_refused_call_asks_the_database_nothing(self):
        made_up = [{"path": f"/usercom/webhook/made-up-{number}"} for number in range(5)]
        self.assertEqual(self.statements_of({"secret": "wrong"}, *made_up), [])

    def test_wakes_the_action_after_the_commit_and_once(self):
        woken = []
        with patch.object(wake, "soon", lambda *args: woken.append(args)):
            for number in range(3):
                self.env["usercom.ping"]._append([(self.account.id, "id", str(number))])
            self.assertFalse(woken)
            self.env.cr.postcommit.run()
        pulls = [xmlid for _dbname, xmlid in woken if xmlid.endswith("_pull")]
        self.assertEqual(pulls, ["usercom_connector.ir_cron_pull"])

    def test_wakes_nothing_after_a_rollback(self):
        woken = []
        with (
            patch.object(wake, "soon", lambda *args: woken.append(args)),
            self.registry.cursor() as cr,
        ):
            pings = self.env["usercom.ping"].with_env(self.env(cr=cr))
            pings._append([(self.account.id, "id", "7")])
            cr.rollback()
            cr.postcommit.run()
        self.assertFalse(woken)

    def test_many_calls_wake_once_a_second(self):
        triggered, planned = [], []
        with (
            patch.object(wake, "_trigger", lambda *args: triggered.append(args)),
            patch.object(wake, "later", lambda *args: planned.append(args)),
            patch.dict(wake._last_wake, clear=True),
        ):
            for _ in range(50):
                wake.soon("db", "xmlid")
        self.assertEqual(triggered, [("db", "xmlid")])
        self.assertEqual(len(planned), 49)


class TestStates(WebhookCase):
    """What an account notes while it does not run."""

    def test_paused_loses_nothing(self):
        self.account.action_pause()
        self.check_noted(self.call(SAMPLE), ("id", "7"))

    def test_draft_notes_what_is_read_once_it_is_started(self):
        self.account.write({"state": "draft"})
        self.check_noted(self.call(SAMPLE), ("id", "7"))

    def test_archived_is_as_unknown(self):
        self.assertEqual(self.call(SAMPLE).status_code, 200)
        self.pings().unlink()
        self.account.active = False
        archived = self.call(SAMPLE)
        self.check_refused(archived, 404)
        unknown = self.call(SAMPLE, path="/usercom/webhook/unknown")
        self.assertEqual(archived.content, unknown.content)
        self.account.active = True
        self.check_noted(self.call(SAMPLE), ("id", "7"))


names = st.sampled_from(
    [
        *("user", "extra", "id", "usercom_id", "custom_id", "user_id", "key", "user_key", "email"),
        *("timestamp", "attributes", "unsubscribed", "emails_enabled", "email_consent"),
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["7", "jan@example.com", "\x00", "\ud800", "9" * 300]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)


class TestAnyBody(WebhookCase):
    """Whatever is sent, under whatever content type."""

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        body=json_values | st.dictionaries(names, json_values),
        content_type=st.sampled_from([JSON, FORM, None]),
    )
    @example(body={"user": {"id": 10**17}}, content_type=JSON)
    @example(body={"user": {"id": "7", "": "&="}}, content_type=FORM)
    def test_json(self, body, content_type):
        self.check(json.dumps(body).encode(), content_type)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=st.binary(max_size=200), content_type=st.sampled_from([JSON, FORM, None]))
    def test_bytes(self, body, content_type):
        self.check(body, content_type)

    def check(self, body, content_type):
        partners = self.env["res.partner"].search_count([])
        self.pings().unlink()
        answer = self.call(body, content_type=content_type)
        self.assertIn(answer.status_code, (200, 400))
        noted = self.noted()
        self.assertEqual(len(noted), 1 if answer.status_code == 200 else 0)
        for _account, lookup, value in noted:
            if lookup == "id":
                self.assertRegex(value, r"\A[0-9]{1,18}\Z")
            self.assertLess(len(value or ""), 255)
        self.assertEqual(self.env["res.partner"].search_count([]), partners)
        self.assertFalse(self.env["usercom.change"].search([]))
