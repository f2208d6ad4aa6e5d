"""The poll of what has changed in User.com: it makes good for lost calls, and costs pages."""

import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from odoo import fields
from odoo.addons.usercom_connector import client
from odoo.addons.usercom_connector.sync import consent
from odoo.tests.common import tagged

from .common import SyncCase

SEARCH = "/users/search/"


@tagged("post_install", "-at_install")
class PollCase(SyncCase):
    def setUp(self):
        super().setUp()
        self.account.poll_minutes = 15

    def stream(self):
        return self.env["usercom.stream"]._of(self.account, "poll")

    def poll(self):
        """Let the time pass until the next poll, and the scheduled action run."""
        self.stream().write({"due_at": fields.Datetime.now(), "rest_until": False})
        self.pull()

    def make_many(self, count):
        """Contacts that are in step on both sides, and a poll that knows of it."""
        self.account.creation_limit = 1000
        partners = self.env["res.partner"].create(
            [{"name": f"Person {i}", "email": f"p{i}@example.com"} for i in range(count)]
        )
        for _round in range(5):
            self.push()
        self.poll()
        self.sim.reset_calls()
        return partners

    @contextmanager
    def while_held(self, deed, **fault):
        """While Odoo's next such call is held, somebody does something in User.com."""
        self.sim.fault("hold", **fault)

        def wait_and_do():
            self.sim.wait_held()
            try:
                deed()
            finally:
                self.sim.release()

        thread = threading.Thread(target=wait_and_do)
        thread.start()
        yield
        thread.join()

    def people(self, email="jan@example.com"):
        return self.env["res.partner"].search([("email_normalized", "=", email)])


