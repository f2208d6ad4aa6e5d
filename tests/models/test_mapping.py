"""What may be mapped, the ready mapping, what the engine is given, and carrying."""

import time
from contextlib import suppress
from unittest.mock import patch

import pytest
from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.sync import mapping, pairs
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form
from odoo.tests.common import new_test_user, tagged
from psycopg2 import IntegrityError

from .common import SyncCase


class MappingCase(SyncCase):
    def attribute(self, name="Shoe size", value_type="string", **more):
        """A custom attribute of User.com, read."""
        made = self.sim.add_attribute(name, value_type, **more)
        self.account.action_refresh_attributes()
        return self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("usercom_number", "=", made["id"])]
        )

    def line(self, odoo_field="function", attribute=None, **vals):
        vals.setdefault("attribute_id", attribute.id if attribute else False)
        return self.env["usercom.mapping"].create(
            {"account_id": self.account.id, "odoo_field": odoo_field} | vals
        )

    def rules(self, kind=mapping.CONTACT):
        return {rule.attribute: rule for rule in self.account._rules(kind)}


@tagged("post_install", "-at_install")
class TestWhatMayBeMapped(MappingCase):
    def assert_refused(self, path, words, direction="out"):
        with (
            self.subTest(path),
            self.assertRaisesRegex(ValidationError, words),
            self.env.cr.savepoint(),
        ):
            self.line(path, direction=direction)

    def test_a_field_that_is_not_there(self):
        for path in ("nothing", "country_id.nothing", "country_id.code.x", "country_id.", ".name"):
            self.assert_refused(path, "There is no field")

    def test_users_companies_and_rights(self):
        for path in (
            *("user_id", "user_id.login", "user_id.password", "user_id.partner_id.email"),
            *("user_id.company_id.name", "user_id.groups_id", "user_id.group_ids", "user_ids"),
            *("create_uid", "company_id.name", "parent_id.company_id.vat", "user_id.name.x"),
        ):
            self.assert_refused(path, "never travel|belongs in Odoo|no field|several records")
        self.assert_refused("user_id.lang", "never travel")
        self.assert_refused("company_id.name", "never travel")

    def test_what_stands_on_a_business_card_of_a_user_goes_out(self):
        for path in ("user_id.email", "user_id.name", "user_id.phone", "parent_id.user_id.email"):
            self.assertTrue(self.line(path, direction="out"))

    def test_bank_data(self):
        self.assert_refused("bank_ids", "bank data")
        self.assert_refused("parent_id.bank_ids", "bank data")

    def test_files_secrets_and_technical_records(self):
        for path in ("image_1920", "avatar_128", "signup_type", "message_attachment_count.x"):
            self.assert_refused(path, "technical" if "." not in path else "several|no field")

    def test_fields_that_some_may_not_see(self):
        field = self.env["res.partner"]._fields["function"]
        for groups in ("base.group_system", "base.group_erp_manager", fields.NO_ACCESS):
            with patch.object(field, "groups", groups):
                self.assert_refused("function", "some employees only")
        for groups in ("base.group_user", "base.group_partner_manager,base.group_system"):
            with patch.object(field, "groups", groups):
                self.assertTrue(self.line("function", direction="out"))

    def test_records_that_some_may_not_see(self):
        self.line("industry_id", direction="out").unlink()
        access = self.env["ir.model.access"].search(
            [("model_id.model", "=", "res.partner.industry")]
        )
        access.group_id = self.env.ref("base.group_system")
        self.assert_refused("industry_id", "some employees only")
        self.assert_refused("industry_id.name", "some employees only")

    def test_accounting(self):
        partner = self.env["res.partner"]._fields
        for name, attributes in {
            "function": {"_modules": ("account", "sale")},
            "city": {"_modules": ("account_followup",)},
            "industry_id": {"comodel_name": "account.move"},
            "color": {"_modules": ("payment",)},
        }.items():
            with patch.multiple(partner[name], **attributes):
                self.assert_refused(name, "accounting and payments")
        with patch.object(partner["city"], "_modules", ("base", "account")):
            self.assertTrue(self.line("city", direction="out"))

    def test_our_own_fields_consents_and_blacklists(self):
        self.assert_refused("usercom_id", "manages it by itself")
        self.assert_refused("usercom_email_consent", "manages it by itself")
        for name in ("is_blacklisted", "phone_blacklisted", "phone_sanitized_blacklisted"):
            self.assert_refused(name, "consents")

    def test_what_a_contact_is(self):
        for path in (
            *("active", "parent_id", "is_company", "type", "company_type", "id"),
            *("commercial_partner_id", "parent_id.active"),
        ):
            self.assert_refused(path, "what a contact is")

    def test_path_through_several_records(self):
        self.assert_refused("child_ids.email", "several records")
        self.assert_refused("category_id.name", "several records")

    def test_into_odoo_only_what_can_be_written(self):
        for direction in ("in", "both"):
            self.assert_refused("country_id.code", "belongs to another record", direction)
            self.assert_refused("parent_id.vat", "belongs to another record", direction)
            self.assert_refused("industry_id", "points to other records", direction)
            self.assert_refused("child_ids", "points to other records", direction)
            for name in ("email_normalized", "contact_address", "tz_offset", "create_date"):
                self.assert_refused(name, "cannot be written", direction)

    def test_paths_that_the_design_names(self):
        for path in ("user_id.email", "parent_id.vat", "country_id.code", "category_id"):
            attribute = self.attribute(f"A {path.replace('.', ' ')}")
            self.assertFalse(self.line(path, attribute, direction="out").is_paused)
            self.assertEqual(self.rules()[attribute.name_std].odoo_field, path)

    def test_pair_of_types_that_cannot_be_says_why(self):
        flag = self.attribute("Flag", "boolean")
        for path, words in {
            "function": "may hold any text",
            "industry_id": "industry_id.name",
            "category_id": "may have several values",
            "create_date": "does not fit",
        }.items():
            with (
                self.subTest(path),
                self.assertRaisesRegex(ValidationError, words),
                self.env.cr.savepoint(),
            ):
                self.line(path, flag, direction="out")

    def test_pair_that_only_goes_out(self):
        names = self.attribute("Names")
        with (
            self.assertRaisesRegex(ValidationError, "only go to User.com"),
            self.env.cr.savepoint(),
        ):
            self.line("category_id", names, direction="both")
        tags = self.env["usercom.attribute"].search(
            [
                ("account_id", "=", self.account.id),
                ("kind", "=", mapping.CONTACT),
                ("name_std", "=", "tags"),
            ]
        )
        with (
            self.assertRaisesRegex(ValidationError, "more in User.com than what Odoo sent"),
            self.env.cr.savepoint(),
        ):
            self.line("category_id", tags, direction="in")
        self.assertFalse(self.line("category_id", tags, direction="out").is_paused)

    def test_every_reason_and_every_converter_has_words(self):
        sentence = self.env["usercom.sentence"]
        verdicts = [
            pairs.judge(odoo_type, value_type, multiple=multiple, comodel=comodel)
            for odoo_type in pairs.ODOO_TYPES
            for value_type in (*pairs.VALUE_TYPES, "nothing known")
            for multiple in (False, True)
            for comodel in (None, "res.country", "res.country.state", "res.partner.industry")
        ]
        for reason in {verdict.reason for verdict in verdicts} - {""}:
            self.assertNotEqual(sentence._of(reason), reason)
        for converter in {verdict.converter for verdict in verdicts} - {None}:
            self.assertNotEqual(sentence._converter_name(converter), converter)

    def test_consent_and_identity_attributes(self):
        self.account.action_refresh_attributes()
        every = self.env["usercom.attribute"].search([("account_id", "=", self.account.id)])
        consent = every.filtered(lambda each: each.name_std == "email_consent")
        with self.assertRaisesRegex(ValidationError, "consents"):
            self.line("employee", consent)
        identity = self.attribute("Shoe size")
        identity.sudo().name_std = "custom_id"  # of the time before such keys were left out
        with self.assertRaisesRegex(ValidationError, "who a contact is"):
            self.line("ref", identity)

    def test_attribute_of_another_account_or_kind(self):
        branch = self.attribute("Branch", content_type="company")
        with self.assertRaisesRegex(ValidationError, "belongs to something else"):
            self.line("function", branch)
        other = self.account.copy()
        shoe = self.attribute()
        with self.assertRaisesRegex(ValidationError, "belongs to something else"):
            self.line("function", shoe, account_id=other.id)

    @pytest.mark.expected_log("bad query")
    def test_one_line_for_each_attribute(self):
        attribute = self.attribute()
        self.line("function", attribute)
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            self.line("ref", attribute, direction="out")

    @pytest.mark.expected_log("bad query")
    def test_one_line_into_each_field_and_several_out_of_it(self):
        self.line("function", self.attribute("One"))
        self.line("function", self.attribute("Two"), direction="out")
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            self.line("function", self.attribute("Three"), direction="in")

    def test_the_form_says_at_once_what_cannot_be(self):
        shoe = self.attribute()
        with Form(
            self.env["usercom.mapping"].with_context(default_account_id=self.account.id)
        ) as form:
            form.odoo_field = "bank_ids"
            self.assertIn("bank data", form.refusal)
            form.odoo_field = "country_id.code"
            self.assertFalse(form.refusal)
            self.assertEqual(form.direction, "out")
            form.attribute_id = shoe
            self.assertTrue(form.converter_name)

    def test_the_form_takes_a_newly_chosen_attribute_as_it_is(self):
        line = self.line("function", self.attribute())
        hat = self.attribute("Hat size")
        with Form(line) as form:
            form.attribute_id = hat
            self.assertFalse(form.problem_code)
            form.removals = False
            form.direction = "out"
            self.assertFalse(form.problem_code)
        self.assertFalse(line.is_paused)
        self.assertEqual(line.agreed["name"], "Hat size")


