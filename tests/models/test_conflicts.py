"""Fields that were changed on both sides: Odoo wins, User.com wins, or a person is asked."""

from dataclasses import replace
from unittest.mock import patch

from odoo.addons.usercom_connector.sync import mapping
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form
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
        self.assertEqual(self.methods(), ["PUT"])
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

    def test_changed_back_over_there_settles_it(self):
        for how in ("webhook", "poll"):
            with self.subTest(how=how):
                partner = self.asked(email=f"{how}@example.com")
                self.assertTrue(self.conflicts())
                number = int(partner.usercom_id)
                self.sim.edit_contact(number, city="Hel")
                if how == "poll":
                    self.account.poll_minutes = 15
                else:
                    pings = self.env["usercom.ping"]
                    user = self.sim.contact(number) | {"attributes": []}
                    digest = pings._digest_of_call(self.account.id, user)
                    self.assertTrue(digest)
                    pings._append([(self.account.id, "id", number)], digest=digest)
                self.rounds(push_first=False)
                self.assertFalse(self.conflicts())
                self.assertEqual((partner.city, self.there(partner)["city"]), ("Gdynia", "Gdynia"))

    def test_first_meeting_with_two_different_values(self):
        contact = self.sim.add_contact(email="ola@example.com", city="Sopot")
        partner = self.make_partner(email="ola@example.com", city="Gdynia")
        self.rounds(push_first=True)
        self.assertEqual(self.conflicts().partner_id, partner)
        self.assertEqual(self.sim.contact(contact["id"])["city"], "Sopot")
        self.conflicts().with_user(self.manager).action_take_usercom()
        self.rounds(push_first=True)
        self.assertEqual(partner.city, "Sopot")


class WaitingCase(ConflictCase):
    """Conflicts about the city of some contacts, by the rule of the mapping line itself."""

    def setUp(self):
        super().setUp()
        self.line = self.line_of("city")
        self.line.winner = mapping.ASK

    def line_of(self, attribute, kind=mapping.CONTACT):
        lines = self.account.contact_mapping_ids | self.account.company_mapping_ids
        return lines.filtered(
            lambda line: (line.kind, line.attribute_id.name_std) == (kind, attribute)
        )

    def waiting(self, count=3):
        partners = self.env["res.partner"]
        for number in range(count):
            partner = self.make_linked(email=f"p{number}@example.com", city="Hel")
            self.both_edit(partner)
            partners |= partner
        self.rounds(push_first=True)
        self.assertEqual(len(self.conflicts()), count)
        return partners

    def cities(self, partners):
        return {(partner.city, self.there(partner)["city"]) for partner in partners}

    def mine(self, conflicts=None):
        """The conflicts, as the manager sees them."""
        return (self.conflicts() if conflicts is None else conflicts).with_user(self.manager)


