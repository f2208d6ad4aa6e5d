from odoo import api, fields, models


class UsercomCarry(models.TransientModel):
    """Carries new and changed mapping lines to linked contacts, after saying how many they are."""

    _name = "usercom.carry"
    _description = "Carry to Existing Contacts"

    account_id = fields.Many2one("usercom.account", required=True)
    line_ids = fields.Many2many("usercom.mapping", string="Fields", compute="_compute_line_ids")
    count = fields.Integer("Linked Contacts", compute="_compute_line_ids")
    reads = fields.Boolean(compute="_compute_line_ids")

    @api.depends("account_id")
    def _compute_line_ids(self):
        for wizard in self:
            account = wizard.account_id
            lines = account.contact_mapping_ids | account.company_mapping_ids
            wizard.line_ids = lines.filtered(
                lambda line: line.active and line.to_carry and not line.is_paused
            )
            wizard.count = wizard.line_ids._count_linked()
            wizard.reads = any(line.direction != "out" for line in wizard.line_ids)

    def action_carry(self):
        """Set to work on the contacts counted."""
        self.ensure_one()
        self.line_ids._carry()
        return {"type": "ir.actions.act_window_close"}
