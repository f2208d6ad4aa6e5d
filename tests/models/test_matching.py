"""Who is who: one person has one profile, and where it is not sure, somebody is asked."""

from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import odoo.sql_db
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests.common import new_test_user, tagged
from odoo.tools.misc import file_path

from .common import SyncCase


@tagged("post_install", "-at_install")
class MatchingCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "matching-manager", groups="usercom_connector.group_usercom_manager"
        )
        cls.account.user_id = cls.manager

    def read(self, contact):
        self.ping(contact["id"])
        self.pull()

    def people(self, email="jan@example.com"):
        return (
            self.env["res.partner"]
            .with_context(active_test=False)
            .search([("email", "=ilike", email)])
        )

    def check_linked(self, partner, contact):
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertEqual(self.binding(partner).state, "linked")

    def check_parked(self, rows, code, *words):
        [row] = rows
        self.assertEqual((row.problem_code, row.due_at), (code, False))
        for word in words:
            self.assertIn(word, row.problem)


class TestLadder(MatchingCase):
    """User.com ID, then User ID, then the e-mail address, then the phone."""

    def test_by_usercom_id(self):
        partner = self.make_linked()
        other = self.make_partner(email="other@example.com")
        # Whatever the address says: the tie counts.
        self.sim.edit_contact(int(partner.usercom_id), email="other@example.com")
        self.ping(partner.usercom_id)
        self.pull()
        self.assertEqual(partner.email, "other@example.com")
        self.assertFalse(self.binding(other).usercom_id)

    def test_webhook_overtakes_the_answer_of_a_creation(self):
        for fault in ("drop", "504"):
            partner = self.make_partner(email=f"{fault}@example.com")
            self.sim.fault(fault, method="POST", commit=True)
            self.push()
            [there] = self.sim.contacts(email=f"{fault}@example.com")
            self.assertEqual(self.binding(partner).state, "new")
            self.read(there)
            self.check_linked(partner, there)
            self.assertEqual(len(self.people(f"{fault}@example.com")), 1)
            self.make_due()
            self.push()
            self.assertFalse(self.changes())
            self.assertEqual(len(self.sim.contacts(email=f"{fault}@example.com")), 1)

    def test_email_in_any_spelling(self):
        for here, there in (
            ("one@example.com", "ONE@Example.com"),
            ("TWO@EXAMPLE.COM", "two@example.com"),
            ('"Three" <Three@example.com>', "three@example.com"),
            (" four@example.com ", "four@example.com"),
        ):
            for by_push in (True, False):
                with self.subTest(here=here, by_push=by_push):
                    prefix = "push" if by_push else "pull"
                    partner = self.make_partner(
                        email=here.replace("@", f"@{prefix}.").replace("EXAMPLE", "EXAMPLE")
                    )
                    contact = self.there_is(there.replace("@", f"@{prefix}."))
                    self.sim.switch(search_ignores_case=True)
                    if by_push:
                        self.push()
                    else:
                        self.read(contact)
                    self.check_linked(partner, contact)
                    self.push()

    def test_signs_are_no_wildcards(self):
        decoys = ["janx@example.com", "jananything@example.com", "jan@exampleXcom.example"]
        for email in decoys:
            self.make_partner(email=email)
        for email in ("jan_@example.com", "jan%@example.com"):
            with self.subTest(email=email):
                contact = self.there_is(email)
                self.read(contact)
                [partner] = self.env["res.partner"].search([("email_normalized", "=", email)])
                self.check_linked(partner, contact)
        for partner in self.env["res.partner"].search([("email", "in", decoys)]):
            self.assertFalse(self.binding(partner).usercom_id)

    def test_signs_are_no_wildcards_over_there(self):
        self.there_is("janx@example.com")
        partner = self.make_partner(email="jan_@example.com")
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan_@example.com")
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_server_that_ignores_the_condition(self):
        """A stranger is not taken for the person, whatever a search answers."""
        from odoo.addons.usercom_connector import client

        stranger = self.there_is("stranger@example.com", phone_number="+48600100299")
        real = client.UserCom._search
        self.patch(
            client.UserCom,
            "_search",
            lambda usercom, params: real(
                usercom, {"email": "stranger@example.com", "many": "true"}
            ),
        )
        by_email = self.make_partner()
        by_phone = self.make_partner(name="Ola", email=False, phone="+48600100200")
        self.push()
        for partner in (by_email, by_phone):
            self.assertNotEqual(partner.usercom_id, str(stranger["id"]))
        self.assertEqual(len(self.sim.contacts()), 3)

    def test_phone_where_there_is_no_email(self):
        partner = self.make_partner(
            email=False, phone="600 100 200", country_id=self.env.ref("base.pl").id
        )
        contact = self.there_is(None, phone_number="+48600100200")
        self.push()
        self.check_linked(partner, contact)
        other = self.make_partner(name="Ola", email=False, phone="+48 600 100 201")
        self.changes().unlink()
        contact = self.there_is(None, phone_number="+48 600-100-201")
        self.read(contact)
        self.check_linked(other, contact)

    def test_candidates_are_found_by_indexes(self):
        self.env.cr.execute(
            """
            INSERT INTO res_partner (name, complete_name, email_normalized, phone_sanitized, active)
            SELECT n, n, n || '@example.com', '+48' || n, TRUE FROM generate_series(1, 5000) AS n
            """
        )
        self.env.cr.execute("ANALYZE res_partner")
        looked = []
        real = odoo.sql_db.Cursor.execute

        def execute(cursor, query, *args, **kwargs):
            text = str(getattr(query, "code", query))
            if '"email_normalized" ' in text.partition("WHERE")[2]:
                looked.append((query, args))
            return real(cursor, query, *args, **kwargs)

        people = [{"email": "jan@example.com"}, {"email": None, "phone_number": "+48600100200"}]
        with patch.object(odoo.sql_db.Cursor, "execute", execute):
            for some in (people[:1], people):
                self.env["res.partner"]._usercom_same_people(self.account, some)
        plans = []
        for query, args in looked:
            self.env.cr.execute("EXPLAIN " + self.env.cr.mogrify(query, *args).decode())
            plans.append("\n".join(line for (line,) in self.env.cr.fetchall()))
        by_email, by_both = plans
        self.assertIn("res_partner_usercom_email_idx", by_email)
        self.assertIn("res_partner_usercom_email_idx", by_both)
        self.assertIn("res_partner_usercom_phone_idx", by_both)

    def test_phone_counts_only_where_there_is_no_email(self):
        partner = self.make_partner(phone="+48600100200")
        contact = self.there_is("other@example.com", phone_number="+48600100200")
        self.read(contact)
        self.push()
        self.assertNotEqual(partner.usercom_id, str(contact["id"]))
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(len(self.people("other@example.com")), 1)

    def test_foreign_user_id_is_kept(self):
        contact = self.there_is(custom_id="shop-77")
        partner = self.make_partner(city="Gdynia")
        self.push()
        self.assertEqual(self.there(partner)["custom_id"], "shop-77")
        self.assertEqual(self.binding(partner).custom_id, "shop-77")
        self.check_linked(partner, contact)

    def test_foreign_user_id_of_a_contact_that_comes_in(self):
        contact = self.there_is(custom_id="shop-77")
        self.read(contact)
        self.push()
        [partner] = self.people()
        self.assertEqual(self.binding(partner).custom_id, "shop-77")
        self.assertEqual(self.there(partner)["custom_id"], "shop-77")
        self.assertEqual(self.sim.calls.count("PUT"), 0)

    def test_missing_user_id_gets_ours_with_the_next_write(self):
        """It goes along with what is written anyway: linking alone costs no call."""
        for email, by_push in (("one@example.com", True), ("two@example.com", False)):
            contact = self.there_is(email)
            partner = self.make_partner(email=email)
            if by_push:
                self.push()
            else:
                self.changes().unlink()
                self.read(contact)
                self.push()
            self.assertEqual(self.sim.calls.count("PUT"), 0)
            partner.city = "Gdynia"
            self.push()
            self.assertEqual(self.there(partner)["custom_id"], self.binding(partner).custom_id)
            self.assertRegex(self.binding(partner).custom_id, "^[0-9a-f]{32}$")
            self.sim.reset_calls()
            self.read(contact)
            self.push()
            self.assertEqual(self.sim.calls.count("PUT"), 0)

    def test_user_id_given_by_another_later(self):
        partner = self.make_linked()
        self.sim.edit_contact(int(partner.usercom_id), custom_id="shop-77")
        self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.assertEqual(self.binding(partner).custom_id, "shop-77")
        self.assertEqual(self.there(partner)["custom_id"], "shop-77")

    def test_visitors_and_nobodies_are_left_alone(self):
        for contact in (
            self.there_is("visitor@example.com", status="visitor"),
            self.there_is(None),
            self.there_is(None, phone_number="none"),
            self.sim.add_contact(raw=True, email="no address", status="user"),
        ):
            before = self.env["res.partner"].search_count([])
            self.read(contact)
            self.assertEqual(self.env["res.partner"].search_count([]), before)
            self.assertFalse(self.pings())
            self.assertFalse(self.env["usercom.binding"].search([]))

    def test_visitor_who_becomes_a_user(self):
        contact = self.there_is("visitor@example.com", status="visitor")
        self.read(contact)
        self.sim.edit_contact(contact["id"], status="user")
        self.read(contact)
        self.check_linked(self.people("visitor@example.com"), contact)

    def test_ping_by_other_names(self):
        contact = self.there_is(custom_id="shop/77 @x")
        for lookup, value in (
            ("custom_id", "shop/77 @x"),
            ("key", contact["key"]),
            ("email", "Jan@example.com"),
            ("custom_id", "unknown"),
            ("key", "unknown"),
            ("email", "unknown@example.com"),
            ("custom_id", ".."),
            ("id", "999999"),
            ("none", ""),
        ):
            with self.subTest(lookup=lookup, value=value):
                self.ping(value, lookup)
                self.pull()
                self.pull()
                if lookup == "none":
                    self.check_parked(self.pings(), "no_identity")
                elif value == "..":
                    self.check_parked(self.pings(), "refused")
                    self.pings().unlink()
                else:
                    self.assertFalse(self.pings())
                [partner] = self.people()
                self.check_linked(partner, contact)

    def test_ping_by_an_email_that_several_have(self):
        first, second = self.there_is(), self.there_is(last_name="Drugi")
        self.ping("jan@example.com", "email")
        self.pull()
        self.pull()
        self.assertEqual(len(self.people()), 1)
        self.check_linked(self.people(), first)
        self.check_parked(self.pings(), "taken_here")
        self.assertEqual(self.pings().value, str(second["id"]))


