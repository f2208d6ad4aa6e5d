"""Consents of several purposes: each in an attribute of its own, and "unsubscribed" beside them."""

from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.addons.usercom_connector.client import Contact
from odoo.addons.usercom_connector.models.usercom_binding import Read
from odoo.addons.usercom_connector.sync.consent import NEXT_MOMENT, moment
from odoo.exceptions import ValidationError
from odoo.tests import Form
from odoo.tests.common import tagged

from .test_consent import GIVEN, WITHDRAWN, ConsentCase

PHONE, OTHER_PHONE = "+48600700800", "+48600700801"


@tagged("post_install", "-at_install")
class PurposeCase(ConsentCase):
    """An account in which e-mail, SMS and phone marketing travel."""

    travels = ("email_consent", "sms_consent", "phone_consent")

    def setUp(self):
        super().setUp()
        self.sim.add_attribute("sms_consent", "boolean")
        self.sim.add_attribute("phone_consent", "boolean")
        self.lines = self.account.consent_attribute_ids
        self.lines.filtered(lambda line: line.name in self.travels).active = True
        self.email, self.sms, self.call = (
            self.env.ref(f"usercom_connector.purpose_{name}") for name in ("email", "sms", "call")
        )
        self.ledger = self.env["usercom.consent.event"]
        self.env["usercom.stream"].search([]).unlink()  # the survey that the switch asks for
        self.sim.reset_calls()

    def say(self, partner, purpose, state, **facts):
        return self.ledger._record(partner, purpose, state, **facts)

    def say_there(self, partner, unsubscribed=None, **attributes):
        values = {} if unsubscribed is None else {"unsubscribed": unsubscribed}
        self.sim.edit_contact(int(partner.usercom_id), attributes=attributes, **values)

    def states(self, partner):
        found = self.ledger._states(partner, self.email + self.sms + self.call)[partner.id]
        return {
            self.env["usercom.consent.purpose"].browse(number).channel: state
            for number, state in found.items()
            if state
        }

    def shown(self, partner):
        """What User.com has of the consents."""
        there = self.there(partner)
        found = {n: v for n, v in there["attributes"].items() if n.endswith("_consent")}
        found = {name: value for name, value in found.items() if value is not None}
        return found | ({"unsubscribed": True} if there["unsubscribed"] else {})

    def contact_there(self, partner):
        there = self.there(partner)
        return Contact.from_json(there | there["attributes"] | {"attributes": None})

    def bodies(self):
        return [call["body"] for call in self.sim.calls() if call["method"] == "PUT"]

    def make_linked(self, attributes=None, **vals):
        return super().make_linked(attributes, **({"phone": PHONE} | vals))