@tagged("post_install", "-at_install")
class TestDefaultMapping(MappingCase):
    def test_ready_lines(self):
        contact, company = self.rules(), self.rules(mapping.COMPANY)
        self.assertEqual(
            {rule.odoo_field: rule.attribute for rule in contact.values()},
            {
                "name": "name",
                "email": "email",
                "phone": "phone_number",
                "city": "city",
                "state_id": "region",
                "country_id": "country",
            },
        )
        self.assertTrue(all(rule.out and rule.into for rule in contact.values()))
        self.assertEqual({rule.winner for rule in contact.values()}, {mapping.ODOO_WINS})
        self.assertFalse(contact["name"].removals)
        self.assertEqual((contact["name"].limit, contact["name"].converter), (40, "name"))
        self.assertEqual(
            {rule.odoo_field: rule.attribute for rule in company.values()},
            {
                "name": "name",
                "email": "email",
                "phone": "phone_numbers",
                "street": "address",
                "zip": "postal_code",
                "city": "city",
                "state_id": "region",
                "country_id": "country",
            },
        )
        out_only = {name for name, rule in company.items() if not rule.into}
        self.assertEqual(out_only, {"phone_numbers", "address"})

    def test_none_of_them_is_paused_or_waits_to_be_carried(self):
        lines = self.account.contact_mapping_ids | self.account.company_mapping_ids
        self.assertFalse(lines.filtered("is_paused").mapped("problem"))
        self.assertFalse(lines.filtered("to_carry"))

    def test_copied_account_has_its_own(self):
        copy = self.account.copy()
        self.assertEqual(copy.contact_mapping_ids.attribute_id.account_id, copy)
        self.assertEqual(len(copy.contact_mapping_ids), 6)