class TestDeciding(WaitingCase):
    def test_many_at_once(self):
        partners = self.waiting()
        self.mine(self.conflicts()[:2]).action_take_odoo()
        self.mine().action_take_usercom()
        self.rounds(push_first=True)
        self.assertEqual(self.cities(partners[:2]), {("Gdynia", "Gdynia")})
        self.assertEqual(self.cities(partners[2]), {("Sopot", "Sopot")})
        self.assertFalse(self.conflicts())
        self.assertFalse(self.changes() or self.pings())

    def test_two_fields_of_one_contact(self):
        self.line_of("name").winner = mapping.ASK
        partner = self.make_linked(city="Hel")
        partner.name = "Jan Odoo"
        self.both_edit(partner)
        self.sim.edit_contact(int(partner.usercom_id), last_name="There")
        self.rounds(push_first=True)
        self.assertEqual(set(self.conflicts().mapped("attribute")), {"city", "name"})
        self.mine().action_take_odoo()
        self.rounds(push_first=True)
        there = self.there(partner)
        self.assertEqual((there["city"], there["name"]), ("Gdynia", "Jan Odoo"))

    def test_one_that_vanished_meanwhile_hinders_no_other(self):
        partners = self.waiting(2)
        seen = self.mine()
        self.conflicts()[0].unlink()
        seen.action_take_usercom()
        self.rounds(push_first=False)
        self.assertEqual(partners[1].city, "Sopot")
        seen.action_take_odoo()  # all of them are gone by now
        self.assertEqual(self.cities(partners[1]), {("Sopot", "Sopot")})
        with self.assertRaisesRegex(UserError, "meanwhile"):
            seen[0].action_always()

    def test_not_for_everybody(self):
        self.waiting(1)
        user = new_test_user(self.env, "conflict-user", groups="base.group_user")
        for action in ("action_take_odoo", "action_take_usercom", "action_always"):
            with self.assertRaises(AccessError):
                getattr(self.conflicts().with_user(user), action)()
        with self.assertRaises(AccessError):
            self.mine().unlink()

    def test_not_those_of_other_companies(self):
        self.waiting(1)
        self.account.company_id = self.env["res.company"].create({"name": "Other"})
        for action in ("action_take_odoo", "action_always"):
            with self.assertRaises(AccessError):
                getattr(self.mine(), action)()

    def test_decided_for_a_company(self):
        self.line_of("city", mapping.COMPANY).winner = mapping.ASK
        company = self.make_partner(name="Firma", email="f@f.pl", is_company=True, city="Hel")
        self.push()
        self.push()
        company.city = "Gdynia"
        number = self.binding(company).usercom_id
        with self.account._client() as usercom:
            usercom.update_company(number, {"city": "Sopot"})
        self.rounds(push_first=True)
        self.mine().action_take_usercom()
        self.rounds(push_first=True)
        self.assertEqual(company.city, "Sopot")


class TestAlways(WaitingCase):
    def always(self, winner):
        action = self.mine()[0].action_always()
        form = Form(
            self.env["usercom.always"].with_user(self.manager).with_context(**action["context"])
        )
        form.winner = winner
        return form.save()

    def test_decides_all_of_the_field_and_sets_the_rule(self):
        for winner, city in ((mapping.ODOO_WINS, "Gdynia"), (mapping.USERCOM_WINS, "Sopot")):
            with self.subTest(winner):
                self.line.winner = mapping.ASK
                self.env["res.partner"].search([("email", "=like", "p%@example.com")]).unlink()
                self.push()
                self.conflicts().unlink()
                for contact in self.sim.contacts():
                    self.sim.delete_contact(contact["id"])
                partners = self.waiting()
                wizard = self.always(winner)
                self.assertEqual(wizard.count, 3)
                wizard.action_decide()
                self.assertEqual(self.line.winner, winner)
                self.rounds(push_first=True)
                self.assertEqual(self.cities(partners), {(city, city)})
                self.both_edit(partners[0], ours="Łeba", theirs="Ustka")
                self.rounds(push_first=True)
                self.assertFalse(self.conflicts())

    def test_leaves_other_fields_alone(self):
        self.waiting(1)
        self.line_of("name").winner = mapping.ASK
        partner = self.make_linked(email="other@example.com", name="Jan Testowy")
        partner.name = "Jan Odoo"
        self.sim.edit_contact(int(partner.usercom_id), last_name="There")
        self.ping(partner.usercom_id)
        self.rounds(push_first=True)
        wizard = self.always(mapping.ODOO_WINS)
        self.assertEqual(wizard.count, 1)
        wizard.action_decide()
        self.assertEqual(self.conflicts().attribute, "name")
        self.assertEqual(self.line_of("name").winner, mapping.ASK)

    def test_a_rule_set_on_the_line_itself_decides_as_well(self):
        partners = self.waiting(1)
        self.line.winner = mapping.USERCOM_WINS
        self.rounds(push_first=True)
        self.assertEqual(self.cities(partners), {("Sopot", "Sopot")})
        self.assertFalse(self.conflicts())

    def test_what_does_not_travel_any_more_asks_nobody(self):
        changes = (
            lambda: self.line.write({"active": False}),
            lambda: self.line.write({"direction": "out"}),
            lambda: self.line.write({"odoo_field": "street2"}),
            lambda: self.line.unlink(),
        )
        self.waiting(1)
        for change in changes:
            with self.env.cr.savepoint() as savepoint:
                change()
                self.assertFalse(self.conflicts())
                savepoint.rollback()


