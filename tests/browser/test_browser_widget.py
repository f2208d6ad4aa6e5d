"""The widget in a real browser, with a script of our own in place of User.com's widget.js.

It does what is known of that (usercom-api.md, section 4): takes ``window.civchat``, keeps a key in
a cookie, and offers ``UE`` and ``userengage``. What it is told, and under which key, it reports.
"""

import hashlib
import json
import os
import time
from base64 import b64encode
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from lxml import html
from odoo.addons.usercom_connector.models.usercom_widget import BUNDLE
from odoo.tests.common import HOST, ChromeBrowser, new_test_user

from tests.support import visitors

from .common import BrowserCase

STAND_IN = """
(() => {
    const COOKIE = "__ca__chat";
    const key = () => (document.cookie.match(/__ca__chat=(\\\\w+)/) || [])[1];
    const renew = () => {
        document.cookie = `${COOKIE}=k${crypto.randomUUID().slice(0, 8)};path=/`;
    };
    const home = new URL(document.currentScript.src).origin;
    const report = (what, told) => {
        const about = { what, told, key: key(), page: location.pathname + location.search };
        const query = new URLSearchParams({ about: JSON.stringify(about) });
        fetch(`${home}/report?${query}`, { mode: "no-cors", keepalive: true });
    };
    if (!key()) {
        renew();
    }
    report("load", window.civchat);
    window.UE = {
        pageHit: (told) => report("pageHit", told),
        resetAuth: (told) => {
            renew();
            report("resetAuth", told);
        },
        destroy: () => report("destroy"),
    };
    window.userengage = (name, data) => report(name, data);
    window.civchat.onLoad();
})();
""".replace("\\\\", "\\")
ACCEPTED = '{"required": true, "optional": true, "ts": 1}'
WAIT = 30


class Visit:
    """A browser, from which one page after the other is opened."""

    def __init__(self, test, browser, with_odoo):
        self.test, self.browser, self.with_odoo = test, browser, with_odoo

    def sign_in(self, login):
        """Be somebody else, or nobody, from now on; the browser keeps what it has."""
        self.test.authenticate(login, login, browser=self.browser)
        if login is None:
            self.browser.delete_cookie("session_id", domain=HOST)

    def open(self, path):
        """Load a page, and all that it loads."""
        self.test.cr.flush()
        self.test.cr.clear()
        self.browser.navigate_to(self.test.base_url() + path, wait_stop=True)
        self.settle()

    def settle(self):
        """Wait until Odoo's own scripts have started: left before, they complain."""
        deadline = time.monotonic() + WAIT
        while self.with_odoo and not self.run("Boolean(window.odoo?.__WOWL_DEBUG__)"):
            self.test.assertLess(time.monotonic(), deadline, "The page did not start")
            time.sleep(0.05)

    def run(self, code):
        """Run JavaScript in the page; its result."""
        params = {"expression": code, "awaitPromise": True, "returnByValue": True}
        found = self.browser._websocket_request("Runtime.evaluate", params=params)
        self.test.assertNotIn("exceptionDetails", found)
        return found["result"].get("value")

    def cookies(self):
        """The names of what the widget keeps here."""
        names = {part.partition("=")[0] for part in self.run("document.cookie").split("; ")}
        return names & {"__ca__chat", "usercom_visitor"}


class WidgetCase(BrowserCase):
    bundles = ("web.assets_frontend_minimal", "web.assets_frontend", BUNDLE)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        at_user_com = patch.dict(os.environ)
        at_user_com.start()
        cls.addClassCleanup(at_user_com.stop)
        del os.environ["USERCOM_BASE_URL"]
        cls.account = cls.make_widget()

    @classmethod
    def make_widget(cls, **vals):
        return visitors.make_widget(cls.env, **{"widget_not_pages": False, **vals})

    def setUp(self):
        super().setUp()
        self.reports = []
        self.loaded = []

    def make_person(self, login, account=None, **vals):
        vals = {"email": f"{login}@example.com", "groups": "base.group_portal", **vals}
        user = new_test_user(self.env, login, **vals)
        user_id = f"id-{login}"
        visitors.link(
            account or self.account, user.partner_id, custom_id=user_id, custom_id_there=user_id
        )
        return user

    @contextmanager
    def visiting(self, *, with_odoo=False):
        """A browser that knows nobody yet.

        :param with_odoo: with Odoo's own scripts, which take longer than all that is tested here.
        """
        browser = ChromeBrowser(self)
        with self.allow_requests(browser=browser):
            browser._websocket_request("Network.enable")
            if not with_odoo:
                blocked = {"urls": ["*assets_frontend_lazy*"]}
                browser._websocket_request("Network.setBlockedURLs", params=blocked)
            try:
                yield Visit(self, browser, with_odoo)
            finally:
                self._wait_remaining_requests()
                browser.stop()

    def fetch_proxy(self, url):
        """What the browser gets from elsewhere."""
        parts = urlsplit(url)
        if parts.path == "/widget.js":
            self.loaded.append(url)
            return self.make_fetch_proxy_response(STAND_IN)
        if parts.path == "/report":
            [about] = parse_qs(parts.query)["about"]
            self.reports.append(json.loads(about) | {"host": parts.hostname})
            return self.make_fetch_proxy_response("")
        return super().fetch_proxy(url)

    def wait_for(self, *whats):
        """Wait for these reports, and no others; they are taken."""
        deadline = time.monotonic() + WAIT
        while len(self.reports) < len(whats) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual([report["what"] for report in self.reports], list(whats), self.reports)
        found, self.reports = self.reports, []
        return found

    def expect_nothing(self, visit):
        """Nothing was loaded, told or kept."""
        visit.run("new Promise((done) => setTimeout(done, 200))")
        self.assertEqual((self.loaded, self.reports), ([], []))
        self.assertEqual(visit.cookies(), set())


