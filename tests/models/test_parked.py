"""What needs a person: tried again, given up and looked at, one row or many, by whoever may."""

import socket
from unittest.mock import patch

from lxml import etree
from odoo.addons.usercom_connector import client
from odoo.exceptions import AccessError
from odoo.tests.common import new_test_user

from .common import SyncCase
from .test_comparison import ComparisonCase

QUEUES = ("usercom.change", "usercom.ping")


class ParkedCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "parked-manager", groups="usercom_connector.group_usercom_manager"
        )
        cls.account.user_id = cls.manager

    def park_changes(self, *names):
        """One parked change row for each of new contacts."""
        partners = self.env["res.partner"].create(
            [{"name": name, "email": f"{name.lower()}@example.com"} for name in names]
        )
        self.sim.fault("400", method="POST", times=None)
        self.push()
        self.sim.clear_faults()
        self.assertEqual(
            self.parked("usercom.change").mapped("problem_code"), ["refused"] * len(names)
        )
        self.sim.reset_calls()
        return partners

    def park_pings(self, *names):
        """One parked ping row for each of new contacts in User.com that may be one of two."""
        partners = self.env["res.partner"]
        for name in names:
            email = f"{name.lower()}@example.com"
            partners |= self.env["res.partner"].create([{"name": name, "email": email}] * 2)
            self.ping(self.sim.add_contact(email=email, first_name=name, status="user")["id"])
        self.env["usercom.change"].search([("partner_res_id", "in", partners.ids)]).unlink()
        self.pull()
        rows = self.parked("usercom.ping")
        self.assertEqual(rows.mapped("problem_code"), ["several_here"] * len(names))
        return partners

    def parked(self, model):
        return self.env[model].search(
            [("account_res_id", "=", self.account.id), ("due_at", "=", False)]
        )


