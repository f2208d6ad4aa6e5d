from odoo import fields, models
from odoo.tools import SQL

from ..sync import mapping, pacing

#: Reasons to be parked that another mapping may do away with: a value that User.com does not take,
#: an address that does not travel, a value that our code cannot deal with.
PARKED_BY_MAPPING = ("refused", "no_address", "unexpected")


class UsercomAccount(models.Model):
    """What waits to be sent or read, and what waits for a person."""

    _inherit = "usercom.account"

    binding_count = fields.Integer(compute="_compute_counts")
    change_count = fields.Integer(compute="_compute_counts")
    ping_count = fields.Integer(compute="_compute_counts")
    parked_count = fields.Integer(compute="_compute_counts")
    conflict_count = fields.Integer("Conflicts", compute="_compute_counts")
    drift_count = fields.Integer("Consents That Differ", compute="_compute_counts")

    def _compute_counts(self):
        bindings = dict(
            self.env["usercom.binding"]._read_group(
                [
                    ("account_id", "in", self.ids),
                    ("usercom_id", "!=", False),
                    ("state", "!=", "seen"),
                ],
                ["account_id"],
                ["__count"],
            )
        )
        conflicts = dict(
            self.env["usercom.conflict"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        drifts = dict(
            self.env["usercom.consent.drift"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        changes = self.env["usercom.change"]._count_by_account(self.ids)
        pings = self.env["usercom.ping"]._count_by_account(self.ids)
        for account in self:
            account.binding_count = bindings.get(account, 0)
            account.conflict_count = conflicts.get(account, 0)
            account.drift_count = drifts.get(account, 0)
            account.change_count = changes.get((account.id, True), 0)
            account.ping_count = pings.get((account.id, True), 0)
            account.parked_count = changes.get((account.id, False), 0) + pings.get(
                (account.id, False), 0
            )

    # === ACTION METHODS === #

    def action_compare(self):
        """Look now for what was changed in Odoo by a way that nothing captures."""
        for account in self.filtered(lambda account: account.state == "running"):
            self.env["usercom.comparison"]._begin(account)
        self.env["usercom.comparison"]._wake()
        return self._notify(
            self.env._("Comparing"),
            self.env._(
                "All linked contacts are compared with what User.com has last been sent, without "
                "a call. What differs goes out, and is counted under To Send until then."
            ),
            "info",
            sticky=False,
        )

    def action_open_bindings(self):
        """The contacts that are tied to this account."""
        name = self.env._("Linked Contacts")
        domain = [("account_id", "in", self.ids), ("state", "!=", "seen")]
        return self._action_open("usercom.binding", name, domain)

    def action_open_changes(self):
        """What waits to be sent."""
        name = self.env._("Changes to Send")
        return self._action_open("usercom.change", name, [("account_res_id", "in", self.ids)])

    def action_open_pings(self):
        """What waits to be read."""
        name = self.env._("Contacts to Read")
        return self._action_open("usercom.ping", name, [("account_res_id", "in", self.ids)])

    def action_open_conflicts(self):
        """What was changed on both sides and waits for a decision."""
        domain = [("account_id", "in", self.ids)]
        action = self._action_open("usercom.conflict", self.env._("Conflicts"), domain)
        return action | {"view_mode": "list,kanban"}

    def action_open_drifts(self):
        """The consents about which the two sides disagree."""
        domain = [("account_id", "in", self.ids)]
        name = self.env._("Consents That Differ")
        return self._action_open("usercom.consent.drift", name, domain) | {
            "view_mode": "list,kanban"
        }

    def action_open_parked(self):
        """What needs a person: the changes, or the contacts to read where no change does."""
        parked = [("account_res_id", "in", self.ids), ("due_at", "=", False)]
        changes = self.env["usercom.change"]
        model = "usercom.change" if changes.search_count(parked, limit=1) else "usercom.ping"
        return self._action_open(model, self.env._("Needs a Person"), parked)

    # === BUSINESS METHODS === #

    def _release(self, code):
        """Let rows that wait for a decision of this account go on."""
        held = [("account_res_id", "in", self.ids), ("problem_code", "=", code)]
        for model in ("usercom.change", "usercom.ping"):
            # sudo: rows are not edited by hand; who decides for the account lets them go on.
            rows = self.env[model].sudo().search(held)
            rows._retry()
            rows._wake()

    def _retry_parked_by_mapping(self, attributes=()):
        """Try again what was parked, or refused by User.com, under another mapping than now.

        To be called when a mapping line or an attribute has changed.

        :param attributes: those whose values may be taken now.
        """
        # sudo: rows are not edited by hand; who changes the mapping lets them go on.
        held = [
            ("account_res_id", "in", self.ids),
            ("due_at", "=", False),
            ("problem_code", "in", PARKED_BY_MAPPING),
        ]
        for model in ("usercom.change", "usercom.ping"):
            self.env[model].sudo().search(held)._retry()
        for account in self:
            for attribute in attributes:
                account._retry_refused(attribute)

    def _retry_refused(self, attribute):
        """Send what was refused for want of an attribute, now that it is there."""
        # sudo: bindings and rows are not edited by hand, as above.
        account = self.sudo()
        refused = [("account_res_id", "=", account.id), ("problem_code", "=", "refused")]
        rows = account.env["usercom.change"].search(refused)
        rows.filtered(lambda row: attribute in row.problem_args.get("fields", ()))._retry()
        found = account.env.execute_query(
            SQL(
                "SELECT id FROM usercom_binding WHERE account_id = %s AND refused ? %s",
                account.id,
                attribute,
            )
        )
        bindings = account.env["usercom.binding"].browse(binding_id for (binding_id,) in found)
        for binding in bindings:
            binding.refused = {n: value for n, value in binding.refused.items() if n != attribute}
        bindings.partner_id._usercom_enqueue(account)

    def _catch_up(self, calls_missed=False):
        """Look again at all linked contacts: what was edited meanwhile has left no row.

        Nor has the deletion of one of which User.com is to be told. A few statements, however many
        there are.

        :param calls_missed: whether calls of User.com were turned away meanwhile.
        """
        self.env["usercom.binding"].flush_model()
        changes, pings = self.env["usercom.change"], self.env["usercom.ping"]
        linked = SQL(
            "usercom_binding WHERE account_id IN %s AND partner_id IS NOT NULL AND state <> 'gone'",
            tuple(self.ids),
        )
        changes._append_all(SQL("SELECT account_id, partner_id FROM %s", linked), pacing.BULK)
        leaving = SQL(
            """
            SELECT account_id, former_res_id FROM usercom_binding
             WHERE account_id IN %s AND farewell IS NOT NULL
            """,
            tuple(self.ids),
        )
        changes._append_all(leaving, pacing.EDIT)
        if calls_missed:
            people = SQL(
                """
                SELECT account_id, 'id', usercom_id FROM %s
                   AND usercom_id IS NOT NULL AND kind = %s
                """,
                linked,
                mapping.CONTACT,
            )
            pings._append_all(people, pacing.BULK)
            self._list_companies_soon()
        self._wake_all()

    def _wake_all(self):
        self.env["usercom.change"]._wake()
        self.env["usercom.ping"]._wake()
