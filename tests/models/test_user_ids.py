"""The User ID: which one a contact gets, that it stays, and that it keeps one profile for one."""

import hashlib

from odoo.tests import tagged

from .common import SyncCase


def sha256(address):
    return hashlib.sha256(address.encode()).hexdigest()


@tagged("post_install", "-at_install")
class UserIdCase(SyncCase):
    strategy = "random"

    def setUp(self):
        super().setUp()
        self.account.user_id_strategy = self.strategy

    def ids(self, partner):
        return self.binding(partner).custom_id, self.there(partner)["custom_id"]


class EveryStrategy:
    """What holds whichever is chosen."""

    def expected(self, partner):
        """The User ID of a contact that is created from Odoo; None for a random one."""
        return None

    def check_id(self, partner):
        ours, theirs = self.ids(partner)
        self.assertEqual(ours, theirs)
        wanted = self.expected(partner)
        if wanted:
            self.assertEqual(ours, wanted)
        else:
            self.assertRegex(ours, "^[0-9a-f]{32}$")
        return ours

    def test_created(self):
        partner = self.make_partner(email="Jan@Example.com")
        self.push()
        self.check_id(partner)

    def test_nobody_is_known_by_it_twice(self):
        one, other = self.make_linked(), self.make_linked(email="other@example.com")
        self.assertNotEqual(self.check_id(one), self.check_id(other))

    def test_changed_address_keeps_one_profile(self):
        partner = self.make_linked()
        user_id = self.check_id(partner)
        contact = self.there(partner)
        partner.email = "new@example.com"
        self.work()
        self.assertEqual(self.ids(partner), (user_id, user_id))
        self.assertEqual(self.there(partner)["id"], contact["id"])
        self.assertEqual(self.there(partner)["email"], "new@example.com")
        self.sim.edit_contact(contact["id"], email="third@example.com")
        self.ping(contact["id"])
        self.pull()
        self.work()
        self.assertEqual(partner.email, "third@example.com")
        self.assertEqual(self.ids(partner), (user_id, user_id))
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_old_address_of_another_makes_a_profile_of_its_own(self):
        partner = self.make_linked()
        user_id = self.check_id(partner)
        partner.email = "new@example.com"
        self.work()
        heir = self.make_partner(name="Heir")
        self.work()
        self.assertNotEqual(self.there(heir)["id"], self.there(partner)["id"])
        self.assertNotEqual(self.ids(heir)[0], user_id)
        self.assertEqual(self.ids(heir)[0], self.ids(heir)[1])
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_lost_answer_and_an_address_that_changes_before_the_next_try(self):
        for name, commit in (("kept", True), ("lost", False)):
            with self.subTest(commit=commit):
                partner = self.make_partner(email=f"{name}@example.com")
                self.sim.fault("drop", method="POST", commit=commit)
                self.push()
                user_id = self.binding(partner).custom_id
                partner.email = f"new.{name}@example.com"
                self.work()
                self.assertEqual(self.ids(partner), (user_id, user_id))
                self.assertEqual(self.there(partner)["email"], f"new.{name}@example.com")
                self.assertFalse(self.sim.contacts(email=f"{name}@example.com"))
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_webhook_overtakes_the_answer(self):
        partner = self.make_partner()
        self.sim.fault("drop", method="POST", commit=True)
        self.push()
        [contact] = self.sim.contacts()
        self.ping(contact["custom_id"], "custom_id")
        self.pull()
        self.work()
        self.assertEqual(self.there(partner)["id"], contact["id"])
        self.assertEqual(self.env["res.partner"].search_count([("email", "=", partner.email)]), 1)
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_foreign_one_is_kept(self):
        contact = self.there_is(custom_id="shop-77")
        partner = self.make_partner(city="Gdynia")
        self.work()
        partner.email = "new@example.com"
        self.work()
        self.assertEqual(self.ids(partner), ("shop-77", "shop-77"))
        self.assertEqual(self.there(partner)["id"], contact["id"])

    def test_strategy_changed_later_changes_nobody(self):
        partner = self.make_linked()
        before = self.ids(partner)
        for strategy in ("random", "sha256", "keep"):
            self.account.user_id_strategy = strategy
            partner.city = strategy
            self.work()
            self.assertEqual(self.there(partner)["city"], strategy)
            self.assertEqual(self.ids(partner), before)

    def test_no_address(self):
        partner = self.make_partner(email=False, phone="+48600100200")
        self.push()
        self.check_id(partner)


class TestRandom(EveryStrategy, UserIdCase):
    def test_contact_without_one_gets_it_with_the_next_write(self):
        self.there_is()
        partner = self.make_partner()
        self.push()
        self.assertFalse(self.there(partner)["custom_id"])
        partner.city = "Gdynia"
        self.push()
        self.check_id(partner)