class TestSeveralPurposes(PurposeCase):
    def test_given_goes_after_one_read(self):
        partner = self.make_linked()
        for purpose in (self.email, self.sms, self.call):
            self.say(partner, purpose, GIVEN)
        self.push()
        self.assertEqual(self.methods(), ["GET", "PUT"])
        self.assertEqual(self.shown(partner), dict.fromkeys(self.travels, True))

    def test_withdrawn_goes_at_once(self):
        partner = self.make_linked(dict.fromkeys(self.travels, True))
        self.say(partner, self.sms, WITHDRAWN)
        self.push()
        self.assertEqual(self.methods(), ["PUT", "GET"])  # who else has the number
        self.assertEqual(self.bodies(), [{"sms_consent": False}])

    def test_withdrawal_of_one_does_not_wait_for_a_given_of_another(self):
        partner = self.make_linked({"sms_consent": True})
        self.say(partner, self.email, GIVEN)
        self.say(partner, self.sms, WITHDRAWN)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True, "sms_consent": False})

    def test_a_newer_no_stops_its_own_purpose_only(self):
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.say(partner, self.sms, GIVEN)
        self.say_there(partner, sms_consent=False)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True, "sms_consent": False})
        self.assertEqual(self.states(partner), {"email": GIVEN, "sms": WITHDRAWN})

    def test_comes_in(self):
        partner = self.make_linked()
        self.say_there(partner, sms_consent=True, phone_consent=False)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"sms": GIVEN, "call": WITHDRAWN})
        events = partner.usercom_consent_event_ids
        self.assertEqual(set(events.mapped("address")), {PHONE})
        self.assertEqual(set(events.mapped("origin")), {"Test"})
        self.assertEqual(events.account_id, self.account)

    def test_span(self):
        partner = self.make_linked({"sms_consent": True, "phone_consent": False})
        before = fields.Datetime.now() - timedelta(hours=2)
        self.binding(partner).synced_at = before
        known = partner.usercom_consent_event_ids
        self.assertFalse(any(known.mapped("happened_after")), "a first meeting has no span")
        self.say_there(partner, sms_consent=False, phone_consent=True)
        self.read(partner)
        events = (partner.usercom_consent_event_ids - known).grouped("state")
        self.assertEqual(events[GIVEN].happened_after, before)
        self.assertEqual(events[GIVEN].happened_at, before + NEXT_MOMENT)
        self.assertEqual(events[WITHDRAWN].happened_after, before)
        self.assertGreater(events[WITHDRAWN].happened_at, before + timedelta(hours=1))

    def test_goes_with_the_creation(self):
        partner = self.make_partner(phone=PHONE)
        self.say(partner, self.sms, GIVEN)
        self.say(partner, self.call, WITHDRAWN)
        self.push()
        self.assertEqual(self.shown(partner), {"sms_consent": True, "phone_consent": False})

    def test_pending_is_sent_as_nothing(self):
        partner = self.make_linked()
        self.say(partner, self.sms, "pending")
        self.push()
        self.sync(partner)
        self.assertEqual(self.shown(partner), {})
        self.assertEqual(self.states(partner), {"sms": "pending"})

    def test_what_was_confirmed_goes(self):
        partner = self.make_linked()
        waiting = self.say(partner, self.email, "pending", source="website")
        self.push()
        self.assertEqual(self.shown(partner), {})
        self.env["usercom.consent.confirmation"]._confirm(waiting)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True})
        self.say_there(partner, email_consent=False)
        self.sync(partner)
        self.env["usercom.consent.confirmation"]._confirm(waiting)
        self.sync(partner)
        self.assertEqual(self.shown(partner)["email_consent"], False)

    def test_what_is_off_travels_nowhere(self):
        self.lines.filtered(lambda line: line.name == "phone_consent").active = False
        partner = self.make_linked()
        self.say(partner, self.call, GIVEN)
        self.say_there(partner, phone_consent=False)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"call": GIVEN})
        self.assertEqual(self.shown(partner), {"phone_consent": False})

    def test_switched_on_it_catches_up(self):
        line = self.lines.filtered(lambda line: line.name == "phone_consent")
        line.active = False
        partner = self.make_linked()
        other = self.make_linked(name="Ola", email="ola@example.com", phone=OTHER_PHONE)
        self.say(partner, self.call, GIVEN)
        self.say_there(other, phone_consent=False)
        self.push()
        line.active = True
        self.push()
        self.assertEqual(self.shown(partner), {"phone_consent": True})
        self.pull()
        self.assertEqual(self.states(other), {"call": WITHDRAWN})

    def test_archived_and_back_it_catches_up(self):
        partner = self.make_linked()
        self.say(partner, self.sms, GIVEN)
        self.push()
        self.sms.active = False
        self.say(partner, self.sms, WITHDRAWN)
        self.push()
        self.assertEqual(self.shown(partner), {"sms_consent": True})
        self.sms.active = True
        self.push()
        self.assertEqual(self.shown(partner), {"sms_consent": False})

    def test_another_first_e_mail_purpose_is_looked_at_again(self):
        news = self.email.create({"name": "News", "channel": "email", "sequence": 90})
        self.lines.create(
            {"account_id": self.account.id, "purpose_id": news.id, "name": "news_consent"}
        )
        with patch.object(type(self.account), "_carry_consents") as carry:
            news.sequence = 0
            self.assertEqual(carry.call_count, 1)
            self.call.sequence += 1  # changes nothing for anybody
            news.name = "Newsletter"
            self.assertEqual(carry.call_count, 1)

    def test_no_purpose_leaves_a_consent_without_an_address_alone(self):
        post = self.env["usercom.consent.purpose"].create({"name": "Post", "channel": "post"})
        self.sim.add_attribute("post_consent", "boolean")
        self.lines.create(
            {"account_id": self.account.id, "purpose_id": post.id, "name": "post_consent"}
        )
        partner = self.make_linked()
        self.say(partner, post, GIVEN)
        self.push()
        self.assertEqual(self.shown(partner), {"post_consent": True})
        partner.write({"email": "new@example.com", "phone": OTHER_PHONE})
        self.push()
        self.assertEqual(self.shown(partner), {"post_consent": True})
        self.say_there(partner, post_consent=False)
        self.sync(partner)
        self.assertEqual(self.ledger._states(partner, post)[partner.id][post.id], WITHDRAWN)

    def test_no_of_somebody_else_with_the_number_goes_out(self):
        partner = self.make_linked({"sms_consent": True})
        other = self.make_partner(name="Ola", email="ola@example.com", phone=PHONE)
        self.say(other, self.sms, WITHDRAWN)
        self.push()
        self.assertIs(self.shown(partner)["sms_consent"], False)

    def test_refused_for_want_of_the_attribute(self):
        partner = self.make_linked()
        for attribute in self.sim.attributes():
            if attribute["name"] == "sms_consent":
                self.sim.delete_attribute(attribute["id"])
        self.say(partner, self.sms, WITHDRAWN)
        self.say(partner, self.email, WITHDRAWN)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": False})
        self.assertIn("SMS marketing", partner.usercom_problem)
        self.account.action_test_connection()
        self.assertTrue(self.account.consent_missing)
        self.account.action_create_consents()
        self.assertFalse(self.account.consent_missing)
        self.push()
        self.assertIs(self.shown(partner)["sms_consent"], False)

    def test_no_of_who_takes_no_part_still_travels(self):
        partner = self.make_linked({"sms_consent": True, "phone_consent": True})
        self.account.participant_domain = "[('name', '=', 'Nobody')]"
        self.push()
        self.say(partner, self.sms, WITHDRAWN)
        self.say(partner, self.email, GIVEN)
        self.say_there(partner, phone_consent=False)
        self.sync(partner)
        self.assertEqual(self.shown(partner), {"sms_consent": False, "phone_consent": False})
        self.assertEqual(self.states(partner)["call"], WITHDRAWN)

    def test_echo_costs_no_read(self):
        partner = self.make_linked()
        self.say(partner, self.sms, GIVEN)
        self.push()
        user = self.webhook_user(partner)
        digest = self.env["usercom.ping"]._digest_of_call(self.account.id, user)
        self.sim.reset_calls()
        self.env["usercom.ping"]._append(
            [(self.account.id, "id", partner.usercom_id)], digest=digest
        )
        self.pull()
        self.assertFalse(self.sim.calls())
        for change in ({"sms_consent": False}, {"unsubscribed": True}):
            self.say_there(partner, **change)
            digest = self.env["usercom.ping"]._digest_of_call(
                self.account.id, self.webhook_user(partner)
            )
            self.env["usercom.ping"]._append(
                [(self.account.id, "id", partner.usercom_id)], digest=digest
            )
            self.pull()
            self.assertTrue(self.sim.calls(), change)
            self.push()
            self.sim.reset_calls()

    def webhook_user(self, partner):
        there = self.there(partner)
        listed = [{"name_std": n, "value": v} for n, v in there["attributes"].items()]
        return there | {"attributes": listed, "status": "user"}


