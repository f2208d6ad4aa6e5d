"""Every way in which core changes a mapped field of a contact leaves a change row, and no other."""

from contextlib import contextmanager
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.http import Request
from odoo.service.model import execute_cr
from odoo.tests import Form, HttpCase, TransactionCase, new_test_user, tagged

EMAIL = b"""\
From: "Nina Nowa" <Nina@Example.com>
To: contacts@my.example.com
Subject: Please add me
Message-Id: <capture-1@example.com>
Date: Mon, 02 Mar 2026 10:00:00 +0000
Content-Type: text/plain

Hello
"""


class Capturing:
    """What the classes below share: a running account and a look at the rows."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = cls.env["usercom.account"].create({"name": "Test", "subdomain": "acme"})
        cls.account.state = "running"
        cls.partners = cls.env["res.partner"]
        cls.pl, cls.de = cls.env.ref("base.pl"), cls.env.ref("base.de")
        cls.jan = cls.partners.create({"name": "Jan Testowy", "email": "jan@example.com"})
        cls.firm = cls.partners.create({"name": "Firma", "is_company": True})
        cls.anna, cls.ola = cls.partners.create(
            [
                {"name": "Anna", "email": "anna@example.com", "parent_id": cls.firm.id},
                {"name": "Ola", "email": "ola@example.com", "parent_id": cls.firm.id},
            ]
        )
        cls.billing = cls.partners.create(
            {"name": "Billing", "type": "invoice", "parent_id": cls.firm.id, "city": "Kraków"}
        )
        cls.forget_rows()

    @classmethod
    def forget_rows(cls):
        cls.env.cr.flush()
        cls.env["usercom.change"].search([]).unlink()
        cls.env.cr.flush()

    def rows(self):
        """The rows this transaction would commit, as sorted (account, contact) pairs."""
        self.env.cr.flush()  # what a commit begins with
        changes = self.env["usercom.change"].search([])
        return sorted((row.account_res_id, row.partner_res_id) for row in changes)

    def assert_rows(self, partners):
        """Exactly these contacts have been noted, each once. Then forget them."""
        self.assertEqual(self.rows(), [(self.account.id, id_) for id_ in sorted(partners.ids)])
        self.forget_rows()

    @contextmanager
    def nothing_noted(self):
        yield
        self.assertEqual(self.rows(), [])


@tagged("post_install", "-at_install")
class TestCapture(Capturing, TransactionCase):
    # The plain ways

    def test_create(self):
        one = self.partners.create({"name": "One"})
        self.assert_rows(one)
        many = self.partners.create([{"name": f"P{i}"} for i in range(5)])
        self.assert_rows(many)
        # Also one that leaves nothing to be computed after the insertion.
        self.assert_rows(self.partners.create({"name": "Two", "partner_share": True}))

    def test_write_of_each_field(self):
        for name, value in {
            "name": "Jan Nowy",
            "email": "new@example.com",
            "phone": "+48 600 100 200",
            "city": "Gdynia",
            "country_id": self.pl.id,
            "is_company": True,
            "type": "other",
            "company_id": self.env.company.id,
            "parent_id": self.firm.id,
            "active": False,
        }.items():
            with self.subTest(name):
                self.jan.write({name: value})
                self.assert_rows(self.jan)

    def test_list_of_records(self):
        tags = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "tags")], limit=1
        )
        self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "category_id",
                "attribute_id": tags.id,
                "direction": "out",
            }
        )
        self.env["usercom.change"].search([]).unlink()
        gold = self.env["res.partner.category"].create({"name": "Gold"})
        (self.jan | self.ola).category_id = gold
        self.assert_rows(self.jan | self.ola)
        self.jan.write({"category_id": [Command.clear()]})
        self.assert_rows(self.jan)

    def test_removal(self):
        self.jan.email = False
        self.assert_rows(self.jan)

    def test_assignment_and_many_edits_are_one_row(self):
        self.jan.city = "Gdynia"
        self.env.flush_all()
        self.jan.city = "Sopot"
        self.env.flush_all()
        self.jan.name = "Jan Nowy"
        self.assert_rows(self.jan)

    def test_created_and_edited_at_once_is_one_row(self):
        partner = self.partners.create({"name": "One"})
        partner.city = "Gdynia"
        self.assert_rows(partner)

    def test_the_same_value_again(self):
        with self.nothing_noted():
            self.jan.write({"name": "Jan Testowy", "email": "jan@example.com", "city": False})

    def test_a_field_that_is_not_mapped(self):
        with self.nothing_noted():
            self.jan.write({"comment": "x", "function": "CEO", "ref": "7", "vat": "PL1234567883"})
            self.jan.write({"lang": "en_US", "street2": "Długa 1", "function": "Boss"})
            self.jan.message_post(body="Hello")

    def test_two_contacts_each_with_their_own_field(self):
        self.jan.city = "Gdynia"
        self.anna.comment = "x"
        self.ola.email = "ola@example.org"
        self.assert_rows(self.jan | self.ola)

    def test_copy(self):
        self.assert_rows(self.jan.copy())

    def test_archive_and_unarchive(self):
        self.jan.action_archive()
        self.assert_rows(self.jan)
        self.jan.action_unarchive()
        self.assert_rows(self.jan)

    def test_name_create_and_find_or_create(self):
        self.assert_rows(self.partners.browse(self.partners.name_create("Ewa <ewa@ex.com>")[0]))
        self.assert_rows(self.partners.find_or_create("Iza <iza@example.com>"))
        with self.nothing_noted():
            self.assertEqual(self.partners.find_or_create("jan@example.com"), self.jan)

    def test_delete(self):
        gone = self.jan.browse(self.jan.id)
        self.jan.unlink()
        self.assert_rows(gone)  # so that the push drops whatever waits for it

    def test_consent(self):
        namesake = self.jan.copy({"email": "JAN@example.com"})
        self.forget_rows()
        self.jan.usercom_email_consent = "given"
        self.assert_rows(self.jan)
        self.jan.usercom_email_consent = "withdrawn"
        self.assert_rows(self.jan | namesake)

    # Screens, files and calls

    def test_form(self):
        with Form(self.jan) as form:
            form.phone = "+48 600 100 200"
            form.country_id = self.pl
        self.assert_rows(self.jan)
        with Form(self.partners) as form:
            form.name = "From a form"
        self.assert_rows(form.record)

    def test_form_of_a_company_with_a_new_person_in_it(self):
        with Form(self.firm) as form, form.child_ids.new() as line:
            line.name = "Iga"
        self.assert_rows(self.firm.child_ids - self.anna - self.ola - self.billing)

    def test_an_onchange_alone(self):
        with self.nothing_noted():
            form = Form(self.jan)
            form.parent_id = self.firm
            form.country_id = self.de
            values = {"name": "x", "parent_id": self.firm.id}
            self.jan.onchange(values, ["parent_id"], {name: {} for name in values})
            self.partners.new({"name": "x", "city": "y"}, origin=self.jan).city = "z"
            self.env.flush_all()

    def test_import(self):
        fields = ["id", "name", "email", "city"]
        done = self.partners.load(
            fields,
            [
                ["__import__.iga", "Iga", "iga@example.com", "Gdynia"],
                ["__import__.ida", "Ida", "ida@example.com", "Sopot"],
            ],
        )
        self.assertFalse(done["messages"])
        iga, ida = self.partners.browse(done["ids"])
        self.assert_rows(iga | ida)
        self.partners.load(
            fields,
            [
                ["__import__.iga", "Iga", "iga@example.com", "Gdynia"],
                ["__import__.ida", "Ida", "ida@example.com", "Gdańsk"],
            ],
        )
        self.assert_rows(ida)

    def test_import_of_people_into_a_company(self):
        self.firm.city = "Łódź"
        self.forget_rows()
        done = self.partners.load(
            ["name", "parent_id/.id"], [["Iga", str(self.firm.id)], ["Ida", str(self.firm.id)]]
        )
        new = self.partners.browse(done["ids"])
        self.assertEqual(new.mapped("city"), ["Łódź", "Łódź"])
        self.assert_rows(new)

    def test_import_that_fails_leaves_no_row(self):
        with self.nothing_noted():
            done = self.partners.load(["name", "country_id"], [["Iga", ""], ["Ida", "Nowhere"]])
            self.assertFalse(done["ids"])

    def test_rpc(self):
        with self.enter_registry_test_mode():
            uid = self.env.ref("base.user_admin").id

            def call(method, *args):
                with self.registry.cursor() as cr:
                    return execute_cr(cr, uid, "res.partner", method, args, {})

            [created] = call("create", [{"name": "From afar"}])
            self.assert_rows(self.partners.browse(created))
            call("write", [created], {"city": "Gdynia"})
            self.assert_rows(self.partners.browse(created))
            call("web_save", [created], {"comment": "x"}, {"name": {}})
            self.assertEqual(self.rows(), [])
            call("web_save", [created], {"city": "Sopot"}, {"name": {}})
            self.assert_rows(self.partners.browse(created))

    # Parents, children and siblings

    def test_an_address_goes_down(self):
        self.firm.city = "Gdynia"
        self.assertEqual((self.anna | self.ola).mapped("city"), ["Gdynia", "Gdynia"])
        self.assert_rows(self.firm | self.anna | self.ola)
        self.assertEqual(self.billing.city, "Kraków")

    def test_an_address_goes_up_and_to_the_siblings(self):
        self.anna.write({"city": "Sopot"})
        self.assertEqual((self.firm | self.ola).mapped("city"), ["Sopot", "Sopot"])
        self.assert_rows(self.firm | self.anna | self.ola)

    def test_an_address_that_is_not_mapped_goes_anywhere(self):
        with self.nothing_noted():
            self.firm.write({"street2": "Długa 1"})
            self.assertEqual(self.anna.street2, "Długa 1")

    def test_only_those_whose_address_really_changes(self):
        self.firm.city = "Gdynia"
        self.forget_rows()
        self.anna.with_context(_partners_skip_fields_sync=True)._update_address({"city": "Hel"})
        self.assert_rows(self.anna)
        self.firm.write({"country_id": self.pl.id, "city": "Gdynia"})
        self.assertEqual(self.anna.country_id, self.pl)
        self.assert_rows(self.firm | self.anna | self.ola)

    def test_a_person_who_joins_takes_the_address(self):
        self.firm.city = "Gdynia"
        self.forget_rows()
        self.jan.parent_id = self.firm
        self.assertEqual(self.jan.city, "Gdynia")
        self.assert_rows(self.jan)

    def test_the_first_person_gives_the_company_an_address(self):
        for how in ("create", "import"):
            with self.subTest(how):
                firm = self.partners.create({"name": "Nowa", "is_company": True})
                self.forget_rows()
                if how == "create":
                    vals = {"name": "Iga", "parent_id": firm.id, "city": "Hel"}
                    person = self.partners.create(vals)
                else:
                    done = self.partners.load(
                        ["name", "parent_id/.id", "city"], [["Ida", str(firm.id), "Hel"]]
                    )
                    person = self.partners.browse(done["ids"])
                self.assertEqual(firm.city, "Hel")
                self.assert_rows(firm | person)

    def test_a_company_made_out_of_a_person(self):
        self.jan.write({"company_name": "Jan i Syn", "city": "Hel"})
        self.forget_rows()
        self.jan.create_company()
        self.assert_rows(self.jan | self.jan.parent_id)

    def test_commercial_fields_are_not_mapped(self):
        with self.nothing_noted():
            self.firm.vat = "PL1234567883"
            self.assertEqual(self.anna.vat, "PL1234567883")
            self.anna.vat = "PL5260001246"
            self.assertEqual(self.firm.vat, "PL5260001246")

    def test_company_of_a_tree(self):
        self.firm.company_id = self.env.company
        self.assert_rows(self.firm | self.anna | self.ola | self.billing)

    # Users and companies

    def test_user(self):
        user = new_test_user(self.env, "capture_user", email="u@example.com")
        self.assert_rows(user.partner_id)
        user.write({"email": "v@example.com"})
        self.assert_rows(user.partner_id)
        user.name = "Somebody Else"
        self.assert_rows(user.partner_id)
        with self.nothing_noted():
            user.signature = "x"

    def test_a_user_of_their_own_account(self):
        user = new_test_user(self.env, "capture_user")
        self.forget_rows()
        user.with_user(user).write({"email": "w@example.com"})
        self.assert_rows(user.partner_id)

    def test_one_who_ceases_to_be_a_colleague(self):
        # From then on the contact takes part.
        user = new_test_user(self.env, "capture_user", email="u@example.com")
        self.forget_rows()
        user.active = False
        self.assertTrue(user.partner_id.partner_share)
        self.assert_rows(user.partner_id)

    def test_company(self):
        company = self.env["res.company"].create({"name": "Second"})
        self.assert_rows(company.partner_id)
        for name, value in {
            "name": "Second Ltd",
            "email": "second@example.com",
            "phone": "+48 58 123 45 67",
            "city": "Gdynia",
            "country_id": self.pl.id,
        }.items():
            with self.subTest(name):
                company.write({name: value})
                self.assert_rows(company.partner_id)

    def test_sign_up(self):
        self.env["ir.config_parameter"].set_param("auth_signup.invitation_scope", "b2c")
        values = {"login": "nina@example.com", "name": "Nina", "password": "nina12345"}
        self.env["res.users"].signup(values)
        user = self.env["res.users"].search([("login", "=", "nina@example.com")])
        self.assert_rows(user.partner_id)

    # Mail

    def test_mail_gateway(self):
        id_ = self.env["mail.thread"].message_process("res.partner", EMAIL)
        partner = self.partners.browse(id_)
        self.assertTrue(partner.exists())
        self.assertEqual(partner.email_normalized, "nina@example.com")
        self.assert_rows(partner)

    def test_correspondents(self):
        found = self.jan._partner_find_from_emails_single(
            ["jan@example.com", "Zoe <zoe@example.com>"]
        )
        self.assert_rows(found - self.jan)

    # Merging

    def test_merge(self):
        wizard = self.env["base.partner.merge.automatic.wizard"]
        double = self.jan.copy({"name": "Jan T.", "phone": "+48 600 100 200"})
        self.forget_rows()
        both = self.jan | double
        wizard._merge(both.ids, self.jan)
        self.assertEqual(self.jan.phone, "+48 600 100 200")
        self.assert_rows(both)

    def test_merge_that_hands_over_the_binding_alone(self):
        wizard = self.env["base.partner.merge.automatic.wizard"]
        double = self.jan.copy({"name": "Jan T."})
        bindings = self.env["usercom.binding"]
        binding = bindings.create(bindings._vals_new(self.account, double))
        binding.write({"usercom_id": "7", "state": "linked", "base_odoo": {"name": "Jan T."}})
        self.forget_rows()
        both = self.jan | double
        wizard._merge(both.ids, self.jan)
        self.env.invalidate_all()
        self.assertEqual(binding.partner_id, self.jan)
        # Core's savepoints write rows in between, so there may be two of one contact.
        self.assertEqual({partner_id for _account, partner_id in self.rows()}, set(both.ids))

    # Accounts

    def test_paused_account(self):
        self.account.action_pause()
        self.assertEqual(self.account.state, "paused")
        self.jan.city = "Gdynia"
        self.assert_rows(self.jan)

    def test_a_row_for_each_account(self):
        second = self.account.copy({"name": "Second", "subdomain": "second"})
        third = self.account.copy({"name": "Third", "subdomain": "third"})
        second.state, third.state = "paused", "connected"
        (self.jan | self.anna).write({"email": "same@example.com"})
        wanted = [
            (account.id, partner.id)
            for account in self.account | second
            for partner in self.jan | self.anna
        ]
        self.assertEqual(self.rows(), sorted(wanted))

    def test_no_account_or_none_that_was_started(self):
        for state in ("draft", "connected"):
            with self.subTest(state), self.nothing_noted():
                self.account.state = state
                self.jan.city = f"Gdynia {state}"
        with self.subTest("archived"), self.nothing_noted():
            self.account.write({"state": "running", "active": False})
            self.jan.city = "Gdynia archived"
        with self.subTest("none"), self.nothing_noted():
            self.account.unlink()
            self.jan.city = "Gdynia none"

    # Savepoints and failures

    def test_a_savepoint_that_is_rolled_back(self):
        self.jan.city = "Gdynia"
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.anna.email = "lost@example.com"
            self.partners.create({"name": "Lost"})
            self.env.flush_all()
            raise ValidationError("x")
        self.assert_rows(self.jan)
        self.assertEqual(self.anna.email, "anna@example.com")

    def test_a_savepoint_that_is_kept(self):
        self.jan.city = "Gdynia"
        with self.env.cr.savepoint():
            self.anna.email = "kept@example.com"
        self.ola.email = "later@example.com"
        self.assert_rows(self.jan | self.anna | self.ola)

    def test_an_edit_on_both_sides_of_a_failure(self):
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.jan.city = "lost"
            self.env.flush_all()
            raise ValidationError("x")
        self.jan.city = "Gdynia"
        self.assert_rows(self.jan)

    # Cost

    def queries(self, edit):
        """How many queries an edit takes, with its flush."""
        self.env.cr.flush()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        edit()
        self.env.cr.flush()
        return self.env.cr.sql_log_count - before

    def added_queries(self, edit):
        """How many of them are the capture's; ``edit`` takes the number of its call."""
        self.queries(lambda: edit(0))
        with patch.object(self.registry["res.partner"], "_usercom_enqueue", lambda self: None):
            without = self.queries(lambda: edit(1))
        self.forget_rows()
        with_capture = self.queries(lambda: edit(2))
        return with_capture - without

    def test_an_edit_without_a_mapped_field_costs_nothing(self):
        self.assertEqual(self.added_queries(lambda i: self.jan.write({"comment": f"{i}"})), 0)
        self.assertEqual(self.rows(), [])

    def test_a_hundred_contacts_cost_one_query(self):
        hundred = self.partners.create([{"name": f"P{i}"} for i in range(100)])
        self.assertEqual(self.added_queries(lambda i: hundred.write({"email": f"{i}@a.pl"})), 1)
        self.assert_rows(hundred)
        create = [{"name": f"C{i}"} for i in range(100)]
        self.assertEqual(self.added_queries(lambda _i: self.partners.create(create)), 1)
        self.assertEqual(len(self.rows()), 100)

    def test_a_family_costs_one_query(self):
        self.assertEqual(self.added_queries(lambda i: self.anna.write({"city": f"{i}"})), 1)

    def test_without_a_started_account_there_is_no_query(self):
        self.account.state = "draft"
        self.assertEqual(self.added_queries(lambda i: self.jan.write({"city": f"{i}"})), 0)
        self.account.unlink()
        self.assertEqual(self.added_queries(lambda i: self.jan.write({"city": f"{i}"})), 0)
        self.assertEqual(self.rows(), [])


