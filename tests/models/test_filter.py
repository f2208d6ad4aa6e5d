"""Who takes part is found by any edit that decides it; a filter that is broken loses nothing."""

from odoo.exceptions import ValidationError
from odoo.tests import Form

from tests.models.common import SyncCase


class TestEntering(SyncCase):
    def test_by_a_field_that_is_not_mapped(self):
        self.account.participant_domain = "[('ref', '!=', False)]"
        partner = self.make_partner()
        self.push()
        self.assertFalse(self.binding(partner))
        partner.ref = "C-12"
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")

    def test_by_a_tag(self):
        customer = self.env["res.partner.category"].create({"name": "Customer"})
        self.account.participant_domain = "[('category_id.name', '=', 'Customer')]"
        partner = self.make_partner()
        self.push()
        self.assertFalse(self.binding(partner))
        partner.category_id = customer
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")

    def test_fields_of_no_filter_are_left_alone(self):
        partner = self.make_linked()
        self.account.participant_domain = "[('ref', '=', False)]"
        self.push()
        self.account.participant_domain = "[]"
        self.push()
        partner.ref = "C-12"
        partner.category_id = self.env["res.partner.category"].create({"name": "Customer"})
        self.env.cr.flush()
        self.assertFalse(self.changes())


class TestComingIn(SyncCase):
    """The filter holds for what comes in as well."""

    def setUp(self):
        super().setUp()
        self.account.participant_domain = "[('city', '=', 'Hel')]"

    def lives_there(self, name, city):
        return self.sim.add_contact(
            email=f"{name}@example.com", first_name=name, status="user", city=city
        )

    def created(self):
        return self.env["res.partner"].search([("email", "=like", "%@example.com")]).mapped("name")

    def test_who_does_not_take_part_is_not_created(self):
        cities = {"Ala": "Sopot", "Ela": "Hel", "Iga": "Gdynia", "Ola": "Hel"}
        contacts = [self.lives_there(*one) for one in cities.items()]
        for contact in contacts:
            self.ping(contact["id"])
        self.pull()
        self.assertEqual(sorted(self.created()), ["Ela", "Ola"])
        self.assertFalse(self.pings())
        self.sim.edit_contact(contacts[0]["id"], city="Hel")
        self.ping(contacts[0]["id"])
        self.pull()
        self.push()
        self.assertEqual(sorted(self.created()), ["Ala", "Ela", "Ola"])
        self.assertFalse(self.changes() or self.pings())

    def test_nor_by_a_list(self):
        self.lives_there("Ala", "Sopot")
        self.lives_there("Ela", "Hel")
        self.account.poll_minutes = 15
        self.pull()
        self.assertEqual(self.created(), ["Ela"])

    def test_places_under_the_ceiling_are_for_those_who_do(self):
        self.account.creation_limit = 1
        for one in ("Ala", "Sopot"), ("Ela", "Hel"):
            self.ping(self.lives_there(*one)["id"])
            self.pull()
        self.assertEqual(self.created(), ["Ela"])


class TestReturning(SyncCase):
    """What was edited in User.com while somebody took no part comes in when they do again."""

    def check(self, leave, come_back):
        partner = self.make_linked(city="Hel")
        number = self.there(partner)["id"]
        leave(partner)
        self.push()
        self.sim.edit_contact(number, city="Sopot")
        self.ping(number)
        self.pull()
        self.assertEqual(partner.city, "Hel")
        come_back(partner)
        self.push()
        self.pull()
        self.assertEqual(partner.city, "Sopot")
        self.push()
        self.sim.reset_calls()
        come_back(partner)
        self.push()
        self.pull()
        self.assertFalse(self.sim.calls() or self.changes() or self.pings())

    def test_archived(self):
        self.check(
            lambda one: one.write({"active": False}), lambda one: one.write({"active": True})
        )

    def test_filter_was_changed(self):
        def narrow(_partner):
            self.account.participant_domain = "[('ref', '!=', False)]"

        def widen(_partner):
            self.account.participant_domain = "[]"

        self.check(narrow, widen)


