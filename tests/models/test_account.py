from unittest.mock import patch

from odoo.addons.usercom_connector import client
from odoo.exceptions import UserError, ValidationError
from odoo.tests.common import tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class TestAccount(SyncCase):
    def new_account(self, **vals):
        return self.env["usercom.account"].create({"name": "New", "subdomain": "new"} | vals)

    def test_pasted_address_is_reduced_to_the_subdomain(self):
        for pasted in ("acme", " ACME ", "acme.user.com", "https://acme.user.com/api/public/"):
            self.assertEqual(self.new_account(subdomain=pasted).subdomain, "acme")

    def test_other_hosts_are_refused(self):
        for wrong in ("evil.com", "acme.user.com.evil.com", "a b", "http://x@user.com", "-a", "*"):
            with self.subTest(wrong), self.assertRaisesRegex(ValidationError, "no User.com"):
                self.new_account(subdomain=wrong)

    def test_key_of_the_wrong_kind_is_refused(self):
        account = self.new_account()
        for wrong in ("ABC123", "x" * 63, "x" * 63 + "ż"):
            with self.subTest(wrong), self.assertRaisesRegex(ValidationError, "64|REST key"):
                account.rest_key_input = wrong
        account.rest_key_input = f" {'x' * 64}\n"
        self.assertTrue(account.has_rest_key)
        self.assertFalse(account.rest_key_input)
        saved = account.web_save({"rest_key_input": "z" * 64}, {"rest_key_input": {}})
        self.assertFalse(saved[0]["rest_key_input"])
        self.assertEqual(account.sudo().rest_key, "z" * 64)

    def test_empty_key_keeps_the_stored_one(self):
        account = self.new_account(rest_key_input="x" * 64)
        account.rest_key_input = False
        self.assertTrue(account.has_rest_key)

    def test_states(self):
        account = self.new_account()
        with self.assertRaisesRegex(UserError, "Test the connection"):
            account.action_start()
        account.rest_key_input = self.sim.key
        account.action_test_connection()
        self.assertEqual(account.state, "connected")
        account.action_start()
        self.assertEqual(account.state, "running")
        account.action_pause()
        self.assertEqual(account.state, "paused")
        account.action_start()
        self.assertEqual(account.state, "running")

    def test_another_key_or_address_is_tested_anew(self):
        account = self.new_account(rest_key_input=self.sim.key)
        account.action_test_connection()
        account.rest_key_input = "y" * 64
        self.assertEqual(account.state, "draft")
        account.rest_key_input = self.sim.key
        account.action_test_connection()
        account.subdomain = "other"
        self.assertEqual(account.state, "draft")

    def test_running_account_keeps_its_application(self):
        with self.assertRaisesRegex(UserError, "make another account"):
            self.account.subdomain = "other"
        self.account.subdomain = "https://acme.user.com"
        self.make_linked()
        self.account.action_take_over()
        with self.assertRaisesRegex(UserError, "make another account"):
            self.account.subdomain = "other"

    def test_nothing_is_created_before_somebody_says_so(self):
        account = self.new_account()
        self.assertFalse(account.create_in_odoo or account.create_in_usercom)
        self.assertEqual(account.creation_limit, 100)
        self.assertFalse(account.copy().create_in_usercom)

    def test_copy_shares_no_secret(self):
        copy = self.account.copy()
        self.assertEqual(copy.state, "draft")
        self.assertFalse(copy.has_rest_key)
        self.assertNotEqual(copy.webhook_token, self.account.webhook_token)
        self.assertNotEqual(copy.webhook_secret, self.account.webhook_secret)

    def test_webhook_recipe(self):
        self.env["ir.config_parameter"].set_param("web.base.url", "https://odoo.example.com")
        account = self.account
        self.assertEqual(
            account.webhook_url,
            f"https://odoo.example.com/usercom/webhook/{account.webhook_token}",
        )
        headers = account.webhook_headers
        self.assertIn(f"X-Usercom-Secret: {account.webhook_secret}", headers)
        self.assertIn(f"X-Odoo-Database: {self.env.cr.dbname}", headers)
        self.assertFalse(account.webhook_unreachable)

    def test_address_from_the_environment_is_shown(self):
        self.assertEqual(self.account.base_url_override, self.sim.url)
        with patch.dict("os.environ", {"USERCOM_BASE_URL": "ftp://x"}):
            self.account.invalidate_recordset()
            self.account.action_test_connection()
            self.assertEqual(self.account.check_code, "bad_base_url")

    def test_profile_address(self):
        self.assertEqual(self.account._profile_url("12"), "https://acme.user.com/people/12/")
        with self.assertRaises(ValidationError):
            self.account.profile_url_template = "javascript:alert({id})"
        with self.assertRaises(ValidationError):
            self.account.profile_url_template = "https://x.example.com/"

    def test_missing_consent_attribute_is_named_and_created(self):
        self.sim.reset()
        self.account.action_test_connection()
        self.assertTrue(self.account.consent_missing)
        self.account.action_create_consents()
        self.assertFalse(self.account.consent_missing)
        [attribute] = self.sim.attributes()
        self.assertEqual(
            (attribute["name_std"], attribute["value_type"]), ("email_consent", "boolean")
        )

    def test_two_accounts_each_for_its_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        second = self.new_account(company_id=other.id)
        self.connect(second)
        mine = self.make_partner(company_id=self.env.company.id, email="mine@example.com")
        self.account.company_id = self.env.company
        self.push()
        theirs = self.make_partner(company_id=other.id, email="theirs@example.com")
        self.push()
        bindings = self.env["usercom.binding"].search([])
        self.assertEqual(bindings.filtered(lambda b: b.partner_id == mine).account_id, self.account)
        self.assertEqual(bindings.filtered(lambda b: b.partner_id == theirs).account_id, second)
        self.assertEqual(len(self.sim.contacts()), 2)
        there = bindings.filtered(lambda b: b.partner_id == theirs)
        self.assertFalse(theirs.usercom_id)
        self.assertEqual(theirs.with_company(other).usercom_id, there.usercom_id)

    def test_search_by_usercom_id(self):
        partner = self.make_linked()
        other = self.make_partner(email=False, name="Nobody")
        search = self.env["res.partner"].search
        self.assertEqual(search([("usercom_id", "=", partner.usercom_id)]), partner)
        self.assertIn(partner, search([("usercom_id", "!=", False)]))
        self.assertNotIn(other, search([("usercom_id", "!=", False)]))
        self.assertIn(other, search([("usercom_id", "=", False)]))
        self.assertNotIn(partner, search([("usercom_id", "=", False)]))
        self.assertIn(partner, search([("usercom_id", "ilike", partner.usercom_id)]))

    def test_settings_say_how_the_accounts_stand(self):
        settings = self.env["res.config.settings"].create({})
        self.assertEqual(settings.usercom_summary, "Test: Running")

    def test_every_outcome_of_a_call_has_words(self):
        sentence = self.env["usercom.sentence"]
        for code in client.CODES | set(map(str, client.Kind)):
            with self.subTest(code):
                self.assertGreater(len(sentence._of(code)), len(code) + 10)

    def test_a_defect_in_one_account_does_not_stop_the_others(self):
        second = self.new_account(sequence=99)
        self.connect(second)
        partner = self.make_partner()
        claim = type(self.env["usercom.change"])._claim

        def broken_for_the_first(change, account, *args):
            if account == self.account:
                raise ZeroDivisionError
            return claim(change, account, *args)

        with (
            patch.object(type(self.env["usercom.change"]), "_claim", broken_for_the_first),
            self.assertLogs("odoo.addons.usercom_connector", "ERROR") as logged,
        ):
            self.push()
        self.assertIn("ZeroDivisionError", logged.output[0])
        stream = self.account.stream_ids.filtered(lambda stream: stream.direction == "push")
        self.assertEqual(stream.failure_code, "unexpected")
        self.assertTrue(stream._is_resting())
        self.assertFalse(self.binding(partner))
        self.assertTrue(self.changes())
        binding = self.env["usercom.binding"].search([("partner_id", "=", partner.id)])
        self.assertEqual((binding.account_id, binding.state), (second, "linked"))

    def test_contact_that_moves_to_another_company_stays_as_it_is(self):
        self.account.company_id = self.env.company
        partner = self.make_linked()
        number = int(partner.usercom_id)
        partner.company_id = self.env["res.company"].create({"name": "Other"})
        partner.city = "Gdynia"
        self.push()
        self.assertFalse(self.sim.calls())
        self.assertFalse(self.changes())
        self.sim.edit_contact(number, city="Sopot")
        self.ping(number)
        self.pull()
        self.assertEqual(partner.city, "Gdynia")
        self.assertFalse(self.pings())

    def test_throttled_look_up_ends_the_round(self):
        self.make_linked()
        linked = self.env["res.partner"].search([("usercom_id", "!=", False)], limit=1)
        linked.city = "Gdynia"
        self.make_partner(name="Ola", email="ola@example.com")
        self.sim.fault("429", retry_after=30, path="/users/search/")
        self.push()
        self.assertEqual(self.methods(), ["GET"])
        self.sim.clear_faults()
        self.make_due()
        self.push()
        self.assertEqual(self.there(linked)["city"], "Gdynia")
        self.assertEqual(len(self.sim.contacts()), 2)
