"""What happens when User.com, the network or the addon itself fails: design.md, section 8."""

import os
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.models.res_partner import ResPartner
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests.common import new_test_user

from .common import SyncCase

PUT = {"method": "PUT", "path": "/users/:id/"}
GET = {"method": "GET", "path": "/users/:id/"}


class FailureCase(SyncCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "failures-manager", groups="usercom_connector.group_usercom_manager"
        )
        cls.account.user_id = cls.manager

    @contextmanager
    def impatient(self):
        """Calls that time out after a moment."""
        real = client.UserCom.__init__

        def init(usercom, *args, **kwargs):
            real(usercom, *args, **kwargs | {"timeout": (0.4, 0.4)})

        with patch.object(client.UserCom, "__init__", init):
            yield

    def stream(self, direction="push"):
        return self.env["usercom.stream"]._of(self.account, direction)

    def activities(self, account=None):
        return (account or self.account).activity_ids

    def seconds_to(self, moment):
        return (moment - fields.Datetime.now()).total_seconds()


class TestAgainLater(FailureCase):
    """Failures that are to be waited out: the row waits, goes later, and nothing is doubled."""

    def check_push(self, code, attempts=1, **fault):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault(**(PUT | fault))
        with self.impatient():
            self.push()
        [row] = self.changes()
        self.assertEqual((row.problem_code, row.attempts), (code, attempts))
        self.assertTrue(row.due_at)
        self.assertTrue(partner.usercom_problem)
        self.assertEqual(self.account.state, "running")
        self.assertFalse(self.activities())
        self.sim.clear_faults()
        self.make_due()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.changes())
        self.assertFalse(partner.usercom_problem)
        self.assertEqual(self.stream().failures, 0)
        self.assertEqual(len(self.sim.contacts()), 1)

    def test_500(self):
        self.check_push("server", kind="500")

    def test_502(self):
        self.check_push("server", kind="502")

    def test_504_although_it_was_done(self):
        self.check_push("server", kind="504", commit=True)

    def test_404_of_something_else(self):
        """A page that says 404 is a proxy's: only the API's own word means somebody is gone."""
        partner = self.make_linked()
        partner.city = "Gdynia"
        error = client.AgainLater(client.Kind.NOT_FOUND, 404)
        with patch.object(client.UserCom, "update_contact", side_effect=error):
            self.push()
        self.assertEqual(self.changes().problem_code, "not_found")
        self.assertEqual(self.binding(partner).state, "linked")
        self.make_due()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_timeout(self):
        self.check_push("timeout", kind="timeout", seconds=1)

    def test_timeout_although_it_was_done(self):
        self.check_push("timeout", kind="timeout", seconds=1, commit=True)

    def test_dropped(self):
        self.check_push("connection", kind="drop")

    def test_dropped_although_it_was_done(self):
        self.check_push("connection", kind="drop", commit=True)

    def test_half_an_answer(self):
        self.check_push("connection", kind="half")

    def test_not_json(self):
        self.check_push("not_json", kind="not_json")

    def test_redirect(self):
        self.check_push("redirect", kind="redirect")

    def test_a_short_429_is_waited_out_within_the_round(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault("429", **PUT)
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(self.sim.calls.count("PUT", "/users/:id/"), 2)
        self.assertFalse(self.changes())

    def test_429_with_retry_after(self):
        self.check_push("throttled", attempts=0, kind="429", retry_after=30)

    def test_empty_answer_counts_as_done(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault("empty", **PUT)
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.changes())
        self.sim.reset_calls()
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.push()
        self.assertEqual(self.sim.calls.count("PUT"), 0)

    def test_reads(self):
        for number, (code, fault) in enumerate(
            {
                "server": {"kind": "502"},
                "connection": {"kind": "drop"},
                "timeout": {"kind": "timeout", "seconds": 1},
                "not_json": {"kind": "not_json"},
                "redirect": {"kind": "redirect"},
                "throttled": {"kind": "429", "retry_after": 7},
            }.items()
        ):
            with self.subTest(code=code):
                there = self.sim.add_contact(
                    email=f"p{number}@example.com", first_name="P", status="user"
                )
                self.ping(there["id"])
                self.sim.fault(**(GET | fault))
                with self.impatient():
                    self.pull()
                [row] = self.pings()
                self.assertEqual(row.problem_code, code)
                self.assertEqual(row.attempts, 0 if code == "throttled" else 1)
                self.assertTrue(row.due_at)
                self.sim.clear_faults()
                self.make_due()
                self.pull()
                self.assertFalse(self.pings())
                found = self.env["res.partner"].search([("email", "=", f"p{number}@example.com")])
                self.assertEqual(len(found), 1)

    def test_empty_read_is_no_answer(self):
        there = self.sim.add_contact(email="ola@example.com", status="user")
        self.ping(there["id"])
        self.sim.fault("empty", **GET)
        self.pull()
        self.assertEqual(self.pings().problem_code, "not_json")

    def test_waits_grow_and_attempts_are_counted(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault("500", times=None, **PUT)
        waits = []
        for attempt in range(1, 5):
            self.push()
            self.assertEqual(self.changes().attempts, attempt)
            waits.append(self.seconds_to(self.changes().due_at))
            self.make_due()
        self.assertEqual(waits, sorted(waits))
        self.assertGreater(waits[-1], 4 * waits[0])

    def test_new_edits_do_not_forget_the_attempts(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault("500", times=None, **PUT)
        self.push()
        partner.city = "Sopot"
        self.push()
        self.assertEqual(self.changes().attempts, 2)
        self.sim.clear_faults()
        self.make_due()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Sopot")

    def test_retry_after_is_kept(self):
        self.make_linked().city = "Gdynia"
        self.sim.fault("429", retry_after=90, **PUT)
        self.push()
        self.assertAlmostEqual(self.seconds_to(self.changes().due_at), 90, delta=5)
        self.assertAlmostEqual(self.seconds_to(self.stream().rest_until), 90, delta=5)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())

    def test_retry_after_holds_although_others_succeeded(self):
        for number in range(12):
            self.make_partner(name=f"P {number}", email=f"p{number}@example.com")
        self.push()
        for partner in self.env["res.partner"].search([("email", "like", "p%@example.com")]):
            partner.city = partner.name  # not the same: that would be one call
        self.sim.fault("429", after=4, times=None, retry_after=60, **PUT)
        self.push()
        self.assertTrue(self.stream().rest_until)
        self.assertAlmostEqual(self.seconds_to(self.stream().rest_until), 60, delta=5)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())
        self.sim.clear_faults()
        self.make_due()
        self.push()
        self.assertFalse(self.changes())
        self.assertTrue(all(there["city"] == there["name"] for there in self.sim.contacts()))

    def test_rest_after_an_outage_is_short_at_first(self):
        """Calls that fail side by side are one outage, not many in a row."""
        for number in range(12):
            self.make_partner(name=f"P {number}", email=f"p{number}@example.com")
        self.push()
        for partner in self.env["res.partner"].search([("email", "like", "p%@example.com")]):
            partner.city = partner.name  # not the same: that would be one call
        for kind in ("500", "429"):
            with self.subTest(kind=kind):
                self.make_due()
                self.stream()._succeeded()
                self.sim.fault(kind, times=None, **PUT)
                self.push()
                self.assertTrue(self.stream()._is_resting())
                self.assertLess(self.seconds_to(self.stream().rest_until), 15)
                self.sim.clear_faults()

    def test_an_outage_costs_few_calls(self):
        for number in range(60):
            self.make_partner(name=f"P {number}", email=f"p{number}@example.com")
        self.sim.fault("502", times=None)
        self.push()
        self.assertLess(len(self.sim.calls()), 25)
        self.assertTrue(self.stream()._is_resting())
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())
        self.sim.clear_faults()
        for _ in range(3):
            self.make_due()
            self.push()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 60)

    def test_push_and_pull_rest_apart(self):
        partner = self.make_linked()
        for _ in range(3):
            self.stream("push")._failed("server")
        self.sim.edit_contact(int(self.binding(partner).usercom_id), phone_number="+48600100200")
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.assertEqual(partner.phone, "+48 600 100 200")

    def test_a_429_stops_both_ways(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        self.sim.fault("429", retry_after=60, **PUT)
        self.push()
        self.ping(self.binding(partner).usercom_id)
        self.pull()
        self.assertEqual([call["status"] for call in self.sim.calls()], [429])
        self.assertEqual(self.changes().mapped("attempts"), [0])
        self.assertEqual(self.pings().mapped("attempts"), [0])
        self.make_due()
        self.push()
        self.pull()
        self.assertFalse(self.changes() or self.pings())
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_lost_answer_of_a_creation(self):
        for fault in ({"kind": "drop"}, {"kind": "504"}, {"kind": "half"}, {"kind": "not_json"}):
            with self.subTest(fault=fault):
                email = f"{fault['kind']}@example.com"
                partner = self.make_partner(email=email)
                self.sim.fault(method="POST", commit=True, **fault)
                self.push()
                self.assertEqual(self.binding(partner).state, "new")
                partner.email = f"new-{email}"
                self.make_due()
                self.push()
                self.assertEqual(self.binding(partner).state, "linked")
                self.assertEqual(self.there(partner)["email"], f"new-{email}")
                self.assertFalse(self.sim.contacts(email=email))
                self.assertFalse(self.changes())


class TestAccountRefused(FailureCase):
    """The account pauses, asks its responsible once, and goes on after a good test."""

    def check(self, code, break_it, mend):
        partner = self.make_linked()
        other = self.make_partner(email="ola@example.com")
        partner.city = "Gdynia"
        break_it()
        self.push()
        self.assertEqual((self.account.state, self.account.pause_code), ("paused", code))
        self.assertTrue(self.account.pause_reason)
        self.assertEqual(len(self.activities()), 1)
        self.assertEqual(self.activities().user_id, self.manager)
        self.assertEqual(sorted(set(self.changes().mapped("attempts"))), [0])
        self.assertTrue(all(row.due_at for row in self.changes()))
        # Nothing is called, and what happens meanwhile is noted.
        self.sim.reset_calls()
        partner.phone = "+48600100200"
        self.push()
        self.pull()
        self.assertFalse(self.sim.calls())
        self.assertEqual(len(self.activities()), 1)
        # It cannot be started as it is, and a bad test does not start it either.
        account = self.account.with_user(self.manager)
        with self.assertRaises(UserError):
            account.action_start()
        account.action_test_connection()
        self.assertEqual(account.state, "paused")
        mend()
        account.action_test_connection()
        self.assertEqual((account.state, account.pause_code), ("running", False))
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(self.there(other)["email"], "ola@example.com")
        self.assertFalse(self.changes())
        self.assertEqual(len(self.activities()), 0, "somebody is told that it is over")

    def test_401(self):
        self.check(
            "unauthorised",
            lambda: self.sim.fault("401", times=None),
            self.sim.clear_faults,
        )

    def test_403(self):
        self.check(
            "forbidden",
            lambda: self.sim.switch(refuse_address=True),
            lambda: self.sim.switch(refuse_address=False),
        )

    def test_401_while_reading(self):
        partner = self.make_linked()
        self.ping(self.binding(partner).usercom_id)
        self.sim.fault("401", times=None)
        self.pull()
        self.assertEqual(self.account.state, "paused")
        self.assertEqual(len(self.activities()), 1)
        [row] = self.pings()
        self.assertTrue(row.due_at)
        self.assertEqual(row.attempts, 0)

    def test_one_activity_however_many_calls_failed(self):
        for number in range(30):
            self.make_partner(email=f"p{number}@example.com")
        self.sim.fault("401", times=None)
        self.push()
        self.pull()
        self.assertEqual(len(self.activities()), 1)

    def test_account_without_a_key_stops_no_other(self):
        partner = self.make_linked()
        other = self.env["usercom.account"].create({"name": "A", "subdomain": "a", "sequence": 1})
        self.connect(other)
        other.sudo().rest_key = False
        partner.city = "Gdynia"
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertEqual(other.state, "paused")
        self.assertTrue(other.pause_reason)
        self.assertEqual(len(self.activities(other)), 1)

    def test_senseless_address_in_the_environment(self):
        partner = self.make_linked()
        partner.city = "Gdynia"
        with patch.dict(os.environ, {"USERCOM_BASE_URL": "ftp://nowhere/x?y"}):
            self.push()
            self.assertEqual(self.account.pause_code, "bad_base_url")
            self.assertTrue(self.account.pause_reason)
        self.account.action_test_connection()
        self.push()
        self.assertEqual(self.there(partner)["city"], "Gdynia")


class TestGone(FailureCase):
    def test_of_the_api_itself(self):
        partner = self.make_linked()
        self.sim.delete_contact(int(self.binding(partner).usercom_id))
        partner.city = "Gdynia"
        self.push()
        self.assertEqual(self.binding(partner).state, "gone")
        self.assertFalse(self.changes())
        self.assertFalse(self.sim.contacts())
        self.assertEqual(self.account.state, "running")


class TestUnforeseen(FailureCase):
    """An exception that nobody foresaw parks one record, and the rest goes on."""

    def setUp(self):
        super().setUp()
        for number in range(6):
            self.make_partner(name=f"Person {number}", email=f"p{number}@example.com")

    def people(self):
        return self.env["res.partner"].search([("email", "like", "p_@example.com")])

    def check_parked(self, rows, bad):
        [row] = rows
        self.assertEqual((row.problem_code, row.due_at), ("unexpected", False))
        self.assertIn("RuntimeError", row.problem)
        self.assertIn("Traceback", row.trace)
        self.assertEqual(row.display_name, bad)

    @contextmanager
    def failing(self, owner, name, for_whom):
        """Let a method raise where ``for_whom`` of its arguments says so, naming the person."""
        real = getattr(owner, name)
        words = "about Person 3, p3@example.com"

        def method(*args, **kwargs):
            if for_whom(*args, **kwargs):
                raise RuntimeError(words)
            return real(*args, **kwargs)

        with self.assertLogs("odoo", "ERROR") as logs, patch.object(owner, name, method):
            yield
        [line] = logs.output
        self.assertIn("RuntimeError", line)
        self.assertNotIn("Person 3", line)
        self.assertNotIn("p3@", line)

    def failing_for_binding(self, name):
        bindings = self.registry["usercom.binding"]
        return self.failing(
            bindings, name, lambda binding, *_: binding.partner_id.name == "Person 3"
        )

    def test_in_a_call(self):
        with self.failing(
            client.UserCom, "upsert_contact", lambda _c, _id, body: body["last_name"] == "3"
        ):
            self.push()
        self.check_parked(self.changes(), "Person 3")
        self.assertEqual(len(self.sim.contacts()), 5)
        # By hand, or by another edit, it goes.
        self.changes().with_user(self.manager).action_retry()
        self.push()
        self.assertEqual(len(self.sim.contacts()), 6)
        self.assertFalse(self.changes())

    def test_while_planning(self):
        with self.failing(
            ResPartner, "_usercom_raw", lambda partner, *_: partner.name == "Person 3"
        ):
            self.push()
        self.check_parked(self.changes(), "Person 3")
        self.assertEqual(len(self.sim.contacts()), 5)

    def test_while_binding(self):
        with self.failing_for_binding("_job"):
            self.push()
        self.check_parked(self.changes(), "Person 3")
        self.assertEqual(len(self.sim.contacts()), 5)

    def test_while_recording(self):
        with self.failing_for_binding("_record_sent"):
            self.push()
        self.check_parked(self.changes(), "Person 3")
        self.assertEqual(len(self.sim.contacts()), 6)
        # The User ID was kept, so trying again makes no second profile.
        self.people().filtered(lambda partner: partner.name == "Person 3").city = "Gdynia"
        self.push()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 6)
        self.assertEqual([c["city"] for c in self.sim.contacts() if c["city"]], ["Gdynia"])

    def test_while_reading(self):
        self.push()
        for contact in self.sim.contacts():
            self.sim.edit_contact(contact["id"], city="Gdynia")
            self.ping(contact["id"])
        with self.failing_for_binding("_move_bases"):
            self.pull()
        [row] = self.pings()
        self.assertEqual((row.problem_code, row.due_at), ("unexpected", False))
        self.assertEqual(len(self.people().filtered("city")), 5)
        row.with_user(self.manager).action_retry()
        self.pull()
        self.assertEqual(len(self.people().filtered("city")), 6)

    def test_contact_deleted_while_its_call_is_under_way(self):
        person = self.people()[:1]
        real = type(self.env["usercom.change"])._record

        def record(rows, *args):
            rows.env["res.partner"].browse(person.id).unlink()
            return real(rows, *args)

        with patch.object(type(self.env["usercom.change"]), "_record", record):
            self.push()
        self.assertFalse(self.changes())
        binding = self.env["usercom.binding"].search([("partner_id", "=", False)])
        self.assertEqual(len(binding), 1)
        self.assertTrue(binding.usercom_id)
        self.assertFalse(binding.base_odoo)
        self.ping(binding.usercom_id)
        self.pull()
        self.assertEqual(len(self.people()), 5)


