"""What the queues do where something stands in the way: no call too many, and nothing lost."""

from unittest.mock import patch

from odoo.tests.common import tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class QueueCase(SyncCase):
    def edit_there(self, contact, **values):
        """Somebody edits the contact in User.com, whose automation calls."""
        self.sim.edit_contact(contact["id"], **values)
        self.ping(contact["id"])
        self.pull()

    def people(self, email="jan@example.com"):
        partners = self.env["res.partner"].with_context(active_test=False)
        return partners.search([("email_normalized", "=", email)])


class TestBehindAnother(QueueCase):
    """Who has the address of somebody that is being created waits for that, and only so long."""

    def refused(self, **vals):
        partner = self.make_partner(name="Refused", **vals)
        self.sim.fault("400", method="POST")
        self.push()
        self.assertEqual(self.changes().problem_code, "refused")
        self.assertEqual(self.binding(partner).state, "new")
        self.sim.reset_calls()
        return partner

    def rounds(self, run):
        for _round in range(4):
            self.make_due()
            run()

    def test_refused_creation_holds_up_no_push(self):
        self.refused()
        other = self.make_partner()
        self.rounds(self.push)
        self.assertEqual(len(self.sim.calls("GET")), 1)
        self.assertEqual(self.there(other)["email"], "jan@example.com")
        # What was refused goes no second time beside it.
        self.changes().action_retry()
        self.rounds(self.push)
        self.assertEqual(self.changes().problem_code, "taken_there")
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_refused_creation_holds_up_no_pull(self):
        partner = self.refused(city="Gdynia")
        contact = self.there_is(custom_id="shop-7")
        self.ping(contact["id"])
        self.rounds(self.pull)
        self.assertEqual(len(self.sim.calls("GET")), 1)
        self.assertFalse(self.pings())
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertEqual(self.people(), partner)
        self.push()
        self.assertEqual(self.sim.contact(contact["id"])["city"], "Gdynia")
        self.assertEqual(self.there(partner)["custom_id"], "shop-7")
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_creation_that_waits_is_waited_for(self):
        """As long as it waits itself, and with the truth about why."""
        first = self.make_partner(name="First")
        self.sim.fault("500", method="POST")
        self.push()
        waits = self.changes()
        waits.due_at = "2100-01-01 00:00:00"
        other = self.make_partner()
        self.push()
        row = self.changes() - waits
        self.assertEqual(row.partner_id, other)
        self.assertEqual(row.problem_code, "being_created")
        self.assertIn("First", row.problem)
        self.assertGreater(row.due_at, waits.due_at)
        other.unlink()
        contact = self.there_is(custom_id="shop-7")
        self.ping(contact["id"])
        self.pull()
        self.assertEqual(self.pings().problem_code, "being_created")
        self.assertGreater(self.pings().due_at, waits.due_at)
        self.assertEqual(self.binding(first).state, "new")

    def test_those_without_an_address_do_not_wait_for_each_other(self):
        partner = self.make_partner(email=False)
        bindings = self.env["usercom.binding"]
        bindings.create(bindings._vals_new(self.account, partner))
        self.assertFalse(bindings._being_created(self.account, [(None, None)]))


class TestMerged(QueueCase):
    def test_contact_of_the_merged_one_does_not_come_back(self):
        kept, merged = self.make_linked(), self.make_linked(name="Jan B", email="b@example.com")
        theirs = self.there(merged)
        lost = self.binding(merged)
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge((kept | merged).ids, kept)
        self.edit_there(theirs, city="Gdynia")
        self.assertFalse(self.people("b@example.com"))
        self.assertFalse(self.pings())
        self.assertFalse(lost.partner_id)
        self.assertNotIn("b@example.com", str(lost.read()))
        # The one that is kept goes on.
        self.edit_there(self.there(kept), city="Sopot")
        self.assertEqual(kept.city, "Sopot")

    def test_tie_that_lives_is_kept(self):
        """Also in an account where the two do not meet, and when the other is gone there."""
        second = self.env["usercom.account"].create({"name": "Second", "subdomain": "second"})
        kept, merged = self.make_linked(), self.make_linked(name="Jan B", email="b@example.com")
        number = merged.usercom_id
        self.binding(kept)._mark_gone()
        bindings = self.env["usercom.binding"]
        elsewhere = bindings.create(bindings._vals_new(second, merged))
        elsewhere.write({"usercom_id": "7", "state": "linked"})
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge((kept | merged).ids, kept)
        self.env.invalidate_all()
        self.assertEqual(self.binding(kept).usercom_id, number)
        self.assertEqual(elsewhere.partner_id, kept)


