"""Try it on a contact: what would be sent and written is shown, and not done."""

from unittest.mock import patch

from odoo.addons.usercom_connector.models.res_partner import ResPartner
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged

from .test_companies import CompanyCase


@tagged("post_install", "-at_install")
class TestTrial(CompanyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "trial-manager", groups="usercom_connector.group_usercom_manager"
        )
        cls.env.cr.precommit.run()
        cls.env["usercom.change"].search([]).unlink()

    def trial(self, partner, user=None):
        """What the dialog shows; nothing is sent, written or queued for it."""
        self.env.flush_all()
        self.env.cr.precommit.run()
        queued = self.changes(), self.pings()
        binding = self.binding(partner)
        before = partner.write_date, binding.read(["revision", "base_odoo", "base_usercom"])
        self.sim.reset_calls()
        account = self.account.with_user(user or self.manager)
        account = account.with_context(lang=account.env.user.lang)
        action = account.action_try_mapping()
        form = Form(account.env[action["res_model"]].with_context(**action["context"]))
        form.partner_id = partner
        wizard = form.save()
        wizard.action_try()
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.env.invalidate_all()
        self.assertEqual({call["method"] for call in self.sim.calls()} - {"GET"}, set())
        self.assertLessEqual(len(self.sim.calls()), 1)
        self.assertEqual((self.changes(), self.pings()), queued)
        after = partner.write_date, binding.read(["revision", "base_odoo", "base_usercom"])
        self.assertEqual(after, before)
        return wizard

    def row(self, wizard, attribute):
        [line] = wizard.line_ids.filtered(lambda line: line.attribute == attribute)
        return tuple(
            line[name] or ""
            for name in (
                *("odoo_value", "usercom_value", "base_odoo", "base_usercom", "sent", "written"),
            )
        )

    def test_both_sides_and_what_would_become_of_them(self):
        jan = self.make_linked(city="Hel", phone="+48600100200")
        jan.write({"city": "Sopot", "name": "Jan Maria Rokita", "phone": "none"})
        self.changes().unlink()
        self.sim.edit_contact(int(jan.usercom_id), country="Poland", email="ola@example.com")
        wizard = self.trial(jan)
        self.assertEqual(self.row(wizard, "city"), ("Sopot", "Hel", "Hel", "Hel", "Sopot", ""))
        self.assertEqual(self.row(wizard, "country"), ("", "Poland", "", "", "", "Poland"))
        self.assertEqual(
            self.row(wizard, "name"),
            (
                *("Jan Maria Rokita", "Jan Testowy", "Jan Testowy", "Jan Testowy"),
                *("first_name: Jan, last_name: Maria Rokita", ""),
            ),
        )
        self.assertEqual(
            self.row(wizard, "email"),
            (
                *("jan@example.com", "ola@example.com", *["jan@example.com"] * 2, ""),
                "ola@example.com",
            ),
        )
        phone = self.row(wizard, "phone_number")
        self.assertEqual((phone[0], phone[1], phone[4]), ("none", "+48600100200", ""))
        self.assertIn("The phone was not sent", wizard.notes)
        self.assertIn("Linked with User.com", wizard.status)
        self.assertEqual(len(self.sim.calls("GET", "/users/:id/")), 1)

    def test_it_is_what_happens(self):
        jan = self.make_linked(city="Hel")
        jan.write({"city": "Sopot", "country_id": self.env.ref("base.pl").id})
        self.sim.edit_contact(int(jan.usercom_id), first_name="Johann", city="Gdynia")
        wizard = self.trial(jan)
        sent = {line.attribute: line.sent for line in wizard.line_ids if line.sent}
        written = {line.attribute: line.written for line in wizard.line_ids if line.written}
        self.assertEqual(written, {"name": "Johann Testowy"})
        self.push()
        [call] = self.sim.calls("PUT")
        self.assertEqual(call["body"], sent)
        self.assertEqual(jan.name, "Johann Testowy")

    def test_says_that_there_is_nothing_to_do(self):
        jan = self.make_linked(city="Hel")
        self.changes().unlink()
        self.assertIn("nothing would be sent or written", self.trial(jan).status)
        jan.city = "Sopot"
        self.assertNotIn("nothing would be sent", self.trial(jan).status)

    def test_a_removal_and_a_question(self):
        jan = self.make_linked(city="Hel", phone="+48600100200")
        line = self.account.contact_mapping_ids.filtered(lambda line: line.odoo_field == "city")
        line.winner = "ask"
        jan.write({"city": "Sopot", "phone": False})
        self.changes().unlink()
        self.sim.edit_contact(int(jan.usercom_id), city="Gdynia")
        wizard = self.trial(jan)
        self.assertEqual(self.row(wizard, "city"), ("Sopot", "Gdynia", "Hel", "Hel", "", ""))
        self.assertIn("somebody has to decide", wizard.notes)
        self.assertEqual(self.row(wizard, "phone_number")[4], "(empty)")
        self.assertFalse(self.account.conflict_count)

    def test_of_who_is_not_linked(self):
        ola = self.make_partner(email="ola@example.com", name="Ola")
        self.changes().unlink()
        wizard = self.trial(ola)
        self.assertEqual(self.row(wizard, "email")[4], "ola@example.com")
        self.assertFalse(self.sim.contacts())
        there = self.sim.add_contact(email="ola@example.com", city="Hel", status="user")
        wizard = self.trial(ola)
        self.assertIn(f"number {there['id']}", wizard.status)
        self.assertEqual(self.row(wizard, "city"), ("", "Hel", "", "", "", "Hel"))
        self.assertFalse(self.binding(ola))
        self.sim.add_contact(email="ola@example.com", city="Hel", status="user")
        wizard = self.trial(ola)
        self.assertIn("Several contacts in User.com", wizard.status)
        self.assertFalse(any(wizard.line_ids.mapped("sent") + wizard.line_ids.mapped("written")))

    def test_who_does_not_travel(self):
        ola = self.make_partner(email="ola@example.com", type="invoice")
        gone = self.make_linked(city="Hel")
        self.account.create_in_usercom = False
        new = self.make_partner(email="new@example.com")
        self.changes().unlink()
        self.assertFalse(self.trial(ola).line_ids)
        self.assertIn("switched off", self.trial(new).status)
        self.assertFalse(any(self.trial(new).line_ids.mapped("sent")))
        self.sim.delete_contact(int(gone.usercom_id))
        gone.city = "Sopot"
        self.changes().unlink()
        wizard = self.trial(gone)
        self.assertIn("Deleted in User.com", wizard.status)
        self.assertFalse(any(wizard.line_ids.mapped("sent")))

    def test_a_company(self):
        company = self.make_linked_company()
        company.city = "Hel"
        self.changes().unlink()
        self.edit_company(int(self.binding(company).usercom_id), postal_code="00-001")
        wizard = self.trial(company)
        self.assertEqual(self.row(wizard, "city")[4], "Hel")
        self.assertEqual(self.row(wizard, "postal_code")[5], "00-001")

    def test_hooks_have_their_say_and_leave_nothing_behind(self):
        jan = self.make_linked()
        jan.city = "Hel"
        self.changes().unlink()
        self.sim.edit_contact(int(jan.usercom_id), first_name="Johann", country="Poland")

        def payload(partner, account, body):
            return body | {"tier": "gold", "city": "HEL"}

        def before_pull(partner, account, vals):
            partner.comment = "was here"
            return {"name": "JOHANN", "ref": "7"}

        with (
            patch.object(ResPartner, "_usercom_payload", payload),
            patch.object(ResPartner, "_usercom_before_pull", before_pull),
        ):
            wizard = self.trial(jan)
        self.assertEqual(self.row(wizard, "city")[4], "HEL")
        self.assertEqual(self.row(wizard, "tier")[4], "gold")
        self.assertEqual(self.row(wizard, "name")[5], "JOHANN")
        self.assertEqual(self.row(wizard, "country")[5], "")
        [added] = wizard.line_ids.filtered(lambda line: line.field_name == "ref")
        self.assertEqual(added.written, "7")
        self.assertFalse(jan.comment or jan.ref)

    def test_values_are_those_that_travel_whatever_the_readers_language(self):
        self.env["res.lang"]._activate_lang("pl_PL")
        self.manager.lang = "pl_PL"
        tag = self.env["res.partner.category"].create({"name": "Gold"})
        tag.with_context(lang="pl_PL").name = "Złoto"
        self.sim.add_attribute("Card", "fixed", choices=["Gold"], allow_multiple_choices=True)
        self.account.action_refresh_attributes()
        attribute = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "card")]
        )
        self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "category_id",
                "attribute_id": attribute.id,
            }
        )
        jan = self.make_linked(category_id=tag.ids)
        wizard = self.trial(jan)
        self.assertEqual(self.row(wizard, "card"), (*["Gold"] * 4, "", ""))

    def test_what_user_com_answers_is_said(self):
        jan = self.make_linked()
        self.sim.fault("500", path="/users/:id/")
        with self.assertRaisesRegex(UserError, "fault of its own"):
            self.trial(jan)

    def test_only_for_managers_and_of_contacts_that_they_may_see(self):
        jan = self.make_linked()
        employee = new_test_user(self.env, "trial-employee", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.trial(jan, employee)
        wizard = (
            self.env["usercom.trial"]
            .with_user(self.manager)
            .create({"account_id": self.account.id, "partner_id": jan.id})
        )
        jan.company_id = self.env["res.company"].create({"name": "Other"})
        with self.assertRaises(AccessError):
            wizard.action_try()
