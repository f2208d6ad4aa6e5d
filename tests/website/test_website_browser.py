"""In a browser: Odoo's cookies bar, and two websites with two accounts."""

from unittest.mock import patch

import pytest
from odoo import Command

from tests.browser.test_browser_widget import WidgetCase
from tests.support.visitors import link

#: Of a page that is left while one of Odoo's own requests is on its way.
leaves_early = pytest.mark.expected_log("TypeError: Failed to fetch", optional=True)


class TestWebsiteInBrowser(WidgetCase):
    bundles = (*WidgetCase.bundles, "web.assets_frontend_lazy")

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

    @leaves_early
    def test_cookies_refused_then_accepted(self):
        self.website.cookies_bar = True
        with self.visiting(with_odoo=True) as visit:
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

    @leaves_early
    def test_the_newsletter_block_shows_what_subscribing_means(self):
        self.account.widget_on = False
        purpose = self.env.ref("usercom_connector.purpose_email")
        text = self.env["usercom.consent.text"].create(
            {"purpose_id": purpose.id, "lang": "en_US", "text": "<b>News</b> & offers"}
        )
        self.website.usercom_newsletter_purpose_ids = purpose
        mailing_list = self.env["mailing.list"].create({"name": "News", "is_public": True})
        block = f"""
            <div class="js_subscribe" data-list-id="{mailing_list.id}">
                <div class="js_subscribed_wrap d-none">Thanks</div>
                <div class="js_subscribe_wrap">
                    <input type="email" name="email" class="js_subscribe_value form-control"/>
                    <a href="#" role="button" class="js_subscribe_btn">Subscribe</a>
                </div>
            </div>
        """
        page = self.env["website.page"].search([("url", "=", "/contactus")], limit=1)
        page.view_id.arch = page.view_id.arch.replace("</section>", f"</section>{block}", 1)
        with self.visiting(with_odoo=True) as visit:
            visit.open("/contactus")
            shown = visit.run(
                """
                (async () => {
                    const wait = async (find) => {
                        while (!find()) {
                            await new Promise((done) => setTimeout(done, 50));
                        }
                        return find();
                    };
                    const text = await wait(() =>
                        document.querySelector(".js_subscribe .s_usercom_consent")
                    );
                    const shown = text.innerText;
                    document.querySelector(".js_subscribe_value").value = "ola@example.com";
                    document.querySelector(".js_subscribe_btn").click();
                    await wait(() => document.querySelector(".js_subscribed_wrap:not(.d-none)"));
                    return shown;
                })()
                """
            )
        [event] = self.env["usercom.consent.event"].search([("address", "=", "ola@example.com")])
        self.assertEqual((event.text_id, event.state), (text, "given"))
        self.assertEqual(shown, text.text)

    def test_two_websites_with_two_accounts(self):
        second = self.env["website"].create({"name": "Second", "domain": "http://localhost:1"})
        other = self.make_widget(
            name="B",
            subdomain="other",
            widget_key="bbb222",
            widget_website_ids=[Command.set(second.ids)],
        )
        jan = self.make_person("jan")
        link(other, jan.partner_id, usercom_id="77", custom_id="b-jan", custom_id_there="b-jan")
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
