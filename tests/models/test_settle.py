"""A person says who is who: side by side, once, and it counts in both directions."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class SettleCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env,
            "settle-manager",
            groups="usercom_connector.group_usercom_manager,base.group_partner_manager",
        )
        cls.account.user_id = cls.manager
        cls.user = new_test_user(cls.env, "settle-user", groups="base.group_user")
        cls.env.cr.precommit.run()
        cls.env["usercom.change"].search([]).unlink()

    def read(self, *contacts):
        for contact in contacts:
            self.ping(contact["id"])
        self.pull()

    def people(self, email="jan@example.com"):
        partners = self.env["res.partner"].with_context(active_test=False)
        return partners.search([("email_normalized", "=", email)])

    def settle(self, rows, code):
        """The wizard, as the button on the only row opens it."""
        [row] = rows
        self.assertEqual((row.problem_code, row.due_at), (code, False))
        action = row.with_user(self.manager).action_settle()
        self.env.flush_all()
        return self.env[action["res_model"]].with_user(self.manager).browse(action["res_id"])

    def line(self, wizard, whom):
        """The candidate that is this contact of Odoo, or of User.com."""
        if isinstance(whom, dict):
            return wizard.candidate_ids.filtered(lambda line: line.usercom_id == str(whom["id"]))
        return wizard.candidate_ids.filtered(lambda line: line.partner_res_id == whom.id)

    def check_quiet(self):
        """Nothing waits, and whatever happens to the two sides now asks nobody again."""
        self.work()
        self.assertFalse(self.changes() | self.env["usercom.change"], self.changes())
        self.assertFalse(self.pings(), self.pings().mapped("problem"))

    def stir(self):
        """Every contact is edited in Odoo, and called about from User.com."""
        partners = self.people()
        partners._usercom_enqueue(self.account)
        for contact in self.sim.contacts():
            self.ping(contact["id"])
        self.check_quiet()
        self.assertEqual(self.people(), partners)

    def ties(self):
        found = self.env["usercom.binding"].search(
            [("account_id", "=", self.account.id), ("partner_id", "!=", False)]
        )
        return {binding.partner_id: int(binding.usercom_id) for binding in found}


class TestSeveralThere(SettleCase):
    def setUp(self):
        super().setUp()
        self.one, self.other = self.there_is(city="Hel"), self.there_is(last_name="Drugi")
        self.partner = self.make_partner()
        self.push()
        self.wizard = self.settle(self.changes(), "several_there")

    def test_shown_side_by_side(self):
        [subject] = self.wizard.subject_ids
        self.assertEqual((subject.name, subject.email), ("Jan Testowy", "jan@example.com"))
        shown = [(line.name, line.city, line.tied_to) for line in self.wizard.candidate_ids]
        self.assertEqual(shown, [("Jan Testowy", "Hel", False), ("Jan Drugi", False, False)])
        self.assertTrue(all(line.created for line in self.wizard.candidate_ids))
        form = Form(self.wizard)
        self.assertIn("Several contacts in User.com", form.problem)

    def test_the_same(self):
        self.line(self.wizard, self.other).action_same()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.partner: self.other["id"]})
        self.stir()
        self.assertEqual(self.ties(), {self.partner: self.other["id"]})
        self.assertEqual(len(self.sim.contacts()), 2)
        said = self.env["usercom.verdict"].search([])
        self.assertEqual(set(said.mapped("answer")), {"same", "left"})
        self.assertEqual(said.user_id, self.manager)

    def test_a_new_person(self):
        self.wizard.action_different()
        self.check_quiet()
        self.assertEqual(len(self.sim.contacts()), 3)
        self.assertNotIn(self.ties()[self.partner], (self.one["id"], self.other["id"]))
        # The other two are other people, too: they become contacts of their own.
        self.read(self.one, self.other)
        self.work()
        self.assertEqual(len(self.people()), 2)

    def test_a_new_person_after_a_lost_answer(self):
        self.sim.fault("drop", method="POST", commit=False)
        self.wizard.action_different()
        self.push()
        user_id = self.binding(self.partner).custom_id
        self.check_quiet()
        self.assertEqual(len(self.sim.contacts()), 3)
        self.assertEqual(self.there(self.partner)["custom_id"], user_id)

    def test_left(self):
        self.wizard.action_leave()
        self.check_quiet()
        self.stir()
        self.assertFalse(self.ties())
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_answer_taken_back(self):
        self.wizard.action_leave()
        self.env["usercom.verdict"].with_user(self.manager).search([]).unlink()
        self.partner._usercom_enqueue(self.account)
        self.push()
        self.assertEqual(self.changes().problem_code, "several_there")

    def test_settled_twice(self):
        line = self.line(self.wizard, self.other)
        self.wizard.action_leave()
        with self.assertRaises(UserError):
            line.action_same()
        self.assertFalse(self.ties())


class TestTakenThere(SettleCase):
    """Shared mailboxes, and people who are in Odoo twice."""

    def setUp(self):
        super().setUp()
        self.partner = self.make_linked(city="Hel")
        self.contact = self.there(self.partner)
        self.other = self.make_partner(name="Ola Testowa", city="Sopot")
        self.push()

    def settle_it(self):
        return self.settle(self.changes(), "taken_there")

    def test_shared_mailbox_is_not_overwritten_in_turn(self):
        for number in range(3):
            self.other.write({"city": f"Gdynia {number}", "name": f"Ola {number}"})
            self.push()
            self.assertEqual(self.there(self.partner)["city"], self.partner.city)
            self.assertEqual(self.there(self.partner)["name"], "Jan Testowy")
            self.partner.city = f"Hel {number}"
            self.push()
            self.read(self.there(self.partner))
            self.assertEqual(self.there(self.partner)["city"], f"Hel {number}")
            self.assertEqual(self.other.city, f"Gdynia {number}")
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertEqual(self.changes().problem_code, "taken_there")

    def test_tie_is_shown(self):
        [line] = self.settle_it().candidate_ids
        self.assertIn("Jan Testowy", line.tied_to)
        self.assertTrue(line.may_hand_over)
        self.assertFalse(line.may_join or line.may_tie)

    def test_handed_over(self):
        wizard = self.settle_it()
        wizard.candidate_ids.action_same()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.other: self.contact["id"]})
        self.assertEqual(self.there(self.other)["custom_id"], self.contact["custom_id"])
        self.stir()
        self.assertEqual(self.ties(), {self.other: self.contact["id"]})
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_a_new_person(self):
        self.settle_it().action_different()
        self.check_quiet()
        self.assertEqual(self.ties()[self.partner], self.contact["id"])
        self.assertEqual(self.there(self.other)["email"], "jan@example.com")
        self.assertEqual(len(self.sim.contacts()), 2)
        self.stir()
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_left(self):
        self.settle_it().action_leave()
        self.check_quiet()
        self.stir()
        self.assertEqual(self.ties(), {self.partner: self.contact["id"]})
        self.assertEqual(len(self.sim.contacts()), 1)


class TestTakenHere(SettleCase):
    def setUp(self):
        super().setUp()
        self.partner = self.make_linked()
        self.contact = self.there(self.partner)
        self.second = self.there_is(last_name="Drugi", phone_number="+48600100200")
        self.read(self.second)

    def settle_it(self):
        return self.settle(self.pings(), "taken_here")

    def test_handed_over(self):
        [line] = self.settle_it().candidate_ids
        self.assertEqual(line.tied_to, f"User.com {self.contact['id']}")
        line.action_same()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.partner: self.second["id"]})
        self.assertEqual(self.partner.phone, "+48 600 100 200")
        self.assertEqual(
            self.there(self.partner)["custom_id"], self.binding(self.partner).custom_id
        )
        self.stir()
        self.assertEqual(self.ties(), {self.partner: self.second["id"]})

    def test_handed_over_keeps_the_user_id_that_is_there(self):
        self.sim.edit_contact(self.second["id"], custom_id="shop-5")
        self.settle_it().candidate_ids.action_same()
        self.partner.city = "Gdynia"
        self.check_quiet()
        self.assertEqual(self.there(self.partner)["custom_id"], "shop-5")
        self.assertEqual(self.binding(self.partner).custom_id, "shop-5")

    def test_joined(self):
        self.settle_it().candidate_ids.action_join()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.partner: self.contact["id"]})
        [left] = self.sim.contacts()
        self.assertEqual(left["id"], self.contact["id"])
        self.assertEqual(self.partner.phone, "+48 600 100 200")

    def test_a_new_person(self):
        self.settle_it().action_different()
        self.check_quiet()
        self.assertEqual(len(self.people()), 2)
        self.assertEqual(set(self.ties().values()), {self.contact["id"], self.second["id"]})
        self.stir()

    def test_left(self):
        self.settle_it().action_leave()
        self.check_quiet()
        self.stir()
        self.assertEqual(self.ties(), {self.partner: self.contact["id"]})


class TestSeveralHere(SettleCase):
    def setUp(self):
        super().setUp()
        self.partners = self.make_partner() | self.make_partner(name="Ola Testowa")
        self.changes().unlink()
        self.env.cr.precommit.data.pop("usercom_connector.changes", None)
        self.contact = self.there_is()
        self.read(self.contact)

    def settle_it(self):
        return self.settle(self.pings(), "several_here")

    def test_the_same(self):
        self.line(self.settle_it(), self.partners[1]).action_same()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.partners[1]: self.contact["id"]})
        self.stir()
        self.assertEqual(self.ties(), {self.partners[1]: self.contact["id"]})

    def test_a_new_person(self):
        self.settle_it().action_different()
        self.pull()
        [new] = self.people() - self.partners
        self.assertEqual(self.ties(), {new: self.contact["id"]})

    def test_left(self):
        self.settle_it().action_leave()
        self.check_quiet()
        self.stir()
        self.assertFalse(self.ties())


class TestNotTakingPart(SettleCase):
    def setUp(self):
        super().setUp()
        self.firm = self.make_partner(name="Firma", is_company=True)
        self.changes().unlink()
        self.contact = self.there_is()
        self.read(self.contact)

    def settle_it(self):
        return self.settle(self.pings(), "not_taking_part")

    def test_the_same(self):
        self.settle_it().candidate_ids.action_same()
        self.pull()
        self.assertFalse(self.pings())
        self.assertEqual(self.people(), self.firm)

    def test_a_new_person(self):
        self.settle_it().action_different()
        self.pull()
        [new] = self.people() - self.firm
        self.assertEqual(self.ties(), {new: self.contact["id"]})
        self.read(self.contact)
        self.assertFalse(self.pings())

    def test_left(self):
        self.settle_it().action_leave()
        self.read(self.contact)
        self.assertFalse(self.pings())
        self.assertEqual(self.people(), self.firm)


class TestUserIdTaken(SettleCase):
    def setUp(self):
        super().setUp()
        self.partner = self.make_linked()
        self.user_id = self.binding(self.partner).custom_id
        self.sim.delete_contact(self.there(self.partner)["id"])
        self.contact = self.there_is("new@example.com", custom_id=self.user_id)

    def test_seen_by_a_read_the_same(self):
        self.read(self.contact)
        wizard = self.settle(self.pings(), "user_id_taken")
        self.line(wizard, self.partner).action_same()
        self.check_quiet()
        self.assertEqual(self.ties(), {self.partner: self.contact["id"]})
        self.assertEqual(self.binding(self.partner).custom_id, self.user_id)

    def test_seen_by_a_read_another_who_was_deleted_there(self):
        """The User ID stays with whom it belongs to here; the two are tied all the same."""
        me = self.make_linked(name="Ola", email="ola@example.com")
        self.sim.delete_contact(self.there(me)["id"])
        self.ping(me.usercom_id)
        self.pull()
        self.sim.edit_contact(self.contact["id"], email="ola@example.com")
        self.read(self.contact)
        wizard = self.settle(self.pings(), "user_id_taken")
        self.line(wizard, me).action_same()
        self.check_quiet()
        self.assertEqual(self.ties()[me], self.contact["id"])
        self.assertNotEqual(self.binding(me).custom_id, self.user_id)
        self.assertEqual(self.there(me)["custom_id"], self.user_id)

    def test_seen_by_a_read_a_new_person(self):
        self.read(self.contact)
        self.settle(self.pings(), "user_id_taken").action_different()
        self.pull()
        [new] = self.people("new@example.com")
        self.assertEqual(self.ties()[new], self.contact["id"])
        self.assertNotEqual(self.binding(new).custom_id, self.user_id)
        new.city = "Gdynia"
        self.work()
        self.assertEqual(self.there(new)["custom_id"], self.user_id)

    def test_seen_by_a_read_left(self):
        self.read(self.contact)
        self.settle(self.pings(), "user_id_taken").action_leave()
        self.read(self.contact)
        self.assertFalse(self.pings())
        self.assertFalse(self.people("new@example.com"))

    def test_seen_by_a_push(self):
        for answer in ("same", "different", "left"):
            with self.subTest(answer=answer):
                new = self.make_partner(name=answer, email=f"{answer}@example.com")
                contact = self.sim.edit_contact(self.contact["id"], email=f"{answer}@example.com")
                self.push()
                wizard = self.settle(self.changes(), "user_id_taken")
                if answer == "same":
                    wizard.candidate_ids.action_same()
                elif answer == "different":
                    wizard.action_different()
                else:
                    wizard.action_leave()
                self.push()
                self.assertFalse(self.changes())
                if answer == "same":
                    self.assertEqual(self.ties()[new], contact["id"])
                    self.binding(new).unlink()
                elif answer == "different":
                    self.assertNotEqual(self.ties()[new], contact["id"])
                else:
                    self.assertNotIn(new, self.ties())


class TestNewAddress(SettleCase):
    """An address that another contact there has already does not make two with one address."""

    def setUp(self):
        super().setUp()
        self.partner = self.make_linked(email="old@example.com", city="Hel")
        self.contact = self.there(self.partner)
        self.second = self.there_is(phone_number="+48600100200")
        self.sim.reset_calls()

    def change(self):
        self.partner.write({"email": "jan@example.com", "city": "Sopot"})
        self.push()

    def addresses(self):
        return sorted(contact["email"] for contact in self.sim.contacts())

    def test_rest_goes_and_the_address_waits(self):
        self.change()
        self.assertEqual(self.there(self.partner)["city"], "Sopot")
        self.assertEqual(self.addresses(), ["jan@example.com", "old@example.com"])
        self.assertEqual(self.changes().problem_code, "email_there")
        self.assertIn(str(self.second["id"]), self.partner.usercom_problem)
        calls = len(self.sim.calls())
        self.work()
        self.assertEqual(len(self.sim.calls()), calls)
        # Another edit goes, and the question stays.
        self.partner.city = "Gdynia"
        self.push()
        self.assertEqual(self.there(self.partner)["city"], "Gdynia")
        self.assertEqual(self.changes().problem_code, "email_there")
        self.assertEqual(self.addresses(), ["jan@example.com", "old@example.com"])

    def test_a_yes_for_the_new_address_waits_with_it(self):
        self.partner.write({"email": "jan@example.com"})
        self.partner.usercom_email_consent = "given"
        self.push()
        self.assertFalse(self.there(self.partner)["attributes"].get("email_consent"))
        self.settle(self.changes(), "email_there").action_different()
        self.work()
        self.assertTrue(self.there(self.partner)["attributes"]["email_consent"])
        self.assertEqual(self.there(self.partner)["email"], "jan@example.com")

    def test_a_no_goes_at_once(self):
        self.partner.usercom_email_consent = "given"
        self.push()
        self.partner.write({"email": "jan@example.com"})
        self.partner.usercom_email_consent = "withdrawn"
        self.push()
        self.assertIs(self.there(self.partner)["attributes"]["email_consent"], False)
        self.assertEqual(self.there(self.partner)["email"], "old@example.com")

    def test_joined(self):
        self.change()
        self.settle(self.changes(), "email_there").candidate_ids.action_join()
        self.check_quiet()
        self.assertEqual(self.addresses(), ["jan@example.com"])
        self.assertEqual(self.ties(), {self.partner: self.contact["id"]})
        self.assertEqual(self.partner.phone, "+48 600 100 200")
        self.assertFalse(self.partner.usercom_problem)

    def test_two_people(self):
        self.change()
        self.settle(self.changes(), "email_there").action_different()
        self.check_quiet()
        self.assertEqual(self.addresses(), ["jan@example.com", "jan@example.com"])
        self.assertEqual(self.there(self.partner)["email"], "jan@example.com")
        self.assertFalse(self.partner.usercom_problem)

    def test_tried_again_when_the_other_has_gone(self):
        self.change()
        self.sim.delete_contact(self.second["id"])
        self.changes().with_user(self.manager).action_retry()
        self.check_quiet()
        self.assertEqual(self.addresses(), ["jan@example.com"])

    def test_changed_back(self):
        self.change()
        self.partner.email = "old@example.com"
        self.check_quiet()
        self.assertFalse(self.partner.usercom_problem)
        self.partner.email = "jan@example.com"
        self.push()
        self.assertEqual(self.changes().problem_code, "email_there")

    def test_belongs_to_another_contact_of_odoo(self):
        self.read(self.second)
        self.change()
        wizard = self.settle(self.changes(), "email_there")
        self.assertFalse(wizard.candidate_ids.may_join)
        with self.assertRaises(UserError):
            wizard.candidate_ids.action_join()
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_free_address_goes_at_once(self):
        self.partner.email = "free@example.com"
        self.push()
        self.assertEqual(self.there(self.partner)["email"], "free@example.com")
        self.assertFalse(self.changes())


class TestWhoMaySettle(SettleCase):
    def test_managers_only(self):
        self.there_is()
        self.there_is()
        self.make_partner()
        self.push()
        user = self.user
        with self.assertRaises(AccessError):
            self.changes().with_user(user).action_settle()
        wizard = self.settle(self.changes(), "several_there")
        with self.assertRaises(AccessError):
            wizard.with_user(user).action_leave()
        with self.assertRaises(AccessError):
            self.env["usercom.verdict"].with_user(user).search([])

    def test_only_what_is_a_question(self):
        self.make_partner()
        self.env.flush_all()
        self.env.cr.precommit.run()
        [row] = self.changes()
        self.assertFalse(row.can_settle)
        with self.assertRaises(UserError):
            row.with_user(self.manager).action_settle()

    def test_user_com_does_not_answer(self):
        self.there_is()
        self.there_is()
        self.make_partner()
        self.push()
        for fault in ("drop", "500", "429", "401"):
            with self.subTest(fault=fault):
                self.sim.fault(fault, method="GET", retry_after=60)
                with self.assertRaises(UserError):
                    self.changes().with_user(self.manager).action_settle()

    def test_contact_that_the_reader_may_not_see(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        hidden = self.make_partner(name="Hidden Person", company_id=company.id)
        shown = self.make_partner(name="Shown Person")
        self.changes().unlink()
        contact = self.there_is()
        self.read(contact)
        wizard = self.settle(self.pings(), "several_here")
        line = self.line(wizard, hidden)
        self.assertNotIn("Hidden", line.name)
        self.assertFalse(line.email)
        self.assertEqual(self.line(wizard, shown).email, "jan@example.com")