class TestWordsInBetween(PurposeCase):
    def test_a_no_of_somebody_else_there_while_a_read_is_under_way(self):
        """Said in User.com before it, found after it: the read in between hides nothing."""
        partner = self.make_linked({"sms_consent": False})
        other = self.make_partner(name="Ola", email="ola@example.com", phone=PHONE)
        binding = self.binding(partner)
        contact = self.contact_there(partner)
        began = moment()
        self.say_there(partner, sms_consent=True)
        self.say(other, self.sms, WITHDRAWN)
        binding._absorb(self.account, [Read(binding, contact, began)])
        self.read(partner)
        self.assertEqual(self.states(partner), {"sms": WITHDRAWN})

    def while_under_way(self, act):
        """Push, and do something after the push was planned and before it calls."""
        look_up = self.registry["usercom.change"]._bind_unknown

        def overtaken(change, *args):
            act()
            return look_up(change, *args)

        with patch.object(self.registry["usercom.change"], "_bind_unknown", overtaken):
            self.push()

    def test_a_read_while_our_yes_is_on_its_way_makes_no_no_of_the_old_one(self):
        partner = self.make_linked({"email_consent": False})
        self.read(partner)
        [old] = partner.usercom_consent_event_ids
        self.say(partner, self.email, GIVEN)
        self.while_under_way(lambda: self.read(partner))
        self.make_due()
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": GIVEN})
        self.assertEqual(self.shown(partner), {"email_consent": True})
        self.assertEqual((partner.usercom_consent_event_ids - old).mapped("source"), ["odoo"])

    def test_a_read_of_our_own_yes_before_it_is_recorded_tells_nothing(self):
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        record = self.registry["usercom.change"]._record

        def overtaken(change, *args):
            self.read(partner)
            return record(change, *args)

        with patch.object(self.registry["usercom.change"], "_record", overtaken):
            self.push()
        self.make_due()
        self.sync(partner)
        self.assertEqual(partner.usercom_consent_event_ids.mapped("source"), ["odoo"])

    def test_a_no_there_of_another_contact_while_a_read_is_under_way(self):
        partner = self.make_linked({"sms_consent": False})
        other = self.make_linked(name="Ola", email="ola@example.com")
        self.say(other, self.sms, GIVEN)
        self.push()
        binding = self.binding(partner)
        began = moment()
        contact = self.contact_there(partner)
        self.say_there(partner, sms_consent=True)
        self.say_there(other, sms_consent=False)
        reads = [Read(binding, contact, began)]
        reads.append(Read(self.binding(other), self.contact_there(other), began))
        self.env["usercom.binding"]._absorb(self.account, reads)
        self.read(partner)
        self.assertEqual(self.states(partner), {"sms": WITHDRAWN})

    def test_a_yes_that_comes_after_the_answer_is_dated_by_the_answer(self):
        partner = self.make_linked({"sms_consent": False})
        contact = self.contact_there(partner)
        since = moment()
        self.say_there(partner, sms_consent=True)
        self.binding(partner)._absorb(self.account, [Read(self.binding(partner), contact, since)])
        self.read(partner)
        self.assertLess(partner.usercom_consent_event_ids[:1].happened_at, since + NEXT_MOMENT)


