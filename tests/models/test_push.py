from odoo.tests.common import tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class TestPush(SyncCase):
    def test_new_contact_is_created_under_the_user_id_we_assign(self):
        partner = self.make_partner(phone="+48 600 100 200", city="Łódź")
        partner.country_id = self.env.ref("base.pl")
        self.push()
        [there] = self.sim.contacts()
        self.assertEqual(there["email"], "jan@example.com")
        self.assertEqual(there["name"], "Jan Testowy")
        self.assertEqual(there["phone_number"], "+48600100200")
        self.assertEqual((there["city"], there["country"]), ("Łódź", "Poland"))
        binding = self.binding(partner)
        self.assertEqual(there["custom_id"], binding.custom_id)
        self.assertEqual(partner.usercom_id, str(there["id"]))
        self.assertFalse(self.changes())

    def test_update(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(len(self.sim.calls()), 1)
        partner.city = "Gdynia"
        self.push()
        self.assertEqual(len(self.sim.calls()), 1)

    def test_in(self):
        there = self.sim.add_contact(
            email="ola@example.com",
            first_name="Ola",
            last_name="Nowa",
            status="user",
            attributes={"email_consent": True},
        )
        self.ping(there["id"])
        self.pull()
        partner = self.env["res.partner"].search([("email", "=", "ola@example.com")])
        self.assertEqual(partner.name, "Ola Nowa")
        self.assertEqual(partner.usercom_email_consent, "given")
        self.push()
        partner.usercom_email_consent = "withdrawn"
        self.push()
        print(self.sim.calls())
        self.assertFalse(self.sim.contact(there["id"])["attributes"]["email_consent"])

    def test_address_of_a_contact_with_a_parent_goes_out(self):
        company = self.env["res.partner"].create({"name": "Firma", "is_company": True})
        partner = self.make_partner(parent_id=company.id, city="Łódź")
        partner.country_id = self.env.ref("base.pl")
        self.push()
        there = self.there(partner)
        self.assertEqual((there["city"], there["country"]), ("Łódź", "Poland"))
