"""The portal's page of consents: a signed-in person's own, with the exact text, and on record."""

from datetime import timedelta

import pytest
from lxml import html
from odoo import fields
from odoo.http import Request
from odoo.tests.common import HttpCase, new_test_user, tagged

PAGE, RECORD = "/my/consents", "/my/consents/record"


@tagged("post_install", "-at_install")
class TestPortalConsents(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.email = cls.env.ref("usercom_connector.purpose_email")
        cls.sms = cls.env.ref("usercom_connector.purpose_sms")
        cls.user = new_test_user(
            cls.env, "consents-portal", groups="base.group_portal", email="ola@example.com"
        )
        cls.partner = cls.user.partner_id
        cls.other = cls.env["res.partner"].create({"name": "Jan", "email": "jan@example.com"})

    def setUp(self):
        super().setUp()
        self.authenticate(self.user.login, self.user.login)

    def events(self):
        return self.env["usercom.consent.event"].search([], order="id")

    def text(self, text="You may write to me.", purpose=None, lang="en_US"):
        vals = {"purpose_id": (purpose or self.email).id, "text": text, "lang": lang}
        return self.env["usercom.consent.text"].create(vals)

    def card(self, purpose, page=None):
        page = html.fromstring(page or self.url_open(PAGE).text)
        found = page.xpath(f"//section[@data-purpose='{purpose.id}']")
        return found[0] if found else None

    def say(self, state, purpose=None, token=True, **data):
        data = {"state": state, "purpose_id": (purpose or self.email).id} | data
        if token:
            data["csrf_token"] = Request.csrf_token(self)
        return self.url_open(RECORD, data=data, headers={"User-Agent": "Test browser"})

    def test_both_directions_are_on_record(self):
        text = self.text()
        card = self.card(self.email)
        self.assertIn("You may write to me.", card.text_content())
        self.assertEqual(card.get("data-state"), "never")
        answer = self.say("given", text_id=text.id)
        self.assertIn("Your answer is recorded", answer.text)
        self.assertEqual(self.card(self.email, answer.text).get("data-state"), "given")
        answer = self.say("withdrawn", text_id=text.id)
        self.assertEqual(self.card(self.email, answer.text).get("data-state"), "withdrawn")
        events = self.events()
        self.assertEqual(events.mapped("state"), ["given", "withdrawn"])
        for event in events:
            self.assertEqual(event.partner_id, self.partner)
            self.assertEqual(
                (event.source, event.document, event.browser), ("portal", PAGE, "Test browser")
            )
            self.assertEqual((event.address, event.ip), ("ola@example.com", "127.0.0.1"))
            self.assertEqual((event.text_id, event.user_id), (text, self.user))
            self.assertTrue(event.happened_at and event.evidence_hash)
        self.assertEqual(self.partner.usercom_email_consent, "withdrawn")

    def test_said_twice_is_on_record_once(self):
        self.say("given")
        self.say("given")
        self.assertEqual(len(self.events()), 1)

    def test_no_that_is_said_again_beats_a_yes_from_before_it(self):
        """On a page that was open when the first "no" came; the "yes" comes from User.com later."""
        events = self.env["usercom.consent.event"]
        at = fields.Datetime.now() - timedelta(days=3)
        events._record(self.partner, self.email, "withdrawn", happened_at=at)
        self.say("withdrawn")
        at += timedelta(days=1)
        events._record(self.partner, self.email, "given", "usercom", happened_at=at)
        self.assertEqual(self.card(self.email).get("data-state"), "withdrawn")

    def test_text_is_the_current_one_in_the_persons_language(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        self.text("Old text")
        self.text("New text")
        polish = self.text("Po polsku", lang="pl_PL")
        content = self.card(self.email).text_content()
        self.assertIn("New text", content)
        self.assertNotIn("Old text", content)
        self.user.lang = "pl_PL"
        self.authenticate(self.user.login, self.user.login)
        self.assertIn("Po polsku", self.card(self.email).text_content())
        self.say("given", text_id=polish.id)
        self.assertEqual(self.events().text_id, polish)

    def test_what_was_not_shown_last_is_not_agreed_to(self):
        shown = self.text("Old text")
        now = self.text("New text")
        foreign = self.text("About SMS", self.sms)
        for text_id in (shown.id, foreign.id, "", "x"):
            answer = self.say("given", text_id=text_id)
            self.assertIn("Nothing was recorded", answer.text)
        self.assertFalse(self.events())
        self.say("given", text_id=now.id)
        self.say("withdrawn", text_id=shown.id)  # a "no" counts whatever was shown
        self.assertEqual(self.events().mapped("state"), ["given", "withdrawn"])

    def test_double_opt_in_is_confirmed_by_the_session(self):
        self.email.double_opt_in = True
        self.say("given")
        self.assertEqual(self.partner.usercom_email_consent, "given")

    def test_without_an_address(self):
        card = self.card(self.sms)
        self.assertIn("not have a valid phone number", card.text_content())
        self.assertTrue(card.xpath(".//a[@href='/my/account']"))
        self.assertFalse(card.xpath(".//button"))
        self.say("given", self.sms)
        self.assertFalse(self.events())

    def test_only_what_has_a_text_or_an_address(self):
        purposes = self.env["usercom.consent.purpose"]
        letters = purposes.create({"name": "Letters", "channel": "post"})
        self.assertIsNone(self.card(letters))
        self.say("given", letters)
        self.email.active = False
        self.say("given", self.email)
        self.assertFalse(self.events())
        text = self.text("You may send letters.", letters)
        self.assertIsNotNone(self.card(letters))
        self.say("given", letters, text_id=text.id)
        self.assertEqual(self.events().purpose_id, letters)

    def test_another_persons_number_is_not_heeded(self):
        more = {"partner_id": self.other.id, "address": "jan@example.com", "user_id": 2}
        self.say("given", **more)
        event = self.events()
        self.assertEqual((event.partner_id, event.address), (self.partner, "ola@example.com"))
        self.assertFalse(self.other.usercom_email_consent)
        page = self.url_open(f"{PAGE}?partner_id={self.other.id}").text
        self.assertNotIn("jan@example.com", page)

    def test_nothing_of_colleagues_or_others_is_shown(self):
        twin = self.env["res.partner"].create({"name": "Secret Twin", "email": "ola@example.com"})
        twin.usercom_email_consent = "withdrawn"
        page = self.url_open(PAGE).text
        self.assertEqual(self.card(self.email, page).get("data-state"), "withdrawn")
        self.assertNotIn("Secret Twin", page)
        self.assertNotIn("another contact", page)
        self.assertNotIn(self.env.user.name, page)

    def test_get_changes_nothing(self):
        query = f"?purpose_id={self.email.id}&state=given"
        self.url_open(PAGE + query)
        self.url_open(f"{PAGE}?saved=1")
        for method in ("GET", "HEAD", "OPTIONS"):
            self.url_open(RECORD + query, method=method)
        self.assertFalse(self.events())

    @pytest.mark.expected_log("No CSRF validation token")
    @pytest.mark.expected_log("CSRF validation failed")
    def test_form_without_its_token(self):
        self.assertEqual(self.say("given", token=False).status_code, 400)
        self.assertEqual(self.say("given", token=False, csrf_token="x").status_code, 400)
        self.assertFalse(self.events())

    def test_nonsense(self):
        for data in ({"state": "pending"}, {"state": ""}, {"state": "blocked"}):
            self.say(**data)
        for number in ("", "x", "0", str(2**70), "-1"):
            self.say("given", purpose_id=number)
        self.assertFalse(self.events())

    def test_who_is_not_signed_in(self):
        self.authenticate(None, None)
        self.assertIn("/web/login", self.url_open(PAGE).url)
        self.say("given")
        self.assertFalse(self.events())

    def test_entries(self):
        for page in ("/my", "/my/account"):
            self.assertIn('href="/my/consents"', self.url_open(page).text)