class TestUnsubscribed(PurposeCase):
    """The one e-mail switch of User.com, which an automation may couple with an attribute."""

    def lead(self):
        self.account.email_authority = "unsubscribed"
        self.env["usercom.stream"].search([]).unlink()

    def couple(self, partner, before):
        """What an automation makes of a change; the consent and the switch follow each other."""
        there = self.there(partner)
        consent, unsubscribed = there["attributes"].get("email_consent"), there["unsubscribed"]
        if consent != before[0] and consent is not None:
            self.say_there(partner, unsubscribed=not consent)
        elif unsubscribed != before[1]:
            self.say_there(partner, email_consent=not unsubscribed)
        there = self.there(partner)
        return there["attributes"].get("email_consent"), there["unsubscribed"]

    def settle(self, partner, known):
        """Both sides and the automation, until nothing moves any more."""
        for _ in range(8):
            self.push()
            now = self.couple(partner, known)
            self.read(partner)
            if now == known and not self.changes():
                return now
            known = now
        raise AssertionError("They never come to rest.")

    def test_as_follower_its_no_counts(self):
        partner = self.make_linked({"email_consent": True})
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.shown(partner), {"email_consent": False, "unsubscribed": True})

    def test_as_follower_its_yes_says_nothing_and_it_is_never_written(self):
        partner = self.make_linked({"email_consent": True})
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.say_there(partner, unsubscribed=False)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.say(partner, self.email, GIVEN)
        self.push()
        self.say_there(partner, unsubscribed=True)  # a second time
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertNotIn("unsubscribed", str(self.bodies()))

    def test_as_follower_it_stops_a_given(self):
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.say_there(partner, unsubscribed=True)
        self.push()
        self.push()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.shown(partner), {"email_consent": False, "unsubscribed": True})

    def test_as_follower_known_it_does_not_fight_a_newer_given(self):
        partner = self.make_linked()
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.say(partner, self.email, GIVEN)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": GIVEN})
        self.assertEqual(self.shown(partner), {"email_consent": True, "unsubscribed": True})

    def test_it_says_no_to_every_e_mail_purpose_and_to_no_other(self):
        news = self.env["usercom.consent.purpose"].create({"name": "News", "channel": "email"})
        self.sim.add_attribute("news_consent", "boolean")
        self.lines.create(
            {"account_id": self.account.id, "purpose_id": news.id, "name": "news_consent"}
        )
        partner = self.make_linked(
            {"email_consent": True, "news_consent": True, "sms_consent": True}
        )
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.assertEqual(
            self.shown(partner),
            {
                "email_consent": False,
                "news_consent": False,
                "sms_consent": True,
                "unsubscribed": True,
            },
        )

    def test_first_meeting(self):
        for unsubscribed, state in ((True, {"email": WITHDRAWN}), (False, {})):
            for leads in (False, True):
                email = f"{unsubscribed}{leads}@example.com"
                self.account.email_authority = "unsubscribed" if leads else "attribute"
                self.sim.add_contact(email=email, unsubscribed=unsubscribed)
                partner = self.make_partner(email=email)
                self.push()
                self.assertEqual(self.states(partner), state, (unsubscribed, leads))

    def test_as_leader_never_asked_is_never_written(self):
        self.lead()
        partner = self.make_linked()
        partner.email = "new@example.com"
        self.push()
        self.sync(partner)
        self.assertEqual(self.shown(partner), {})
        self.assertEqual(self.states(partner), {})
        self.assertNotIn("unsubscribed", str(self.bodies()))

    def test_as_leader_both_words_travel(self):
        self.lead()
        partner = self.make_linked()
        for state, shown in (
            (WITHDRAWN, {"unsubscribed": True}),
            (GIVEN, {}),
            (WITHDRAWN, {"unsubscribed": True}),
        ):
            self.say(partner, self.email, state)
            self.sync(partner)
            self.assertEqual(self.shown(partner), shown)
            self.assertEqual(self.states(partner), {"email": state})
        for unsubscribed, state in ((False, GIVEN), (True, WITHDRAWN)):
            self.say_there(partner, unsubscribed=unsubscribed)
            self.sync(partner)
            self.assertEqual(self.states(partner), {"email": state})
        self.assertNotIn("email_consent", str(self.bodies()))

    def test_as_leader_a_given_does_not_move_to_another_address(self):
        self.lead()
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.sync(partner)
        self.assertEqual(self.shown(partner), {})
        self.sim.reset_calls()
        partner.email = "new@example.com"
        self.push()
        [body] = self.bodies()
        self.assertEqual((body["email"], body["unsubscribed"]), ("new@example.com", True))

    def test_as_leader_the_attribute_is_followed(self):
        self.lead()
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.push()
        self.say_there(partner, email_consent=True)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": GIVEN})
        self.say_there(partner, email_consent=False)
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertEqual(self.shown(partner), {"email_consent": False, "unsubscribed": True})

    def test_an_automation_that_couples_them_makes_no_fight(self):
        for leads in (False, True):
            self.account.email_authority = "unsubscribed" if leads else "attribute"
            self.env["usercom.stream"].search([]).unlink()
            partner = self.make_linked(
                email=f"coupled{leads}@example.com", phone=PHONE if leads else OTHER_PHONE
            )
            known = self.settle(partner, (None, False))
            for state in (GIVEN, WITHDRAWN, GIVEN, WITHDRAWN):
                self.say(partner, self.email, state)
                self.sim.reset_calls()
                known = self.settle(partner, known)
                self.assertEqual(known[1], state == WITHDRAWN, (leads, state))
                self.assertEqual(self.states(partner)["email"], state)
                self.assertLessEqual(len(self.bodies()), 1)
            for unsubscribed in (False, True):
                self.say_there(partner, unsubscribed=unsubscribed)
                known = self.settle(partner, known)
                state = WITHDRAWN if unsubscribed else GIVEN
                self.assertEqual(known, (not unsubscribed, unsubscribed))
                self.assertEqual(self.states(partner)["email"], state)


