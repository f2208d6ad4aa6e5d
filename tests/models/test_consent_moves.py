"""Consents that change their address, come back, or arrive by a file or a merge."""

from unittest.mock import patch

from odoo.addons.usercom_connector.models.usercom_binding import Read
from odoo.tests import Form
from odoo.tests.common import tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class TestConsentMoves(SyncCase):
    def consent_there(self, partner):
        return self.there(partner)["attributes"].get("email_consent")

    def say_there(self, partner, value):
        self.sim.edit_contact(
            int(self.binding(partner).usercom_id), attributes={"email_consent": value}
        )

    def read(self, partner):
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.push()
        self.pull()

    def test_consent_that_was_not_read_yet_does_not_move_to_a_new_address(self):
        partner = self.make_linked()
        self.say_there(partner, True)  # nobody has told us
        partner.email = "new@example.com"
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertFalse(partner.usercom_email_consent)
        self.read(partner)
        self.assertFalse(partner.usercom_email_consent)
        self.assertIs(self.consent_there(partner), False)

    def test_consent_that_is_read_while_the_address_moves_says_nothing_about_the_new_one(self):
        partner = self.make_linked()
        self.say_there(partner, True)  # nobody has told us
        partner.email = "new@example.com"
        record = self.registry["usercom.change"]._record

        def overtaken(change, *args):
            self.ping(partner.usercom_id)
            self.pull()
            return record(change, *args)

        with patch.object(self.registry["usercom.change"], "_record", overtaken):
            self.push()
        self.make_due()
        self.read(partner)
        self.assertIs(self.consent_there(partner), False)
        self.assertFalse(partner.usercom_consent_event_ids)

    def test_no_that_was_not_read_yet_counts_for_the_old_address(self):
        partner = self.make_linked()
        other = self.make_partner(name="Ola", email="jan@example.com")
        other.usercom_email_consent = "given"
        self.say_there(partner, False)  # nobody has told us
        partner.email = "new@example.com"
        self.push()
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
        self.assertEqual(other.usercom_email_consent, "withdrawn")

    def test_no_before_the_address_was_changed_there_counts_for_the_old_address(self):
        partner = self.make_linked()
        other = self.make_partner(name="Ola", email="jan@example.com")
        other.usercom_email_consent = "given"
        self.say_there(partner, False)  # nobody has told us
        self.sim.edit_contact(int(partner.usercom_id), email="new@example.com")
        self.read(partner)
        self.assertEqual(partner.email, "new@example.com")
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
        self.assertEqual(other.usercom_email_consent, "withdrawn")

    def test_no_before_the_address_of_a_new_contact_was_changed_there(self):
        partner = self.make_partner()
        other = self.make_partner(name="Ola", email="jan@example.com")
        other.usercom_email_consent = "given"
        self.push()  # the answer shows no values
        self.say_there(partner, False)
        self.sim.edit_contact(int(partner.usercom_id), email="new@example.com")
        self.read(partner)
        self.assertEqual(other.usercom_email_consent, "withdrawn")

    def test_no_that_our_call_found_counts_also_if_a_read_was_recorded_meanwhile(self):
        partner = self.make_linked()
        other = self.make_partner(name="Ola", email="jan@example.com")
        other.usercom_email_consent = "given"
        partner.email = "new@example.com"
        look_up = self.registry["usercom.change"]._bind_unknown

        def overtaken(change, *args):
            self.sim.edit_contact(int(partner.usercom_id), city="Gdynia")
            self.ping(partner.usercom_id)
            self.pull()
            self.say_there(partner, False)  # nobody has told us
            return look_up(change, *args)

        with patch.object(self.registry["usercom.change"], "_bind_unknown", overtaken):
            self.push()
        self.assertEqual(other.usercom_email_consent, "withdrawn")
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, "withdrawn")

    def test_no_under_the_one_that_takes_back_counts_for_the_old_address(self):
        partner = self.make_linked({"email_consent": True})
        self.read(partner)
        partner.usercom_email_consent = "given"
        self.say_there(partner, False)  # nobody has told us
        partner.email = "new@example.com"
        self.push()
        self.assertFalse(partner.usercom_email_consent)
        partner.email = "jan@example.com"
        self.push()
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
        self.assertIs(self.consent_there(partner), False)

    def test_consent_whose_answer_was_lost_does_not_move(self):
        partner = self.make_linked()
        partner.usercom_email_consent = "given"
        self.sim.fault("500", method="PUT", times=1, commit=True)
        self.push()
        self.assertIs(self.consent_there(partner), True)
        partner.email = "new@example.com"
        self.make_due()
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.assertFalse(partner.usercom_email_consent)

    def test_consent_given_at_the_new_address_goes_along(self):
        partner = self.make_linked({"email_consent": True})
        partner.write({"email": "new@example.com", "usercom_email_consent": "given"})
        self.push()
        self.assertIs(self.consent_there(partner), True)
        self.assertEqual(partner.usercom_email_consent, "given")

    def test_refused_address_takes_no_consent_away(self):
        partner = self.make_linked({"email_consent": True})
        partner.email = "zażółć@example.com"  # the simulator takes ASCII only
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")
        self.assertIs(self.consent_there(partner), True)

    def test_address_changed_there_leaves_its_consent_behind(self):
        partner = self.make_linked({"email_consent": True})
        self.assertEqual(partner.usercom_email_consent, "given")
        self.sim.edit_contact(int(self.binding(partner).usercom_id), email="new@example.com")
        self.read(partner)
        self.assertEqual(partner.email, "new@example.com")
        self.assertFalse(partner.usercom_email_consent)
        self.assertIs(self.consent_there(partner), False, "both sides agree in the end")

    def test_yes_after_a_no_in_usercom_counts(self):
        partner = self.make_linked({"email_consent": True})
        for value, state in ((False, "withdrawn"), (True, "given"), (False, "withdrawn")):
            self.say_there(partner, value)
            self.read(partner)
            self.assertEqual(partner.usercom_email_consent, state)
            self.assertIs(self.consent_there(partner), value)

    def test_yes_in_usercom_after_a_no_in_odoo_counts(self):
        partner = self.make_linked({"email_consent": True})
        partner.usercom_email_consent = "withdrawn"
        self.push()
        self.assertIs(self.consent_there(partner), False)
        self.say_there(partner, True)
        self.read(partner)
        self.assertEqual(partner.usercom_email_consent, "given")
        self.assertIs(self.consent_there(partner), True)

    def test_spelling_of_the_address_keeps_the_consent_in_the_form(self):
        partner = self.make_linked({"email_consent": True})
        with Form(partner) as form:
            form.email = "Jan@Example.com"
            self.assertEqual(form.usercom_consent_lines[0]["state"], "given")
        self.assertEqual(partner.usercom_email_consent, "given")
        with Form(partner) as form:
            form.email = "other@example.com"
            form.email = "jan@example.com"
        self.assertEqual(partner.usercom_email_consent, "given")
        with Form(partner) as form:
            form.email = "other@example.com"
        self.assertFalse(partner.usercom_email_consent)

    def test_import_raises_no_consent(self):
        said_no = self.make_linked()
        said_no.usercom_email_consent = "withdrawn"
        never = self.make_partner(name="Ola", email="ola@example.com")
        result = self.env["res.partner"].load(
            [".id", "usercom_email_consent"],
            [[str(said_no.id), "Given"], [str(never.id), "Given"]],
        )
        self.assertFalse(result["messages"])
        self.assertEqual(said_no.usercom_email_consent, "withdrawn")
        self.assertEqual(never.usercom_email_consent, "given")
        self.assertFalse(never.usercom_consent_event_ids.happened_at)
        self.push()
        self.assertIs(self.consent_there(said_no), False)
        result = self.env["res.partner"].load(
            [".id", "usercom_email_consent"], [[str(never.id), "Withdrawn"]]
        )
        self.assertEqual(never.usercom_email_consent, "withdrawn")

    def test_merge_raises_no_consent(self):
        target = self.make_partner(usercom_email_consent="given")
        target.usercom_email_consent = "withdrawn"
        source = self.make_partner(usercom_email_consent="given")
        self.assertEqual(target.usercom_email_consent, "withdrawn")
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge((target | source).ids, target)
        self.assertEqual(target.usercom_email_consent, "withdrawn")
        self.assertEqual(target.usercom_consent_event_ids[:1].source, "merge")

    def test_merge_raises_no_consent_at_an_address_that_it_fills_in(self):
        target = self.make_partner(email=False)
        one = self.make_partner(usercom_email_consent="given")
        one.usercom_email_consent = "withdrawn"
        other = self.make_partner(usercom_email_consent="given")
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge((target | one | other).ids, target)
        self.assertEqual(target.email, "jan@example.com")
        self.assertEqual(target.usercom_email_consent, "withdrawn")

    def stranger(self, **attributes):
        """A second contact in User.com with the address, which nobody has said anything about."""
        attributes = {"email_consent": True} | attributes
        return self.there_is(last_name="Drugi", attributes=attributes)["id"]

    def read_there(self, number):
        self.ping(number)
        self.pull()
        [row] = self.pings()
        return row.problem_code

    def test_a_no_of_who_waits_for_a_person_counts_at_the_address(self):
        partner = self.make_linked({"email_consent": True})
        number = self.stranger(email_consent=False)
        self.assertEqual(self.read_there(number), "taken_here")
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
        self.push()
        self.assertIs(self.consent_there(partner), False)
        # It is heard once, and again when it is said again.
        partner.usercom_email_consent = "given"
        self.read_there(number)
        self.assertEqual(partner.usercom_email_consent, "given")
        for value in (True, False):
            self.sim.edit_contact(number, attributes={"email_consent": value})
            self.read_there(number)
        self.assertEqual(partner.usercom_email_consent, "withdrawn")

    def test_a_no_of_who_is_one_of_several_counts_for_all_of_them(self):
        partners = self.make_partner() | self.make_partner(name="Ola")
        partners.usercom_email_consent = "given"
        self.changes().unlink()
        self.assertEqual(self.read_there(self.stranger(email_consent=False)), "several_here")
        self.assertEqual(partners.mapped("usercom_email_consent"), ["withdrawn", "withdrawn"])

    def test_a_no_of_who_waits_is_heard_by_the_page(self):
        partner = self.make_linked({"email_consent": True})
        number = self.stranger()
        self.read_there(number)
        self.assertEqual(partner.usercom_email_consent, "given")
        self.sim.edit_contact(number, attributes={"email_consent": False})
        self.account._request_survey()
        self.pull()
        self.assertEqual(partner.usercom_email_consent, "withdrawn")

    def there_of(self, number):
        return self.sim.contact(number)["attributes"].get("email_consent")

    def test_a_withdrawal_reaches_every_profile_with_the_address(self):
        partner = self.make_linked({"email_consent": True})
        numbers = [self.stranger(), self.stranger(email_consent=None)]
        self.read_there(numbers[0])
        partner.usercom_email_consent = "withdrawn"
        self.sim.reset_calls()
        self.push()
        self.assertEqual([self.there_of(number) for number in numbers], [False, False])
        methods = [call["method"] for call in self.sim.calls()]
        self.assertEqual(methods, ["PUT", "GET", "PUT", "PUT"])
        # Those are asked about, and what we wrote there is no news: a newer yes stands.
        self.pull()
        self.assertEqual({row.problem_code for row in self.pings()}, {"taken_here"})
        self.assertEqual(len(self.pings()), 2)
        partner.usercom_email_consent = "given"
        for number in numbers:
            self.ping(number)
        self.pull()
        self.assertEqual(partner.usercom_email_consent, "given")

    def test_a_profile_that_is_tied_to_somebody_gets_it_by_way_of_them(self):
        partner = self.make_linked({"email_consent": True})
        other = self.make_linked({"email_consent": True}, email="ola@example.com")
        self.sim.edit_contact(int(self.binding(other).usercom_id), email=partner.email)
        self.read(other)
        self.assertEqual(other.email_normalized, partner.email_normalized)
        other.usercom_email_consent = "given"
        self.push()
        self.assertIs(self.consent_there(other), True)
        partner.usercom_email_consent = "withdrawn"
        self.sim.reset_calls()
        self.push()
        self.assertEqual(self.there_of(int(self.binding(other).usercom_id)), False)
        self.assertEqual(len(self.sim.calls("PUT")), 2)
        self.assertFalse(self.pings())

    def test_a_withdrawal_is_said_again_where_the_others_could_not_be_read(self):
        for fault in ({"kind": "500"}, {"kind": "429", "retry_after": 30}):
            with self.subTest(fault):
                email = f"{fault['kind']}@example.com"
                partner = self.make_linked({"email_consent": True}, email=email)
                number = self.there_is(email=email, attributes={"email_consent": True})["id"]
                partner.usercom_email_consent = "withdrawn"
                self.sim.fault(path="/users/search/", **fault)
                self.push()
                self.assertIs(self.consent_there(partner), False)
                self.assertTrue(self.changes())
                self.make_due()
                self.push()
                self.assertIs(self.there_of(number), False)
                self.assertFalse(self.changes())
                events = self.env["usercom.consent.event"].search([("address", "=", email)])
                self.assertEqual(sorted(events.mapped("state")), ["given", "withdrawn"])

    def test_a_no_right_before_a_write_counts_beside_a_yes_right_after_it(self):
        partner = self.make_linked()
        binding = self.binding(partner)
        shown = []
        with self.account._client() as usercom:
            for value in (False, True):
                self.say_there(partner, value)
                shown.append(usercom.contact(int(binding.usercom_id)))
        before = [(shown[0], {})]
        binding._absorb(self.account, [Read(binding, shown[1], binding.synced_at, before=before)])
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