@tagged("post_install", "-at_install")
class TestCaptureOverHttp(Capturing, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(
            cls.env,
            "capture_portal",
            groups="base.group_portal",
            name="Pola Portal",
            email="pola@example.com",
            phone="+48 600 100 200",
            street="Długa 1",
            city="Gdynia",
            zip="81-001",
            country_id=cls.pl.id,
        )
        cls.forget_rows()

    def submit(self, partner, **changed):
        form = {
            "name": partner.name,
            "email": partner.email,
            "phone": partner.phone,
            "street": partner.street,
            "street2": partner.street2 or "",
            "city": partner.city,
            "zip": partner.zip,
            "country_id": partner.country_id.id,
            "partner_id": partner.id,
        }
        form |= changed | {"csrf_token": Request.csrf_token(self)}
        answer = self.url_open("/my/address/submit", data=form)
        self.assertEqual(answer.status_code, 200)
        self.assertIn("redirectUrl", answer.json())
        self.env.invalidate_all()

    def test_portal_account(self):
        self.authenticate("capture_portal", "capture_portal")
        partner = self.user.partner_id
        self.assertEqual(self.url_open("/my/account").status_code, 200)
        self.assertEqual(self.rows(), [])
        self.submit(partner, city="Sopot", use_delivery_as_billing="true")
        self.assertEqual(partner.city, "Sopot")
        self.assert_rows(partner)
        self.submit(partner, street2="Krótka 2")
        self.assertEqual((partner.street2, self.rows()), ("Krótka 2", []))

    def test_portal_new_address(self):
        self.authenticate("capture_portal", "capture_portal")
        self.submit(self.user.partner_id, partner_id="", name="Mama", address_type="delivery")
        [new] = self.user.partner_id.child_ids
        self.assert_rows(new)

    def test_web_client(self):
        self.authenticate("admin", "admin")
        self.make_jsonrpc_request(
            "/web/dataset/call_kw/res.partner/web_save",
            {
                "model": "res.partner",
                "method": "web_save",
                "args": [self.jan.ids, {"city": "Gdynia"}],
                "kwargs": {"specification": {"city": {}}},
            },
        )
        self.env.invalidate_all()
        self.assertEqual(self.jan.city, "Gdynia")
        self.assert_rows(self.jan)

    def test_sign_up_page(self):
        self.env["ir.config_parameter"].set_param("auth_signup.invitation_scope", "b2c")
        self.authenticate(None, None)
        self.url_open(
            "/web/signup",
            data={
                "login": "nina@example.com",
                "name": "Nina",
                "password": "nina12345",
                "confirm_password": "nina12345",
                "csrf_token": Request.csrf_token(self),
            },
        )
        self.env.invalidate_all()
        user = self.env["res.users"].search([("login", "=", "nina@example.com")])
        self.assertTrue(user)
        self.assert_rows(user.partner_id)