class TestAddresses(PurposeCase):
    def test_new_number_leaves_its_consents_behind_in_one_write(self):
        partner = self.make_linked(dict.fromkeys(self.travels, True))
        partner.phone = OTHER_PHONE
        self.push()
        self.assertEqual(self.methods(), ["GET", "PUT"])
        [body] = self.bodies()
        self.assertEqual(
            body, {"phone_number": OTHER_PHONE, "sms_consent": False, "phone_consent": False}
        )
        self.assertEqual(self.states(partner), {"email": GIVEN})

    def test_consent_that_was_not_read_yet_does_not_move(self):
        partner = self.make_linked()
        self.say_there(partner, sms_consent=True)
        partner.phone = OTHER_PHONE
        self.push()
        self.assertEqual(self.bodies(), [{"phone_number": OTHER_PHONE, "sms_consent": False}])
        self.assertEqual(self.shown(partner), {"sms_consent": False})
        self.sync(partner)
        self.assertEqual(self.states(partner), {})

    def test_consent_that_an_answer_shows_was_given_at_the_old_number(self):
        partner = self.make_linked()
        self.say_there(partner, sms_consent=True, email_consent=True)
        contact = self.contact_there(partner)
        read = Read(self.binding(partner), contact, moment(), frozenset({"phone_number"}))
        self.binding(partner)._absorb(self.account, [read])
        self.assertEqual(self.states(partner), {"email": GIVEN})

    def test_given_at_the_new_number_goes_along(self):
        partner = self.make_linked({"sms_consent": True, "phone_consent": True})
        partner.phone = OTHER_PHONE
        self.say(partner, self.sms, GIVEN)
        self.push()
        self.assertEqual(self.shown(partner), {"sms_consent": True, "phone_consent": False})

    def test_new_e_mail_address_leaves_those_of_the_number_alone(self):
        partner = self.make_linked(dict.fromkeys(self.travels, True))
        partner.email = "new@example.com"
        self.push()
        self.assertEqual(
            self.shown(partner),
            {"email_consent": False, "sms_consent": True, "phone_consent": True},
        )

    def test_number_in_another_spelling_keeps_them(self):
        partner = self.make_linked({"sms_consent": True})
        partner.phone = "+48 600 700 800"
        self.sync(partner)
        self.assertEqual(self.states(partner), {"sms": GIVEN})
        self.assertEqual(self.shown(partner), {"sms_consent": True})

    def test_number_changed_there_leaves_its_consent_behind(self):
        partner = self.make_linked({"sms_consent": True})
        self.sim.edit_contact(int(partner.usercom_id), phone_number=OTHER_PHONE)
        self.sync(partner)
        self.assertEqual(partner.phone_sanitized, OTHER_PHONE)
        self.assertEqual(self.states(partner), {})
        self.assertEqual(self.shown(partner), {"sms_consent": False})

    def test_consent_left_behind_by_a_call_that_never_came_is_taken_back_by_the_next(self):
        partner = self.make_linked({"sms_consent": True})
        self.sim.edit_contact(int(partner.usercom_id), phone_number=OTHER_PHONE)
        self.read(partner)
        self.sim.fault("500", method="PUT", times=1)
        self.push()
        self.make_due()
        self.push()
        self.assertEqual(self.shown(partner), {"sms_consent": False})
        self.sync(partner)
        self.assertEqual(self.states(partner), {})

    def test_yes_that_was_held_back_leaves_no_no(self):
        partner = self.make_linked({"sms_consent": False})
        self.sim.edit_contact(int(partner.usercom_id), phone_number=OTHER_PHONE)
        self.say(partner, self.sms, GIVEN)
        self.push()
        self.sync(partner)
        self.assertEqual((partner.phone, self.states(partner)), ("+48 600 700 801", {}))
        partner.phone = PHONE
        self.push()
        self.assertEqual(self.states(partner), {"sms": GIVEN})
        self.assertEqual(self.shown(partner), {"sms_consent": True})

    def test_number_that_does_not_travel_gives_nothing(self):
        line = self.account.contact_mapping_ids.filtered(lambda line: line.odoo_field == "phone")
        line.active = False
        partner = self.make_linked()
        self.say(partner, self.sms, GIVEN)
        self.say(partner, self.call, WITHDRAWN)
        self.push()
        self.assertEqual(self.shown(partner), {"phone_consent": False})


class TestNumberWithoutPurpose(PurposeCase):
    travels = ("email_consent",)

    def test_its_change_costs_no_read(self):
        partner = self.make_linked()
        partner.phone = OTHER_PHONE
        self.push()
        self.assertEqual(self.methods(), ["PUT"])


class TestJoining(PurposeCase):
    def test_all_get_the_lower_values_before(self):
        partner = self.make_linked({"email_consent": True, "sms_consent": True})
        other = self.sim.add_contact(
            email="other@example.com",
            unsubscribed=True,
            attributes={"sms_consent": False, "phone_consent": True},
        )
        self.say(partner, self.call, WITHDRAWN)
        self.binding(partner)._join([other["id"]])
        self.push()
        self.sync(partner)
        self.assertEqual(
            self.shown(partner),
            {
                "email_consent": False,
                "sms_consent": False,
                "phone_consent": False,
                "unsubscribed": True,
            },
        )
        self.assertEqual(
            self.states(partner), {"email": WITHDRAWN, "sms": WITHDRAWN, "call": WITHDRAWN}
        )

    def holder(self):
        """Somebody with a profile of their own, at whose address another profile says no."""
        holder = self.make_linked(name="Ola", email="other@example.com", phone=False)
        self.say(holder, self.email, GIVEN)
        self.push()
        said = {"email_consent": False}
        return holder, self.sim.add_contact(email="other@example.com", attributes=said)

    def test_a_no_of_the_other_one_counts_at_its_address(self):
        partner = self.make_linked()
        holder, other = self.holder()
        self.binding(partner)._join([other["id"]])
        self.push()
        self.assertEqual(self.states(holder), {"email": WITHDRAWN})

    def test_a_no_of_the_other_one_counts_also_after_a_crash(self):
        partner = self.make_linked()
        holder, other = self.holder()
        self.binding(partner)._join([other["id"]])
        crash = patch.object(self.registry["usercom.change"], "_record", side_effect=SystemExit)
        with suppress(SystemExit), crash:
            self.push()
        self.assertEqual(self.states(holder), {"email": WITHDRAWN})
        self.make_due()
        self.push()
        [no] = self.ledger.search([("address", "=", holder.email), ("state", "=", WITHDRAWN)])
        self.assertEqual(no.partner_id, partner)
        self.assertFalse(self.binding(partner).merge_ids)

    def test_one_that_cannot_be_joined_stops_no_other(self):
        bad, good = self.make_linked(), self.make_linked(email="ola@example.com", phone=False)
        for partner in (bad, good):
            other = self.sim.add_contact(email=f"other.{partner.email}")
            self.binding(partner)._join([other["id"]])
        real, broken = type(self.env["usercom.binding"])._meet, self.binding(bad).id

        def meet(binding, *args):
            if binding.id == broken:
                raise ValueError
            return real(binding, *args)

        patched = patch.object(self.registry["usercom.binding"], "_meet", meet)
        with patched, self.assertLogs("odoo.addons.usercom_connector", "ERROR"):
            self.push()
        self.assertFalse(self.binding(good).merge_ids)
        self.assertEqual(self.changes().mapped("problem_code"), ["unexpected"])

    def test_no_yes_goes_out_over_a_no_that_the_other_one_shows(self):
        partner = self.make_linked()
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.say(partner, self.email, GIVEN)
        other = self.sim.add_contact(email=partner.email, unsubscribed=True)
        self.binding(partner)._join([other["id"]])
        self.push()
        self.assertNotIn(True, [body.get("email_consent") for body in self.bodies()])
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})

    def test_a_yes_that_comes_with_a_merge_stays_below_the_no(self):
        target = self.make_partner(phone=PHONE)
        self.say(target, self.sms, WITHDRAWN)
        source = self.make_partner(phone=PHONE)
        self.say(source, self.sms, GIVEN)
        self.assertEqual(self.states(target), {"sms": WITHDRAWN})
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge((target | source).ids, target)
        self.assertEqual(self.states(target), {"sms": WITHDRAWN})

    def test_farewell_says_no_for_everything(self):
        self.account.on_delete = "unsubscribe"
        partner = self.make_linked(dict.fromkeys(self.travels, True))
        number = int(partner.usercom_id)
        partner.unlink()
        self.push()
        there = self.sim.contact(number)
        self.assertIs(there["unsubscribed"], True)
        self.assertEqual([there["attributes"][name] for name in self.travels], [False] * 3)