class TestByHand(ParkedCase):
    def test_buttons_of_the_list_take_many_rows(self):
        self.park_changes("Jan", "Ola")
        self.park_pings("Adam", "Ewa")
        for model in QUEUES:
            rows = self.parked(model).with_user(self.manager)
            arch = etree.fromstring(rows.get_view(view_type="list")["arch"])
            buttons = [button.get("name") for button in arch.findall("header/button")]
            self.assertEqual(buttons, ["action_retry", "action_open_contacts", "action_ignore"])
            for name in buttons:
                getattr(rows.with_context(active_model=model, active_ids=rows.ids), name)()
            self.assertFalse(rows.exists())

    def test_many_tried_again(self):
        self.park_changes("Jan", "Ola")
        self.parked("usercom.change").with_user(self.manager).action_retry()
        self.push()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 2)

    def test_many_read_again(self):
        partners = self.park_pings("Jan", "Ola")
        (partners[1] | partners[3]).unlink()
        self.parked("usercom.ping").with_user(self.manager).action_retry()
        self.pull()
        self.assertFalse(self.pings())
        self.assertTrue(partners[0].usercom_id and partners[2].usercom_id)

    def test_contacts_of_one_and_of_many(self):
        for model, partners in (
            ("usercom.change", self.park_changes("Jan", "Ola")),
            ("usercom.ping", self.park_pings("Adam", "Ewa")),
        ):
            rows = self.parked(model).with_user(self.manager)
            action = rows.action_open_contacts()
            self.assertEqual(action["res_model"], "res.partner")
            found = self.env["res.partner"].search(action["domain"])
            self.assertEqual(found, partners.sorted("complete_name"))
            one = rows[0].action_open_contacts()
            ids = [one["res_id"]] if "res_id" in one else one["domain"][0][2]
            named = partners[:1] if model == "usercom.change" else partners[:2]
            self.assertEqual(set(ids), set(named.ids))

    def test_rows_that_were_worked_off_meanwhile(self):
        self.park_changes("Jan", "Ola")
        rows = self.parked("usercom.change")
        rows[0]._drop()
        rows = rows.with_user(self.manager)
        self.assertEqual(rows.action_open_contacts()["view_mode"], "form")
        rows.action_retry()
        self.assertTrue(rows.exists().due_at)
        rows.action_ignore()
        self.assertFalse(rows.exists())

    def test_rows_of_a_company_that_one_may_not_see(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.park_changes("Jan")
        self.park_pings("Ewa")
        for model in QUEUES:
            mine = self.parked(model)
            theirs = mine.copy()
            account = self.env["usercom.account"].create(
                {"name": "Other", "subdomain": "other", "company_id": company.id}
            )
            theirs.write({"account_res_id": account.id, "due_at": False, "problem_code": "refused"})
            rows = (mine | theirs).with_user(self.manager)
            self.assertEqual(rows.search([("id", "in", rows.ids)]), mine)
            for action in ("action_retry", "action_ignore"):
                with self.subTest(model=model, action=action), self.assertRaises(AccessError):
                    getattr(rows, action)()
            self.env.invalidate_all()
            self.assertEqual((mine | theirs).mapped("due_at"), [False, False])

    def test_contacts_of_a_company_that_one_may_not_see_are_left_out(self):
        company = self.env["res.company"].create({"name": "Other"})
        jan, ola = self.park_changes("Jan", "Ola")
        ola.company_id = company
        rows = self.parked("usercom.change")
        self.assertEqual(rows.with_user(self.manager).action_open_contacts()["res_id"], jan.id)

    def test_nobody_else_may(self):
        user = new_test_user(self.env, "parked-user", groups="base.group_user")
        self.park_changes("Jan")
        rows = self.parked("usercom.change").with_user(user)
        for action in ("action_retry", "action_ignore", "action_open_contacts"):
            with self.assertRaises(AccessError):
                getattr(rows, action)()
        self.assertTrue(rows.sudo().exists())


class TestGivenUp(ComparisonCase, ParkedCase):
    def given_up(self, **vals):
        """A contact whose edit User.com refused as a whole, and somebody gave up."""
        partner = self.make_linked()
        partner.write(vals or {"city": "Gdynia"})
        self.sim.fault("400", method="PUT")
        self.push()
        self.parked("usercom.change").with_user(self.manager).action_ignore()
        self.assertFalse(self.changes())
        self.sim.reset_calls()
        return partner

    def night(self):
        self.compare()
        self.push()

    def test_no_night_finds_it_again(self):
        self.given_up()
        self.night()
        self.assertFalse(self.changes() or self.sim.calls())

    def test_no_edit_of_something_else_takes_it_along(self):
        partner = self.given_up()
        partner.phone = "+48600100200"
        self.push()
        self.assertFalse(self.there(partner)["city"])
        self.assertEqual(self.there(partner)["phone_number"], "+48600100200")

    def test_another_value_goes(self):
        partner = self.given_up()
        partner.city = "Sopot"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_a_no_is_not_given_up(self):
        partner = self.make_linked()
        partner.usercom_email_consent = "given"
        self.push()
        partner.usercom_email_consent = "withdrawn"
        self.sim.fault("400", method="PUT")
        self.push()
        self.parked("usercom.change").with_user(self.manager).action_ignore()
        self.night()
        self.assertIs(self.there(partner)["attributes"]["email_consent"], False)

    def test_what_our_code_cannot_deal_with(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        raising = patch.object(
            self.registry["res.partner"], "_usercom_raw", side_effect=RuntimeError
        )
        with raising, self.assertLogs("odoo", "ERROR"):
            self.push()
        with raising:
            self.parked("usercom.change").with_user(self.manager).action_ignore()
        self.assertFalse(self.changes())


class TestTriedAgain(ParkedCase):
    def test_when_the_record_changes(self):
        jan, ola = self.park_changes("Jan", "Ola")
        jan.city = "Gdynia"
        self.push()
        self.assertEqual(self.parked("usercom.change").partner_id, ola)
        self.assertEqual(self.there(jan)["city"], "Gdynia")

    def test_when_the_mapping_changes(self):
        self.park_changes("Jan", "Ola")
        self.park_pings("Ewa")
        self.parked("usercom.ping").problem_code = "unexpected"
        self.parked("usercom.change")[1].problem_code = "no_address"
        self.account.with_user(self.manager)._retry_parked_by_mapping()
        self.assertFalse(self.parked("usercom.change") or self.parked("usercom.ping"))
        self.push()
        self.assertEqual(len(self.sim.contacts()), 3)

    def test_when_a_line_or_an_attribute_does(self):
        line = self.env["usercom.mapping"].search(
            [("account_id", "=", self.account.id), ("odoo_field", "=", "city")]
        )
        changes = {
            "a line": lambda: line.write({"removals": False}),
            "an attribute": lambda: line.attribute_id.write({"limit": 40}),
            "a line that goes": line.unlink,
        }
        for number, (what, change) in enumerate(changes.items()):
            with self.subTest(what=what):
                self.park_changes(f"P{number}")
                change()
                self.assertFalse(self.parked("usercom.change"))
                self.push()
                self.assertEqual(len(self.sim.contacts()), number + 1)

    def test_but_not_what_a_person_has_to_answer(self):
        self.park_pings("Ewa")
        self.account._retry_parked_by_mapping()
        self.assertEqual(self.parked("usercom.ping").problem_code, "several_here")

    def test_values_refused_under_the_mapping_before(self):
        partner = self.make_linked()
        real = client.UserCom.update_contact

        def update(usercom, number, body):
            if "city" in body:
                raise client.RecordRefused({"city": ["no"]})
            return real(usercom, number, body)

        partner.write({"city": "Gdynia", "phone": "+48600100200"})
        with patch.object(client.UserCom, "update_contact", update):
            self.push()
        self.assertEqual(self.binding(partner).refused, {"city": "Gdynia"})
        self.account.with_user(self.manager)._retry_parked_by_mapping(["city"])
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.binding(partner).notice)


class TestAsked(ParkedCase):
    def activities(self):
        return self.account.activity_ids

    def test_unknown_subdomain_pauses_the_account(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        unknown = socket.gaierror(socket.EAI_NONAME, "unknown")
        with patch.object(socket, "getaddrinfo", side_effect=unknown):
            self.push()
        self.assertEqual((self.account.state, self.account.pause_code), ("paused", "unknown_host"))
        [row] = self.changes()
        self.assertTrue(row.due_at)
        self.assertEqual(len(self.activities()), 1)
        self.account.action_test_connection()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.activities())

    def test_answered_in_another_language_than_asked(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        for topic in ("paused", "ceiling"):
            self.manager.lang = "en_US"
            self.account._ask(topic)
            [activity] = self.activities()
            self.assertEqual(activity.user_id, self.manager)
            self.manager.lang = "pl_PL"
            self.account._ask(topic)
            self.assertEqual(self.activities(), activity, "asked once")
            self.account._answered(topic)
            self.assertFalse(self.activities())

    def test_answered_although_somebody_else_is_responsible_now(self):
        self.account._ask("paused")
        self.account.user_id = self.env.ref("base.user_admin")
        self.account._answered("paused")
        self.assertFalse(self.activities())

    def test_each_topic_is_answered_for_itself(self):
        self.account._ask("paused")
        self.account._ask("ceiling")
        self.account._answered("paused")
        [activity] = self.activities()
        kind = "usercom_connector.mail_activity_ceiling"
        self.assertEqual(activity.activity_type_id, self.env.ref(kind))

    def test_what_people_plan_themselves_stays_open(self):
        own = self.account.activity_schedule(
            "mail.mail_activity_data_todo", summary="User.com account paused"
        )
        self.account._ask("paused")
        self.account._answered("paused")
        self.assertEqual(self.activities(), own)
