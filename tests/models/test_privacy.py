"""What the account keeps to itself, and what it tells: secrets, companies, counts, sentences."""

import logging
import re
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from odoo.addons.usercom_connector.models import usercom_sentence
from odoo.addons.usercom_connector.sync import converters
from odoo.exceptions import UserError
from odoo.tests.common import HttpCase, JsonRpcException, new_test_user, tagged

from .common import SyncCase
from .test_concurrency import Database

KEY = "K3y" * 21 + "X"
NOW = "2026-03-01 12:00:00"


@contextmanager
def captured_log():
    """All that is logged inside, of every level, as it would be printed."""
    lines = []

    class Collector(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.levelname} {self.format(record)}")

    collector = Collector(logging.DEBUG)
    logging.getLogger().addHandler(collector)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(collector)


# === THE KEY STAYS OUT OF THE LOG === #


@tagged("post_install", "-at_install")
class TestKeyInTheWrongField(HttpCase):
    @pytest.mark.expected_log("no User.com subdomain")
    def test_is_not_logged(self):
        account = self.env["usercom.account"].create({"name": "A", "subdomain": "acme"})
        self.authenticate("admin", "admin")
        for method, args in (
            ("create", [[{"name": "B", "subdomain": KEY}]]),
            ("write", [account.ids, {"subdomain": KEY}]),
        ):
            with self.subTest(method), captured_log() as lines:
                with self.assertRaises(JsonRpcException):
                    self.make_jsonrpc_request(
                        f"/web/dataset/call_kw/usercom.account/{method}",
                        {
                            "model": "usercom.account",
                            "method": method,
                            "args": args,
                            "kwargs": {},
                        },
                    )
                self.assertTrue([line for line in lines if "no User.com subdomain" in line])
                self.assertFalse([line for line in lines if KEY in line])


@pytest.fixture
def database(databases):
    with Database.of(databases) as database:
        yield database


def test_key_is_not_logged_when_somebody_else_writes_the_account(database):
    with database.open() as env:
        database.account(env).name  # noqa: B018 (the transaction begins to look)
        with database.transaction() as other:
            database.account(other).name = "Renamed"
        with captured_log() as lines, pytest.raises(Exception, match="could not serialize"):
            database.account(env).rest_key_input = KEY
            env.flush_all()
    assert any("values are withheld" in line for line in lines)
    assert not [line for line in lines if KEY in line]
    with database.open() as env:
        database.account(env).rest_key_input = KEY
        assert database.account(env).sudo().rest_key == KEY


# === COMPANIES === #


