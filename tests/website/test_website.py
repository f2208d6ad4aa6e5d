"""The glue addons: the widget per website, and what visitors agree to in forms."""

from unittest.mock import patch

from lxml import html
from odoo import Command
from odoo.http import Request
from odoo.tests.common import new_test_user, tagged

from tests.http.test_visitor import VisitorCase

TEXT = "Yes, send me <b>news</b> & offers. \u202e🙈"


@tagged("post_install", "-at_install")
class WebsiteCase(VisitorCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env["website"].search([], limit=1)
        cls.website.domain = False
        cls.purpose = cls.env.ref("usercom_connector.purpose_email")
        cls.text = cls.env["usercom.consent.text"].create(
            {"purpose_id": cls.purpose.id, "lang": "en_US", "text": TEXT}
        )

    def messages(self, address):
        return self.env["mail.mail"].search([("email_to", "=", address)])

    def events(self, address=None):
        self.env.invalidate_all()
        domain = [("address", "=", address)] if address else [("source", "=", "website")]
        return self.env["usercom.consent.event"].search(domain, order="id")


class TestWidget(WebsiteCase):
    def test_website_pages_have_it(self):
        settings = self.settings("/contactus")
        self.assertEqual((settings["key"], settings["asks"]), ("abc123", False))
        self.authenticate("jan", "jan")
        self.assertTrue(self.settings("/contactus")["asks"])
        self.assertEqual(self.ask()["civchat"]["email"], "jan@example.com")

    def test_two_websites_with_two_accounts(self):
        second = self.env["website"].create({"name": "Second", "domain": "http://localhost:1"})
        other = self.make_account(
            name="B", widget_key="bbb222", widget_website_ids=[Command.set(second.ids)]
        )
        self.link(self.jan.partner_id, other, usercom_id="77", custom_id="b", custom_id_there="b")
        self.authenticate("jan", "jan")
        websites = self.env.registry["website"]
        for website, key, user_id in (
            (self.website, "abc123", f"id-{self.jan.partner_id.id}"),
            (second, "bbb222", "b"),
        ):
            with patch.object(websites, "_get_current_website_id", lambda *a, w=website.id, **k: w):
                self.assertEqual(self.settings("/my")["key"], key)
                self.assertEqual(self.ask()["civchat"]["user_id"], user_id)

    def test_waits_where_the_cookies_bar_is(self):
        self.assertFalse(self.settings("/contactus")["waits"])
        self.website.cookies_bar = True
        self.assertTrue(self.settings("/contactus")["waits"])

    def test_kept_pages_follow_the_settings(self):
        """Odoo keeps anonymous pages for an hour, also one that a robot came for first."""
        robot = {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
        self.assertIsNone(self.settings("/contactus", headers=robot))
        self.assertTrue(self.settings("/contactus"))
        self.assertTrue(self.settings("/contactus"))
        self.account.widget_state = "hidden"
        self.assertEqual(self.settings("/contactus")["state"], "hidden")
        self.account.widget_on = False
        self.assertIsNone(self.settings("/contactus"))

    def test_kept_pages_hold_nobody(self):
        self.authenticate("jan", "jan")
        before = self.page("/contactus")
        self.authenticate(None, None)
        for _visit in range(2):
            page = self.page("/contactus")
            for datum in ("Testowy", f"id-{self.jan.partner_id.id}", "jan@example.com"):
                self.assertNotIn(datum, page)
        self.assertIn("Testowy", before)  # as Odoo greets whom it knows

    def test_not_for_who_may_edit(self):
        self.account.widget_group_ids = False
        new_test_user(self.env, "editor", "base.group_user,website.group_website_designer")
        self.authenticate("editor", "editor")
        self.assertIsNone(self.settings("/contactus"))
        groups = "base.group_user,website.group_website_restricted_editor"
        new_test_user(self.env, "restricted", groups)
        self.authenticate("restricted", "restricted")
        self.assertIsNone(self.settings("/contactus"))

    def test_path_of_a_page_in_another_language(self):
        lang = self.env["res.lang"]._activate_lang("pl_PL")
        self.website.language_ids |= lang
        self.assertEqual(self.settings("/contactus")["prefix"], "/en")
        self.assertEqual(self.settings("/pl/contactus")["prefix"], "/pl")

    def test_anonymous_pages_cost_no_query(self):
        def queries(path):
            self.page(path)
            before = self.env.cr.sql_log_count
            self.page(path)
            return self.env.cr.sql_log_count - before

        paths = ("/contactus", "/contactus?x=1")  # the one is kept, the other is not
        with_widget = [queries(path) for path in paths]
        self.account.widget_on = False
        self.assertEqual(with_widget, [queries(path) for path in paths])


class TestForms(WebsiteCase):
    def ask_for_consents(self):
        self.website.usercom_form_purpose_ids = self.purpose

    def boxes(self, path="/contactus"):
        return self.tree(path).xpath("//form//input[starts-with(@name, 'usercom_consent_')]")

    def send(self, **values):
        """What the browser sends; the answer is Odoo's."""
        vals = {
            "email_from": "ola@example.com",
            "name": "Ola Nowa",
            "subject": "S",
            "email_to": "info@yourcompany.example.com",
            "description": "Hello",
            **values,
        }
        [signature] = self.tree("/contactus").xpath(
            "//input[@name='website_form_signature']/@value"
        )
        vals["website_form_signature"] = signature
        vals["email_to"] = self.env.company.email or ""
        mails = self.env.registry["mail.mail"]
        with patch.object(mails, "send", lambda self, *args, **kwargs: True):
            return self.url_open(
                "/website/form/mail.mail",
                data=vals,
                headers={"Referer": f"{self.base_url()}/contactus?secret=1"},
            ).json()

    def tick(self, text=None, field="email_from"):
        return {f"usercom_consent_{(text or self.text).id}": field}

    def test_box_with_the_text(self):
        self.assertFalse(self.boxes())
        self.ask_for_consents()
        [box] = self.boxes()
        self.assertEqual(box.get("name"), f"usercom_consent_{self.text.id}")
        self.assertEqual((box.get("value"), box.get("checked")), ("email_from", None))
        self.assertEqual(" ".join(box.getparent().text_content().split()), TEXT)
        newer = self.text.copy({"text": "Newer", "version": 0})
        self.assertEqual(self.boxes()[0].get("name"), f"usercom_consent_{newer.id}")

    def test_ticked_it_is_on_record(self):
        self.ask_for_consents()
        self.assertTrue(self.send(**self.tick())["id"])
        [event] = self.events("ola@example.com")
        self.assertEqual((event.state, event.source), ("given", "website"))
        self.assertEqual((event.purpose_id, event.text_id.text), (self.purpose, TEXT))
        self.assertEqual(event.document, f"{self.base_url()}/contactus")
        self.assertEqual(event.partner_id.name, "Ola Nowa")
        self.assertEqual(event.partner_id.usercom_email_consent, "given")
        self.assertTrue(event.ip and event.browser)
        mail = self.env["mail.mail"].search([], limit=1, order="id desc")
        self.assertNotIn("usercom_consent", mail.body_html)

    def test_not_ticked_is_no_word(self):
        self.ask_for_consents()
        self.assertTrue(self.send()["id"])
        self.assertFalse(self.events())
        self.assertFalse(self.env["res.partner"].search([("email", "=", "ola@example.com")]))

    def test_an_older_text_that_a_page_still_showed(self):
        self.ask_for_consents()
        self.text.copy({"text": "Newer", "version": 0})
        self.send(**self.tick())
        self.assertEqual(self.events().text_id, self.text)

    def test_a_text_that_was_deleted_is_not_shown_any_more(self):
        field = "usercom_form_purpose_ids"
        self.website[field] = self.purpose
        newer = self.text.copy({"text": "Newer", "version": 0})
        shown = self.website._usercom_texts(field, "en_US")
        self.assertEqual(shown, ((newer.id, "Newer"),))
        newer.unlink()
        shown = self.website._usercom_texts(field, "en_US")
        self.assertEqual(shown, ((self.text.id, TEXT),))

    def test_what_was_not_asked_for_counts_for_nothing(self):
        other = self.purpose.copy({"name": "Other"})
        text = self.env["usercom.consent.text"].create(
            {"purpose_id": other.id, "lang": "en_US", "text": "Other"}
        )
        self.send(**self.tick(text))
        self.ask_for_consents()
        self.send(**self.tick(text))
        self.send(**self.tick(field="description"))
        self.send(usercom_consent_999999999="email_from")
        self.assertFalse(self.events())

    def test_of_who_is_known(self):
        self.ask_for_consents()
        self.send(**self.tick(), email_from="Jan@Example.com")
        self.assertEqual(self.events().partner_id, self.jan.partner_id)
        self.assertEqual(self.jan.partner_id.usercom_email_consent, "given")

    def test_nobody_else_raises_a_no(self):
        self.ask_for_consents()
        self.jan.partner_id.usercom_email_consent = "given"
        self.jan.partner_id.usercom_email_consent = "withdrawn"
        self.send(**self.tick(), email_from="jan@example.com")
        self.assertEqual(self.events("jan@example.com")[-1].state, "pending")
        self.assertEqual(self.jan.partner_id.usercom_email_consent, "withdrawn")
        self.assertTrue(self.messages("jan@example.com"))  # by which the holder can do so
        self.authenticate("jan", "jan")
        token = Request.csrf_token(self)
        self.send(**self.tick(), email_from="jan@example.com", csrf_token=token)
        self.assertEqual(self.jan.partner_id.usercom_email_consent, "given")

    def test_to_be_confirmed(self):
        self.ask_for_consents()
        self.purpose.double_opt_in = True
        self.send(**self.tick())
        self.assertEqual(self.events().state, "pending")
        self.send(**self.tick(), email_from="jan@example.com")
        self.assertEqual(self.events("jan@example.com").state, "pending")
        for address in ("ola@example.com", "jan@example.com"):
            self.assertEqual(len(self.messages(address)), 1)

    def test_over_a_yes_that_wants_to_be_confirmed(self):
        """A stranger's entry makes it no newer: a "no" from before it may come in yet."""
        self.ask_for_consents()
        self.purpose.double_opt_in = True
        self.jan.partner_id.usercom_email_consent = "given"
        self.send(**self.tick(), email_from="jan@example.com")
        self.assertEqual(self.events("jan@example.com")[-1].state, "pending")
        self.assertEqual(self.jan.partner_id.usercom_email_consent, "given")
        self.assertFalse(self.messages("jan@example.com"))

    def test_confirmed_by_one_message_for_all_that_was_asked(self):
        other = self.purpose.copy({"name": "Other", "double_opt_in": True})
        text = self.text.copy({"purpose_id": other.id})
        self.purpose.double_opt_in = True
        self.website.usercom_form_purpose_ids = self.purpose | other
        self.website.domain = "https://shop.example"
        self.send(**self.tick(), **self.tick(text))
        [message] = self.messages("ola@example.com")
        [link] = html.fromstring(message.body_html).xpath("//a/@href")
        self.assertTrue(link.startswith("https://shop.example/usercom/"), link)
        self.website.domain = False
        [form] = self.tree(f"/usercom/{link.partition('/usercom/')[2]}").xpath(
            "//form[contains(@action, '/record')]"
        )
        [token] = form.xpath(".//input[@name='csrf_token']/@value")
        self.url_open(form.get("action"), data={"csrf_token": token}).raise_for_status()
        given = self.events("ola@example.com").filtered(lambda event: event.state == "given")
        self.assertEqual(given.purpose_id, self.purpose | other)
        self.assertEqual(set(given.mapped("document")), {f"{self.base_url()}/contactus"})
        self.assertEqual(given.partner_id.usercom_email_consent, "given")

    def test_editors_page_is_as_it_was_saved(self):
        self.ask_for_consents()
        new_test_user(self.env, "editor", "base.group_user,website.group_website_designer")
        self.authenticate("editor", "editor")
        self.assertFalse(self.boxes())


class TestNewsletter(WebsiteCase):
    def setUp(self):
        super().setUp()
        self.website.usercom_newsletter_purpose_ids = self.purpose
        self.list = self.env["mailing.list"].create({"name": "News", "is_public": True})

    def call(self, method, **params):
        params |= {"list_id": self.list.id, "subscription_type": "email"}
        return self.make_jsonrpc_request(f"/website_mass_mailing/{method}", params)

    def test_subscribing_is_agreeing_to_what_was_shown(self):
        self.authenticate(None, None)
        self.assertEqual(self.call("is_subscriber")["usercom_texts"], [TEXT])
        self.text.copy({"text": "Newer", "version": 0})
        answer = self.call("subscribe", value="Ola Nowa <ola@example.com>")
        self.assertEqual(answer["toast_type"], "success")
        [event] = self.events()
        self.assertEqual((event.address, event.text_id), ("ola@example.com", self.text))
        self.assertEqual(event.partner_id.name, "Ola Nowa")

    def test_on_the_list_once_it_is_confirmed(self):
        self.authenticate(None, None)
        self.purpose.double_opt_in = True
        self.list.usercom_purpose_id = self.purpose
        self.call("is_subscriber")
        answer = self.call("subscribe", value="ola@example.com")
        self.assertIn("confirm", answer["toast_content"])
        [subscription] = self.list.subscription_ids
        self.assertTrue(subscription.opt_out)
        self.call("subscribe", value="ola@example.com")
        self.assertTrue(subscription.opt_out)
        self.assertEqual(len(self.messages("ola@example.com")), 2)
        confirmation = self.env["usercom.consent.confirmation"]
        confirmation._confirm(self.events("ola@example.com")[:1])
        self.assertFalse(subscription.opt_out)
        self.assertEqual(self.call("subscribe", value="ola@example.com")["toast_type"], "success")
        self.assertFalse(subscription.opt_out)

    def test_who_is_on_the_list_stays_there(self):
        """Whoever enters their address."""
        self.authenticate(None, None)
        self.purpose.double_opt_in = True
        self.list.usercom_purpose_id = self.purpose
        contact = self.env["mailing.contact"].create(
            {"email": "ola@example.com", "list_ids": self.list.ids}
        )
        self.env.flush_all()
        self.env.cr.execute("UPDATE mailing_subscription SET write_date = '2026-01-01'")
        self.env.invalidate_all()
        self.call("is_subscriber")
        self.call("subscribe", value="ola@example.com")
        self.assertEqual(self.events("ola@example.com").state, "pending")
        self.assertFalse(contact.subscription_ids.opt_out)

    def test_a_list_wants_to_be_confirmed_whatever_was_shown(self):
        self.authenticate(None, None)
        self.website.usercom_newsletter_purpose_ids = False
        self.list.usercom_purpose_id = self.purpose
        self.purpose.double_opt_in = True
        answer = self.call("subscribe", value="ola@example.com")
        self.assertIn("confirm", answer["toast_content"])
        self.assertTrue(self.list.subscription_ids.opt_out)
        [event] = self.events("ola@example.com")
        self.assertEqual((event.state, event.source), ("pending", "mailing"))
        self.assertEqual(len(self.messages("ola@example.com")), 1)
        self.env["usercom.consent.confirmation"]._confirm(event)
        self.assertFalse(self.list.subscription_ids.opt_out)

    def test_by_a_form_of_the_website(self):
        self.authenticate(None, None)
        self.list.usercom_purpose_id = self.purpose
        self.purpose.double_opt_in = True
        token = Request.csrf_token(self)
        form = {"email": "ola@example.com", "list_ids": str(self.list.id), "csrf_token": token}
        answer = self.url_open("/website/form/mailing.contact", data=form)
        self.assertTrue(answer.json()["id"], answer.text)
        self.assertTrue(self.list.subscription_ids.opt_out)
        self.assertEqual(len(self.messages("ola@example.com")), 1)

    def test_a_visitor_is_not_told_what_became_of_an_address(self):
        self.list.usercom_purpose_id = self.purpose
        self.jan.partner_id.usercom_email_consent = "given"
        self.jan.partner_id.usercom_email_consent = "withdrawn"
        answers = []
        for address in ("jan@example.com", "ola@example.com"):
            self.authenticate(None, None)
            self.call("is_subscriber")
            self.call("subscribe", value=address)
            answers.append(self.call("is_subscriber") | {"value": None})
        self.assertEqual(*answers)

    def test_nothing_shown_is_nothing_agreed_to(self):
        self.authenticate(None, None)
        self.call("subscribe", value="ola@example.com")
        self.authenticate(None, None)
        self.website.usercom_newsletter_purpose_ids = False
        self.assertEqual(self.call("is_subscriber")["usercom_texts"], [])
        self.call("subscribe", value="eve@example.com")
        self.assertFalse(self.events())

    def test_page_cost_with_the_blocks_script(self):
        from odoo.addons.usercom_connector.models.usercom_widget import BUNDLE

        bundle = self.env["ir.qweb"]._get_asset_bundle(BUNDLE, css=False, js=True)
        of_page = self.env["ir.qweb"]._get_asset_bundle("web.assets_frontend_lazy", css=False)
        added = [
            len(asset.minify()) for asset in of_page.javascripts if "usercom" in (asset.url or "")
        ]
        self.assertEqual(len(added), 1)
        self.assertLessEqual(len(bundle.js().raw) + sum(added), 4096)
