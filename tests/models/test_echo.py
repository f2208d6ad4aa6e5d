"""The webhook calls that our own pushes set off, with the bodies that the simulator sends."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest.mock import patch

from odoo import fields
from odoo.addons.usercom_connector.controllers.usercom_connector import _whom

from .common import SyncCase


class Receiver(BaseHTTPRequestHandler):
    """Keeps the bodies of the calls, for the test to hand them to the webhook's own methods."""

    bodies: list

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.bodies.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


class TestEcho(SyncCase):
    def setUp(self):
        super().setUp()
        self.bodies = []
        handler = type("BodyReceiver", (Receiver,), {"bodies": self.bodies})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.sim.set_webhook(f"http://127.0.0.1:{server.server_port}/")

    def receive(self):
        self.sim.wait_webhooks()
        pings = self.env["usercom.ping"]
        for body in self.bodies:
            digest = pings._digest_of_call(self.account.id, body["user"])
            pings._append([(self.account.id, *_whom(body))], digest=digest)
        received = len(self.bodies)
        self.bodies.clear()
        return received

    def settle(self):
        received = 0
        for _round in range(3):
            self.push()
            received += self.receive()
            self.make_due()
            self.pull()
        return received

    def reads(self):
        return [call for call in self.sim.calls("GET") if "search" not in call["path"]]

    def test_creating_costs_no_read(self):
        partner = self.make_partner(city="Gdynia", phone="+48600100200")
        self.assertEqual(self.settle(), 1)
        self.assertFalse(self.pings())
        self.assertEqual(self.reads(), [])
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_editing_costs_no_read(self):
        partner = self.make_linked()
        self.settle()
        self.sim.reset_calls()
        partner.write({"city": "Gdynia", "name": "Johann Testowy"})
        self.assertTrue(self.settle())
        self.assertEqual(self.reads(), [])
        self.assertFalse(self.pings())

    def test_consent_costs_the_read_before_it_and_no_other(self):
        partner = self.make_linked()
        self.settle()
        self.sim.reset_calls()
        partner.usercom_email_consent = "given"
        self.settle()
        self.assertEqual(len(self.reads()), 1)
        self.assertIs(self.there(partner)["attributes"]["email_consent"], True)

    def test_an_edit_over_there_costs_one_read(self):
        partner = self.make_linked()
        self.settle()
        self.sim.reset_calls()
        self.sim.edit_contact(int(partner.usercom_id), city="Gdynia")
        self.settle()
        self.assertEqual(len(self.reads()), 1)
        self.assertEqual(partner.city, "Gdynia")

    def test_a_list_with_a_name_that_odoo_does_not_know_is_read(self):
        """What is known of it is as the base has it, and yet it shows an edit."""
        self.sim.add_attribute(
            "Interests", "fixed", choices=["A", "B"], allow_multiple_choices=True
        )
        self.account.action_refresh_attributes()
        attribute = self.env["usercom.attribute"].search(
            [("account_id", "=", self.account.id), ("name_std", "=", "interests")]
        )
        self.env["usercom.mapping"].create(
            {
                "account_id": self.account.id,
                "odoo_field": "category_id",
                "attribute_id": attribute.id,
            }
        )
        known = self.env["res.partner.category"].create({"name": "A"})
        partner = self.make_linked(category_id=known.ids)
        self.settle()
        self.sim.reset_calls()
        self.sim.edit_contact(int(partner.usercom_id), attributes={"interests": ["A", "B"]})
        self.settle()
        self.assertEqual(len(self.reads()), 1)
        self.assertEqual(partner.category_id, known)
        self.assertIn('"B"', partner.usercom_problem)

    def test_a_server_that_stores_something_else_is_read_and_nothing_changes(self):
        self.sim.switch(normalise=True)
        partner = self.make_partner(name="Jan TESTOWY", email="Jan@Example.com")
        self.settle()
        self.assertEqual(partner.name, "Jan TESTOWY")
        self.assertFalse(self.changes() or self.pings())

    def test_one_call_that_shows_an_edit_among_echoes_is_enough_for_a_read(self):
        partner = self.make_linked()
        self.settle()
        self.sim.reset_calls()
        partner.city = "Gdynia"
        self.push()
        self.sim.edit_contact(int(partner.usercom_id), first_name="Johann")
        self.settle()
        self.assertEqual(partner.name, "Johann Testowy")
        self.assertEqual(self.there(partner)["city"], "Gdynia")

    def test_a_call_that_comes_before_the_push_is_recorded_waits_for_it(self):
        partner = self.make_linked()
        self.settle()
        self.sim.reset_calls()
        partner.city = "Gdynia"
        record = self.registry["usercom.change"]._record

        def overtaken(change, account, stream, answers, began):
            self.receive()
            self.pull()
            [row] = self.pings()
            self.assertEqual((row.problem_code, bool(row.due_at)), ("busy", True))
            return record(change, account, stream, answers, began)

        with patch.object(self.registry["usercom.change"], "_record", overtaken):
            self.push()
        self.settle()
        self.assertEqual(self.reads(), [])
        self.assertFalse(self.pings())

    def call_about(self, partner, **changes):
        """Receive a call as this contact's echo would be, but for what is said of its body."""
        self.sim.edit_contact(int(partner.usercom_id), score=7)
        self.sim.wait_webhooks()
        user = self.bodies[-1]["user"]
        self.bodies.clear()
        user |= {name: value for name, value in changes.items() if value is not None}
        for name in [name for name, value in changes.items() if value is None]:
            del user[name]
        pings = self.env["usercom.ping"]
        digest = pings._digest_of_call(self.account.id, user)
        pings._append([(self.account.id, *_whom({"user": user}))], digest=digest)
        self.pull()

    def test_a_call_that_does_not_show_the_consent_is_read(self):
        partner = self.make_linked()
        self.settle()
        self.sim.edit_contact(int(partner.usercom_id), attributes={"email_consent": False})
        self.call_about(partner, attributes=None)
        self.assertEqual(partner.usercom_email_consent, "withdrawn")

    def test_without_such_an_attribute_it_need_not_be_shown(self):
        partner = self.make_linked()
        self.settle()
        self.account.attributes_read_at = fields.Datetime.now()  # and none was found
        self.sim.reset_calls()
        self.call_about(partner, attributes=None)
        self.assertEqual(self.reads(), [])

    def test_a_call_that_leaves_out_a_standard_field_is_read(self):
        partner = self.make_linked()
        self.settle()
        self.sim.edit_contact(int(partner.usercom_id), city="Gdynia")
        self.call_about(partner, city=None)
        self.assertEqual(partner.city, "Gdynia")

    def test_no_value_of_the_call_is_kept(self):
        partner = self.make_linked()
        self.settle()
        self.sim.edit_contact(int(partner.usercom_id), city="Gdynia")
        self.receive()
        self.env.invalidate_all()
        self.assertNotIn("Gdynia", str(self.pings().read()))
        self.assertTrue(all(self.pings().mapped("digest")))