@tagged("post_install", "-at_install")
class TestRules(MappingCase):
    def test_a_line_as_the_engine_gets_it(self):
        attribute = self.attribute("Size", "fixed", choices=["Small", "Large"])
        line = self.line(
            "tz",
            attribute,
            winner="ask",
            removals=False,
            unknown="keep",
            choice_ids=[
                (0, 0, {"odoo_value": "Europe/Warsaw", "usercom_value": "Small"}),
                (0, 0, {"odoo_value": "Europe/Madrid", "usercom_value": False}),
            ],
        )
        rule = self.rules()["size"]
        self.assertEqual((rule.odoo_type, rule.value_type), ("selection", "fixed"))
        self.assertEqual((rule.winner, rule.removals, rule.unknown), ("ask", False, "keep"))
        self.assertEqual(rule.choices, (("Europe/Warsaw", "Small"), ("Europe/Madrid", "")))
        self.assertEqual((rule.line_id, rule.out, rule.into), (line.id, True, True))

    def test_edits_are_seen_at_once(self):
        attribute = self.attribute()
        self.assertNotIn("shoe_size", self.rules())
        self.assertNotIn("function", self.account._captured_fields())
        line = self.line("function", attribute)
        self.assertTrue(self.rules()["shoe_size"].into)
        self.assertIn("function", self.account._captured_fields())
        line.winner = "usercom"
        self.assertEqual(self.rules()["shoe_size"].winner, "usercom")
        line.direction = "in"
        self.assertNotIn("function", self.account._captured_fields())
        line.direction = "out"
        self.assertFalse(self.rules()["shoe_size"].into)
        line.active = False
        self.assertNotIn("shoe_size", self.rules())
        line.active = True
        self.assertIn("shoe_size", self.rules())
        line.unlink()
        self.assertNotIn("shoe_size", self.rules())
        self.assertNotIn("function", self.account._captured_fields())

    def test_edits_of_the_value_table_are_seen_at_once(self):
        line = self.line("tz", self.attribute("Zone", "fixed", choices=["Here"]))
        self.assertEqual(self.rules()["zone"].choices, ())
        choice = self.env["usercom.mapping.choice"].create(
            {"mapping_id": line.id, "odoo_value": "Europe/Warsaw", "usercom_value": "Here"}
        )
        self.assertEqual(self.rules()["zone"].choices, (("Europe/Warsaw", "Here"),))
        choice.odoo_value = "Europe/Madrid"
        self.assertEqual(self.rules()["zone"].choices, (("Europe/Madrid", "Here"),))
        choice.unlink()
        self.assertEqual(self.rules()["zone"].choices, ())

    def test_a_state_that_is_added_or_renamed_is_known_at_once(self):
        self.account._context()
        poland = self.env.ref("base.pl")
        state = self.env["res.country.state"].create(
            {"name": "Ruritania", "code": "RU", "country_id": poland.id}
        )
        self.assertEqual(self.account._context().state_names["PL-RU"], "Ruritania")
        state.name = "Freedonia"
        self.assertEqual(self.account._context().states["PL", "freedonia"], "PL-RU")
        state.unlink()
        self.assertNotIn("PL-RU", self.account._context().state_names)

    def test_rules_cost_no_query_the_second_time(self):
        self.rules()
        self.account._captured_fields()
        with self.assertQueryCount(0):
            self.rules()
            self.account._captured_fields()

    def test_the_head_of_a_path_is_captured(self):
        self.line("parent_id.vat", self.attribute(), direction="out")
        captured = self.account._captured_fields()
        self.assertIn("parent_id", captured)
        self.assertNotIn("parent_id.vat", captured)

    def test_field_that_vanished_pauses_its_line_alone(self):
        line = self.line("function", self.attribute())
        others = self.rules().keys() - {"shoe_size"}
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_mapping SET odoo_field = 'was_there_once' WHERE id = %s", (line.id,)
        )
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        self.assertEqual(self.rules().keys(), others)
        self.assertNotIn("was_there_once", self.account._captured_fields())
        self.assertTrue(line.is_paused)
        self.assertIn("uninstalled", line.problem)
        self.assertEqual(line.odoo_label, "was_there_once")

    def test_line_without_an_attribute_waits(self):
        line = self.line("function")
        self.assertIn("Choose one", line.problem)
        self.assertEqual(len(self.rules()), 6)

    def test_employee_who_saves_a_contact_gets_the_rules(self):
        employee = new_test_user(self.env, "employee", groups="base.group_user")
        self.env.registry.clear_cache()
        account = self.account.with_user(employee)
        self.assertEqual(len(account._rules(mapping.CONTACT)), 6)
        self.assertIn("email", account._captured_fields())


