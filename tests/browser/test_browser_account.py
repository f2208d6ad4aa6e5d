import pytest
from odoo.tests.common import new_test_user

from .common import KEY, BrowserCase


class TestBrowserAccount(BrowserCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Runs the accounts, and is no administrator of the system.
        cls.manager = new_test_user(
            cls.env, "usercom_manager", groups="usercom_connector.group_usercom_manager"
        )

    def test_connect_from_the_apps_menu_to_running(self):
        self.sim.add_attribute("email_consent", "boolean")
        self.start_tour("/odoo", "usercom_connect", login="admin")
        account = self.env["usercom.account"].search([])
        self.assertEqual(account.name, "Acme live")
        self.assertEqual((account.subdomain, account.state), ("acme", "running"))
        self.assertEqual(account.sudo().rest_key, KEY)
        self.assertFalse(account.create_in_odoo or account.create_in_usercom)
        self.assertFalse(account.consent_missing)
        self.assertTrue(self.sim.calls("GET", "/attributes/"))

    @pytest.mark.expected_log("odoo.http: A REST key has 64 letters and digits")
    def test_wrong_key(self):
        self.start_tour("/odoo", "usercom_wrong_key", login="admin")
        account = self.env["usercom.account"].search([])
        self.assertEqual((account.state, account.check_code), ("draft", "unauthorised"))

    def test_creation_is_switched_on_by_a_dialog_that_says_how_many(self):
        account = self.make_account()
        partners = self.env["res.partner"]
        partners.search(account._participants()).active = False
        partners.create([{"name": f"P{n}", "email": f"p{n}@example.com"} for n in range(3)])
        partners.create({"name": "An address", "email": "c@example.com", "type": "invoice"})
        self.env["usercom.ping"]._append([(account.id, "id", "7")])
        self.env["usercom.ping"].search([])._park("creation_off")
        self.start_tour("/odoo", "usercom_creation", login=self.manager.login)
        self.assertTrue(account.create_in_usercom)
        self.assertTrue(account.create_in_odoo)
        self.assertEqual(self.env["usercom.change"].search_count([]), 3)

    def test_field_is_added_created_in_user_com_and_carried(self):
        account = self.make_account()
        people = self.env["res.partner"].create(
            [{"name": f"P{n}", "email": f"p{n}@example.com"} for n in range(2)]
        )
        self.env["usercom.change"].search([]).unlink()
        self.env["usercom.binding"].create(
            [
                {
                    "account_id": account.id,
                    "partner_id": person.id,
                    "usercom_id": str(person.id),
                    "custom_id": f"id-{person.id}",
                    "state": "linked",
                    "origin": "odoo",
                }
                for person in people
            ]
        )
        action = "usercom_connector.usercom_account_action"
        self.start_tour(
            f"/odoo/action-{action}/{account.id}", "usercom_mapping", login=self.manager.login
        )
        [made] = [each for each in self.sim.attributes() if each["name_std"] == "job_position"]
        self.assertEqual((made["value_type"], made["content_type"]), ("string", "clientuser"))
        changes = self.env["usercom.change"].search([("account_res_id", "=", account.id)])
        self.assertEqual(set(changes.mapped("partner_res_id")), set(people.ids))

    def test_mapping_is_tried_on_a_contact(self):
        account = self.make_account()
        self.sim.reset()
        self.sim.add_contact(email="jan@example.com", city="Hel", status="user")
        partner = self.env["res.partner"].create(
            {"name": "Jan Probny", "email": "jan@example.com", "phone": "+48600100200"}
        )
        action = "usercom_connector.usercom_account_action"
        self.start_tour(
            f"/odoo/action-{action}/{account.id}", "usercom_try", login=self.manager.login
        )
        self.assertFalse(partner.city or partner.usercom_id)
        self.assertFalse(self.sim.calls("PUT") or self.sim.calls("POST"))

    def test_copy_buttons_copy_exactly_what_the_server_expects(self):
        self.make_account()
        self.start_tour("/odoo", "usercom_copy", login=self.manager.login)


class TestBrowserAccountOnPhone(BrowserCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_account_fits(self):
        account = self.make_account(name="Acme live, with a name that is rather long for a phone")
        action = "usercom_connector.usercom_account_action"
        self.start_tour(
            f"/odoo/action-{action}/{account.id}", "usercom_phone_account", login="admin"
        )

    def test_trial_fits(self):
        account = self.make_account()
        self.sim.reset()
        self.sim.add_contact(email="jan@example.com", city="Hel", status="user")
        self.env["res.partner"].create(
            {"name": "Jan Probny", "email": "jan@example.com", "phone": "+48600100200"}
        )
        action = "usercom_connector.usercom_account_action"
        self.start_tour(f"/odoo/action-{action}/{account.id}", "usercom_phone_try", login="admin")