class TestLostCalls(PollCase):
    def test_an_edit_whose_call_got_lost_arrives(self):
        partner = self.make_linked()
        self.poll()
        self.sim.reset_calls()
        self.sim.edit_contact(self.there(partner)["id"], city="Gdynia")
        self.poll()
        self.assertEqual(partner.city, "Gdynia")
        self.assertEqual(self.sim.calls.count(), 1)
        self.assertFalse(self.pings())
        self.push()
        self.assertEqual(self.sim.calls.count(), 1, "nothing goes back")

    def test_a_withdrawal_whose_call_got_lost_arrives(self):
        partner = self.make_linked(attributes={"email_consent": True})
        self.assertEqual(partner.usercom_email_consent, "given")
        number = self.there(partner)["id"]
        self.sim.edit_contact(number, attributes={"email_consent": False})
        self.poll()
        self.assertEqual(partner.usercom_email_consent, "withdrawn")

    def test_clocks_that_differ(self):
        partner = self.make_linked()
        for i, offset in enumerate((3 * 3600, -3 * 3600, 0)):
            self.sim.switch(clock_offset=float(offset))
            if offset < 0:
                self.stream().unlink()  # time does not run backwards
            self.sim.edit_contact(self.there(partner)["id"], city=f"City {i}")
            self.poll()
            self.assertEqual(partner.city, f"City {i}")

    def test_a_date_from_nowhere_moves_no_cursor(self):
        partner = self.make_linked()
        number = self.there(partner)["id"]
        self.sim.edit_contact(number, raw=True, updated_at="2199-01-01T00:00:00.000000Z")
        self.poll()
        self.assertLess(self.stream().since, datetime(2100, 1, 1))
        self.sim.edit_contact(number, city="Gdynia")
        self.poll()
        self.assertEqual(partner.city, "Gdynia")

    def test_the_last_page_leads_nowhere(self):
        self.sim.switch(page_size=2, last_next_404=True)
        partners = self.make_many(4)
        for partner in partners:
            self.sim.edit_contact(self.there(partner)["id"], city="Gdynia")
        self.poll()
        self.assertEqual(set(partners.mapped("city")), {"Gdynia"})
        self.assertFalse(self.stream().target)

    def test_what_is_edited_while_pages_are_read_is_not_missed(self):
        self.sim.switch(page_size=2)
        partners = self.make_many(6)
        numbers = [self.there(partner)["id"] for partner in partners]
        for number in numbers:
            self.sim.edit_contact(number, city="Gdynia")
        edit = lambda: self.sim.edit_contact(numbers[0], city="Sopot")  # noqa: E731
        with self.while_held(edit, path=SEARCH, after=1):
            self.poll()
        self.assertEqual(partners[0].city, "Sopot")
        self.assertEqual(set(partners[1:].mapped("city")), {"Gdynia"})

    def test_the_cursor_stays_behind_by_the_time_that_pages_took(self):
        """Else an edit of a contact on the first page, before the latest date, would be lost."""
        stream = self.stream()
        newest = datetime(2026, 3, 1, 12, 0, 0)
        stream.write({"since": newest - timedelta(hours=1), "seen": False})
        first = client.Contact(1, {"updated_at": "2026-03-01T11:30:00Z"}, {})
        last = client.Contact(2, {"updated_at": "2026-03-01T12:00:00Z"}, {})
        stream._begin_page()
        stream.began_at = consent.moment() - timedelta(seconds=30)
        stream._end_page(
            client.ContactPage((first,), "/api/public/users/?cursor=2", 2), consent.moment()
        )
        self.assertEqual(stream.since, newest - timedelta(hours=1))
        stream._begin_page()
        stream._end_page(client.ContactPage((last,), None, 2), consent.moment())
        self.assertFalse(stream.target)
        self.assertLess(stream.since, newest - timedelta(seconds=29))
        self.assertGreater(stream.since, newest - timedelta(seconds=60))
        self.assertLessEqual(stream.due_at, fields.Datetime.now(), "it goes on at once")
        # The next pass has one page, which shows all there is at one moment.
        stream._begin_page()
        stream._end_page(client.ContactPage((last,), None, 1), consent.moment())
        self.assertEqual(stream.since, newest)
        self.assertGreater(stream.due_at, fields.Datetime.now())

    def test_it_goes_on_where_it_stopped(self):
        self.sim.switch(page_size=2)
        # In the order of the list, which need not be that in which they were made.
        partners = self.make_many(4).sorted(lambda partner: self.there(partner)["id"])
        for partner in partners:
            self.sim.edit_contact(self.there(partner)["id"], city="Gdynia")
        self.sim.fault("500", path=SEARCH, after=1)
        self.poll()
        cities = [partner.city for partner in partners]
        self.assertEqual(cities, ["Gdynia", "Gdynia", False, False])
        self.assertTrue(self.stream().target)
        self.assertTrue(self.stream().rest_until)
        self.sim.reset_calls()
        self.poll()
        self.assertIn("cursor=", self.sim.calls()[0]["query"])
        self.assertEqual(set(partners.mapped("city")), {"Gdynia"})