class TestSetup(PurposeCase):
    def test_each_account_gets_the_ready_lines(self):
        account = self.env["usercom.account"].create({"name": "New", "subdomain": "other"})
        self.assertEqual(
            {line.name: line.active for line in account.consent_attribute_ids},
            {"email_consent": True, "sms_consent": False, "phone_consent": False},
        )
        account.consent_attribute_ids.filtered(lambda line: line.name == "sms_consent").unlink()
        self.env["usercom.account"]._prepare_all_mappings()
        account.invalidate_recordset()
        self.assertEqual(len(account.consent_attribute_ids), 2, "what was deleted stays so")

    def test_trouble_is_shown(self):
        self.account.action_test_connection()
        self.assertFalse(any(self.lines.mapped("trouble")))
        for attribute in self.sim.attributes():
            if attribute["name"] == "sms_consent":
                self.sim.delete_attribute(attribute["id"])
        self.lines.filtered(lambda line: line.name == "phone_consent").name = "called"
        self.sim.add_attribute("called", "string")
        self.account.action_test_connection()
        self.assertTrue(self.account.consent_missing)
        trouble = {line.name: line.trouble for line in self.lines}
        self.assertEqual(
            trouble, {"email_consent": False, "sms_consent": "missing", "called": "no_boolean"}
        )
        self.lines.filtered(lambda line: line.name == "sms_consent").action_create()
        self.assertFalse(self.lines.filtered(lambda line: line.name == "sms_consent").trouble)

    def test_attributes_of_consents_are_not_mapped(self):
        self.account.action_test_connection()
        attributes = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "sms_consent")]
        )
        vals = {"account_id": self.account.id, "odoo_field": "function", "direction": "out"}
        with self.assertRaisesRegex(ValidationError, "rules of their own"):
            self.env["usercom.mapping"].create(vals | {"attribute_id": attributes.id})
        self.sim.add_attribute("mapped", "string")
        self.account.action_test_connection()
        attribute = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "mapped")]
        )
        self.env["usercom.mapping"].create(vals | {"attribute_id": attribute.id})
        for name in ("mapped", "unsubscribed", "email", "custom_id"):
            with self.assertRaises(ValidationError):
                self.lines[0].name = name

    def test_the_form(self):
        with Form(self.account) as form:
            form.email_authority = "unsubscribed"
            with form.consent_attribute_ids.edit(1) as line:
                line.active = False
        self.assertEqual(self.account.email_authority, "unsubscribed")
        self.assertIn("Unsubscribed from emails", self.account.webhook_attributes)
        self.assertIn("email_consent", self.account.webhook_attributes)
        self.assertNotIn("sms_consent", self.account.webhook_attributes)

    def test_double_opt_in_is_offered_where_there_is_a_message_for_it(self):
        with Form(self.email) as form:
            form.double_opt_in = True
        with Form(self.sms) as form, self.assertRaisesRegex(AssertionError, "invisible"):
            form.double_opt_in = True

    def test_payload_hooks_write_no_consent(self):
        partner = self.make_linked()
        partner.city = "Hel"
        body = {"city": "Hel", "sms_consent": True}
        with (
            patch.object(type(partner), "_usercom_payload", lambda *args: body),
            self.assertLogs("odoo.addons.usercom_connector", "ERROR"),
        ):
            self.push()
        self.assertEqual(self.shown(partner), {})


