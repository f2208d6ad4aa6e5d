from odoo.tests.common import new_test_user

from .common import BrowserCase


class TestBrowserContact(BrowserCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A salesperson: may edit contacts, and sees nothing of the accounts.
        cls.user = new_test_user(
            cls.env, "usercom_sales", groups="base.group_user,base.group_partner_manager"
        )
        cls.partner = cls.env["res.partner"].create(
            {"name": "Jan Testowy", "email": "jan@example.com"}
        )

    def test_salesperson_records_a_consent_and_its_withdrawal(self):
        self.assertFalse(self.user.has_group("usercom_connector.group_usercom_manager"))
        account = self.make_account()
        account.state = "running"
        self.start_tour(
            f"/odoo/contacts/{self.partner.id}", "usercom_salesperson", login=self.user.login
        )
        events = self.partner.usercom_consent_event_ids.sorted("id")
        self.assertEqual(events.mapped("state"), ["given", "withdrawn"])
        self.assertEqual(set(events.mapped("address")), {"jan@example.com"})
        self.assertEqual(events.user_id, self.user)


class TestBrowserContactOnPhone(BrowserCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_contact_fits(self):
        partner = self.env["res.partner"].create(
            {"name": "Jan Testowy", "email": "jan@example.com", "phone": "12"}
        )
        partner.usercom_email_consent = "given"
        self.start_tour(f"/odoo/contacts/{partner.id}", "usercom_phone_contact", login="admin")