class TestUnsure(MatchingCase):
    """Nobody is guessed: the row is parked with what to do, and goes when that is done."""

    def test_several_there(self):
        contacts = [self.there_is(), self.there_is(last_name="Drugi")]
        partner = self.make_partner()
        self.push()
        self.check_parked(self.changes(), "several_there", *[str(c["id"]) for c in contacts])
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertIn("Merge them in User.com", partner.usercom_problem)
        self.sim.delete_contact(contacts[1]["id"])
        self.changes().with_user(self.manager).action_retry()
        self.push()
        self.check_linked(partner, contacts[0])
        self.assertFalse(partner.usercom_problem)

    def test_several_here(self):
        contact = self.there_is()
        partners = self.make_partner() + self.make_partner(name="Drugi")
        self.changes().unlink()
        self.read(contact)
        self.check_parked(self.pings(), "several_here", "Jan Testowy", "Drugi", "Merge")
        self.assertEqual(len(self.people()), 2)
        partners[1].email = "drugi@example.com"
        self.pings().with_user(self.manager).action_retry()
        self.pull()
        self.check_linked(partners[0], contact)

    def test_tied_by_the_other_direction(self):
        """What one direction could not tell the other has: nothing goes on asking for a person."""
        contacts = [self.there_is(), self.there_is(last_name="Drugi")]
        partner = self.make_partner()
        self.push()
        self.check_parked(self.changes(), "several_there")
        self.read(contacts[0])
        self.push()
        self.check_linked(partner, contacts[0])
        self.assertFalse(self.changes())
        self.assertFalse(partner.usercom_problem)

        self.account.create_in_odoo = False
        contact = self.there_is("ola@example.com")
        self.read(contact)
        self.check_parked(self.pings(), "creation_off")
        partner = self.make_partner(email="ola@example.com")
        self.push()
        self.pull()
        self.check_linked(partner, contact)
        self.assertFalse(self.pings())

    def test_taken_there(self):
        partner = self.make_linked()
        other = self.make_partner(name="Drugi")
        self.push()
        self.check_parked(self.changes(), "taken_there", partner.usercom_id, "Jan Testowy")
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertEqual(self.sim.contacts()[0]["name"], "Jan Testowy")
        other.email = "drugi@example.com"
        self.push()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_taken_here(self):
        partner = self.make_linked()
        contact = self.there_is(last_name="Drugi")
        self.read(contact)
        self.check_parked(self.pings(), "taken_here", "Jan Testowy")
        self.assertEqual(len(self.people()), 1)
        self.sim.edit_contact(contact["id"], email="drugi@example.com")
        self.read(contact)
        self.assertFalse(self.pings())
        self.check_linked(self.people("drugi@example.com"), contact)
        self.assertEqual(partner.name, "Jan Testowy")

    def test_two_new_ones_with_one_address(self):
        """The second is found to be the first one's, and not created beside it."""
        partners = self.make_partner() + self.make_partner(name="Drugi")
        self.push()
        self.make_due()
        self.push()
        self.assertEqual(len(self.sim.contacts()), 1)
        self.check_parked(self.changes(), "taken_there")
        self.assertEqual(len(partners.filtered("usercom_id")), 1)

    def test_user_id_taken(self):
        partner = self.make_linked()
        mine = self.binding(partner).custom_id
        self.sim.delete_contact(int(partner.usercom_id))
        contact = self.there_is("new@example.com", custom_id=mine)
        self.read(contact)
        self.check_parked(self.pings(), "user_id_taken", "Jan Testowy")
        self.assertFalse(self.people("new@example.com"))

    def test_user_id_taken_seen_by_a_push(self):
        """A User ID that another contact of Odoo's holds does not keep the push spinning."""
        partner = self.make_linked()
        mine = self.binding(partner).custom_id
        self.sim.delete_contact(int(partner.usercom_id))
        self.there_is("new@example.com", custom_id=mine)
        self.make_partner(name="Nowy", email="new@example.com")
        self.push()
        self.check_parked(self.changes(), "user_id_taken", "Jan Testowy")

    def test_user_id_taken_seen_by_a_read(self):
        one, other = self.make_linked(), self.make_linked(email="other@example.com")
        mine = self.binding(one).custom_id
        self.sim.delete_contact(int(one.usercom_id))
        self.sim.edit_contact(int(other.usercom_id), custom_id=mine, city="Gdynia")
        self.ping(other.usercom_id)
        self.pull()
        self.assertEqual(other.city, "Gdynia")
        self.assertFalse(self.pings())


