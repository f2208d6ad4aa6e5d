"""Linking and exporting by a list of everybody in User.com: what it costs, and nobody twice."""

import hashlib
import threading
import time
from unittest.mock import patch

from odoo import fields
from odoo.addons.usercom_connector.models import usercom_listing, usercom_queue
from odoo.addons.usercom_connector.tools import exchange
from odoo.addons.usercom_connector.tools.worker_lock import worker_lock
from odoo.exceptions import UserError
from odoo.tests.common import new_test_user, tagged

from .common import SyncCase


@tagged("post_install", "-at_install")
class SurveyCase(SyncCase):
    def setUp(self):
        super().setUp()
        self.account.creation_limit = 10000

    def survey(self):
        return self.account._stream("survey")

    def run_all(self, rounds=40):
        """Both actions, until nothing is left to do."""
        for _round in range(rounds):
            self.pull()
            self.push()
            if not self.changes() and self.survey().state not in ("requested", "running"):
                return

    def make_people(self, count, prefix="p"):
        partners = self.env["res.partner"].create(
            [
                {"name": f"Person {i}", "email": f"{prefix}{i}@example.com", "city": "Hel"}
                for i in range(count)
            ]
        )
        self.env.cr.flush()
        self.changes().unlink()
        return partners

    def there_are(self, count=1, prefix="p", **values):
        return [
            self.sim.add_contact(
                email=f"{prefix}{i}@example.com", first_name="Person", last_name=str(i), **values
            )
            for i in range(count)
        ]

    def bindings(self):
        return self.env["usercom.binding"].search([("account_id", "=", self.account.id)])

    def export(self):
        wizard = self.env["usercom.creation"].create(
            {"account_id": self.account.id, "side": "usercom", "include_existing": True}
        )
        wizard.action_switch_on()


class TestLinking(SurveyCase):
    def test_costs_pages(self):
        partners = self.make_people(300)
        self.there_are(300)
        self.there_are(5, prefix="other")
        self.sim.reset_calls()
        self.account.action_link_existing()
        self.pull()
        self.assertEqual(self.survey().state, "done")
        self.assertEqual(self.sim.calls.count(), 4)
        self.assertEqual(self.bindings().partner_id, partners)
        self.assertEqual(set(self.bindings().mapped("origin")), {"matched"})
        self.assertFalse(self.env["res.partner"].search([("email", "like", "other%")]))
        self.assertEqual((self.survey().linked, self.survey().unmatched), (300, 5))
        self.assertIn("305 of 305", self.account.survey_progress)
        self.assertFalse(self.pings())

    def test_goes_on_where_it_stopped(self):
        self.sim.switch(page_size=2)
        partners = self.make_people(5)
        self.there_are(5)
        self.account.action_link_existing()
        self.sim.fault("502", path="/users/", after=1)
        self.pull()
        self.assertEqual(self.survey().state, "running")
        self.assertEqual(len(self.bindings()), 2)
        self.sim.reset_calls()
        self.make_due()
        self.pull()
        self.assertEqual(self.sim.calls.count(), 2)
        self.assertEqual(self.bindings().partner_id, partners)

    def test_what_differs_is_merged(self):
        [partner] = self.make_people(1)
        [contact] = self.there_are(1, city="Gdynia", country="Poland")
        self.account.action_link_existing()
        self.run_all()
        self.assertEqual(partner.country_id.code, "PL")
        self.assertEqual(self.sim.contact(contact["id"])["city"], "Hel")

    def test_in_doubt_a_person_is_asked(self):
        people = self.make_people(1) | self.make_people(1)
        self.there_are(1)
        self.account.action_link_existing()
        self.pull()
        self.assertFalse(self.bindings())
        self.assertEqual(self.pings().problem_code, "several_here")
        self.assertEqual(set(self.pings().problem_args["partner_ids"]), set(people.ids))

    def test_stopped_by_hand(self):
        self.make_people(1)
        self.there_are(1)
        self.account.action_link_existing()
        self.account.action_stop_survey()
        self.sim.reset_calls()
        self.pull()
        self.assertEqual(self.survey().state, "cancelled")
        self.assertFalse(self.sim.calls())

    def test_by_a_manager(self):
        partners = self.make_people(1)
        self.there_are(1)
        groups = "base.group_user,usercom_connector.group_usercom_manager"
        manager = new_test_user(self.env, "survey-manager", groups=groups)
        account = self.account.with_user(manager)
        account.action_link_existing()
        account.action_stop_survey()
        account.action_link_existing()
        account.poll_minutes = 7
        self.pull()
        self.assertEqual(self.bindings().partner_id, partners)
        self.assertIn("1 linked", account.survey_progress)

    def test_needs_a_running_account(self):
        self.account.action_pause()
        with self.assertRaises(UserError):
            self.account.action_link_existing()