class TestBatch(FailureCase):
    def test_one_bad_record_of_fifty_stops_nothing(self):
        for number in range(50):
            self.make_partner(name=f"P {number}", email=f"p{number}@example.com")
        # Not a word on which field it is that displeases.
        self.sim.fault("400", method="POST", after=20)
        self.push()
        [row] = self.changes()
        self.assertEqual((row.problem_code, row.due_at), ("refused", False))
        self.assertTrue(row.partner_id.usercom_problem)
        self.assertEqual(len(self.sim.contacts()), 49)
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())
        row.partner_id.city = "Gdynia"
        self.push()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 50)

    def test_one_bad_record_of_fifty_read(self):
        for number in range(50):
            bad = {"email": "jan@example.com"} if number == 20 else {"email": f"p{number}@e.com"}
            self.ping(self.sim.add_contact(first_name="P", status="user", **bad)["id"])
        self.make_partner(name="One")
        self.make_partner(name="Two")
        self.pull()
        [row] = self.pings()
        self.assertEqual(row.problem_code, "several_here")
        self.assertEqual(self.env["res.partner"].search_count([("email", "like", "p%@e.com")]), 49)

    def test_given_up(self):
        self.make_partner()
        self.sim.fault("400", method="POST")
        self.push()
        self.changes().with_user(self.manager).action_ignore()
        self.assertFalse(self.changes())


