"""Fields that were changed on both sides: Odoo wins, User.com wins, or a person is asked."""

from dataclasses import replace
from unittest.mock import patch

from odoo.addons.usercom_connector.sync import mapping
from odoo.tests.common import new_test_user

from .common import SyncCase


class ConflictCase(SyncCase):
    def setUp(self):
        super().setUp()
        self.manager = new_test_user(
            self.env, "conflict-manager", groups="usercom_connector.group_usercom_manager"
        )

    def let_win(self, winner):
        """Let the rule of the city say who wins."""
        account = self.registry["usercom.account"]
        real = account._rules

        def rules(this, kind):
            return tuple(
                replace(rule, winner=winner) if rule.attribute == "city" else rule
                for rule in real(this, kind)
            )

        self.enterContext(patch.object(account, "_rules", rules))
        self.env.registry.clear_cache()

    def both_edit(self, partner, ours="Gdynia", theirs="Sopot"):
        partner.city = ours
        self.sim.edit_contact(int(partner.usercom_id), city=theirs)
        self.ping(partner.usercom_id)

    def conflicts(self):
        return self.env["usercom.conflict"].search([])

    def rounds(self, push_first):
        for _round in range(3):
            for run in (self.push, self.pull) if push_first else (self.pull, self.push):
                run()


class TestWhoWins(ConflictCase):
    def test_usercom_wins_whichever_runs_first(self):
        self.let_win(mapping.USERCOM_WINS)
        for push_first in (True, False):
            with self.subTest(push_first=push_first):
                partner = self.make_linked(email=f"{push_first}@example.com", city="Hel")
                self.both_edit(partner)
                self.rounds(push_first)
                self.assertEqual((partner.city, self.there(partner)["city"]), ("Sopot", "Sopot"))
                self.assertFalse(self.changes() or self.pings() or self.conflicts())

    def test_what_usercom_did_not_edit_goes_out(self):
        for winner in (mapping.USERCOM_WINS, mapping.ASK):
            self.let_win(winner)
            partner = self.make_linked(email=f"{winner}@example.com", city="Hel")
            partner.city = "Gdynia"
            self.push()
            self.assertEqual(self.there(partner)["city"], "Gdynia")
            self.assertFalse(self.conflicts())

    def test_other_fields_go_out_beside_it(self):
        self.let_win(mapping.USERCOM_WINS)
        partner = self.make_linked(city="Hel")
        self.both_edit(partner)
        partner.name = "Johann Testowy"
        self.rounds(push_first=True)
        self.assertEqual(self.there(partner)["name"], "Johann Testowy")
        self.assertEqual(partner.city, "Sopot")

    def test_a_lost_answer_lets_nobody_win_by_accident(self):
        self.let_win(mapping.USERCOM_WINS)
        partner = self.make_linked(city="Hel")
        partner.city = "Gdynia"
        self.sim.fault("500", method="PUT")
        self.push()
        self.sim.edit_contact(int(partner.usercom_id), city="Sopot")
        self.make_due()
        self.rounds(push_first=True)
        self.assertEqual((partner.city, self.there(partner)["city"]), ("Sopot", "Sopot"))

    def test_nothing_to_do_after_it(self):
        for winner in (mapping.USERCOM_WINS, mapping.ASK):
            self.let_win(winner)
            partner = self.make_linked(email=f"{winner}@example.com", city="Hel")
            partner.city = "Gdynia"
            self.rounds(push_first=True)
            self.sim.reset_calls()
            self.rounds(push_first=True)
            self.assertEqual(len(self.sim.calls()), 0)


class TestAsk(ConflictCase):
    def setUp(self):
        super().setUp()
        self.let_win(mapping.ASK)

    def asked(self, push_first=True, **vals):
        partner = self.make_linked(city="Hel", **vals)
        self.both_edit(partner)
        self.rounds(push_first)
        return partner

    def test_nothing_travels_until_a_person_has_decided(self):
        for push_first in (True, False):
            with self.subTest(push_first=push_first):
                self.conflicts().unlink()
                partner = self.asked(push_first, email=f"{push_first}@example.com")
                self.assertEqual((partner.city, self.there(partner)["city"]), ("Gdynia", "Sopot"))
                [conflict] = self.conflicts()
                self.assertEqual(conflict.odoo_value, "Gdynia")
                self.assertEqual(conflict.usercom_value, "Sopot")
                self.assertEqual((conflict.base_odoo, conflict.base_usercom), ("Hel", "Hel"))
                self.assertEqual(conflict.field_name, "City")
                self.assertFalse(self.changes() or self.pings())

    def test_it_costs_no_call_to_wait(self):
        partner = self.asked()
        self.sim.reset_calls()
        partner.comment = "other"
        partner.phone = "+48600100200"
        self.push()
        self.assertEqual([call["method"] for call in self.sim.calls()], ["PUT"])
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_decided_for_odoo(self):
        partner = self.asked()
        self.conflicts().with_user(self.manager).action_take_odoo()
        self.rounds(push_first=True)
        self.assertEqual((partner.city, self.there(partner)["city"]), ("Gdynia", "Gdynia"))
        self.assertFalse(self.conflicts())

    def test_decided_for_usercom(self):
        partner = self.asked()
        self.conflicts().with_user(self.manager).action_take_usercom()
        self.rounds(push_first=True)
        self.assertEqual((partner.city, self.there(partner)["city"]), ("Sopot", "Sopot"))
        self.assertFalse(self.conflicts())

    def test_an_edit_after_the_question_is_asked_about_anew(self):
        partner = self.asked()
        partner.city = "Łeba"
        self.rounds(push_first=True)
        self.assertEqual(self.conflicts().odoo_value, "Łeba")
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_both_becoming_equal_settles_it(self):
        partner = self.asked()
        partner.city = "Sopot"
        self.ping(partner.usercom_id)
        self.rounds(push_first=True)
        self.assertFalse(self.conflicts())

    def test_first_meeting_with_two_different_values(self):
        contact = self.sim.add_contact(email="ola@example.com", city="Sopot")
        partner = self.make_partner(email="ola@example.com", city="Gdynia")
        self.rounds(push_first=True)
        self.assertEqual(self.conflicts().partner_id, partner)
        self.assertEqual(self.sim.contact(contact["id"])["city"], "Sopot")
        self.conflicts().with_user(self.manager).action_take_usercom()
        self.rounds(push_first=True)
        self.assertEqual(partner.city, "Sopot")