class TestCreatingInOdoo(SurveyCase):
    def test_who_was_counted_before(self):
        """The number is known from a list that created nobody; then they are created on request."""
        self.there_are(3)
        values = {"account_id": self.account.id, "side": "odoo", "include_existing": True}
        self.account.create_in_odoo = False
        self.assertEqual(self.env["usercom.creation"].create(values).unmatched, 0)
        self.account.action_link_existing()
        self.pull()
        self.assertFalse(self.bindings())
        wizard = self.env["usercom.creation"].create(values)
        self.assertEqual(wizard.unmatched, 3)
        wizard.action_switch_on()
        self.pull()
        self.assertEqual(len(self.bindings().partner_id), 3)


class TestExport(SurveyCase):
    def gets(self):
        """The calls that are no list."""
        return [
            call
            for call in self.sim.calls("GET")
            if call["path"] != "/users/" and "search=updated_at" not in call["query"]
        ]

    def test_costs_one_call_each(self):
        self.account.create_in_odoo = False
        self.there_are(10, prefix="other")
        self.make_people(250)
        self.sim.reset_calls()
        self.export()
        self.run_all()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 260)
        self.assertEqual(len(self.bindings().filtered("usercom_id")), 250)
        self.assertFalse(self.gets())
        self.assertLessEqual(self.sim.calls.count(), 250 * 1.02 + 5)

    def test_nothing_goes_before_the_list_is_read(self):
        self.make_people(2)
        self.export()
        self.sim.reset_calls()
        self.push()
        self.assertFalse(self.sim.calls())
        self.assertIn("listed first", self.changes()[0].problem)

    def test_who_is_there_is_linked(self):
        partners = self.make_people(10)
        self.there_are(4)
        self.export()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 10)
        self.assertEqual(len(self.bindings()), len(partners))
        self.assertFalse(self.gets())

    def appear_during_the_export(self, partners, seconds=0.0):
        """Export contacts, and have the 60th and the 110th come to User.com with the first call.

        :param seconds: that this call takes.
        :return: these two.
        """
        self.export()
        self.pull()  # the list is read: none of them is there
        in_turn = self.changes().sorted("id").partner_id & partners
        emails = [in_turn[i].email for i in (60, 110)]
        late = []

        def appear():
            self.sim.wait_held()
            try:
                late.extend(self.sim.add_contact(email=e, status="user") for e in emails)
                time.sleep(seconds)
            finally:
                self.sim.release()

        self.sim.fault("hold", method="POST")
        thread = threading.Thread(target=appear)
        thread.start()
        self.run_all()
        thread.join()
        return late

    def test_who_appears_during_the_export_is_linked(self):
        partners = self.make_people(120)
        with (
            patch.object(usercom_queue, "ROUND_SECONDS", 0.5),
            patch.object(usercom_listing, "ROUND_SECONDS", 0.5),
        ):
            late = self.appear_during_the_export(partners, seconds=0.6)
        self.assertFalse(self.changes())
        emails = [contact["email"] for contact in self.sim.contacts()]
        self.assertEqual(len(emails), len(set(emails)))
        self.assertEqual(len(emails), 120)
        bound = self.bindings().filtered(lambda binding: binding.origin == "matched")
        self.assertEqual(set(bound.mapped("usercom_id")), {str(contact["id"]) for contact in late})

    def test_who_appears_within_a_round_of_the_export_is_asked_about(self):
        """Each look shows again what was created, so there is one a round."""
        partners = self.make_people(120)
        late = self.appear_during_the_export(partners)
        self.account._stream("poll").due_at = fields.Datetime.now()
        self.pull()
        asked = {ping.value: ping.problem_code for ping in self.env["usercom.ping"].search([])}
        self.assertEqual(asked, {str(contact["id"]): "taken_here" for contact in late})

    def test_whose_namesake_appears_is_looked_up(self):
        """A visitor is linked by no list, but nobody gets a second profile beside one."""
        self.make_people(2)
        self.export()
        self.pull()
        [visitor] = self.there_are(1, status="visitor")
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertIn(str(visitor["id"]), self.bindings().mapped("usercom_id"))

    def test_visitors_on_the_list_are_looked_up(self):
        self.make_people(2)
        self.there_are(2, status="visitor")
        self.export()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(len(self.gets()), 2)

    def test_who_has_the_user_id_that_one_would_get_is_looked_up(self):
        self.account.user_id_strategy = "sha256"
        self.make_people(1)
        custom_id = hashlib.sha256(b"p0@example.com").hexdigest()
        contact = self.sim.add_contact(custom_id=custom_id, status="visitor")
        self.export()
        self.run_all()
        self.assertTrue(self.gets())
        self.assertEqual(self.bindings().usercom_id, str(contact["id"]))

    def test_who_has_a_number_only_is_looked_up(self):
        """User.com may have it in another form, and the list would not show that they are one."""
        partner = self.make_people(1)
        partner.write({"email": False, "phone": "+48 600 100 200"})
        self.env.cr.flush()
        self.changes().unlink()
        contact = self.sim.add_contact(phone_number="+48600100200", status="visitor")
        self.export()
        self.run_all()
        self.assertEqual(self.bindings().usercom_id, str(contact["id"]))
        self.assertTrue(self.gets())

    def test_two_with_one_address(self):
        self.make_people(1)
        self.make_people(1)
        self.export()
        self.run_all(3)
        for _round in range(3):
            self.make_due()
            self.push()
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertEqual(self.changes().problem_code, "taken_there")

    def test_who_has_the_address_of_somebody_linked(self):
        self.make_linked()
        self.make_partner(name="Shares it")
        self.changes().unlink()
        self.export()
        self.run_all(3)
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertEqual(self.changes().problem_code, "taken_there")

    def test_whose_address_was_edited_since_is_looked_up(self):
        partner = self.make_people(1)
        self.there_are(1, prefix="other")
        self.account.create_in_odoo = False
        self.export()
        self.pull()
        partner.email = "other0@example.com"
        self.sim.reset_calls()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 1)
        self.assertTrue(self.gets())

    def test_a_list_that_breaks_off_proves_nothing(self):
        """A next page that is not there is taken for the end: then who is missing is looked up."""
        self.sim.switch(page_size=2)
        self.make_people(6)
        self.there_are(4)
        self.export()
        self.sim.fault("404", path="/users/", after=1)
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 6)
        self.assertEqual(self.survey().state, "done")
        self.assertFalse(self.survey().complete)
        self.assertGreaterEqual(len(self.gets()), 4)

    def test_a_list_that_is_refused_proves_nothing(self):
        self.make_people(2)
        self.there_are(1)
        self.export()
        self.sim.fault("400", path="/users/")
        self.run_all()
        self.assertEqual(self.survey().state, "failed")
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(len(self.gets()), 2)

    def test_a_list_that_is_stopped_proves_nothing(self):
        self.make_people(2)
        self.there_are(1)
        self.export()
        self.account.action_stop_survey()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(len(self.gets()), 2)

    def test_without_a_poll_they_are_looked_up(self):
        self.make_people(2)
        self.export()
        self.pull()
        self.there_are(1)
        self.sim.fault("500", path_regex="search=updated_at", times=None)
        self.run_all(5)
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertEqual(len(self.gets()), 2)

    def test_while_another_worker_reads_it_waits(self):
        self.make_people(2)
        self.export()
        self.pull()
        self.sim.reset_calls()
        with worker_lock(self.env.cr.dbname, self.account.id, "pull"):
            self.push()
        self.assertFalse(self.sim.calls())
        self.assertEqual(len(self.changes()), 2)
        self.make_due()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 2)
        self.assertFalse(self.gets())

    def test_the_ceiling_holds(self):
        self.account.creation_limit = 3
        self.make_people(5)
        self.export()
        self.pull()
        self.push()
        self.assertEqual(len(self.sim.contacts()), 3)
        self.assertEqual(set(self.changes().mapped("problem_code")), {"ceiling"})
        self.sim.reset_calls()
        self.make_due()
        self.push()
        self.assertFalse(self.sim.calls(), "what has to wait costs no call")
        self.account.creation_limit = 100
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 5)
        self.assertFalse(self.gets())

    def test_what_was_not_begun_in_time_has_not_been_tried(self):
        self.make_people(20)
        self.export()
        self.pull()
        real = exchange.run_all

        def only_some(jobs, work, deadline):
            jobs = list(jobs)
            some = real(jobs[:15], work, deadline)
            return some + [(job, None) for job in jobs[15:]]

        with patch.object(exchange, "run_all", only_some):
            self.push()
        self.run_all()
        self.assertEqual(len(self.sim.contacts()), 20)
        self.assertFalse(self.gets())

    def test_one_new_contact_costs_two_calls(self):
        self.make_partner()
        self.push()
        self.assertEqual(self.sim.calls.count(), 2)