class TestConnectionTest(FailureCase):
    """The test of the connection names what fails, and never raises."""

    def setUp(self):
        super().setUp()
        self.account = self.account.with_user(self.manager)

    def check(self, code, account=None, kind="danger"):
        account = account or self.account
        action = account.action_test_connection()
        self.assertEqual(account.check_code, code)
        self.assertTrue(account.checked_at)
        self.assertEqual(action["tag"], "display_notification")
        params = action["params"]
        self.assertEqual(params["type"], kind)
        self.assertEqual(params["message"], account.check_result)
        # A sentence, and one that was written for this: no code, nothing left to be filled in.
        self.assertRegex(params["message"], r"^[A-Z][^{}]{30,}\.$")
        self.assertNotIn("%(", params["message"])
        self.assertNotIn(self.sim.key, str(action))
        self.assertTrue(params["title"])
        return params["message"]

    def draft(self, **vals):
        account = (
            self.env["usercom.account"]
            .with_user(self.manager)
            .create({"name": "New", "subdomain": "acme", "rest_key_input": self.sim.key} | vals)
        )
        self.assertEqual(account.state, "draft")
        return account

    def test_works(self):
        account = self.draft()
        self.check("ok", account, "success")
        self.assertEqual(account.state, "connected")
        self.assertEqual(account.database_uuid, account._database_uuid())
        self.assertFalse(account.consent_missing)

    def test_changes_nothing_there(self):
        self.sim.add_contact(email="jan@example.com")
        before = self.sim.contacts()
        self.check("ok", kind="success")
        self.assertEqual(self.sim.contacts(), before)
        self.assertEqual(self.methods(), ["GET", "PUT"])

    def test_consent_attribute_missing(self):
        for attribute in self.sim.attributes():
            self.sim.delete_attribute(attribute["id"])
        account = self.draft()
        self.check("ok", account, "success")
        self.assertTrue(account.consent_missing)
        account.action_create_consents()
        self.assertFalse(account.consent_missing)
        [attribute] = self.sim.attributes()
        self.assertEqual(
            (attribute["name_std"], attribute["value_type"]), ("email_consent", "boolean")
        )

    def test_consent_attribute_of_the_wrong_kind(self):
        for attribute in self.sim.attributes():
            self.sim.delete_attribute(attribute["id"])
        self.sim.add_attribute("email_consent", "string")
        self.check("ok", kind="success")
        self.assertTrue(self.account.consent_missing)

    def test_no_key(self):
        self.check("no_key", self.draft(rest_key_input=False))

    def test_unknown_key(self):
        self.check("unauthorised", self.draft(rest_key_input="x" * 64))

    def test_key_that_may_only_read(self):
        message = self.check("forbidden_write", self.draft(rest_key_input=self.sim.add_key("read")))
        self.assertIn("write", message)

    def test_key_that_may_only_write(self):
        self.check("forbidden_read", self.draft(rest_key_input=self.sim.add_key("write")))

    def test_address_not_allowed(self):
        self.sim.switch(refuse_address=True)
        self.check("forbidden_address")

    def test_faults(self):
        for code, fault in {
            "server": {"kind": "502"},
            "connection": {"kind": "drop"},
            "timeout": {"kind": "timeout", "seconds": 1},
            "not_json": {"kind": "not_json"},
            "redirect": {"kind": "redirect"},
            "throttled": {"kind": "429", "retry_after": 7},
            "not_found": {"kind": "404"},
        }.items():
            with self.subTest(code=code), self.impatient():
                self.sim.clear_faults()
                self.forget_pace()
                self.sim.fault(times=None, **fault)
                self.check(code)

    def test_faults_of_the_address(self):
        """What cannot be had from a simulator on this machine."""
        for kind in (client.Kind.TLS, client.Kind.UNKNOWN_HOST, client.Kind.TOO_LARGE):
            with self.subTest(kind=kind):
                error = client.AgainLater(kind)
                with patch.object(client.UserCom, "attributes", side_effect=error):
                    self.check(str(kind))

    def test_nobody_listens(self):
        with patch.dict(os.environ, {"USERCOM_BASE_URL": "http://127.0.0.1:9"}):
            self.check("connection")

    def test_senseless_address_in_the_environment(self):
        for value in ("nonsense", "http://a b/", "http://host/path", "ftp://host"):
            with self.subTest(value=value), patch.dict(os.environ, {"USERCOM_BASE_URL": value}):
                self.check("bad_base_url")
                action = self.account.action_create_consents()
                self.assertEqual(action["params"]["type"], "danger")

    def test_creating_the_attribute_fails(self):
        self.sim.fault("403", method="POST")
        action = self.account.action_create_consents()
        self.assertEqual(action["params"]["type"], "danger")
        self.assertRegex(action["params"]["message"], r"^[A-Z].{30,}\.$")

    def test_running_account_goes_on_after_a_bad_test(self):
        self.sim.fault("502", times=None)
        self.check("server")
        self.assertEqual(self.account.state, "running")

    def test_paused_by_hand_stays_paused(self):
        self.account.action_pause()
        self.check("ok", kind="success")
        self.assertEqual(self.account.state, "paused")
        self.account.action_start()
        self.assertEqual(self.account.state, "running")

    def test_transaction_survives(self):
        self.sim.fault("502", times=None)
        self.check("server")
        self.assertTrue(self.env["res.partner"].search([], limit=1))