class TestNotTakingPart(MatchingCase):
    def check_nothing_is_linked(self, partner):
        contact = self.there_is()
        before = self.env["res.partner"].search_count([])
        self.env.flush_all()
        self.push()
        self.assertFalse(self.changes())
        self.read(contact)
        self.check_parked(self.pings(), "not_taking_part", partner.display_name)
        self.assertFalse(self.env["usercom.binding"].search([]))
        self.assertEqual(self.env["res.partner"].search_count([]), before)
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertEqual(self.sim.calls.count("PUT") + self.sim.calls.count("POST"), 0)

    def test_company(self):
        self.account.create_in_usercom = False
        self.check_nothing_is_linked(self.make_partner(name="Firma", is_company=True))

    def test_internal_user(self):
        user = new_test_user(self.env, "matching-user", email="jan@example.com")
        self.check_nothing_is_linked(user.partner_id)

    def test_invoice_address(self):
        parent = self.make_partner(name="Firma", is_company=True, email=False)
        self.check_nothing_is_linked(self.make_partner(type="invoice", parent_id=parent.id))

    def test_person_beside_a_company(self):
        self.make_partner(name="Firma", is_company=True)
        partner = self.make_partner()
        contact = self.there_is()
        self.read(contact)
        self.check_linked(partner, contact)

    def test_portal_user_takes_part(self):
        user = new_test_user(
            self.env, "matching-portal", groups="base.group_portal", email="jan@example.com"
        )
        contact = self.there_is()
        self.read(contact)
        self.check_linked(user.partner_id, contact)