class TestSaidByACall(PurposeCase):
    """Promise 8: a call's "no" counts where a "yes" of ours may have been written over it."""

    def body(self, partner, at, unsubscribed=False, emails_enabled=None, **attributes):
        user = {"id": int(partner.usercom_id), "email": partner.email, "status": "user"}
        user |= {"unsubscribed": unsubscribed}
        user |= {} if emails_enabled is None else {"emails_enabled": emails_enabled}
        user["attributes"] = [{"name_std": n, "value": v} for n, v in attributes.items()]
        return {"timestamp": at.isoformat() + "+00:00", "user": user}

    def called(self, partner, body, lookup="id", value=None):
        """What the controller makes of a call whose secret is right."""
        pings = self.env["usercom.ping"]
        pings._append(
            [(self.account.id, lookup, value or partner.usercom_id)],
            digest=pings._digest_of_call(self.account.id, body["user"]),
            said_no=pings._no_of_call(self.account.id, body),
        )

    def written(self):
        """A contact whose given consents we have just written, and the time right after."""
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.say(partner, self.sms, GIVEN)
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": True, "sms_consent": True})
        return partner, moment()

    def test_no_that_we_wrote_over(self):
        partner, now = self.written()
        self.called(partner, self.body(partner, now, email_consent=False, sms_consent=True))
        self.pull()  # the read shows our "yes"
        self.assertEqual(self.states(partner), {"email": WITHDRAWN, "sms": GIVEN})
        event = partner.usercom_consent_event_ids[:1]
        self.assertEqual(event.happened_at, now)
        self.assertEqual((event.source, event.origin), ("usercom", "Test"))
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": False, "sms_consent": True})
        self.sync(partner)
        self.assertEqual(self.states(partner), {"email": WITHDRAWN, "sms": GIVEN})

    def test_each_way_of_saying_it(self):
        for number, said in enumerate(
            ({"unsubscribed": True}, {"emails_enabled": "False"}, {"email_consent": "false"})
        ):
            partner = self.make_linked(email=f"p{number}@example.com", phone=f"+4860070081{number}")
            self.say(partner, self.email, GIVEN)
            self.push()
            self.called(partner, self.body(partner, moment(), **said))
            self.pull()
            self.assertEqual(self.states(partner), {"email": WITHDRAWN}, said)

    def test_named_by_another_number_or_address(self):
        for number, lookup in enumerate(("custom_id", "email")):
            partner = self.make_linked(email=f"p{number}@example.com", phone=f"+4860070081{number}")
            self.say(partner, self.email, GIVEN)
            self.push()
            body = self.body(partner, moment(), email_consent=False)
            value = self.binding(partner).custom_id if lookup == "custom_id" else partner.email
            self.called(partner, body, lookup, value)
            self.pull()
            self.assertEqual(self.states(partner), {"email": WITHDRAWN}, lookup)

    def test_older_than_the_given(self):
        partner, now = self.written()
        for seconds in (2, 3600, 10**8):
            at = now - timedelta(seconds=seconds)
            self.called(partner, self.body(partner, at, email_consent=False, unsubscribed=True))
            self.pull()
            self.assertEqual(self.states(partner), {"email": GIVEN, "sms": GIVEN})

    def test_we_never_wrote_a_yes(self):
        partner = self.make_linked({"email_consent": True})
        self.sync(partner)
        number = int(partner.usercom_id)
        self.sim.edit_contact(number, attributes={"email_consent": False})
        self.called(partner, self.body(partner, moment(), email_consent=False))
        self.pull()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.assertFalse(self.env["usercom.ping"].search([]))

    def test_undated(self):
        partner, now = self.written()
        for timestamp in (None, "", "yesterday", 5, {}):
            body = self.body(partner, now, email_consent=False) | {"timestamp": timestamp}
            self.called(partner, body)
            self.pull()
            self.assertEqual(self.states(partner), {"email": GIVEN, "sms": GIVEN})

    def test_replayed(self):
        partner, now = self.written()
        body = self.body(partner, now, email_consent=False)
        for _ in range(2):
            self.called(partner, body)
            self.pull()
            self.push()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN, "sms": GIVEN})
        words = partner.usercom_consent_event_ids
        self.say(partner, self.email, GIVEN)
        self.push()
        for _ in range(2):
            self.called(partner, body)
            self.pull()
            self.push()
        self.assertEqual(self.states(partner), {"email": GIVEN, "sms": GIVEN})
        self.assertEqual(len(partner.usercom_consent_event_ids - words), 1)

    def test_it_never_raises(self):
        partner = self.make_linked({"email_consent": False})
        now = moment()
        self.called(partner, self.body(partner, now, emails_enabled=True, email_consent=True))
        self.pull()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})

    def test_a_clock_that_is_ahead_dates_nothing_into_the_future(self):
        partner, now = self.written()
        at = now + timedelta(seconds=40)
        self.called(partner, self.body(partner, at, email_consent=False))
        self.pull()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN, "sms": GIVEN})
        self.say(partner, self.email, GIVEN)
        self.assertEqual(self.states(partner), {"email": GIVEN, "sms": GIVEN})

    def test_what_stood_there_before_is_no_news(self):
        partner = self.make_linked()
        self.say_there(partner, unsubscribed=True)
        self.sync(partner)
        self.say(partner, self.email, GIVEN)
        self.push()
        body = self.body(partner, moment(), unsubscribed=True, email_consent=True)
        self.called(partner, body)
        self.pull()
        self.assertEqual(self.states(partner), {"email": GIVEN})

    def test_no_and_yes_long_after_our_write(self):
        """A yes of User.com's own: the read shows it, and the call's no was before it."""
        partner, now = self.written()
        self.binding(partner).yes_written_at = now - timedelta(hours=1)
        self.called(partner, self.body(partner, now, email_consent=False))
        self.pull()
        self.assertEqual(self.states(partner), {"email": GIVEN, "sms": GIVEN})

    def test_while_the_call_is_under_way(self):
        partner = self.make_linked()
        self.say(partner, self.email, GIVEN)
        self.sim.fault("500", method="PUT", times=1, commit=True)
        self.push()  # the answer is lost
        self.called(partner, self.body(partner, moment(), email_consent=False))
        self.pull()
        self.assertEqual(self.states(partner), {"email": WITHDRAWN})
        self.make_due()
        self.push()
        self.assertEqual(self.shown(partner), {"email_consent": False})

    def test_it_waits_for_no_read(self):
        partner, now = self.written()
        self.sim.fault("500", method="GET", times=1)
        self.called(partner, self.body(partner, now, email_consent=False))
        self.pull()
        self.assertTrue(self.pings())
        self.assertEqual(self.states(partner)["email"], WITHDRAWN)

    def test_row_that_waits_keeps_it(self):
        partner, now = self.written()
        self.called(partner, self.body(partner, now, email_consent=True), "email", partner.email)
        self.called(partner, self.body(partner, now, email_consent=False), "email", partner.email)
        self.sim.fault("500", method="GET", times=1)
        self.pull()
        self.assertEqual(self.states(partner)["email"], GIVEN)
        self.make_due()
        self.pull()
        self.assertEqual(self.states(partner)["email"], WITHDRAWN)

    def test_the_row_keeps_nothing_else(self):
        partner, now = self.written()
        body = self.body(partner, now, email_consent=False, sms_consent=True, city="Secret")
        self.called(partner, body)
        [row] = self.pings()
        self.assertEqual(row.said_no, ["email_consent"])
        self.assertEqual(row.called_at, now)
        self.assertNotIn("Secret", str(row.read()))
        self.called(partner, self.body(partner, now, email_consent=True))
        row = self.pings() - row
        self.assertEqual((row.said_no, row.called_at), (False, False))


