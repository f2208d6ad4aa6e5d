"""Odoo's privacy lookup finds what people said, and takes the person out of it."""

from odoo.tests.common import TransactionCase, tagged

JAN = "jan@example.com"


@tagged("post_install", "-at_install")
class TestPrivacyLookup(TransactionCase):
    def setUp(self):
        super().setUp()
        self.events = self.env["usercom.consent.event"]
        self.email = self.env.ref("usercom_connector.purpose_email")
        self.partner = self.env["res.partner"].create({"name": "Jan Testowy", "email": JAN})

    def lookup(self):
        wizard = self.env["privacy.lookup.wizard"].create({"name": "Jan Testowy", "email": JAN})
        wizard.action_lookup()
        return wizard.line_ids.filtered(lambda line: line.res_model == "usercom.consent.event")

    def test_an_event_is_found_and_the_person_is_taken_out_of_it(self):
        event = self.events._record(self.partner, self.email, "given")
        [line] = self.lookup()
        self.assertEqual(line.res_id, event.id)
        line.action_unlink()
        self.assertTrue(line.is_unlinked)
        self.assertFalse(event.partner_id or event.address)
        self.assertFalse(self.events._wrong(event.ids), "the proof still holds")
        self.assertFalse(self.lookup())

    def test_a_no_goes_on_counting(self):
        self.events._record(self.partner, self.email, "withdrawn")
        self.lookup().action_unlink()
        self.assertEqual(self.partner.usercom_email_consent, "withdrawn")
        self.partner.unlink()
        again = self.env["res.partner"].create({"name": "Jan", "email": JAN})
        self.assertEqual(again.usercom_email_consent, "withdrawn")

    def test_what_nobody_in_odoo_said_is_found_by_the_address(self):
        self.env["mail.blacklist"]._add("somebody@example.com")
        [event] = self.events.search(
            [("address", "=", "somebody@example.com"), ("purpose_id", "=", self.email.id)]
        )
        wizard = self.env["privacy.lookup.wizard"].create(
            {"name": "Nobody At All", "email": "Somebody@Example.com"}
        )
        wizard.action_lookup()
        found = wizard.line_ids.filtered(lambda line: line.res_model == "usercom.consent.event")
        self.assertIn(event.id, found.mapped("res_id"))
