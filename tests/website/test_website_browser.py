"""In a browser: Odoo's cookies bar, and two websites with two accounts."""

from unittest.mock import patch

from odoo import Command

from tests.browser.test_browser_widget import WidgetCase


class TestWebsiteInBrowser(WidgetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env["website"].search([], limit=1)
        cls.website.domain = False

    def answer(self, visit, button):
        """Press one of the two buttons of the cookies bar."""
        visit.run(
            f"""
            (async () => {{
                const find = () => document.querySelector("#website_cookies_bar .show {button}");
                while (!find()) {{
                    await new Promise((done) => setTimeout(done, 50));
                }}
                find().click();
            }})()
            """
        )

    def test_cookies_refused_then_accepted(self):
        self.website.cookies_bar = True
        with self.visiting() as visit:
            visit.open("/contactus")
            self.expect_nothing(visit)
            self.answer(visit, "#cookies-consent-essential")
            self.expect_nothing(visit)
            visit.open("/cookie-policy")
            self.expect_nothing(visit)
            visit.run("document.querySelector('.o_cookies_bar_toggle').click()")
            self.answer(visit, "#cookies-consent-all")
            [load] = self.wait_for("load")  # at once
            self.assertEqual(load["page"], "/cookie-policy")
            self.assertEqual(visit.cookies(), {"__ca__chat"})
            visit.open("/contactus")
            self.wait_for("load")  # and from then on

    def test_two_websites_with_two_accounts(self):
        second = self.env["website"].create({"name": "Second", "domain": "http://localhost:1"})
        other = self.make_widget(
            name="B",
            subdomain="other",
            widget_key="bbb222",
            widget_website_ids=[Command.set(second.ids)],
        )
        jan = self.make_person("jan")
        self.env["usercom.binding"].create(
            {
                "account_id": other.id,
                "partner_id": jan.partner_id.id,
                "usercom_id": "77",
                "custom_id": "b-jan",
                "custom_id_there": "b-jan",
                "state": "linked",
                "origin": "odoo",
            }
        )
        websites = self.env.registry["website"]
        with self.visiting() as visit:
            visit.sign_in("jan")
            for website, told in (
                (self.website, ("acme.user.com", "abc123", "id-jan")),
                (second, ("other.user.com", "bbb222", "b-jan")),
            ):
                with patch.object(
                    websites, "_get_current_website_id", lambda *a, w=website.id, **k: w
                ):
                    visit.open("/my")
                [load] = self.wait_for("load")
                found = load["host"], load["told"]["apiKey"], load["told"]["user_id"]
                self.assertEqual(found, told)