class TestArchivedAndDeleted(MatchingCase):
    def test_archived_is_found_and_not_made_again(self):
        partner = self.make_partner(active=False)
        contact = self.there_is(city="Gdynia")
        self.read(contact)
        self.check_parked(self.pings(), "not_taking_part", "Jan Testowy")
        self.assertFalse(partner.active)
        self.assertEqual(len(self.people()), 1)
        partner.active = True
        self.pings().with_user(self.manager).action_retry()
        self.pull()
        self.check_linked(partner, contact)
        self.assertEqual(partner.city, "Gdynia")

    def test_archived_is_not_created_there(self):
        partner = self.make_partner(active=False)
        self.push()
        self.assertFalse(self.sim.contacts())
        partner.active = True
        self.push()
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_archived_later_is_left_alone(self):
        partner = self.make_linked(city="Sopot")
        partner.active = False
        partner.city = "Gdynia"
        self.push()
        self.sim.edit_contact(self.there(partner)["id"], first_name="Johann")
        self.ping(partner.usercom_id)
        self.pull()
        self.assertEqual(self.there(partner)["city"], "Sopot")
        self.assertEqual(partner.name, "Jan Testowy")
        self.assertIn("not kept in step", partner.usercom_status)
        self.assertFalse(self.changes() or self.pings())
        partner.active = True
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(self.there(partner)["name"], "Johann Testowy")

    def test_deleted_in_odoo_does_not_come_back(self):
        partner = self.make_linked(city="Gdynia", phone="+48600100200")
        contact = self.there(partner)
        binding = self.binding(partner)
        partner.unlink()
        self.assertTrue(binding.exists())
        self.assertFalse(binding.partner_id)
        left = binding.read(["base_odoo", "base_usercom", "refused", "notices"])[0]
        del left["id"]
        self.assertFalse(any(left.values()))
        self.assertNotIn("jan@example.com", str(binding.read()))
        self.push()
        self.sim.edit_contact(contact["id"], city="Sopot")
        for lookup, value in (
            ("id", contact["id"]),
            ("email", "jan@example.com"),
            ("custom_id", contact["custom_id"]),
        ):
            self.ping(value, lookup)
            self.pull()
            self.pull()
        self.assertFalse(self.people())
        self.assertFalse(self.pings())
        self.assertFalse(binding.base_usercom)
        # Nor is the contact there touched.
        self.assertEqual(self.sim.contact(contact["id"])["city"], "Sopot")

    def test_deleted_in_odoo_and_entered_anew(self):
        partner = self.make_linked()
        contact = self.there(partner)
        partner.unlink()
        partner = self.make_partner(city="Gdynia")
        self.push()
        self.check_linked(partner, contact)
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_deleted_by_a_user_who_sees_no_bindings(self):
        partner = self.make_linked()
        user = new_test_user(
            self.env, "matching-deleter", groups="base.group_user,base.group_partner_manager"
        )
        partner.with_user(user).unlink()
        self.assertFalse(self.people())

    def test_deleted_while_it_waits(self):
        partner = self.make_partner()
        self.env.flush_all()
        self.env.cr.precommit.run()
        partner.unlink()
        self.push()
        self.assertFalse(self.changes())
        self.assertFalse(self.sim.contacts())

    def test_deleted_after_a_creation_whose_answer_was_lost(self):
        partner = self.make_partner()
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        partner.unlink()
        self.make_due()
        self.push()
        self.read(self.sim.contacts()[0])
        self.assertFalse(self.people())
        self.assertFalse(self.pings())
        self.assertFalse(self.changes())

    def test_deleted_in_usercom(self):
        for by_ping in (True, False):
            with self.subTest(by_ping=by_ping):
                partner = self.make_linked(email=f"{by_ping}@example.com")
                number = partner.usercom_id
                self.sim.delete_contact(int(number))
                if by_ping:
                    self.ping(number)
                    self.pull()
                else:
                    partner.city = "Hel"
                    self.push()
                self.assertEqual(self.binding(partner).state, "gone")
                self.assertIn("Deleted in User.com", partner.usercom_status)
                self.assertTrue(partner.exists().active)
                self.sim.reset_calls()
                partner.city = "Gdynia"
                partner.usercom_email_consent = "given"
                self.push()
                self.assertFalse(self.sim.calls())
                self.assertFalse(self.sim.contacts())
                self.assertFalse(self.changes())

    def test_ping_of_one_who_never_was(self):
        self.ping(424242)
        self.pull()
        self.assertFalse(self.pings())
        self.assertFalse(self.env["usercom.binding"].search([]))