class TestCatchingUp(QueueCase):
    def test_edit_before_the_start_after_a_take_over(self):
        partner = self.make_linked()
        self.account.action_take_over()
        partner.city = "Gdynia"
        self.push()
        self.account.action_test_connection()
        self.account.action_start()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        # After a pause nothing was missed, and nothing is looked at again.
        self.account.action_pause()
        self.account.action_start()
        self.assertFalse(self.changes())

    def test_edits_on_both_sides_while_archived(self):
        partner = self.make_linked()
        there = self.there(partner)
        self.account.active = False
        partner.city = "Gdynia"
        self.sim.edit_contact(there["id"], first_name="Johann")
        self.env.cr.flush()
        self.account.active = True
        self.push()
        self.pull()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(partner.name, "Johann Testowy")
        self.account.active = True
        self.push()
        self.pull()
        self.assertFalse(self.changes() or self.pings())


class TestTransactions(QueueCase):
    def test_push_writes_so_many_contacts_at_a_time(self):
        self.env["res.partner"].create(
            [{"name": f"P{n}", "email": f"p{n}@example.com"} for n in range(60)]
        )
        changes = self.registry["usercom.change"]
        sizes = []
        for name in ("_bind", "_record"):
            real = getattr(changes, name)

            def counted(self, account, stream, answers, began, real=real):
                sizes.append(len(answers))
                return real(self, account, stream, answers, began)

            self.enterContext(patch.object(changes, name, counted))
        self.push()
        self.assertEqual(sizes, [50, 50, 10, 10])
        self.assertEqual(len(self.sim.contacts()), 60)


class TestGoneAndBack(QueueCase):
    def test_person_who_registers_again(self):
        for number, custom_id in enumerate((None, "shop-7", "ours")):
            with self.subTest(custom_id=custom_id):
                email = f"p{number}@example.com"
                partner = self.make_linked(email=email, city="Gdynia")
                binding = self.binding(partner)
                self.sim.delete_contact(int(binding.usercom_id))
                self.ping(binding.usercom_id)
                self.pull()
                self.assertEqual(binding.state, "gone")
                partner.city = "Sopot"
                self.push()
                self.assertEqual(len(self.sim.contacts()), number)

                contact = self.there_is(
                    email,
                    custom_id=binding.custom_id if custom_id == "ours" else custom_id,
                    phone_number=f"+4860010020{number}",
                )
                self.ping(contact["id"])
                self.pull()
                self.push()
                self.assertFalse(self.pings() or self.changes())
                self.assertEqual(binding.usercom_id, str(contact["id"]))
                self.assertEqual(binding.state, "linked")
                self.assertEqual(self.people(email), partner)
                # As at a first meeting: a blank takes the other side's value, on either side.
                self.assertEqual(partner.phone, f"+48 600 100 20{number}")
                self.assertEqual(self.there(partner)["city"], "Sopot")
                self.assertEqual(self.there(partner)["custom_id"], binding.custom_id)
                self.assertEqual(len(self.sim.contacts()), number + 1)


