"""Automations of Odoo: what no person has said starts none."""

from odoo import Command
from odoo.tests.common import TransactionCase, tagged

JAN = "jan@example.com"
MODELS = ("res.partner", "usercom.consent.event", "usercom.consent.seal")


@tagged("post_install", "-at_install")
class TestAutomation(TransactionCase):
    def setUp(self):
        super().setUp()
        self.partner = self.env["res.partner"].create({"name": "Jan Testowy", "email": JAN})
        self.events = self.env["usercom.consent.event"]
        self.purpose = self.env.ref("usercom_connector.purpose_email")
        self.tag = self.env["res.partner.category"].create({"name": "Seen"})
        self.env.flush_all()
        self.addCleanup(self.env["base.automation"]._unregister_hook)
        for name in MODELS:
            self.automate(name)

    def automate(self, name):
        model = self.env["ir.model"]._get(name)
        self.env["base.automation"].create(
            {
                "name": name,
                "model_id": model.id,
                "trigger": "on_create_or_write",
                "action_server_ids": [
                    Command.create(
                        {
                            "name": name,
                            "model_id": model.id,
                            "state": "code",
                            "code": f"env['res.partner.category'].create({{'name': '{name}',"
                            f" 'parent_id': {self.tag.id}}})",
                        }
                    )
                ],
            }
        )

    def fired(self):
        """The models whose automations have run since this was last asked."""
        self.env.flush_all()
        found = self.tag.child_ids.mapped("name")
        self.tag.child_ids.unlink()
        return found

    def test_a_word_of_a_person_starts_one(self):
        self.events._record(self.partner, self.purpose, "withdrawn")
        self.assertEqual(self.fired(), ["usercom.consent.event"])

    def test_a_bounce_starts_none(self):
        listed = self.env["mail.blacklist"].with_context(usercom_listed_by="bounce")._add(JAN)
        self.assertEqual(self.events.search([]).mapped("state"), ["blocked"])
        listed._remove(JAN)
        self.assertEqual(sorted(self.events.search([]).mapped("state")), ["blocked", "released"])
        self.assertEqual(self.fired(), [])

    def test_a_seal_starts_none(self):
        self.events._record(self.partner, self.purpose, "withdrawn")
        self.fired()
        self.assertTrue(self.env["usercom.consent.seal"]._seal_next())
        self.assertEqual(self.fired(), [])
