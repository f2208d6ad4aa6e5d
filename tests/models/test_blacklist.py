"""Odoo's blacklists: a source of withdrawals, and where withdrawals are carried to."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests.common import new_test_user, tagged

from .common import SyncCase

GIVEN, WITHDRAWN = "given", "withdrawn"
JAN, PHONE = "jan@example.com", "+48600100200"


@tagged("post_install", "-at_install")
class BlacklistCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.env["usercom.consent.event"]
        cls.emails = cls.env["mail.blacklist"].with_context(active_test=False)
        cls.numbers = cls.env["phone.blacklist"].with_context(active_test=False)
        cls.email = cls.env.ref("usercom_connector.purpose_email")
        cls.sms = cls.env.ref("usercom_connector.purpose_sms")
        cls.call = cls.env.ref("usercom_connector.purpose_call")
        cls.news = cls.env["usercom.consent.purpose"].create(
            {"name": "News", "channel": "email", "feeds_blacklist": True}
        )

    def say(self, partner, state, purpose=None, days_ago=0, **facts):
        """A word that is said now, or was some days ago; ``days_ago=None`` for no date."""
        if days_ago != 0:
            at = days_ago is not None and fields.Datetime.now() - timedelta(days=days_ago)
            facts["happened_at"] = at
        return self.events._record(partner, purpose or self.email, state, **facts)

    def state(self, partner, purpose=None):
        purpose = purpose or self.email
        return self.events._states(partner, purpose)[partner.id][purpose.id]

    def entry(self, address=JAN):
        return self.emails.search([("email", "=", address)])

    def said(self, *states):
        return self.events.search([("state", "in", states)], order="id")

    def messages(self, record):
        return " ".join(record.message_ids.mapped("body"))


class TestFromTheList(BlacklistCase):
    def test_whoever_fills_it(self):
        archived = self.emails.create({"email": "old@example.com", "active": False})
        self.assertFalse(self.said(WITHDRAWN))
        ways = {
            "create": lambda email: self.emails.create({"email": email.upper()}),
            "add": lambda email: self.emails._add(email),
            "import": lambda email: self.assertTrue(self.emails.load(["email"], [[email]])["ids"]),
            "rename": lambda email: self.emails.create(
                {"email": "other@example.com", "active": False}
            ).write({"email": email, "active": True}),
            "unarchive": lambda email: (
                archived.write({"email": email}),
                archived.action_unarchive(),
            ),
        }
        for way, fill in ways.items():
            with self.subTest(way=way):
                partner = self.make_partner(email=f"{way}@example.com")
                self.say(partner, GIVEN)
                fill(partner.email)
                self.assertEqual(self.state(partner), WITHDRAWN)
                event = self.said(WITHDRAWN)[-1:]
                self.assertEqual((event.source, event.partner_id), ("blacklist", partner))

    def test_a_person_with_rights_to_the_list_only(self):
        user = new_test_user(self.env, "lister", groups="base.group_system")
        partner = self.make_partner()
        self.emails.with_user(user).create({"email": JAN})
        self.assertEqual(self.state(partner), WITHDRAWN)
        self.assertEqual(self.said(WITHDRAWN).user_id, user)

    def test_reaches_user_com(self):
        partner = self.make_linked(usercom_email_consent=GIVEN)
        self.emails._add(JAN)
        self.push()
        self.assertIs(self.there(partner)["attributes"]["email_consent"], False)

    def test_each_contact_with_the_address_and_each_purpose_that_is_fed(self):
        one, two = self.make_partner(), self.make_partner(active=False)
        self.news.fed_by_blacklist = True
        self.emails._add(JAN)
        events = self.said(WITHDRAWN)
        self.assertEqual(
            {(event.partner_id, event.purpose_id) for event in events},
            {(one, self.email), (two, self.email), (one, self.news), (two, self.news)},
        )

    def test_not_the_purposes_that_are_not_fed(self):
        partner = self.make_partner()
        self.say(partner, GIVEN, self.news)
        self.emails._add(JAN)
        self.assertEqual(self.state(partner, self.news), GIVEN)

    def test_whoever_comes_later(self):
        self.emails._add(JAN)
        self.emails._add(JAN)
        self.assertEqual(len(self.said(WITHDRAWN)), 1)
        self.assertEqual(self.state(self.make_partner()), WITHDRAWN)

    def test_numbers(self):
        partner = self.make_partner(phone=PHONE)
        self.say(partner, GIVEN, self.sms)
        self.numbers.add(PHONE)
        self.assertEqual(self.state(partner, self.sms), WITHDRAWN)
        self.assertEqual(self.state(partner, self.call), WITHDRAWN)
        self.assertIsNone(self.state(partner))

    def test_what_is_withdrawn_gets_no_second_event(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.emails._add(JAN)
        self.emails.create({"email": JAN})
        self.assertEqual(len(self.said(WITHDRAWN)), 1)
        self.assertEqual(self.state(partner), WITHDRAWN)

    def test_a_no_that_is_said_again_beats_a_yes_from_before_it(self):
        """User.com's yes is dated by the read before it, and may come long after the list."""
        partner = self.make_partner()
        self.say(partner, WITHDRAWN, days_ago=3)
        self.emails._add(JAN)
        self.assertEqual(len(self.said(WITHDRAWN)), 2)
        self.say(partner, GIVEN, days_ago=1, source="usercom")
        self.assertEqual(self.state(partner), WITHDRAWN)

    def test_said_again_after_a_consent(self):
        """Also where core passes over who is on the list already."""
        partner = self.make_partner()
        self.emails._add(JAN)
        self.say(partner, GIVEN)
        self.emails._add(JAN)
        self.assertEqual(self.state(partner), WITHDRAWN)

    def test_being_taken_off_is_no_consent(self):
        partner = self.make_partner()
        self.emails._add(JAN)
        self.emails._remove(JAN)
        self.assertEqual(self.state(partner), WITHDRAWN)
        self.assertFalse(self.said(GIVEN))
        self.say(self.make_partner(email="ola@example.com"), WITHDRAWN)
        self.assertFalse(self.entry().active)

    def test_a_purpose_that_becomes_fed_takes_what_is_listed(self):
        listed, projected, bounced = (
            self.make_partner(email=f"{name}@example.com") for name in ("l", "p", "b")
        )
        self.emails._add(listed.email)
        self.say(projected, WITHDRAWN)
        self.emails.with_context(usercom_listed_by="bounce")._add(bounced.email)
        self.news.fed_by_blacklist = True
        self.assertEqual(self.state(listed, self.news), WITHDRAWN)
        self.assertIsNone(self.state(projected, self.news))
        self.assertIsNone(self.state(bounced, self.news))