class TestCeiling(QueueCase):
    def make_many(self, count=6):
        return self.env["res.partner"].create(
            [{"name": f"P{n}", "email": f"p{n}@example.com"} for n in range(count)]
        )

    def waiting(self, rows):
        return len(rows.filtered(lambda row: row.problem_code == "ceiling" and row.due_at))

    def test_what_waits_is_not_looked_up_in_vain(self):
        self.account.creation_limit = 1
        self.make_many()
        self.push()
        self.assertEqual(self.waiting(self.changes()), 5)
        for limit, left in ((1, 5), (2, 4), (4, 2)):
            with self.subTest(limit=limit):
                self.sim.reset_calls()
                self.account.creation_limit = limit
                self.make_due()
                self.push()
                self.assertEqual(self.waiting(self.changes()), left)
                self.assertEqual(len(self.sim.contacts()), limit)
                self.assertEqual(len(self.sim.calls("GET")), {1: 0, 2: 1, 4: 2}[limit])

    def test_what_waits_is_not_read_in_vain(self):
        self.account.creation_limit = 1
        for number in range(4):
            self.ping(self.there_is(f"p{number}@example.com")["id"])
        self.pull()
        self.assertEqual(self.waiting(self.pings()), 3)
        for limit, left in ((1, 3), (2, 2)):
            with self.subTest(limit=limit):
                self.sim.reset_calls()
                self.account.creation_limit = limit
                self.make_due()
                self.pull()
                self.assertEqual(self.waiting(self.pings()), left)
                self.assertEqual(len(self.sim.calls("GET")), limit - 1)

    def test_who_was_tied_meanwhile_waits_no_longer(self):
        self.account.creation_limit = 0
        partner = self.make_partner(city="Gdynia")
        self.push()
        self.assertEqual(self.waiting(self.changes()), 1)
        contact = self.there_is()
        self.ping(contact["id"])
        self.pull()
        self.push()
        self.assertFalse(self.changes())
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_refused_creation_takes_no_place(self):
        self.account.creation_limit = 1
        refused = self.make_partner()
        self.sim.fault("400", method="POST")
        self.push()
        self.assertEqual(self.changes().problem_code, "refused")
        other = self.make_partner(email="other@example.com")
        self.push()
        self.assertEqual(self.binding(other).state, "linked")
        self.assertFalse(self.account.activity_ids)
        self.assertEqual(self.binding(refused).state, "new")

    def test_creation_on_its_way_has_its_place(self):
        self.account.creation_limit = 1
        self.make_partner()
        self.sim.fault("500", method="POST")
        self.push()
        self.make_partner(email="other@example.com")
        self.push()
        self.assertEqual(set(self.changes().mapped("problem_code")), {"server", "ceiling"})
        self.assertFalse(self.sim.contacts())


class TestAddress(QueueCase):
    def test_nobody_is_created_without_an_address(self):
        for vals in (
            {"email": "no address"},
            {"email": False, "phone": "call me"},
            {"email": "no address", "phone": "call me"},
        ):
            with self.subTest(**vals):
                partner = self.make_partner(**vals)
                self.assertFalse(partner.filtered_domain(self.account._participants()))
                self.assertIn("Stays in Odoo", partner.usercom_status)
                self.push()
                self.assertFalse(self.changes())
                self.assertFalse(self.sim.contacts())

    def test_nor_without_one_that_travels(self):
        """Odoo takes the first of several addresses; nothing of it is sent."""
        partner = self.make_partner(email="jan@example.com, ola@example.com")
        self.push()
        self.assertFalse(self.sim.contacts())
        self.assertEqual(self.changes().problem_code, "no_address")
        self.assertIn("one valid address", partner.usercom_problem)
        partner.phone = "+48600100200"
        self.push()
        self.assertEqual(self.there(partner)["phone_number"], "+48600100200")
        self.assertFalse(self.changes())

    def test_linked_contact_goes_on_while_it_takes_part(self):
        partner = self.make_linked(phone="+48600100200")
        partner.write({"email": "no address", "city": "Gdynia"})
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(self.there(partner)["email"], "jan@example.com")
