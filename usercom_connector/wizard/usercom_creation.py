from odoo import api, fields, models
from odoo.tools import SQL


class UsercomCreation(models.TransientModel):
    """Switches one kind of creation on, after saying how many contacts it will be now."""

    _name = "usercom.creation"
    _description = "Switch On Creating Contacts"

    account_id = fields.Many2one("usercom.account", required=True)
    side = fields.Selection(
        [("usercom", "In User.com"), ("odoo", "In Odoo")], "Create Contacts", required=True
    )
    count = fields.Integer("Waiting Now", compute="_compute_count")
    creation_limit = fields.Integer(related="account_id.creation_limit")
    include_existing = fields.Boolean(
        "Create these now, too",
        help="Otherwise only contacts that are saved from now on are created.",
    )

    @api.depends("account_id", "side")
    def _compute_count(self):
        for wizard in self:
            if wizard.side == "usercom":
                wizard.count = self.env["res.partner"].search_count(wizard._existing())
            else:
                wizard.count = len(wizard._held_pings())

    def _existing(self):
        bindings = self.env["usercom.binding"]._search(
            [("account_id", "=", self.account_id.id), ("partner_id", "!=", False)]
        )
        return [
            *self.account_id._participants(),
            ("id", "not in", bindings.subselect("partner_id")),
        ]

    def _held_pings(self):
        return self.env["usercom.ping"].search(
            [("account_res_id", "=", self.account_id.id), ("problem_code", "=", "creation_off")]
        )

    def action_switch_on(self):
        """Switch it on, and set to work on those counted."""
        self.ensure_one()
        if self.side == "odoo":
            self.account_id.create_in_odoo = True
            self.account_id._release("creation_off")
        else:
            self.account_id.create_in_usercom = True
            if self.include_existing:
                self._enqueue_existing()
        return {"type": "ir.actions.act_window_close"}

    def _enqueue_existing(self):
        # One statement, however many: the database makes a row of each contact it finds.
        found = self.env["res.partner"]._search(self._existing())
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO usercom_change (account_res_id, partner_res_id, due_at, attempts)
                SELECT %s, id, %s, 0 FROM (%s) AS contact
                """,
                self.account_id.id,
                fields.Datetime.now(),
                found.subselect(),
            )
        )
        self.env["usercom.change"]._wake()
