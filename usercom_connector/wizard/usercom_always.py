from odoo import api, fields, models

from ..sync import mapping


class UsercomAlways(models.TransientModel):
    """Sets who wins the conflicts of a field and decides those that wait; says first how many."""

    _name = "usercom.always"
    _description = "Always So for This Field"

    mapping_id = fields.Many2one("usercom.mapping", "Field", required=True, ondelete="cascade")
    winner = fields.Selection(
        [(mapping.ODOO_WINS, "Odoo's value"), (mapping.USERCOM_WINS, "User.com's value")],
        "Counts Always",
        required=True,
        default=mapping.ODOO_WINS,
    )
    count = fields.Integer("Conflicts Decided So Now", compute="_compute_count")

    @api.depends("mapping_id")
    def _compute_count(self):
        for wizard in self:
            wizard.count = len(wizard.mapping_id._conflicts())

    def action_decide(self):
        """Decide what waits, and set the rule for what comes."""
        self.ensure_one()
        self.mapping_id.check_access("write")
        self.mapping_id._conflicts()._decide(self.winner)
        self.mapping_id.winner = self.winner
        return {"type": "ir.actions.client", "tag": "soft_reload"}