@tagged("post_install", "-at_install")
class TestPaths(MappingCase):
    """Values at the end of a path, and lists of names, on their way."""

    def setUp(self):
        super().setUp()
        for path in ("user_id.email", "parent_id.vat", "country_id.code"):
            self.line(path, self.attribute(path.replace(".", " ")), direction="out")
        many = self.attribute(
            "Groups", "fixed", choices=["Gold", "Silver"], allow_multiple_choices=True
        )
        self.line("category_id", many)
        self.gold, self.silver = self.env["res.partner.category"].create(
            [{"name": "Gold"}, {"name": "Silver"}]
        )

    def test_they_arrive(self):
        seller = new_test_user(self.env, "seller", email="seller@example.com")
        company = self.env["res.partner"].create(
            {"name": "Acme", "is_company": True, "vat": "PL5260001246"}
        )
        jan = self.make_linked(
            parent_id=company.id,
            user_id=seller.id,
            country_id=self.env.ref("base.pl").id,
            category_id=(self.gold + self.silver).ids,
        )
        there = self.there(jan)["attributes"]
        self.assertEqual(there["user_id_email"], "seller@example.com")
        self.assertEqual((there["parent_id_vat"], there["country_id_code"]), ("PL5260001246", "PL"))
        self.assertEqual(there["groups"], ["Gold", "Silver"])
        jan.write({"user_id": False, "category_id": [(3, self.gold.id)]})
        self.push()
        there = self.there(jan)["attributes"]
        self.assertEqual((there["user_id_email"], there["groups"]), ("", ["Silver"]))

    def test_a_list_of_names_comes_in_and_can_be_emptied(self):
        jan = self.make_linked(category_id=self.gold.ids)
        for names, tags in (
            (["Silver", "Gold"], self.gold + self.silver),
            ([], self.gold.browse()),
        ):
            self.sim.edit_contact(int(jan.usercom_id), attributes={"groups": names})
            self.ping(jan.usercom_id)
            self.pull()
            self.assertEqual(jan.category_id, tags)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())