class TestTheKeyStaysIn(FailureCase):
    """The REST key is readable by no screen and no RPC, even for the administrator."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.env.ref("base.user_admin")
        cls.admin.group_ids += cls.env.ref("base.group_erp_manager")

    def setUp(self):
        super().setUp()
        self.account = self.account.with_user(self.admin)
        # The key is in the cache, where an unguarded way would find it.
        self.assertEqual(self.account.sudo().rest_key, self.sim.key)

    def check_no_key(self, value):
        self.assertNotIn(self.sim.key, repr(value))
        self.assertNotIn(self.sim.key[:20], repr(value))

    @pytest.mark.filterwarnings("ignore:Since 19.0, read_group:DeprecationWarning")
    def test_read_by_name(self):
        account = self.account
        for way in (
            lambda: account.read(["rest_key"]),
            lambda: account.search_read([], ["rest_key"]),
            lambda: account.web_read({"rest_key": {}}),
            lambda: account.web_search_read([], {"rest_key": {}}),
            lambda: account.export_data(["rest_key"]),
            lambda: account.read_group([], ["rest_key"], ["rest_key"]),
            lambda: account.formatted_read_group([], ["rest_key"], ["__count"]),
            lambda: account.formatted_read_group([], ["name"], ["rest_key:max"]),
            lambda: account.formatted_read_group([], ["name"], ["rest_key:array_agg"]),
            lambda: account.web_read_group([], ["rest_key"]),
            lambda: account.search([("rest_key", "like", self.sim.key[:1])]),
            lambda: account.search_count([("rest_key", "=", self.sim.key)]),
            lambda: account.filtered_domain([("rest_key", "like", self.sim.key[:1])]),
            lambda: account.search([], order="rest_key"),
            lambda: account.web_save({"rest_key": "x" * 64}, {}),
            lambda: account.write({"rest_key": "x" * 64}),
            lambda: account.create({"name": "A", "subdomain": "a", "rest_key": "x" * 64}),
            lambda: account.onchange({}, ["rest_key"], {"rest_key": {}}),
        ):
            with self.subTest(way=way.__code__.co_consts), self.env.cr.savepoint():
                try:
                    found = way()
                except (AccessError, ValueError, KeyError, UserError):
                    continue
                # Where it does not raise, it says nothing.
                self.check_no_key(found)
                if way.__code__.co_names[:1] in (("search",), ("search_count",)):
                    self.fail("the key can be guessed letter by letter")

    def test_read_by_a_path(self):
        self.make_linked()
        bindings = self.env["usercom.binding"].with_user(self.admin).search([])
        for way in (
            lambda: bindings.export_data(["account_id/rest_key"]),
            lambda: bindings.web_read({"account_id": {"fields": {"rest_key": {}}}}),
            lambda: bindings.search([("account_id.rest_key", "like", self.sim.key[:1])]),
            lambda: bindings.formatted_read_group([], ["account_id.rest_key"], ["__count"]),
            lambda: self.account.message_ids.export_data(["record_name", "body"]),
        ):
            with self.subTest(way=way.__code__.co_consts), self.env.cr.savepoint():
                try:
                    self.check_no_key(way())
                except (AccessError, ValueError, KeyError, UserError):
                    continue

    def test_search_by_a_path_finds_nothing_out(self):
        self.make_linked()
        bindings = self.env["usercom.binding"].with_user(self.admin)
        with self.assertRaises(AccessError):
            bindings.search([("account_id.rest_key", "like", self.sim.key[:1])])
        with self.assertRaises(AccessError):
            self.account.search([("rest_key", "like", self.sim.key[:1])])

    def test_read_of_everything(self):
        account = self.account
        self.assertNotIn("rest_key", account.fields_get())
        self.assertNotIn("rest_key", account.read()[0])
        self.check_no_key(account.read())
        self.check_no_key(account.search_read([]))
        self.check_no_key(account.web_read({name: {} for name in account.fields_get()}))
        self.check_no_key(account.export_data(list(account.fields_get())))
        self.check_no_key(account.default_get(["rest_key", "rest_key_input", "name"]))
        self.check_no_key(account.name_search(self.sim.key))
        self.check_no_key(account.get_views([(False, "form"), (False, "list"), (False, "search")]))

    def test_copy_has_none(self):
        copy = self.account.copy()
        self.assertFalse(copy.has_rest_key)
        self.assertFalse(copy.sudo().rest_key)
        self.assertNotEqual(copy.webhook_secret, self.account.webhook_secret)
        self.assertNotEqual(copy.webhook_token, self.account.webhook_token)
        self.assertFalse(copy.copy_data()[0].get("rest_key"))

    def test_entered_key_does_not_come_back(self):
        other = self.sim.add_key("all")
        saved = self.account.web_save(
            {"rest_key_input": other}, {"rest_key_input": {}, "has_rest_key": {}}
        )
        self.assertNotIn(other, repr(saved))
        self.assertEqual(self.account.sudo().rest_key, other)
        self.assertNotIn(other, repr(self.account.read()))
        created = self.account.browse().web_save(
            {"name": "B", "subdomain": "b", "rest_key_input": other},
            {"rest_key_input": {}, "has_rest_key": {}},
        )
        self.assertNotIn(other, repr(created))
        self.assertNotIn(other, repr(self.account.message_ids.mapped("body")))
        self.assertNotIn(other, repr(self.account.message_ids.tracking_value_ids.read()))

    def test_blank_key_keeps_the_stored_one(self):
        for blank in (False, "", "   "):
            self.account.rest_key_input = blank
            self.assertEqual(self.account.sudo().rest_key, self.sim.key)

    def test_field_made_by_an_administrator_finds_nothing(self):
        """A related field of one's own is as closed as what it leads to."""
        self.env["ir.model.fields"].create(
            {
                "name": "x_key",
                "model_id": self.env["ir.model"]._get_id("usercom.stream"),
                "ttype": "char",
                "related": "account_id.rest_key",
                "store": False,
            }
        )
        streams = self.env["usercom.stream"]
        streams._of(self.account.sudo(), "push")
        streams = streams.with_user(self.admin).search([])
        self.assertTrue(streams)
        self.check_no_key(streams.read())
        with self.assertRaises(AccessError):
            streams.read(["x_key"])

    def test_log_of_a_call(self):
        self.make_partner()
        with self.assertLogs("odoo.addons.usercom_connector", "DEBUG") as logs:
            self.push()
            self.account.action_test_connection()
        self.check_no_key(logs.output)
        self.assertNotIn("jan@example.com", repr(logs.output))
        self.assertNotIn("Testowy", repr(logs.output))

    def test_users_see_no_account(self):
        user = new_test_user(self.env, "failures-user", groups="base.group_user")
        for way in (
            lambda: self.account.with_user(user).read(["name"]),
            lambda: self.env["usercom.account"].with_user(user).search([]),
            lambda: self.env["usercom.binding"].with_user(user).search([]),
            lambda: self.env["usercom.change"].with_user(user).search([]),
        ):
            with self.assertRaises(AccessError):
                way()

    def test_rows_are_not_made_or_edited_by_rpc(self):
        self.make_partner()
        self.env.flush_all()
        self.env.cr.precommit.run()
        account = self.account
        for way in (
            lambda: self.changes().with_user(self.admin).write({"problem_code": "x"}),
            lambda: self.changes().with_user(self.admin).unlink(),
            lambda: account.env["usercom.change"].create(
                {"account_res_id": account.id, "partner_res_id": 1}
            ),
            lambda: account.env["usercom.binding"].create(
                {"account_id": account.id, "custom_id": "x", "origin": "odoo"}
            ),
            lambda: account.write({"stream_ids": [Command.create({"direction": "push"})]}),
        ):
            with self.subTest(way=way.__code__.co_names), self.assertRaises(AccessError):
                way()