class TestCost(PollCase):
    def test_browsing_costs_pages_and_no_writes(self):
        partners = self.make_many(100)
        bindings = self.env["usercom.binding"].search([("partner_id", "in", partners.ids)])
        before = bindings.read(["revision", "synced_at", "write_date", "base_usercom"])
        for binding in bindings:
            self.sim.page_view(int(binding.usercom_id))
        self.poll()
        self.assertEqual(self.sim.calls.count(), 1)
        bindings.invalidate_recordset()
        after = bindings.read(["revision", "synced_at", "write_date", "base_usercom"])
        self.assertEqual(after, before)

    def queries_of_a_page(self, count):
        """What it asks of the database to take in a page that shows nothing new."""
        partners = self.make_many(count)
        usercom = self.account._client()
        with usercom:
            contacts = usercom.list_contacts_page().contacts
        self.assertEqual(len(contacts), len(partners))
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        now = fields.Datetime.now() + timedelta(days=1)
        self.env["usercom.ping"]._record_page(self.account, self.stream(), now, now, contacts)
        self.env.flush_all()
        return self.env.cr.sql_log_count - before

    def test_a_page_of_nothing_new_costs_few_queries(self):
        few = self.queries_of_a_page(3)
        self.sim.reset()
        self.env["usercom.binding"].search([]).partner_id.unlink()
        self.env["usercom.binding"].search([]).unlink()
        many = self.queries_of_a_page(60)
        self.assertLessEqual(many, few + 1)
        self.assertLessEqual(many, 18)

    def test_nothing_is_asked_before_it_is_time(self):
        self.make_linked()
        self.poll()
        self.sim.reset_calls()
        self.pull()
        self.assertFalse(self.sim.calls())
        seconds = self.env["usercom.ping"]._seconds_to_next(self.account)
        self.assertTrue(14 * 60 < seconds <= 15 * 60)
        self.account.poll_minutes = 0
        self.assertFalse(self.stream().due_at)
        self.pull()
        self.assertFalse(self.sim.calls())
        self.account.poll_minutes = 5
        self.pull()
        self.assertEqual(self.sim.calls.count(), 1)
        self.assertTrue(self.account.poll_at)

    def test_what_an_upsert_did_not_answer_is_filled_in(self):
        partner = self.make_partner(city="Hel")
        self.push()
        binding = self.binding(partner)
        self.assertFalse(binding.base_usercom)
        written = partner.write_date
        self.sim.reset_calls()
        self.poll()
        self.assertEqual(binding.base_usercom["city"], "Hel")
        self.assertEqual(partner.write_date, written)
        self.push()
        self.assertEqual(self.sim.calls.count(), 1)
        self.assertFalse(self.changes())


class TestStrangers(PollCase):
    def test_a_lead_becomes_a_contact(self):
        self.there_is(city="Hel")
        self.poll()
        self.assertEqual(self.people().city, "Hel")
        self.assertEqual(self.sim.calls.count(), 1)
        self.poll()
        self.assertEqual(len(self.people()), 1)

    def test_a_visitor_does_not(self):
        self.there_is(status="visitor")
        self.poll()
        self.assertFalse(self.people())
        self.assertFalse(self.pings())

    def test_who_is_in_odoo_is_linked(self):
        self.account.create_in_odoo = False
        partner = self.make_partner()
        contact = self.there_is()
        self.poll()
        self.assertEqual(self.binding(partner).usercom_id, str(contact["id"]))
        self.assertEqual(self.people(), partner)

    def test_nobody_is_created_while_that_is_off_and_no_row_is_made(self):
        self.account.create_in_odoo = False
        self.there_is()
        self.poll()
        self.assertFalse(self.people())
        self.assertFalse(self.pings())

    def test_in_doubt_a_person_is_asked_once(self):
        here = self.make_partner() | self.make_partner(name="Jan B")
        contact = self.there_is()
        self.poll()
        self.pull()
        self.assertEqual(self.pings().problem_code, "several_here")
        row = self.pings()
        self.sim.page_view(contact["id"])
        self.sim.reset_calls()
        self.poll()
        self.assertEqual(self.pings(), row)
        self.assertEqual(self.sim.calls.count(), 1)
        # Settled meanwhile, and User.com's call about it got lost.
        here[1].email = "other@example.com"
        self.sim.page_view(contact["id"])
        self.poll()
        self.pull()
        self.assertEqual(self.binding(here[0]).usercom_id, str(contact["id"]))
        self.assertFalse(self.pings())

    def test_who_was_deleted_in_odoo_stays_so(self):
        partner = self.make_linked()
        number = self.there(partner)["id"]
        partner.unlink()
        self.sim.edit_contact(number, city="Gdynia")
        self.poll()
        self.assertFalse(self.people())
        self.assertFalse(self.pings())

    def test_beyond_the_ceiling_they_wait(self):
        self.account.creation_limit = 1
        for i in range(3):
            self.there_is(f"p{i}@example.com")
        self.poll()
        self.pull()
        self.assertEqual(set(self.pings().mapped("problem_code")), {"ceiling"})
        self.assertEqual(len(self.pings()), 2)