@tagged("post_install", "-at_install")
class TestCreateAttribute(MappingCase):
    def create_for(self, path, **vals):
        line = self.line(path, direction=vals.pop("direction", "out"), **vals)
        line.action_create_attribute()
        [there] = [
            each for each in self.sim.attributes() if each["name_std"] == line.attribute_id.name_std
        ]
        return line, there

    def test_type_follows_the_field(self):
        for path, value_type in {
            "function": "string",
            "employee": "boolean",
            "color": "integer",
            "partner_latitude": "float",
            "create_date": "datetime",
            "country_id.code": "string",
            "industry_id.name": "string",
            "category_id": "string",
        }.items():
            with self.subTest(path):
                line, there = self.create_for(path)
                self.assertEqual(there["value_type"], value_type)
                self.assertFalse(line.is_paused, line.problem)
                self.assertIn(there["name_std"], self.rules())

    def test_name_that_is_one_of_user_coms_own_gets_another(self):
        """Its key would be the tags' of User.com, or who a contact is."""
        for path, name in {
            "category_id": "Odoo Tags",
            "tz": "Odoo Timezone",
            "company_registry": "Odoo Company ID",
        }.items():
            line, there = self.create_for(path)
            self.assertEqual(there["name"], name)
            self.account.action_refresh_attributes()
            self.assertFalse(line.is_paused, line.problem)
            self.assertIn(there["name_std"], self.rules())

    def test_selection_brings_its_choices_and_the_value_table(self):
        with patch.object(
            self.env["res.partner"]._fields["tz"], "selection", [("a", "Alpha"), ("b", "Beta")]
        ):
            line, there = self.create_for("tz")
            self.assertEqual((there["value_type"], there["choices"]), ("fixed", ["Alpha", "Beta"]))
            self.assertEqual(
                line.choice_ids.mapped(lambda pair: (pair.odoo_value, pair.usercom_value)),
                [("a", "Alpha"), ("b", "Beta")],
            )
            self.assertEqual(line.attribute_id.choices, ["Alpha", "Beta"])

    def test_a_box_has_a_yes_and_a_no_in_the_value_table(self):
        answer = self.attribute("Answer", "fixed", choices=["Yes", "Never"])
        line = self.line("employee", answer)
        line.action_fill_choices()
        self.assertEqual(
            line.choice_ids.mapped(lambda pair: (pair.odoo_value, pair.usercom_value)),
            [("yes", "Yes"), ("no", False)],
        )

    def test_list_of_names_that_comes_in_brings_its_choices(self):
        self.env["res.partner.category"].create([{"name": "Gold"}, {"name": "Silver"}])
        line, there = self.create_for("category_id", direction="both")
        names = self.env["res.partner.category"].search([]).mapped("display_name")
        self.assertEqual((there["value_type"], there["choices"]), ("fixed", names))
        self.assertTrue(there["allow_multiple_choices"])
        self.assertEqual(line.direction, "both")

    def test_too_many_names_for_choices_are_a_text(self):
        self.env["res.partner.category"].create([{"name": f"Tag {n}"} for n in range(101)])
        line, there = self.create_for("category_id", direction="both")
        self.assertEqual((there["value_type"], line.direction), ("string", "out"))

    def test_what_can_only_go_out_goes_out(self):
        line, _there = self.create_for("comment", direction="both")
        self.assertEqual(line.direction, "out")

    def test_nothing_is_created_for_what_cannot_be(self):
        line = self.line("industry_id", direction="out")
        with self.assertRaisesRegex(UserError, "industry_id.name"):
            line.action_create_attribute()
        self.assertNotIn("industry", [each["name_std"] for each in self.sim.attributes()])

    def test_company_line_makes_a_company_attribute(self):
        _line, there = self.create_for("vat", kind=mapping.COMPANY)
        self.assertEqual(there["content_type"], "company")

    def test_long_label_is_cut_to_what_user_com_takes(self):
        field = self.env["res.partner"]._fields["function"]
        with patch.object(field, "string", "A label that is much longer than that"):
            _line, there = self.create_for("function")
        self.assertEqual(there["name"], "A label that is much longer than")

    def test_refusal_is_shown_in_words_and_changes_nothing(self):
        self.attribute("Job Position", "boolean")
        line = self.line("function")
        with self.assertRaisesRegex(UserError, "Job Position.*An attribute of that name exists"):
            line.action_create_attribute()
        self.assertFalse(line.attribute_id)

    def test_refused_key_is_shown_in_words(self):
        self.account.sudo().rest_key = self.sim.add_key("read")
        line = self.line("function")
        with self.assertRaisesRegex(UserError, "read and write"):
            line.action_create_attribute()

    def test_who_clicks_waits_for_a_turn_two_seconds_at_most(self):
        waits = []

        def note(usercom, *args, **kwargs):
            waits.append(usercom._deadline and usercom._deadline - time.monotonic())
            raise client.NotSent

        line = self.line("function")
        for name, click in (
            ("attributes", self.account.action_refresh_attributes),
            ("create_attribute", line.action_create_attribute),
        ):
            with patch.object(client.UserCom, name, note), suppress(UserError):
                click()
        self.assertEqual(len(waits), 2)
        self.assertTrue(all(wait and wait <= 2 for wait in waits), waits)

    def test_repeated_click_makes_no_second_one(self):
        line = self.line("function")
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            usercom.create_attribute("Job Position", "string")  # its answer was lost
        line.action_create_attribute()
        self.assertEqual(line.attribute_id.name_std, "job_position")
        names = [each["name_std"] for each in self.sim.attributes()]
        self.assertEqual(names.count("job_position"), 1)

    def test_several_choices_are_asked_for(self):
        with client.UserCom(self.sim.url, self.sim.key) as usercom:
            made = usercom.create_attribute("Tags", "fixed", choices=["a", "b"], multiple=True)
        self.assertTrue(made.multiple)
        self.assertEqual(made.choices, ("a", "b"))