class TestCreationSwitches(MatchingCase):
    def setUp(self):
        super().setUp()
        self.account.write({"create_in_odoo": False, "create_in_usercom": False})

    def wizard(self, side, **vals):
        wizards = self.env["usercom.creation"].with_user(self.manager)
        return wizards.create({"account_id": self.account.id, "side": side} | vals)

    def test_nothing_is_created_on_either_side(self):
        contact = self.there_is("ola@example.com")
        self.make_partner()
        self.push()
        self.read(contact)
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertFalse(self.people("ola@example.com"))
        self.assertFalse(self.changes())
        self.check_parked(self.pings(), "creation_off", "switched off")
        self.assertEqual(self.sim.calls.count("POST") + self.sim.calls.count("PUT"), 0)

    def test_existing_pairs_are_linked(self):
        one, other = self.there_is(city="Gdynia"), self.there_is("ola@example.com")
        partner = self.make_partner()
        self.push()
        self.check_linked(partner, one)
        self.assertEqual(partner.city, "Gdynia")
        second = self.make_partner(email="ola@example.com")
        self.changes().unlink()
        self.read(other)
        self.check_linked(second, other)
        partner.city = "Sopot"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_wizard_for_usercom(self):
        people = [self.make_partner(email=f"p{number}@example.com") for number in range(3)]
        self.make_partner(name="Firma", is_company=True)
        self.make_partner(active=False)
        self.make_partner(email=False)
        wizard = self.wizard("usercom")
        already = self.env["res.partner"].search_count(
            [*self.account._participants(), ("id", "not in", [p.id for p in people])]
        )
        self.assertEqual(wizard.count, already + 3)
        self.push()
        wizard.action_switch_on()
        self.assertTrue(self.account.create_in_usercom)
        self.push()
        self.assertFalse(self.sim.contacts())  # only those saved from now on
        people[0].city = "Gdynia"
        self.push()
        self.assertEqual([c["email"] for c in self.sim.contacts()], ["p0@example.com"])
        self.assertEqual(self.wizard("usercom").count, already + 2)

    def test_wizard_for_usercom_with_those_that_are_here(self):
        self.account.creation_limit = 1000
        people = [self.make_partner(email=f"p{number}@example.com") for number in range(3)]
        self.push()
        wizard = self.wizard("usercom", include_existing=True)
        count = wizard.count
        wizard.action_switch_on()
        self.assertEqual(len(self.changes()), count)
        self.pull()  # who is in User.com is listed first
        while self.changes():
            self.push()
        self.assertEqual(len(self.sim.contacts()), count)
        self.assertTrue(all(self.binding(partner) for partner in people))
        self.assertEqual(self.wizard("usercom").count, 0)

    def test_wizard_for_odoo(self):
        contacts = [self.there_is(f"p{number}@example.com") for number in range(3)]
        for contact in contacts:
            self.read(contact)
        self.read(self.there_is("visitor@example.com", status="visitor"))
        self.read(contacts[0])  # called for a second time, and yet one contact
        wizard = self.wizard("odoo")
        self.assertEqual(wizard.count, 3)
        wizard.action_switch_on()
        self.assertTrue(self.account.create_in_odoo)
        self.pull()
        self.assertFalse(self.pings())
        self.assertEqual(len(self.people("p_@example.com")), 3)
        self.assertEqual(self.wizard("odoo").count, 0)

    def test_switched_off_again(self):
        self.wizard("usercom").action_switch_on()
        self.wizard("odoo").action_switch_on()
        account = self.account.with_user(self.manager)
        account.with_context(usercom_side="odoo").action_stop_creation()
        self.assertEqual((account.create_in_odoo, account.create_in_usercom), (False, True))
        account.with_context(usercom_side="usercom").action_stop_creation()
        self.assertFalse(account.create_in_usercom)

    def test_users_switch_nothing(self):
        user = new_test_user(self.env, "matching-nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.env["usercom.creation"].with_user(user).create(
                {"account_id": self.account.id, "side": "odoo"}
            )


