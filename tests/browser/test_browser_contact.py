from odoo import SUPERUSER_ID, api
from odoo.tests.common import new_test_user

from .common import BrowserCase


def portal_user(env, email):
    """Somebody with an account of the portal, and a text to agree to."""
    purpose = env.ref("usercom_connector.purpose_email")
    env["usercom.consent.text"].create(
        {"purpose_id": purpose.id, "lang": "en_US", "text": "Yes, write to me."}
    )
    return new_test_user(env, email, groups="base.group_portal", email=email, name="Ola Testowa")


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
        self.assertEqual(events.mapped("source"), ["paper", "phone"])
        self.assertEqual(str(events[0].happened_at.date()), "2026-03-05")
        self.assertEqual(events.mapped("document"), ["Note on given", "Note on withdrawn"])
        self.assertEqual(set(events.mapped("address")), {"jan@example.com"})
        self.assertEqual(events.user_id, self.user)

    def test_contacts_are_filtered_and_grouped_by_consent(self):
        partners = self.env["res.partner"].create(
            [
                {"name": f"{name} Person", "email": f"{name}@example.com"}
                for name in ("Open", "Closed", "Silent")
            ]
        )
        partners[0].usercom_email_consent = "given"
        partners[1].usercom_email_consent = "withdrawn"
        self.start_tour("/odoo/contacts", "usercom_consent_filters", login=self.user.login)


class TestBrowserPortal(BrowserCase):
    def test_withdrawn_in_the_portal_and_given_back_with_an_older_date_loses(self):
        self.sim.add_attribute("email_consent", "boolean")
        account = self.make_account(rate_start=1000)
        account.state = "running"
        there = self.sim.add_contact(email="ola@example.com", status="user")["id"]
        user = portal_user(self.env, "ola@example.com")
        partner = user.partner_id
        partner.usercom_email_consent = "withdrawn"
        self.work("usercom.change")
        self.read(account, there)
        self.assertEqual(partner.usercom_id, str(there))
        partner.usercom_email_consent = "given"
        self.sim.edit_contact(there, attributes={"email_consent": True})
        self.start_tour("/my", "usercom_portal", login=user.login)
        event = partner.usercom_consent_event_ids.sorted("id")[-1]
        self.assertEqual((event.state, event.source), ("withdrawn", "portal"))
        self.assertEqual(event.text_id.text, "Yes, write to me.")
        self.assertTrue(event.ip and "Chrom" in event.browser)
        # User.com's "yes" is older than the "no", and read only now.
        self.read(account, there)
        late = partner.usercom_consent_event_ids.sorted("id")[-1]
        self.assertEqual((late.state, late.source), ("given", "usercom"))
        self.assertLess(late.happened_at, event.happened_at)
        self.assertEqual(partner.usercom_email_consent, "withdrawn")
        self.work("usercom.change")
        self.assertIs(self.sim.contact(there)["attributes"]["email_consent"], False)

    def read(self, account, usercom_id):
        self.env["usercom.ping"]._append([(account.id, "id", str(usercom_id))])
        self.work("usercom.ping")

    def work(self, model):
        """A run of one of the scheduled actions."""
        self.env.cr.flush()
        self.env.cr.precommit.run()
        with self.registry.cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})[model]._cron_drain()
            cr.commit()
        self.env.invalidate_all()


class TestBrowserContactOnPhone(BrowserCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_contact_fits(self):
        partner = self.env["res.partner"].create(
            {"name": "Jan Testowy", "email": "jan@example.com", "phone": "12"}
        )
        partner.usercom_email_consent = "given"
        self.start_tour(f"/odoo/contacts/{partner.id}", "usercom_phone_contact", login="admin")

    def test_portal_page_fits(self):
        portal_user(self.env, "ola@example.com")
        self.start_tour("/my/consents", "usercom_phone_portal", login="ola@example.com")