class TestCompanies(SyncCase):
    """Two companies, each with an account and a manager, and an account for both."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Odoo leaves it to the administrator whether contacts are shared by all companies.
        cls.env.ref("base.res_partner_rule").active = True
        cls.mine, cls.theirs = cls.env["res.company"].create([{"name": "Mine"}, {"name": "Theirs"}])
        cls.managers = {
            company: new_test_user(
                cls.env,
                f"manager-{company.id}",
                groups="usercom_connector.group_usercom_manager,base.group_multi_company",
                company_id=company.id,
                company_ids=[(6, 0, company.ids)],
            )
            for company in (cls.mine, cls.theirs)
        }
        cls.accounts = {
            company: cls.env["usercom.account"].create(
                {"name": company.name, "subdomain": "acme", "company_id": company.id}
            )
            for company in (cls.mine, cls.theirs)
        }
        cls.people = {
            company: cls.env["res.partner"].create(
                {"name": f"{company.name} Person", "company_id": company.id}
            )
            for company in (cls.mine, cls.theirs)
        }
        cls.both = new_test_user(
            cls.env,
            "manager-of-both",
            groups="usercom_connector.group_usercom_manager,base.group_multi_company",
            company_id=cls.mine.id,
            company_ids=[(6, 0, (cls.mine | cls.theirs).ids)],
        )
        cls.env["usercom.change"].search([]).unlink()

    def seen(self, user, model, fields, companies=None, domain=()):
        """What the lists and forms of somebody show."""
        records = self.env[model].with_user(user)
        if companies:
            records = records.with_context(allowed_company_ids=companies.ids)
        specification = {name: {} for name in fields} | {"display_name": {}}
        for name in fields:
            if records._fields[name].type == "many2one":
                specification[name] = {"fields": {"display_name": {}}}
        self.env.invalidate_all()
        return records.web_search_read(list(domain), specification)["records"]

    def fill(self):
        changes, pings = self.env["usercom.change"], self.env["usercom.ping"]
        for company, account in self.accounts.items():
            person = self.people[company].id
            changes.create({"account_res_id": account.id, "partner_res_id": person, "due_at": NOW})
            pings._append([(account.id, "email", f"{company.id}@example.com")])
            for model in (changes, pings):
                rows = model.search([("account_res_id", "=", account.id)])
                rows._park("several_here", partner_ids=[person])
            self.env["usercom.stream"]._of(account, "push")

    def test_each_manager_sees_the_rows_of_the_own_company(self):
        self.fill()
        for company, manager in self.managers.items():
            other = self.theirs if company == self.mine else self.mine
            for model, fields in (
                ("usercom.change", ("account_id", "partner_id", "problem", "has_contacts")),
                ("usercom.ping", ("account_id", "value", "problem", "has_contacts")),
                ("usercom.stream", ("account_id", "direction")),
            ):
                with self.subTest(model=model, company=company.name):
                    [row] = self.seen(manager, model, fields)
                    self.assertEqual(row["account_id"]["display_name"], company.name)
                    self.assertIn(company.name, str(row))
                    self.assertNotIn(other.name, str(row))
                    hidden = self.env[model].search([("account_id", "=", self.accounts[other].id)])
                    self.assertEqual(len(hidden), 1)
                    self.assertFalse(hidden.with_user(manager).has_access("read"))

    def test_who_has_both_companies_sees_those_that_are_switched_on(self):
        self.fill()
        for model in ("usercom.change", "usercom.ping", "usercom.stream"):
            with self.subTest(model=model):
                both = self.mine | self.theirs
                self.assertEqual(len(self.seen(self.both, model, ["account_id"], both)), 2)
                [row] = self.seen(self.both, model, ["account_id"], self.theirs)
                self.assertEqual(row["account_id"]["display_name"], "Theirs")

    def test_rows_can_be_filtered_by_account(self):
        self.fill()
        manager = self.managers[self.mine]
        for model in ("usercom.change", "usercom.ping"):
            for value, number in (("Mine", 1), ("Theirs", 0)):
                with self.subTest(model=model, value=value):
                    domain = [("account_id", "ilike", value)]
                    self.assertEqual(len(self.seen(manager, model, [], domain=domain)), number)
            account = self.accounts[self.mine]
            account.active = False
            self.assertEqual(len(self.seen(manager, model, ["account_id"])), 1)
            account.active = True

    def test_rows_of_a_deleted_account_are_shown_to_nobody(self):
        self.fill()
        self.accounts[self.theirs].unlink()
        for manager in self.managers.values():
            for model in ("usercom.change", "usercom.ping"):
                names = [row["account_id"] for row in self.seen(manager, model, ["account_id"])]
                self.assertNotIn(False, names)

    def test_shared_account_names_nobody_of_another_company(self):
        person, mine = self.people[self.theirs], self.people[self.mine]
        self.env["usercom.change"].create(
            {"account_res_id": self.account.id, "partner_res_id": person.id, "due_at": NOW}
        )
        self.changes()._park("several_here", partner_ids=[person.id, mine.id])
        bindings = self.env["usercom.binding"]
        bindings.create(bindings._vals_new(self.account, person)).usercom_id = "77"
        manager = self.managers[self.mine]
        fields = ("account_id", "partner_id", "problem", "has_contacts")
        [row] = self.seen(manager, "usercom.change", fields)
        self.assertNotIn(person.name, str(row))
        self.assertIn(mine.name, row["problem"])
        self.assertIn(str(person.id), row["problem"])
        self.assertEqual(row["display_name"], str(person.id))
        action = self.changes().with_user(manager).action_open_contacts()
        self.assertEqual(action.get("res_id"), mine.id)
        [binding] = self.seen(manager, "usercom.binding", ["usercom_id"])
        self.assertEqual(binding["display_name"], "77")
        [row] = self.seen(self.managers[self.theirs], "usercom.change", fields)
        self.assertEqual(row["display_name"], person.name)
        self.assertEqual(row["partner_id"]["display_name"], person.name)
        self.changes().with_user(manager).action_ignore()
        self.assertFalse(self.changes())

    def test_problem_shown_on_a_contact_names_only_whom_the_reader_may_see(self):
        person, mine = self.people[self.theirs], self.people[self.mine]
        self.env["usercom.change"].create(
            {"account_res_id": self.account.id, "partner_res_id": mine.id, "due_at": NOW}
        )
        self.changes()._park("taken_there", usercom_id="5", partner_id=person.id)
        self.accounts[self.mine].unlink()
        [shown] = self.seen(
            self.managers[self.mine],
            "res.partner",
            ["usercom_problem"],
            domain=[("id", "=", mine.id)],
        )
        self.assertIn(str(person.id), shown["usercom_problem"])
        self.assertNotIn(person.name, shown["usercom_problem"])


# === HOW MANY === #


class TestHowMany(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "counting-manager", groups="usercom_connector.group_usercom_manager"
        )
        cls.env["res.partner"].search(cls.account._participants()).active = False
        cls.account.write({"create_in_odoo": False, "create_in_usercom": False})
        cls.env.flush_all()
        cls.env.cr.precommit.run()
        cls.env["usercom.change"].search([]).unlink()

    def wizard(self, side):
        wizards = self.env["usercom.creation"].with_user(self.manager)
        return wizards.create({"account_id": self.account.id, "side": side})

    def test_a_person_called_about_in_two_ways_is_one(self):
        there = self.sim.add_contact(email="jan@example.com", status="user")
        self.sim.add_contact(email="ola@example.com", status="user")
        self.ping(there["id"])
        self.ping("jan@example.com", lookup="email")
        self.ping("ola@example.com", lookup="email")
        self.pull()
        self.assertEqual(len(self.pings()), 3)
        wizard = self.wizard("odoo")
        self.assertEqual(wizard.count, 2)
        wizard.action_switch_on()
        self.pull()
        self.pull()
        created = self.env["usercom.binding"].search([("origin", "=", "usercom")])
        self.assertEqual(len(created), 2)

    def test_contacts_with_one_address_are_one(self):
        self.make_partner()
        self.make_partner(email="JAN@example.com", name="Jan again")
        self.make_partner(email=False, phone="+48 600 100 200")
        self.make_partner(email=False, phone="+48600100200", name="Again")
        self.make_partner(email="ola@example.com", phone="+48 600 100 200")
        self.assertEqual(self.wizard("usercom").count, 3)

    def test_linked_contacts_are_not_counted_in_whatever_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.env.ref("base.res_partner_rule").active = True
        self.account.create_in_usercom = True
        self.make_linked(company_id=other.id)
        self.account.create_in_usercom = False
        self.make_partner(email="ola@example.com", company_id=other.id)
        self.assertEqual(self.wizard("usercom").count, 1)

    def test_status_does_not_claim_that_anybody_looked(self):
        partner = self.make_partner()
        self.assertRegex(partner.usercom_status, "^Not linked with User.com")
        self.account.create_in_usercom = True
        self.env.invalidate_all()
        self.assertRegex(partner.usercom_status, "^Not linked with User.com")


# === SENTENCES === #


class TestSentences(SyncCase):
    def spoil(self):
        # A form refuses it, so it has come in by another way.
        self.env.cr.execute(
            "UPDATE usercom_account SET subdomain = 'no such' WHERE id = %s", [self.account.id]
        )
        self.env.invalidate_all()

    def test_bad_subdomain_in_the_database_is_named(self):
        self.spoil()
        self.account.action_test_connection()
        self.assertEqual(self.account.check_code, "bad_subdomain")
        self.assertIn("subdomain", self.account.check_result)
        self.assertNotIn("USERCOM_BASE_URL", self.account.check_result)
        action = self.account.action_create_consents()
        self.assertIn("subdomain", action["params"]["message"])

    def test_bad_subdomain_pauses_and_can_be_put_right(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.spoil()
        self.push()
        self.assertEqual((self.account.state, self.account.pause_code), ("paused", "bad_subdomain"))
        self.account.subdomain = "acme"
        with self.assertRaisesRegex(UserError, "make another account"):
            self.account.subdomain = "other"
        self.account.action_test_connection()
        self.assertEqual(self.account.state, "running")
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_senseless_environment_is_still_named(self):
        with patch.dict("os.environ", {"USERCOM_BASE_URL": "ftp://x"}):
            self.account.action_test_connection()
        self.assertEqual(self.account.check_code, "bad_base_url")

    def test_each_value_that_stays_has_its_sentence(self):
        source = Path(converters.__file__).read_text()
        codes = set(re.findall(r'CannotTravel\(\s*"(\w+)"', source))
        for code in re.findall(r'_known\(.*?"(\w+)", (?:there|False)', source):
            codes |= {code} if code.startswith("unknown") else {code, f"{code}_there"}
        codes |= {"too_long", "name_too_long"}
        self.assertLessEqual({"not_a_phone_there", "wrong_type_there", "unknown_region"}, codes)
        facts = {"attribute": "city", "value": "<value>", "limit": 64, "direction": "in"}
        for code in sorted(codes):
            with self.subTest(code):
                self.assertRegex(self.env["usercom.sentence"]._of(code, facts), r"^[^_]+\.$")

    def test_no_sentence_is_said_twice(self):
        source = Path(usercom_sentence.__file__).read_text()
        names = re.findall(r"def (_say_\w+)", source)
        self.assertEqual(len(names), len(set(names)))

    def test_sentences_say_what_to_do(self):
        sentence = self.env["usercom.sentence"]
        for code, deed in {
            "creation_off": "Switch it on",
            "not_taking_part": "give one of the two another address",
            "too_large": "check the subdomain",
            "not_an_email_there": "Correct it in User.com",
            "not_a_phone_there": "Correct it in User.com",
            "other_database": '"Use in this database"',
            "bad_subdomain": "Correct it",
        }.items():
            with self.subTest(code):
                self.assertIn(deed, sentence._of(code))
