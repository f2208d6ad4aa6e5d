"""Attributes are read from User.com; what changes there pauses the lines that use it, alone."""

import re
from unittest.mock import patch

import pytest
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.client.transport import Transport
from odoo.addons.usercom_connector.sync.attributes import STANDARD
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import test_cursor
from odoo.tests.common import new_test_user, tagged
from psycopg2 import IntegrityError
from psycopg2.errors import SerializationFailure

from .common import SyncCase


@tagged("post_install", "-at_install")
class TestAttributes(SyncCase):
    def setUp(self):
        super().setUp()
        self.shoe = self.sim.add_attribute("Shoe size")

    def refresh(self):
        self.account.action_refresh_attributes()

    def row(self, name_std, account=None):
        return self.env["usercom.attribute"].search(
            [("account_id", "=", (account or self.account).id), ("name_std", "=", name_std)]
        )

    def line(self, attribute="shoe_size", **vals):
        self.refresh()
        return self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "function",
                "attribute_id": self.row(attribute).id,
            }
            | vals
        )

    def attributes_there(self, kind):
        """The attributes that lines of this kind send to or read from now."""
        return {rule.attribute for rule in self.account._rules(kind)}

    # === READING === #

    def test_standard_attributes_are_there_from_the_start(self):
        for kind, standard in STANDARD.items():
            rows = (
                self.env["usercom.attribute"]
                .search([("account_id", "=", self.account.id), ("kind", "=", kind)])
                .filtered("is_standard")
            )
            self.assertEqual(set(rows.mapped("name_std")), {each.name for each in standard})

    def test_account_of_an_older_version_gets_what_this_one_knows(self):
        for lines in (self.account.contact_mapping_ids, self.account.company_mapping_ids):
            lines.unlink()
        self.row("city").unlink()
        self.env["usercom.account"]._prepare_all_mappings()
        self.assertEqual(len(self.row("city")), 2)
        self.assertIn("city", self.attributes_there("contact"))

    def test_an_update_leaves_the_lines_alone(self):
        self.account.contact_mapping_ids.filtered(lambda line: line.odoo_field == "city").unlink()
        self.env["usercom.account"]._prepare_all_mappings()
        self.assertNotIn("city", self.attributes_there("contact"))

    def test_custom_attributes_of_contacts_and_companies_are_read(self):
        self.sim.add_attribute("Shirt", "fixed", choices=["S", "M"], allow_multiple_choices=True)
        self.sim.add_attribute("Branch", content_type="company")
        self.sim.add_attribute("Weight", content_type="product")
        self.refresh()
        size, branch = self.row("shirt"), self.row("branch")
        self.assertEqual(
            (size.kind, size.value_type, size.choices, size.multiple, size.limit),
            ("contact", "fixed", ["S", "M"], True, 0),
        )
        self.assertEqual((branch.kind, branch.value_type, branch.limit), ("company", "string", 255))
        self.assertFalse(self.row("weight"))
        self.assertTrue(self.account.attributes_read_at)

    def test_test_of_the_connection_reads_them_too(self):
        self.account.action_test_connection()
        self.assertEqual(self.row("shoe_size").usercom_number, self.shoe["id"])

    def test_reading_again_changes_nothing(self):
        self.refresh()
        before = self.row("shoe_size")
        self.refresh()
        self.assertEqual(self.row("shoe_size"), before)

    def test_attribute_with_the_key_of_a_standard_one_is_left_out(self):
        self.sim.add_attribute("City")
        self.refresh()
        self.assertEqual(set(self.row("city").mapped("is_standard")), {True})

    def test_attribute_with_the_key_of_anything_of_user_coms_own_is_left_out(self):
        """Written, it would be the first name, the status, or a consent."""
        for name in ("First name", "Status", "Notifications", "Lists", "Employees"):
            self.sim.add_attribute(name)
        self.sim.add_attribute("Category", content_type="company")
        self.refresh()
        for key in ("first_name", "status", "notifications", "lists", "category"):
            self.assertFalse(self.row(key), key)
        self.assertTrue(self.row("employees"))  # of a contact it is nothing but a word

    def test_one_without_a_name_does_not_cost_the_others(self):
        self.sim.add_attribute("Nameless")
        real = Transport.send

        def send(transport, method, url, body):
            answer = real(transport, method, url, body)
            return answer._replace(body=re.sub(rb'"nameless"', b"null", answer.body))

        self.patch(Transport, "send", send)
        answer = self.account.action_test_connection()
        self.assertEqual(answer["params"]["type"], "success")
        self.assertTrue(self.row("shoe_size"))
        self.assertFalse(self.row("nameless"))

    def test_choices_that_an_answer_does_not_tell_are_kept(self):
        self.sim.add_attribute("Shirt", "fixed", choices=["S", "M"], allow_multiple_choices=True)
        line = self.line("shirt", odoo_field="category_id")
        row = self.row("shirt")
        source = {"id": row.usercom_number, "name": "Shirt", "name_std": "shirt"}
        source |= {"value_type": "fixed", "content_type": "clientuser"}
        self.account._take_attributes([client.Attribute.from_json(source)])
        self.assertEqual((row.choices, row.multiple), (["S", "M"], True))
        self.assertFalse(line.problem)

    def test_unused_attribute_that_is_gone_leaves_no_row(self):
        self.refresh()
        self.sim.delete_attribute(self.shoe["id"])
        self.refresh()
        self.assertFalse(self.row("shoe_size"))

    def test_failed_reading_is_said_and_changes_nothing(self):
        line = self.line()
        self.sim.delete_attribute(self.shoe["id"])
        self.sim.fault("500", path="/attributes/")
        answer = self.account.action_refresh_attributes()
        self.assertEqual(answer["params"]["type"], "danger")
        self.assertIn("fault of its own", answer["params"]["message"])
        self.assertFalse(line.is_paused)

    def test_daily_reading(self):
        self._run_daily()
        self.assertTrue(self.row("shoe_size"))
        self.account.action_pause()
        self.sim.reset_calls()
        self._run_daily()
        self.assertEqual(self.sim.calls.count(), 0)

    def test_daily_reading_with_a_dead_key_pauses_the_account(self):
        self.account.sudo().rest_key = "x" * 64
        self._run_daily()
        self.assertEqual((self.account.state, self.account.pause_code), ("paused", "unauthorised"))

    def test_no_transaction_is_open_while_the_daily_reading_calls(self):
        steps = []
        cursor = test_cursor.TestCursor
        real_read, real_commit, real_execute = (
            client.UserCom.attributes,
            cursor.commit,
            cursor.execute,
        )

        def commit(cr):
            steps.append("commit")
            real_commit(cr)

        def execute(cr, *args, **kwargs):
            steps.append("query")
            return real_execute(cr, *args, **kwargs)

        def read(usercom):
            steps.append("call")
            return real_read(usercom)

        with (
            patch.object(client.UserCom, "attributes", read),
            patch.object(cursor, "commit", commit),
            patch.object(cursor, "execute", execute),
        ):
            self._run_daily()
        self.assertEqual(steps[steps.index("call") - 1], "commit")

    def _run_daily(self):
        self.env.flush_all()
        self.env.ref("usercom_connector.ir_cron_attributes").method_direct_trigger()
        self.env.invalidate_all()

    def test_somebody_saves_the_account_meanwhile(self):
        """The list is kept all the same, and nothing is logged as an error."""
        real, failures = type(self.account)._take_attributes, [SerializationFailure()]

        def take(account, found):
            real(account, found)
            if failures:
                raise failures.pop()

        with patch.object(type(self.account), "_take_attributes", take):
            self._run_daily()
        self.assertFalse(failures)
        self.assertTrue(self.account.attributes_read_at)

    # === RENAMED, RETYPED, GONE === #

    def test_renamed_attribute_pauses_its_line_alone(self):
        line = self.line()
        others = self.attributes_there("contact") - {"shoe_size"}
        self.sim.edit_attribute(self.shoe["id"], name="Foot size")
        self.refresh()
        self.assertTrue(line.is_paused)
        self.assertIn("Shoe size (shoe_size)", line.problem)
        self.assertIn("Foot size (foot_size)", line.problem)
        self.assertEqual(self.attributes_there("contact"), others)
        self.assertTrue(self.account.has_paused_mapping)

    def test_what_is_as_it_was_goes_on_and_catches_up(self):
        partner = self.make_linked()
        line = self.line()
        self.changes().unlink()
        self.sim.edit_attribute(self.shoe["id"], name="Foot size")
        self.refresh()
        self.assertFalse(self.changes())
        self.sim.edit_attribute(self.shoe["id"], name="Shoe size")
        self.refresh()
        self.assertFalse(line.is_paused)
        self.assertIn("shoe_size", self.attributes_there("contact"))
        self.assertEqual(self.changes().mapped("partner_res_id"), [partner.id])

    def test_new_label_with_the_same_key_is_shown_too(self):
        line = self.line()
        self.sim.edit_attribute(self.shoe["id"], name="Glove size", name_std="shoe_size")
        self.refresh()
        self.assertEqual(line.problem_code, "attribute_renamed")

    def test_acknowledged_name_is_used_from_then_on(self):
        line = self.line()
        self.sim.edit_attribute(self.shoe["id"], name="Foot size")
        self.refresh()
        line.action_acknowledge()
        self.assertFalse(line.is_paused)
        self.assertIn("foot_size", self.attributes_there("contact"))

    def test_retyped_attribute_pauses_its_line_until_somebody_looks(self):
        line = self.line(odoo_field="partner_latitude", direction="out")
        self.sim.edit_attribute(self.shoe["id"], value_type="float")
        self.refresh()
        self.assertEqual(line.problem_code, "attribute_retyped")
        self.assertIn('"string"', line.problem)
        self.assertNotIn("shoe_size", self.attributes_there("contact"))
        line.action_acknowledge()
        self.assertFalse(line.is_paused)

    def test_retyped_to_what_cannot_be_it_says_both(self):
        line = self.line()
        self.sim.edit_attribute(self.shoe["id"], value_type="boolean")
        self.refresh()
        self.assertEqual(line.problem_code, "attribute_retyped")
        self.assertIn("may hold any text", line.refusal)
        with self.assertRaisesRegex(ValidationError, "may hold any text"), self.env.cr.savepoint():
            line.action_acknowledge()

    def test_gone_attribute_pauses_its_line_and_its_row_stays(self):
        line = self.line()
        self.sim.delete_attribute(self.shoe["id"])
        self.refresh()
        self.assertEqual(line.problem_code, "attribute_gone")
        self.assertEqual(self.row("shoe_size").state, "gone")
        self.assertNotIn("shoe_size", self.attributes_there("contact"))

    def test_attribute_made_again_under_another_number_goes_on(self):
        line = self.line()
        self.sim.delete_attribute(self.shoe["id"])
        self.refresh()
        again = self.sim.add_attribute("Shoe size")
        self.refresh()
        self.assertFalse(line.is_paused)
        self.assertEqual(line.attribute_id.usercom_number, again["id"])

    def test_made_again_it_is_filled_from_odoo(self):
        """The values went with the attribute; nobody has removed them from the contacts."""
        jan = self.make_linked()
        self.line()
        jan.function = "Sales"
        self.push()
        self.sim.delete_attribute(self.shoe["id"])
        self.refresh()
        self.sim.add_attribute("Shoe size")
        self.refresh()
        self.pull()
        self.push()
        self.assertEqual(jan.function, "Sales")
        self.assertEqual(self.there(jan)["attributes"]["shoe_size"], "Sales")

    def test_made_again_with_another_type_it_waits(self):
        line = self.line()
        self.sim.delete_attribute(self.shoe["id"])
        self.sim.add_attribute("Shoe size", "boolean")
        self.refresh()
        self.assertTrue(line.is_paused)

    def test_two_attributes_that_swap_names_are_told_apart(self):
        other = self.sim.add_attribute("Hat size")
        line = self.line()
        self.sim.edit_attribute(self.shoe["id"], name="Hat size")
        self.sim.edit_attribute(other["id"], name="Shoe size")
        self.refresh()
        self.assertEqual(line.attribute_id.usercom_number, self.shoe["id"])
        self.assertEqual(line.attribute_id.name_std, "hat_size")
        self.assertTrue(line.is_paused)

    def test_another_attribute_ends_the_pause(self):
        line = self.line()
        self.sim.delete_attribute(self.shoe["id"])
        self.sim.add_attribute("Hat size")
        self.refresh()
        line.attribute_id = self.row("hat_size")
        self.assertFalse(line.is_paused)

    # === WHO MAY WHAT === #

    @pytest.mark.expected_log("bad query")
    def test_used_attribute_cannot_be_deleted(self):
        line = self.line()
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            line.attribute_id.unlink()

    def test_account_goes_with_its_mapping(self):
        line = self.line()
        self.account.unlink()
        self.assertFalse(line.exists())
        self.assertFalse(self.row("city"))

    def test_only_managers_and_only_of_their_company(self):
        line = self.line()
        other = self.env["res.company"].create({"name": "Other"})
        self.account.company_id = other
        employee = new_test_user(self.env, "employee", groups="base.group_user")
        manager = new_test_user(
            self.env, "manager", groups="usercom_connector.group_usercom_manager"
        )
        for record in (line, line.attribute_id):
            for user in (employee, manager):
                with self.subTest(record._name, user=user.login), self.assertRaises(AccessError):
                    record.with_user(user).read(["display_name"])
        self.account.company_id = manager.company_id
        line.with_user(manager).sequence = 5
        with self.assertRaises(AccessError):
            line.attribute_id.with_user(manager).name = "Other"
        with self.assertRaises(AccessError):
            line.with_user(employee).read(["odoo_field"])

    def test_manager_refreshes_and_creates(self):
        manager = new_test_user(
            self.env, "manager", groups="usercom_connector.group_usercom_manager"
        )
        self.account.with_user(manager).action_refresh_attributes()
        self.assertTrue(self.row("shoe_size"))