@tagged("post_install", "-at_install")
class TestCarrying(MappingCase):
    def setUp(self):
        super().setUp()
        self.people = self.make_linked()
        self.people |= self.make_linked(name="Anna Testowa", email="anna@example.com")

    def wizard(self):
        action = self.account.action_carry()
        wizard = self.env["usercom.carry"].with_context(**action["context"]).create({})
        return wizard

    def test_count_is_shown_before_and_nothing_happens_until_then(self):
        self.line("function", self.attribute())
        self.make_partner(name="Not linked", email="not@example.com")
        self.changes().unlink()
        self.assertTrue(self.account.has_to_carry)
        wizard = self.wizard()
        self.assertEqual(wizard.count, 2)
        self.assertEqual(wizard.line_ids.mapped("odoo_field"), ["function"])
        self.assertFalse(self.changes())
        wizard.action_carry()
        self.assertEqual(set(self.changes().mapped("partner_res_id")), set(self.people.ids))
        self.assertFalse(self.account.has_to_carry)

    def test_what_comes_in_is_read(self):
        self.line("function", self.attribute(), direction="in")
        self.wizard().action_carry()
        self.assertEqual(len(self.pings()), 2)
        self.assertFalse(self.changes())

    def test_what_goes_out_is_not_read(self):
        self.line("function", self.attribute(), direction="out")
        self.wizard().action_carry()
        self.assertFalse(self.pings())
        self.assertEqual(len(self.changes()), 2)

    def test_one_statement_however_many(self):
        line = self.line("function", self.attribute(), direction="out")
        wizard = self.wizard()
        self.env.flush_all()
        with patch.object(
            type(self.env.cr), "execute", autospec=True, side_effect=type(self.env.cr).execute
        ) as execute:
            wizard.action_carry()
        inserts = [
            call for call in execute.call_args_list if "INSERT INTO" in str(call.args[1].code)
        ]
        self.assertEqual(len(inserts), 1)
        self.assertFalse(line.to_carry)

    def test_lines_of_companies_leave_people_alone(self):
        self.line(
            "vat",
            self.attribute("Tax", content_type="company"),
            kind=mapping.COMPANY,
            direction="out",
        )
        self.assertEqual(self.wizard().count, 0)

    def test_contacts_that_are_gone_are_left_alone(self):
        self.binding(self.people[0]).state = "gone"
        self.line("function", self.attribute())
        self.assertEqual(self.wizard().count, 1)

    def test_another_field_of_odoo_meets_the_attribute_for_the_first_time(self):
        """Its blanks were never filled: they wipe nothing, whatever the other field once sent."""
        [jan, anna] = self.people
        line = self.line("function", self.attribute())
        jan.function, anna.function = "Sales", "Advice"
        self.push()
        anna.ref = "A1"
        line.odoo_field = "ref"
        self.wizard().action_carry()
        self.push()
        self.pull()
        self.push()
        self.assertEqual((jan.ref, jan.function), ("Sales", "Sales"))
        self.assertEqual(self.there(jan)["attributes"]["shoe_size"], "Sales")
        self.assertEqual((anna.ref, self.there(anna)["attributes"]["shoe_size"]), ("A1", "A1"))

    def test_so_does_another_line_in_the_place_of_one_that_was_removed(self):
        jan = self.people[0]
        line = self.line("function", self.attribute())
        jan.function = "Sales"
        self.push()
        attribute = line.attribute_id
        line.unlink()
        self.line("ref", attribute, direction="out")
        self.wizard().action_carry()
        self.push()
        self.assertEqual(self.there(jan)["attributes"]["shoe_size"], "Sales")

    def test_a_direction_that_is_opened_brings_what_was_edited_there_before(self):
        jan, anna = self.people
        line = self.line("function", self.attribute(), direction="out")
        jan.function = anna.function = "Sales"
        self.push()
        self.sim.edit_contact(int(jan.usercom_id), attributes={"shoe_size": "Advice"})
        for person in self.people:
            self.ping(person.usercom_id)
        self.pull()
        self.assertEqual(jan.function, "Sales")
        line.direction = "both"
        self.wizard().action_carry()
        self.push()
        self.pull()
        self.push()
        self.assertEqual((jan.function, anna.function), ("Advice", "Sales"))
        self.assertEqual(self.there(jan)["attributes"]["shoe_size"], "Advice")

    def test_changed_line_is_offered_again(self):
        line = self.line("function", self.attribute(), direction="out")
        self.wizard().action_carry()
        line.sequence = 3
        self.assertFalse(self.account.has_to_carry)
        line.direction = "both"
        self.assertTrue(self.account.has_to_carry)

    def test_paused_line_is_not_carried(self):
        self.line("function")
        wizard = self.wizard()
        self.assertFalse(wizard.line_ids)
        self.assertEqual(wizard.count, 0)
