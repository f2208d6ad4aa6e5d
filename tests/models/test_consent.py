"""Consents: three states, a history that only grows, and a "no" that wins."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.sync import consent
from odoo.addons.usercom_connector.tools import exchange
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests.common import new_test_user, tagged

from .common import SyncCase

GIVEN, WITHDRAWN = "given", "withdrawn"


@tagged("post_install", "-at_install")
class ConsentCase(SyncCase):
    def event(self, partner, state, days_ago=0, address=None, **vals):
        """A word that was said some days ago; ``days_ago=None`` for one without a date."""
        at = None if days_ago is None else fields.Datetime.now() - timedelta(days=days_ago)
        return self.env["usercom.consent.event"].create(
            {
                "partner_id": partner.id,
                "address": address or partner.email_normalized,
                "state": state,
                "happened_at": at,
            }
            | vals
        )

    def events(self, partner):
        return self.env["usercom.consent.event"].search(
            [("partner_id", "=", partner.id)], order="id"
        )

    def consent_there(self, partner):
        return self.there(partner)["attributes"].get("email_consent")

    def set_there(self, partner, value):
        self.sim.edit_contact(int(partner.usercom_id), attributes={"email_consent": value})

    def read(self, partner):
        self.ping(partner.usercom_id)
        self.pull()

    def sync(self, partner):
        """Until nothing is left to do; then both sides say the same, unless never asked."""
        for _ in range(3):
            self.read(partner)
            self.push()
        self.assertFalse(self.changes())
        self.assertFalse(self.pings())


class TestOnTheContact(ConsentCase):
    def test_three_states(self):
        partner = self.make_partner()
        self.assertFalse(partner.usercom_email_consent)
        partner.usercom_email_consent = GIVEN
        self.assertEqual(partner.usercom_email_consent, GIVEN)
        partner.usercom_email_consent = WITHDRAWN
        self.env.invalidate_all()
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_history(self):
        user = new_test_user(
            self.env, "consents", groups="base.group_user,base.group_partner_manager"
        )
        partner = self.make_partner().with_user(user)
        partner.usercom_email_consent = GIVEN
        partner.usercom_email_consent = GIVEN
        partner.usercom_email_consent = WITHDRAWN
        events = self.events(partner)
        self.assertEqual(events.mapped("state"), [GIVEN, WITHDRAWN])
        self.assertEqual(events.mapped("address"), ["jan@example.com"] * 2)
        self.assertEqual(events.mapped("source"), ["odoo"] * 2)
        self.assertEqual(events.user_id, user)
        self.assertTrue(all(events.mapped("happened_at")))

    def test_with_the_contact(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_cannot_be_made_unasked(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        with self.assertRaisesRegex(ValidationError, "cannot be made unasked"):
            partner.usercom_email_consent = False

    def test_needs_an_address(self):
        for email in (False, "", "jan at example"):
            partner = self.make_partner(email=email)
            with self.assertRaisesRegex(ValidationError, "valid e-mail"):
                partner.usercom_email_consent = GIVEN
            partner.usercom_email_consent = False  # says nothing, so it needs nothing

    def test_several_at_once(self):
        partners = self.make_partner() + self.make_partner(email="ola@example.com")
        partners.usercom_email_consent = GIVEN
        self.assertEqual(partners.mapped("usercom_email_consent"), [GIVEN, GIVEN])
        self.assertEqual(len(self.env["usercom.consent.event"].search([])), 2)

    def test_belongs_to_the_address(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        partner.email = "new@example.com"
        self.assertFalse(partner.usercom_email_consent)
        partner.email = "JAN@example.com"
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_given_is_for_one_and_withdrawn_for_all_with_the_address(self):
        one, other = self.make_partner(), self.make_partner(email="Jan@Example.com")
        one.usercom_email_consent = GIVEN
        self.assertFalse(other.usercom_email_consent)
        other.usercom_email_consent = GIVEN
        one.usercom_email_consent = WITHDRAWN
        self.assertEqual(other.usercom_email_consent, WITHDRAWN)

    def test_outlives_the_contact(self):
        partner = self.make_partner(usercom_email_consent=WITHDRAWN)
        event = self.events(partner)
        partner.unlink()
        self.assertTrue(event.exists())
        self.assertFalse(event.address)  # test_ledger.py says more
        self.assertEqual(self.make_partner().usercom_email_consent, WITHDRAWN)

    def test_copy_of_a_contact_has_none(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        self.assertFalse(partner.copy().usercom_email_consent)


class TestNobodyWritesEvents(ConsentCase):
    def test_by_rpc(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        event = self.events(partner)
        vals = {"partner_id": partner.id, "address": "jan@example.com", "state": GIVEN}
        groups = "base.group_system,base.group_partner_manager"
        for user in (
            new_test_user(
                self.env, "consents-user", groups="base.group_user,base.group_partner_manager"
            ),
            new_test_user(self.env, "consents-admin", groups=groups),
        ):
            mine = event.with_user(user)
            self.assertEqual(mine.read(["state"])[0]["state"], GIVEN)
            contact = partner.with_user(user)
            for way in (
                lambda mine=mine: mine.create(vals),
                lambda mine=mine: mine.write({"state": WITHDRAWN}),
                lambda mine=mine: mine.write({"happened_at": False}),
                lambda mine=mine: mine.unlink(),
                lambda mine=mine: mine.copy(),
                lambda c=contact: c.write({"usercom_consent_event_ids": [Command.create(vals)]}),
                lambda c=contact: c.write(
                    {"usercom_consent_event_ids": [Command.update(event.id, {"state": WITHDRAWN})]}
                ),
                lambda c=contact: c.write(
                    {"usercom_consent_event_ids": [Command.delete(event.id)]}
                ),
                lambda c=contact: c.write(
                    {"usercom_consent_event_ids": [Command.unlink(event.id)]}
                ),
                lambda c=contact: c.write({"usercom_consent_event_ids": [Command.clear()]}),
                lambda c=contact: c.write({"usercom_consent_event_ids": [Command.set([])]}),
            ):
                with self.assertRaises(AccessError):
                    way()
            self.assertEqual(self.events(partner), event)
            self.assertEqual(event.state, GIVEN)

    def test_portal_and_public_see_none(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        for group in ("base.group_portal", "base.group_public"):
            user = new_test_user(self.env, f"consents-{group[11:]}", groups=group)
            with self.assertRaises(AccessError):
                self.events(partner).with_user(user).read(["state"])
            with self.assertRaises(AccessError):
                user.partner_id.with_user(user).read(["usercom_email_consent"])

    def test_who_may_not_write_the_contact_records_nothing(self):
        partner = self.make_partner()
        user = new_test_user(self.env, "consents-reader", groups="base.group_user")
        with self.assertRaises(AccessError):
            partner.with_user(user).write({"usercom_email_consent": GIVEN})
        self.assertFalse(self.events(partner))


words = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),  # who
        st.sampled_from(["jan@example.com", "ola@example.com"]),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=6,
)


class TestSearch(ConsentCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        words=words,
        emails=st.lists(
            st.sampled_from(["jan@example.com", "OLA@example.com", False, "none"]),
            min_size=2,
            max_size=2,
        ),
    )
    def test_agrees_with_the_state(self, words, emails):
        with self.env.cr.savepoint() as savepoint:
            partners = self.env["res.partner"].create([{"name": "P", "email": e} for e in emails])
            self.env["usercom.consent.event"].create(
                [
                    {
                        "partner_id": partners[who].id,
                        "address": address,
                        "state": GIVEN if said_yes else WITHDRAWN,
                        "happened_at": day is not None and datetime(2026, 1, 1 + day),
                    }
                    for who, address, said_yes, day in words
                ]
            )
            expected = {}
            for number, partner in enumerate(partners):
                expected[partner] = partner.email_normalized and consent.state(
                    consent.Event(said_yes, None if day is None else datetime(2026, 1, 1 + day))
                    for who, address, said_yes, day in words
                    if address == partner.email_normalized and (who == number or not said_yes)
                )
            for partner, state in expected.items():
                self.assertEqual(partner.usercom_email_consent or None, state or None)
            mine = [("id", "in", partners.ids)]
            for state in (GIVEN, WITHDRAWN, False):
                for domain, wanted in (
                    ([("usercom_email_consent", "=", state)], [state]),
                    (
                        [("usercom_email_consent", "!=", state)],
                        [s for s in (GIVEN, WITHDRAWN, False) if s != state],
                    ),
                    ([("usercom_email_consent", "in", [state, GIVEN])], [state, GIVEN]),
                    (
                        [("usercom_email_consent", "not in", [state, GIVEN])],
                        [s for s in (GIVEN, WITHDRAWN, False) if s not in (state, GIVEN)],
                    ),
                ):
                    found = self.env["res.partner"].search(mine + domain)
                    self.assertEqual(
                        set(found.ids),
                        {p.id for p, s in expected.items() if (s or False) in wanted},
                        domain,
                    )
            savepoint.rollback()

    def test_as_a_user_sees_it(self):
        user = new_test_user(self.env, "consents-search", groups="base.group_user")
        partner = self.make_partner(usercom_email_consent=GIVEN)
        partners = self.env["res.partner"].with_user(user)
        self.assertIn(partner, partners.search([("usercom_email_consent", "=", GIVEN)]))
        self.assertNotIn(partner, partners.search([("usercom_email_consent", "=", False)]))


class TestOut(ConsentCase):
    def test_withdrawn_goes_without_a_read(self):
        partner = self.make_linked({"email_consent": True})
        partner.usercom_email_consent = WITHDRAWN
        self.push()
        self.assertIs(self.consent_there(partner), False)
        # What is read after it is who else has the address.
        self.assertEqual(self.methods(), ["PUT", "GET"])

    def test_given_goes_after_a_fresh_read(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.push()
        self.assertIs(self.consent_there(partner), True)
        [read, write] = self.sim.calls()
        self.assertEqual((read["method"], write["method"]), ("GET", "PUT"))
        self.assertLess(write["time"] - read["time"], 1)
        self.assertEqual(write["body"], {"email_consent": True})

    def test_given_again_after_a_withdrawal_that_both_know(self):
        partner = self.make_linked()
        partner.usercom_email_consent = WITHDRAWN
        self.push()
        self.event(partner, GIVEN, days_ago=-1)
        self.push()
        self.assertIs(self.consent_there(partner), True)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_newer_no_found_by_the_read_wins(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.set_there(partner, False)
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.assertEqual(self.methods(), ["GET"])
        self.sync(partner)
        self.assertIs(self.consent_there(partner), False)

    def test_newer_no_found_by_the_read_wins_and_the_rest_goes(self):
        partner = self.make_linked()
        partner.write({"usercom_email_consent": GIVEN, "city": "Gdynia"})
        self.set_there(partner, False)
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_new_contact(self):
        for number, (state, value) in enumerate(
            {GIVEN: True, WITHDRAWN: False, None: None}.items()
        ):
            partner = self.make_partner(email=f"p{number}@example.com")
            if state:
                partner.usercom_email_consent = state
            self.push()
            self.assertIs(self.consent_there(partner), value)

    def test_never_asked_is_never_sent(self):
        partner = self.make_linked()
        partner.write({"city": "Gdynia", "name": "Jan Nowy"})
        self.push()
        self.assertIsNone(self.consent_there(partner))
        self.assertNotIn("email_consent", str([call["body"] for call in self.sim.calls()]))

    def test_echo(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.push()
        self.sim.reset_calls()
        self.sync(partner)
        self.assertEqual(self.sim.calls.count("PUT"), 0)
        self.assertEqual(len(self.events(partner)), 1)

    def test_lost_answer_of_a_given(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.sim.fault("drop", commit=True, method="PUT", path="/users/:id/")
        self.push()
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), True)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_no_said_after_a_lost_answer_wins(self):
        """The given had arrived, was withdrawn there, and must not be sent a second time."""
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.sim.fault("drop", commit=True, method="PUT", path="/users/:id/")
        self.push()
        self.set_there(partner, False)
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_no_said_after_a_lost_answer_of_the_creation_wins(self):
        partner = self.make_partner(usercom_email_consent=GIVEN)
        self.sim.fault("drop", commit=True, method="POST")
        self.push()
        [there] = self.sim.contacts()
        self.assertIs(there["attributes"]["email_consent"], True)
        self.sim.edit_contact(there["id"], attributes={"email_consent": False})
        self.make_due()
        self.push()
        [there] = self.sim.contacts()
        self.assertIs(there["attributes"]["email_consent"], False)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.assertEqual(partner.usercom_id, str(there["id"]))

    def test_refused_for_want_of_the_attribute(self):
        for attribute in self.sim.attributes():
            self.sim.delete_attribute(attribute["id"])
        partner = self.make_linked()
        other = self.make_linked(email="ola@example.com")
        partner.write({"usercom_email_consent": WITHDRAWN, "city": "Gdynia"})
        other.usercom_email_consent = WITHDRAWN
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertIn("E-mail marketing", partner.usercom_problem)
        self.assertIn("E-mail marketing", other.usercom_problem)
        partner.city = "Sopot"
        self.push()
        self.assertIn("E-mail marketing", partner.usercom_problem)
        # Once the attribute is there, it goes by itself: nobody edits each contact for that.
        manager = new_test_user(
            self.env, "consents-manager", groups="usercom_connector.group_usercom_manager"
        )
        self.account.with_user(manager).action_create_consents()
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertIs(self.consent_there(other), False)
        self.assertFalse(partner.usercom_problem or other.usercom_problem)

    def test_withdrawal_goes_first(self):
        for number in range(60):
            self.make_partner(email=f"p{number}@example.com")
        self.env.flush_all()
        self.env.cr.precommit.run()
        partner = self.env["res.partner"].search([("email", "=", "p59@example.com")])
        partner.usercom_email_consent = WITHDRAWN
        self.env.flush_all()
        self.env.cr.precommit.run()
        claimed = list(self.env["usercom.change"]._claim(self.account))
        self.assertEqual(claimed[0], (partner.id,))


class TestIn(ConsentCase):
    def test_both_directions(self):
        partner = self.make_linked()
        self.set_there(partner, True)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, GIVEN)
        self.set_there(partner, False)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        events = self.events(partner)
        self.assertEqual(events.mapped("source"), ["usercom"] * 2)
        self.assertEqual(events.account_id, self.account)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())

    def test_same_value_again_is_no_event(self):
        partner = self.make_linked({"email_consent": True})
        before = len(self.events(partner))
        self.sim.page_view(int(partner.usercom_id))
        self.sync(partner)
        self.assertEqual(len(self.events(partner)), before)

    def test_blank_says_nothing(self):
        partner = self.make_linked({"email_consent": True})
        self.set_there(partner, None)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_spellings(self):
        for number, (value, state) in enumerate(
            [
                ("true", GIVEN),
                ("1", GIVEN),
                ("False", WITHDRAWN),
                (0, WITHDRAWN),
                ("maybe", False),
                (7, False),
                ([True], False),
                ({"a": 1}, False),
            ]
        ):
            there = self.sim.add_contact(
                raw=True,
                email=f"p{number}@example.com",
                status="user",
                attributes={"email_consent": value},
            )
            self.ping(there["id"])
            self.pull()
            partner = self.env["res.partner"].search([("email", "=", f"p{number}@example.com")])
            self.assertEqual(partner.usercom_email_consent, state)

    def test_given_is_dated_by_the_start_of_the_doubt(self):
        """A no that was said here between two reads is newer than a yes found by the second."""
        partner = self.make_linked()
        binding = self.binding(partner)
        binding.synced_at = fields.Datetime.now() - timedelta(days=3)
        self.event(partner, WITHDRAWN, days_ago=1)
        self.set_there(partner, True)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.push()
        self.assertIs(self.consent_there(partner), False)

    def test_given_found_later_than_an_old_no(self):
        partner = self.make_linked({"email_consent": False})
        self.binding(partner).synced_at = fields.Datetime.now() + timedelta(minutes=1)
        self.set_there(partner, True)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_withdrawal_reaches_all_with_the_address(self):
        one = self.make_linked({"email_consent": True})
        second = self.sim.add_contact(
            email="other@example.com",
            status="user",
            first_name="J",
            attributes={"email_consent": True},
        )
        self.ping(second["id"])
        self.pull()
        other = self.env["res.partner"].search([("email", "=", "other@example.com")])
        # Now both have one address, on both sides.
        self.sim.edit_contact(second["id"], email="jan@example.com")
        self.read(other)
        other.usercom_email_consent = GIVEN
        self.sync(other)
        self.assertIs(self.consent_there(other), True)
        self.set_there(one, False)
        self.read(one)
        self.assertEqual(other.usercom_email_consent, WITHDRAWN)
        self.push()
        self.assertIs(self.consent_there(other), False)
        self.assertFalse(self.changes())

    def test_withdrawal_reaches_an_unlinked_contact(self):
        one = self.make_linked()
        archived = self.make_partner(name="Old", active=False)
        one.usercom_email_consent = WITHDRAWN
        self.assertEqual(archived.usercom_email_consent, WITHDRAWN)


class TestAddressChange(ConsentCase):
    def test_carries_false_in_the_same_call(self):
        partner = self.make_linked({"email_consent": True})
        partner.email = "new@example.com"
        self.push()
        [call] = self.sim.calls("PUT")
        self.assertEqual(call["body"], {"email": "new@example.com", "email_consent": False})
        self.sync(partner)
        self.assertFalse(partner.usercom_email_consent)
        self.assertIs(self.consent_there(partner), False)

    def test_given_at_the_new_address(self):
        partner = self.make_linked({"email_consent": True})
        partner.write({"email": "new@example.com"})
        partner.usercom_email_consent = GIVEN
        self.push()
        there = self.there(partner)
        self.assertEqual(there["email"], "new@example.com")
        self.assertIs(there["attributes"]["email_consent"], True)

    def test_without_a_consent_nothing_is_said(self):
        partner = self.make_linked()
        partner.email = "new@example.com"
        self.push()
        self.assertIsNone(self.consent_there(partner))

    def test_other_spelling_is_no_change(self):
        partner = self.make_linked({"email_consent": True})
        partner.email = "JAN@Example.com"
        self.push()
        self.assertFalse(self.sim.calls())

    def test_address_removed(self):
        partner = self.make_linked({"email_consent": True}, phone="+48600100200")
        partner.email = False
        self.push()
        self.assertIs(self.consent_there(partner), False)

    def test_change_over_there(self):
        """A consent that User.com shows belongs to the address that User.com holds."""
        partner = self.make_linked({"email_consent": True})
        self.sim.edit_contact(int(partner.usercom_id), email="new@example.com")
        self.sync(partner)
        self.assertEqual(partner.email, "new@example.com")
        # The consent was given for the old address, and nobody asked at the new one.
        self.assertNotEqual(partner.usercom_email_consent, GIVEN)


class TestAddressThatDoesNotTravel(ConsentCase):
    """A consent is never raised at another address than the one it was given for."""

    def test_several_addresses_in_the_field(self):
        partner = self.make_linked()
        partner.email = "new@example.com, ola@example.com"
        partner.usercom_email_consent = GIVEN
        self.sync(partner)
        self.assertEqual(self.there(partner)["email"], "jan@example.com")
        self.assertIsNone(self.consent_there(partner))
        partner.email = "new@example.com"
        self.sync(partner)
        self.assertEqual(self.there(partner)["email"], "new@example.com")
        self.assertIs(self.consent_there(partner), True)

    def test_address_that_usercom_refuses(self):
        partner = self.make_linked()
        real = client.UserCom.update_contact

        def update(usercom, number, body):
            if body.get("email") == "new@example.com":
                raise client.RecordRefused({"email": ["No."]})
            return real(usercom, number, body)

        self.patch(client.UserCom, "update_contact", update)
        partner.write({"email": "new@example.com", "city": "Gdynia"})
        partner.usercom_email_consent = GIVEN
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertIsNone(self.consent_there(partner))
        partner.city = "Sopot"
        self.sync(partner)
        self.assertEqual(self.there(partner)["city"], "Sopot")
        self.assertIsNone(self.consent_there(partner))
        partner.email = "newer@example.com"
        partner.usercom_email_consent = GIVEN
        self.sync(partner)
        self.assertIs(self.consent_there(partner), True)

    def test_address_that_was_changed_over_there_meanwhile(self):
        partner = self.make_linked()
        self.sim.edit_contact(int(partner.usercom_id), email="new@example.com")
        partner.usercom_email_consent = GIVEN
        self.push()
        self.assertIsNone(self.consent_there(partner))
        self.sync(partner)
        self.assertEqual(partner.email, "new@example.com")
        self.assertIsNone(self.consent_there(partner))
        self.assertFalse(partner.usercom_email_consent)

    def test_withdrawal_is_sent_all_the_same(self):
        partner = self.make_linked({"email_consent": True})
        partner.email = "jan@example.com, ola@example.com"
        partner.usercom_email_consent = WITHDRAWN
        self.push()
        self.assertIs(self.consent_there(partner), False)


class TestFirstMeeting(ConsentCase):
    def meet(self, events, there):
        """A contact of each side with one address, tied by the push and by the pull."""
        for by_push in (True, False):
            self.met = getattr(self, "met", 0) + 1
            email = f"meet{self.met}@example.com"
            partner = self.make_partner(email=email)
            for state, days_ago in events:
                self.event(partner, state, days_ago)
            attributes = {} if there is None else {"email_consent": there}
            contact = self.sim.add_contact(
                email=email, first_name="Jan", status="user", attributes=attributes
            )
            self.env.flush_all()
            self.env.cr.precommit.run()
            self.sim.reset_calls()
            if by_push:
                self.push()
            else:
                self.changes().unlink()
                self.ping(contact["id"])
                self.pull()
                self.push()
            self.assertEqual(partner.usercom_id, str(contact["id"]))
            yield partner
            state = partner.usercom_email_consent
            self.sync(partner)
            self.assertEqual(partner.usercom_email_consent, state)

    def test_withdrawn_here(self):
        for there in (None, True, False):
            for partner in self.meet([(WITHDRAWN, 2)], there):
                self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
                self.assertIs(self.consent_there(partner), False)

    def test_withdrawn_there(self):
        for events in ([], [(GIVEN, 2)], [(GIVEN, None)], [(WITHDRAWN, 3), (GIVEN, 2)]):
            for partner in self.meet(events, False):
                self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
                self.assertIs(self.consent_there(partner), False)

    def test_never_asked_here_and_given_there(self):
        for partner in self.meet([], True):
            self.assertEqual(partner.usercom_email_consent, GIVEN)
            [event] = self.events(partner)
            self.assertFalse(event.happened_at)
            self.assertEqual(event.create_date.date(), fields.Date.today())
            # Beaten by any no, however old.
            self.event(partner, WITHDRAWN, days_ago=9999)
            self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_given_here_and_blank_there(self):
        for partner in self.meet([(GIVEN, 2)], None):
            self.assertEqual(partner.usercom_email_consent, GIVEN)
            self.assertIs(self.consent_there(partner), True)
            *_, read, write = self.sim.calls()
            self.assertEqual((read["method"], write["method"]), ("GET", "PUT"))
            self.assertEqual(read["raw_path"], write["raw_path"])

    def test_given_on_both(self):
        for partner in self.meet([(GIVEN, 2)], True):
            self.assertEqual(partner.usercom_email_consent, GIVEN)
            self.assertIs(self.consent_there(partner), True)

    def test_never_asked_and_blank(self):
        for partner in self.meet([], None):
            self.assertFalse(partner.usercom_email_consent)
            self.assertIsNone(self.consent_there(partner))
            self.assertFalse(self.events(partner))

    def test_no_of_another_contact_with_the_address(self):
        for number in (1, 2):
            other = self.make_partner(name="Other", email=f"meet{number}@example.com")
            self.event(other, WITHDRAWN, 5)
            other.email = f"moved{number}@example.com"
        for partner in self.meet([], True):
            self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
            self.assertIs(self.consent_there(partner), False)


class TestSend(ConsentCase):
    """The calls for one contact by themselves."""

    def test_no_that_comes_between_plan_and_call(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        real = exchange.run_all
        test = self

        def run_all(jobs, *args):
            test.set_there(partner, False)
            return real(jobs, *args)

        self.patch(exchange, "run_all", run_all)
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)

    def test_read_that_fails_sends_nothing(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.sim.fault("500", method="GET", path="/users/:id/")
        self.push()
        self.assertEqual(self.methods(), ["GET"])
        self.assertIsNone(self.consent_there(partner))
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), True)

    def test_consent_that_was_not_written_is_not_taken_for_its_withdrawal(self):
        """The "no" that is still there is the old one: nothing was written over it."""
        for number, fault in enumerate(
            (
                {"kind": "500", "method": "GET"},
                {"kind": "429", "method": "GET", "retry_after": 30},
                {"kind": "429", "method": "PUT", "retry_after": 30},
            )
        ):
            with self.subTest(fault):
                email = f"jan{number}@example.com"
                partner = self.make_linked({"email_consent": False}, email=email)
                partner.usercom_email_consent = GIVEN
                self.sim.fault(path="/users/:id/", **fault)
                self.push()
                self.assertIs(self.consent_there(partner), False)
                self.make_due()
                self.push()
                self.assertIs(self.consent_there(partner), True)
                self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_nor_where_the_round_ends_before_the_call(self):
        """Somebody else is looked up first, and User.com asks for a pause."""
        partner = self.make_linked({"email_consent": False})
        partner.usercom_email_consent = GIVEN
        self.make_partner(email="ola@example.com")
        self.sim.fault("429", retry_after=30, path="/users/search/")
        self.push()
        self.assertNotIn("PUT", self.methods())
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), True)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_nor_where_a_contact_that_is_to_be_joined_cannot_be_read(self):
        partner = self.make_linked({"email_consent": False})
        partner.usercom_email_consent = GIVEN
        other = self.sim.add_contact(email="ola@example.com")
        self.binding(partner)._join([other["id"]])
        self.sim.fault("500", method="GET", path="/users/:id/")
        self.push()
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), True)
        self.assertEqual(partner.usercom_email_consent, GIVEN)

    def test_contact_gone_meanwhile(self):
        partner = self.make_linked()
        partner.usercom_email_consent = GIVEN
        self.sim.delete_contact(int(partner.usercom_id))
        self.push()
        self.assertEqual(self.binding(partner).state, "gone")
        self.assertFalse(self.sim.contacts())

    def test_answer_that_shows_the_opposite(self):
        """User.com answers 200 and stores nothing: no word of the person's, and no loop."""
        partner = self.make_linked()
        real = client.UserCom.update_contact

        def update(usercom, number, values):
            real(usercom, number, values | {"email_consent": True})
            return real(usercom, number, {})

        self.patch(client.UserCom, "update_contact", update)
        partner.usercom_email_consent = WITHDRAWN
        self.push()
        self.push()
        self.assertEqual(partner.usercom_email_consent, WITHDRAWN)
        self.assertTrue(partner.usercom_problem)
        self.assertEqual(self.sim.calls.count("PUT"), 2)
