"""The widget's part of a page: what stands in it for whom, and what is told to whom on request."""

import json
import re
from unittest.mock import patch

from lxml import html
from odoo.addons.usercom_connector.models.usercom_widget import BUNDLE
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests.common import HttpCase, new_test_user, tagged

from tests.support import visitors

HOSTILE = "</script><script>alert(1)</script> \" ' <!-- \u202eright to left \u2028 🙈 &amp;"
LIMIT = 4 * 1024


@tagged("post_install", "-at_install")
class VisitorCase(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = cls.make_account()
        cls.jan = cls.make_person("jan", name="Jan Testowy")
        # What a page needs once is none of a test's business.
        cls.env["ir.qweb"]._get_asset_links(BUNDLE, css=False)

    @classmethod
    def make_account(cls, **vals):
        return visitors.make_widget(cls.env, **vals)

    @classmethod
    def make_person(cls, login, groups="base.group_portal", **vals):
        """Somebody with a password, who is linked."""
        user = new_test_user(cls.env, login, groups, email=f"{login}@example.com", **vals)
        cls.link(user.partner_id)
        return user

    @classmethod
    def link(cls, partner, account=None, **vals):
        return visitors.link(account or cls.account, partner, **vals)

    def binding_of(self, user):
        domain = [("partner_id", "=", user.partner_id.id)]
        return self.env["usercom.binding"].search(domain)

    def page(self, path="/my", **more):
        answer = self.url_open(path, **more)
        self.assertEqual(answer.status_code, 200)
        return answer.text

    def tree(self, path="/my", **more):
        return html.fromstring(self.page(path, **more))

    def settings(self, path="/my", **more):
        """What a page says to our script; nothing where that is not in it."""
        tags = self.tree(path, **more).xpath("//script[@id='usercom_widget']")
        return json.loads(tags[0].get("data-settings")) if tags else None

    def line(self, attribute):
        lines = self.account.contact_mapping_ids
        return lines.filtered(lambda line: line.attribute_id.name_std == attribute)

    def ask(self, **more):
        answer = self.url_open("/usercom/visitor", method="POST", **more)
        self.assertEqual(answer.status_code, 200)
        return answer.json()


class TestPage(VisitorCase):
    def test_says_the_settings_and_nothing_else(self):
        settings = {
            "key": "abc123",
            "src": "https://acme.user.com/widget.js",
            "state": "simple",
            "waits": False,
            "only": [],
            "not": ["/web/login", "/web/signup", "/web/reset_password"],
            "prefix": "",
        }
        self.assertEqual(self.settings("/web/login"), settings | {"asks": False})
        self.authenticate("jan", "jan")
        settings |= {"asks": True, "prefix": "/en"}
        self.assertEqual(self.settings(), settings)
        self.account.write({"widget_state": "hidden", "widget_consent": "ask"})
        self.account.widget_pages = "/my/orders\n\n /shop "
        changed = {"state": "hidden", "waits": True, "only": ["/my/orders", "/shop"]}
        self.assertEqual(self.settings(), settings | changed)

    def test_no_personal_datum_of_ours_in_anybodys_html(self):
        """A page is the same with and without the widget but for a tag, which holds nothing."""
        binding = self.binding_of(self.jan)
        tag = re.compile(r"\s*<script[^>]*usercom_widget[^>]*></script>")
        tokens = re.compile(r'(?<=csrf_token: ")\w+|(?<=name="csrf_token" value=")\w+')
        for login, path in ((None, "/web/login"), ("jan", "/my")):
            self.authenticate(login, login)
            self.account.widget_on = True
            with_widget = self.page(path)
            visitor = self.ask().get("visitor", "nobody")
            self.account.widget_on = False
            without = self.page(path)
            [found] = tag.findall(with_widget)
            person = ("Jan", "Testowy", "example.com", binding.custom_id, visitor)
            for datum in (*person, "user_id", "email"):
                self.assertNotIn(datum, found)
            self.assertEqual(
                tokens.sub("", tag.sub("", with_widget)).split(), tokens.sub("", without).split()
            )

    def test_who_gets_it(self):
        staff = self.make_person("staff", "base.group_user")
        for audience, groups, expected in (
            ("everybody", "base.group_portal", (True, True, False)),
            ("signed_in", "base.group_portal", (False, True, False)),
            ("everybody", "base.group_user", (True, False, True)),
            ("signed_in", None, (False, True, True)),
        ):
            self.account.widget_audience = audience
            self.account.widget_group_ids = self.env.ref(groups) if groups else False
            for login, is_wanted in zip((None, "jan", staff.login), expected, strict=True):
                with self.subTest(audience=audience, groups=groups, login=login):
                    self.authenticate(login, login)
                    path = "/my" if login else "/web/login"
                    self.assertEqual(bool(self.settings(path)), is_wanted)
                    self.assertEqual(bool(self.ask()), bool(is_wanted and login))

    def test_not_in_the_back_office(self):
        self.account.widget_group_ids = False
        self.authenticate("admin", "admin")
        self.assertIsNone(self.settings("/odoo"))
        # Whose address opens it: an address that User.com would be told.
        self.assertIsNone(self.settings("/usercom/consents/confirm/abc"))

    def test_not_for_bots(self):
        robot = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
        self.assertIsNone(self.settings("/web/login", headers=robot))
        self.assertTrue(self.settings("/web/login"))

    def test_not_where_it_is_off(self):
        for name, value in (("widget_on", False), ("active", False), ("state", "draft")):
            before = self.account[name]
            self.account[name] = value
            self.assertIsNone(self.settings("/web/login"), name)
            self.account[name] = before
            self.assertTrue(self.settings("/web/login"), name)
        self.account.state = "paused"  # what is known of people is still right
        self.assertTrue(self.settings("/web/login"))

    def test_not_in_a_copy(self):
        self.env["ir.config_parameter"].set_param("database.uuid", "another one")
        self.assertIsNone(self.settings("/web/login"))

    def test_not_in_a_neutralized_database(self):
        self.env["ir.config_parameter"].set_param("database.is_neutralized", "true")
        self.assertIsNone(self.settings("/web/login"))
        self.authenticate("jan", "jan")
        self.assertEqual(self.ask(), {})
        for query in get_neutralization_queries(["usercom_connector"]):
            self.env.cr.execute(query)
        self.env.invalidate_all()
        self.assertFalse(self.account.widget_on)

    def test_the_account_of_the_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        nearer = self.make_account(name="B", widget_key="bbb222", company_id=self.env.company.id)
        self.make_account(name="C", widget_key="ccc333", company_id=other.id)
        self.assertEqual(self.settings("/web/login")["key"], "bbb222")
        nearer.widget_on = False
        self.assertEqual(self.settings("/web/login")["key"], "abc123")

    def test_pages_cost_no_query(self):
        def queries(path):
            self.page(path)  # so that all is warm
            before = self.env.cr.sql_log_count
            self.page(path)
            return self.env.cr.sql_log_count - before

        for login, path in ((None, "/web/login"), ("jan", "/my")):
            self.authenticate(login, login)
            self.account.widget_on = True
            with_widget = queries(path)
            self.account.widget_on = False
            self.assertEqual(with_widget, queries(path), path)
            self.assertGreater(with_widget, 0)

    def test_one_small_file_that_browsers_keep_and_no_code_in_the_page(self):
        self.authenticate("jan", "jan")
        page = self.tree()
        [tag] = page.xpath("//script[@id='usercom_widget']")
        self.assertEqual(set(tag.keys()), {"id", "defer", "src", "data-settings"})
        self.assertFalse(tag.text)
        answer = self.url_open(tag.get("src"))
        self.assertLessEqual(len(answer.content), LIMIT)
        self.assertRegex(answer.headers["Cache-Control"], r"public.*max-age=\d{7,}")
        # Nothing else of ours: neither in the page, nor in what its other files hold.
        ours = page.xpath(
            "//script[contains(@src, 'usercom')] | //link[contains(@href, 'usercom')]"
        )
        self.assertEqual(ours, [tag])
        [lazy] = page.xpath("//script[contains(@data-src, 'assets_frontend_lazy')]/@data-src")
        self.assertNotIn("usercom", self.url_open(lazy).text)


class TestVisitor(VisitorCase):
    def test_oneself_and_nobody_else(self):
        other = self.make_person("ola", name="Ola Inna")
        self.assertEqual(self.ask(), {})
        told = []
        for user in (self.jan, other):
            self.authenticate(user.login, user.login)
            told.append(self.ask())
            civchat = told[-1]["civchat"]
            self.assertEqual(civchat["email"], user.email)
            self.assertEqual(civchat["user_id"], f"id-{user.partner_id.id}")
        self.assertNotEqual(told[0]["visitor"], told[1]["visitor"])
        self.authenticate(None, None)
        self.assertEqual(self.ask(), {})

    def test_never_kept(self):
        self.authenticate("jan", "jan")
        answer = self.url_open("/usercom/visitor", method="POST")
        self.assertIn("no-store", answer.headers["Cache-Control"])
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        self.assertEqual(self.url_open("/usercom/visitor").status_code, 405)

    def test_hostile_names_are_data(self):
        self.make_person("eve", name=HOSTILE)
        self.line("name").too_long = "cut"
        self.authenticate("eve", "eve")
        told = self.ask()["civchat"]
        self.assertEqual(told["first_name"], "</script><script>alert(1)</script>")
        self.assertIn("🙈", told["last_name"])
        [tag] = self.tree().xpath("//script[@id='usercom_widget']")
        self.assertNotIn("alert", html.tostring(tag).decode())

    def test_values_are_not_in_the_visitors_language(self):
        lang = self.env["res.lang"]._activate_lang("pl_PL")
        tag = self.env["res.partner.category"].create({"name": "Retail"})
        tag.with_context(lang=lang.code).name = "Detal"
        self.jan.write({"lang": lang.code, "category_id": tag.ids})
        attribute = self.env["usercom.attribute"].create(
            {"account_id": self.account.id, "name": "Kind", "name_std": "kind_of"}
            | {"kind": "contact", "value_type": "string"}
        )
        self.env["usercom.mapping"].create(
            {"account_id": self.account.id, "odoo_field": "category_id", "direction": "out"}
            | {"attribute_id": attribute.id, "on_web": True}
        )
        self.authenticate("jan", "jan")
        self.assertEqual(self.ask()["civchat"]["kind_of"], "Retail")

    def test_without_the_id_the_address_and_one_row_a_visit(self):
        binding = self.binding_of(self.jan)
        binding.write({"custom_id_there": False, "send_custom_id": True})
        changes = self.env["usercom.change"]
        for visit in (1, 2):
            changes.search([]).unlink()
            self.authenticate("jan", "jan")
            for _page in range(3):
                self.assertEqual(self.ask()["civchat"], {"email": "jan@example.com"})
            self.env.invalidate_all()
            rows = changes.search([("account_res_id", "=", self.account.id)])
            self.assertEqual(rows.mapped("partner_res_id"), self.jan.partner_id.ids, visit)
            self.assertTrue(binding.is_awaited)

    def test_known_people_leave_no_row(self):
        self.env["usercom.change"].search([]).unlink()
        self.authenticate("jan", "jan")
        self.ask()
        self.env.invalidate_all()
        self.assertFalse(self.env["usercom.change"].search([]))

    def test_staff_are_no_contacts(self):
        self.account.widget_group_ids = False
        self.make_person("staff", "base.group_user")
        self.authenticate("staff", "staff")
        told = self.ask()
        self.assertEqual(told["civchat"], {})
        self.assertTrue(told["visitor"])

    def test_waits_for_no_lock(self):
        """What the push holds just now is marked at the next visit."""
        binding = self.binding_of(self.jan)
        binding.write({"custom_id_there": False, "send_custom_id": True})
        empty = self.env["usercom.binding"]
        with patch.object(self.env.registry["usercom.binding"], "_locked", lambda self: empty):
            self.authenticate("jan", "jan")
            self.ask()
        self.env.invalidate_all()
        self.assertFalse(binding.is_awaited)
        self.assertTrue(self.env["usercom.change"].search([]))