class TestSha256(EveryStrategy, UserIdCase):
    strategy = "sha256"

    def expected(self, partner):
        return partner.email_normalized and sha256(partner.email_normalized)

    def test_value(self):
        partner = self.make_partner(email="Jan@Example.com")
        self.push()
        # echo -n jan@example.com | sha256sum
        known = "b82dbe5433cfaeb5238ada81eadf911798ab04ba8ed69e004ec907826efa758e"
        self.assertEqual(self.there(partner)["custom_id"], known)

    def test_contact_without_one_gets_it_with_the_next_write(self):
        self.there_is()
        partner = self.make_partner()
        self.push()
        partner.city = "Gdynia"
        self.push()
        self.check_id(partner)

    def test_met_before_its_address_changed_there(self):
        """Who has the User ID of an address was met under it, whatever the address is now."""
        contact = self.there_is("moved@example.com", custom_id=sha256("jan@example.com"))
        partner = self.make_partner()
        self.push()
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_taken_by_another(self):
        holder = self.make_linked()
        taken = self.ids(holder)[0]
        holder.email = "new@example.com"
        self.work()
        heir = self.make_partner(name="Heir", email="JAN@example.com")
        self.push()
        self.assertEqual(self.ids(holder), (taken, taken))
        self.assertRegex(self.ids(heir)[0], "^[0-9a-f]{32}$")

    def test_taken_there_by_one_that_the_address_does_not_find(self):
        self.there_is()
        other = self.there_is("other@example.com", custom_id=sha256("jan@example.com"))
        partner = self.make_partner(city="Gdynia")
        self.work()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertNotEqual(self.there(partner)["id"], other["id"])
        self.assertEqual(self.sim.contact(other["id"])["custom_id"], sha256("jan@example.com"))

    def test_is_not_what_is_left_of_a_deleted_contact(self):
        partner = self.make_linked()
        binding = self.binding(partner)
        partner.unlink()
        self.push()
        self.assertNotIn(sha256("jan@example.com"), str(binding.read()))

    def test_companies_have_a_random_one(self):
        firm = self.make_partner(name="Firma", is_company=True)
        vals = self.env["usercom.binding"]._vals_new(self.account, firm)
        self.assertRegex(vals["custom_id"], "^[0-9a-f]{32}$")


class TestLeaveAlone(EveryStrategy, UserIdCase):
    strategy = "keep"

    def test_contact_without_one_gets_none(self):
        contact = self.there_is()
        partner = self.make_partner(city="Gdynia")
        self.work()
        partner.email = "new@example.com"
        self.work()
        self.assertFalse(self.there(partner)["custom_id"])
        self.assertEqual(self.there(partner)["id"], contact["id"])
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_contact_that_comes_in_gets_none(self):
        contact = self.there_is()
        self.ping(contact["id"])
        self.pull()
        [partner] = self.env["res.partner"].search([("email", "=", "jan@example.com")])
        partner.city = "Gdynia"
        self.work()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.there(partner)["custom_id"])


class TestRungs(UserIdCase):
    """Tie, User ID, e-mail, phone: each from either side."""

    def check_one(self, partner, contact):
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertEqual(len(self.sim.contacts()), 1)
        self.work()
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertFalse(self.changes() or self.pings())
        found = self.env["res.partner"].with_context(active_test=False)
        self.assertEqual(found.search_count([("name", "=", partner.name)]), 1)

    def by(self, direction, contact):
        if direction == "push":
            self.make_due()
            self.push()
        else:
            self.ping(contact["id"])
            self.pull()

    def each(self):
        for direction in ("push", "pull"):
            ties = self.env["usercom.binding"].search([])
            partners = ties.partner_id
            ties.unlink()
            partners.unlink()
            self.env.flush_all()
            self.env.cr.precommit.run()
            self.changes().unlink()
            self.sim.reset()
            self.sim.add_attribute("email_consent", "boolean")
            yield direction

    def test_user_id_of_one_that_is_not_tied_yet(self):
        for direction in self.each():
            partner = self.make_partner(name=direction, email=f"{direction}@example.com")
            self.sim.fault("drop", method="POST", commit=True)
            self.push()
            [contact] = self.sim.contacts()
            self.assertFalse(self.binding(partner).usercom_id)
            # The address does not tell any more who it is.
            self.sim.edit_contact(contact["id"], email=f"moved.{direction}@example.com")
            self.by(direction, contact)
            self.check_one(partner, contact)

    def test_capitals_where_user_com_minds_them(self):
        for direction in self.each():
            written = f"{direction.title()}@Example.COM"
            contact = self.there_is(written)
            partner = self.make_partner(name=direction, email=f"Jan <{written}>")
            self.by(direction, contact)
            self.check_one(partner, contact)

    def test_capitals_where_it_does_not(self):
        for direction in self.each():
            self.sim.switch(search_ignores_case=True)
            contact = self.there_is(f"{direction}@EXAMPLE.com")
            partner = self.make_partner(name=direction, email=f"{direction.upper()}@example.com")
            self.by(direction, contact)
            self.check_one(partner, contact)

    def test_phone_in_any_spelling(self):
        poland = self.env.ref("base.pl")
        for number, (here, there) in enumerate(
            [
                ("+48600100200", "+48600100200"),
                ("600 100 210", "+48600100210"),
                ("+48 600 100 220", "+48 600 100 220"),
                ("0048 600 100 230", "+48600100230"),
                ("600-100-240", "600-100-240"),
            ]
        ):
            for direction in self.each():
                self.env.company.country_id = poland
                contact = self.there_is(None, phone_number=there)
                partner = self.make_partner(
                    name=f"{direction} {number}", email=False, phone=here, country_id=poland.id
                )
                self.by(direction, contact)
                self.check_one(partner, contact)

    def test_phone_of_a_stranger(self):
        self.there_is(None, phone_number="+48600100299")
        partner = self.make_partner(email=False, phone="+48600100200")
        self.push()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(self.there(partner)["phone_number"], "+48600100200")
