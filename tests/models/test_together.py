"""The same value for many contacts, which goes out in fewer calls than there are contacts."""

from .common import SyncCase

MASS = ("PUT", "/users/mass_update_standard_attributes/")


class TestTogether(SyncCase):
    def make_linked_ones(self, count=5, **vals):
        partners = self.env["res.partner"].create(
            [{"name": f"P{n} Testowy", "email": f"p{n}@example.com"} | vals for n in range(count)]
        )
        self.push()
        for partner in partners:
            self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.sim.reset_calls()
        return partners

    def puts(self):
        return len(self.sim.calls("PUT"))

    def test_one_value_for_many_is_one_call(self):
        partners = self.make_linked_ones()
        partners.city = "Gdynia"
        self.push()
        self.assertEqual(self.sim.calls.count(*MASS), 1)
        self.assertEqual(self.puts(), 1)
        self.assertEqual({self.there(partner)["city"] for partner in partners}, {"Gdynia"})
        self.assertFalse(self.changes())

    def test_the_first_read_after_it_changes_nothing(self):
        partners = self.make_linked_ones()
        for habit in (False, True):
            self.sim.switch(normalise=habit)
            partners.city = f"GDYNIA  {habit}"
            self.push()
            for partner in partners:
                self.ping(partner.usercom_id)
            self.pull()
            self.assertEqual(set(partners.mapped("city")), {f"GDYNIA  {habit}"})
            self.sim.reset_calls()
            self.push()
            self.assertEqual(self.puts(), 0)

    def test_tags_go_one_by_one(self):
        """User.com has no mass update of them, and would take the word for a custom attribute's."""
        self.sim.switch(unknown_attribute="legacy")
        partners = self.make_linked_ones()
        tags = self.env["usercom.attribute"].search(
            [
                ("account_id", "=", self.account.id),
                ("kind", "=", "contact"),
                ("name_std", "=", "tags"),
            ]
        )
        self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "category_id",
                "attribute_id": tags.id,
                "direction": "out",
            }
        )
        partners.category_id = self.env["res.partner.category"].create({"name": "vip"})
        self.push()
        self.assertEqual([self.there(partner)["tags"] for partner in partners], [["vip"]] * 5)
        self.assertNotIn("tags", [each["name_std"] for each in self.sim.attributes()])

    def test_two_values_for_two_contacts_are_a_call_each(self):
        partners = self.make_linked_ones(2)
        partners.write({"city": "Gdynia", "country_id": self.env.ref("base.pl").id})
        self.push()
        self.assertEqual(self.sim.calls.count(*MASS), 0)
        self.assertEqual(self.puts(), 2)

    def test_different_values_are_not_mixed_up(self):
        partners = self.make_linked_ones(6)
        partners[:3].city, partners[3:].city = "Gdynia", "Sopot"
        self.push()
        self.assertEqual(self.sim.calls.count(*MASS), 2)
        middle = [self.there(partner)["city"] for partner in partners[2:4]]
        self.assertEqual(middle, ["Gdynia", "Sopot"])

    def test_a_removed_value_goes_together_too(self):
        partners = self.make_linked_ones(city="Gdynia")
        partners.city = False
        self.push()
        self.assertEqual(self.puts(), 1)
        self.assertEqual({self.there(partner)["city"] for partner in partners}, {None})

    def test_what_is_refused_together_goes_one_by_one(self):
        partners = self.make_linked_ones()
        partners.city = "Gdynia"
        self.sim.fault("400", method="PUT", path="/users/mass_update_standard_attributes/")
        self.push()
        self.push()
        self.assertEqual({self.there(partner)["city"] for partner in partners}, {"Gdynia"})
        self.assertEqual(self.sim.calls.count("PUT", "/users/:id/"), 5)
        self.assertFalse(self.changes())

    def test_a_lost_answer_is_repeated(self):
        partners = self.make_linked_ones()
        for fault in ("500", "empty", "drop"):
            partners.city = f"Gdynia {fault}"
            self.sim.fault(fault, method="PUT")
            self.push()
            self.make_due()
            self.push()
            self.assertEqual({self.there(p)["city"] for p in partners}, {f"Gdynia {fault}"})
            self.assertFalse(self.changes())

    def test_addresses_and_consents_go_one_by_one(self):
        partners = self.make_linked_ones()
        partners.usercom_email_consent = "withdrawn"
        self.push()
        self.assertEqual(self.sim.calls.count("PUT", "/users/:id/"), 5)

    def test_user_ids_that_wait_to_go_along_wait_on(self):
        contacts = [
            self.sim.add_contact(first_name="P", last_name=str(n), email=f"p{n}@example.com")
            for n in range(3)
        ]
        for contact in contacts:
            self.ping(contact["id"])
        self.pull()
        partners = self.env["usercom.binding"].search([]).partner_id
        partners.city = "Gdynia"
        self.push()
        self.assertEqual(self.sim.calls.count(*MASS), 1)
        self.assertEqual({self.there(partner)["custom_id"] for partner in partners}, {None})
        partners[0].name = "Johann Testowy"
        self.push()
        self.assertEqual(self.there(partners[0])["custom_id"], self.binding(partners[0]).custom_id)