class TestCeiling(MatchingCase):
    def setUp(self):
        super().setUp()
        self.account.creation_limit = 2

    def test_out(self):
        linked = self.make_linked()
        partners = [self.make_partner(email=f"p{number}@example.com") for number in range(4)]
        linked.city = "Gdynia"
        self.push()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(self.there(linked)["city"], "Gdynia")
        self.assertEqual(set(self.changes().mapped("problem_code")), {"ceiling"})
        self.assertEqual(len(self.changes()), 3)
        self.assertTrue(all(row.due_at for row in self.changes()))
        self.assertIn("2 contacts were created", partners[3].usercom_problem)
        # Edits go on, and somebody is asked once.
        linked.city = "Sopot"
        partners[2].city = "Sopot"
        self.push()
        self.assertEqual(self.there(linked)["city"], "Sopot")
        self.assertEqual(len(self.account.activity_ids), 1)
        self.assertEqual(self.account.activity_ids.user_id, self.manager)
        # A pair that exists is linked: that creates nobody.
        contact = self.there_is("pair@example.com")
        pair = self.make_partner(email="pair@example.com")
        self.push()
        self.check_linked(pair, contact)
        # Raised by the responsible, it goes on.
        self.account.with_user(self.manager).creation_limit = 3
        self.push()
        self.assertEqual(len(self.sim.contacts()), 4)
        self.assertEqual(len(self.account.activity_ids), 1)
        self.account.with_user(self.manager).creation_limit = 100
        self.assertFalse(self.account.activity_ids)
        self.push()
        self.assertEqual(len(self.sim.contacts()), 6)
        self.assertFalse(self.changes())

    def test_in(self):
        contacts = [self.there_is(f"p{number}@example.com") for number in range(4)]
        for contact in contacts:
            self.ping(contact["id"])
        self.pull()
        self.assertEqual(len(self.people("p_@example.com")), 2)
        self.assertEqual(set(self.pings().mapped("problem_code")), {"ceiling"})
        self.assertEqual(len(self.account.activity_ids), 1)
        partner = self.people("p_@example.com")[0]
        self.sim.edit_contact(int(partner.usercom_id), city="Gdynia")
        self.ping(partner.usercom_id)
        self.pull()
        self.assertEqual(partner.city, "Gdynia")
        self.account.with_user(self.manager).creation_limit = 4
        self.pull()
        self.assertEqual(len(self.people("p_@example.com")), 4)

    def test_each_side_has_its_own(self):
        for number in range(2):
            self.make_partner(email=f"p{number}@example.com")
        self.push()
        self.read(self.there_is("ola@example.com"))
        self.assertTrue(self.people("ola@example.com"))

    def test_next_day(self):
        partners = [self.make_partner(email=f"p{number}@example.com") for number in range(3)]
        self.push()
        self.assertEqual(len(self.sim.contacts()), 2)
        left = (self.changes().due_at - fields.Datetime.now()).total_seconds()
        self.assertGreater(left, 23 * 3600)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_binding SET create_date = %s", [fields.Datetime.now() - timedelta(1.1)]
        )
        self.make_due()
        self.push()
        self.assertEqual(len(self.sim.contacts()), 3)
        self.assertTrue(all(self.binding(partner) for partner in partners))

    def test_none_at_all(self):
        self.account.creation_limit = 0
        self.make_partner()
        self.push()
        self.assertFalse(self.sim.contacts())