class TestBounces(BlacklistCase):
    def bounce(self):
        self.emails.with_context(usercom_listed_by="bounce")._add(JAN)

    def test_blocks_and_does_not_withdraw(self):
        partner = self.make_partner()
        self.say(partner, GIVEN)
        self.bounce()
        self.bounce()
        self.assertEqual(self.state(partner), GIVEN)
        [event] = self.said("blocked")
        self.assertEqual((event.source, event.partner_id), ("bounce", partner))

    def test_taken_off_releases(self):
        partner = self.make_partner()
        self.say(partner, GIVEN)
        for undo in (lambda: self.emails._remove(JAN), lambda: self.entry().unlink()):
            self.bounce()
            undo()
            self.assertEqual(self.state(partner), GIVEN)
        states = self.said("blocked", "released").mapped("state")
        self.assertEqual(states, ["blocked", "released"] * 2)
        self.assertFalse(self.said(WITHDRAWN))

    def test_a_no_at_a_blocked_address_counts(self):
        partner = self.make_partner()
        self.bounce()
        self.emails._add(JAN)
        self.assertEqual(self.state(partner), WITHDRAWN)

    def test_writes_no_contact(self):
        """So no automation on contacts fires, and nothing is sent."""
        partner = self.make_linked(usercom_email_consent=GIVEN)
        with patch.object(self.registry["res.partner"], "write") as write:
            self.bounce()
            self.env.flush_all()
        write.assert_not_called()
        self.push()
        self.assertFalse(self.sim.calls())
        self.assertEqual(self.state(partner), GIVEN)


