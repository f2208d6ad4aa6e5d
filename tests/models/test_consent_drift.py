"""The list of consents about which the two sides disagree, and the ways out of it."""

from odoo.exceptions import AccessError, UserError
from odoo.tests.common import new_test_user, tagged

from .test_purposes import GIVEN, WITHDRAWN, PurposeCase


@tagged("post_install", "-at_install")
class DriftCase(PurposeCase):
    def setUp(self):
        super().setUp()
        self.manager = new_test_user(
            self.env, "drift_manager", "usercom_connector.group_usercom_manager"
        )

    def compare(self):
        self.env["usercom.consent.drift"]._cron_compare()
        self.pull()

    def drifts(self):
        found = self.env["usercom.consent.drift"].search([("account_id", "=", self.account.id)])
        return found.with_user(self.manager)

    def activities(self):
        return self.account.activity_search(["usercom_connector.mail_activity_drift"])

    def make_drifted(self, state=GIVEN):
        """Odoo's word is not there, and nothing waits: a row of the queue was lost."""
        partner = self.make_linked({"email_consent": state != GIVEN})
        self.say(partner, self.email, state)
        self.env.cr.flush()
        self.changes().unlink()
        return partner

    def values(self):
        return [(d.kind, d.state, d.usercom_value) for d in self.drifts()]


class TestComparing(DriftCase):
    def test_agreement_costs_a_page_and_finds_nothing(self):
        self.make_linked({"email_consent": True})
        self.compare()
        self.assertFalse(self.drifts())
        self.assertEqual(self.methods(), ["GET"])
        self.assertFalse(self.activities())
        self.assertEqual(self.account._stream("drift").state, "done")

    def test_what_was_not_heard_of_becomes_an_event(self):
        partner = self.make_linked({"email_consent": True})
        self.say_there(partner, email_consent=False)
        self.compare()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertFalse(self.drifts())

    def test_a_difference_is_listed_and_told_once(self):
        self.make_drifted(WITHDRAWN)
        self.compare()
        self.assertEqual(self.values(), [("drift", WITHDRAWN, "yes")])
        self.assertTrue(self.drifts().since)
        self.compare()
        self.assertEqual(len(self.drifts()), 1)
        self.assertEqual(len(self.activities()), 1)

    def test_what_waits_is_no_difference(self):
        partner = self.make_linked({"email_consent": True})
        self.say(partner, self.email, WITHDRAWN)
        self.compare()
        self.assertFalse(self.drifts())

    def test_what_agrees_again_goes(self):
        partner = self.make_drifted(WITHDRAWN)
        self.compare()
        self.assertTrue(self.activities())
        self.say_there(partner, email_consent=False)
        self.compare()
        self.assertFalse(self.drifts())
        self.assertFalse(self.activities())

    def test_nobody_is_created_or_linked(self):
        partner = self.make_partner(email="both@example.com")
        self.env.cr.flush()
        self.changes().unlink()
        self.sim.add_contact(email="both@example.com")
        self.sim.add_contact(email="new@example.com")
        self.compare()
        self.assertFalse(self.binding(partner))
        self.assertFalse(self.env["res.partner"].search([("email", "=", "new@example.com")]))

    def test_survey_is_left_alone(self):
        """What is held for a survey of the same number is not let go by the comparison."""
        partner = self.make_partner()
        self.env.cr.flush()
        survey = self.env["usercom.stream"]._of(self.account, "survey")
        survey.number = 1
        self.env["usercom.change"]._hold_for_survey(self.account, 1)
        held = self.changes().mapped("due_at")
        self.compare()
        self.assertEqual(self.changes().mapped("due_at"), held)
        self.assertFalse(self.binding(partner))

    def test_button_of_the_account(self):
        self.make_drifted(WITHDRAWN)
        self.account.with_user(self.manager).action_compare_consents()
        self.pull()
        self.assertEqual(self.account.drift_count, 1)


class TestWaysOut(DriftCase):
    def test_the_no_holds(self):
        partner = self.make_drifted(GIVEN)
        self.compare()
        self.assertEqual(self.values(), [("drift", GIVEN, "no")])
        self.drifts().action_no_holds()
        self.push()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.shown(partner), {"email_consent": False})
        self.assertFalse(self.drifts())
        self.assertFalse(self.activities())

    def test_send_again(self):
        partner = self.make_drifted(GIVEN)
        self.compare()
        self.drifts().action_send()
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True})
        self.assertFalse(self.drifts())

    def test_take_a_yes_of_user_com(self):
        partner = self.make_drifted(WITHDRAWN)
        self.compare()
        self.drifts().action_take_usercom()
        event = self.ledger.search([("partner_id", "=", partner.id)], order="id desc", limit=1)
        self.assertEqual((event.state, event.source, event.user_id), (GIVEN, "odoo", self.manager))
        self.assertTrue(event.happened_at)
        self.assertIn(self.account.name, event.origin)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True})
        self.assertFalse(self.drifts())

    def test_a_yes_is_not_taken_over_a_newer_no(self):
        partner = self.make_drifted(WITHDRAWN)
        self.compare()
        drift = self.drifts()
        self.say(partner, self.email, WITHDRAWN)
        with self.assertRaises(UserError):
            drift.action_take_usercom()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})

    def test_only_managers(self):
        self.make_drifted(WITHDRAWN)
        self.compare()
        user = new_test_user(self.env, "drift_user", "base.group_user")
        drift = self.drifts().with_user(user)
        for action in ("action_no_holds", "action_send", "action_take_usercom"):
            with self.assertRaises(AccessError):
                getattr(drift, action)()
        with self.assertRaises(AccessError):
            self.drifts().write({"state": GIVEN})


class TestFirstMeeting(DriftCase):
    def meet(self, state, there):
        partner = self.make_partner(phone="+48600700800")
        self.say(partner, self.email, state)
        self.sim.add_contact(email="jan@example.com", attributes={"email_consent": there})
        self.push()
        self.push()
        return partner

    def test_a_no_there_holds_and_is_listed(self):
        partner = self.meet(GIVEN, False)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.values(), [("meeting", GIVEN, "no")])
        self.assertEqual(self.shown(partner), {"email_consent": False})
        self.assertTrue(self.activities())
        self.compare()
        self.assertTrue(self.drifts(), "until somebody acknowledges it")
        self.drifts().action_no_holds()
        self.assertFalse(self.drifts())
        self.assertFalse(self.activities())

    def test_a_no_here_holds_and_is_listed(self):
        partner = self.meet(WITHDRAWN, True)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.values(), [("meeting", WITHDRAWN, "yes")])
        self.assertEqual(self.shown(partner), {"email_consent": False})
        with self.assertRaises(UserError):
            self.drifts().action_send()

    def test_agreement_is_not_listed(self):
        self.meet(GIVEN, True)
        self.assertFalse(self.drifts())
