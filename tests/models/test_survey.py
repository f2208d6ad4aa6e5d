"""Linking and exporting by a list of everybody in User.com: what it costs, and nobody twice."""

from odoo.tests.common import tagged

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

    def there_is(self, count=1, prefix="p", **values):
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
        self.there_is(300)
        self.sim.reset_calls()
        self.account.action_link_existing()
        self.pull()
        self.assertEqual(self.survey().state, "done")
        self.assertEqual(self.sim.calls.count(), 3)
        self.assertEqual(self.bindings().partner_id, partners)
        self.assertEqual(set(self.bindings().mapped("origin")), {"matched"})


class TestExport(SurveyCase):
    def test_costs_one_call_each(self):
        self.there_is(10, prefix="other")
        self.make_people(250)
        self.sim.reset_calls()
        self.export()
        self.run_all()
        self.assertFalse(self.changes())
        self.assertEqual(len(self.sim.contacts()), 260)
        posts = self.sim.calls.count("POST", "/users/update_or_create/")
        gets = [(c["raw_path"], c["query"]) for c in self.sim.calls("GET")]
        print(posts, gets)
        self.assertEqual(posts, 250)
        self.assertLessEqual(self.sim.calls.count(), 250 * 1.02 + 5)