class TestCounted(SyncCase):
    def test_who_is_counted_takes_part(self):
        """As in any of Odoo's searches: archived contacts only if the filter speaks of that."""
        archived = self.make_partner(active=False)
        self.env.flush_all()
        every = self.env["res.partner"].with_context(active_test=False)
        for domain, is_there in (
            ("[]", False),
            ("[('email', '!=', False)]", False),
            ("[('active', 'in', [True, False])]", True),
            ("['|', ('active', '=', False), ('ref', '=', 'C-12')]", True),
        ):
            with self.subTest(domain=domain):
                self.account.participant_domain = domain
                taking_part = every.search([])._usercom_take_part(self.account)
                self.assertEqual(archived in taking_part, is_there)
                self.assertEqual(self.account.participant_count, len(taking_part))
                archived._usercom_enqueue(self.account)
                self.push()
                self.assertEqual(len(self.sim.contacts()), is_there)
                self.sim.reset()
                self.binding(archived).unlink()


class TestLeavingWhileBeingCreated(SyncCase):
    """Nobody is created in User.com who does not take part any more when it is tried again."""

    def begin(self, commit=False, **vals):
        partner = self.make_partner(**vals)
        self.sim.fault("drop", method="POST", commit=commit)
        self.push()
        self.assertEqual(self.binding(partner).state, "new")
        return partner

    def try_again(self):
        for _round in range(2):
            self.make_due()
            self.push()
        self.assertFalse(self.changes())

    def check_nobody_is_created(self, partner):
        self.try_again()
        self.assertFalse(self.sim.contacts() or self.sim.companies())
        self.assertFalse(self.binding(partner))

    def test_archived(self):
        partner = self.begin()
        partner.active = False
        self.check_nobody_is_created(partner)
        partner.active = True
        self.push()
        self.assertEqual(self.there(partner)["email"], "jan@example.com")

    def test_archived_after_a_no(self):
        partner = self.begin()
        partner.write({"usercom_email_consent": "withdrawn", "active": False})
        self.check_nobody_is_created(partner)

    def test_filter_was_narrowed(self):
        partner = self.begin()
        self.account.participant_domain = "[('ref', '!=', False)]"
        self.check_nobody_is_created(partner)

    def test_company(self):
        partner = self.begin(is_company=True)
        partner.active = False
        self.check_nobody_is_created(partner)

    def test_creation_was_switched_off(self):
        partner = self.begin()
        self.account.create_in_usercom = False
        self.check_nobody_is_created(partner)

    def test_created_by_a_call_whose_answer_was_lost(self):
        partner = self.begin(commit=True)
        partner.write({"usercom_email_consent": "withdrawn", "active": False, "city": "Gdynia"})
        self.try_again()
        [contact] = self.sim.contacts()
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertIs(contact["attributes"]["email_consent"], False)
        self.assertFalse(contact["city"])


class TestUnclear(SyncCase):
    def setUp(self):
        super().setUp()
        self.partner = self.make_linked()

    def uninstall_what_the_filter_names(self):
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_account SET participant_domain = %s WHERE id = %s",
            ("[('was_there_once', '=', True)]", self.account.id),
        )
        self.env.invalidate_all()
        self.env.registry.clear_cache()

    def test_pauses_the_account_and_loses_nothing(self):
        self.uninstall_what_the_filter_names()
        self.partner.city = "Gdynia"
        self.ping(self.binding(self.partner).usercom_id)
        self.push()
        self.pull()
        self.assertEqual(
            (self.account.state, self.account.pause_code), ("paused", "unclear_filter")
        )
        self.assertIn("corrected", self.account.activity_ids.note)
        rows = [*self.changes(), *self.pings()]
        self.assertEqual(
            [(row.problem_code, bool(row.due_at)) for row in rows], [(False, True)] * 2
        )
        self.assertEqual(self.sim.calls(), [])

        self.account.participant_domain = "[]"
        self.assertEqual(self.account.state, "running")
        self.assertFalse(self.account.activity_ids)
        self.push()
        self.pull()
        self.assertEqual(self.there(self.partner)["city"], "Gdynia")

    def test_contacts_and_the_account_open(self):
        self.uninstall_what_the_filter_names()
        with Form(self.partner):
            self.assertIn("corrected", self.partner.usercom_status)
        with Form(self.account):
            self.assertEqual(self.account.participant_count, 0)

    def test_nothing_is_counted_by_it(self):
        self.uninstall_what_the_filter_names()
        dialog = self.env["usercom.creation"].new(
            {"account_id": self.account.id, "side": "usercom"}
        )
        with self.assertRaisesRegex(ValidationError, "cannot be understood"):
            dialog.mapped("count")