class TestVisitors(WidgetCase):
    def test_one_after_the_other_at_the_same_browser(self):
        """Anonymous, signed in, signed out, a second person: nobody is another."""
        self.make_person("jan", name="Jan Testowy")
        self.make_person("ola", name="Ola Inna")
        with self.visiting() as visit:
            visit.open("/web/login")
            [nobody] = self.wait_for("load")
            self.assertEqual(nobody["told"], {"apiKey": "abc123", "state": "simple"})
            visit.sign_in("jan")
            visit.open("/my")
            [jan] = self.wait_for("load")
            told = {"email": "jan@example.com", "first_name": "Jan", "last_name": "Testowy"}
            self.assertEqual(jan["told"], nobody["told"] | told | {"user_id": "id-jan"})
            self.assertEqual(jan["key"], nobody["key"])  # what was looked at before belongs to Jan
            self.assertNotIn("jan", visit.run("document.cookie"))
            visit.run("document.querySelector('a[href*=\"/web/session/logout\"]').click()")
            out, after, again = self.wait_for("resetAuth", "load", "resetAuth")
            visit.settle()
            for report in (out, after, again):
                self.assertNotEqual(report["key"], jan["key"])
                self.assertLessEqual(report["told"].keys(), {"apiKey", "state"})
            visit.open("/web/login")
            self.wait_for("load")
            visit.sign_in("jan")
            visit.open("/my")
            self.assertEqual(self.wait_for("load")[0]["told"]["user_id"], "id-jan")
            visit.sign_in("ola")  # without a page between that could have noticed
            visit.open("/my")
            first, reset = self.wait_for("load", "resetAuth")
            self.assertEqual(first["told"], nobody["told"])
            self.assertEqual(reset["told"]["user_id"], "id-ola")
            self.assertEqual(reset["told"]["email"], "ola@example.com")
            self.assertNotIn(reset["key"], (jan["key"], first["key"]))
            visit.open("/my")
            [ola] = self.wait_for("load")
            self.assertEqual((ola["key"], ola["told"]["user_id"]), (reset["key"], "id-ola"))

    def test_hostile_names(self):
        names = (
            ("a", "</script><script>hacked=1</script>", "<img src=x onerror=hacked=1>"),
            ("b", "\"'`${hacked=1}", "\\u0022;hacked=1//"),
            ("c", "🙈", "\u202eأحمد\u2028علي"),
        )
        for login, first, last in names:
            self.make_person(login, name=f"{first.replace(' ', '')} {last.replace(' ', '')}")
        with self.visiting() as visit:
            for login, first, last in names:
                visit.sign_in(login)
                visit.open("/my")
                told = self.wait_for("load", *(["resetAuth"] if login != "a" else []))[-1]["told"]
                self.assertEqual(told["first_name"], first)
                # A line separator within a name is a space in the canonical form.
                self.assertEqual(told["last_name"].split(), last.replace(" ", "").split())
                self.assertEqual(visit.run("typeof window.hacked"), "undefined")

    def test_nobody_is_told_of_where_it_is_not_known_who_it_is(self):
        """A page that was kept, and an answer that does not come."""
        self.make_person("jan")
        with self.visiting() as visit:
            visit.sign_in("jan")
            visit.open("/my")
            self.wait_for("load")
            # Jan's page out of a cache, shown to nobody: as it was, it asks who is there.
            visit.run(
                """
                kept = document.documentElement.outerHTML;
                realFetch = window.fetch;
                sessionStorage.setItem("kept", document.getElementById("usercom_widget").outerHTML);
                """
            )
            visit.sign_in(None)
            visit.open("/web/login?debug=0")
            self.wait_for("load", "resetAuth")
            visit.run("document.cookie = 'usercom_visitor=left;path=/'")
            visit.run(
                """
                delete window.UE;
                holder = document.createElement("div");
                holder.innerHTML = sessionStorage.getItem("kept");
                script = document.createElement("script");
                for (const { name, value } of holder.firstChild.attributes) {
                    script.setAttribute(name, value);
                }
                document.head.append(script);
                """
            )
            first, reset = self.wait_for("load", "resetAuth")
            for report in (first, reset):
                self.assertLessEqual(report["told"].keys(), {"apiKey", "state"})