class TestLateWithdrawals(PurposeCase):
    def late(self, *purposes, **attributes):
        """A contact that withdrew two hours ago, and User.com cannot be reached."""
        partner = self.make_linked(attributes)
        words = self.ledger
        for purpose in purposes:
            words |= self.say(partner, purpose, WITHDRAWN)
        self.recorded_at(words, fields.Datetime.now() - timedelta(hours=2))
        return partner

    def recorded_at(self, events, at):
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_consent_event SET recorded_at = %s WHERE id IN %s",
            [at, tuple(events.ids)],
        )
        events.invalidate_recordset()
        # As if nobody had looked since.
        stream = self.env["usercom.stream"]._of(self.account, "push")
        stream.withdrawals_until = at - timedelta(hours=1)

    def asked(self):
        kind = self.env.ref("usercom_connector.mail_activity_withdrawal")
        return self.env["mail.activity"].search([("activity_type_id", "=", kind.id)])

    def test_somebody_is_told_once_and_again_when_it_is_over(self):
        self.late(self.sms)
        self.sim.fault("500", method="PUT", times=None)
        self.push()
        [activity] = self.asked()
        self.assertEqual(activity.user_id, self.account._responsible())
        self.make_due()
        self.push()
        self.assertEqual(self.asked(), activity)
        activity.unlink()  # somebody has read it
        self.make_due()
        self.push()
        self.assertFalse(self.asked(), "told once")
        self.sim.clear_faults()
        self.make_due()
        self.push()
        self.push()
        self.assertFalse(self.env["usercom.stream"]._of(self.account, "push").is_late)

    def test_also_while_nobody_has_said_who_it_is(self):
        for _ in range(2):
            self.there_is()
        partner = self.make_partner()
        at = fields.Datetime.now() - timedelta(hours=2)
        said = self.say(partner, self.email, WITHDRAWN)
        self.push()
        self.assertEqual(self.changes().problem_code, "several_there")
        self.recorded_at(said, at)
        self.push()
        self.assertTrue(self.asked())
        self.changes().action_ignore()
        self.push()
        self.assertFalse(self.asked())

    def test_also_while_it_cannot_be_found_out_who_it_is(self):
        said = self.say(self.make_partner(), self.email, WITHDRAWN)
        self.sim.fault("500", path="/users/search/", times=None)
        self.recorded_at(said, fields.Datetime.now() - timedelta(hours=2))
        self.push()
        self.assertTrue(self.asked())
        self.sim.clear_faults()
        for _times in range(2):
            self.make_due()
            self.push()
        self.assertFalse(self.asked())

    def test_closed_when_delivered(self):
        self.late(self.email)
        self.sim.fault("500", method="PUT", times=1)
        self.push()
        self.assertTrue(self.asked())
        self.make_due()
        self.push()
        self.push()
        self.assertFalse(self.asked())

    def test_the_next_one_is_told_of_as_well(self):
        self.test_closed_when_delivered()
        partner = self.make_linked(name="Ola", email="ola@example.com", phone=OTHER_PHONE)
        word = self.say(partner, self.call, WITHDRAWN)
        self.recorded_at(word, fields.Datetime.now() - timedelta(hours=2))
        self.sim.fault("500", method="PUT", times=None)
        self.push()
        self.assertTrue(self.asked())

    def test_not_before_an_hour_and_not_when_delivered(self):
        partner = self.make_linked()
        self.say(partner, self.sms, WITHDRAWN)
        self.sim.fault("500", method="PUT", times=1)
        self.push()
        self.assertFalse(self.asked())
        self.make_due()
        self.push()
        self.recorded_at(
            partner.usercom_consent_event_ids, fields.Datetime.now() - timedelta(hours=2)
        )
        self.push()
        self.assertFalse(self.asked())

    def test_also_where_user_com_refuses_it(self):
        partner = self.late(self.sms)
        for attribute in self.sim.attributes():
            if attribute["name"] == "sms_consent":
                self.sim.delete_attribute(attribute["id"])
        self.push()
        self.push()
        self.assertTrue(self.asked())
        self.assertIn("SMS marketing", partner.usercom_problem)

    def test_also_while_the_account_pauses(self):
        self.late(self.sms)
        self.account.action_pause()
        self.push()
        self.assertTrue(self.asked())