class TestOthersAtWork(PollCase):
    def test_what_a_push_has_not_recorded_yet_waits_for_it(self):
        """The page may show the time before its call or after."""
        partner = self.make_linked()
        binding = self.binding(partner)
        number = int(binding.usercom_id)
        partner.city = "Gdynia"
        self.env.cr.flush()
        snapshot = partner._usercom_snapshots(self.account)[partner.id]
        binding._note_sending(binding._job(snapshot))
        base, revision = binding.base_usercom, binding.revision
        self.sim.edit_contact(number, city="Gdynia")
        self.poll()
        self.assertEqual((binding.base_usercom, binding.revision), (base, revision))
        self.assertEqual(self.pings().value, str(number))
        self.assertTrue(self.pings().digest)

    def test_what_a_push_has_recorded_meanwhile_is_not_undone(self):
        partner = self.make_linked(city="Hel")
        number = self.there(partner)["id"]

        def push_in_between(usercom, **arguments):
            page = read(usercom, **arguments)
            partner.city = "Gdynia"
            self.push()
            return page

        self.sim.page_view(number)
        read = client.UserCom.changed_contacts_page
        with (
            patch.object(client.UserCom, "changed_contacts_page", push_in_between),
            # In this thread: a test's transaction is one.
            patch("odoo.addons.usercom_connector.tools.exchange.ThreadPoolExecutor", _SameThread),
        ):
            self.poll()
        self.make_due()
        self.pull()
        self.assertEqual(partner.city, "Gdynia")
        self.assertEqual(self.there(partner)["city"], "Gdynia")
        self.assertFalse(self.changes())


class _SameThread:
    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    map = staticmethod(map)


class TestFailures(PollCase):
    def test_what_will_pass_rests_the_poll_alone(self):
        partner = self.make_linked()
        self.sim.fault("502", path=SEARCH)
        self.poll()
        self.assertTrue(self.stream()._is_resting())
        self.assertEqual(self.stream().failure_code, "server")
        self.sim.edit_contact(self.there(partner)["id"], city="Gdynia")
        self.ping(self.there(partner)["id"])
        self.sim.reset_calls()
        self.pull()
        self.assertEqual(partner.city, "Gdynia")
        self.assertFalse(self.sim.calls("GET", SEARCH))

    def test_a_dead_key_pauses_the_account(self):
        self.sim.fault("401", path=SEARCH)
        self.poll()
        self.assertEqual(self.account.pause_code, "unauthorised")

    def test_a_refusal_is_shown(self):
        self.sim.fault("400", path=SEARCH)
        self.poll()
        self.assertEqual(self.stream().failure_code, "list_refused")
        self.assertTrue(self.stream().last_failure)

    @pytest.mark.expected_log(r"1 of the 2 contacts on a page could not be read")
    def test_what_cannot_be_read_stops_nobody_else(self):
        partner = self.make_linked()
        self.sim.edit_contact(self.there(partner)["id"], city="Gdynia")
        real = client.UserCom.page

        def with_junk(usercom, *args, **kwargs):
            page, following = real(usercom, *args, **kwargs)
            return client.api.Page((*page.results, {"id": None}), page.count), following

        with patch.object(client.UserCom, "page", with_junk):
            self.poll()
        self.assertEqual(partner.city, "Gdynia")

    @pytest.mark.expected_log(r"was stopped by an unexpected ValueError")
    def test_a_defect_stops_nobody_else(self):
        partner = self.make_linked()
        bad = self.make_linked(name="Bad", email="bad@example.com")
        for one in (bad, partner):
            self.sim.edit_contact(self.there(one)["id"], city="Gdynia")
        bindings = type(self.env["usercom.binding"])
        real = bindings._absorb

        def absorb(model, account, reads):
            if any(read.binding.partner_id == bad for read in reads):
                raise ValueError
            return real(model, account, reads)

        with patch.object(bindings, "_absorb", absorb):
            self.poll()
            self.pull()
        self.assertEqual(partner.city, "Gdynia")
        self.assertEqual(self.pings().problem_code, "unexpected")
        self.assertEqual(self.pings().value, str(self.there(bad)["id"]))