class TestConsent(WidgetCase):
    """Without Odoo's cookies bar: the page says by Odoo's events that the visitor has agreed."""

    def say(self, visit, event):
        visit.run(f"document.dispatchEvent(new Event('optionalCookies{event}'))")

    def test_waits_and_starts_at_once_and_stops(self):
        self.account.widget_consent = "ask"
        self.make_person("jan")
        with self.visiting() as visit:
            visit.sign_in("jan")
            visit.open("/my")
            visit.run("usercomEvent('early')")
            self.expect_nothing(visit)
            self.say(visit, "Denied")
            self.expect_nothing(visit)
            self.say(visit, "Accepted")
            self.assertEqual(self.wait_for("load")[0]["told"]["user_id"], "id-jan")
            self.assertEqual(visit.cookies(), {"__ca__chat", "usercom_visitor"})
            self.say(visit, "Denied")
            self.wait_for("destroy")
            self.assertEqual(visit.cookies(), set())
            visit.run("usercomEvent('late')")
            self.say(visit, "Accepted")
            self.wait_for("load")


class TestPages(WidgetCase):
    def test_navigation_without_loading_and_events(self):
        self.account.widget_not_pages = "/my/secret"
        self.make_person("jan")
        with self.visiting() as visit:
            visit.sign_in("jan")
            visit.open("/my")
            visit.run("usercomEvent('video_seen', { minutes: 3 })")
            self.assertEqual(visit.run("usercomEvent.length"), 1)
            load, event = self.wait_for("load", "event.video_seen")
            self.assertEqual(event["told"], {"minutes": 3})
            for code, page in (
                ("history.pushState({}, '', '/my/orders?page=2')", "/my/orders?page=2"),
                ("history.replaceState({}, '', '/my/orders')", "/my/orders"),
                ("history.back()", "/my"),
            ):
                visit.run(code)
                [hit] = self.wait_for("pageHit")
                self.assertEqual((hit["page"], hit["told"]), (page, {"apiKey": "abc123"}))
                self.assertEqual(hit["key"], load["key"])
            for page in ("/my#top", "/my/secret/1", "/my/orders/1?access_token=abc"):
                visit.run(f"history.pushState({{}}, '', '{page}')")
            visit.run("history.pushState({}, '', '/my/secrets')")
            self.assertEqual(self.wait_for("pageHit")[0]["page"], "/my/secrets")

    def test_which_pages(self):
        self.account.write({"widget_pages": "/\n/my", "widget_not_pages": "/my/account"})
        self.make_person("jan")
        with self.visiting() as visit:
            visit.sign_in("jan")
            for page in ("/my/account", "/my?access_token=abc", "/my?x=1&signup_token=abc"):
                visit.open(page)
                self.expect_nothing(visit)
            visit.open("/my/account")
            visit.run("history.pushState({}, '', '/my')")
            self.assertEqual(self.wait_for("load")[0]["page"], "/my")

    def test_content_security_policy_without_inline_code(self):
        """Odoo's own inline scripts are let in by their hashes; of ours there are none.

        Odoo's templates are compiled in the browser (``unsafe-eval``).
        """
        self.make_person("jan")
        post_dispatch = self.env.registry["ir.http"]._post_dispatch

        def with_policy(response):
            post_dispatch(response)
            if response.mimetype == "text/html":
                inline = html.fromstring(response.get_data(as_text=True)).xpath(
                    "//script[not(@src)]"
                )
                digests = [hashlib.sha256((tag.text or "").encode()).digest() for tag in inline]
                allowed = " ".join(f"'sha256-{b64encode(each).decode()}'" for each in digests)
                response.headers["Content-Security-Policy"] = (
                    f"script-src 'self' 'unsafe-eval' https://acme.user.com {allowed}; "
                    "connect-src 'self' https://acme.user.com"
                )

        ir_http = self.env.registry["ir.http"]
        with patch.object(ir_http, "_post_dispatch", with_policy), self.visiting() as visit:
            visit.sign_in("jan")
            visit.open("/my")
            self.assertEqual(self.wait_for("load")[0]["told"]["user_id"], "id-jan")
            visit.run(
                """
                script = document.createElement("script");
                script.textContent = "window.inline = true";
                document.head.append(script);
                """
            )
            self.assertEqual(visit.run("typeof window.inline"), "undefined")