class TestSeveralAccounts(MatchingCase):
    def second(self, **vals):
        second = self.env["usercom.account"].create({"name": "Two", "subdomain": "two"} | vals)
        self.connect(second)
        return second

    def test_each_has_its_own_ties(self):
        second = self.second()
        partner = self.make_partner()
        self.push()
        bindings = self.env["usercom.binding"].search([("partner_id", "=", partner.id)])
        self.assertEqual(bindings.account_id, self.account + second)

    def test_each_for_its_company(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.account.company_id = self.env.company
        second = self.second(company_id=company.id)
        mine = self.make_partner(email="mine@example.com", company_id=self.env.company.id)
        theirs = self.make_partner(email="theirs@example.com", company_id=company.id)
        shared = self.make_partner(email="shared@example.com")
        self.push()
        tied = {
            partner: self.env["usercom.binding"]
            .search([("partner_id", "=", partner.id)])
            .account_id
            for partner in (mine, theirs, shared)
        }
        self.assertEqual(tied[mine], self.account)
        self.assertEqual(tied[theirs], second)
        self.assertEqual(tied[shared], self.account + second)

    def test_contact_of_another_company_is_no_match(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.account.company_id = self.env.company
        theirs = self.make_partner(company_id=company.id)
        contact = self.there_is()
        self.read(contact)
        mine = self.people() - theirs
        self.check_linked(mine, contact)
        self.assertEqual(mine.company_id, self.env.company)
        self.assertFalse(self.binding(theirs))

    def test_paused_account_loses_nothing(self):
        second = self.second()
        self.account.action_pause()
        partner = self.make_partner()
        self.push()
        bindings = self.env["usercom.binding"].search([("partner_id", "=", partner.id)])
        self.assertEqual(bindings.account_id, second)
        self.assertIn(partner, self.changes().partner_id)
        second.action_pause()
        self.account.action_start()
        self.push()
        self.assertTrue(self.binding(partner).usercom_id)

    def test_archived_account_does_nothing(self):
        self.account.active = False
        self.make_partner()
        self.push()
        self.assertFalse(self.sim.calls())

    def test_deleted_account_leaves_no_work(self):
        second = self.second()
        self.make_partner()
        self.env.flush_all()
        self.env.cr.precommit.run()
        second.unlink()
        self.push()
        self.pull()
        self.assertEqual(len(self.sim.contacts()), 1)


class TestCopies(MatchingCase):
    """A copy of the database must not talk to the real User.com."""

    def test_other_database(self):
        partner = self.make_linked()
        self.env["ir.config_parameter"].set_param("database.uuid", "another-database")
        partner.city = "Gdynia"
        self.ping(partner.usercom_id)
        self.push()
        self.pull()
        self.assertFalse(self.sim.calls())
        self.assertTrue(self.account.is_other_database)
        self.assertEqual(
            (self.account.state, self.account.pause_code), ("paused", "other_database")
        )
        self.assertIn("copy", self.account.pause_reason)
        self.assertEqual(len(self.account.activity_ids), 1)
        account = self.account.with_user(self.manager)
        self.assertFalse(account.may_start)
        with self.assertRaisesRegex(UserError, "another database"):
            account.action_start()
        # Nor does a test of the connection call, or take the account over on the quiet.
        action = account.action_test_connection()
        self.assertEqual(action["params"]["type"], "danger")
        self.assertIn("another database", action["params"]["message"])
        self.assertFalse(self.sim.calls())
        self.assertEqual(account.state, "paused")
        # Taken over by a person, it is tested and started anew.
        account.action_take_over()
        self.assertEqual(account.state, "draft")
        self.assertFalse(account.is_other_database)
        account.action_test_connection()
        account.action_start()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(account.activity_ids)

    def test_draft_of_another_database(self):
        account = self.env["usercom.account"].create({"name": "Two", "subdomain": "two"})
        account.rest_key_input = self.sim.key
        account.action_test_connection()
        account.rest_key_input = self.sim.key
        self.assertEqual(account.state, "draft")
        self.env["ir.config_parameter"].set_param("database.uuid", "another-database")
        account.invalidate_recordset()
        account.action_test_connection()
        self.assertEqual(account.state, "draft")
        self.assertNotEqual(account.database_uuid, "another-database")

    def neutralize(self):
        self.env.flush_all()
        path = file_path("usercom_connector/data/neutralize.sql")
        self.env.cr.execute(Path(path).read_text())
        self.env.invalidate_all()
        self.env.registry.clear_cache()

    def test_neutralized(self):
        partner = self.make_linked()
        draft = self.env["usercom.account"].create({"name": "Draft", "subdomain": "draft"})
        connected = self.env["usercom.account"].create({"name": "Two", "subdomain": "two"})
        connected.rest_key_input = self.sim.key
        connected.action_test_connection()
        archived = self.env["usercom.account"].create({"name": "Old", "subdomain": "old"})
        self.connect(archived)
        archived.active = False
        accounts = self.account + draft + connected + archived
        partner.city = "Gdynia"
        self.sim.reset_calls()
        self.neutralize()
        for account in accounts:
            self.assertFalse(account.sudo().rest_key)
            self.assertFalse(account.webhook_secret)
            self.assertNotEqual(account.state, "running")
        self.assertEqual(self.account.pause_code, "neutralized")
        self.assertIn("neutralized", self.account.pause_reason)
        self.push()
        self.pull()
        self.assertFalse(self.sim.calls())
        with self.assertRaises(UserError):
            self.account.action_start()
        self.account.action_test_connection()
        self.assertEqual(self.account.check_code, "no_key")
        # With a key of a test application it goes on.
        self.account.rest_key_input = self.sim.key
        self.account.action_test_connection()
        self.assertEqual(self.account.state, "running")
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_neutralized_twice(self):
        self.neutralize()
        self.neutralize()
        self.assertEqual(self.account.state, "paused")
