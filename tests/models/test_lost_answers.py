"""What a person changes while a call is on its way, or after its answer was lost."""

from datetime import timedelta

from odoo import fields
from odoo.addons.usercom_connector.sync.consent import NEXT_MOMENT
from odoo.addons.usercom_connector.tools.exchange import Sent
from odoo.tests import tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class TestLostAnswers(SyncCase):
    def lose_answer(self, method):
        """The next call is carried out, and nobody hears of it."""
        self.sim.fault("500", method=method, commit=True)
        self.push()
        self.assertTrue(self.changes())

    def settle(self, partner):
        self.make_due()
        self.push()
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.push()
        self.assertFalse(self.changes())
        self.assertFalse(self.pings())

    def test_changed_back(self):
        partner = self.make_linked(city="Gdynia")
        partner.city = "Sopot"
        self.lose_answer("PUT")
        self.assertEqual(self.there(partner)["city"], "Sopot")
        partner.city = "Gdynia"
        self.settle(partner)
        self.assertEqual((partner.city, self.there(partner)["city"]), ("Gdynia", "Gdynia"))

    def test_emptied_after_it_was_first_filled(self):
        partner = self.make_linked()
        partner.city = "Sopot"
        self.lose_answer("PUT")
        partner.city = False
        self.settle(partner)
        self.assertFalse(partner.city)
        self.assertFalse(self.there(partner)["city"])

    def test_emptied_after_the_creation(self):
        partner = self.make_partner(city="Sopot")
        self.lose_answer("POST")
        partner.city = False
        self.settle(partner)
        self.assertFalse(partner.city)
        self.assertFalse(self.there(partner)["city"])
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_withdrawn_after_a_consent_was_sent(self):
        partner = self.make_linked({"email_consent": False})
        partner.usercom_email_consent = "given"
        no = self.env["usercom.consent.event"].search([("state", "=", "withdrawn")])
        self.said_at(no, no.happened_at - timedelta(hours=1))
        self.lose_answer("PUT")
        self.assertTrue(self.there(partner)["attributes"]["email_consent"])
        partner.usercom_email_consent = "withdrawn"
        self.make_due()
        self.push()  # at once, without a read that shows what is there
        self.assertIs(self.there(partner)["attributes"]["email_consent"], False)

    def test_withdrawn_over_there_after_the_creation(self):
        partner = self.make_partner()
        partner.usercom_email_consent = "given"
        self.lose_answer("POST")
        [there] = self.sim.contacts()
        self.assertTrue(there["attributes"]["email_consent"])
        self.sim.edit_contact(there["id"], attributes={"email_consent": False})
        self.settle(partner)
        self.assertIs(self.there(partner)["attributes"]["email_consent"], False)
        self.assertEqual(partner.usercom_email_consent, "withdrawn")


@tagged("post_install", "-at_install")
class TestSpans(SyncCase):
    """When a consent that was read became so: at the earliest after the last read before it."""

    def setUp(self):
        super().setUp()
        self.partner = self.make_linked({"email_consent": False})
        self.events = self.env["usercom.consent.event"]
        self.before = fields.Datetime.now() - timedelta(hours=3)
        self.binding(self.partner).synced_at = self.before
        self.no = self.events.search([("partner_id", "=", self.partner.id)])
        self.said_at(self.no, self.before + timedelta(hours=1))  # since the last read
        number = int(self.partner.usercom_id)
        self.sim.edit_contact(number, attributes={"email_consent": True})

    def test_shown_by_a_read(self):
        self.ping(self.partner.usercom_id)
        self.pull()
        self.assertEqual((self.partner.usercom_consent_event_ids - self.no).state, "given")
        self.assertEqual(
            (self.partner.usercom_consent_event_ids - self.no).happened_at,
            self.before + NEXT_MOMENT,
        )

    def test_shown_by_the_answer_to_a_push(self):
        self.partner.city = "Gdynia"
        self.push()
        self.assertEqual(
            (self.partner.usercom_consent_event_ids - self.no).happened_at,
            self.before + NEXT_MOMENT,
        )
        # A "no" said in between stands.
        self.assertEqual(self.partner.usercom_email_consent, "withdrawn")

    def test_written_while_a_read_was_recorded(self):
        """Our own consent, found by the next read, is no new word of the person."""
        binding = self.binding(self.partner)
        self.partner.usercom_email_consent = "given"
        snapshot = self.partner._usercom_snapshots(self.account)[self.partner.id]
        job = binding._job(snapshot, ())
        self.assertEqual(job.consents, {"email_consent": True})
        self.partner.usercom_email_consent = "withdrawn"
        binding.revision += 1  # a read from before the write
        sent = Sent(binding.usercom_id, None, job.outgoing, job.consents, {})
        self.assertFalse(binding._record_sent(job, sent, fields.Datetime.now()))
        words = self.partner.usercom_consent_event_ids
        self.pull()  # of the ping that was left
        self.assertEqual(self.partner.usercom_consent_event_ids, words)
        self.push()
        self.assertIs(self.there(self.partner)["attributes"]["email_consent"], False)