class TestShown(WaitingCase):
    def test_values_as_a_person_reads_them(self):
        self.line_of("country").winner = mapping.ASK
        countries = self.env["res.country"]
        poland = countries.search([("code", "=", "PL")])
        partner = self.make_linked(country_id=poland.id)
        partner.country_id = countries.search([("code", "=", "DE")])
        self.sim.edit_contact(int(partner.usercom_id), country="France")
        self.ping(partner.usercom_id)
        self.rounds(push_first=True)
        [conflict] = self.mine()
        self.assertEqual((conflict.odoo_text, conflict.usercom_text), ("Germany", "France"))
        self.assertEqual((conflict.base_odoo_text, conflict.base_usercom_text), ("Poland",) * 2)
        self.assertEqual(conflict.field_name, "Country")
        self.assertEqual(conflict.action_open_contact()["res_id"], partner.id)

    def test_every_kind_of_value_is_a_text(self):
        say = self.env["usercom.sentence"].with_context(tz="Europe/Warsaw")._value
        self.assertEqual(say(True, "boolean"), "Yes")
        self.assertEqual(say(False, "boolean"), "No")
        self.assertEqual(say(0, "integer"), "0")
        self.assertEqual(say(["a", "b"], "list"), "a, b")
        self.assertEqual(say("PL-30", "state"), self.state_name("PL", "30"))
        self.assertEqual(say("2026-03-01", "date"), "03/01/2026")
        self.assertIn("11:00", say("2026-03-01T10:00:00+00:00", "datetime"))
        self.assertFalse(say(None, "text"))
        self.assertEqual(say("PL-unknown", "state"), "PL-unknown")

    def state_name(self, country, code):
        states = self.env["res.country.state"]
        return states.search([("country_id.code", "=", country), ("code", "=", code)]).name or (
            f"{country}-{code}"
        )

    def test_on_the_contact(self):
        partner = self.waiting(1)
        words = "City was changed on both sides; somebody has to decide."
        self.assertEqual(partner.usercom_problem, words)
        self.mine().action_take_odoo()
        partner.invalidate_recordset()
        self.assertFalse(partner.usercom_problem)

    def test_counted_on_the_account(self):
        self.assertEqual(self.account.conflict_count, 0)
        self.waiting(2)
        account = self.account.with_user(self.manager)
        self.assertEqual(account.conflict_count, 2)
        action = account.action_open_conflicts()
        found = self.env[action["res_model"]].with_user(self.manager).search(action["domain"])
        self.assertEqual(found, self.conflicts())


class TestActivity(WaitingCase):
    def activities(self):
        kind = self.env.ref("usercom_connector.mail_activity_conflict")
        return self.account.activity_ids.filtered(lambda one: one.activity_type_id == kind)

    def test_once_and_closed_when_none_is_left(self):
        self.account.user_id = self.manager
        self.assertFalse(self.activities())
        self.waiting(2)
        [activity] = self.activities()
        self.assertEqual(activity.user_id, self.manager)
        self.both_edit(self.conflicts()[0].partner_id, ours="Łeba", theirs="Ustka")
        self.rounds(push_first=True)
        self.assertEqual(self.activities(), activity)
        self.mine(self.conflicts()[0]).action_take_odoo()
        self.assertEqual(self.activities(), activity)
        self.mine().action_take_odoo()
        self.assertFalse(self.activities())

    def test_closed_where_they_vanish_by_themselves(self):
        partner = self.waiting(1)
        partner.city = "Sopot"
        self.ping(partner.usercom_id)
        self.rounds(push_first=True)
        self.assertFalse(self.conflicts() or self.activities())

    def test_closed_where_the_contact_goes(self):
        self.waiting(1).unlink()
        self.assertFalse(self.conflicts() or self.activities())

    def test_closed_where_the_tie_goes(self):
        self.binding(self.waiting(1)).unlink()
        self.assertFalse(self.conflicts() or self.activities())

    def test_asked_again_when_it_begins_again(self):
        partner = self.waiting(1)
        self.mine().action_take_odoo()
        self.rounds(push_first=True)
        self.both_edit(partner, ours="Łeba", theirs="Ustka")
        self.rounds(push_first=True)
        self.assertEqual(len(self.activities()), 1)
