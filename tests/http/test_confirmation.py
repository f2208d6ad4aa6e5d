"""Double opt-in: the message that asks to confirm a consent, its link, and the page it leads to."""

from datetime import timedelta

from freezegun import freeze_time
from lxml import html
from odoo import fields
from odoo.http import Request
from odoo.tests.common import HttpCase, new_test_user, tagged

OLA = "ola@example.com"
FORM = "https://shop.example/contactus"


@tagged("post_install", "-at_install")
class TestConfirmation(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.env["usercom.consent.event"]
        cls.email = cls.env.ref("usercom_connector.purpose_email")
        cls.ola = cls.env["res.partner"].create({"name": "Buy at evil.example", "email": OLA})
        cls.text = cls.env["usercom.consent.text"].create(
            {"purpose_id": cls.email.id, "lang": "en_US", "text": "Yes, <b>write</b> to me."}
        )
        cls.facts = {"source": "website", "document": FORM, "text_id": cls.text.id}

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def wait(self, partner=None, purpose=None, **facts):
        partner, purpose = partner or self.ola, purpose or self.email
        return self.events._record(partner, purpose, "pending", **(self.facts | facts))

    def mails(self):
        return self.env["mail.mail"].search([("email_to", "=", OLA)], order="id")

    def link(self, mail=None):
        [link] = html.fromstring((mail or self.mails()[-1:]).body_html).xpath("//a/@href")
        base, page = link.partition("/usercom/")[::2]
        self.assertEqual(base, self.events.get_base_url())
        return f"/usercom/{page}"

    def click(self, link, token=True):
        data = {"csrf_token": Request.csrf_token(self)} if token else {"a": "b"}
        headers = {"User-Agent": "Test browser"}
        return self.url_open(f"{link}/record", data=data, headers=headers)

    def said(self, state="given"):
        self.env.invalidate_all()
        return self.events.search([("state", "=", state)], order="id")

    def test_message(self):
        self.env.company.email = "shop@example.com"
        trigger = self.env.ref("mail.ir_cron_mail_scheduler_action")
        before = self.env["ir.cron.trigger"].search_count([("cron_id", "=", trigger.id)])
        self.wait()
        [mail] = self.mails()
        self.assertFalse(mail.recipient_ids)  # whose address may change until it is sent
        self.assertEqual((mail.state, mail.auto_delete), ("outgoing", True))
        self.assertEqual(mail.email_from, self.env.company.email_formatted)
        self.assertIn("Yes, &lt;b&gt;write&lt;/b&gt; to me.", mail.body_html)
        # Anybody could have entered the name.
        self.assertNotIn("evil", f"{mail.body_html} {mail.subject}")
        triggers = self.env["ir.cron.trigger"].search_count([("cron_id", "=", trigger.id)])
        self.assertEqual(triggers, before + 1)
        self.assertEqual(self.ola.usercom_email_consent, "pending")

    def test_no_colleague_can_confirm_for_the_person(self):
        """Who may read the event, or has filled in the form, gets to see no link."""
        template = self.env.ref("usercom_connector.mail_template_consent_confirmation")
        template.email_cc = "sales@example.com"
        sales, clerk = (
            new_test_user(self.env, login, groups="base.group_user,base.group_partner_manager")
            for login in ("sales", "clerk")
        )
        events = self.events.with_user(clerk)
        event = events._record(self.ola, self.email, "pending", **self.facts)
        [mail] = self.mails()
        self.assertIn("/usercom/consents/confirm/", mail.body_html)
        for user in (sales, clerk, self.env.ref("base.public_user")):
            with self.subTest(user.login):
                messages = self.env["mail.message"].with_user(user).search([])
                messages |= messages.browse(mail.mail_message_id.id)
                for message in messages.filtered(lambda each: each.has_access("read")):
                    self.assertNotIn("/usercom/consents/confirm/", message.body or "")
                self.assertFalse(self.env["mail.mail"].with_user(user).has_access("read"))
        self.assertTrue(event.with_user(sales).has_access("read"))
        self.assertFalse(mail.email_cc)

    def test_opening_the_link_says_nothing_and_the_button_does(self):
        self.wait()
        link = self.link()
        page = self.url_open(link)
        self.assertIn("Yes, &lt;b&gt;write&lt;/b&gt; to me.", page.text)
        self.assertIn(OLA, page.text)
        self.assertEqual(page.headers["Cache-Control"], "no-store")
        self.assertEqual(page.headers["Referrer-Policy"], "no-referrer")
        self.url_open(link, method="HEAD")
        self.url_open(f"{link}/record", method="OPTIONS")
        self.assertFalse(self.said())
        answer = self.click(link)
        self.assertIn("your answer is recorded", answer.text)
        self.assertFalse(html.fromstring(answer.text).xpath("//button[text()='I agree']"))
        [event] = self.said()
        self.assertEqual((event.partner_id, event.address), (self.ola, OLA))
        self.assertEqual((event.source, event.document), ("confirmation", FORM))
        self.assertEqual((event.text_id, event.browser), (self.text, "Test browser"))
        self.assertEqual(event.ip, "127.0.0.1")
        self.assertEqual(self.ola.usercom_email_consent, "given")
        self.click(link)
        self.assertEqual(len(self.said()), 1)

    def test_a_form_of_another_website_cannot_push_the_button(self):
        self.wait()
        with self.assertLogs("odoo.http", "WARNING"):
            self.assertEqual(self.click(self.link(), token=False).status_code, 400)
        self.assertFalse(self.said())

    def test_a_link_serves_once(self):
        self.wait()
        self.click(self.link())
        self.events._record(self.ola, self.email, "withdrawn")
        self.assertIn("not valid any more", self.click(self.link()).text)
        self.assertEqual(len(self.said()), 1)
        self.assertEqual(self.ola.usercom_email_consent, "withdrawn")

    def test_over_a_no_that_was_found_meanwhile(self):
        """As when User.com is read for the first time: the person answers now."""
        self.wait()
        self.events._record(self.ola, self.email, "withdrawn", "usercom")
        self.click(self.link())
        self.assertEqual(self.ola.usercom_email_consent, "given")

    def test_links_that_are_none(self):
        self.wait()
        link = self.link()
        page, token = link.rsplit("/", 1)
        wrong = [
            token[:-4],
            token[:30] + ("A" if token[30] != "A" else "B") + token[31:],
            "x",
            "AQ",
            "%C5%BC%C3%B3%C5%82w",
        ]
        for each in wrong:
            with self.subTest(each):
                self.assertIn("not valid any more", self.url_open(f"{page}/{each}").text)
                self.assertIn("not valid any more", self.click(f"{page}/{each}").text)
        self.assertFalse(self.said())

    def test_after_a_week_it_is_none_any_more(self):
        with freeze_time(fields.Datetime.now() - timedelta(days=7, minutes=1)):
            self.wait()
        self.assertIn("not valid any more", self.click(self.link()).text)
        with freeze_time(fields.Datetime.now() - timedelta(days=6, hours=23)):
            self.wait()
        self.assertIn("your answer is recorded", self.click(self.link()).text)

    def test_a_number_that_is_of_another_word_by_now(self):
        """The database was restored from a copy, and the link is of after the copy."""
        other = self.ola.copy({"email": "other@example.com"})
        first, second = self.wait(), self.wait(other)
        link = self.link()
        self.env.cr.execute("DELETE FROM usercom_consent_event WHERE id = %s", [first.id])
        self.env.cr.execute(
            "UPDATE usercom_consent_event SET id = %s WHERE id = %s", [first.id, second.id]
        )
        self.env.invalidate_all()
        self.assertIn("not valid any more", self.click(link).text)
        self.assertFalse(self.said())

    def test_a_link_is_of_what_waits(self):
        event = self.events._record(self.ola, self.email, "withdrawn")
        link = self.env["usercom.consent.confirmation"]._link(event).partition("/usercom/")[2]
        self.click(f"/usercom/{link}")
        self.assertFalse(self.said())

    def test_whoever_was_erased_confirms_nothing(self):
        self.wait()
        link = self.link()
        self.mails().copy({"body_html": "Another message"})
        self.events._erase(self.ola)
        self.assertEqual(self.mails().mapped("body_html"), ["Another message"])
        self.assertIn("not valid any more", self.click(link).text)
        self.assertFalse(self.said())

    def test_whoever_was_erased_and_is_no_contact_gets_no_message(self):
        there = [("email_to", "=", "nobody@example.com")]
        event = self.events.create({"address": "nobody@example.com", "state": "pending"})
        self.assertEqual(self.env["mail.mail"].search_count(there), 1)
        event._erase(event.partner_id)
        self.assertFalse(self.env["mail.mail"].search_count(there))

    def test_it_counts_for_the_address_it_was_asked_at(self):
        self.wait()
        self.ola.email = "other@example.com"
        self.click(self.link())
        self.assertEqual(self.said().address, OLA)
        self.assertFalse(self.ola.usercom_email_consent)

    def test_the_contact_was_merged_meanwhile(self):
        """Its words point to the one that is kept."""
        other = self.ola.copy({"email": OLA})
        self.wait()
        self.env["base.partner.merge.automatic.wizard"]._merge((self.ola | other).ids, other)
        self.click(self.link())
        self.assertEqual(self.said().partner_id, other)
        self.assertEqual(other.usercom_email_consent, "given")
        self.click(self.link())
        self.assertEqual(len(self.said()), 1)

    def test_one_message_however_much_was_asked(self):
        news = self.email.copy({"name": "News"})
        other = self.ola.copy({"email": OLA})
        facts = {"source": "website", "text_id": self.text.id}
        self.events.create(
            [
                self.events._word(self.ola, self.email, "pending", **facts),
                self.events._word(other, self.email, "pending", **facts),
                self.events._word(self.ola, news, "pending", source="website"),
                self.events._word(self.ola, self.env.ref("usercom_connector.purpose_sms"), "given"),
            ]
        )
        [mail] = self.mails()
        body = " ".join(html.fromstring(mail.body_html).text_content().split())
        self.assertEqual((body.count("write"), body.count("News")), (1, 1))
        page = html.fromstring(self.url_open(self.link(mail)).text)
        self.assertEqual(len(page.xpath("//section[contains(@class, 'card')]")), 2)
        self.click(self.link(mail))
        self.assertEqual(len(self.said()), 4)

    def test_the_page_shows_what_its_button_is_about(self):
        news = self.email.copy({"name": "News"})
        self.events.create(
            [
                self.events._word(self.ola, purpose, "pending", source="website")
                for purpose in (self.email, news)
            ]
        )
        link = self.link()
        self.events._record(self.ola, news, "given", "portal")
        self.events._record(self.ola, news, "withdrawn", "portal")
        [shown] = html.fromstring(self.url_open(link).text).xpath("//section//h5")
        self.assertEqual(shown.text, self.email.name)
        [shown] = html.fromstring(self.click(link).text).xpath("//section//h5")
        self.assertEqual(shown.text, self.email.name)
        self.assertEqual(self.said()[-1:].purpose_id, self.email)

    def test_who_has_agreed_already_is_not_asked(self):
        self.events._record(self.ola, self.email, "given")
        self.wait()
        self.assertFalse(self.mails())

    def test_no_more_than_three_messages_a_day(self):
        """Somebody may enter a stranger's address again and again."""
        for _times in range(5):
            self.wait()
        self.assertEqual(len(self.mails()), 3)
        self.assertEqual(len(self.said("pending")), 5)
        with freeze_time(fields.Datetime.now() + timedelta(days=1, minutes=1)):
            self.wait()
        self.assertEqual(len(self.mails()), 4)

    def test_in_the_language_of_what_was_read(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        template = self.env.ref("usercom_connector.mail_template_consent_confirmation")
        template.with_context(lang="pl_PL").subject = "Potwierdź"
        text = self.text.copy({"lang": "pl_PL", "text": "Tak, piszcie."})
        self.wait(text_id=text.id)
        self.assertEqual(self.mails().subject, "Potwierdź")

    def test_in_a_language_that_is_none_any_more(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        text = self.text.copy({"lang": "pl_PL", "text": "Tak, piszcie."})
        self.env["res.lang"].search([("code", "=", "pl_PL")]).active = False
        self.wait(text_id=text.id)
        self.assertIn("Tak, piszcie.", self.mails().body_html)

    def test_a_broken_template_costs_no_form(self):
        template = self.env.ref("usercom_connector.mail_template_consent_confirmation")
        template.body_html = '<p t-out="int(object.address)"/>'
        with self.assertLogs("odoo.addons.usercom_connector", "ERROR") as logged:
            self.wait()
            template.unlink()
            self.wait()
        self.assertEqual(len(logged.output), 2)
        self.assertNotIn(OLA, str(logged.output))
        self.assertEqual(len(self.said("pending")), 2)
        self.assertFalse(self.mails())

    def test_what_wants_no_message(self):
        sms = self.env.ref("usercom_connector.purpose_sms")
        self.ola.phone = "+48 600 600 600"
        self.wait(purpose=sms, text_id=False)
        self.events._record(self.ola, self.email, "given")
        self.assertFalse(self.env["mail.mail"].search([("email_to", "!=", False)]))