class TestToTheList(BlacklistCase):
    def test_withdrawn(self):
        partner = self.make_partner(name="Jan Testowy")
        self.say(partner, WITHDRAWN, source="portal")
        entry = self.entry()
        self.assertTrue(entry.active)
        self.assertRegex(self.messages(entry), rf"{JAN} withdrew .*E-mail marketing.*Portal")
        self.assertFalse(entry.message_follower_ids)
        partner.unlink()
        self.assertNotIn("Testowy", self.messages(entry))

    def test_a_salesperson_who_may_not_see_the_list(self):
        user = new_test_user(self.env, "sales", groups="base.group_user,base.group_partner_manager")
        self.make_partner().with_user(user).usercom_email_consent = WITHDRAWN
        self.assertTrue(self.entry().active)
        self.assertFalse(self.entry().message_follower_ids)

    def test_numbers(self):
        partner = self.make_partner(phone=PHONE)
        self.say(partner, GIVEN, self.call)
        self.say(partner, WITHDRAWN, self.sms)
        self.assertTrue(self.numbers.search([("number", "=", PHONE)]).active)
        # A word is about its own purpose.
        self.assertEqual(self.state(partner, self.call), GIVEN)

    def test_not_what_does_not_feed_it(self):
        self.news.feeds_blacklist = False
        self.say(self.make_partner(), WITHDRAWN, self.news)
        self.say(self.make_partner(phone=PHONE), WITHDRAWN, self.call)
        self.assertFalse(self.entry())
        self.assertFalse(self.numbers.search([]))

    def test_not_an_older_no(self):
        partner = self.make_partner()
        self.say(partner, GIVEN, days_ago=1)
        self.say(partner, WITHDRAWN, days_ago=2)
        self.assertFalse(self.entry())

    def test_an_older_no_where_somebody_else_has_the_address(self):
        partner = self.make_partner()
        self.make_partner(name="Ola")
        self.say(partner, GIVEN, days_ago=1)
        self.say(partner, WITHDRAWN, days_ago=2)
        self.assertTrue(self.entry().active)

    def test_one_that_counts_beside_one_that_does_not(self):
        """Recorded together, in whatever order."""
        partner = self.make_partner()
        self.say(partner, GIVEN, self.news, days_ago=1)
        words = [(self.email, 0), (self.news, 2)]
        for order in (words, words[::-1]):
            self.events.create(
                [
                    {
                        "partner_id": partner.id,
                        "address": JAN,
                        "purpose_id": purpose.id,
                        "state": WITHDRAWN,
                        "happened_at": fields.Datetime.now() - timedelta(days=days),
                    }
                    for purpose, days in order
                ]
            )
            self.assertTrue(self.entry().active)
            self.assertEqual(self.entry().usercom_event_id.purpose_id, self.email)
            self.emails._remove(JAN)

    def test_once(self):
        """Who is taken off comes back by a new word, and by nothing else."""
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.emails._remove(JAN)
        self.say(self.make_partner(email="ola@example.com"), WITHDRAWN)
        partner.email = "new@example.com"
        partner.email = JAN
        self.assertFalse(self.entry().active)
        self.say(partner, WITHDRAWN)
        self.assertTrue(self.entry().active)
        self.assertEqual(len(self.events.search([("source", "=", "blacklist")])), 0)

    def test_from_user_com(self):
        partner = self.make_linked(usercom_email_consent=GIVEN)
        self.sim.edit_contact(int(partner.usercom_id), attributes={"email_consent": False})
        self.ping(partner.usercom_id)
        self.pull()
        self.assertTrue(self.entry().active)
        self.assertIn("User.com", self.messages(self.entry()))
        self.assertFalse(self.entry().message_follower_ids)


class TestOffTheList(BlacklistCase):
    def test_given_again(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.say(partner, GIVEN)
        self.assertFalse(self.entry().active)
        self.assertIn("consented", self.messages(self.entry()))
        self.assertEqual(self.state(partner), GIVEN)
        self.say(partner, WITHDRAWN)
        self.assertTrue(self.entry().active)

    def check_stays(self, partner):
        self.assertTrue(self.entry().active)
        self.assertIn("stays on the blacklist", self.messages(partner))

    def test_not_for_an_undated_or_older_consent(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.say(partner, GIVEN, days_ago=None)
        self.assertTrue(self.entry().active)
        self.say(partner, GIVEN, days_ago=1)
        self.assertTrue(self.entry().active)

    def test_not_who_said_no_to_another_purpose(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.say(partner, WITHDRAWN, self.news)
        self.say(partner, GIVEN)
        self.check_stays(partner)
        self.say(partner, GIVEN, self.news)
        self.assertFalse(self.entry().active)

    def test_not_while_another_contact_there_says_no(self):
        partner, other = self.make_partner(), self.make_partner(name="Ola")
        self.say(other, WITHDRAWN)
        self.say(partner, GIVEN)
        self.check_stays(partner)
        self.say(other, GIVEN)
        self.assertFalse(self.entry().active)

    def test_not_whom_somebody_put_there(self):
        partner = self.make_partner()
        self.emails._add(JAN)
        self.say(partner, GIVEN)
        self.check_stays(partner)

    def test_not_whom_somebody_put_there_once_more(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.emails._add(JAN)
        self.say(partner, GIVEN)
        self.check_stays(partner)

    def test_not_who_is_blocked(self):
        partner = self.make_partner()
        self.say(partner, WITHDRAWN)
        self.events._record(partner, self.email, "blocked", "bounce")
        self.say(partner, GIVEN)
        self.check_stays(partner)

    def test_not_by_a_purpose_that_does_not_feed_it(self):
        partner = self.make_partner(phone=PHONE)
        self.say(partner, WITHDRAWN, self.sms)
        self.say(partner, GIVEN, self.call)
        self.assertTrue(self.numbers.search([("number", "=", PHONE)]).active)
