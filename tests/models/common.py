"""What the tests of the models share: an account that is tied to a simulator of its own."""

import os
from contextlib import ExitStack, closing
from unittest.mock import patch

import requests
from odoo import SUPERUSER_ID, api, fields
from odoo.sql_db import db_connect
from odoo.tests.common import TransactionCase, tagged

from simulator.testing import running_simulator

_real_send = requests.Session.send


@tagged("post_install", "-at_install")
class SyncCase(TransactionCase):
    """An account, running and allowed to create on both sides, and its User.com.

    Calls are real HTTP. The scheduled actions run in cursors that take part in the test's
    transaction, so they may commit and roll back as they do in daily work.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        cls.sim = stack.enter_context(running_simulator())
        stack.enter_context(patch.dict(os.environ, {"USERCOM_BASE_URL": cls.sim.url}))
        cls.account = cls.env["usercom.account"].create(
            {"name": "Test", "subdomain": "acme", "poll_minutes": 0}
        )
        cls.connect(cls.account)
        # The sample contacts of other tests' modules are none of this test's business.
        cls.env["usercom.change"].search([]).unlink()

    @classmethod
    def connect(cls, account):
        account.rest_key_input = cls.sim.key
        account.write(
            {
                "state": "running",
                "database_uuid": account._database_uuid(),
                "create_in_odoo": True,
                "create_in_usercom": True,
                "rate_start": 1000,  # tests need not begin slowly
            }
        )

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        # Odoo's own handler cannot read a time-out that is a pair.
        if request.url.startswith(("http://127.0.0.1:", "http://localhost:")):
            return _real_send(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)

    def setUp(self):
        super().setUp()
        self.sim.reset()
        self.sim.add_attribute("email_consent", "boolean")
        self.enterContext(self.enter_registry_test_mode())
        self.forget_pace()

    # === WORK === #

    def _run(self, model):
        self.env.cr.flush()
        self.env.invalidate_all()
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env[model]._cron_drain()
            cr.commit()
        self.env.invalidate_all()

    def push(self):
        """One run of the scheduled action "User.com: push"."""
        self._run("usercom.change")

    def pull(self):
        """One run of the scheduled action "User.com: pull"."""
        self._run("usercom.ping")

    def work(self, rounds=3):
        """Both actions, until nothing should be left to do."""
        for _round in range(rounds):
            self.make_due()
            self.push()
            self.pull()

    def ping(self, usercom_id, lookup="id"):
        """What the webhook does when User.com calls about a contact."""
        self.env["usercom.ping"]._append([(self.account.id, lookup, str(usercom_id))])

    def make_due(self):
        """Let the time pass that rows wait."""
        for model in ("usercom.change", "usercom.ping"):
            self.env[model].search([("due_at", "!=", False)]).due_at = fields.Datetime.now()
        self.env["usercom.stream"].search([]).rest_until = False
        self.forget_pace()

    def said_at(self, events, moment):
        """Date words otherwise than they were recorded, which nobody can."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE usercom_consent_event SET happened_at = %s WHERE id IN %s",
            [moment, tuple(events.ids)],
        )
        events.invalidate_recordset()

    def forget_pace(self):
        """Drop what the limiter keeps outside of the test's transaction."""
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            cr.execute("DELETE FROM usercom_limiter")
            cr.commit()

    def methods(self):
        """Those of the calls to User.com."""
        return [call["method"] for call in self.sim.calls()]

    def changes(self):
        return self.env["usercom.change"].search([("account_res_id", "=", self.account.id)])

    def pings(self):
        return self.env["usercom.ping"].search([("account_res_id", "=", self.account.id)])

    # === PEOPLE === #

    def make_partner(self, **vals):
        vals = {"name": "Jan Testowy", "email": "jan@example.com"} | vals
        return self.env["res.partner"].create(vals)

    def make_linked(self, attributes=None, **vals):
        """A contact on both sides, in step, with empty queues and no calls counted."""
        partner = self.make_partner(**vals)
        self.push()
        binding = self.binding(partner)
        if attributes:
            self.sim.edit_contact(int(binding.usercom_id), attributes=attributes)
        self.ping(binding.usercom_id)
        self.pull()
        self.push()
        self.sim.reset_calls()
        return partner

    def bring_in_step(self, partners):
        """Have these contacts on both sides, in step, with empty queues and no calls counted."""
        self.push()
        for partner in partners:
            self.ping(partner.usercom_id)
        self.pull()
        self.push()
        self.assertFalse(self.changes() or self.pings())
        self.sim.reset_calls()

    def there_is(self, email="jan@example.com", **vals):
        """A contact in User.com."""
        vals = {"first_name": "Jan", "last_name": "Testowy", "status": "user"} | vals
        return self.sim.add_contact(email=email, **vals)

    def binding(self, partner):
        return self.env["usercom.binding"].search(
            [("account_id", "=", self.account.id), ("partner_id", "=", partner.id)]
        )

    def there(self, partner):
        """The contact in User.com that this one is tied to."""
        return self.sim.contact(int(self.binding(partner).usercom_id))
